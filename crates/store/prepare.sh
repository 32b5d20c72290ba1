#!/bin/sh
# Records the store's statements in .sqlx against a throw-away database; called by `make prepare`.
set -eu
: "${HIVE_TEST_DATABASE_URL:?run this through make prepare}"
rm -f .sqlx/query-*.json
touch crates/store/src/lib.rs
DATABASE_URL=$HIVE_TEST_DATABASE_URL SQLX_OFFLINE=false SQLX_OFFLINE_DIR=$PWD/.sqlx cargo check --locked --package hive-store
