//! Done is decided here: the acceptance commands on the final tree, run by the harness in the sandbox.

use std::{path::Path, time::Duration};

use hive_domain::{
    journal::{CheckResult, Checks},
    task::AcceptanceCheck,
};
use hive_sandbox::{Job, Sandbox};
use tokio_util::sync::CancellationToken;

use crate::{
    act::{clean, cut_middle},
    tools::capture_text,
};

/// What is kept of a check's output, in bytes.
const MAX_OUTPUT_BYTES: usize = 4 << 10;

/// Runs every command, in order; a red one does not keep the others from running.
///
/// # Errors
/// When the sandbox could not run a command: nothing is known then, and nothing is claimed.
pub async fn run(
    checks: &[AcceptanceCheck],
    tree: &Path,
    sandbox: &Sandbox,
    cancel: &CancellationToken,
) -> Result<Vec<CheckResult>, hive_sandbox::Error> {
    let mut results = Vec::with_capacity(checks.len());
    for check in checks {
        let mut job = Job::new(tree, ["bash", "-c", &check.command]);
        job.limits.wall = Duration::from_secs(check.timeout_seconds);
        job.limits.cpu_seconds = check.timeout_seconds.saturating_mul(2);
        let output = sandbox.run(&job, cancel).await?;
        let mut text = capture_text(&output);
        if let Some(limit) = output.ended_by {
            text = format!("ended by its limit of {limit}\n{text}");
        }
        results.push(CheckResult {
            name: check.name.clone(),
            command: check.command.clone(),
            passed: output.success(),
            exit_code: output.ended_by.is_none().then(|| output.code()),
            milliseconds: u64::try_from(output.wall.as_millis()).unwrap_or(u64::MAX),
            output: cut_middle(&clean(text), MAX_OUTPUT_BYTES),
        });
    }
    Ok(results)
}

/// The journal entry for what was found.
#[must_use]
pub fn entry(summary: String, results: Vec<CheckResult>, tree: Option<String>) -> Checks {
    let passed = results.iter().all(|check| check.passed);
    let message = if passed { String::new() } else { message(&results) };
    Checks { summary, results, tree, passed, message }
}

fn message(results: &[CheckResult]) -> String {
    let mut text =
        "The checks failed. The harness ran the acceptance commands on the files as you left them; the task \
                    is not done until they are green.\n"
            .to_owned();
    for check in results {
        let verdict = if check.passed { "green" } else { "red" };
        text.push_str(&format!("\n## {}: {verdict}\n`{}`\n", check.name, check.command));
        if !check.passed {
            text.push_str(&format!("{}\n", check.output.trim_end()));
        }
    }
    text
}
