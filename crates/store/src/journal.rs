//! Reading the journal.

use chrono::{DateTime, Utc};
use hive_domain::{
    TaskId,
    journal::{Entry, ToolResult},
};
use serde_json::json;

use crate::{
    append::NewStep,
    error::{Error, Result},
    pool::Store,
};

/// A stored step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its number in the task, from 1 without gaps.
    pub seq: i32,
    /// The run that wrote it.
    pub epoch: i64,
    /// Its content.
    pub entry: Entry,
    /// The workspace after it, when it changed.
    pub commit: Option<String>,
    /// The sandbox level its commands ran under.
    pub sandbox: Option<String>,
    /// When it was committed.
    pub at: DateTime<Utc>,
}

struct Row {
    seq: i32,
    epoch: i64,
    kind: String,
    body: String,
    commit_hash: Option<String>,
    sandbox: Option<String>,
    created_at: DateTime<Utc>,
}

impl Store {
    /// Steps of `task` after number `after`, in order, at most `limit`.
    ///
    /// # Errors
    /// When Postgres refuses, or a stored step cannot be read.
    pub async fn steps(&self, task: TaskId, after: i32, limit: i64) -> Result<Vec<Step>> {
        let rows = sqlx::query_as!(
            Row,
            r#"SELECT seq, epoch, kind::text AS "kind!", body::text AS "body!", commit_hash, sandbox, created_at
               FROM steps WHERE task_id = $1 AND seq > $2 ORDER BY seq LIMIT $3"#,
            task.uuid(),
            after,
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        let step = |row: Row| {
            let entry = Entry::from_stored(&row.kind, &row.body)
                .map_err(|e| Error::inconsistent("steps", "body", format!("{task}/{}", row.seq), e))?;
            let Row { seq, epoch, commit_hash: commit, sandbox, created_at: at, .. } = row;
            Ok(Step { seq, epoch, entry, commit, sandbox, at })
        };
        rows.into_iter().map(step).collect()
    }
}

/// What a watcher needs to show a step without reading it.
pub(crate) fn outline(seq: i32, step: &NewStep<'_>) -> serde_json::Value {
    let mut data = json!({ "seq": seq, "kind": step.entry.kind() });
    let more = match step.entry {
        Entry::Reply(reply) => {
            let calls: Vec<String> = reply.calls().into_iter().map(|call| call.name).collect();
            let text: String = reply.text().chars().take(200).collect();
            json!({ "tools": calls, "text": text, "usage": reply.usage })
        }
        Entry::ToolResults(results) => {
            let results = results.results.iter();
            let short =
                |text: &str| text.lines().next().unwrap_or_default().chars().take(120).collect::<String>();
            // Words of the memory stand in the journal alone, where a deletion finds them.
            let text = |r: &ToolResult| match &r.recalled {
                Some(receipt) => format!("{} entries", receipt.included.len()),
                None => short(&r.content),
            };
            let shown = results.map(|r| json!({ "tool": r.tool, "is_error": r.is_error, "text": text(r) }));
            json!({ "results": shown.collect::<Vec<_>>(), "commit": step.commit })
        }
        Entry::Note(note) => json!({ "cause": note.cause }),
        Entry::Message(message) => json!({ "message": message.number }),
        Entry::AgentMessage(message) => {
            json!({ "message_id": message.id, "conversation_id": message.conversation,
                                               "from": message.from_name, "message_kind": message.kind })
        }
        Entry::Briefing(briefing) => json!({ "sleep_id": briefing.sleep }),
        Entry::Intent(intent) => json!({ "tool": intent.tool }),
        Entry::Outcome(outcome) => json!({ "tool": outcome.tool, "took_place": outcome.took_place,
                                           "decided_by": outcome.decided_by }),
        Entry::Rollback(rollback) => json!({ "from": rollback.from, "commit": step.commit }),
        Entry::Compacted(compacted) => json!({ "segment": compacted.segment, "trigger": compacted.trigger,
            "tokens_before": compacted.tokens_before, "tokens_after": compacted.tokens_after,
            "usage": compacted.usage }),
        Entry::Recalled(recalled) => json!({ "tokens": recalled.receipt.tokens,
            "included": recalled.receipt.included.len(), "left_out": recalled.receipt.left_out.len() }),
        Entry::Checks(checks) => {
            let shown = checks.results.iter().map(|c| json!({ "name": c.name, "passed": c.passed }));
            json!({ "passed": checks.passed, "checks": shown.collect::<Vec<_>>() })
        }
    };
    if let (Some(data), serde_json::Value::Object(more)) = (data.as_object_mut(), more) {
        data.extend(more);
    }
    data
}
