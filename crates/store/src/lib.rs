//! The door to Postgres: the only crate with SQL. Verbs of the domain, each one transaction with the event that
//! reports it. Leases, slots and times are measured by the database's clock alone.

mod admit;
pub mod agents;
mod append;
pub mod artifacts;
mod awaiting;
pub mod batches;
pub mod budgets;
pub mod calls;
pub mod census;
pub mod checkpoints;
pub mod claim;
pub mod contexts;
pub mod conversations;
mod dependents;
pub mod error;
pub mod events;
mod facts;
pub mod fleet_health;
pub mod forks;
mod formats;
mod group;
pub mod housekeeping;
pub mod journal;
pub mod lease;
mod line;
pub mod messages;
mod meter;
pub mod models;
mod named;
pub mod once;
pub mod outcomes;
pub mod pauses;
pub mod pool;
pub mod provider;
mod rates;
pub mod reconcile;
pub mod routing;
pub mod schedules;
mod segments;
pub mod sessions;
pub mod settle;
pub mod sleep_cycles;
pub mod sleeps;
mod strays;
pub mod system_events;
pub mod task_limits;
pub mod tasks;
mod text;
pub mod tickets;
pub mod usage;
pub mod verify;
pub mod workers;

pub use agents::{Agent, NewAgent};
pub use append::{Edge, NewStep, NextCall};
pub use batches::{
    BatchAnswer, BatchCensus, BatchEnd, BatchResult, BatchVerdict, ListedBatch, NIGHT_IS_SPENT,
    NewBatchRequest, OpenBatch, QueuedRequest, Waiting,
};
pub use budgets::{BudgetCensus, BudgetKey, ListedBudget};
pub use calls::CallOutcome;
pub use census::Standing;
pub use claim::Claimant;
pub use contexts::{
    Change, Context, ContextChange, ContextChanges, ContextOutcomes, Deleted, DueContext, EmbeddingModel,
    FailedEmbedding, FeedEntry, NewContext, Origin, Remembered, Unembedded, Vectors, reader_of,
};
pub use conversations::{
    Acknowledged, Answers, Asked, Bound, Delivery, DeliveryFilter, DueMessage, Found, Inbox, InboxChange,
    Mailbox, NearMessage, NewAgentMessage, Receiver, Receivers, Redriven, RefusedReceiver, Search, Sender,
    Sent, StoredMessage, Swept, Woken,
};
pub use error::{Error, Fault, Reached, Result};
pub use events::Event;
pub use fleet_health::{ComponentHealth, FleetFacts};
pub use forks::NewFork;
pub use journal::Step;
pub use messages::{Message, NewMessage, Reading, Undo};
pub use meter::describe_metrics;
pub use models::{KnownModels, ModelRefresh};
pub use named::{Missing, Named};
pub use once::{Attempt, KeptAnswer, Once, RequestKey};
pub use outcomes::Decision;
pub use pauses::{Pause, PauseScope};
pub use pool::{Config, MIGRATOR, Store};
pub use provider::{ModelState, OpenBreaker, Probe, ProviderEvent, ProviderState, StoppedKey};
pub use reconcile::{Look, Reconciled};
pub use routing::{RoutingVersion, StepRoute};
pub use schedules::{DutyOptions, Makes, NewSchedule, Plan, Schedule, Slot};
pub use sessions::{NewSession, Session};
pub use settle::{Announcement, Settled};
pub use sleep_cycles::{
    Begun, CHANGE_KINDS, ChangeKind, CycleCalls, CycleChange, CycleCounts, CycleFilter, CycleLease,
    CycleWait, EntryText, GIVEN_UP_AFTER, GateFinding, LostProbes, NewCycle, NightAnswer, NightChange,
    NightEntry, NightItem, NightProbe, NightRequest, PhaseEnd, RollbackConflict, RollbackObstacle,
    RollbackWish, RolledBack, ShownEntry, SleepCycle,
};
pub use sleeps::{
    Awakened, Fallen, ListedSleepSettings, PutToSleep, Saving, Sleep, SleepCensus, SleepEvent, Spent, Woke,
};
pub use system_events::{SystemEvent, SystemEventFilter};
pub use task_limits::{LimitKind, Rate, TaskLimit};
pub use tasks::{
    TaskFilter, TaskPage,
    bulk::{BulkAction, MOST_FAILURES, NewBulkAction, Slice},
    changed::Changed,
    dead::{DeadLetter, DeadLetters},
};
pub use tickets::Room;
pub use usage::{GroupBy, UsageSum};
pub use workers::{LiveWorkers, WorkerReport};
