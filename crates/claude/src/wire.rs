//! The JSON that goes out and comes in.

pub(crate) mod batch;
pub(crate) mod message;
pub(crate) mod model;
pub(crate) mod request;
pub(crate) mod stop;
pub(crate) mod usage;
