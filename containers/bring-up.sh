#!/usr/bin/env bash
# Brings the whole deployment up on a real engine, works in it, measures it, and takes it down again. Not part of CI.
#
#   containers/bring-up.sh [--engine DIR] [--programs DIR]
#
# LATENCY_MS       how long the model takes, 10,000 by default
# --engine DIR     use an engine of one's own (containers/engine.sh), started here and stopped at the end
# --programs DIR   take built programs from there instead of compiling them in the image
#
# The model is the Claude double with a fixed latency: what is measured is how throughput grows with workers, on a load
# that waits for the model. Ends with one JSON line.
set -euo pipefail
cd "$(dirname "$0")/.."

engine='' programs=''
while [ $# -gt 0 ]; do
    case $1 in
    --engine) engine=$(realpath -m "$2"); shift 2 ;;
    --programs) programs=$(realpath "$2"); shift 2 ;;
    *) echo "usage: $0 [--engine DIR] [--programs DIR]" >&2; exit 2 ;;
    esac
done

work=$(mktemp -d)
project=hive-drill-$$
# What differs from the defaults: ports beside a running hive, a slow model, few slots.
export COMPOSE_PROJECT_NAME=$project HIVE_SECRETS=$work/secrets HIVE_VERSION=drill HIVE_LOG=warn
export HIVE_PORT=17700 PROMETHEUS_PORT=19090 GRAFANA_PORT=13000 HIVE_SLOTS=4 HIVE_DOUBLE_LATENCY_MS=${LATENCY_MS:-10000}
export HIVE_WORKER_MEMORY=1g HIVE_WORKER_CPUS=1 HIVE_REVISION=drill
url=http://127.0.0.1:$HIVE_PORT
files=(--env-file demo.env -f docker-compose.yml)

say() { echo "== $*"; }
fail() { echo "bring-up: $*" >&2; exit 1; }
compose() { docker compose "${files[@]}" "$@"; }

finish() {
    code=$?
    trap - EXIT INT TERM
    if [ $code != 0 ]; then compose logs --tail 15 2>/dev/null | tail -60 >&2 || true; fi
    say "down"
    compose down --volumes --remove-orphans --timeout 45 >/dev/null 2>&1 || true
    [ -z "$engine" ] || containers/engine.sh stop "$engine" || true
    rm -rf "$work"
    exit $code
}
trap finish EXIT
trap 'exit 130' INT TERM

if [ -n "$engine" ]; then
    eval "$(containers/engine.sh start "$engine")"
    docker image inspect debian:trixie-slim >/dev/null 2>&1 || containers/engine.sh bases "$engine"
fi
docker version --format 'engine {{.Server.Version}}' && docker compose version

ANTHROPIC_API_KEY='' containers/make-secrets.sh --demo "$HIVE_SECRETS" >/dev/null
if [ -n "$programs" ]; then
    {
        echo "services:"
        for service in migrate api worker worker-isolated scheduler double; do
            echo "  $service: { build: { additional_contexts: { programs: '$programs' } } }"
        done
    } >"$work/programs.yml"
    files+=(-f "$work/programs.yml")
fi
compose config --quiet

mapfile -t services < <(compose config --services)
if ! docker image inspect "grafana/grafana:${GRAFANA_VERSION:-11.6.0}" >/dev/null 2>&1 && ! compose pull --quiet grafana 2>/dev/null; then
    say "Grafana's image cannot be had here: it is left out, and its dashboards are checked by tests/it/dashboards.rs"
    mapfile -t services < <(printf '%s\n' "${services[@]}" | grep -v '^grafana$')
fi

say "build"
start=$SECONDS
compose build --quiet "${services[@]}" >"$work/build.log" 2>&1 || { tail -30 "$work/build.log" >&2; fail "the images were not built"; }
build_seconds=$((SECONDS - start))
say "up and healthy"
start=$SECONDS
# One-shots end; --wait counts that as failure unless somebody depends on them, as everybody does on migrate.
compose up --detach --wait --wait-timeout 180 "${services[@]}" >"$work/up.log" 2>&1 || { tail -20 "$work/up.log" >&2; fail "not healthy"; }
up_seconds=$((SECONDS - start))
compose ps --format '{{.Name}}\t{{.Status}}'

