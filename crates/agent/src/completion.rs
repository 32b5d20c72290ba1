//! Whether a task is done is decided by its checks, on the committed tree.

use hive_domain::{
    Outcome, StatusReason,
    journal::{Checks, Entry, TaskResult},
};
use tokio::time::Instant;

use crate::{
    checks,
    persist::Marks,
    run::{Activation, Stopped},
};

impl Activation<'_> {
    /// A person asked for completion: the checks decide, and the model is not asked.
    pub(crate) async fn verify_only(&mut self) -> Result<Outcome, Stopped> {
        // A person may have mended the branch by hand: that is what the checks look at.
        let adopted = match &mut self.files {
            Some(files) => files.adopt().await?,
            None => None,
        };
        let Some(found) = self.check("completion was requested by a person".to_owned(), None).await? else {
            return Ok(Outcome::Yield);
        };
        let (passed, summary) = (found.passed, found.summary.clone());
        let red: Vec<String> = found.results.iter().filter(|c| !c.passed).map(|c| c.name.clone()).collect();
        let level = self.agent.sandbox.level().to_string();
        let marks = Marks { commit: adopted.as_deref(), sandbox: Some(&level), ..Marks::default() };
        self.write(vec![Entry::Checks(found)], &marks).await?;
        Ok(if passed {
            Outcome::Done(TaskResult { summary, ..TaskResult::default() })
        } else {
            let detail = format!("red: {}", red.join(", "));
            Outcome::Fail { reason: StatusReason::VerificationFailed, detail, partial: Box::default() }
        })
    }

    /// Runs the acceptance commands on the committed tree. `None`: the worker stops, nothing is known.
    pub(crate) async fn check(
        &mut self,
        summary: String,
        until: Option<Instant>,
    ) -> Result<Option<Checks>, Stopped> {
        let Some(files) = &mut self.files else {
            return Ok(Some(checks::entry(summary, Vec::new(), None)));
        };
        let mut results = Vec::new();
        for check in &self.lease.leased.acceptance {
            // Each command sees the committed tree: what one leaves behind must not decide about the next.
            files.reset().await?;
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let (tree, sandbox) = (files.tree(), &self.agent.sandbox);
            let found = checks::run(check, tree, sandbox, &self.control.halt, left).await;
            results.push(found.map_err(Stopped::Sandbox)?);
            if self.control.lost.is_cancelled() {
                return Err(Stopped::Lost);
            }
            if self.control.halt.is_cancelled() {
                return Ok(None);
            }
        }
        files.reset().await?;
        let tree = files.tree_hash();
        Ok(Some(checks::entry(summary, results, Some(tree))))
    }
}
