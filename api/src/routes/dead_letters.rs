//! Dead letters: tasks whose attempts are used up.

pub mod list;