say "as confined as written"
for name in $(compose ps --quiet); do
    docker inspect --format '{{.Name}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} {{.HostConfig.Privileged}} user={{.Config.User}} {{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}' "$name"
done | tee "$work/confined" | cut -c1-150
! grep -vE ' true \[ALL\] \[no-new-privileges:true\] false user=[a-z1-9][^ ]* [1-9][0-9]* [1-9][0-9]*$' "$work/confined" ||
    fail "a container is not confined"
in_worker() { compose exec -T worker "$@"; }
in_worker sh -c 'test "$(id -u)" = 10001 && ! touch /usr/local/bin/x 2>/dev/null && grep -q "^CapEff:.0*$" /proc/1/status && grep -q "^NoNewPrivs:.1" /proc/1/status' ||
    fail "the worker has rights it must not have"

say "the stores refuse what the hive must not do"
redis() { compose exec -T redis redis-cli --no-auth-warning --user hive --pass "$(cat "$HIVE_SECRETS/redis_password")" "$@" 2>&1; }
for denied in FLUSHALL FLUSHDB "CONFIG GET maxmemory" "KEYS hive:" "GET foreign" "ACL LIST"; do
    # shellcheck disable=SC2086
    answer=$(redis $denied) || true
    case $answer in *NOPERM*) ;; *) fail "Redis answered $denied: $answer" ;; esac
done
psql() { compose exec -T postgres psql --no-psqlrc --host=/run/store --username=postgres --dbname=hive -tA -c "$1"; }
[ "$(psql "SELECT rolsuper OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname = 'hive'")" = f ] || fail "the role hive may too much"
psql "SELECT 'postgres ' || current_setting('server_version') || ', pgvector ' || extversion FROM pg_extension WHERE extname = 'vector'"

say "a bad setting is named in one line"
refuses() { # refuses NAME service -e …
    local named=$1 answer
    shift
    if answer=$(compose run --rm --no-deps -T "$@" 2>&1); then fail "it started without $named"; fi
    answer=$(grep -v -e '^ Container' -e '^ Network' -e '^ Volume' -e '^$' <<<"$answer")
    case $(wc -l <<<"$answer"),$answer in 1,*"$named"*) echo "$answer" | cut -c1-160 ;; *) fail "$named: $answer" ;; esac
}
refuses DATABASE_URL -e DATABASE_URL_FILE= api
refuses HIVE_TOKEN -e HIVE_TOKEN_FILE=/run/secrets/absent api
refuses ANTHROPIC_API_KEY -e ANTHROPIC_API_KEY_FILE= worker
refuses ANTHROPIC_API_KEY -e ANTHROPIC_BASE_URL=https://api.anthropic.com worker
refuses REDIS_URL -e REDIS_URL_FILE=/etc/hostname worker
refuses DATABASE_URL -e DATABASE_URL_FILE=/nowhere scheduler

say "the example, through the api"
in_worker sh /usr/share/hive/examples/failing-test/make-repo.sh /srv/git/shop >/dev/null
hive() { compose exec -T -e HIVE_URL=http://127.0.0.1:7700 -e HIVE_TOKEN_FILE=/run/secrets/hive_token api hive "$@"; }
# The checks run in the sandbox: they see the project, and neither the secrets nor the network.
hive task submit "Fix the failing test" --repo file:///srv/git/shop --accept 'python3 -m unittest' \
    --accept '! cat /run/secrets/anthropic_api_key' --accept '! bash -c "exec 3<>/dev/tcp/postgres/5432"' \
    --accept '! touch /var/lib/hive/outside /srv/git/outside' --wait
level=$(psql "SELECT string_agg(DISTINCT sandbox, ' ') FROM steps WHERE sandbox IS NOT NULL")
say "sandbox level of its steps: $level"
case $level in landlock+seccomp+rlimits*) ;; *) fail "the floor does not stand" ;; esac
[ "$(in_worker hive probe http://127.0.0.1:7701/health/ready && echo well)" = well ] || fail "the worker is not ready"

