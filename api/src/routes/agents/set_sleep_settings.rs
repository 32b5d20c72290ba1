//! `PUT /api/v1/agents/{id}/sleep-settings`

use std::{ops::RangeInclusive, sync::Arc};

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header::ETAG},
    response::IntoResponse,
};
use hive_domain::{AgentId, NanoUsd, SleepSettings};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::{ACTOR, App},
    body::Body,
    error::Result,
    etag,
    faults::Faults,
    ids::Id,
    views::SleepSettingsView,
};

/// The settings, whole: what is not named is as it usually is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSleepSettings)]
pub struct Wish {
    /// Seconds without a task after which it sleeps, if something is new since its last night; null: it does not.
    #[schema(minimum = 1, maximum = 2_592_000)]
    idle_seconds: Option<i32>,
    /// New entries of its memory since its last night that make it sleep; null: none do.
    #[schema(minimum = 1, maximum = 100_000)]
    pressure_entries: Option<i32>,
    /// Steps since its last night that make it sleep; null: none do.
    #[schema(minimum = 1, maximum = 100_000)]
    pressure_steps: Option<i32>,
    /// Seconds that running work gets to reach a step edge; 300 unless given.
    #[schema(minimum = 0, maximum = 86_400)]
    fall_seconds: Option<i32>,
    /// Seconds after that at which it wakes, whatever is done to its memory; 7200 unless given.
    #[schema(minimum = 1, maximum = 86_400)]
    sleep_seconds: Option<i32>,
    /// What the cycle of one night may cost, in dollars; 1 unless given. What does not fit is skipped.
    #[schema(minimum = 0)]
    night_usd: Option<f64>,
}

/// Says when an agent sleeps by itself, and how long. It takes the place of all that was said before: what is not named
/// is as it usually is. It holds from its next night on. With `If-Match` it happens only at that version, else 412.
#[utoipa::path(
    put,
    path = "/api/v1/agents/{id}/sleep-settings",
    operation_id = "set_sleep_settings",
    tag = "agents",
    params(
        ("id" = uuid::Uuid, Path),
        ("If-Match" = Option<String>, Header, description = "The ETag that the change is meant for.")
    ),
    request_body = Wish,
    responses((status = 200, body = SleepSettingsView, description = "They hold.", headers(("ETag" = String))))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Id(id): Id<AgentId>,
    headers: HeaderMap,
    Body(wish): Body<Wish>,
) -> Result<impl IntoResponse> {
    let demanded = etag::demanded(&headers)?;
    let mut faults = Faults::default();
    let mut demand = |value: Option<i32>, range: RangeInclusive<i32>, pointer: &str| {
        let detail = format!("must be {} to {}", range.start(), range.end());
        faults.demand(value.is_none_or(|value| range.contains(&value)), pointer, &detail);
    };
    demand(wish.idle_seconds, SleepSettings::IDLE, "/idle_seconds");
    demand(wish.pressure_entries, SleepSettings::PRESSURE, "/pressure_entries");
    demand(wish.pressure_steps, SleepSettings::PRESSURE, "/pressure_steps");
    demand(wish.fall_seconds, SleepSettings::FALL, "/fall_seconds");
    demand(wish.sleep_seconds, SleepSettings::SLEEP, "/sleep_seconds");
    let night_money = wish.night_usd.map(NanoUsd::from_usd);
    faults.demand(
        night_money.is_none_or(|money| money.is_some()),
        "/night_usd",
        "must be a sum of dollars, not negative",
    );
    faults.finish()?;
    let usual = SleepSettings::default();
    let settings = SleepSettings {
        idle_seconds: wish.idle_seconds,
        pressure_entries: wish.pressure_entries,
        pressure_steps: wish.pressure_steps,
        fall_seconds: wish.fall_seconds.unwrap_or(usual.fall_seconds),
        sleep_seconds: wish.sleep_seconds.unwrap_or(usual.sleep_seconds),
        night_money: night_money.flatten().unwrap_or(usual.night_money),
    };
    let set = app
        .store
        .set_sleep_settings(id, &settings, demanded, ACTOR)
        .await
        .map_err(|error| etag::unmet(error, demanded, "sleep_settings_changed"))?;
    Ok(([(ETAG, etag::of(set.version))], Json(SleepSettingsView::from(set))))
}
