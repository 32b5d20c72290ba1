//! Bringing a run to its end: the branch at the hub, the evidence on the task, the disk given back.

use fail::fail_point;
use hive_domain::{ErrorClass, Outcome, journal::TaskResult};

use crate::{
    act::clean,
    excerpt::{Ends, LEAST_TEXT_BYTES, MAX_ENTRY_BYTES},
    files::Files,
    run::{Activation, Stopped},
};

/// The artifact with the whole summary, when the task's row holds only its ends.
const SUMMARY: &str = "summary";

impl Activation<'_> {
    /// Gives the disk back when the run ends without an outcome of its own: the next one, on this host or another, opens
    /// a tree at the journal's last commit.
    pub(crate) async fn leave(mut self) {
        self.give_back().await;
    }

    async fn give_back(&mut self) {
        if let Some(files) = self.files.take()
            && let Err(error) = files.remove().await
        {
            tracing::warn!("a workspace could not be removed: {error}");
        }
    }

    /// Adds branch, diff and checks to an end, and makes it fit the task's row; other outcomes pass.
    pub(crate) async fn close(mut self, outcome: Outcome) -> Result<Outcome, Stopped> {
        let outcome = self.add_evidence(outcome).await?;
        Ok(match outcome {
            Outcome::Done(result) => Outcome::Done(self.fit(result).await?),
            Outcome::Fail { reason, detail, partial } => {
                Outcome::Fail { reason, detail, partial: Box::new(self.fit(*partial).await?) }
            }
            other => other,
        })
    }

    /// Keeps a summary that would make the row of the task large as an artifact, and its ends in the result.
    async fn fit(&self, mut result: TaskResult) -> Result<TaskResult, Stopped> {
        // A result of ours has nothing that JSON cannot express.
        let size = |result: &TaskResult| serde_json::to_string(result).map_or(0, |json| json.len());
        if size(&result) > MAX_ENTRY_BYTES {
            let whole = clean(std::mem::take(&mut result.summary));
            let room = MAX_ENTRY_BYTES.saturating_sub(size(&result)).max(LEAST_TEXT_BYTES);
            self.keep_text(SUMMARY, &whole).await?;
            result.summary = Ends::of(whole).within(room);
        }
        Ok(result)
    }

    async fn add_evidence(&mut self, outcome: Outcome) -> Result<Outcome, Stopped> {
        let is_end = matches!(outcome, Outcome::Done(_) | Outcome::Fail { .. });
        if !is_end || self.files.is_none() {
            return Ok(outcome);
        }
        let published = self.publish().await;
        let evidence = match (published, &self.files) {
            (Ok(()), Some(files)) => files.evidence().await.map_err(Stopped::from),
            (Err(Stopped::Lost), _) => return Err(Stopped::Lost),
            (Err(error), _) => Err(error),
            (Ok(()), None) => return Ok(outcome),
        };
        let (mut result, diff) = match (evidence, &outcome) {
            (Ok(evidence), _) => evidence,
            // Without its branch at the hub a task is not done; a failure stays the failure that it is.
            (Err(error), Outcome::Done(_)) => return Err(error),
            (Err(error), _) => {
                tracing::warn!("the branch of a failed task could not be pushed: {error}");
                return Ok(outcome);
            }
        };
        let (task, epoch) = (self.lease.task(), self.lease.epoch());
        self.persist(|| {
            self.agent.store.put_artifact(task, epoch, "diff", "text/x-diff; charset=utf-8", diff.as_bytes())
        })
        .await?;
        fail_point!("close::evidence", |_| std::process::abort());
        result.checks =
            self.transcript.last_checks().map(|checks| checks.results.clone()).unwrap_or_default();
        self.give_back().await;
        Ok(match outcome {
            Outcome::Done(done) => Outcome::Done(TaskResult { summary: done.summary, ..result }),
            Outcome::Fail { reason, detail, partial } => Outcome::Fail {
                reason,
                detail,
                partial: Box::new(TaskResult { summary: partial.summary, ..result }),
            },
            other => other,
        })
    }

    /// Brings the branch at the hub to this run's head. A push cannot be fenced by the database, so the lease is
    /// looked at right before, and the hub compares: a run that was frozen meanwhile meets a branch that has moved.
    pub(crate) async fn publish(&mut self) -> Result<(), Stopped> {
        /// Moves that a run puts right before it gives up: each needs another writer.
        const TRIES: usize = 3;
        for _ in 0..TRIES {
            if self.files.as_ref().is_none_or(Files::is_pushed) {
                return Ok(());
            }
            let held = [(self.lease.task(), self.lease.epoch())];
            if self.persist(|| self.agent.store.renew(&held)).await?.is_empty() {
                return Err(Stopped::Lost);
            }
            fail_point!("push::before", |_| std::process::abort());
            let Some(files) = &mut self.files else { return Ok(()) };
            let pushed = tokio::select! {
                pushed = files.push() => pushed?,
                () = self.control.lost.cancelled() => return Err(Stopped::Lost),
            };
            if pushed {
                return Ok(());
            }
        }
        let detail = "the branch at the repository keeps being moved by somebody else".to_owned();
        Err(Stopped::Files { detail, class: ErrorClass::Repository })
    }
}
