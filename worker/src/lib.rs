//! Tickets in, outcomes out: claims tasks, runs their agents under a lease, settles what came of them.

mod batches;
mod checkpoints;
mod config;
mod flow;
mod housekeeping;
mod jobs;
mod leases;
mod meter;
mod model_list;
mod nights;
mod poll;
mod process;
mod slots;
mod strays;

pub use config::Config;
pub use process::run;
