//! Done is decided here: the acceptance commands on the final tree, run by the harness in the sandbox.

use std::{path::Path, time::Duration};

use hive_domain::{
    journal::{CheckResult, Checks},
    task::AcceptanceCheck,
};
use hive_sandbox::{Job, Sandbox};
use tokio_util::sync::CancellationToken;

use crate::{
    act::clean,
    excerpt::{Ends, MAX_ENTRY_BYTES, share},
    meter,
    tools::capture_text,
};

/// What is kept of a check's output at most, in bytes of JSON.
const MAX_OUTPUT_BYTES: usize = 4 << 10;

/// A command that ran, and what it printed; how much of that is kept is known when all have run.
pub struct Ran {
    result: CheckResult,
    output: Ends,
}

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
) -> Result<Ran, hive_sandbox::Error> {
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
            (output.success(), code, output.wall, ended + &capture_text(&output, tree))
        }
        // The command itself cannot be run: that is red, not a trouble of the host.
        Err(error @ (hive_sandbox::Error::BadJob(_) | hive_sandbox::Error::Program { .. })) => {
            (false, None, Duration::ZERO, error.to_string())
        }
        Err(error) => return Err(error),
    };
    let result = CheckResult {
        name: check.name.clone(),
        command: check.command.clone(),
        passed,
        exit_code,
        milliseconds: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
        output: String::new(),
    };
    Ok(Ran { result, output: Ends::of(clean(text)) })
}

/// The journal entry for what was found. The outputs share the room of one row.
#[must_use]
pub fn entry(summary: String, ran: Vec<Ran>, tree: Option<String>) -> Checks {
    let passed = ran.iter().all(|check| check.result.passed);
    // What is red is said twice: in the result, and in the words to the model.
    let times = |check: &Ran| if check.result.passed { 1 } else { 2 };
    let size = |check: &Ran| check.output.size().min(MAX_OUTPUT_BYTES);
    let sizes = ran.iter().flat_map(|check| std::iter::repeat_n(size(check), times(check))).collect();
    let (results, outputs): (Vec<_>, Vec<_>) = ran.into_iter().map(|ran| (ran.result, ran.output)).unzip();
    let mut checks = Checks { summary, results, tree, passed, message: String::new() };
    if !passed {
        checks.message = message(&checks.results);
    }
    // A journal of ours has nothing that JSON cannot express.
    let taken = serde_json::to_string(&checks).map_or(0, |json| json.len());
    let most = share(sizes, MAX_ENTRY_BYTES.saturating_sub(taken)).min(MAX_OUTPUT_BYTES);
    for (check, output) in checks.results.iter_mut().zip(outputs) {
        check.output = output.within(most);
    }
    if !passed {
        checks.message = message(&checks.results);
    }
    checks
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
