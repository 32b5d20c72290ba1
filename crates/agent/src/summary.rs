//! What the model itself makes of a conversation that is put aside: asked for in words, read strictly.

use hive_domain::journal::Summary;

/// What it is asked.
pub(crate) const PROMPT: &str = include_str!("../prompts/summary.md");
/// Bytes of a summary at most: one that is longer has not summed up.
const MOST_BYTES: usize = 12_000;

/// Reads a summary.
///
/// # Errors
/// What is wrong with it, in a few words.
pub(crate) fn read(text: &str) -> Result<Summary, String> {
    let (Some(begin), Some(end)) = (text.find('{'), text.rfind('}')) else {
        return Err("it holds no JSON object".to_owned());
    };
    // Models like to fence what they write.
    let around = [text.get(..begin), text.get(end + 1..)].map(|text| text.unwrap_or_default().trim());
    if !matches!(around, ["", ""] | ["```json" | "```", "```"]) {
        return Err("it holds more than a JSON object".to_owned());
    }
    let json = text.get(begin..=end).unwrap_or_default();
    if json.len() > MOST_BYTES {
        return Err(format!("it is longer than {MOST_BYTES} bytes"));
    }
    let mut summary: Summary = serde_json::from_str(json).map_err(|error| error.to_string())?;
    if summary.state.trim().is_empty() {
        return Err("its state is empty".to_owned());
    }
    for list in [&mut summary.decisions, &mut summary.open_work, &mut summary.failed_approaches] {
        list.retain(|item| !item.trim().is_empty());
    }
    Ok(summary)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        r#"{"state":"half","decisions":["use tabs"],"open_work":["test"," "],"failed_approaches":[]}"#;

    #[test]
    fn a_summary_is_read_with_or_without_a_fence() {
        for text in [GOOD.to_owned(), format!("```json\n{GOOD}\n```"), format!("\n{GOOD}\n")] {
            let summary = read(&text).unwrap();
            assert_eq!((summary.state.as_str(), summary.open_work), ("half", vec!["test".to_owned()]));
        }
    }

    #[test]
    fn what_is_no_summary_is_refused() {
        let long = GOOD.replace("half", &"x".repeat(MOST_BYTES));
        let rows = [
            ("", "no JSON object"),
            ("I would rather go on.", "no JSON object"),
            (r#"{"state":"half","decisions":[],"open_work":[]"#, "no JSON object"),
            (&GOOD.replace("half", " "), "state is empty"),
            (&GOOD.replace("\"decisions\"", "\"choices\""), "unknown field"),
            (r#"{"state":"half","decisions":[],"open_work":[]}"#, "missing field"),
            (&format!("Here it is: {GOOD}"), "more than a JSON object"),
            (&long, "longer than"),
        ];
        for (text, says) in rows {
            let refused = read(text).unwrap_err();
            assert!(refused.contains(says), "{text}: {refused}");
        }
    }
}
