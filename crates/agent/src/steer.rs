//! What people write to a run at work: read at its edges, and heard in the middle of a call when it wants to interrupt.

use std::time::Duration;

use hive_domain::TaskId;
use tokio::time::{Instant, sleep};

use crate::{
    persist::{STORE_PATIENCE, pause_or_stop},
    run::{Activation, Agent, Control, Stopped},
};

/// How often a long call looks for an interruption by itself, should the nudge be lost.
const LOOK_EVERY: Duration = Duration::from_secs(3);

impl Activation<'_> {
    /// Puts what was written into the journal. `true`: there was something.
    pub(crate) async fn read_messages(&mut self) -> Result<bool, Stopped> {
        let deadline = Instant::now() + STORE_PATIENCE;
        let read = loop {
            match self.agent.store.read_messages(self.lease).await {
                Ok(read) => break read,
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
