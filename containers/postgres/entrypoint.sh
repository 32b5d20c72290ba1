#!/bin/sh
# Makes the database cluster once, then runs it. The password of the hive comes from a file.
set -eu

major=$(postgres --version | grep -o '[0-9]*' | head -n 1)
root=/var/lib/postgresql/data
data=$root/$major
password_file=${POSTGRES_PASSWORD_FILE:?POSTGRES_PASSWORD_FILE names no file}
[ -s "$password_file" ] || { echo "POSTGRES_PASSWORD_FILE: $password_file is empty or absent" >&2; exit 1; }

if [ ! -d "$data" ]; then
    for other in "$root"/[0-9]*; do
        case $other in
        "$root/[0-9]*" | *.new) ;;
        *) echo "$other was made by another major version; dump it there and restore it here" >&2; exit 1 ;;
        esac
    done
    # Under another name until it is whole: a start that was cut begins anew.
    rm -rf "$data.new"
    initdb --pgdata="$data.new" --username=postgres --auth-local=peer --auth-host=scram-sha-256 \
        --encoding=UTF8 --locale=C.UTF-8 --data-checksums --no-instructions >/dev/null
    echo "host all all all scram-sha-256" >>"$data.new/pg_hba.conf"
    pg_ctl --pgdata="$data.new" --silent --wait --options="-c listen_addresses='' -k /run/store" start >/dev/null
    # The hive owns its database and nothing else; what needs more, the extension, is made here.
    psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --host=/run/store --dbname=postgres \
        --set=password="$(cat "$password_file")" <<'SQL'
CREATE ROLE hive LOGIN PASSWORD :'password';
CREATE DATABASE hive OWNER hive;
\connect hive
CREATE EXTENSION vector;
SQL
    pg_ctl --pgdata="$data.new" --silent --wait --mode=fast stop >/dev/null
    mv "$data.new" "$data"
fi

exec postgres -D "$data" -c listen_addresses='*' -c unix_socket_directories=/run/store \
    -c logging_collector=off -c max_connections="${POSTGRES_MAX_CONNECTIONS:-300}" \
    -c shared_buffers="${POSTGRES_SHARED_BUFFERS:-256MB}" "$@"
