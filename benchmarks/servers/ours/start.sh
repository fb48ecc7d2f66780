#!/bin/sh
# The service as shipped, with one worker. Arguments are passed to Gunicorn, for example another worker class.
set -eu
cd ../../..
export DATABASE_URL="sqlite:///$WORK_DIR/records/records.db" STATE_DIR="$WORK_DIR/state"
BIND="127.0.0.1:$PORT" WEB_CONCURRENCY=1 exec "$BIN/gunicorn" "$@" "app:create_app()"
