//! Calls whose effect lies outside of the workspace. Before one is made an intent is in the journal, and right after it
//! what came of it, so that a crash between the two is seen for what it is: nobody knows.

use std::time::Duration;

use hive_domain::{
    ErrorClass, Outcome, StatusReason,
    journal::{Entry, ExternalOutcome, Intent, ToolCall},
};

use crate::{
    notifier::Sent,
    run::{Activation, Stopped, failed_try},
    tools::{self, ToolError},
};

/// What a run does after such a call.
pub(crate) enum Outside {
    /// The model reads this.
    Answer(Result<String, ToolError>),
    /// The run parks, and the call stands in the journal as it is.
    Park(Outcome),
}

impl Activation<'_> {
    /// Makes the call unless the journal knows what came of it.
    pub(crate) async fn call_outside(&mut self, call: &ToolCall) -> Result<Outside, Stopped> {
        if let Some(known) = self.transcript.outcome_of(&call.id).filter(|known| known.took_place) {
            let content = known.content.clone();
            return Ok(Outside::Answer(if known.is_error {
                Err(ToolError::Tell(content))
            } else {
                Ok(content)
            }));
        }
        let tell = |text: &str| Ok(Outside::Answer(Err(ToolError::Tell(text.to_owned()))));
        let Ok(input) = &call.input else {
            return tell("the input is not a JSON object and nothing was sent");
        };
        let text = match tools::notification(input) {
            Ok(text) => text,
            Err(error) => return Ok(Outside::Answer(Err(error))),
        };
        let Some(notifier) = &self.agent.notifier else {
            return tell("nobody is configured to receive notifications; say what matters in your summary");
        };
        if !self.transcript.is_open(&call.id) {
            let intent = Intent { tool_use_id: call.id.clone(), tool: call.name.clone() };
            self.note(Entry::Intent(intent)).await?;
        }
        // The same for each try of this call, and for no other call.
        let key = format!("{}.{}.{}", self.lease.task(), self.transcript.reply_seq(), call.id);
        let sent = notifier.send(&key, &self.lease.leased, &text).await;
        let is_idempotent = notifier.is_idempotent();
        match sent {
            Sent::Taken(said) => {
                self.know(call, true, said.clone(), false).await?;
                Ok(Outside::Answer(Ok(said)))
            }
            Sent::Refused(said) => {
                self.know(call, true, said.clone(), true).await?;
                Ok(Outside::Answer(Err(ToolError::Tell(said))))
            }
            Sent::Later(after) => {
                self.know(call, false, String::new(), false).await?;
                let detail = "the receiver of notifications asked to come back later".to_owned();
                Ok(Outside::Park(failed_try(self.lease, ErrorClass::Notify, Some(after), detail)))
            }
            Sent::Unconfirmed(detail) if is_idempotent => {
                Ok(Outside::Park(failed_try(self.lease, ErrorClass::Notify, None, detail)))
            }
            Sent::Unconfirmed(detail) => Ok(Outside::Park(unknown(&call.name, &detail))),
        }
    }

    /// True when a person interrupts before the call has begun: what lies outside is not undone, so it is looked for here
    /// as well. A call that has begun, or of which the journal knows what came, goes its way.
    pub(crate) async fn is_stopped_before(&self, call: &ToolCall) -> Result<bool, Stopped> {
        let has_begun = self.transcript.is_open(&call.id)
            || self.transcript.outcome_of(&call.id).is_some_and(|known| known.took_place);
        let task = self.lease.task();
        Ok(!has_begun && self.persist(|| self.agent.store.is_interrupted(task)).await?)
    }

    /// True when a cut call is simply made again under the same key.
    pub(crate) fn may_repeat(&self) -> bool {
        self.agent.notifier.as_ref().is_some_and(crate::Notifier::is_idempotent)
    }

    async fn know(
        &mut self,
        call: &ToolCall,
        took_place: bool,
        content: String,
        is_error: bool,
    ) -> Result<(), Stopped> {
        let (tool_use_id, tool) = (call.id.clone(), call.name.clone());
        let outcome = ExternalOutcome { tool_use_id, tool, took_place, content, is_error, decided_by: None };
        self.note(Entry::Outcome(outcome)).await
    }
}

/// Parks the task until a person says what came of a call.
pub(crate) fn unknown(tool: &str, why: &str) -> Outcome {
    Outcome::Wait {
        after: Duration::MAX,
        reason: StatusReason::OutcomeUnknown,
        detail: format!(
            "nobody here knows whether the call of {tool} took place ({why}); say what came of it, or cancel"
        ),
    }
}
