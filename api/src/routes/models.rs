//! `/api/v1/models`

pub mod list;
pub mod refresh;
