//! A run meets what people and other agents wrote: it is put into its journal, once.

use hive_domain::{
    Lease, MessageKind, MessagePolicy, TaskId,
    conversation::MOST_BOUND,
    event::EventKind,
    journal::{AgentMessage, Entry, MAIL_FORMAT, PersonMessage, ROLLBACK_FORMAT},
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    append::NewStep,
    error::{Error, Result},
    journal::outline,
    lease::LEASE_SECONDS,
    meter,
    pool::Store,
};

/// How far the run is with undoing its last turn, should a message that is unread wish for that.
#[derive(Clone, Debug)]
pub enum Undo {
    /// Nothing was done for it: such a message is not read.
    Unprepared,
    /// There is no turn to undo: such a message is read as any other.
    Nothing,
    /// The files are as they were before the turn.
    Turn {
        /// The entry that stands before the messages: a rollback.
        entry: Box<Entry>,
        /// The commit that brought the files back; none when the turn had changed none.
        commit: Option<String>,
    },
}

/// What became of what was unread.
#[derive(Clone, Debug)]
pub enum Reading {
    /// These entries are in the journal; none when nothing was unread.
    Read(Vec<Entry>),
    /// Nothing was read: a message wishes for the last turn to be undone, and nothing is prepared.
    WantsUndo,
}

impl Store {
    /// True when this run holds the task and somebody wrote what is not yet in its journal.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn has_unread<T: Sync>(&self, lease: &Lease<T>) -> Result<bool> {
        let unread = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT 1 FROM tasks WHERE id = $1 AND epoch = $2 AND status = 'running'
                              AND (messages_read < messages_sent OR mail > 0)) AS "unread!""#,
            lease.task().uuid(),
            lease.epoch(),
        );
        Ok(unread.fetch_one(&self.pool).await?)
    }

    /// True when a message that is not yet in the journal wants to interrupt.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn is_interrupted(&self, task: TaskId) -> Result<bool> {
        let interrupted = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT 1 FROM task_messages m JOIN tasks t ON t.id = m.task_id
                              WHERE t.id = $1 AND m.number > t.messages_read
                                AND m.policy IN ('interrupt', 'rollback')) AS "interrupted!""#,
            task.uuid(),
        );
        Ok(interrupted.fetch_one(&self.pool).await?)
    }

    /// The commit that this task's files stood at before its step `seq`; none when its base did.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn commit_before(&self, task: TaskId, seq: i32) -> Result<Option<String>> {
        let commit = sqlx::query_scalar!(
            // What a fork shares lies on another branch, and is its base.
            r#"SELECT commit_hash AS "commit!" FROM steps
               WHERE task_id = $1 AND seq < $2 AND epoch > 0 AND commit_hash IS NOT NULL ORDER BY seq DESC LIMIT 1"#,
            task.uuid(),
            seq,
        );
        Ok(commit.fetch_optional(&self.pool).await?)
    }

    /// Puts every unread message into the journal, one entry each, those of people first, and marks it as read, all or
    /// nothing. A call that is
    /// repeated because its answer was lost gives the same entries. When one of them wishes for that, the entry that
    /// undoes the last turn stands before them.
    ///
    /// # Errors
    /// [`Error::Fenced`] when the lease is lost: nothing was written and the run must stop.
    pub async fn read_messages<T: Send + Sync>(&self, lease: &mut Lease<T>, undo: &Undo) -> Result<Reading> {
        let (task, epoch, first) = (lease.task(), lease.epoch(), lease.next_seq());
        let mut tx = self.pool.begin().await?;
        let row = sqlx::query!(
            "SELECT next_seq, messages_read, mail FROM tasks
             WHERE id = $1 AND epoch = $2 AND status = 'running' FOR NO KEY UPDATE",
            task.uuid(),
            epoch,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Error::Fenced { task, epoch })?;
        if row.next_seq > first {
            // Nobody else writes under this epoch: an earlier try succeeded whose answer was lost.
            tx.rollback().await?;
            let steps = self.steps(task, first - 1, i64::from(row.next_seq - first)).await?;
            return Ok(advanced(lease, steps.into_iter().map(|step| step.entry).collect()));
        }
        let unread = sqlx::query!(
            r#"SELECT number, author, text, policy = $3::text::message_policy AS "undoes!" FROM task_messages
               WHERE task_id = $1 AND number > $2 ORDER BY number"#,
            task.uuid(),
            row.messages_read,
            MessagePolicy::Rollback.as_str(),
        )
        .fetch_all(&mut *tx)
        .await?;
        let mail = if row.mail > 0 { mail_of(&mut tx, task).await? } else { Vec::new() };
        if unread.is_empty() && mail.is_empty() {
            if row.mail > 0 {
                // Nothing is bound to it that it may read: a run that waited for it would wait for ever.
                sqlx::query!("UPDATE tasks SET mail = 0 WHERE id = $1", task.uuid())
                    .execute(&mut *tx)
                    .await?;
                tx.commit().await?;
            }
            return Ok(Reading::Read(Vec::new()));
        }
        let (mut entries, mut undone) = (Vec::new(), None);
        match undo {
            _ if !unread.iter().any(|message| message.undoes) => {}
            Undo::Unprepared => return Ok(Reading::WantsUndo),
            Undo::Nothing => {}
            Undo::Turn { entry, commit } => {
                entries.push(Entry::clone(entry));
                undone = Some(commit);
            }
        }
        entries.extend(unread.into_iter().map(|row| {
            Entry::Message(PersonMessage { number: row.number, author: row.author, text: row.text })
        }));
        let read_at = entries.len();
        let (inboxes, places): (Vec<Uuid>, Vec<i64>) =
            mail.iter().map(|mail| (mail.inbox, mail.place)).unzip();
        entries.extend(mail.into_iter().map(|mail| Entry::AgentMessage(Box::new(mail.message))));
        let (mut seqs, mut kinds, mut bodies, mut commits, mut outlines) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (seq, entry) in (first..).zip(&entries) {
            let body =
                entry.body().map_err(|e| Error::inconsistent("steps", "body", format!("{task}/{seq}"), e))?;
            let commit = matches!(entry, Entry::Rollback(_)).then(|| undone.cloned().flatten()).flatten();
            outlines.push(outline(seq, &NewStep { commit: commit.as_deref(), ..NewStep::plain(entry) }));
            seqs.push(seq);
            kinds.push(entry.kind().to_owned());
            bodies.push(body);
            commits.push(commit);
        }
        let messages = &seqs[usize::from(undone.is_some())..read_at];
        sqlx::query!(
            "WITH step AS (
                 INSERT INTO steps (task_id, seq, epoch, kind, body, commit_hash)
                 SELECT $1, new.seq, $2, new.kind::step_kind, new.body::json, new.commit_hash
                 FROM unnest($3::int[], $9::text[], $4::text[], $10::text[]) AS new (seq, kind, body, commit_hash)
             ), message AS (
                 UPDATE task_messages SET step = new.seq, read_at = now()
                 FROM unnest($11::int[]) WITH ORDINALITY AS new (seq, place)
                 WHERE task_id = $1 AND number = $5::int + new.place
             ), delivery AS (
                 UPDATE message_deliveries d
                 SET state = 'acknowledged', step = new.seq, acknowledged_at = now(), acknowledged_by = 'task'
                 FROM unnest($13::uuid[], $14::bigint[], $15::int[]) AS new (agent_id, place, seq)
                 WHERE d.agent_id = new.agent_id AND d.place = new.place AND d.task_id = $1 AND d.state = 'bound'
             ), task AS (
                 UPDATE tasks
                 SET next_seq = next_seq + cardinality($3), event_seq = event_seq + cardinality($3), attempt = 1, deaths = 0,
                     messages_read = messages_read + cardinality($11), mail = greatest(mail - cardinality($15), 0),
                     journal_format = CASE WHEN cardinality($15) > 0 THEN greatest(journal_format, $16)
                                           WHEN cardinality($11) < cardinality($3) THEN greatest(journal_format, $12)
                                           ELSE journal_format END,
                     lease_until = now() + make_interval(secs => $6), updated_at = now()
                 WHERE id = $1
                 RETURNING event_seq - cardinality($3) AS seen
             )
             INSERT INTO events (task_id, seq, kind, data)
             SELECT $1, seen + new.place, $7, new.data
             FROM task, unnest($8::jsonb[]) WITH ORDINALITY AS new (data, place)",
            task.uuid(),
            epoch,
            &seqs,
            &bodies,
            row.messages_read,
            LEASE_SECONDS,
            EventKind::Step.as_str(),
            &outlines,
            &kinds,
            &commits as &[Option<String>],
            messages,
            ROLLBACK_FORMAT,
            &inboxes,
            &places,
            &seqs[read_at..],
            MAIL_FORMAT,
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        meter::acknowledged("task", inboxes.len());
        Ok(advanced(lease, entries))
    }
}

