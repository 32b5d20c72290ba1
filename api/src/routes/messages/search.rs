//! `POST /api/v1/messages/search`

use std::sync::Arc;

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use hive_domain::ProjectId;
use hive_memory::MessageHit;
use hive_store::{Answers, Named, Search};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{app::App, body::Body, error::Result, faults::Faults, named, views::AgentMessageView};

const MAX_QUERY: usize = 1_000;

/// What is searched for. All fields must fit.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MessageSearch)]
pub struct Question {
    /// What is looked for, in words of your own. Words in quotes must stand there in this order, those after a minus must
    /// not; a query with either goes by words alone.
    #[schema(min_length = 1, max_length = 1000)]
    query: String,
    /// Only what this agent may read: what it wrote or was sent.
    agent_id: Option<Uuid>,
    /// Only of this conversation.
    conversation_id: Option<Uuid>,
    /// Only of this sender.
    from_agent_id: Option<Uuid>,
    /// Only what was sent at or after this time.
    since: Option<DateTime<Utc>>,
    /// In this project; the default project unless named.
    project_id: Option<Uuid>,
    /// Hits at most.
    #[serde(default = "twenty")]
    #[schema(minimum = 1, maximum = 200, default = 20)]
    limit: i64,
}

const fn twenty() -> i64 {
    20
}

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageHits {
    /// Best first.
    items: Vec<Hit>,
    /// The model whose vectors were compared; null when the search went by words alone.
    model: Option<String>,
}

/// One hit.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MessageHit)]
struct Hit {
    /// The message.
    #[serde(flatten)]
    message: AgentMessageView,
    /// How well it fits; comparable within one search only.
    score: f32,
    /// What the score is made of.
    scores: Scores,
}

/// The parts of a score. The first two are 0 to 1 within one search.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MessageScores)]
struct Scores {
    /// By its words.
    text: f32,
    /// By its meaning.
    vector: f32,
    /// The cosine as it is; null when its meaning was not compared or is not near.
    cosine: Option<f32>,
}

impl Hit {
    fn new(hit: MessageHit, answers: &Answers) -> Self {
        let scores = Scores { text: hit.parts.text, vector: hit.parts.vector, cosine: hit.cosine };
        Self { message: AgentMessageView::new(hit.message, answers), score: hit.score, scores }
    }
}

/// Finds messages by words and by meaning, best first. One that was sent a moment ago is found by its words at once.
#[utoipa::path(
    post,
    path = "/api/v1/messages/search",
    operation_id = "search_agent_messages",
    tag = "messages",
    request_body = Question,
    responses((status = 200, body = MessageHits, description = "What fits."))
)]
pub async fn handle(State(app): State<Arc<App>>, Body(body): Body<Question>) -> Result<Json<MessageHits>> {
    let mut faults = Faults::default();
    faults.demand_text(&body.query, MAX_QUERY, "/query");
    faults.demand((1..=200).contains(&body.limit), "/limit", "must be 1 to 200");
    faults.demand_time(body.since, "/since");
    faults.finish()?;
    let named = Named {
        project: body.project_id.map(Into::into),
        agent: body.agent_id.map(Into::into),
        sender: body.from_agent_id.map(Into::into),
        conversation: body.conversation_id.map(Into::into),
        ..Named::default()
    };
    let search = Search {
        query: body.query,
        project: body.project_id.map_or(ProjectId::DEFAULT, ProjectId::from),
        reader: body.agent_id.map(Into::into),
        conversation: body.conversation_id.map(Into::into),
        from: body.from_agent_id.map(Into::into),
        since: body.since,
        limit: body.limit,
    };
    let found = async { Ok(app.memory.search_messages(&search).await?) };
    let (found, ()) = tokio::try_join!(found, named::demand(&app, &named, ""))?;
    let answers = app.store.answers(found.hits.iter().map(|hit| &hit.message)).await?;
    let items = found.hits.into_iter().map(|hit| Hit::new(hit, &answers)).collect();
    Ok(Json(MessageHits { items, model: found.model }))
}
