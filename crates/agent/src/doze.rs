//! A run that its agent put to sleep: parked without a place until the time has come or a person writes.

use chrono::{DateTime, SecondsFormat, Utc};
use hive_domain::{
    Outcome, StatusReason,
    journal::{Entry, Note, NoteCause},
};

use crate::{
    post::unanswered,
    run::{Activation, Stopped},
};

impl Activation<'_> {
    /// `None`: the time has come, and the journal says so.
    pub(crate) async fn doze(&mut self, until: DateTime<Utc>) -> Result<Option<Outcome>, Stopped> {
        let asked = self.transcript.has_asked();
        let now = self.persist(|| self.agent.store.now()).await?;
        let Ok(after) = (until - now).to_std() else {
            let task = self.lease.task();
            let missed = match asked {
                true => self.persist(|| self.agent.store.unanswered(task)).await?,
                false => Vec::new(),
            };
            let (cause, text) = match missed.is_empty() {
                true => (NoteCause::Woken, format!("The wait is over: it is {}.", stamp(now))),
                false => (NoteCause::Unanswered, unanswered(&missed)),
            };
            self.note(Entry::Note(Note { cause, text })).await?;
            return Ok(None);
        };
        let (reason, what) = match asked {
            true => (StatusReason::Answer, "for an answer "),
            false => (StatusReason::Timer, ""),
        };
        let detail = format!("the agent waits {what}until {}", stamp(until));
        Ok(Some(Outcome::Wait { after, reason, detail }))
    }
}

/// A time as models and people read it.
pub(crate) fn stamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
