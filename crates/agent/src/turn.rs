//! One turn: the tools of a reply, the commit of what they changed, the entry that holds what they answered.

use fail::fail_point;
use hive_domain::{
    Outcome,
    journal::{Entry, ToolCall},
};
use tokio::time::Instant;

use crate::{
    act::{self, Acted},
    persist::Marks,
    run::{Activation, Stopped},
};

impl Activation<'_> {
    /// `Some`: the run ends or parks within the turn, and nothing of its files is kept.
    pub(crate) async fn take_turn(
        &mut self,
        calls: &[ToolCall],
        until: Option<Instant>,
    ) -> Result<Option<Outcome>, Stopped> {
        let mut results = match self.run_tools(calls, until).await? {
            Acted::Results(results) => results,
            Acted::Park(outcome) => return Ok(Some(outcome)),
        };
        if self.control.lost.is_cancelled() {
            return Err(Stopped::Lost);
        }
        if self.control.halt.is_cancelled() {
            // A command was ended because the worker stops: it runs again on the next one.
            return Ok(Some(Outcome::Yield));
        }
        fail_point!("tools::ran", |_| std::process::abort());
        let turn = self.transcript.turns();
        let commit = match &mut self.files {
            Some(files) => {
                let commit = tokio::select! {
                    commit = files.commit(self.lease, turn) => commit,
                    () = self.control.lost.cancelled() => return Err(Stopped::Lost),
                };
                act::tell_skipped(&mut results, &files.skipped());
                match commit {
                    Ok(commit) => commit,
                    // What the agent made cannot be committed: it is told, and can mend it.
                    Err(error) if error.is_the_agents() => {
                        act::tell_refused(&mut results, &error.to_string());
                        None
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            None => None,
        };
        fail_point!("files::committed", |_| std::process::abort());
        if commit.is_some() {
            self.publish().await?;
        }
        fail_point!("files::pushed", |_| std::process::abort());
        let level = self.files.as_ref().map(|_| self.agent.sandbox.level().to_string());
        let marks = Marks { commit: commit.as_deref(), sandbox: level.as_deref(), ..Marks::default() };
        self.write(vec![Entry::ToolResults(results)], &marks).await?;
        Ok(None)
    }
}
