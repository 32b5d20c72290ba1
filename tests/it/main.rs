//! Stories: a task goes in through the front door, and what comes out is looked at where a user would look.

#![expect(clippy::unwrap_used, reason = "a story fails by panicking")]

mod blocked_trees;
mod bulk;
mod cancelling;
mod circles;
mod clock;
mod command_line;
mod crashes;
mod dashboards;
mod events;
mod fault_matrix;
mod fault_sequences;
mod fleet_rate;
mod forking;
mod frozen;
mod gates;
mod history;
mod isolation;
mod key_stop;
mod large_output;
mod limits;
mod logs;
mod main_job;
mod odd_answers;
mod order;
mod outage;
mod pinned;
mod postgres_away;
mod redis_loss;
mod redis_user;
mod refusals;
mod retries;
mod retry_after;
mod rollback;
mod rolling_restart;
mod rush;
mod steering;
mod timers;
mod unknown_outcome;
mod verdicts;
mod verify;
mod waiting;
