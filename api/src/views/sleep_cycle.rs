//! Nights, as they are shown.

use chrono::{DateTime, Utc};
use hive_domain::{MemoryScope, TrustClass};
use hive_store::{CycleChange, CycleWait, EntryText, LostProbes, ShownEntry, SleepCycle};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    cycle_told::{CycleWaitView, LostQuestionsView},
    names,
};

/// One consolidation of one memory. Dollars are exact to the billionth.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SleepCycle)]
pub struct SleepCycleView {
    /// Its id.
    id: Uuid,
    /// Whose memory it works on.
    #[schema(schema_with = names::memory_scope)]
    scope: MemoryScope,
    /// The project; null when it is everybody's.
    project_id: Option<Uuid>,
    /// The session whose it is.
    session_id: Option<Uuid>,
    /// The agent whose own it is.
    agent_id: Option<Uuid>,
    /// What began it: `cron`, `idle`, `pressure` or `manual`.
    trigger: String,
    /// Who asked for it.
    asked_by: String,
    /// `pending`, `running`, `completed`, `rejected_by_gate`, `failed`, `cancelled` or `rolled_back`. Only what is
    /// completed changes what is recalled.
    state: String,
    /// Which phase is to be done, or was when it ended: `extract`, `dedupe`, `merge`, `contradict`, `promote`, `decay`,
    /// `publish`.
    phase: String,
    /// The version of the memory that it makes.
    version_id: Uuid,
    /// What it may use.
    budget: CycleBudgetView,
    /// What became of entries.
    counts: CycleCountsView,
    /// What it did not get to, and why.
    #[schema(value_type = Vec<Object>)]
    skipped: Value,
    /// Which of its bounds it met: `money`, `tokens` or `time`.
    stopped_by: Option<String>,
    /// How well the memory answers questions before and after; without questions null.
    quality: Option<CycleQualityView>,
    /// What its calls used and cost, by the ledger.
    usage: CycleUsageView,
    /// Why it failed or was stopped.
    failure: Option<String>,
    /// When it was asked for.
    created_at: DateTime<Utc>,
    /// When a worker took it first.
    started_at: Option<DateTime<Utc>>,
    /// When it was over.
    finished_at: Option<DateTime<Utc>>,
    /// When it was taken back.
    rolled_back_at: Option<DateTime<Utc>>,
    /// By whom.
    rolled_back_by: Option<String>,
    /// What it waits for at the provider, if it does; told of a single night.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_for_batch: Option<CycleWaitView>,
    /// What a night that its gate rejected would have lost; told of a single night.
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<LostQuestionsView>,
}

impl SleepCycleView {
    /// With what is told of a single night.
    pub fn with(self, wait: Option<CycleWait>, lost: Option<LostProbes>) -> Self {
        Self { waits_for_batch: wait.map(Into::into), lost: lost.map(Into::into), ..self }
    }
}

/// What a night may use; null is no bound of its own.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SleepCycleBudget)]
pub struct CycleBudgetView {
    /// Money.
    usd: Option<f64>,
    /// Tokens, in and out.
    tokens: Option<i64>,
    /// Minutes from its first phase on.
    minutes: i32,
}

/// What became of entries; counted when the night ends.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SleepCycleCounts)]
pub struct CycleCountsView {
    /// Facts that were drawn from journals.
    extracted: i32,
    /// Entries that another one stands for now.
    merged: i32,
    /// Entries that were overtaken.
    superseded: i32,
    /// Lessons that rose to the project.
    promoted: i32,
    /// Entries that had faded.
    decayed: i32,
    /// Proposals that a guard refused.
    refused: i32,
    /// Entries that it left alone.
    kept: i32,
}

/// The gate's questions: the share that is answered among the first five entries, 0 to 1.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SleepCycleQuality)]
pub struct CycleQualityView {
    /// How many.
    probes: i32,
    /// Of them, the share that was answered before.
    before: f32,
    /// Of them, the share that is answered after.
    after: f32,
}

/// What a night's calls used and cost.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SleepCycleUsage)]
pub struct CycleUsageView {
    /// Requests.
    requests: i64,
    /// Tokens that went in.
    input_tokens: i64,
    /// Tokens that came out.
    output_tokens: i64,
    /// What they cost.
    cost_usd: f64,
    /// What calls of unknown outcome cost at most, besides.
    unknown_cost_usd: f64,
}

