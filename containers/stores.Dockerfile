# The stores and Prometheus, from Debian packages: what is shipped is what was run.

FROM debian:trixie-slim AS base
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update -qq && apt-get upgrade -qq -y >/dev/null && rm -rf /var/lib/apt/lists/*

# Postgres 17 with pgvector.
FROM base AS postgres
RUN apt-get update -qq \
    && apt-get install -qq -y --no-install-recommends postgresql-17-pgvector >/dev/null \
    && rm -rf /var/lib/apt/lists/* /var/lib/postgresql/17 /etc/postgresql \
    && install -d -o postgres -g postgres -m 0700 /var/lib/postgresql/data
COPY --chmod=0755 containers/postgres/entrypoint.sh /usr/local/bin/postgres-entrypoint
ENV PATH=/usr/lib/postgresql/17/bin:/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8
USER postgres
VOLUME /var/lib/postgresql/data
# A fast shutdown: sessions are ended, and nothing has to be recovered.
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=5 \
    CMD ["pg_isready", "-q", "-h", "127.0.0.1", "-U", "hive", "-d", "hive"]
ENTRYPOINT ["postgres-entrypoint"]

# Redis, with a user for the hive that may do what the hive does.
FROM base AS redis
RUN apt-get update -qq \
    && apt-get install -qq -y --no-install-recommends redis-server >/dev/null \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o redis -g redis -m 0700 /var/lib/redis
COPY --chmod=0755 containers/redis/entrypoint.sh /usr/local/bin/redis-entrypoint
COPY containers/redis/redis.conf containers/redis/users.acl /etc/hive-redis/
USER redis
VOLUME /var/lib/redis
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=5 \
    CMD ["redis-cli", "--no-auth-warning", "--user", "probe", "--pass", "probe", "ping"]
ENTRYPOINT ["redis-entrypoint"]

FROM base AS prometheus
RUN apt-get update -qq \
    && apt-get install -qq -y --no-install-recommends prometheus >/dev/null \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o prometheus -g prometheus -m 0700 /prometheus
USER prometheus
VOLUME /prometheus
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["promtool", "check", "healthy", "--url=http://127.0.0.1:9090"]
ENTRYPOINT ["prometheus", "--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
