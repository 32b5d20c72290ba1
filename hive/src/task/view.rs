//! Tasks as people read them.

use serde_json::Value;

use super::paused::is_held;
use crate::{
    failure::Failure,
    output::{self, plain, text},
};

/// A page of tasks, with the pauses that hold now.
pub(crate) fn list(page: &Value, pauses: &Value) -> Result<(), Failure> {
    let tasks = page["items"].as_array().cloned().unwrap_or_default();
    let row = |task: &Value| {
        let cost = task["usage"]["cost_usd"].as_f64().unwrap_or(0.0);
        vec![
            text(&task["id"]),
            to_the_second(&text(&task["created_at"])),
            text(&task["status"]),
            if is_held(task, pauses) { "paused".to_owned() } else { text(&task["status_reason"]) },
            text(&task["priority"]),
            text(&task["agent"]["type"]),
            format!("${cost:.4}"),
            plain(&text(&task["title"])).chars().take(60).collect(),
        ]
    };
    let rows: Vec<Vec<String>> = tasks.iter().map(row).collect();
    output::table(&["ID", "CREATED", "STATUS", "REASON", "PRIORITY", "AGENT", "COST", "TITLE"], &rows);
    Ok(())
}

/// A time of the API, which is UTC, without what is smaller than seconds.
fn to_the_second(time: &str) -> String {
    match time.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => time.to_owned(),
    }
}

pub(crate) fn task(task: &Value) -> Result<(), Failure> {
    let reason = match &task["status_reason"] {
        Value::Null => String::new(),
        reason => format!(" ({})", text(reason)),
    };
    println!("{}  {}", text(&task["id"]), plain(&text(&task["title"])));
    println!("status   {}{reason}", text(&task["status"]));
    let parked = ["pending", "waiting"].contains(&text(&task["status"]).as_str());
    if parked && !["dependencies", "concurrency"].contains(&text(&task["status_reason"]).as_str()) {
        println!("due      {}", text(&task["run_at"]));
    }
    if let Some(detail) = task["status_detail"].as_str() {
        println!("detail   {}", plain(detail));
    }
    if task["agent"].is_object() {
        println!("agent    {} v{}", plain(&text(&task["agent"]["name"])), text(&task["agent"]["version"]));
    }
    if task["forked_from"].is_string() {
        println!("forked   from {} after step {}", text(&task["forked_from"]), text(&task["forked_at"]));
    }
    let result = &task["result"];
    if let Some(summary) = result["summary"].as_str().filter(|summary| !summary.is_empty()) {
        println!("summary  {}", plain(summary));
    }
    if let Some(branch) = result["branch"].as_str() {
        let stat = &result["diff_stat"];
        println!(
            "branch   {branch} at {} ({} files, +{} -{})",
            text(&result["commit"]),
            text(&stat["files"]),
            text(&stat["insertions"]),
            text(&stat["deletions"]),
        );
    }
    for check in result["checks"].as_array().into_iter().flatten() {
        let verdict = if check["passed"] == true { "green" } else { "red" };
        println!("check    {verdict}  {}", plain(&text(&check["command"])));
        if check["passed"] != true {
            println!("{}", plain(text(&check["output"]).trim_end()));
        }
    }
    println!("usage    {}", usage(&task["usage"]));
    Ok(())
}

/// When a task came and went, and where it stands among the others: what `show` says beside what became of it.
pub(crate) fn place(task: &Value) -> Result<(), Failure> {
    let line = |name: &str, what: String| {
        if !what.is_empty() {
            println!("{name:<8} {}", plain(&what));
        }
    };
    let said = |parts: &[(&str, &str)]| {
        let known = parts.iter().filter(|(_, field)| !task[*field].is_null());
        known.map(|(words, field)| format!("{words}{}", text(&task[*field]))).collect::<Vec<_>>().join(", ")
    };
    line(
        "times",
        said(&[("created ", "created_at"), ("started ", "started_at"), ("ended ", "completed_at")]),
    );
    line("deadline", text(&task["deadline"]));
    line(
        "queue",
        said(&[("priority ", "priority"), ("key ", "concurrency_key"), ("error class ", "error_class")]),
    );
    line("attempts", format!("{} of {}", text(&task["attempt"]), text(&task["max_attempts"])));
    line("part of", said(&[("task ", "parent_id"), ("session ", "session_id")]));
    let ids = task["dependencies"].as_array().into_iter().flatten().map(text);
    line("after", ids.collect::<Vec<_>>().join(" "));
    line("again", text(&task["redriven_from"]));
    let labels = task["labels"].as_object().into_iter().flatten();
    line(
        "labels",
        labels.map(|(name, value)| format!("{name}={}", text(value))).collect::<Vec<_>>().join(" "),
    );
    Ok(())
}

