//! Stories: a task goes in through the front door, and what comes out is looked at where a user would look.

#![expect(clippy::unwrap_used, reason = "a story fails by panicking")]

mod aimock;
mod blocked_trees;
mod bulk;
mod cache;
mod cancelling;
mod circles;
mod clock;
mod command_line;
mod crashes;
mod dashboards;
mod events;
mod forking;
mod frozen;
mod gates;
mod history;
mod isolation;
mod large_output;
mod limits;
mod logs;
mod main_job;
mod odd_answers;
mod order;
mod pinned;
mod postgres_away;
mod redis_loss;
mod redis_user;
mod refusals;
mod retries;
mod rollback;
mod rolling_restart;
mod rush;
mod segments;
mod steering;
mod timers;
mod typescript_sdk;
mod unknown_outcome;
mod verdicts;
mod verify;
mod waiting;
