//! The duties, one file each. A duty is a function of the two doors alone, so that the loop and a test call the same.

mod bulk_actions;
mod census;
mod housekeeping;
mod janitor;
mod messages;
mod money;
mod reconcile;
mod schedules;
mod sleep;
mod system_events;

pub use bulk_actions::bulk_actions;
pub(crate) use bulk_actions::keep_acting;
pub(crate) use census::{METRICS as CENSUS_METRICS, keep_counted};
pub use housekeeping::housekeeping;
pub(crate) use housekeeping::keep_house;
pub use janitor::janitor;
pub(crate) use janitor::keep_clean;
pub(crate) use messages::keep_messages;
pub use messages::{Listed, list_mailboxes, messages};
pub use money::money;
pub(crate) use money::{METRICS as MONEY_METRICS, keep_accounts};
pub(crate) use reconcile::keep_reconciled;
pub use reconcile::{Pass, reconcile};
pub(crate) use schedules::keep_schedules;
pub use schedules::schedules;
pub(crate) use sleep::{METRICS as SLEEP_METRICS, keep_sleep, keep_sleep_triggers};
pub use sleep::{Tended, sleep, sleep_triggers};
pub use system_events::{fleet_health, tell_events};
pub(crate) use system_events::{keep_fleet_watched, keep_telling};
