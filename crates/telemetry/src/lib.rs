//! What a process says about itself: log lines, metrics, health, and how it is asked to stop.

mod allocator;
mod fail_points;
pub mod health;
pub mod log;
pub mod metrics;
mod serve;
mod signal;

pub use health::{Health, State, routes::health_routes};
pub use log::{Guard, LogConfig, LogFormat, exit, init, redact};
pub use metrics::MetricsHandle;
pub use serve::{Server, serve};
pub use signal::stop_on_signal;
