//! `POST /api/v1/context/store`

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use chrono::{DateTime, Utc};
use hive_domain::{AgentId, ContextId, MemoryOwner, MemoryScope, ProjectId, SessionId, TrustClass};
use hive_store::{NewContext, Origin};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::{ACTOR, App},
    error::Result,
    faults::Faults,
    idempotency::{self, Keyed, Turn},
    views::{ContextView, memory_scope, trust_class},
};

/// The longest entry, in bytes; what is longer belongs into a file.
pub const MAX_CONTENT: usize = 32_768;
/// The longest title and kind, in characters.
pub const MAX_TITLE: usize = 255;
const MAX_KIND: usize = 100;
/// Entries that one is drawn from.
const MAX_SOURCES: usize = 100;

/// An entry to be stored. Only `content` is required.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewContext)]
pub struct Entry {
    /// What is to be remembered, at most 32,768 bytes.
    #[schema(min_length = 1)]
    content: String,
    /// A title, if it has one.
    #[serde(default)]
    #[schema(max_length = 255)]
    title: String,
    /// What kind of thing it is, such as `fact`, `decision`, `episode`.
    #[serde(default = "fact")]
    #[schema(min_length = 1, max_length = 100, default = "fact")]
    kind: String,
    /// Who may recall it; the narrowest that the ids name, unless given.
    #[schema(schema_with = memory_scope)]
    scope: Option<MemoryScope>,
    /// The project; the default project unless named. Not with the scope `org`.
    project_id: Option<Uuid>,
    /// The session whose it is; with the scope `session`.
    session_id: Option<Uuid>,
    /// The agent whose own it is; with the scope `agent`.
    agent_id: Option<Uuid>,
    /// What it is a part of; of the same owner.
    parent_id: Option<Uuid>,
    /// What was said just before it; of the same owner. The two are searched together as well.
    follows_id: Option<Uuid>,
    /// How far its source is believed. Lowered to the least of its sources.
    #[serde(default = "user")]
    #[schema(schema_with = trust_class)]
    trust: TrustClass,
    /// Where it came from.
    #[serde(default, deserialize_with = "crate::body::object::optional")]
    provenance: Option<Provenance>,
    /// What it was drawn from.
    #[serde(default)]
    #[schema(max_items = 100)]
    sources: Vec<Uuid>,
    /// Since when it holds; now, unless named.
    valid_from: Option<DateTime<Utc>>,
    /// Until when it held, if it does not any more.
    valid_to: Option<DateTime<Utc>>,
    /// How much it weighs.
    #[serde(default = "half")]
    #[schema(minimum = 0, maximum = 1, default = 0.5)]
    importance: f32,
    /// It does not fade.
    #[serde(default)]
    pinned: bool,
}

/// The task, its run and its journal entry.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The task.
    task_id: Uuid,
    /// The epoch of the run.
    #[schema(minimum = 1)]
    run: Option<i64>,
    /// The number of the journal entry.
    #[schema(minimum = 1)]
    step: Option<i32>,
}

fn fact() -> String {
    "fact".to_owned()
}

const fn user() -> TrustClass {
    TrustClass::User
}

const fn half() -> f32 {
    0.5
}

