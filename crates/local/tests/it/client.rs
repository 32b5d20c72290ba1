//! A few words with Postgres and Redis.

use redis::AsyncCommands;
use sqlx::{Connection, PgConnection};

/// Commits a row.
pub async fn add_note(database: &str, note: &str) {
    let mut connection = PgConnection::connect(database).await.unwrap();
    sqlx::query("CREATE TABLE IF NOT EXISTS notes (note text)").execute(&mut connection).await.unwrap();
    sqlx::query("INSERT INTO notes VALUES ($1)").bind(note).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// All rows that were committed.
pub async fn notes(database: &str) -> Vec<String> {
    let mut connection = PgConnection::connect(database).await.unwrap();
    sqlx::query_scalar("SELECT note FROM notes ORDER BY note").fetch_all(&mut connection).await.unwrap()
}

pub async fn set(url: &str, key: &str, value: &str) {
    let mut connection = connect(url).await.unwrap();
    connection.set::<_, _, ()>(key, value).await.unwrap();
}

pub async fn get(url: &str, key: &str) -> Option<String> {
    try_get(url, key).await.unwrap()
}

pub async fn try_get(url: &str, key: &str) -> redis::RedisResult<Option<String>> {
    connect(url).await?.get(key).await
}

async fn connect(url: &str) -> redis::RedisResult<redis::aio::MultiplexedConnection> {
    redis::Client::open(url)?.get_multiplexed_async_connection().await
}

/// The same URL of Postgres with another password.
pub fn with_password(database: &str, password: &str) -> String {
    let mut url = url::Url::parse(database).unwrap();
    url.set_password(Some(password)).unwrap();
    url.into()
}
