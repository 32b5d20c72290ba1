//! The door to Postgres: the only crate with SQL. Verbs of the domain, each one transaction with the event that
//! reports it. Leases, slots and times are measured by the database's clock alone.

pub mod agents;
pub mod artifacts;
pub mod calls;
pub mod census;
pub mod error;
pub mod events;
pub mod journal;
pub mod lease;
mod meter;
pub mod pool;
pub mod reconcile;
pub mod tasks;
mod text;

pub use agents::{Agent, NewAgent};
pub use calls::CallOutcome;
pub use census::Standing;
pub use error::{Error, Result};
pub use events::Event;
pub use journal::{NewStep, Step};
pub use lease::{Announcement, Settled};
pub use meter::describe_metrics;
pub use pool::{Config, MIGRATOR, Store};
pub use reconcile::Reconciled;
pub use tasks::{TaskFilter, TaskPage};