/// One thing that a night did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SleepCycleChange)]
pub struct CycleChangeView {
    /// Its id.
    id: Uuid,
    /// The phase that did it.
    phase: String,
    /// `extracted`, `merged`, `superseded`, `promoted`, `decayed`, `kept`, `refused`, or `dropped` when somebody changed
    /// an entry before it was published.
    kind: String,
    /// Why.
    reason: String,
    /// What it brought.
    born: Option<ChangedEntryView>,
    /// What is not recalled any more.
    retired: Vec<ChangedEntryView>,
    /// What it was drawn from, or what it is about.
    sources: Vec<ChangedEntryView>,
}

/// An entry in a difference. Of one that was deleted only the id is left.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChangedContext)]
pub struct ChangedEntryView {
    /// Its id.
    id: Uuid,
    /// Who may recall it.
    #[schema(schema_with = names::memory_scope)]
    scope: Option<MemoryScope>,
    /// What kind of thing it is.
    kind: Option<String>,
    /// Its title.
    title: Option<String>,
    /// What it says.
    content: Option<String>,
    /// How far it is believed.
    #[schema(schema_with = names::trust_class)]
    trust: Option<TrustClass>,
}

impl From<SleepCycle> for SleepCycleView {
    fn from(cycle: SleepCycle) -> Self {
        let owner = cycle.owner;
        let (rolled_back_at, rolled_back_by) = cycle.rolled_back.unzip();
        let counts = cycle.counts;
        let quality = cycle.quality_before.zip(cycle.quality_after);
        Self {
            id: cycle.id.uuid(),
            scope: owner.scope(),
            project_id: owner.project().map(hive_domain::ProjectId::uuid),
            session_id: owner.session().map(hive_domain::SessionId::uuid),
            agent_id: owner.agent().map(hive_domain::AgentId::uuid),
            trigger: cycle.trigger.to_string(),
            asked_by: cycle.asked_by,
            state: cycle.state.to_string(),
            phase: cycle.phase.to_string(),
            version_id: cycle.version.uuid(),
            budget: CycleBudgetView {
                usd: cycle.budget.money.map(hive_domain::NanoUsd::usd),
                tokens: cycle.budget.tokens,
                minutes: cycle.budget.minutes,
            },
            counts: CycleCountsView {
                extracted: counts.extracted,
                merged: counts.merged,
                superseded: counts.superseded,
                promoted: counts.promoted,
                decayed: counts.decayed,
                refused: counts.refused,
                kept: counts.kept,
            },
            skipped: cycle.skipped,
            stopped_by: cycle.stopped_by,
            quality: quality.map(|(before, after)| CycleQualityView { probes: cycle.probes, before, after }),
            usage: CycleUsageView {
                requests: cycle.calls.requests,
                input_tokens: cycle.calls.input_tokens,
                output_tokens: cycle.calls.output_tokens,
                cost_usd: cycle.calls.cost.usd(),
                unknown_cost_usd: cycle.calls.unknown_cost.usd(),
            },
            failure: cycle.failure,
            created_at: cycle.created_at,
            started_at: cycle.started_at,
            finished_at: cycle.finished_at,
            rolled_back_at,
            rolled_back_by,
            waits_for_batch: None,
            lost: None,
        }
    }
}

impl From<CycleChange> for CycleChangeView {
    fn from(change: CycleChange) -> Self {
        Self {
            id: change.id,
            phase: change.phase.to_string(),
            kind: change.kind,
            reason: change.reason,
            born: change.born.map(Into::into),
            retired: change.retired.into_iter().map(Into::into).collect(),
            sources: change.sources.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<ShownEntry> for ChangedEntryView {
    fn from(shown: ShownEntry) -> Self {
        let id = shown.id.uuid();
        match shown.entry {
            None => Self { id, scope: None, kind: None, title: None, content: None, trust: None },
            Some(EntryText { scope, kind, title, content, trust }) => Self {
                id,
                scope: Some(scope),
                kind: Some(kind),
                title: Some(title),
                content: Some(content),
                trust: Some(trust),
            },
        }
    }
}
