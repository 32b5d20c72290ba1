//! A run meets what people wrote: it is put into its journal, once.

use hive_domain::{
    Lease, MessagePolicy, TaskId,
    event::EventKind,
    journal::{Entry, PersonMessage, ROLLBACK_FORMAT},
};

use crate::{
    append::NewStep,
    error::{Error, Result},
    journal::outline,
    lease::LEASE_SECONDS,
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
    /// True when this run holds the task and a person wrote what is not yet in its journal.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn has_unread<T: Sync>(&self, lease: &Lease<T>) -> Result<bool> {
        let unread = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT 1 FROM tasks WHERE id = $1 AND epoch = $2 AND status = 'running'
                              AND messages_read < messages_sent) AS "unread!""#,
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

    /// Puts every unread message into the journal, one entry each, and marks it as read, all or nothing. A call that is
    /// repeated because its answer was lost gives the same entries. When one of them wishes for that, the entry that
    /// undoes the last turn stands before them.
    ///
    /// # Errors
    /// [`Error::Fenced`] when the lease is lost: nothing was written and the run must stop.
    pub async fn read_messages<T: Send + Sync>(&self, lease: &mut Lease<T>, undo: &Undo) -> Result<Reading> {
        let (task, epoch, first) = (lease.task(), lease.epoch(), lease.next_seq());
        let mut tx = self.pool.begin().await?;
        let row = sqlx::query!(
            "SELECT next_seq, messages_read FROM tasks
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
        if unread.is_empty() {
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
        let messages = &seqs[usize::from(undone.is_some())..];
        sqlx::query!(
            "WITH step AS (
                 INSERT INTO steps (task_id, seq, epoch, kind, body, commit_hash)
                 SELECT $1, new.seq, $2, new.kind::step_kind, new.body::json, new.commit_hash
                 FROM unnest($3::int[], $9::text[], $4::text[], $10::text[]) AS new (seq, kind, body, commit_hash)
             ), message AS (
                 UPDATE task_messages SET step = new.seq, read_at = now()
                 FROM unnest($11::int[]) WITH ORDINALITY AS new (seq, place)
                 WHERE task_id = $1 AND number = $5::int + new.place
             ), task AS (
                 UPDATE tasks
                 SET next_seq = next_seq + cardinality($3), event_seq = event_seq + cardinality($3), attempt = 1, deaths = 0,
                     messages_read = messages_read + cardinality($11),
                     journal_format = CASE WHEN cardinality($11) < cardinality($3) THEN greatest(journal_format, $12)
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
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(advanced(lease, entries))
    }
}

fn advanced<T>(lease: &mut Lease<T>, entries: Vec<Entry>) -> Reading {
    entries.iter().for_each(|_| lease.advance());
    Reading::Read(entries)
}
