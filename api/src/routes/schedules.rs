//! Schedules: what fires by the clock.

mod parts;

pub mod create;
pub mod delete;
pub mod list;
pub mod run;
pub mod show;
pub mod update;

use hive_domain::ScheduleId;

use crate::{app::App, error::Result, views::ScheduleView};

/// Slots that are shown with a schedule.
const SHOWN_SLOTS: i64 = 10;

async fn view(app: &App, id: ScheduleId) -> Result<(i32, ScheduleView)> {
    let schedule = app.store.schedule(id).await?;
    let slots = app.store.slots(id, SHOWN_SLOTS).await?;
    Ok((schedule.version, ScheduleView::new(schedule, slots)))
}
