//! `POST /api/v1/tasks/{id}/fork`

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use hive_domain::{Limits, TaskId};
use hive_store::NewFork;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{change::change, tell::MAX_TEXT_BYTES};
use crate::{
    app::{ACTOR, App},
    error::Result,
    faults::Faults,
    idempotency::Keyed,
    ids::Id,
    views::{TaskLimits, TaskView, check_limits},
};

const MAX_TITLE: usize = 255;
const MAX_MODEL: usize = 100;
const MAX_DESCRIPTION_BYTES: usize = 32_000;

/// Where a fork begins and what differs in it. What is left out stays as in the original.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewFork)]
pub struct Forking {
    /// The last step that both share. It must not stand between a reply and the results of its tools.
    #[schema(minimum = 1)]
    from_step: i32,
    /// A model class or a model id.
    #[schema(max_length = 100)]
    model: Option<String>,
    /// What is asked for from here on, in a line. The agent is told.
    #[schema(min_length = 1, max_length = 255)]
    title: Option<String>,
    /// And at length, at most 32,000 bytes. The agent is told.
    description: Option<String>,
    /// What the fork's own steps may use up.
    #[serde(default, deserialize_with = "crate::body::object::optional")]
    limits: Option<TaskLimits>,
    /// What the agent reads before it goes on, at most 32,000 bytes.
    message: Option<String>,
}

impl Forking {
    fn check(self, from: TaskId) -> Result<NewFork> {
        let mut faults = Faults::default();
        faults.demand(self.from_step >= 1, "/from_step", "must be at least 1");
        if let Some(title) = &self.title {
            faults.demand_text(title, MAX_TITLE, "/title");
        }
        if let Some(model) = &self.model {
            faults.demand_text(model, MAX_MODEL, "/model");
        }
        let bytes = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        faults.demand_bytes(bytes(&self.description), MAX_DESCRIPTION_BYTES, "/description");
        faults.demand_bytes(bytes(&self.message), MAX_TEXT_BYTES, "/message");
        let is_blank = self.message.as_ref().is_some_and(|text| text.trim().is_empty());
        faults.demand(!is_blank, "/message", "must not be empty");
        let limits = self.limits.map(Limits::from);
        if let Some(limits) = &limits {
            check_limits(limits, &mut faults);
        }
        faults.finish()?;
        let renamed = renamed(self.title.as_deref(), self.description.as_deref());
        Ok(NewFork {
            id: TaskId::new(),
            from,
            at: self.from_step,
            title: self.title,
            description: self.description,
            model: self.model,
            limits,
            messages: renamed.into_iter().chain(self.message).collect(),
            created_by: ACTOR.to_owned(),
        })
    }
}

/// What the agent is told when the fork asks for something else: its conversation begins with the original's words.
fn renamed(title: Option<&str>, description: Option<&str>) -> Option<String> {
    if title.is_none() && description.is_none() {
        return None;
    }
    let mut text = "From here on the task is another one. What you did so far stays as it is.".to_owned();
    for (what, new) in [("Task", title), ("In detail", description)] {
        if let Some(new) = new.filter(|new| !new.trim().is_empty()) {
            text.push_str(&format!("\n\n{what}: {new}"));
        }
    }
    Some(text)
}

/// Makes a new task that goes on from a step of this one, with the files of that step. What both share is not asked of
/// the model again and not charged to the fork.
#[utoipa::path(
    post,
    path = "/api/v1/tasks/{id}/fork",
    operation_id = "fork_task",
    tag = "tasks",
    params(
        ("id" = uuid::Uuid, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes it safe to send again for 48 hours.")
    ),
    request_body = Forking,
    responses((status = 201, body = TaskView, description = "The new task.", headers(("Location" = String))))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Id(id): Id<TaskId>,
    Keyed { body, key, .. }: Keyed<Forking>,
) -> Result<Response> {
    let new = body.check(id)?;
    change(&app, key, StatusCode::CREATED, async |once| once.fork(&new).await).await
}
