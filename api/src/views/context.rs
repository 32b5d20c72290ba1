//! What is remembered, as it is shown.

use chrono::{DateTime, Utc};
use hive_domain::{ContextId, MemoryScope, TrustClass};
use hive_memory::Hit;
use hive_store::{Context, ContextOutcomes, Origin, Unembedded};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::names;

/// An entry as it stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Context)]
pub struct ContextView {
    /// Its id.
    id: Uuid,
    /// The id of the first entry that stood in its place.
    lineage_id: Uuid,
    /// Who may recall it.
    #[schema(schema_with = names::memory_scope)]
    scope: MemoryScope,
    /// The project; null when it is everybody's.
    project_id: Option<Uuid>,
    /// The session whose it is.
    session_id: Option<Uuid>,
    /// The agent whose own it is.
    agent_id: Option<Uuid>,
    /// What it is a part of.
    parent_id: Option<Uuid>,
    /// What was said just before it.
    follows_id: Option<Uuid>,
    /// What kind of thing it is.
    kind: String,
    /// Its title; may be empty.
    title: String,
    /// What it says.
    content: String,
    /// How far its source is believed.
    #[schema(schema_with = names::trust_class)]
    trust: TrustClass,
    /// Who stored it.
    author: String,
    /// Where it came from.
    provenance: Option<ProvenanceView>,
    /// What it was drawn from.
    sources: Vec<Uuid>,
    /// Something that it was drawn from was deleted.
    source_gone: bool,
    /// Since when it holds.
    valid_from: DateTime<Utc>,
    /// Until when it held.
    valid_to: Option<DateTime<Utc>>,
    /// When it was stored.
    recorded_at: DateTime<Utc>,
    /// What replaced it.
    superseded_by: Option<Uuid>,
    /// How much it weighs.
    importance: f32,
    /// It does not fade.
    pinned: bool,
    /// Nobody replaces it, and no night retires it.
    locked: bool,
    /// When text in it was written over.
    redacted_at: Option<DateTime<Utc>>,
    /// How often it was recalled, some seconds ago.
    recalled: i64,
    /// When last.
    recalled_at: Option<DateTime<Utc>>,
    /// One more with each change; its ETag.
    version: i32,
    /// Why it is found by its words alone, if the embedder did not take it; told of a single entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    without_vectors: Option<WithoutVectorsView>,
}

/// Why an entry has no vectors.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ContextWithoutVectors)]
pub struct WithoutVectorsView {
    /// The model that was to make them.
    model: String,
    /// What was said last.
    reason: String,
    /// Times in a row that the text was refused; 0 when it was not the text's fault.
    refusals: i32,
    /// When it is tried again.
    next_at: DateTime<Utc>,
}

impl From<Unembedded> for WithoutVectorsView {
    fn from(unembedded: Unembedded) -> Self {
        let Unembedded { model, reason, refusals, next_at } = unembedded;
        Self { model, reason, refusals, next_at }
    }
}

impl ContextView {
    /// With why it has no vectors.
    pub fn without_vectors(self, why: Option<Unembedded>) -> Self {
        Self { without_vectors: why.map(Into::into), ..self }
    }
}

/// Where an entry came from.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ContextProvenance)]
pub struct ProvenanceView {
    /// The task.
    task_id: Uuid,
    /// The epoch of the run.
    run: Option<i64>,
    /// The number of the journal entry.
    step: Option<i32>,
    /// Where that is shown.
    href: String,
}

impl From<Origin> for ProvenanceView {
    fn from(origin: Origin) -> Self {
        let Origin { task, run, step } = origin;
        let href = match step {
            Some(step) => format!("/api/v1/tasks/{task}/steps?cursor={}&limit=1", step - 1),
            None => format!("/api/v1/tasks/{task}"),
        };
        Self { task_id: task.uuid(), run, step, href }
    }
}

