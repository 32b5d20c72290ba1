//! A run that its agent put to sleep: parked without a place until the time has come or a person writes.

use chrono::{DateTime, SecondsFormat, Utc};
use hive_domain::{
    Outcome, StatusReason,
    journal::{Entry, Note, NoteCause},
};

use crate::run::{Activation, Stopped};

impl Activation<'_> {
    /// `None`: the time has come, and the journal says so.
    pub(crate) async fn doze(&mut self, until: DateTime<Utc>) -> Result<Option<Outcome>, Stopped> {
        let now = self.persist(|| self.agent.store.now()).await?;
        let Ok(after) = (until - now).to_std() else {
            let text = format!("The wait is over: it is {}.", stamp(now));
            self.note(Entry::Note(Note { cause: NoteCause::Woken, text })).await?;
            return Ok(None);
        };
        let detail = format!("the agent waits until {}", stamp(until));
        Ok(Some(Outcome::Wait { after, reason: StatusReason::Timer, detail }))
    }
}

/// A time as models and people read it.
pub(crate) fn stamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
