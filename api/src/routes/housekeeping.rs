//! Housekeeping: duties that remove what nobody needs any more.

pub mod list;
pub mod order;
pub mod run;
