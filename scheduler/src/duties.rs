//! The duties, one file each. A duty is a function of the two doors alone, so that the loop and a test call the same.

mod census;
mod janitor;
mod reconcile;

pub(crate) use census::{METRICS as CENSUS_METRICS, keep_counted};
pub use janitor::janitor;
pub(crate) use janitor::keep_clean;
pub(crate) use reconcile::keep_reconciled;
pub use reconcile::{Pass, reconcile};
