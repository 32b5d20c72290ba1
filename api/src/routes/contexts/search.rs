//! `POST /api/v1/context/search`

use std::sync::Arc;

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::reader::Sought;
use crate::{app::App, body::Body, error::Result, faults::Faults, named, views::HitView};

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ContextHits)]
pub struct Hits {
    /// Best first.
    hits: Vec<HitView>,
    /// The time that was asked about.
    at: DateTime<Utc>,
    /// The model whose vectors were compared; null when the search went by words alone, because no vector of the query
    /// was to be had in time.
    model: Option<String>,
}

/// Searches by words and by meaning in all that the reader may see. What was stored before the request came is found,
/// whichever process stored it.
#[utoipa::path(
    post,
    path = "/api/v1/context/search",
    operation_id = "search_contexts",
    tag = "contexts",
    request_body = Sought,
    responses((status = 200, body = Hits, description = "What fits best, with what each hit's score is made of."))
)]
pub async fn handle(State(app): State<Arc<App>>, Body(sought): Body<Sought>) -> Result<Json<Hits>> {
    let named = sought.named();
    let recall = sought.check(Faults::default())?;
    let recalled = async { Ok(app.memory.recall(&recall).await?) };
    let (recalled, ()) = tokio::try_join!(recalled, named::demand(&app, &named, ""))?;
    // What only fills the page was not remembered because of it.
    let related = recalled.hits.iter().filter(|hit| hit.is_related());
    app.memory.count_recalls(related.map(|hit| hit.context.id));
    let ids: Vec<_> = recalled.hits.iter().map(|hit| hit.context.id).collect();
    let outcomes = app.store.context_outcomes(&ids).await?;
    let hits = recalled.hits.into_iter().map(|hit| {
        let of = outcomes.get(&hit.context.id);
        HitView::new(hit, of)
    });
    let hits = hits.collect();
    Ok(Json(Hits { hits, at: recalled.at, model: recalled.model }))
}
