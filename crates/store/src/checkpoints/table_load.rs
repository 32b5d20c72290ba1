use std::fmt;

use sqlx::{PgConnection, postgres::PgCopyIn};

use crate::error::Result;

/// A table that is being filled.
pub struct TableLoad<'a>(PgCopyIn<&'a mut PgConnection>);

impl fmt::Debug for TableLoad<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("TableLoad")
    }
}

impl<'a> TableLoad<'a> {
    pub(super) const fn new(rows: PgCopyIn<&'a mut PgConnection>) -> Self {
        Self(rows)
    }

    /// Sends a part of what [`super::Snapshot::rows`] gave, cut anywhere.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn send(&mut self, part: &[u8]) -> Result<()> {
        self.0.send(part).await?;
        Ok(())
    }

    /// Ends it; how many rows came in.
    ///
    /// # Errors
    /// When a row is refused.
    pub async fn finish(self) -> Result<u64> {
        Ok(self.0.finish().await?)
    }
}