impl From<Context> for ContextView {
    fn from(context: Context) -> Self {
        let owner = context.owner;
        Self {
            id: context.id.uuid(),
            lineage_id: context.lineage.uuid(),
            scope: owner.scope(),
            project_id: owner.project().map(hive_domain::ProjectId::uuid),
            session_id: owner.session().map(hive_domain::SessionId::uuid),
            agent_id: owner.agent().map(hive_domain::AgentId::uuid),
            parent_id: context.parent.map(ContextId::uuid),
            follows_id: context.follows.map(ContextId::uuid),
            kind: context.kind,
            title: context.title,
            content: context.content,
            trust: context.trust,
            author: context.author,
            provenance: context.origin.map(Into::into),
            sources: context.sources.into_iter().map(ContextId::uuid).collect(),
            source_gone: context.source_gone,
            valid_from: context.valid_from,
            valid_to: context.valid_to,
            recorded_at: context.recorded_at,
            superseded_by: context.superseded_by.map(ContextId::uuid),
            importance: context.importance,
            pinned: context.pinned,
            locked: context.locked,
            redacted_at: context.redacted_at,
            recalled: context.recalled,
            recalled_at: context.recalled_at,
            version: context.version,
            without_vectors: None,
        }
    }
}

/// An entry with what became of the tasks that were given it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ContextWithOutcomes)]
pub struct ContextWithOutcomesView {
    /// The entry.
    #[serde(flatten)]
    context: ContextView,
    /// What became of them.
    outcomes: OutcomesView,
}

/// What became of the latest 1,000 tasks that were given an entry, when they began or by a call.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ContextOutcomes)]
pub struct OutcomesView {
    /// How many were given it.
    used: i64,
    /// Those that ended and whose checks agreed.
    succeeded: i64,
    /// Those that failed or died; one that was cancelled says nothing.
    failed: i64,
    /// The share of those that succeeded among those that succeeded or failed; null before the first end. It says how
    /// well tasks went that were given it, not that they went well because of it.
    rate: Option<f64>,
}

impl ContextWithOutcomesView {
    /// The entry and what is known of it; nothing when nobody was given it.
    pub fn new(context: Context, outcomes: Option<&ContextOutcomes>) -> Self {
        Self { context: context.into(), outcomes: outcomes.copied().unwrap_or_default().into() }
    }

    /// With why it has no vectors.
    pub fn without_vectors(self, why: Option<Unembedded>) -> Self {
        Self { context: self.context.without_vectors(why), ..self }
    }
}

impl From<ContextOutcomes> for OutcomesView {
    fn from(outcomes: ContextOutcomes) -> Self {
        let ContextOutcomes { used, succeeded, failed } = outcomes;
        Self { used, succeeded, failed, rate: outcomes.rate() }
    }
}

/// An entry that was found, and why.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ContextHit)]
pub struct HitView {
    /// The entry.
    context: ContextWithOutcomesView,
    /// How well it fits; comparable within one search only.
    score: f32,
    /// Whether it has enough to do with what was asked to be given to an agent. What has not fills the page: the best of it
    /// may score high, since scores are measured by what the search found.
    related: bool,
    /// What the score is made of.
    scores: ScoresView,
}

/// The parts of a score. The first six are 0 to 1 within one search.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ContextScores)]
pub struct ScoresView {
    /// By the words of the entry.
    text: f32,
    /// By the words of the entry and the one before it.
    text_window: f32,
    /// By the meaning of the entry.
    vector: f32,
    /// By the meaning of the entry and the one before it.
    vector_window: f32,
    /// Which share of the ids, codes and paths of the query it holds.
    exact: f32,
    /// How strongly it is remembered, by its weight, its age and its use.
    strength: f32,
    /// BM25 as it is.
    bm25: f32,
    /// The cosine as it is; null when one of the two has no vector.
    cosine: Option<f32>,
}

impl HitView {
    /// A hit, and what became of the tasks that were given it.
    pub fn new(hit: Hit, outcomes: Option<&ContextOutcomes>) -> Self {
        let (parts, related) = (hit.found.parts, hit.is_related());
        Self {
            context: ContextWithOutcomesView::new(hit.context, outcomes),
            score: hit.found.score,
            related,
            scores: ScoresView {
                text: parts.text,
                text_window: parts.text_window,
                vector: parts.vector,
                vector_window: parts.vector_window,
                exact: parts.exact,
                strength: parts.strength,
                bm25: hit.found.bm25,
                cosine: hit.found.cosine,
            },
        }
    }
}
