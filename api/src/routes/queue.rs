//! What holds tasks back: pauses and limits.

pub mod drop_limit;
pub mod limits;
pub mod pause;
pub mod pauses;
pub mod resume;
pub mod set_limit;