pub(crate) fn usage(usage: &Value) -> String {
    format!(
        "{} tokens in, {} out, {} read from the cache, {} written to it, ${:.6}",
        text(&usage["input_tokens"]),
        text(&usage["output_tokens"]),
        text(&usage["cache_read_tokens"]),
        text(&usage["cache_write_tokens"]),
        usage["cost_usd"].as_f64().unwrap_or(0.0),
    )
}

pub(crate) fn steps(steps: &[Value]) -> Result<(), Failure> {
    for step in steps {
        let commit = step["commit"].as_str().map(|hash| format!("  commit {}", &hash[..hash.len().min(12)]));
        println!("{:>3} {}{}", text(&step["seq"]), text(&step["kind"]), commit.unwrap_or_default());
        for line in content(step).lines().take(12) {
            println!("      {}", plain(line).chars().take(160).collect::<String>());
        }
    }
    Ok(())
}

fn content(step: &Value) -> String {
    let content = &step["content"];
    match step["kind"].as_str() {
        Some("reply") => {
            let blocks = content["content"].as_array().cloned().unwrap_or_default();
            let shown = blocks.iter().map(|block| match block["type"].as_str() {
                Some("text") => text(&block["text"]),
                Some("tool_use") => format!("{} {}", text(&block["name"]), block["input"]),
                other => format!("[{}]", other.unwrap_or("unknown")),
            });
            shown.collect::<Vec<_>>().join("\n")
        }
        Some("tool_results") => {
            let results = content["results"].as_array().cloned().unwrap_or_default();
            let shown = results
                .iter()
                .map(|result| format!("{}: {}", text(&result["tool"]), text(&result["content"])));
            shown.collect::<Vec<_>>().join("\n")
        }
        Some("checks") => {
            let results = content["results"].as_array().cloned().unwrap_or_default();
            let verdict = |check: &Value| if check["passed"] == true { "green" } else { "red" };
            let shown =
                results.iter().map(|check| format!("{}  {}", verdict(check), text(&check["command"])));
            shown.collect::<Vec<_>>().join("\n")
        }
        Some("rollback") => format!("undone from step {} on", text(&content["from"])),
        Some("intent") => format!("{} is about to be called", text(&content["tool"])),
        Some("outcome") if content["took_place"] != true => {
            format!("{} did not take place", text(&content["tool"]))
        }
        Some("outcome") => format!("{}: {}", text(&content["tool"]), text(&content["content"])),
        _ => text(&content["text"]),
    }
}

pub(crate) fn messages(messages: &[Value]) -> Result<(), Failure> {
    for message in messages {
        println!(
            "{:>3} {} ({}, {})",
            text(&message["number"]),
            text(&message["author"]),
            text(&message["policy"]),
            text(&message["state"])
        );
        for line in text(&message["text"]).lines() {
            println!("      {}", plain(line));
        }
    }
    Ok(())
}

/// Why a task stands where it stands.
pub(crate) fn why(why: &Value) -> Result<(), Failure> {
    println!("{} ({})", text(&why["status"]), text(&why["cause"]));
    println!("why      {}", plain(&text(&why["explanation"])));
    println!("clears   {}", plain(&text(&why["clears"])));
    if !why["until"].is_null() {
        println!("until    {}", text(&why["until"]));
    }
    for task in why["tasks"].as_array().into_iter().flatten() {
        println!("task     {}", text(task));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_ends_with_its_seconds() {
        assert_eq!(to_the_second("2026-01-31T12:00:00.123456Z"), "2026-01-31T12:00:00Z");
        assert_eq!(to_the_second("2026-01-31T12:00:00Z"), "2026-01-31T12:00:00Z");
    }
}
