//! Which agents are meant, for whatever puts agents to sleep or wakes them.

use hive_domain::{AgentId, Sleepers};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::faults::Faults;

/// Agents that may be named.
const MOST_NAMED: usize = 1_000;
const MAX_TYPE: usize = 100;
const MAX_ROLE: usize = 10_000;

/// Agents: those named, those of a group, or all. Exactly one of the fields is given.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Sleepers)]
pub struct Whom {
    /// These.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, max_items = 1000)]
    agent_ids: Option<Vec<Uuid>>,
    /// All active agents of this type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agent_type: Option<String>,
    /// All active agents with this role, word for word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    /// All active agents.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    all: bool,
}

impl Whom {
    /// The agents that are meant; notes what cannot be accepted below the pointer `within`.
    pub fn check(self, within: &str, faults: &mut Faults) -> Option<Sleepers> {
        let at = |field: &str| format!("{within}/{field}");
        if let Some(ids) = &self.agent_ids {
            faults.demand(!ids.is_empty(), &at("agent_ids"), "must not be empty");
            faults.demand_count(ids.len(), MOST_NAMED, &at("agent_ids"));
        }
        if let Some(kind) = &self.agent_type {
            faults.demand_text(kind, MAX_TYPE, at("agent_type"));
        }
        if let Some(role) = &self.role {
            faults.demand_text(role, MAX_ROLE, at("role"));
        }
        let given = [
            self.agent_ids.map(|ids| Sleepers::AgentIds(ids.into_iter().map(AgentId::from).collect())),
            self.agent_type.map(Sleepers::AgentType),
            self.role.map(Sleepers::Role),
            self.all.then_some(Sleepers::All),
        ];
        let mut given: Vec<Sleepers> = given.into_iter().flatten().collect();
        match given.len() {
            1 => given.pop(),
            0 => {
                faults.refuse(at("agent_ids"), "or agent_type, role or all is required");
                None
            }
            _ => {
                faults.refuse(at("agent_ids"), "only one of the fields that say which agents may be given");
                None
            }
        }
    }
}

impl From<Sleepers> for Whom {
    fn from(sleepers: Sleepers) -> Self {
        match sleepers {
            Sleepers::AgentIds(ids) => {
                Self { agent_ids: Some(ids.into_iter().map(AgentId::uuid).collect()), ..Self::default() }
            }
            Sleepers::AgentType(kind) => Self { agent_type: Some(kind), ..Self::default() },
            Sleepers::Role(role) => Self { role: Some(role), ..Self::default() },
            Sleepers::All => Self { all: true, ..Self::default() },
        }
    }
}
