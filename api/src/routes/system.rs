//! The process itself.

pub mod health;
pub mod live;
pub mod metrics;
pub mod openapi;
pub mod ready;
pub mod sleep;
pub mod wake;
