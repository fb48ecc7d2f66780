#!/bin/sh
set -eu
exec "$BIN/uvicorn" server:app --host 127.0.0.1 --port "$PORT" "$@"
