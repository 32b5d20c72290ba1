//! `/api/v1/batches`

pub mod list;
