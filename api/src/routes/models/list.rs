//! `GET /api/v1/models`

use std::{collections::BTreeMap, sync::Arc};

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    error::Result,
    known_models::KnownModels,
    query::Query,
    views::{ModelFindingView, ModelRefreshView, ModelView},
};

/// What is known of models.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelList {
    /// By id.
    items: Vec<ModelView>,
    /// Model ids by class, as the worker that started last was told.
    classes: BTreeMap<String, String>,
    /// Places that name a model which does not stand well.
    findings: Vec<ModelFindingView>,
    /// How the list of the service stands.
    refresh: ModelRefreshView,
    /// The day on which the facts whose source is `seed` were looked up.
    seed_as_of: String,
}

/// Lists the models that this build and the service know, with their limits, prices and rules, and where models are
/// named that do not answer much longer.
#[utoipa::path(
    get,
    path = "/api/v1/models",
    operation_id = "list_models",
    tag = "models",
    responses((status = 200, body = ModelList, description = "All of them."))
)]
pub async fn handle(State(app): State<Arc<App>>, query: Query) -> Result<Json<ModelList>> {
    query.finish()?;
    let known = KnownModels::read(&app.store).await?;
    let uses = app.store.model_uses().await?;
    let findings = known.catalogue.findings(&uses, &known.classes);
    Ok(Json(ModelList {
        items: known
            .catalogue
            .models()
            .map(|facts| ModelView::new(facts, &known.catalogue.standing(&facts.id)))
            .collect(),
        findings: findings.into_iter().map(Into::into).collect(),
        classes: known.classes,
        refresh: known.refresh.into(),
        seed_as_of: known.catalogue.as_of,
    }))
}
