//! The door to the Messages API: one attempt at one call, streamed, with the raw JSON of the reply kept beside
//! a typed view of it.
//!
//! [`Claude::create`] makes exactly one attempt. What to do after a failure is decided in [`verdict`] and
//! nowhere else, so that a worker can give its slot back instead of sleeping through a long wait.
//!
//! Content is sent back as it came. The service signs parts of it and binds the signature to the bytes before
//! them, so a history is only ever appended to and never written anew.

mod assemble;
mod batches;
mod body;
mod catalogue;
mod client;
mod config;
mod error;
mod exchange;
mod head;
mod price;
mod rate_limit;
mod raw;
mod reading;
mod retry;
mod sse;
mod timely;
mod wire;

pub use assemble::Progress;
pub use batches::BatchResults;
pub use catalogue::{
    Catalogue, CatalogueError, Finding, ModelFacts, Source, Standing, Unsendable, limit_name,
};
pub use client::{Claude, Reply};
pub use config::{Config, Secret};
pub use error::{ApiError, Error, ErrorKind, Partial, Phase};
pub use exchange::{Answered, Exchange};
pub use price::{
    ListedPrice, NanoUsd, PriceError, PriceTable, Service, batch_cost, batch_limit, batch_worst_case, cost,
    worst_case,
};
pub use rate_limit::{RateLimits, Window};
pub use retry::{
    EndReason, Health, KeyStop, RetryPolicy, Verdict, WaitReason, accepts_key, health, hold,
    is_unnamed_limit, stops_key, verdict,
};
pub use wire::batch::{
    Batch, BatchCounts, BatchOutcome, BatchPage, BatchReply, BatchRequest, BatchResult, BatchStatus,
};
pub use wire::message::{Block, CacheMiss, Message, ToolInput};
pub use wire::model::Model;
pub use wire::request::{
    COMPACTION_BETA, CacheControl, Compaction, Diagnostics, Display, Effort, Metadata, OutputConfig,
    OutputFormat, Request, RequestMessage, Role, SystemBlock, Thinking, Tool, ToolChoice, Ttl,
};
pub use wire::stop::StopReason;
pub use wire::usage::{CacheCreation, Usage};
