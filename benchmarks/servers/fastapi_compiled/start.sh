#!/bin/sh
# uvicorn uses uvloop and httptools because they are installed.
set -eu
PYTHONPATH=../../.. exec "$BIN/uvicorn" server:app --host 127.0.0.1 --port "$PORT" "$@"
