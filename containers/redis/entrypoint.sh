#!/bin/sh
# Runs Redis with the users of users.acl. The password of the hive comes from a file, and only its hash is kept.
set -eu

password_file=${REDIS_PASSWORD_FILE:?REDIS_PASSWORD_FILE names no file}
[ -s "$password_file" ] || { echo "REDIS_PASSWORD_FILE: $password_file is empty or absent" >&2; exit 1; }
hash=$(printf %s "$(cat "$password_file")" | sha256sum | cut -d' ' -f1)
sed "s/HASH_OF_THE_PASSWORD/$hash/" /etc/hive-redis/users.acl >/run/store/users.acl
exec redis-server /etc/hive-redis/redis.conf --maxmemory "${REDIS_MAXMEMORY:-512mb}" "$@"
