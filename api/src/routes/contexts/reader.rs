//! A search as callers write it: by itself, and as a part of what is assembled.

use chrono::{DateTime, Utc};
use hive_domain::{MemoryReader, MemoryScope, ProjectId, TrustClass};
use hive_memory::{Recall, fuse::Weights, index::Filter};
use hive_store::Named;
use serde::Deserialize;
use utoipa::{
    ToSchema,
    openapi::{ArrayBuilder, RefOr, Schema},
};
use uuid::Uuid;

use crate::{
    error::Result,
    faults::Faults,
    views::{memory_scope, trust_class},
};

/// The longest question, in bytes. What is longer is a text and not a question.
const MAX_QUERY: usize = 4_096;
/// Hits of one search at most.
const MAX_LIMIT: usize = 100;
/// Kinds that a search is narrowed to.
const MAX_KINDS: usize = 20;

/// What is looked for, by whom, and in what.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ContextSearch)]
pub struct Sought {
    /// A question, or some words; at most 4,096 bytes.
    #[schema(min_length = 1)]
    pub query: String,
    /// The project that is searched, with what is everybody's; the default project unless named.
    pub project_id: Option<Uuid>,
    /// Also what is this session's.
    pub session_id: Option<Uuid>,
    /// Also what is this agent's own. What is another agent's is never found.
    pub agent_id: Option<Uuid>,
    /// What held at this time; now, unless named.
    pub as_of: Option<DateTime<Utc>>,
    /// Only these scopes.
    #[serde(default)]
    #[schema(schema_with = scopes)]
    pub scopes: Vec<MemoryScope>,
    /// Only these kinds.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub kinds: Vec<String>,
    /// Only what is believed at least so far.
    #[schema(schema_with = trust_class)]
    pub least_trust: Option<TrustClass>,
    /// Only parts of this one.
    pub parent_id: Option<Uuid>,
    /// Only what weighs at least so much.
    #[schema(minimum = 0, maximum = 1)]
    pub least_importance: Option<f32>,
    /// Also what has faded.
    #[serde(default)]
    pub with_faded: bool,
    /// How many are wanted at most.
    #[serde(default = "ten")]
    #[schema(minimum = 1, maximum = 100, default = 10)]
    pub limit: usize,
}

const fn ten() -> usize {
    10
}

fn scopes() -> Schema {
    ArrayBuilder::new().items(RefOr::T(memory_scope())).into()
}

impl Sought {
    /// What it names.
    pub fn named(&self) -> Named {
        Named {
            project: self.project_id.map(Into::into),
            session: self.session_id.map(Into::into),
            agent: self.agent_id.map(Into::into),
            parent: self.parent_id.map(Into::into),
            ..Named::default()
        }
    }

    /// The search that it asks for.
    ///
    /// # Errors
    /// 422 with every field at fault; those in `faults` too.
    pub fn check(self, mut faults: Faults) -> Result<Recall> {
        faults.demand((1..=MAX_LIMIT).contains(&self.limit), "/limit", "must be 1 to 100");
        faults.demand(!self.query.trim().is_empty(), "/query", "must not be empty");
        faults.demand_bytes(self.query.len(), MAX_QUERY, "/query");
        faults.demand_count(self.kinds.len(), MAX_KINDS, "/kinds");
        faults.demand_time(self.as_of, "/as_of");
        let fine = self.least_importance.is_none_or(|least| (0.0..=1.0).contains(&least));
        faults.demand(fine, "/least_importance", "must be 0 to 1");
        faults.finish()?;
        Ok(Recall {
            text: self.query,
            reader: MemoryReader {
                project: self.project_id.map_or(ProjectId::DEFAULT, ProjectId::from),
                session: self.session_id.map(Into::into),
                agent: self.agent_id.map(Into::into),
            },
            as_of: self.as_of,
            filter: Filter {
                scopes: self.scopes,
                kinds: self.kinds,
                least_trust: self.least_trust,
                parent: self.parent_id.map(Into::into),
                least_importance: self.least_importance,
                with_faded: self.with_faded,
            },
            weights: Weights::default(),
            most: self.limit,
        })
    }
}
