# The commands of this project. `make run` and `make test` fetch or name what they need.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run test lint compose-check bench chaos prepare schema-dump openapi recordings clean

CARGO ?= cargo
STATE ?=
PORT ?=
# What chaos strikes: release or debug.
BUILT ?= release
# What `hive dev` is told besides.
ARGS ?=

help: ## Show the commands.
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: ## Build and start everything on this machine; Ctrl-C stops it.
	$(CARGO) build --locked --workspace --bins
	target/debug/hive dev $(if $(STATE),--state $(STATE)) $(if $(PORT),--port $(PORT)) \
	    --double-script examples/failing-test/double.yaml $(ARGS)

test: ## Run all tests against stores of their own.
	$(CARGO) build --locked --workspace --bins
	target/debug/hive-stores -- $(if $(shell command -v cargo-nextest),$(CARGO) nextest run --locked --workspace --no-fail-fast,$(CARGO) test --locked --workspace --no-fail-fast -- --test-threads=4)

lint: compose-check ## Format, clippy, documentation, shell scripts, the deployment: what CI lints.
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --quiet
	sh -n examples/failing-test/make-repo.sh
	bash -n .ci/run
	for script in containers/*.sh; do bash -n $$script; done
	for script in containers/*/entrypoint.sh; do sh -n $$script; done

compose-check: ## Check the deployment's file, its rules, the dashboards and the alarms, with the tools that are here.
	python3 grafana/make_dashboards.py --check
	$(CARGO) test --locked --quiet --package hive-tests --test compose --test metrics_listed
	@if command -v promtool >/dev/null; then \
	    promtool check rules grafana/alerts.yml && promtool test rules grafana/alerts_test.yml && \
	    promtool check config grafana/prometheus.yml; \
	else echo "promtool is not here: the alarms are not tested (apt-get install prometheus)"; fi
	@if docker compose version >/dev/null 2>&1; then compose="docker compose"; \
	elif docker-compose version 2>/dev/null | grep -q 'v\?2\.'; then compose=docker-compose; fi; \
	if [ -n "$$compose" ]; then $$compose config --quiet && $$compose --env-file demo.env config --quiet; \
	else echo "docker-compose 2 is not here: Compose itself does not check docker-compose.yml"; fi

bench: ## Measure the release build; ends with one JSON line.
	$(CARGO) build --locked --release --workspace --bins
	target/release/hive-bench $(ARGS)

# SEED chooses the strikes, BUILT=debug takes the build without optimisation, LONG=1 the long form, ROLL=1 the upgrade under
# load, FAILPOINTS=1 the walk through the fail points. The programs with fail points in them are built beside the others and
# laid aside, so that one target directory serves both.
chaos: ## Kill, freeze and flood the release build; ends with one JSON line.
ifdef FAILPOINTS
	$(CARGO) build --locked --package hive-worker --package hive-api --package hive-scheduler --features fail/failpoints
	$(CARGO) build --locked --package hive-sandbox --package hive --package hive-chaos
	mkdir -p target/failpoints
	cd target/debug && cp hive hive-worker hive-api hive-scheduler hive-sandbox ../failpoints/
	target/debug/hive-chaos --fail-points target/failpoints $(ARGS)
else
	$(CARGO) build --locked $(if $(filter release,$(BUILT)),--release) --workspace --bins
	target/$(BUILT)/hive-chaos $(if $(SEED),--seed $(SEED)) $(if $(LONG),--long) $(if $(ROLL),--roll) $(ARGS)
endif

prepare: ## Record the store's statements in .sqlx, after a change of SQL or schema.
	$(CARGO) build --locked --package hive-local --bins
	target/debug/hive-stores --migrations migrations -- sh crates/store/prepare.sh

# VERSION=0006 writes the dump of a release anew instead of that of the head.
schema-dump: ## Write the dump of the schema's head, after a migration.
	$(CARGO) build --locked --package hive-local --bins
	target/debug/hive-stores -- python3 migrations/released/make_dump.py $(or $(VERSION),head)

openapi: ## Write openapi.json anew.
	UPDATE_OPENAPI=1 target/debug/hive-stores -- $(CARGO) test --locked --package hive-api --test it openapi

recordings: ## Record the run in tests/recordings anew, after a change of what an agent is told.
	$(CARGO) build --locked --workspace --bins
	UPDATE_RECORDINGS=1 target/debug/hive-stores -- $(CARGO) test --locked --package hive-tests --test it recordings::the_recording

clean: ## Remove what was built.
	$(CARGO) clean
