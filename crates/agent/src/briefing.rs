//! After a night: the first run of the agent that is about to ask the model tells it what happened.

use fail::fail_point;
use hive_domain::{journal::Entry, transcript::Next};
use tokio::time::Instant;

use crate::{
    meter,
    persist::{STORE_PATIENCE, pause_or_stop},
    run::{Activation, Stopped},
};

impl Activation<'_> {
    /// True while a briefing may wait and the place for it is here: behind everything that the model was told, so that
    /// the bytes before it stay as they were, and not within a reply that goes on.
    pub(crate) fn is_time_for_briefing(&self) -> bool {
        self.briefing_waits
            && matches!(self.transcript.next(self.has_checks), Next::AskModel)
            && !matches!(self.transcript.entries().last(), Some(Entry::Reply(_)))
    }

    /// Tells it, unless another run of the agent was faster.
    pub(crate) async fn tell_briefing(&mut self) -> Result<(), Stopped> {
        let deadline = Instant::now() + STORE_PATIENCE;
        let told = loop {
            match self.agent.store.brief(self.lease).await {
                Ok(told) => break told,
                Err(error) => pause_or_stop(error, deadline).await?,
            }
        };
        fail_point!("briefing::told", |_| std::process::abort());
        self.briefing_waits = false;
        if let Some(entry) = told {
            meter::step(entry.kind(), self.last_step.elapsed());
            self.last_step = Instant::now();
            self.transcript.push(entry);
            self.nudge().await;
        }
        Ok(())
    }
}
