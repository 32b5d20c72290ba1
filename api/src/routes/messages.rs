//! What agents write to each other.

pub mod ack;
pub mod conversation;
pub mod dead;
pub mod events;
pub mod inbox;
pub mod list;
pub mod receive;
pub mod redrive;
pub mod search;
pub mod send;
pub mod set_inbox;
