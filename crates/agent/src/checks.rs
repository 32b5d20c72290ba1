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
    meter,
    tools::capture_text,
};

/// What is kept of a check's output, in bytes.
const MAX_OUTPUT_BYTES: usize = 4 << 10;

/// Runs one command, for at most `left` when that is less than its own time.
///
/// # Errors
/// When the sandbox could not run the command: nothing is known then, and nothing is claimed.
pub async fn run(
    check: &AcceptanceCheck,
    tree: &Path,
    sandbox: &Sandbox,
    cancel: &CancellationToken,
    left: Option<Duration>,
) -> Result<CheckResult, hive_sandbox::Error> {
    let mut job = Job::new(tree, ["bash", "-c", &check.command]);
    let own = Duration::from_secs(check.timeout_seconds);
    job.limits.wall =
        left.map_or(own, |left| left.clamp(Duration::from_secs(1), own.max(Duration::from_secs(1))));
    job.limits.cpu_seconds = check.timeout_seconds.saturating_mul(2);
    let (passed, exit_code, wall, text) = match sandbox.run(&job, cancel).await {
        Ok(output) => {
            meter::command(&output);
            let ended =
                output.ended_by.map(|limit| format!("ended by its limit of {limit}\n")).unwrap_or_default();
            let code = output.ended_by.is_none().then(|| output.code());
            (output.success(), code, output.wall, ended + &capture_text(&output))
        }
        // The command itself cannot be run: that is red, not a trouble of the host.
        Err(error @ (hive_sandbox::Error::BadJob(_) | hive_sandbox::Error::Program { .. })) => {
            (false, None, Duration::ZERO, error.to_string())
        }
        Err(error) => return Err(error),
    };
    Ok(CheckResult {
        name: check.name.clone(),
        command: check.command.clone(),
        passed,
        exit_code,
        milliseconds: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
        output: cut_middle(&clean(text), MAX_OUTPUT_BYTES),
    })
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
