#!/bin/sh
# Starts MLflow. The password of its database is in the file POSTGRES_PASSWORD_FILE. boto3 finds the S3 keys in the environment or
# in the file AWS_SHARED_CREDENTIALS_FILE.
set -eu

if [ ! -r "${POSTGRES_PASSWORD_FILE:-}" ]; then
    echo "error: POSTGRES_PASSWORD_FILE must be a file that user $(id -u) can read, not '${POSTGRES_PASSWORD_FILE:-}'" >&2
    exit 1
fi
# Passed in the environment because command lines are visible in process lists.
MLFLOW_BACKEND_STORE_URI="postgresql+psycopg2://mlflow:$(cat "$POSTGRES_PASSWORD_FILE")@${POSTGRES_HOST:-postgres}/mlflow"
export MLFLOW_BACKEND_STORE_URI
# One worker, as each takes 250 MB. The allowed host names protect against DNS rebinding.
exec mlflow server --host 0.0.0.0 --port 5000 --workers 1 \
    --artifacts-destination "${MLFLOW_ARTIFACTS:-s3://mlflow}" --serve-artifacts \
    --allowed-hosts "${MLFLOW_HOSTS:-mlflow:*,localhost:*,127.0.0.1:*}"
