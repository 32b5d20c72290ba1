//! A connection that statements of one kind keep from one to the next.

use std::time::Duration;

use sqlx::{PgConnection, PgPool, Postgres, pool::PoolConnection};
use tokio::time::Instant;

use crate::error::Result;

/// How long a connection is kept under load, so that the pool sees how old it is.
const LONGEST: Duration = Duration::from_secs(10);

/// A place in a pool, which is taken by the first statement.
#[derive(Debug)]
pub(crate) struct Line {
    pool: PgPool,
    held: Option<(PoolConnection<Postgres>, Instant)>,
}

impl Line {
    pub(crate) const fn new(pool: PgPool) -> Self {
        Self { pool, held: None }
    }

    pub(crate) const fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(crate) const fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// The connection that is held, or one of the pool.
    ///
    /// # Errors
    /// When the pool has none in time.
    pub(crate) async fn connection(&mut self) -> Result<&mut PgConnection> {
        let held = match self.held.take() {
            Some(held) => held,
            None => (self.pool.acquire().await?, Instant::now()),
        };
        Ok(&mut self.held.insert(held).0)
    }

    /// Gives the connection back when others may be waiting for one, or when it was held for long.
    pub(crate) fn spare(&mut self) {
        let others = self.pool.num_idle() > 0 || self.pool.size() < self.pool.options().get_max_connections();
        if self.held.as_ref().is_some_and(|(_, since)| !others || since.elapsed() > LONGEST) {
            self.release();
        }
    }

    /// Gives the connection back.
    pub(crate) fn release(&mut self) {
        self.held = None;
    }
}
