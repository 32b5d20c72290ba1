//! What agents were told of entries: the pieces of them in journals of tasks that are over, and lines of briefings. A task
//! that goes on keeps what its next request must repeat to the byte.

use hive_domain::{
    journal::{Briefing, Entry},
    morning,
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::redact::REDACTED;
use crate::error::{Error, Result};

/// Journal entries, and briefings, that are read at once.
const PORTION: i64 = 100;

/// What an entry said before it goes, or is written over.
pub(super) struct Words {
    pub id: Uuid,
    pub title: String,
    pub content: String,
}

/// Reads what these entries say.
pub(super) async fn words_of(connection: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Words>> {
    let words = sqlx::query_as!(Words, "SELECT id, title, content FROM contexts WHERE id = ANY($1)", ids);
    Ok(words.fetch_all(connection).await?)
}

/// Writes over what was told of entries that said this.
pub(super) async fn blot_out_told(connection: &mut PgConnection, entries: &[Words]) -> Result<()> {
    let ids: Vec<Uuid> = entries.iter().map(|entry| entry.id).collect();
    journals(connection, &ids).await?;
    let lines = entries.iter().map(|entry| match entry.title.is_empty() {
        true => morning::line(&entry.content),
        false => morning::line(&entry.title),
    });
    briefings(connection, &lines.filter(|line| !line.is_empty()).collect::<Vec<_>>()).await
}

async fn journals(connection: &mut PgConnection, ids: &[Uuid]) -> Result<()> {
    let (mut task, mut seq) = (Uuid::nil(), 0);
    loop {
        let rows = sqlx::query!(
            r#"SELECT s.task_id, s.seq, s.kind::text AS "kind!", s.body::text AS "body!"
               FROM (SELECT DISTINCT task_id FROM context_receipts WHERE context_id = ANY($1)) AS r
               JOIN tasks t ON t.id = r.task_id AND t.status IN ('succeeded', 'failed', 'cancelled', 'dead')
               JOIN steps s ON s.task_id = t.id AND s.kind IN ('recalled', 'tool_results')
               WHERE (s.task_id, s.seq) > ($2, $3) ORDER BY s.task_id, s.seq LIMIT $4"#,
            ids,
            task,
            seq,
            PORTION,
        );
        let rows = rows.fetch_all(&mut *connection).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        (task, seq) = (last.task_id, last.seq);
        for row in rows {
            let bad = |e| Error::inconsistent("steps", "body", format!("{}/{}", row.task_id, row.seq), e);
            let mut entry = Entry::from_stored(&row.kind, &row.body).map_err(bad)?;
            if without_pieces(&mut entry, ids) {
                write_step(connection, row.task_id, row.seq, &entry).await?;
            }
        }
    }
}

/// Whether something of these entries stood there.
fn without_pieces(entry: &mut Entry, ids: &[Uuid]) -> bool {
    let texts: Vec<&mut String> = match entry {
        Entry::Recalled(recalled) => vec![&mut recalled.text],
        Entry::ToolResults(results) => {
            let recalls = results.results.iter_mut().filter(|result| result.recalled.is_some());
            recalls.map(|result| &mut result.content).collect()
        }
        _ => Vec::new(),
    };
    let mut met = false;
    for text in texts {
        for id in ids {
            if let Some(without) = without_piece(text, *id) {
                (*text, met) = (without, true);
            }
        }
    }
    met
}

/// A piece begins with a mark that names the entry and holds no other `>`, and ends where it is closed, or where the text
/// was cut.
fn without_piece(text: &str, id: Uuid) -> Option<String> {
    let (before, piece) = text.split_once(&format!("<recalled id=\"{id}\""))?;
    let (mark, said) = piece.split_once('>')?;
    let end = said.find("</recalled>").unwrap_or(said.len());
    Some(format!("{before}<recalled id=\"{id}\"{mark}>{REDACTED}{}", &said[end..]))
}

async fn briefings(connection: &mut PgConnection, lines: &[String]) -> Result<()> {
    let mut after = Uuid::nil();
    while !lines.is_empty() {
        let rows = sqlx::query!(
            r#"SELECT s.id, s.briefing AS "briefing!", s.briefed_task, s.briefed_step
               FROM sleeps s LEFT JOIN tasks t ON t.id = s.briefed_task
               WHERE s.id > $2 AND s.briefing IS NOT NULL
                 AND (t.id IS NULL OR t.status IN ('succeeded', 'failed', 'cancelled', 'dead'))
                 AND EXISTS (SELECT FROM unnest($1::text[]) AS l (line) WHERE strpos(s.briefing ->> 'text', l.line) > 0)
               ORDER BY s.id LIMIT $3"#,
            lines,
            after,
            PORTION,
        );
        let rows = rows.fetch_all(&mut *connection).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.id;
        for row in rows {
            let bad = |e| Error::inconsistent("sleeps", "briefing", row.id, e);
            let told: Briefing = serde_json::from_value(row.briefing).map_err(bad)?;
            let told = Briefing { text: without_lines(&told.text, lines), ..told };
            let briefing = serde_json::to_value(&told).map_err(bad)?;
            // Not one that a run told meanwhile: its journal holds it as it was.
            sqlx::query!(
                "UPDATE sleeps SET briefing = $2 WHERE id = $1 AND briefed_task IS NOT DISTINCT FROM $3",
                row.id,
                briefing,
                row.briefed_task,
            )
            .execute(&mut *connection)
            .await?;
            if let (Some(task), Some(seq)) = (row.briefed_task, row.briefed_step) {
                write_step(connection, task, seq, &Entry::Briefing(told)).await?;
            }
        }
    }
    Ok(())
}

/// Only what a line quotes is written over, and only when it quotes one of these whole.
fn without_lines(text: &str, lines: &[String]) -> String {
    let written = text.split('\n').map(|told| {
        let quoted = told.split_once(") ").filter(|_| told.starts_with("> "));
        match quoted.filter(|(_, said)| lines.iter().any(|line| line == said)) {
            Some((before, _)) => format!("{before}) {REDACTED}"),
            None => told.to_owned(),
        }
    });
    written.collect::<Vec<_>>().join("\n")
}

async fn write_step(connection: &mut PgConnection, task: Uuid, seq: i32, entry: &Entry) -> Result<()> {
    let body = entry.body().map_err(|e| Error::inconsistent("steps", "body", format!("{task}/{seq}"), e))?;
    sqlx::query!(
        "UPDATE steps SET body = $3::text::json WHERE task_id = $1 AND seq = $2 AND kind = $4::text::step_kind",
        task,
        seq,
        body,
        entry.kind(),
    )
    .execute(connection)
    .await?;
    Ok(())
}
