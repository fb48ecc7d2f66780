#!/bin/sh
# The service as it is shipped, with one worker. What follows is for Gunicorn: other worker classes, for example.
set -eu
cd ../../..
BIND="127.0.0.1:$PORT" WEB_CONCURRENCY=1 exec "$BIN/gunicorn" "$@" "app:create_app()"
