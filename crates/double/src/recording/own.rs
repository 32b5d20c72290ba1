//! What belongs to one run and not to what is said in it. Two runs of one task differ in these things and in nothing
//! else; they are made equal here, in what was recorded and in what is sent, before both are compared:
//!
//! - the task's id: `metadata.user_id`, and the same text wherever it stands. It becomes `{task}`.
//! - how long something took, as commands print it, in messages of the user: `0.003s`, `12 ms`, `1.5 seconds`. It
//!   becomes `{time}`.
//! - a moment to the second in UTC, as the harness writes it, in messages of the user: `2026-11-27T09:00:00Z`. It
//!   becomes `{moment}`.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

/// The least length of an id that is looked for in texts: a shorter one may be a word.
const LEAST_ID: usize = 16;

#[expect(clippy::unwrap_used, reason = "the tests compile them")]
static TIME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b\d+(?:\.\d+)? ?(?:ms|s|sec|milliseconds?|seconds?)\b").unwrap());
#[expect(clippy::unwrap_used, reason = "the tests compile them")]
static MOMENT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").unwrap());

/// The body of a request without what belongs to one run.
pub(super) fn left_out(body: &Value) -> Value {
    let mut body = body.clone();
    let user = body.pointer("/metadata/user_id").and_then(Value::as_str).map(str::to_owned);
    if let Some(id) = user {
        if id.len() >= LEAST_ID {
            each_text(&mut body, &mut |text| {
                if text.contains(&id) {
                    *text = text.replace(&id, "{task}");
                }
            });
        }
        body["metadata"]["user_id"] = "{task}".into();
    }
    let messages = body.get_mut("messages").and_then(Value::as_array_mut);
    for message in messages.into_iter().flatten().filter(|message| message["role"] == "user") {
        if let Some(content) = message.get_mut("content") {
            each_text(content, &mut |text| {
                for (pattern, stands) in [(&MOMENT, "{moment}"), (&TIME, "{time}")] {
                    if pattern.is_match(text) {
                        *text = pattern.replace_all(text, stands).into_owned();
                    }
                }
            });
        }
    }
    body
}

/// Every text in a value; names of fields are none.
fn each_text(value: &mut Value, change: &mut impl FnMut(&mut String)) {
    match value {
        Value::String(text) => change(text),
        Value::Array(items) => items.iter_mut().for_each(|item| each_text(item, change)),
        Value::Object(fields) => fields.values_mut().for_each(|item| each_text(item, change)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(task: &str, took: &str, at: &str) -> Value {
        json!({
            "model": "m", "metadata": { "user_id": task }, "system": "Wait 5s.",
            "messages": [
                { "role": "user", "content": format!("Work on hive/{task}.") },
                { "role": "assistant", "content": [{ "type": "text", "text": "It took 3s." }] },
                { "role": "user", "content": [
                    { "type": "tool_result", "tool_use_id": "t", "content": format!("Ran 3 tests in {took}\nOK") },
                    { "type": "text", "text": format!("it is {at}.") }] },
            ],
        })
    }

    #[test]
    fn runs_of_one_task_are_alike_and_nothing_else_is() {
        let one = body("0199a0b0-0000-7000-8000-000000000001", "0.003s", "2026-11-27T09:00:00Z");
        let other = body("0199a0b0-0000-7000-8000-000000000002", "12.5 s", "2026-11-28T10:01:02Z");
        assert_eq!(left_out(&one), left_out(&other));
        let [first, _, last] = left_out(&one)["messages"].as_array().unwrap().clone().try_into().unwrap();
        assert_eq!(first["content"], "Work on hive/{task}.");
        assert_eq!(last["content"][0]["content"], "Ran 3 tests in {time}\nOK");
        assert_eq!(last["content"][1]["text"], "it is {moment}.");
        for (pointer, changed) in [
            ("/system", json!("Wait 6s.")),
            ("/messages/1/content/0/text", json!("It took 4s.")),
            ("/messages/2/content/0/content", json!("Ran 4 tests in 0.003s\nOK")),
            ("/messages/2/content/0/tool_use_id", json!("u")),
        ] {
            let mut changed_body = one.clone();
            *changed_body.pointer_mut(pointer).unwrap() = changed;
            assert_ne!(left_out(&changed_body), left_out(&one), "{pointer}");
        }
    }

    #[test]
    fn times_are_told_from_numbers() {
        for (text, stands) in [
            ("in 0.003s", "in {time}"),
            ("took 12 ms, 1 second", "took {time}, {time}"),
            ("1.25 seconds", "{time}"),
            ("3 tests", "3 tests"),
            ("v1.2.3 s3 5sx", "v1.2.3 s3 5sx"),
        ] {
            assert_eq!(TIME.replace_all(text, "{time}"), stands);
        }
    }

    #[test]
    fn a_short_id_is_not_looked_for_in_texts() {
        let body =
            json!({ "metadata": { "user_id": "a" }, "messages": [{ "role": "user", "content": "a cat" }] });
        assert_eq!(left_out(&body)["messages"][0]["content"], "a cat");
        assert_eq!(left_out(&body)["metadata"]["user_id"], "{task}");
    }
}
