//! The door to Postgres: the only crate with SQL. Verbs of the domain, each one transaction with the event that
//! reports it. Leases, slots and times are measured by the database's clock alone.

mod admit;
pub mod agents;
pub mod artifacts;
pub mod calls;
pub mod census;
pub mod claim;
mod dependents;
pub mod error;
pub mod events;
mod facts;
mod group;
pub mod journal;
pub mod lease;
mod meter;
pub mod pauses;
pub mod pool;
mod rates;
pub mod reconcile;
pub mod settle;
pub mod task_limits;
pub mod tasks;
mod text;
pub mod tickets;
pub mod workers;

pub use agents::{Agent, NewAgent};
pub use calls::CallOutcome;
pub use census::Standing;
pub use claim::Claimant;
pub use error::{Error, Result};
pub use events::Event;
pub use journal::{Edge, NewStep, Step};
pub use meter::describe_metrics;
pub use pauses::{Pause, PauseScope};
pub use pool::{Config, MIGRATOR, Store};
pub use reconcile::{Look, Reconciled};
pub use settle::{Announcement, Settled};
pub use task_limits::{LimitKind, Rate, TaskLimit};
pub use tasks::{TaskFilter, TaskPage};
pub use tickets::Room;
pub use workers::{LiveWorkers, WorkerReport};
