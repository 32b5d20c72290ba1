//! What the journal and the ledger keep of an answer.

use std::collections::BTreeMap;

use hive_claude::{Block, Error, StopReason, ToolInput};
use hive_domain::{
    NanoUsd, Usage,
    journal::{CacheMiss, Exchange, Reply, Stop},
};
use serde_json::value::RawValue;

use crate::ask::Question;

/// What the journal keeps of a reply.
pub(crate) fn journal_reply(question: &Question, reply: hive_claude::Reply) -> Reply {
    let broken = reply.message.content.iter().filter_map(|block| match block {
        Block::ToolUse { id, input: ToolInput::Invalid(text), .. } => Some((id.clone(), text.clone())),
        Block::ToolUse { .. } | Block::Text { .. } | Block::Thinking { .. } | Block::Other { .. } => None,
    });
    let broken_inputs: BTreeMap<String, String> = broken.collect();
    // The provider may answer under a more exact name; its price is that of the model we asked for.
    let usage = usage_of(&question.model, &reply.usage);
    let cache_miss = reply.message.cache_miss.map(|miss| CacheMiss {
        reason: miss.reason,
        missed_tokens: miss.cache_missed_input_tokens.and_then(|tokens| i64::try_from(tokens).ok()),
    });
    let exchange = Exchange {
        message_id: reply.message.id,
        prefix_sha256: hex(&question.prefix),
        request_sha256: hex(&question.digest),
        cache_miss,
    };
    Reply {
        content: RawValue::from_string(reply.content_json).unwrap_or_else(|_| RawValue::NULL.to_owned()),
        stop: stop_of(&reply.message.stop_reason),
        model: reply.message.model,
        requested_model: None,
        usage,
        broken_inputs,
        request_id: reply.request_id,
        exchange: Some(Box::new(exchange)),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn stop_of(reason: &StopReason) -> Stop {
    match reason {
        StopReason::EndTurn => Stop::EndTurn,
        StopReason::StopSequence => Stop::StopSequence,
        StopReason::ToolUse => Stop::ToolUse,
        StopReason::MaxTokens => Stop::MaxTokens,
        StopReason::PauseTurn => Stop::PauseTurn,
        StopReason::Refusal => Stop::Refusal,
        StopReason::ModelContextWindowExceeded => Stop::ModelContextWindowExceeded,
        StopReason::Compaction | StopReason::Unknown(_) => Stop::Other(reason.as_str().to_owned()),
    }
}

/// What was charged, with its price by the model that was asked.
pub(crate) fn usage_of(model: &str, usage: &hive_claude::Usage) -> Usage {
    /// No call has more; what a confused server reports beyond it must not overflow a sum.
    const MOST: i64 = 1 << 40;
    let count = |tokens: u64| i64::try_from(tokens).unwrap_or(MOST).min(MOST);
    Usage {
        input_tokens: count(usage.input_tokens),
        output_tokens: count(usage.output_tokens),
        cache_read_tokens: count(usage.cache_read_input_tokens),
        cache_write_tokens: count(usage.cache_creation_input_tokens),
        cache_write_1h_tokens: count(usage.cache_creation.ephemeral_1h_input_tokens),
        cost: NanoUsd(hive_claude::cost(model, usage).map_or(0, |cost| cost.0.clamp(0, MOST * 100))),
    }
}

/// The error and its causes in one line, for the task. Without secrets: a provider may repeat what it was sent.
pub(crate) fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    hive_telemetry::redact(&text).chars().take(500).collect()
}
