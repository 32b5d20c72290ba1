//! `POST /api/v1/tasks/{id}/messages`

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use hive_domain::{MessagePolicy, TaskId};
use hive_store::NewMessage;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::{ACTOR, App},
    error::Result,
    faults::Faults,
    idempotency::{self, Keyed, Turn},
    ids::Id,
    views::{MessageView, message_policy},
};

/// The longest message, in bytes.
pub const MAX_TEXT_BYTES: usize = 32_000;

/// What the agent is told.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewMessage)]
pub struct Telling {
    /// What it reads, at most 32,000 bytes.
    #[schema(min_length = 1)]
    text: String,
    /// `enqueue`: read when the turn in progress is over. `interrupt`: ends the model call or the command in flight and
    /// is read next. `rollback`: the same, and the last turn of the agent is undone, in the conversation and in the files;
    /// what it did outside of the workspace stays. `reject`: refused while the task runs.
    #[serde(default = "enqueue")]
    #[schema(schema_with = message_policy)]
    policy: MessagePolicy,
}

const fn enqueue() -> MessagePolicy {
    MessagePolicy::Enqueue
}

/// Tells the agent of a task something. It is read exactly once, at a place of the conversation that every later run
/// keeps; a task that its agent put to sleep wakes up.
#[utoipa::path(
    post,
    path = "/api/v1/tasks/{id}/messages",
    operation_id = "tell_task",
    tag = "tasks",
    params(
        ("id" = uuid::Uuid, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes it safe to send again for 48 hours.")
    ),
    request_body = Telling,
    responses((status = 201, body = MessageView, description = "Accepted and stored; not yet read."))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Id(id): Id<TaskId>,
    Keyed { body: telling, key, .. }: Keyed<Telling>,
) -> Result<Response> {
    let mut faults = Faults::default();
    faults.demand(!telling.text.trim().is_empty(), "/text", "must not be empty");
    faults.demand_bytes(telling.text.len(), MAX_TEXT_BYTES, "/text");
    faults.finish()?;
    let new = NewMessage { text: &telling.text, policy: telling.policy, author: ACTOR };
    let mut once = match idempotency::begin(&app, key.as_ref()).await? {
        Turn::Ours(once) => once,
        Turn::Over(answer) => return Ok(answer),
    };
    let (message, woke) = once.send_message(id, &new).await?;
    let answer = idempotency::finish(once, StatusCode::CREATED, None, &MessageView::from(message)).await?;
    app.tell_message(id, telling.policy).await;
    if woke {
        app.announce(&app.store.task(id).await?).await;
    }
    Ok(answer)
}
