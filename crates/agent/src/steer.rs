//! What people write to a run at work: read at its edges, and heard in the middle of a call when it wants to interrupt.

use std::time::Duration;

use fail::fail_point;
use hive_domain::{TaskId, journal::Entry};
use hive_store::{Reading, Undo};
use tokio::time::{Instant, sleep};

use crate::{
    persist::{STORE_PATIENCE, pause_or_stop},
    run::{Activation, Agent, Control, Stopped},
};

/// How often a long call looks for an interruption by itself, should the nudge be lost.
const LOOK_EVERY: Duration = Duration::from_secs(3);

impl Activation<'_> {
    /// Puts what was written into the journal, and undoes the last turn before when that was wished for. `true`: there
    /// was something.
    pub(crate) async fn read_messages(&mut self) -> Result<bool, Stopped> {
        let deadline = Instant::now() + STORE_PATIENCE;
        let mut undo = Undo::Unprepared;
        let read = loop {
            match self.agent.store.read_messages(self.lease, &undo).await {
                Ok(Reading::Read(read)) => break read,
                Ok(Reading::WantsUndo) => undo = self.undo_turn().await?,
                Err(error) => pause_or_stop(error, deadline).await?,
            }
        };
        let was_read = !read.is_empty();
        for entry in read {
            metrics::counter!("hive_steps_total", "kind" => entry.kind()).increment(1);
            self.transcript.push(entry);
        }
        self.unread = Some(false);
        if was_read {
            self.nudge().await;
        }
        Ok(was_read)
    }

    /// Puts the files back to where they were before the last reply, here and at the hub. The journal is written next: a
    /// run that dies before leaves the message unread, and the next one does the same again.
    async fn undo_turn(&mut self) -> Result<Undo, Stopped> {
        let Some(rollback) = self.transcript.undo() else { return Ok(Undo::Nothing) };
        let task = self.lease.task();
        let before = self.persist(|| self.agent.store.commit_before(task, rollback.from)).await?;
        let commit = match &mut self.files {
            Some(files) => files.restore(self.lease, before.as_deref()).await?,
            None => None,
        };
        fail_point!("rollback::restored", |_| std::process::abort());
        if commit.is_some() {
            self.publish().await?;
        }
        fail_point!("rollback::pushed", |_| std::process::abort());
        Ok(Undo::Turn { entry: Box::new(Entry::Rollback(rollback)), commit })
    }

    /// The same where most runs find nothing: what the last step saw is asked first, or the task's row. What comes later
    /// is seen when the run is settled.
    pub(crate) async fn read_unread(&mut self) -> Result<bool, Stopped> {
        let unread = match self.unread {
            Some(unread) => unread,
            None => self.persist(|| self.agent.store.has_unread(self.lease)).await?,
        };
        Ok(unread && self.read_messages().await?)
    }
}

/// Comes back when a message that wants to interrupt lies unread. A nudge alone is only a reason to look.
pub(crate) async fn interrupted(agent: &Agent, control: &Control, task: TaskId) {
    loop {
        tokio::select! {
            () = control.interrupt.notified() => {}
            () = sleep(LOOK_EVERY) => {}
        }
        match agent.store.is_interrupted(task).await {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => tracing::debug!("whether a person interrupts is looked at again: {error}"),
        }
    }
}
