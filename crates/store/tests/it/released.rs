//! Databases as released versions left them: migrated, they are like a fresh one, and what was in them is still there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use hive_domain::{Outcome, TaskId, journal::TaskResult, task::Performer};
use hive_local::testing::{TestDatabase, TestStores};
use hive_store::{Claimant, MIGRATOR, NewStep};
use serde_json::{Map, Value};
use sqlx::{Executor, PgPool};

use crate::{
    bed::{connect, new_task, note},
    catalog::catalog,
    schema::empty,
};

/// The dumps by name, `head` among them: the schema of the next release.
pub(crate) fn dumps() -> BTreeMap<String, String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/released");
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

pub(crate) async fn load(dump: &str) -> (TestDatabase, PgPool) {
    let (database, pool) = empty().await;
    // A connection of its own, since a dump changes the search path.
    let mut loading = pool.acquire().await.unwrap().detach();
    loading.execute(dump).await.unwrap();
    (database, pool)
}

/// The tables, those that are made of others as one.
async fn tables(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT relname::text FROM pg_class
         WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace ORDER BY 1",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

/// Each row as its columns, byte for byte as text, by table.
pub(crate) async fn rows(pool: &PgPool) -> BTreeMap<String, Vec<Map<String, Value>>> {
    let mut all = BTreeMap::new();
    for table in tables(pool).await {
        let columns: Vec<String> = sqlx::query_scalar(
            "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped",
        )
        .bind(&table)
        .fetch_all(pool)
        .await
        .unwrap();
        // In pairs of their own: a function takes at most a hundred arguments.
        let pairs: Vec<String> = columns
            .iter()
            .map(|column| format!("jsonb_build_object('{column}', \"{column}\"::text)"))
            .collect();
        let query = format!("SELECT {} FROM {table}", pairs.join(" || "));
        let found: Vec<Value> = sqlx::query_scalar(&query).persistent(false).fetch_all(pool).await.unwrap();
        let found = found.into_iter().map(|row| row.as_object().unwrap().clone()).collect();
        all.insert(table, found);
    }
    all
}

#[tokio::test]
async fn a_database_of_every_release_becomes_like_a_fresh_one_and_keeps_its_rows() {
    let fresh = TestStores::get().database(&MIGRATOR).await.unwrap();
    let expected = catalog(&fresh.pool().await.unwrap()).await;
    let dumps = dumps();
    assert!(dumps.len() >= 2 && dumps.contains_key("head"), "{:?}", dumps.keys());
    for (name, dump) in dumps {
        let (database, pool) = load(&dump).await;
        let before = rows(&pool).await;
        let store = connect(&database);
        store.migrate().await.unwrap();

        let found = catalog(&pool).await;
        let missing: Vec<_> = expected.difference(&found).collect();
        let surplus: Vec<_> = found.difference(&expected).collect();
        assert!(
            missing.is_empty() && surplus.is_empty(),
            "{name}: without {missing:#?}, but with {surplus:#?}"
        );

        let after = rows(&pool).await;
        for (table, rows) in before {
            let kept = &after[&table];
            for row in rows {
                let is_kept = |other: &Map<String, Value>| {
                    row.iter().all(|(column, value)| other.get(column).is_none_or(|now| now == value))
                };
                assert_eq!(kept.iter().filter(|other| is_kept(other)).count(), 1, "{name}: {table} {row:?}");
            }
        }
        nets_hold_what_has_no_week(&name, &pool).await;
        it_works_on(&database).await;
    }
}

/// Of the journal, only what belongs to no time is outside of the weeks.
async fn nets_hold_what_has_no_week(name: &str, pool: &PgPool) {
    for journal in ["steps", "events", "llm_calls"] {
        let query = format!("SELECT DISTINCT task_id::text FROM {journal}_default");
        let unplaced: Vec<String> = sqlx::query_scalar(&query).fetch_all(pool).await.unwrap();
        assert_eq!(unplaced, ["ffffffff-0000-4000-8000-000000000000"], "{name}: {journal}");
    }
    let weeks: i64 =
        sqlx::query_scalar("SELECT count(DISTINCT tableoid) FROM steps").fetch_one(pool).await.unwrap();
    assert_eq!(weeks, 4 + 1, "{name}: four weeks of tasks, and the net");
}

async fn it_works_on(database: &TestDatabase) {
    let store = connect(database);
    store.check_schema().await.unwrap();
    let task = store.enqueue(&new_task(Performer::Noop)).await.unwrap();
    let mut lease = store.claim(task.id, task.epoch, &Claimant::ordinary("w")).await.unwrap().unwrap();
    store.append(&mut lease, &NewStep::plain(&note("a step"))).await.unwrap();
    store.settle(&lease, &Outcome::Done(TaskResult::default())).await.unwrap();
    assert_eq!(store.steps(task.id, 0, 10).await.unwrap().len(), 1);
    let old: TaskId = "019b8c00-0000-7000-8000-0000000000c1".parse().unwrap();
    let old = store.task(old).await.unwrap();
    assert_eq!((old.title.as_str(), old.usage.input_tokens), ("waits", 5));
}

#[tokio::test]
async fn the_dump_of_the_head_is_of_these_migrations_and_has_rows_of_every_table() {
    let (_database, pool) = load(&dumps()["head"]).await;
    let ran: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations ORDER BY version")
            .fetch_all(&pool)
            .await
            .unwrap();
    let known: Vec<(i64, Vec<u8>)> =
        MIGRATOR.iter().map(|migration| (migration.version, migration.checksum.to_vec())).collect();
    assert!(ran == known, "after a change of migrations: make schema-dump");
    let rows = rows(&pool).await;
    let empty: BTreeSet<&String> =
        rows.iter().filter(|(_, rows)| rows.is_empty()).map(|(table, _)| table).collect();
    assert!(empty.is_empty(), "give migrations/released/rows a file with rows of {empty:?}");
}
