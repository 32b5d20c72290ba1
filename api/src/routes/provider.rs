//! What stands between the fleet and Claude.

pub mod resume;
pub mod show;
