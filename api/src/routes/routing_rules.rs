//! `/api/v1/routing-rules`

pub mod activate;
pub mod create;
pub mod list;
pub mod show;
