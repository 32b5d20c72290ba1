//! What tickets lead to. One file each.

pub(crate) mod run_task;
