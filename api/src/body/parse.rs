//! From bytes to a value, or to the pointer of what does not fit.

use axum::http::StatusCode;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

use super::nul;
use crate::error::{ApiError, Result};

/// Reads `bytes` as `T`.
///
/// # Errors
/// 400 for what is no JSON, with line and column; 422 for JSON that does not fit, with a pointer.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let value = serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        Category::Syntax | Category::Eof | Category::Io => malformed(&error),
        // Keeping track of the path costs an allocation per key: only what is refused pays for it.
        Category::Data => misfit::<T>(bytes, &error),
    })?;
    // serde reads an array as the fields in their order, which would make that order a part of the interface.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(ApiError::field("", "expected an object, not an array"));
    }
    nul::refuse(bytes)?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "malformed_json", format!("the body is not JSON: {error}"))
}

fn misfit<T: DeserializeOwned>(bytes: &[u8], error: &serde_json::Error) -> ApiError {
    // The first misfit may stand before a place where the text stops being JSON.
    if let Err(error) = serde_json::from_slice::<IgnoredAny>(bytes) {
        return malformed(&error);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let outcome: Result<T, _> = serde_path_to_error::deserialize(&mut deserializer);
    let pointer = match &outcome {
        Ok(_) => String::new(),
        Err(located) => pointer(located.path()),
    };
    let whole = error.to_string();
    let sentence = whole.rsplit_once(" at line ").map_or(whole.as_str(), |(sentence, _)| sentence);
    match missing_field(sentence) {
        Some(field) => ApiError::field(format!("{pointer}/{field}"), "is required"),
        None => ApiError::field(pointer, plain(sentence)),
    }
}

/// serde's sentence without the names of our types.
fn plain(sentence: &str) -> String {
    let Some((found, expected)) = sentence.split_once(", expected ") else {
        return match sentence {
            // What chrono says of a time that is none.
            "input contains invalid characters" | "premature end of input" => {
                "is no time; write RFC 3339, such as 2026-01-31T12:00:00Z".to_owned()
            }
            other => other.to_owned(),
        };
    };
    let expected = match expected.split(' ').next().unwrap_or_default() {
        "struct" => "an object",
        "i64" | "i32" | "i16" | "u64" | "u32" | "u16" | "u8" => "a whole number",
        "f64" => "a number",
        _ => expected,
    };
    format!("{found}, expected {expected}")
}

/// The name in serde's ``missing field `name` ``, whose path ends at the object that lacks it.
fn missing_field(sentence: &str) -> Option<&str> {
    sentence.strip_prefix("missing field `")?.strip_suffix('`')
}

fn pointer(path: &Path) -> String {
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", escaped(key)),
            Segment::Enum { .. } | Segment::Unknown => String::new(),
        })
        .collect()
}

/// A key as it stands in a JSON pointer (RFC 6901, section 3).
pub fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use http_body_util::BodyExt;
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the shape is read")]
    struct Shape {
        title: String,
        #[serde(default)]
        parts: Vec<Part>,
        #[serde(default)]
        free: serde_json::Map<String, Value>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the shape is read")]
    struct Part {
        size: u32,
    }

    async fn problem(body: &[u8]) -> Value {
        let error = parse::<Shape>(body).unwrap_err();
        let bytes = error.into_response().into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[tokio::test]
    async fn each_misfit_is_pointed_to() {
        for (body, pointer) in [
            (json!({}), "/title"),
            (json!({ "title": 1 }), "/title"),
            (json!({ "title": "a", "other": 1 }), "/other"),
            (json!({ "title": "a", "a/b~c": 1 }), "/a~1b~0c"),
            (json!({ "title": "a", "parts": [{ "size": 1 }, {}] }), "/parts/1/size"),
            (json!({ "title": "a", "parts": [{ "size": -1 }] }), "/parts/0/size"),
            (json!({ "title": "a\0b" }), "/title"),
            (json!({ "title": "a", "free": { "x": ["y", "\0"] } }), "/free/x/1"),
            (json!({ "title": "a", "free": { "x\0": 1 } }), "/free"),
        ] {
            let problem = problem(body.to_string().as_bytes()).await;
            assert_eq!(problem["status"], 422, "{problem}");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
            assert_eq!(problem["code"], "validation_failed");
        }
    }

    #[tokio::test]
    async fn what_is_no_json_is_located() {
        let deep = format!("{{\"title\":\"a\",\"free\":{{\"x\":{}", "[".repeat(100_000));
        for body in [&b""[..], b"{", b"{\n \"title\": }", b"\"\xff\"", b"{} {}", deep.as_bytes()] {
            let problem = problem(body).await;
            assert_eq!(problem["status"], 400, "{problem}");
            assert!(problem["detail"].as_str().unwrap().contains("line"), "{problem}");
        }
    }

    #[test]
    fn an_escaped_backslash_is_no_nul() {
        let shape: Shape = parse(br#"{"title":"\\u0000"}"#).unwrap();
        assert_eq!(shape.title, "\\u0000");
    }
}
