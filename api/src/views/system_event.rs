//! Events of the system as they are shown and sent.

use chrono::{DateTime, Utc};
use hive_domain::{Channel, SystemEventKind};
use hive_store::SystemEvent;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::names;

/// Something that happened to the system.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SystemEvent)]
pub struct SystemEventView {
    /// Its number, from 1 without gaps, in the order of the commits.
    seq: i64,
    /// Where it is told.
    #[schema(schema_with = names::channel)]
    channel: Channel,
    /// What happened.
    #[schema(schema_with = names::system_event_kind)]
    kind: SystemEventKind,
    /// To what: an id or a name; `fleet` for everything.
    subject: String,
    /// When it was committed.
    at: DateTime<Utc>,
    /// What is known about it.
    #[schema(value_type = Object)]
    data: Value,
}

impl From<SystemEvent> for SystemEventView {
    fn from(event: SystemEvent) -> Self {
        let SystemEvent { seq, channel, kind, subject, data, at } = event;
        Self { seq, channel, kind, subject, at, data }
    }
}
