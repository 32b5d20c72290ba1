//! Whether two bodies are the same, and where they first differ.

use serde_json::Value;

/// Characters of a value that are shown.
const SHOWN: usize = 80;
/// Characters that both have in common and that are shown before the first difference of long texts.
const LED_IN: usize = 20;

/// The value as text, with the fields of every object in order of their names.
pub(super) fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_unstable_by_key(|(name, _)| *name);
            text.push('{');
            for (place, (name, value)) in sorted.into_iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write(value, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        plain => text.push_str(&plain.to_string()),
    }
}

/// Where two values first differ, as a JSON pointer and what stands there in each; `None` where they do not.
pub(super) fn first(recorded: &Value, sent: &Value) -> Option<String> {
    at(Some(recorded), Some(sent), "")
}

fn at(recorded: Option<&Value>, sent: Option<&Value>, path: &str) -> Option<String> {
    match (recorded, sent) {
        (Some(Value::Object(recorded)), Some(Value::Object(sent))) => {
            let mut names: Vec<_> = recorded.keys().chain(sent.keys()).collect();
            names.sort_unstable();
            names.dedup();
            let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
            names
                .into_iter()
                .find_map(|name| at(recorded.get(name), sent.get(name), &format!("{path}/{}", escaped(name))))
        }
        (Some(Value::Array(recorded)), Some(Value::Array(sent))) => (0..recorded.len().max(sent.len()))
            .find_map(|place| at(recorded.get(place), sent.get(place), &format!("{path}/{place}"))),
        (recorded, sent) if recorded == sent => None,
        (recorded, sent) => {
            let (recorded, sent) = (recorded.map(canonical), sent.map(canonical));
            // Long texts that begin alike are shown from where they part.
            let common = match (&recorded, &sent) {
                (Some(recorded), Some(sent))
                    if recorded.chars().count().max(sent.chars().count()) > SHOWN =>
                {
                    recorded.chars().zip(sent.chars()).take_while(|(recorded, sent)| recorded == sent).count()
                }
                _ => 0,
            };
            let from = if common > SHOWN / 2 { common - LED_IN } else { 0 };
            Some(format!("{path}: recorded {}, sent {}", shown(recorded, from), shown(sent, from)))
        }
    }
}

fn shown(text: Option<String>, from: usize) -> String {
    let Some(text) = text else {
        return "nothing".to_owned();
    };
    let before = if from > 0 { "…" } else { "" };
    let short: String = text.chars().skip(from).take(SHOWN).collect();
    let after = if text.chars().count() > from + SHOWN { "…" } else { "" };
    format!("{before}{short}{after}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_fields_is_no_difference_and_that_of_items_is() {
        let recorded = json!({"b": [1, {"y": 1, "x": "a/b"}], "a": null});
        let sent: Value =
            serde_json::from_str(r#"{"a":null,"b":[1,{"x":"a/b","y":1}]}"#).expect("the test writes JSON");
        assert_eq!(canonical(&recorded), canonical(&sent));
        assert_eq!(first(&recorded, &sent), None);
        let other = json!({"b": [1, {"y": 2, "x": "a/b"}], "a": null});
        assert_eq!(first(&recorded, &other).as_deref(), Some("/b/1/y: recorded 1, sent 2"));
        let long = |end: &str| json!(format!("{}{end}", "a word ".repeat(40)));
        assert_eq!(
            first(&long("is here"), &long("was there")).as_deref(),
            Some(": recorded … word a word a word is here\", sent … word a word a word was there\"")
        );
        let longer = json!({"b": [1, {"y": 1, "x": "a/b"}, 3], "a": null});
        assert_eq!(first(&recorded, &longer).as_deref(), Some("/b/2: recorded nothing, sent 3"));
    }
}
