//! A session as it is shown.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use hive_store::Session;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Tasks that belong together.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionView {
    /// Its id.
    id: Uuid,
    /// The owner.
    project_id: Uuid,
    /// For people.
    name: String,
    /// Who asked.
    created_by: String,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// How many of its tasks are in each state; states of none are left out.
    tasks: BTreeMap<String, i64>,
}

impl From<Session> for SessionView {
    fn from(session: Session) -> Self {
        Self {
            id: session.id.uuid(),
            project_id: session.project.uuid(),
            name: session.name,
            created_by: session.created_by,
            created_at: session.created_at,
            tasks: session.tasks,
        }
    }
}
