#!/bin/sh
# Writes the secrets of a deployment, each once: random passwords, and the addresses that hold them. The key for Claude
# is taken from ANTHROPIC_API_KEY. Without one no worker starts, unless --demo puts a mark in its place, which workers
# take to the double and to nobody else.
#
#   containers/make-secrets.sh [--demo] [DIR]
set -eu
cd "$(dirname "$0")/.."
key=${ANTHROPIC_API_KEY:-}
if [ "${1:-}" = --demo ]; then
    shift
    key=${key:-no-key-is-set}
fi
dir=${1:-secrets}
umask 077
mkdir -p "$dir"

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
# The directory is its owner's alone. The files can be read by the users inside the containers, to which they are given
# one by one.
put() {
    [ -s "$dir/$1" ] && return
    rm -f "$dir/$1"
    printf '%s\n' "$2" >"$dir/$1"
    chmod 444 "$dir/$1"
    echo "wrote $dir/$1"
}

put postgres_password "$(random)"
put redis_password "$(random)"
put database_url "postgres://hive:$(cat "$dir/postgres_password")@postgres:5432/hive"
put redis_url "redis://hive:$(cat "$dir/redis_password")@redis:6379/0"
put hive_token "$(random)"
put grafana_password "$(random)"
put anthropic_api_key "$key"
[ -n "$key" ] || echo "$dir/anthropic_api_key is empty: write the key for Claude into it, or the workers refuse to start"
