//! HTTP in, events out: the REST door of Agent Hive. Postgres is the truth, Redis a nudge; any number of these
//! processes serve the same tasks, and none of them holds state that another would miss.

mod admission;
mod app;
mod auth;
mod bases;
mod body;
mod config;
mod error;
mod etag;
mod faults;
mod idempotency;
mod ids;
mod known_models;
mod live;
mod load;
mod named;
mod observe;
mod openapi;
mod post;
mod query;
mod routes;
mod serve;
mod tail;
mod views;
mod whom;

pub use config::Config;
pub use openapi::document;
pub use serve::{run, serve};
