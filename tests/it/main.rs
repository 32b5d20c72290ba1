//! Stories: a task goes in through the front door, and what comes out is looked at where a user would look.

#![expect(clippy::unwrap_used, reason = "a story fails by panicking")]

mod cancelling;
mod crashes;
mod dashboards;
mod events;
mod frozen;
mod gates;
mod history;
mod isolation;
mod limits;
mod logs;
mod main_job;
mod odd_answers;
mod order;
mod postgres_away;
mod redis_loss;
mod redis_user;
mod refusals;
mod rolling_restart;
mod verdicts;
mod waiting;
