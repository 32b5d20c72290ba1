//! What is told of a single night: what it waits for, and what its gate missed.

use chrono::{DateTime, Utc};
use hive_store::{CycleWait, LostProbes};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Requests of a night that wait for a batch of the provider.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SleepCycleWait)]
pub struct CycleWaitView {
    /// When the oldest of them was made.
    since: DateTime<Utc>,
    /// Those that are gathered until a batch is sent.
    queued: i64,
    /// Those that are in a batch.
    sent: i64,
}

/// Questions that the memory answered before a night, and would not after it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SleepCycleLost)]
pub struct LostQuestionsView {
    /// How many.
    count: i64,
    /// The first 20.
    questions: Vec<LostQuestionView>,
}

/// A question of the gate.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SleepCycleQuestion)]
pub struct LostQuestionView {
    /// Its words; `[redacted]` when what answers it was deleted or words of it were written over.
    question: String,
    /// The entry that answers it.
    evidence_id: Uuid,
}

impl From<CycleWait> for CycleWaitView {
    fn from(wait: CycleWait) -> Self {
        let CycleWait { since, queued, sent } = wait;
        Self { since, queued, sent }
    }
}

impl From<LostProbes> for LostQuestionsView {
    fn from(lost: LostProbes) -> Self {
        let question = |(question, evidence): (String, hive_domain::ContextId)| LostQuestionView {
            question,
            evidence_id: evidence.uuid(),
        };
        Self { count: lost.count, questions: lost.first.into_iter().map(question).collect() }
    }
}
