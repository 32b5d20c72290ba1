//! Writing over what must not be read any more: the one change that is made to text in place.

use std::ops::Range;

use hive_domain::ContextId;
use uuid::Uuid;

use super::{Context, change, copies::blot_out, missing, put, told, vectors};
use crate::{
    error::{Error, Result},
    once::Once,
    pool::Store,
};

/// What stands in the place of what was written over.
pub(crate) const REDACTED: &str = "[redacted]";

impl Store {
    /// See [`Once::redact_context`].
    ///
    /// # Errors
    /// As there.
    pub async fn redact_context(&self, id: ContextId, texts: &[String]) -> Result<Context> {
        let mut once = self.alone().await?;
        let context = once.redact_context(id, texts).await?;
        once.commit().await?;
        Ok(context)
    }
}

impl Once {
    /// Writes over each of `texts` wherever it stands: in the entry, in what it replaced and what replaced it, in all that
    /// was drawn from them and that they were drawn from, and in what a night retired for them. Vectors of what stood
    /// there go, and what nights and kept answers say of them is written over, as is what agents were told of them by
    /// briefings and in tasks that are over. Returns the entry.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] `context_locked`; [`Error::Invalid`] when none of the texts stands there.
    pub async fn redact_context(&mut self, id: ContextId, texts: &[String]) -> Result<Context> {
        let connection = self.connection()?;
        let mut rows = said(connection, id, texts).await?;
        // A night may have drawn on them, and have been published, while their locks were waited for. From now on nobody
        // draws on them.
        loop {
            let now = said(connection, id, texts).await?;
            if now.len() == rows.len() {
                break;
            }
            rows = now;
        }
        if rows.is_empty() {
            return Err(missing(id));
        }
        let touched: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let words = told::words_of(connection, &touched).await?;
        let mut met = false;
        for row in rows {
            let (title, content) = (over(&row.title, texts), over(&row.content, texts));
            if title == row.title && content == row.content {
                continue;
            }
            if row.locked {
                return Err(change::locked());
            }
            met = true;
            write_over(connection, row.id, &title, &content).await?;
        }
        if !met {
            let message = "none of them stands in the entry or what belongs to it".to_owned();
            return Err(Error::Invalid { field: "/texts", message });
        }
        let ids: Vec<Uuid> = touched.into_iter().chain([id.uuid()]).collect();
        blot_out(connection, &ids).await?;
        told::blot_out_told(connection, &words).await?;
        put::read(connection, id).await
    }
}

/// A row that holds one of the texts, or is the one that was named.
struct Said {
    id: Uuid,
    title: String,
    content: String,
    locked: bool,
}

/// The rows to be written over, each with its lock.
async fn said(connection: &mut sqlx::PgConnection, id: ContextId, texts: &[String]) -> Result<Vec<Said>> {
    let rows = sqlx::query_as!(
        Said,
        "WITH RECURSIVE said AS (
             SELECT id FROM contexts WHERE lineage = (SELECT lineage FROM contexts WHERE id = $1)
             UNION
             SELECT other.id FROM said CROSS JOIN LATERAL (
                 SELECT context_id FROM context_sources WHERE source_id = said.id
                 UNION ALL SELECT source_id FROM context_sources WHERE context_id = said.id
                 UNION ALL SELECT unnest(retired) FROM sleep_changes WHERE born = said.id AND kind = 'merged'
                 UNION ALL SELECT unnest(retired || sources) FROM sleep_changes
                           WHERE (sources @> ARRAY[said.id] OR retired @> ARRAY[said.id]) AND born IS NULL
                             AND kind = 'merged') AS near (id)
             -- Each by itself: how many there are is not to be guessed, and a guess of many would read all entries.
             CROSS JOIN LATERAL (
                 SELECT o.id FROM contexts o
                 WHERE o.lineage = (SELECT d.lineage FROM contexts d WHERE d.id = near.id) OFFSET 0) AS other
         )
         SELECT id, title, content, locked FROM contexts
         WHERE id IN (SELECT id FROM said)
           AND (id = $1 OR EXISTS (SELECT FROM unnest($2::text[]) AS t (part)
                                   WHERE strpos(title, t.part) > 0 OR strpos(content, t.part) > 0))
         ORDER BY id FOR NO KEY UPDATE",
        id.uuid(),
        texts,
    )
    .fetch_all(&mut *connection)
    .await?;
    Ok(rows)
}

/// `text` with a mark for each stretch of letters that belong to one of `parts`. All are looked for before one is written
/// over: else what is left of a longer part, or of one that shares letters with another, would stand there unknown.
fn over(text: &str, parts: &[String]) -> String {
    let mut stretches: Vec<Range<usize>> = parts.iter().flat_map(|part| places(text, part)).collect();
    stretches.sort_unstable_by_key(|stretch| (stretch.start, stretch.end));
    stretches.dedup_by(|later, earlier| {
        let shares = later.start < earlier.end;
        if shares {
            earlier.end = earlier.end.max(later.end);
        }
        shares
    });
    let (mut written, mut from) = (String::with_capacity(text.len()), 0);
    for stretch in stretches {
        written += &text[from..stretch.start];
        written += REDACTED;
        from = stretch.end;
    }
    written + &text[from..]
}

/// Where `part` stands in `text`, also within itself.
fn places(text: &str, part: &str) -> impl Iterator<Item = Range<usize>> {
    let step = part.chars().next().map_or(0, char::len_utf8);
    let mut from = 0;
    std::iter::from_fn(move || {
        let at = from + text.get(from..).filter(|_| step > 0)?.find(part)?;
        from = at + step;
        Some(at..at + part.len())
    })
}

async fn write_over(connection: &mut sqlx::PgConnection, id: Uuid, title: &str, content: &str) -> Result<()> {
    // The mark that stands there is longer than what it covers, and the column has its bounds.
    let title: String = title.chars().take(255).collect();
    let end = (0..=content.len().min(32_768)).rev().find(|at| content.is_char_boundary(*at)).unwrap_or(0);
    sqlx::query!(
        "WITH gone AS (DELETE FROM context_vectors WHERE context_id = $1)
         UPDATE contexts SET title = $2, content = $3, redacted_at = clock_timestamp(), version = version + 1,
                             changed_tx = pg_current_xact_id()
         WHERE id = $1",
        id,
        title,
        &content[..end],
    )
    .execute(&mut *connection)
    .await?;
    vectors::attach(connection, id.into(), None).await
}
