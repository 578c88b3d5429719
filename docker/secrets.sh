#!/bin/sh
# Creates the missing secrets for docker/compose.yaml in docker/secrets.
set -eu
cd "$(dirname "$0")"
command -v openssl > /dev/null || { echo "error: openssl is required to create secrets; install it" >&2; exit 1; }

# The folder's mode keeps out other users of this machine. The files themselves are world-readable, as containers with other user
# ids mount them.
mkdir -p secrets
chmod 700 secrets
cd secrets

draw() { openssl rand -hex 24; }
[ -e postgres_password ] || draw > postgres_password
[ -e grafana_password ] || draw > grafana_password
[ -e keys ] || draw > keys
[ -e storage_key ] || echo "seqline,$(draw)" > storage_key
key=$(cat storage_key)
printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n' "${key%%,*}" "${key#*,}" > aws
if [ ! -e certificate ] || [ ! -e certificate_key ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 365 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost,DNS:serve,IP:127.0.0.1 -keyout certificate_key -out certificate 2> /dev/null
fi
chmod 644 -- *
