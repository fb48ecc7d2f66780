#!/bin/sh
set -eu
export MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true PATH="$BIN:$PATH"
MODEL="$WORK_DIR/mlflow_model"
test -d "$MODEL" || "$BIN/python" save_model.py "$MODEL_JOBLIB" "$MODEL"
exec "$BIN/mlflow" models serve --model-uri "$MODEL" --host 127.0.0.1 --port "$PORT" --workers 1 --env-manager local
