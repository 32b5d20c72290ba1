//! Checkpoints: their course, and rows of every table on their way out and back in.

use std::{borrow::Cow, collections::BTreeSet};

use chrono::{TimeZone, Utc};
use futures::StreamExt;
use hive_local::testing::TestDatabase;
use hive_store::{
    Attempt, Error, KeptAnswer, MIGRATOR, Store,
    checkpoints::{Checkpoint, ExportedTable, FinishedCheckpoint, LEFT_OUT, SequenceMark},
};
use serde_json::json;
use sqlx::{PgPool, migrate::Migrator};
use uuid::Uuid;

use crate::{
    bed::{Bed, connect},
    catalog::catalog,
    released::{dumps, load, rows},
    schema::empty,
};

async fn request(store: &Store) -> Result<Checkpoint, Error> {
    let Attempt::First(mut once) = store.attempt(None).await? else { panic!("it has no key") };
    let checkpoint = once.request_checkpoint("a person").await?;
    once.finish(&KeptAnswer { status: 202, location: None, body: String::new() }).await?;
    Ok(checkpoint)
}

fn done() -> FinishedCheckpoint {
    FinishedCheckpoint {
        finished_at: Utc.with_ymd_and_hms(2026, 1, 8, 2, 0, 0).unwrap(),
        directory: "here".to_owned(),
        manifest_sha256: "0123456789abcdef".repeat(4),
        bytes: 1,
        state: json!({}),
    }
}

