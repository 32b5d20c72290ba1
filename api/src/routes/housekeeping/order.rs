//! `GET /api/v1/housekeeping/orders/{id}`

use std::sync::Arc;

use axum::{Json, extract::State};

use crate::{
    app::App,
    error::Result,
    ids::{Id, OrderId},
    views::OrderView,
};

/// Shows an order of housekeeping and what came of it so far.
#[utoipa::path(
    get,
    path = "/api/v1/housekeeping/orders/{id}",
    operation_id = "show_housekeeping_order",
    tag = "housekeeping",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = OrderView, description = "The order."))
)]
pub async fn handle(State(app): State<Arc<App>>, Id(OrderId(id)): Id<OrderId>) -> Result<Json<OrderView>> {
    Ok(Json(app.store.order(id).await?.into()))
}
