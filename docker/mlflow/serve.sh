#!/bin/sh
# Starts MLflow with its secrets read from files: POSTGRES_PASSWORD_FILE, and STORAGE_KEY_FILE, which holds "ID,SECRET".
set -eu

for name in POSTGRES_PASSWORD_FILE STORAGE_KEY_FILE; do
    eval "file=\${$name:-}"
    if [ ! -r "$file" ]; then
        echo "error: $name has to name a file that user $(id -u) can read, and '$file' is none" >&2
        exit 1
    fi
done
key=$(cat "$STORAGE_KEY_FILE")
export AWS_ACCESS_KEY_ID="${key%%,*}" AWS_SECRET_ACCESS_KEY="${key#*,}"
# The command line is for everyone to see in a list of processes; the environment is not.
MLFLOW_BACKEND_STORE_URI="postgresql+psycopg2://mlflow:$(cat "$POSTGRES_PASSWORD_FILE")@${POSTGRES_HOST:-postgres}/mlflow"
export MLFLOW_BACKEND_STORE_URI
# One worker: each takes half a gigabyte. The names are those by which the server may be asked, against DNS rebinding.
exec mlflow server --host 0.0.0.0 --port 5000 --workers 1 \
    --artifacts-destination "${MLFLOW_ARTIFACTS:-s3://mlflow}" --serve-artifacts \
    --allowed-hosts "${MLFLOW_HOSTS:-mlflow:*,localhost:*,127.0.0.1:*}"