load() { # load NAME COUNT: posts tasks that only talk to the model, and prints how many ended each second
    local name=$1 count=$2
    python3 - "$url" "$HIVE_SECRETS/hive_token" "$name" "$count" <<'PYTHON'
import concurrent.futures, json, sys, time, urllib.error, urllib.request
url, token, name, count = sys.argv[1], open(sys.argv[2]).read().strip(), sys.argv[3], int(sys.argv[4])
def post(n):
    body = json.dumps({"title": f"Say hello {n}", "labels": {"drill": name}}).encode()
    request = urllib.request.Request(url + "/api/v1/tasks", body, {"authorization": "Bearer " + token, "content-type": "application/json"})
    # A busy machine may answer 503 or 429 for a moment; both say that nothing was accepted.
    for wait in (1, 2, 4, 8, None):
        try:
            return urllib.request.urlopen(request, timeout=30).read()
        except urllib.error.HTTPError as error:
            if error.code not in (429, 503) or wait is None:
                raise
            time.sleep(wait)
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    list(pool.map(post, range(count)))
PYTHON
    [ "${3:-wait}" = wait ] || return 0
    ended "$name" "$count"
}
ended() { # ended NAME COUNT
    local deadline=$((SECONDS + 300)) done_
    while :; do
        done_=$(psql "SELECT count(*) FROM tasks WHERE labels @> '{\"drill\": \"$1\"}' AND completed_at IS NOT NULL")
        [ "$done_" -lt "$2" ] || break
        [ $SECONDS -lt $deadline ] || fail "$done_ of $2 tasks ended"
        sleep 0.5
    done
    [ "$(psql "SELECT count(*) FROM tasks WHERE labels @> '{\"drill\": \"$1\"}' AND status <> 'succeeded'")" = 0 ] ||
        fail "not all tasks of $1 succeeded"
    [ "$(psql "SELECT count(*) FROM events WHERE kind = 'task.started' AND data->>'worker' LIKE 'isolated-%'")" = 0 ] || fail "the isolated worker took an ordinary task"
    psql "SELECT round(count(*) / extract(epoch FROM max(completed_at) - min(started_at)), 2) FROM tasks WHERE labels @> '{\"drill\": \"$1\"}'"
}

compose exec -T postgres pg_dump --host=/run/store --username=postgres --format=custom hive >"$work/hive.dump"
[ -s "$work/hive.dump" ] || fail "no dump"

say "one worker with $HIVE_SLOTS places, then eight; the model takes $HIVE_DOUBLE_LATENCY_MS ms"
load warm 4 >/dev/null
one=$(load one 20)
compose up --detach --wait --no-recreate --scale worker=8 worker >/dev/null 2>&1 || fail "eight workers do not come up"
load warm-eight 32 >/dev/null
eight=$(load eight 160)
ratio=$(python3 -c "print(round($eight / $one, 2))")
say "$one tasks a second with one worker, $eight with eight: $ratio times"

say "workers leave under load, a scheduler is killed, and nothing is lost"
load leaving 64 later
sleep 3
compose up --detach --wait --no-recreate --scale worker=3 worker >/dev/null 2>&1
docker kill "$(compose ps --quiet scheduler | head -n 1)" >/dev/null
leaving=$(ended leaving 64)
say "all succeeded, $leaving a second"

say "Prometheus reads all of them"
prometheus() { python3 -c 'import json, sys, urllib.parse, urllib.request as r; print(json.dumps(json.load(r.urlopen(sys.argv[1] + "/api/v1/query?query=" + urllib.parse.quote(sys.argv[2]), timeout=20))["data"]["result"]))' "http://127.0.0.1:$PROMETHEUS_PORT" "$1"; }
for _ in $(seq 30); do
    jobs=$(prometheus 'sum by (job) (up == 1)' | grep -o '"job": "[a-z]*"' | sort | tr -d '\n')
    [ "$jobs" != '"job": "api""job": "scheduler""job": "worker"' ] || break
    sleep 1
done
[ "$jobs" = '"job": "api""job": "scheduler""job": "worker"' ] || fail "targets: $jobs"
prometheus 'count by (level) (hive_sandbox_info)'

printf '{"build_seconds":%s,"up_seconds":%s,"sandbox":"%s","one_worker":%s,"eight_workers":%s,"ratio":%s}\n' \
    "$build_seconds" "$up_seconds" "$level" "$one" "$eight" "$ratio"
python3 -c "import sys; sys.exit(0 if $ratio > 5 else 'bring-up: eight workers do less than five times the work of one')"
