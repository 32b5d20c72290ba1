//! Databases for tests: copies of a migrated template.

use std::borrow::Cow;

use hive_local::testing::TestStores;
use sqlx::{
    PgPool,
    migrate::{Migration, MigrationType, Migrator},
};

use crate::client::{add_note, notes};

fn migrator(statement: &'static str) -> Migrator {
    let migration = Migration::new(1, "first".into(), MigrationType::Simple, Cow::Borrowed(statement), false);
    Migrator { migrations: vec![migration].into(), ..Migrator::DEFAULT }
}

async fn databases_like(pattern: &str) -> Vec<String> {
    let pool = PgPool::connect(TestStores::get().database_url()).await.unwrap();
    let names = "SELECT datname FROM pg_database WHERE datname LIKE $1";
    sqlx::query_scalar(names).bind(pattern).fetch_all(&pool).await.unwrap()
}

#[tokio::test]
async fn each_test_has_a_database_of_its_own_with_the_schema() {
    let stores = TestStores::get();
    let schema = migrator(
        "CREATE EXTENSION vector; CREATE TABLE notes (note text); CREATE TABLE points (at vector(3))",
    );
    let (one, other) = tokio::join!(stores.database(&schema), stores.database(&schema));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_ne!(one.name(), other.name());

    add_note(&one.url, "only here").await;
    assert_eq!(notes(&one.url).await, ["only here"]);
    assert_eq!(notes(&other.url).await, Vec::<String>::new());

    let pool = one.pool().await.unwrap();
    let near = "SELECT '[1,2,3]'::vector <-> '[1,2,5]'::vector";
    assert_eq!(sqlx::query_scalar::<_, f64>(near).fetch_one(&pool).await.unwrap(), 2.0);

    // Dropped with a connection still open, and the other closed in order.
    let (first, second) = (one.name().to_owned(), other.name().to_owned());
    drop(one);
    other.close().await.unwrap();
    assert_eq!(databases_like(&first).await, Vec::<String>::new());
    assert_eq!(databases_like(&second).await, Vec::<String>::new());
}

#[tokio::test]
async fn many_at_once_copy_one_template() {
    let stores = TestStores::get();
    // Each run of this migration leaves another id behind.
    let schema = migrator("CREATE TABLE notes AS SELECT gen_random_uuid()::text AS note");
    let made = futures::future::join_all((0..8).map(|_| stores.database(&schema))).await;
    let mut ids = Vec::new();
    for database in made {
        ids.extend(notes(&database.unwrap().url).await);
    }
    assert_eq!(ids.len(), 8);
    ids.dedup();
    assert_eq!(ids.len(), 1, "the migration ran more than once");
}

#[tokio::test]
async fn a_broken_migration_is_an_error_each_time() {
    let stores = TestStores::get();
    let broken = migrator("CREATE TABLE broken (id no_such_type)");
    for _ in 0..2 {
        let error = stores.database(&broken).await.unwrap_err();
        assert!(error.to_string().contains("no_such_type"), "{error}");
    }
    let again = migrator("CREATE TABLE broken (id int)");
    stores.database(&again).await.unwrap();
}

#[test]
fn prefixes_are_unique() {
    assert_ne!(TestStores::redis_prefix(), TestStores::redis_prefix());
}
