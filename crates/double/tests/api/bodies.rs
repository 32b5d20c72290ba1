//! Request bodies and the pieces they are made of.

use serde_json::{Value, json};

use crate::client::{hello, hello_with};

pub fn user(content: Value) -> Value {
    json!({ "role": "user", "content": content })
}

pub fn assistant(content: Value) -> Value {
    json!({ "role": "assistant", "content": content })
}

/// A request with these messages.
pub fn talk(messages: Value) -> Value {
    hello_with(json!({ "messages": messages }))
}

/// A request with one user message of one block.
pub fn with_block(block: Value) -> Value {
    talk(json!([user(json!([block]))]))
}

pub fn tool_use(id: &str) -> Value {
    json!({ "type": "tool_use", "id": id, "name": "shell", "input": {} })
}

pub fn result(id: &str) -> Value {
    json!({ "type": "tool_result", "tool_use_id": id, "content": "ok" })
}

/// A request to this model.
pub fn model(id: &str, more: Value) -> Value {
    let mut body = hello_with(more);
    body["model"] = id.into();
    body
}

/// A request with so many cache markers.
pub fn marked(count: usize) -> Value {
    let block = json!({ "type": "text", "text": "a", "cache_control": { "type": "ephemeral" } });
    talk(json!([user(Value::Array(vec![block; count]))]))
}

/// The smallest request but for one field.
pub fn without(field: &str) -> Value {
    let mut body = hello();
    if let Some(fields) = body.as_object_mut() {
        fields.remove(field);
    }
    body
}
