//! Sessions: tasks that belong together.

pub mod create;
pub mod list;
pub mod show;
