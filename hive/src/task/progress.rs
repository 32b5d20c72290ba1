//! Following a task as it runs: its event stream, resumed where it broke.

use std::{ops::ControlFlow, time::Duration};

use reqwest::StatusCode;
use serde_json::Value;

use crate::{
    client::{Client, stream},
    failure::Failure,
    output::{plain, text},
};

const ENDS: [&str; 4] = ["task.succeeded", "task.failed", "task.cancelled", "task.dead"];
/// Connections that may break in a row, half a second apart, before the server counts as gone.
const PATIENCE: u32 = 120;

/// Waits for the end. `live` shows steps, tools and cost on stderr meanwhile.
pub(crate) async fn wait(client: &Client, id: &str, live: bool) -> Result<(), Failure> {
    let mut spent = 0.0;
    follow(client, id, 0, true, |event| {
        if live {
            show(event, &mut spent);
        }
        Ok(())
    })
    .await
}

/// Prints every event as a line: until the task ends, or with `no_follow` those that are there.
pub(crate) async fn print_events(
    client: &Client,
    id: &str,
    after: i64,
    no_follow: bool,
    as_json: bool,
) -> Result<(), Failure> {
    follow(client, id, after, !no_follow, |event| {
        if as_json {
            println!("{event}");
        } else {
            println!(
                "{:>4} {} {} {}",
                text(&event["seq"]),
                text(&event["at"]),
                text(&event["kind"]),
                plain(&event["data"].to_string())
            );
        }
        Ok(())
    })
    .await
}

/// Calls `each` for every event after `after`, once and in order, until the task's end, or until there is no further one
/// when it does not wait for more.
async fn follow(
    client: &Client,
    id: &str,
    mut after: i64,
    waits: bool,
    mut each: impl FnMut(&Value) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let path = format!("/api/v1/tasks/{id}/events?follow={waits}");
    let mut broken = 0;
    loop {
        let response = match client.stream(&path, after).await {
            Ok(response) => response,
            Err(Failure::Unreachable(_) | Failure::Later(_)) if broken < PATIENCE => {
                broken += 1;
                tokio::time::sleep(Duration::from_millis(500)).await;
                continue;
            }
            Err(failure) => return Err(failure),
        };
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(());
        }
        let read = stream::read(response, |event| {
            after = event["seq"].as_i64().unwrap_or(after);
            broken = 0;
            each(event)?;
            let ended = waits && event["kind"].as_str().is_some_and(|kind| ENDS.contains(&kind));
            Ok(if ended { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        });
        if read.await?.is_break() {
            return Ok(());
        }
        broken += 1;
        if broken > PATIENCE {
            return Err(Failure::Unreachable("the event stream keeps breaking".to_owned()));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn show(event: &Value, spent: &mut f64) {
    let data = &event["data"];
    let line = match (event["kind"].as_str(), data["kind"].as_str()) {
        (Some("task.step"), Some("reply")) => {
            *spent += data["usage"]["cost_nano_usd"].as_f64().unwrap_or(0.0) / 1e9;
            let tools =
                data["tools"].as_array().into_iter().flatten().map(text).collect::<Vec<_>>().join(", ");
            let said: String = plain(&text(&data["text"])).replace('\n', " ").chars().take(90).collect();
            let tools = if tools.is_empty() { String::new() } else { format!("→ {tools}") };
            format!("step {:<3} {said} {tools}  (${spent:.4})", text(&data["seq"]))
        }
        (Some("task.step"), Some("tool_results")) => {
            let results = data["results"].as_array().into_iter().flatten();
            let shown = results.map(|result| {
                let mark = if result["is_error"] == true { "error: " } else { "" };
                format!("{} {mark}{}", text(&result["tool"]), plain(&text(&result["text"])))
            });
            format!("step {:<3} {}", text(&data["seq"]), shown.collect::<Vec<_>>().join("; "))
        }
        (Some("task.step"), Some("checks")) => {
            let verdict = if data["passed"] == true { "green" } else { "red" };
            format!("step {:<3} checks are {verdict}", text(&data["seq"]))
        }
        (Some("task.step"), _) => format!("step {:<3} {}", text(&data["seq"]), text(&data["kind"])),
        (Some(kind), _) => {
            let why = [&data["reason"], &data["detail"]].map(text).join(" ");
            format!("{} {}", kind.trim_start_matches("task."), plain(why.trim()))
        }
        (None, _) => return,
    };
    eprintln!("  {}", line.trim_end());
    if event["kind"].as_str().is_some_and(|kind| ENDS.contains(&kind)) {
        eprintln!();
    }
}