/// A message of another agent that is bound to a task.
struct Mail {
    inbox: Uuid,
    place: i64,
    message: AgentMessage,
}

/// What is bound to a task whose row the caller holds: it changes under that lock alone.
async fn mail_of(connection: &mut PgConnection, task: TaskId) -> Result<Vec<Mail>> {
    let rows = sqlx::query!(
        r#"SELECT d.agent_id, d.place, m.id, m.thread_id, m.number, m.from_agent_id, m.from_name,
                  m.message_type::text AS "kind!", m.reply_to, m.answer_by, m.content
           FROM message_deliveries d
           JOIN tasks t ON t.id = d.task_id AND t.assigned_agent_id = d.agent_id
           JOIN conversations m ON m.id = d.message_id
           WHERE d.task_id = $1 AND d.state = 'bound' ORDER BY d.place LIMIT $2"#,
        task.uuid(),
        i64::from(MOST_BOUND),
    );
    let mail = |kind: Result<MessageKind, _>, id: Uuid| {
        kind.map_err(|e| Error::inconsistent("conversations", "message_type", id, e))
    };
    let rows = rows.fetch_all(connection).await?.into_iter();
    rows.map(|row| {
        let message = AgentMessage {
            id: row.id.into(),
            conversation: row.thread_id.into(),
            number: row.number,
            from: row.from_agent_id.map(Into::into),
            from_name: row.from_name,
            kind: mail(row.kind.parse(), row.id)?,
            reply_to: row.reply_to.map(Into::into),
            answer_by: row.answer_by,
            text: row.content,
        };
        Ok(Mail { inbox: row.agent_id, place: row.place, message })
    })
    .collect()
}

fn advanced<T>(lease: &mut Lease<T>, entries: Vec<Entry>) -> Reading {
    entries.iter().for_each(|_| lease.advance());
    Reading::Read(entries)
}
