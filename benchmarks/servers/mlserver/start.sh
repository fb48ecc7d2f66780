#!/bin/sh
# The model runs in the server's own process: a second one would have to share the core.
set -eu
export MLSERVER_HOST=127.0.0.1 MLSERVER_HTTP_PORT="$PORT" MLSERVER_PARALLEL_WORKERS=0 MLSERVER_METRICS_ENDPOINT=/metrics
export MLSERVER_GRPC_PORT="$SPARE_PORT" MLSERVER_METRICS_PORT="$SECOND_SPARE_PORT" MLSERVER_MODEL_URI="$MODEL_JOBLIB"
exec "$BIN/mlserver" start .
