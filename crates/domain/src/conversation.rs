//! What agents write to each other.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::status::{UnknownName, names};

/// The longest content of a message, in bytes; the schema says the same. What is longer belongs into a file or an
/// artifact that the message names.
pub const MAX_CONTENT_BYTES: usize = 8_000;
/// Tasks in a row that may be made for messages, each sent by the one before. Beyond it a message waits until its
/// receiver is at work for another reason.
pub const MOST_HOPS: i16 = 5;
/// Deliveries that may be bound to one task at a time, so that they fit its conversation.
pub const MOST_BOUND: i32 = 20;
/// Deliveries of one agent that may be on their way.
pub const MOST_OPEN: i64 = 1_000;
/// The longest that an answer is waited for, in seconds.
pub const LONGEST_ASK: i64 = 24 * 3600;

names! {
    /// What a message is.
    MessageKind, "kind of message" {
        /// It is told.
        Message = "message",
        /// It waits for an answer.
        Question = "question",
        /// It answers a question.
        Answer = "answer",
    }
}

names! {
    /// Who receives a message.
    Audience, "audience" {
        /// One agent.
        Direct = "direct",
        /// Several.
        Group = "group",
        /// All active agents of the project.
        Broadcast = "broadcast",
    }
}

names! {
    /// How far a message has come on its way to one agent.
    DeliveryState, "state of a delivery" {
        /// It waits for its time, or for a task of the agent.
        Pending = "pending",
        /// To a task, which reads it at its next step edge.
        Bound = "bound",
        /// By a receiver outside, which has not yet said that it has it.
        Taken = "taken",
        /// The journal of a task holds it, or a receiver said so.
        Acknowledged = "acknowledged",
        /// Its tries are used up.
        Dead = "dead",
    }
}
