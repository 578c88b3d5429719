#!/bin/sh
# Starts MLflow on its database, whose password is in the file POSTGRES_PASSWORD_FILE. S3's keys it finds by itself, as all of Amazon's
# libraries do: in the environment, or in the file that AWS_SHARED_CREDENTIALS_FILE names.
set -eu

if [ ! -r "${POSTGRES_PASSWORD_FILE:-}" ]; then
    echo "error: POSTGRES_PASSWORD_FILE has to name a file that user $(id -u) can read, not '${POSTGRES_PASSWORD_FILE:-}'" >&2
    exit 1
fi
# The command line is for everyone to see in a list of processes; the environment is not.
MLFLOW_BACKEND_STORE_URI="postgresql+psycopg2://mlflow:$(cat "$POSTGRES_PASSWORD_FILE")@${POSTGRES_HOST:-postgres}/mlflow"
export MLFLOW_BACKEND_STORE_URI
# One worker: each takes a quarter of a gigabyte. The names are those by which the server may be asked, against DNS rebinding.
exec mlflow server --host 0.0.0.0 --port 5000 --workers 1 \
    --artifacts-destination "${MLFLOW_ARTIFACTS:-s3://mlflow}" --serve-artifacts \
    --allowed-hosts "${MLFLOW_HOSTS:-mlflow:*,localhost:*,127.0.0.1:*}"
