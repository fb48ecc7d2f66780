#!/bin/sh
# Flask and Gunicorn as in the service, and nothing else: the upper limit of any Flask service.
set -eu
BIND="127.0.0.1:$PORT" WEB_CONCURRENCY=1 PYTHONPATH=../../.. exec "$BIN/gunicorn" "server:app"
