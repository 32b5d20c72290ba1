#!/usr/bin/env bash
# A Docker Engine of one's own, unpacked from Debian packages into one directory: for machines that have none, and for
# tests that must not touch the one that is there. Needs root on Debian 12 or later.
#
#   containers/engine.sh start DIR   unpack once, start, print the variables that reach it
#   containers/engine.sh bases DIR   make the base images from Debian packages and this machine's Rust, for a machine
#                                    that reaches no container registry
#   containers/engine.sh stop DIR    stop it and put the packet filter back as it was
#
# It has its own socket, data and configuration below DIR. Installed on the machine are only runc and iptables.
set -euo pipefail

command=${1:-}
dir=$(realpath -m "${2:?a directory is missing: engine.sh start|bases|stop DIR}")
suite=${ENGINE_SUITE:-trixie}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
export DOCKER_HOST=unix://$dir/run/docker.sock DOCKER_CONFIG=$dir/cfg DOCKER_BUILDKIT=1
PATH=$dir/bin:$PATH:/usr/sbin:/sbin

say() { echo "engine: $*" >&2; }
fail() { say "$*"; exit 1; }

mirror() {
    awk '/^URIs:/{print $2; exit}' /etc/apt/sources.list.d/debian.sources 2>/dev/null |
        grep . || awk '/^deb /{print $2; exit}' /etc/apt/sources.list
}

unpack() {
    [ -x "$dir/bin/dockerd" ] && return
    local missing=()
    for name in runc iptables; do command -v "$name" >/dev/null || missing+=("$name"); done
    if [ ${#missing[@]} -gt 0 ]; then
        apt-get -qq -o DPkg::Lock::Timeout=300 update
        apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${missing[@]}" >/dev/null
    fi
    mkdir -p "$dir"/{apt/lists/partial,apt/cache/archives/partial,debs,bin,run,data,exec,cfg/cli-plugins}
    echo "deb [signed-by=$keyring] $(mirror) $suite main" >"$dir/apt/sources.list"
    cat >"$dir/apt/apt.conf" <<CONF
Dir::Etc::sourcelist "$dir/apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State::lists "$dir/apt/lists";
Dir::Cache "$dir/apt/cache";
Acquire::Languages "none";
APT::Sandbox::User "root";
CONF
    APT_CONFIG=$dir/apt/apt.conf apt-get -qq update
    (cd "$dir/debs" && APT_CONFIG=$dir/apt/apt.conf \
        apt-get -qq download docker.io containerd docker-buildx docker-compose docker-cli tini)
    for deb in "$dir"/debs/*.deb; do dpkg-deb -x "$deb" "$dir/root"; done
    ln -sf "$dir"/root/usr/bin/* "$dir/root/usr/sbin/dockerd" "$dir/bin/"
    ln -sf "$(find "$dir/root" -name docker-proxy -type f)" "$dir/bin/"
    ln -sf "$dir/root/usr/bin/tini-static" "$dir/bin/docker-init"
    ln -sf "$dir"/root/usr/libexec/docker/cli-plugins/* "$dir/cfg/cli-plugins/"
}

answers() { docker version >/dev/null 2>&1; }

start() {
    [ "$(id -u)" = 0 ] || fail "needs root"
    unpack
    if ! answers; then
        iptables-save >"$dir/iptables.before"
        # Without a limit of its own, containers ask for more open files than a root without CAP_SYS_RESOURCE may give.
        setsid dockerd -H "$DOCKER_HOST" --data-root "$dir/data" --exec-root "$dir/exec" --pidfile "$dir/run/docker.pid" \
            --storage-driver overlay2 --default-ulimit nofile=16384:16384 >"$dir/dockerd.log" 2>&1 </dev/null &
        for _ in $(seq 150); do answers && break; sleep 0.2; done
        answers || { tail -5 "$dir/dockerd.log" >&2; fail "dockerd does not answer; see $dir/dockerd.log"; }
    fi
    echo "export DOCKER_HOST=$DOCKER_HOST DOCKER_CONFIG=$DOCKER_CONFIG PATH=$dir/bin:\$PATH"
}

stop() {
    [ -f "$dir/run/docker.pid" ] || { say "no engine runs in $dir"; return; }
    local pid
    pid=$(cat "$dir/run/docker.pid")
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 150); do [ -e "/proc/$pid" ] || break; sleep 0.2; done
    [ ! -e "/proc/$pid" ] || fail "dockerd ($pid) does not end"
    ip link del docker0 2>/dev/null || true
    if [ -s "$dir/iptables.before" ]; then
        iptables-restore <"$dir/iptables.before"
    elif [ -f "$dir/iptables.before" ]; then
        # There was no rule at all.
        iptables -P FORWARD ACCEPT
        for table in filter nat raw; do
            iptables -t "$table" -F && iptables -t "$table" -X
        done
    fi
    rm -f "$dir/iptables.before"
    say "stopped"
}

# The names that the Dockerfiles ask for, made of Debian packages. The certificates of this machine go with them, so
# that a build behind its proxy can verify what it downloads.
bases() {
    local work=$dir/bases sysroot
    mkdir -p "$work"
    command -v mmdebstrap >/dev/null ||
        apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends mmdebstrap >/dev/null
    [ -s "$work/debian.tar" ] || mmdebstrap --quiet --variant=minbase --mode=root --include=ca-certificates "$suite" \
        "$work/debian.tar" "deb [signed-by=$keyring] $(mirror) $suite main"
    docker import "$work/debian.tar" "debian:$suite-plain" >/dev/null
    cp /etc/ssl/certs/ca-certificates.crt "$work/ca-certificates.crt"
    printf 'FROM debian:%s-plain\nCOPY ca-certificates.crt /etc/ssl/certs/\n' "$suite" |
        docker build --quiet --tag "debian:$suite-slim" --file - "$work" >/dev/null
    sysroot=$(rustc --print sysroot)
    cat >"$work/Rust" <<RUST
FROM debian:$suite-slim
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends gcc libc6-dev >/dev/null
COPY --from=toolchain bin /usr/local/cargo/bin/
COPY --from=toolchain lib /usr/local/cargo/lib/
COPY ca-certificates.crt /etc/ssl/certs/
ENV CARGO_HOME=/usr/local/cargo PATH=/usr/local/cargo/bin:\$PATH CARGO_HTTP_CAINFO=/etc/ssl/certs/ca-certificates.crt
RUST
    docker build --quiet --tag "rust:$(rustc --version | cut -d' ' -f2 | cut -d. -f1,2)-slim-$suite" \
        --build-context toolchain="$sysroot" --file "$work/Rust" "$work" >/dev/null
    docker images --format '{{.Repository}}:{{.Tag}} {{.Size}}'
}

case $command in
start) start ;;
bases) bases ;;
stop) stop ;;
*) fail "start, bases or stop" ;;
esac
