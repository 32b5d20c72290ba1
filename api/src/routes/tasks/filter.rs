//! Which tasks are meant: by query parameters or by a body, the same filters.

use std::{collections::BTreeMap, fmt};

use chrono::{DateTime, Utc};
use hive_domain::{AgentId, ProjectId, SessionId, StatusReason, TaskId, TaskStatus};
use hive_store::TaskFilter;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{SeqAccess, Visitor, value::SeqAccessDeserializer},
};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    error::{ApiError, Result},
    faults::Faults,
    query::Query,
};

/// Reads the filters of a list, and leaves the rest of the parameters alone.
///
/// # Errors
/// 400 that names the parameter.
pub fn from_query(query: &mut Query) -> Result<TaskFilter> {
    Ok(TaskFilter {
        project: query.one("project_id")?,
        statuses: query.many("status")?,
        reason: query.one("reason")?,
        agent: query.one("agent_id")?,
        labels: labels(query.texts("label"))?,
        created_since: query.time("created_since")?,
        created_before: query.time("created_before")?,
        session: query.one("session_id")?,
        parent: query.one("parent_id")?,
        error_class: query.one("error_class")?,
        ended_since: query.time("ended_since")?,
        ended_before: query.time("ended_before")?,
        redriven: query.one("redriven")?,
    })
}

fn labels(texts: Vec<String>) -> Result<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    for text in texts {
        let Some((name, value)) = text.split_once(':') else {
            return Err(ApiError::parameter("label", "is not of the form name:value"));
        };
        let before = labels.insert(name.to_owned(), value.to_owned());
        if before.is_some_and(|before| before != value) {
            return Err(ApiError::parameter(
                "label",
                format!("no task has two values of the label {name:?}"),
            ));
        }
    }
    Ok(labels)
}

/// Which tasks are meant; all that is given must fit.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = TaskFilter)]
pub struct FilterBody {
    /// In this project.
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<Uuid>,
    /// In one of these states: a list, or one name.
    #[serde(deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    status: Vec<TaskStatus>,
    /// With this `status_reason`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    reason: Option<StatusReason>,
    /// Assigned to this agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: Option<Uuid>,
    /// With all these labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    /// Accepted at or after this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_since: Option<DateTime<Utc>>,
    /// Accepted before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_before: Option<DateTime<Utc>>,
    /// In this session.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<Uuid>,
    /// A part of this task.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<Uuid>,
    /// Whose last failed try was of this class.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_class: Option<String>,
    /// Ended at or after this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_since: Option<DateTime<Utc>>,
    /// Ended before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_before: Option<DateTime<Utc>>,
    /// Whether another task was made from it, to try it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    redriven: Option<bool>,
}

impl FilterBody {
    /// Notes what of it cannot be used.
    pub fn check(&self, faults: &mut Faults) {
        for (time, pointer) in [
            (self.created_since, "/created_since"),
            (self.created_before, "/created_before"),
            (self.ended_since, "/ended_since"),
            (self.ended_before, "/ended_before"),
        ] {
            faults.demand_time(time, pointer);
        }
    }
}

impl From<FilterBody> for TaskFilter {
    fn from(body: FilterBody) -> Self {
        Self {
            project: body.project_id.map(ProjectId::from),
            statuses: body.status,
            reason: body.reason,
            agent: body.agent_id.map(AgentId::from),
            labels: body.labels,
            created_since: body.created_since,
            created_before: body.created_before,
            session: body.session_id.map(SessionId::from),
            parent: body.parent_id.map(TaskId::from),
            error_class: body.error_class,
            ended_since: body.ended_since,
            ended_before: body.ended_before,
            redriven: body.redriven,
        }
    }
}

/// A list of states, or the name of one.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<TaskStatus>, D::Error> {
    struct Names;

    impl<'de> Visitor<'de> for Names {
        type Value = Vec<TaskStatus>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of task states")
        }

        fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Self::Value, E> {
            name.parse().map(|status| vec![status]).map_err(E::custom)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, names: A) -> Result<Self::Value, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(names))
        }
    }

    deserializer.deserialize_any(Names)
}
