//! Who answers a request: a rule of the script, or the default part. A night that no rule asks for has its own rules.

use serde_json::{Map, Value};

use crate::answer::Answer;
use crate::conversation::Conversation;
use crate::ledger::Unmatched;
use crate::night;
use crate::part;
use crate::refusal::Refusal;
use crate::stage::{Stage, now};

/// The answer of the script, or of the default part, and the turn it is given in.
pub(crate) fn decide(
    stage: &Stage,
    body: &Map<String, Value>,
    request_id: &str,
    sha256: &str,
) -> Result<(Answer, usize), Refusal> {
    let conversation = Conversation::new(body);
    let answer = match stage.script() {
        None => part::answer(&conversation),
        Some(script) => match script.answer(&conversation) {
            Some(answer) => answer,
            None if stage.default_part || night::asks(&conversation) => part::answer(&conversation),
            None => {
                let summary = conversation.summary();
                tracing::warn!(request_id, "No rule matches: {summary}");
                stage.ledger.unmatched(Unmatched {
                    at: now(),
                    request_id: request_id.to_owned(),
                    user_id: conversation.user_id().map(str::to_owned),
                    summary: summary.clone(),
                    request_sha256: sha256.to_owned(),
                });
                return Err(Refusal::invalid(format!("double: no rule matches: {summary}")));
            }
        },
    };
    Ok((answer, conversation.turn()))
}
