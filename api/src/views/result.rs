//! What came out of a task and what it used up, as it is shown.

use hive_domain::{
    Usage,
    journal::{CheckResult, DiffStat, TaskResult},
};
use serde::Serialize;
use utoipa::ToSchema;

/// What came out of a task.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Result)]
pub struct ResultView {
    /// What the agent says it did; the whole answer of a task without files. Of a long one the ends: the artifact
    /// `summary` holds the whole.
    summary: String,
    /// The branch, when there are files.
    branch: Option<String>,
    /// Its head.
    commit: Option<String>,
    /// The head's tree.
    tree: Option<String>,
    /// How much it changes.
    diff_stat: Option<DiffStatView>,
    /// The last checks.
    checks: Vec<CheckView>,
}

/// How much a branch changes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DiffStat)]
struct DiffStatView {
    /// Files.
    files: u64,
    /// Lines added.
    insertions: u64,
    /// Lines removed.
    deletions: u64,
}

/// What one acceptance command did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CheckResult)]
struct CheckView {
    /// Its name.
    name: String,
    /// The command.
    command: String,
    /// Whether it was green.
    passed: bool,
    /// Its exit code; null when it was killed.
    exit_code: Option<i32>,
    /// Its wall time.
    milliseconds: u64,
    /// The end of what it printed.
    output: String,
}

/// Tokens, and what they cost.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Usage)]
pub struct UsageView {
    /// Input that was neither read from nor written to the prompt cache.
    input_tokens: i64,
    /// Output.
    output_tokens: i64,
    /// Input read from the prompt cache.
    cache_read_tokens: i64,
    /// Input written to the prompt cache.
    cache_write_tokens: i64,
    /// US dollars.
    cost_usd: f64,
}

impl From<TaskResult> for ResultView {
    fn from(result: TaskResult) -> Self {
        Self {
            summary: result.summary,
            branch: result.branch,
            commit: result.commit,
            tree: result.tree,
            diff_stat: result.diff_stat.map(Into::into),
            checks: result.checks.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<DiffStat> for DiffStatView {
    fn from(stat: DiffStat) -> Self {
        Self { files: stat.files, insertions: stat.insertions, deletions: stat.deletions }
    }
}

impl From<CheckResult> for CheckView {
    fn from(check: CheckResult) -> Self {
        Self {
            name: check.name,
            command: check.command,
            passed: check.passed,
            exit_code: check.exit_code,
            milliseconds: check.milliseconds,
            output: check.output,
        }
    }
}

impl From<Usage> for UsageView {
    fn from(usage: Usage) -> Self {
        Self {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            cache_read_tokens: usage.cache_read_tokens,
            cache_write_tokens: usage.cache_write_tokens,
            cost_usd: usage.cost.usd(),
        }
    }
}
