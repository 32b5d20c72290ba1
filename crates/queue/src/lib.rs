//! The door to Redis: tickets over apalis in five lanes, and live events over pub/sub. Only this crate sees
//! apalis and Redis.
//!
//! A [`Ticket`] is a nudge: "task X may be runnable as activation E". The row in Postgres decides, so a ticket
//! may be lost, come twice or come late, and Redis may forget everything at any moment: the reconciler finds
//! what is runnable and announces it again. What this crate owes its callers is latency and to keep going.
//!
//! # Keys
//!
//! A lane is one apalis queue, `{prefix:lane}`; the braces are part of the key and keep a lane in one cluster
//! slot. Under it lie (names in `keys`):
//!
//! | key | type | holds |
//! | --- | --- | --- |
//! | `:active` | list | ids that wait, oldest first |
//! | `:data` | hash | id → payload; an id is `task:epoch`, and its payload is the same text |
//! | `:meta:<id>` | hash | apalis' bookkeeping of the id, and `at`, the second it was announced |
//! | `:inflight:<worker>` | set | ids a worker has fetched and not acknowledged |
//! | `:done`, `:dead` | sets | ids that were handled, or given up by apalis |
//! | `:workers` | sorted set | worker name → last heartbeat |
//! | `:workers:metadata:<worker>` | hash | some kilobytes about a worker that apalis never deletes |
//! | `:names` | sorted set | ours: every worker name, so that the row above can be found and deleted |
//! | `:scheduled`, `:signal` | | apalis' own; nothing of ours is ever written there |
//!
//! Beside them, for each key of the provider and model, `{prefix:gate:<key>:<model>}` with `:rate` (hash: the fleet's
//! rate), `:hold` (the millisecond before which nobody calls) and `:seen` (list: how the last calls ended); see `limiter`.
//! The lists `prefix:agent_messages:<agent>` hold the ids of what waits for an agent, and `prefix:agent_messages:written`
//! says that they do; see `mailbox`. The channel `prefix:ticket_wake` (a message is the name of a lane), the channels
//! `prefix:<channel>` of live events, and `core:apalis:queues:list`, which apalis writes.
//!
//! # The life of a ticket
//!
//! 1. [`Queue::announce`] puts the id at the end of `:active` unless `:data` knows it, and publishes a wake. A
//!    lane takes no more than its cap. Each announcement also drops twice as many spent tickets as it adds.
//! 2. A wake lets the lane's worker fetch one id: `:active` → `:inflight:<worker>`, in one script.
//! 3. The handler of [`Queue::run`] returns; apalis moves the id to `:done`. From then on the same ticket may
//!    be announced again.
//! 4. A worker that ends puts back what it holds. One that was killed is silent for ten seconds, and then the
//!    heartbeat of any other puts its tickets back.
//! 5. [`Queue::janitor`] drops what is spent, dead or lost.
//!
//! # The guard rails
//!
//! apalis is a fine worker runtime; apalis-redis 1.0.0 has defects that a use like ours meets. For each there
//! is one rail here and one test in `tests/it`.
//!
//! | apalis-redis 1.0.0 | here |
//! | --- | --- |
//! | every push goes to `:scheduled`, and 8,000 due ids there end every worker on every poll | own script straight to `:active`; a start empties `:scheduled` in slices |
//! | more than one fetched ticket stops heartbeats and acknowledgements | batch of one, concurrency of one |
//! | the lock walks the backlog for each ticket and is read by nobody | off |
//! | a fetch happens only on a poll; wakes get lost; idle latency is up to 30 s | a waker on every poll, rung by pub/sub, its echo and a tick |
//! | any error of Redis ends the worker, 500 ms of silence included | 5 s of patience; restart under the Monitor with a growing pause |
//! | a name is refused until its last heartbeat is old | a new name for each start |
//! | an undecodable payload ends the worker | payloads are bytes, read by us |
//! | an id without payload or bookkeeping ends worker after worker | each start removes such ids first |
//! | a handler's error or panic is retried 25 times or left as dead | handlers run apart and always end well |
//! | spent tickets and worker records are kept for ever | dropped by announcements and the janitor |
//!
//! # Metrics
//!
//! Counters, by lane where a lane is known; [`describe_metrics`] says what each means.
//!
//! # Clocks
//!
//! Heartbeats are clocked by the workers' own clocks: one that is ten seconds behind its neighbours loses its
//! tickets to them, which costs a claim that finds nothing.

mod announce;
mod config;
mod error;
mod handler;
mod janitor;
mod keys;
mod lane;
mod life;
mod limiter;
mod list;
mod mailbox;
mod meter;
mod notify;
mod pace;
mod payload;
mod queue;
mod run;
mod scripts;
mod subscribe;
mod ticket;
mod wake;

pub use config::{Config, WorkerConfig};
pub use error::Error;
pub use lane::Lane;
pub use limiter::{Ask, Bucket, Ended, Grant, Minute, Settlement};
pub use list::{LaneList, ListedTicket};
pub use mailbox::agent_events;
pub use meter::describe_metrics;
pub use queue::Queue;
pub use subscribe::{Notice, Subscription};
pub use ticket::Ticket;