impl Entry {
    fn check(self) -> Result<NewContext> {
        let mut faults = Faults::default();
        faults.demand(!self.content.trim().is_empty(), "/content", "must not be empty");
        faults.demand_bytes(self.content.len(), MAX_CONTENT, "/content");
        faults.demand(self.title.chars().count() <= MAX_TITLE, "/title", "must have at most 255 characters");
        faults.demand_text(&self.kind, MAX_KIND, "/kind");
        faults.demand_count(self.sources.len(), MAX_SOURCES, "/sources");
        faults.demand((0.0..=1.0).contains(&self.importance), "/importance", "must be 0 to 1");
        faults.demand_time(self.valid_from, "/valid_from");
        faults.demand_time(self.valid_to, "/valid_to");
        // What the hive itself found is not for callers to say.
        faults.demand(self.trust != TrustClass::System, "/trust", "is one of external, agent, user");
        if let (Some(from), Some(to)) = (self.valid_from, self.valid_to) {
            faults.demand(from <= to, "/valid_to", "must not be before valid_from");
        } else {
            faults.demand(self.valid_to.is_none(), "/valid_from", "is required with valid_to");
        }
        let owner = self.owner(&mut faults);
        faults.finish()?;
        Ok(NewContext {
            id: ContextId::new(),
            owner,
            parent: self.parent_id.map(Into::into),
            follows: self.follows_id.map(Into::into),
            kind: self.kind,
            title: self.title,
            content: self.content,
            trust: self.trust,
            author: ACTOR.to_owned(),
            origin: self.provenance.map(|origin| Origin {
                task: origin.task_id.into(),
                run: origin.run,
                step: origin.step,
            }),
            sources: self.sources.into_iter().map(Into::into).collect(),
            valid_from: self.valid_from,
            valid_to: self.valid_to,
            importance: self.importance,
            pinned: self.pinned,
        })
    }

    fn owner(&self, faults: &mut Faults) -> MemoryOwner {
        let (session, agent) = (self.session_id.map(SessionId::from), self.agent_id.map(AgentId::from));
        let project = self.project_id.map_or(ProjectId::DEFAULT, ProjectId::from);
        let scope = self.scope.unwrap_or(match (session, agent) {
            (_, Some(_)) => MemoryScope::Agent,
            (Some(_), None) => MemoryScope::Session,
            (None, None) => MemoryScope::Project,
        });
        let wants_session = scope == MemoryScope::Session;
        let wants_agent = scope == MemoryScope::Agent;
        let goes =
            |wanted| if wanted { "is required with this scope" } else { "does not go with this scope" };
        faults.demand(session.is_some() == wants_session, "/session_id", goes(wants_session));
        faults.demand(agent.is_some() == wants_agent, "/agent_id", goes(wants_agent));
        let ours = scope != MemoryScope::Org || self.project_id.is_none();
        faults.demand(ours, "/project_id", goes(false));
        match (scope, session, agent) {
            (MemoryScope::Org, ..) => MemoryOwner::Org,
            (_, Some(session), None) => MemoryOwner::Session(project, session),
            (_, _, Some(agent)) => MemoryOwner::Agent(project, agent),
            (_, None, None) => MemoryOwner::Project(project),
        }
    }
}

/// Stores an entry. From the answer on it is found by its words in every process, and by its meaning then or within some
/// seconds. With an `Idempotency-Key` the same request has one effect and one answer.
#[utoipa::path(
    post,
    path = "/api/v1/context/store",
    operation_id = "store_context",
    tag = "contexts",
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible characters.")),
    request_body = Entry,
    responses((status = 201, body = ContextView, description = "Stored.", headers(("Location" = String))))
)]
pub async fn handle(State(app): State<Arc<App>>, keyed: Keyed<Entry>) -> Result<Response> {
    let new = keyed.body.check()?;
    if let Some(earlier) = idempotency::earlier(&app, keyed.key.as_ref()).await? {
        return Ok(earlier);
    }
    let vectors = app.memory.vectors_of(&new.title, &new.content).await;
    let mut once = match idempotency::begin(&app, keyed.key.as_ref()).await? {
        Turn::Ours(once) => once,
        Turn::Over(answer) => return Ok(answer),
    };
    let context = once.put_context(&new, vectors.as_ref()).await?;
    let location = format!("/api/v1/context/{}", context.id);
    let view = ContextView::from(context);
    let answer = idempotency::finish(once, StatusCode::CREATED, Some(location), &view).await?;
    if vectors.is_none() {
        app.memory.wants_vectors();
    }
    Ok(answer)
}
