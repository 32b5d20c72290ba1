# All programs of Agent Hive in one image. Which one runs is the command of the container: hive-api, hive-worker,
# hive-scheduler, hive (the command line, and the probe of the health checks), claude-double (demos and tests only).
# hive-sandbox is started by the worker.

FROM rust:1.95-slim-trixie AS compile
WORKDIR /src
COPY . .
# `release`, or `dev` for a build that is quicker and slower to run.
ARG PROFILE=release
# What hive_build_info shows.
ARG HIVE_REVISION=unknown
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --locked --workspace --bins --profile "$PROFILE" \
    && mkdir /programs \
    && dir=$([ "$PROFILE" = dev ] && echo debug || echo "$PROFILE") \
    && for name in hive hive-api hive-worker hive-scheduler hive-sandbox claude-double; do \
           strip --strip-debug -o "/programs/$name" "target/$dir/$name"; \
       done

# A stage of its own, so that programs built elsewhere can take its place: --build-context programs=DIR
FROM scratch AS programs
COPY --from=compile /programs/ /

FROM debian:trixie-slim AS hive
# What commands of agents find in the sandbox. Toolchains of your projects belong here.
ARG TOOLS="git python3"
RUN apt-get update -qq \
    && apt-get install -qq -y --no-install-recommends ca-certificates $TOOLS >/dev/null \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 hive \
    && useradd --uid 10001 --gid hive --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin hive \
    && install -d -o hive -g hive -m 0711 /var/lib/hive /srv/git \
    && install -d -o hive -g hive -m 0700 /var/lib/hive-checkpoints
COPY examples/failing-test /usr/share/hive/examples/failing-test/
COPY --from=programs hive hive-api hive-worker hive-scheduler hive-sandbox claude-double /usr/local/bin/
USER 10001:10001
WORKDIR /var/lib/hive
ENV HIVE_DATA=/var/lib/hive HIVE_LOG_FORMAT=json
# The page of the api; the other services name theirs in HIVE_PROBE.
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 CMD ["hive", "probe"]
CMD ["hive", "--help"]
