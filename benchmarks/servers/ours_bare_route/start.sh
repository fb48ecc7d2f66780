#!/bin/sh
# Flask and Gunicorn as the service has them, and nothing else: what is left when a request costs nothing.
set -eu
BIND="127.0.0.1:$PORT" WEB_CONCURRENCY=1 PYTHONPATH=../../.. exec "$BIN/gunicorn" "server:app"