fn refusal<T: std::fmt::Debug>(outcome: Result<T, Error>) -> String {
    match outcome {
        Err(error @ (Error::Conflict { .. } | Error::Schema(_))) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn of_many_who_ask_one_is_heard_and_only_who_holds_it_ends_it() {
    let bed = Bed::make().await;
    let asked = futures::future::join_all((0..8).map(|_| request(&bed.store))).await;
    let (heard, refused): (Vec<_>, Vec<_>) = asked.into_iter().partition(Result::is_ok);
    assert_eq!((heard.len(), refused.len()), (1, 7));
    let id = heard.into_iter().next().unwrap().unwrap().id;
    assert!(refusal(request(&bed.store).await).contains(&id.to_string()));
    let takers = ["one", "other"].map(|worker| bed.store.take_checkpoint(worker));
    let taken: Vec<_> = futures::future::join_all(takers).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(taken.iter().flatten().collect::<Vec<_>>(), [&id]);
    let [holder, other] = if taken[0].is_some() { ["one", "other"] } else { ["other", "one"] };
    assert!(!bed.store.renew_checkpoint(id, other).await.unwrap());
    assert!(!bed.store.finish_checkpoint(id, other, &done()).await.unwrap());
    bed.store.fail_checkpoint(id, other, "not mine").await.unwrap();
    assert!(bed.store.renew_checkpoint(id, holder).await.unwrap());
    assert!(bed.store.finish_checkpoint(id, holder, &done()).await.unwrap());
    let shown = bed.store.checkpoint(id).await.unwrap();
    assert_eq!((shown.status.as_str(), shown.directory.as_deref()), ("done", Some("here")));
    assert!(!bed.store.finish_checkpoint(id, holder, &done()).await.unwrap(), "once");
    request(&bed.store).await.unwrap();
}

#[tokio::test]
async fn what_nobody_makes_fails_with_a_reason_and_makes_room() {
    let bed = Bed::make().await;
    let waiting = request(&bed.store).await.unwrap().id;
    assert_eq!(bed.store.fail_lost_checkpoints().await.unwrap(), 0);
    bed.execute("UPDATE system_checkpoints SET created_at = now() - interval '61 s'").await;
    // The next request need not wait for anybody to look.
    let running = request(&bed.store).await.unwrap().id;
    let shown = bed.store.checkpoint(waiting).await.unwrap();
    assert!(shown.error.unwrap().contains("HIVE_CHECKPOINTS"));
    assert_eq!(bed.store.take_checkpoint("w").await.unwrap(), Some(running));
    bed.execute(
        "UPDATE system_checkpoints SET lease_until = now() - interval '1 s' WHERE status = 'running'",
    )
    .await;
    assert_eq!(bed.store.fail_lost_checkpoints().await.unwrap(), 1);
    assert!(bed.store.checkpoint(running).await.unwrap().error.unwrap().contains("silent"));
    assert!(!bed.store.finish_checkpoint(running, "w", &done()).await.unwrap(), "too late");
}

/// Rows of a moment, as they go into files.
struct Moment {
    migrations: Vec<i64>,
    tables: Vec<(ExportedTable, Vec<u8>)>,
    sequences: Vec<SequenceMark>,
}

async fn export(store: &Store) -> Moment {
    let mut snapshot = store.snapshot().await.unwrap();
    let migrations = snapshot.mark().migrations.clone();
    let mut tables = Vec::new();
    for table in snapshot.tables().to_vec() {
        let mut bytes = Vec::new();
        let mut parts = snapshot.rows(&table).await.unwrap();
        while let Some(part) = parts.next().await {
            bytes.extend_from_slice(&part.unwrap());
        }
        drop(parts);
        tables.push((table, bytes));
    }
    let sequences = snapshot.sequences().await.unwrap();
    snapshot.close().await.unwrap();
    Moment { migrations, tables, sequences }
}

async fn import(store: &Store, moment: &Moment) {
    let mut landing = store.landing().await.unwrap();
    landing.demand_empty(&[]).await.unwrap();
    landing.migrate_to(&moment.migrations).await.unwrap();
    let tables: Vec<ExportedTable> = moment.tables.iter().map(|(table, _)| table.clone()).collect();
    landing.begin(&tables, &[]).await.unwrap();
    let (weeks, others): (Vec<_>, Vec<_>) =
        moment.tables.iter().partition(|(table, _)| table.name == "journal_weeks");
    for (n, (table, bytes)) in weeks.into_iter().chain(others).enumerate() {
        let mut rows = landing.load(table).await.unwrap();
        // Cut where it likes.
        for part in bytes.chunks(777) {
            rows.send(part).await.unwrap();
        }
        rows.finish().await.unwrap();
        if n == 0 {
            landing.make_weeks().await.unwrap();
        }
    }
    landing.commit(&moment.sequences, Uuid::nil(), &done()).await.unwrap();
}

/// What a checkpoint has, as lines that can be compared.
async fn kept(pool: &PgPool) -> BTreeSet<String> {
    let mut all = rows(pool).await;
    all.remove("_sqlx_migrations");
    for (table, _) in LEFT_OUT {
        assert!(all.remove(table).is_some(), "{table} is a table");
    }
    let lines = all.into_iter().flat_map(|(table, rows)| {
        rows.into_iter().map(move |row| format!("{table} {}", serde_json::Value::Object(row)))
    });
    lines.collect()
}

async fn empty_store() -> (Store, PgPool, TestDatabase) {
    let (database, pool) = empty().await;
    (connect(&database), pool, database)
}

#[tokio::test]
async fn rows_of_every_table_come_back_as_they_were_and_so_does_all_that_guards_them() {
    let (original, pool) = load(&dumps()["head"]).await;
    // A number that was given and whose row is gone, and text with all that COPY writes differently.
    sqlx::raw_sql(
        "SELECT setval('provider_events_id_seq', 4711);
         UPDATE sessions SET name = E'a\\tb\\n\\\\N \\\\. \\u00e9\\r\"' WHERE id = (SELECT min(id::text)::uuid FROM sessions)",
    )
    .execute(&pool)
    .await
    .unwrap();
    let moment = export(&connect(&original)).await;
    let (store, copy, database) = empty_store().await;
    import(&store, &moment).await;
    let (before, after) = (kept(&pool).await, kept(&copy).await);
    let lost: Vec<_> = before.difference(&after).collect();
    let invented: Vec<_> = after.difference(&before).collect();
    assert!(lost.is_empty() && invented.is_empty(), "lost {lost:#?}, invented {invented:#?}");
    let (before, after) = (catalog(&pool).await, catalog(&copy).await);
    assert_eq!(before.symmetric_difference(&after).collect::<Vec<_>>(), Vec::<&String>::new());
    let next: i64 =
        sqlx::query_scalar("SELECT nextval('provider_events_id_seq')").fetch_one(&copy).await.unwrap();
    assert_eq!(next, 4712);
    let placed = "SELECT count(*) FROM (SELECT tableoid::regclass::text, task_id, seq FROM steps) s";
    let places: [i64; 2] = [
        sqlx::query_scalar(placed).fetch_one(&pool).await.unwrap(),
        sqlx::query_scalar(placed).fetch_one(&copy).await.unwrap(),
    ];
    assert_eq!(places[0], places[1]);
    let weeks = "SELECT DISTINCT tableoid::regclass::text FROM steps ORDER BY 1";
    let of =
        |pool: PgPool| async move { sqlx::query_scalar::<_, String>(weeks).fetch_all(&pool).await.unwrap() };
    assert_eq!(of(pool.clone()).await, of(copy.clone()).await, "each step lies in its week");
    store.check_schema().await.unwrap();

    // It is not empty any more, and says what is there.
    let mut landing = connect(&database).landing().await.unwrap();
    assert!(refusal(landing.demand_empty(&[]).await).contains("table"));
}

#[tokio::test]
async fn an_older_schema_is_made_first_and_migrated_on_and_a_newer_one_is_refused() {
    // A version that lacks one migration of ours, on which no later one builds.
    let lacking = 88;
    let (original, pool) = empty().await;
    let older = MIGRATOR.iter().filter(|migration| migration.version != lacking).cloned();
    let older = Migrator { migrations: Cow::Owned(older.collect()), ..Migrator::DEFAULT };
    older.run(&pool).await.unwrap();
    sqlx::query("INSERT INTO projects (id, name) VALUES ($1, 'of long ago')")
        .bind(Uuid::from_u128(7))
        .execute(&pool)
        .await
        .unwrap();
    let mut moment = export(&connect(&original)).await;
    assert!(!moment.migrations.contains(&lacking));
    let (store, copy, _database) = empty_store().await;
    import(&store, &moment).await;
    assert!(store.check_schema().await.is_err(), "it is as old as it was");
    store.migrate().await.unwrap();
    store.check_schema().await.unwrap();
    let names: Vec<String> =
        sqlx::query_scalar("SELECT name FROM projects ORDER BY 1").fetch_all(&copy).await.unwrap();
    assert_eq!(names, ["default", "of long ago"]);

    // A database that is further than the checkpoint has no way back.
    let bed = Bed::make().await;
    let mut landing = bed.store.landing().await.unwrap();
    let said = refusal(landing.migrate_to(&moment.migrations).await);
    assert!(said.contains(&lacking.to_string()) && said.contains("without tables"), "{said}");
    drop(landing);
    moment.migrations.push(9_999);
    let (store, copy, _database) = empty_store().await;
    let said = refusal(store.landing().await.unwrap().migrate_to(&moment.migrations).await);
    let ours = MIGRATOR.iter().map(|migration| migration.version).max().unwrap();
    assert!(said.contains("9999") && said.contains(&ours.to_string()), "{said}");
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        .fetch_one(&copy)
        .await
        .unwrap();
    assert_eq!(tables, 0);
}
