//! What can go wrong at this door.

use std::time::Duration;

/// An error of the queue. Nothing here means that a task is lost: tickets are hints.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address was refused before anything was connected.
    #[error("the Redis URL is not usable: write redis://host:port/db or redis+unix:///path/to/socket")]
    Url(#[source] redis::RedisError),
    /// The prefix would make keys that collide or cannot be told apart.
    #[error("the Redis prefix {0:?} is not usable: use letters, digits, '-', '_', '.' and ':'")]
    Prefix(String),
    /// The worker's name would make keys that cannot be told apart.
    #[error("the worker name {0:?} is not usable: use 1 to 100 letters, digits, '-', '_' and '.'")]
    WorkerName(String),
    /// Redis answered with an error or the connection broke. Try again; the next call reconnects.
    #[error("Redis refused or dropped the request; it is tried again on the next call")]
    Redis(#[from] redis::RedisError),
    /// Redis did not answer in time.
    #[error("Redis did not answer within {} ms; check that it runs and is not overloaded", .0.as_millis())]
    Timeout(Duration),
}
