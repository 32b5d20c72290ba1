//! What the model that was asked for allows.

use serde_json::{Map, Value};

use super::{Sent, object, only, schema, string};
use crate::catalogue::{Model, Thinking};
use crate::refusal::Refusal;

/// Least tokens of an explicit thinking budget.
const LEAST_BUDGET: u64 = 1_024;
/// Start of the name of the beta that decides over thinking blocks of another conversation.
pub(super) const BINDING_BETA: &str = "thinking-binding-controls-";
const EFFORTS: [&str; 5] = ["low", "medium", "high", "xhigh", "max"];

pub(super) fn check(body: &Map<String, Value>, model: &Model, sent: &Sent) -> Result<(), Refusal> {
    let max_tokens = body.get("max_tokens").and_then(Value::as_u64);
    if let Some(given) = max_tokens.filter(|given| *given > model.max_output) {
        return Err(Refusal::invalid(format!(
            "max_tokens: {given} > {}, which is the maximum allowed number of output tokens for {}",
            model.max_output, model.id
        )));
    }
    sampling(body, model)?;
    let effort = output_config(body)?;
    thinking(body, model, effort, max_tokens)?;
    block_binding(body, sent)?;
    let choice = body.get("tool_choice").and_then(|choice| choice["type"].as_str());
    if let Some(forced @ ("any" | "tool")) = choice.filter(|_| !model.forced_tool) {
        let message = format!("tool_choice: type \"{forced}\" is not supported by {}", model.id);
        return Err(Refusal::invalid(message));
    }
    Ok(())
}

fn sampling(body: &Map<String, Value>, model: &Model) -> Result<(), Refusal> {
    for field in ["temperature", "top_p", "top_k"] {
        let Some(given) = body.get(field) else { continue };
        let number = given
            .as_f64()
            .ok_or_else(|| Refusal::invalid(format!("{field}: Input should be a valid number")))?;
        let default = field != "top_k" && (number - 1.0).abs() < f64::EPSILON;
        if !model.sampling && !default {
            let message = format!("{field}: only the default value is supported by {}", model.id);
            return Err(Refusal::invalid(message));
        }
    }
    Ok(())
}

/// Checks effort and format; the effort that was asked for.
fn output_config(body: &Map<String, Value>) -> Result<Option<&str>, Refusal> {
    let Some(config) = body.get("output_config") else {
        return Ok(None);
    };
    let config = object(config, "output_config")?;
    only(config, "output_config.", &["effort", "format"])?;
    if let Some(format) = config.get("format").filter(|format| !format.is_null()) {
        let fields = object(format, "output_config.format")?;
        only(fields, "output_config.format.", &["type", "schema"])?;
        if format["type"] != "json_schema" {
            return Err(Refusal::invalid("output_config.format.type: Input should be 'json_schema'"));
        }
        let schema = fields
            .get("schema")
            .ok_or_else(|| Refusal::invalid("output_config.format.schema: Field required"))?;
        schema::check(schema, "output_config.format.schema")?;
    }
    match config.get("effort") {
        None | Some(Value::Null) => Ok(None),
        Some(effort) => match effort.as_str().filter(|effort| EFFORTS.contains(effort)) {
            Some(effort) => Ok(Some(effort)),
            None => Err(Refusal::invalid(format!(
                "output_config.effort: Input should be '{}'",
                EFFORTS.join("', '")
            ))),
        },
    }
}

/// What is to happen to thinking blocks of another conversation; a beta.
fn block_binding(body: &Map<String, Value>, sent: &Sent) -> Result<(), Refusal> {
    let path = "thinking.block_binding";
    let Some(given) = body.get("thinking").and_then(|thinking| thinking.get("block_binding")) else {
        return Ok(());
    };
    if !sent.asks_for(BINDING_BETA) {
        return Err(Refusal::invalid(format!("{path}: Extra inputs are not permitted")));
    }
    if given.is_null() {
        return Ok(());
    }
    let fields = object(given, path)?;
    only(fields, "thinking.block_binding.", &["prefix_mismatch_behavior"])?;
    match fields.get("prefix_mismatch_behavior").map(Value::as_str) {
        None | Some(Some("error" | "drop_block")) => Ok(()),
        Some(_) => Err(Refusal::invalid(format!(
            "{path}.prefix_mismatch_behavior: Input should be 'error' or 'drop_block'"
        ))),
    }
}

fn thinking(
    body: &Map<String, Value>,
    model: &Model,
    effort: Option<&str>,
    max_tokens: Option<u64>,
) -> Result<(), Refusal> {
    let Some(given) = body.get("thinking") else {
        return Ok(());
    };
    let fields = object(given, "thinking")?;
    let name = string(fields, "thinking.", "type")?;
    let Some(kind) = Thinking::ALL.into_iter().find(|kind| kind.name() == name) else {
        let message = format!("thinking: Input tag '{name}' does not match any of the expected tags");
        return Err(Refusal::invalid(message));
    };
    let known: &[&str] = match kind {
        Thinking::Adaptive => &["type", "display", "block_binding"],
        Thinking::Enabled => &["type", "display", "budget_tokens", "block_binding"],
        Thinking::Disabled | Thinking::BetweenTools => &["type"],
    };
    only(fields, "thinking.", known)?;
    if !matches!(fields.get("display").map(Value::as_str), None | Some(Some("summarized" | "omitted"))) {
        return Err(Refusal::invalid("thinking.display: Input should be 'summarized' or 'omitted'"));
    }
    if !model.thinking.contains(&kind) {
        let message = format!("thinking.type: \"{name}\" is not supported by {}", model.id);
        return Err(Refusal::invalid(message));
    }
    if kind == Thinking::Disabled && model.disabled_up_to_high && matches!(effort, Some("xhigh" | "max")) {
        let message = format!("thinking.type: \"disabled\" needs effort high or lower on {}", model.id);
        return Err(Refusal::invalid(message));
    }
    if kind == Thinking::Enabled {
        let budget = fields.get("budget_tokens").and_then(Value::as_u64);
        let budget = budget.ok_or_else(|| Refusal::invalid("thinking.budget_tokens: Field required"))?;
        if budget < LEAST_BUDGET {
            let message = "thinking.budget_tokens: Input should be greater than or equal to 1024";
            return Err(Refusal::invalid(message));
        }
        if max_tokens.is_some_and(|max| budget >= max) {
            return Err(Refusal::invalid("`max_tokens` must be greater than `thinking.budget_tokens`."));
        }
    }
    Ok(())
}
