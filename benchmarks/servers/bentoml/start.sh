#!/bin/sh
set -eu
export BENTOML_DO_NOT_TRACK=True PATH="$BIN:$PATH"
exec "$BIN/bentoml" serve service:Forest --host 127.0.0.1 --port "$PORT"
