//! What was looked at, what was found, and the evidence.

use std::time::Duration;

use hive_store::verify::{Checked, Violation};
use serde_json::{Value, json};

use crate::{failure::Failure, output};

/// Violations of one check that a person is shown; JSON holds more.
const SHOWN: usize = 10;

/// One check and its outcome.
pub(super) struct Finding {
    name: &'static str,
    says: &'static str,
    rows: String,
    looked_at: i64,
    found: usize,
    violations: Vec<Violation>,
}

impl Finding {
    pub(super) fn new(
        name: &'static str,
        says: &'static str,
        rows: &str,
        looked_at: usize,
        violations: Vec<Violation>,
    ) -> Self {
        let looked_at = i64::try_from(looked_at).unwrap_or(i64::MAX);
        Self { name, says, rows: rows.to_owned(), looked_at, found: violations.len(), violations }
    }
}

impl From<Checked> for Finding {
    fn from(checked: Checked) -> Self {
        Self {
            name: checked.name,
            says: checked.says,
            rows: checked.rows.to_string(),
            looked_at: checked.looked_at,
            found: checked.found,
            violations: checked.violations,
        }
    }
}

/// All checks.
pub(super) struct Report {
    all: bool,
    findings: Vec<Finding>,
}

impl Report {
    pub(super) const fn new(all: bool) -> Self {
        Self { all, findings: Vec::new() }
    }

    pub(super) fn extend<F: Into<Finding>>(&mut self, findings: Vec<F>) {
        self.findings.extend(findings.into_iter().map(Into::into));
    }

    pub(super) fn violations(&self) -> usize {
        self.findings.iter().map(|finding| finding.found).sum()
    }

    pub(super) fn print(&self, took: Duration, as_json: bool, redis_seen: bool) -> Result<(), Failure> {
        if as_json {
            return output::json(&self.json(took, redis_seen));
        }
        for finding in &self.findings {
            let mark = if finding.found == 0 { "ok      " } else { "VIOLATED" };
            println!(
                "{mark}  {:<25}  {} ({} {})",
                finding.name, finding.says, finding.looked_at, finding.rows
            );
            for violation in finding.violations.iter().take(SHOWN) {
                println!("          {}  {}", violation.task, output::plain(&violation.evidence));
            }
            if finding.found > SHOWN {
                println!("          and {} more", finding.found - SHOWN);
            }
        }
        if !redis_seen {
            println!("unknown   tickets were not looked at: Redis does not answer");
        }
        let tasks = self.findings.iter().filter(|finding| finding.rows == "tasks");
        println!(
            "{} checks, {} tasks, {} violations, {:.1} s",
            self.findings.len(),
            tasks.map(|finding| finding.looked_at).max().unwrap_or_default(),
            self.violations(),
            took.as_secs_f64()
        );
        Ok(())
    }

    fn json(&self, took: Duration, redis_seen: bool) -> Value {
        let checks = self.findings.iter().map(|finding| {
            let violations = finding
                .violations
                .iter()
                .map(|violation| json!({ "task_id": violation.task, "evidence": violation.evidence }));
            json!({
                "name": finding.name, "says": finding.says, "rows": finding.rows, "looked_at": finding.looked_at,
                "found": finding.found, "violations": violations.collect::<Vec<_>>(),
            })
        });
        json!({
            "whole": redis_seen && self.violations() == 0,
            "scope": if self.all { "all" } else { "recent" },
            "tickets_seen": redis_seen,
            "violations": self.violations(),
            "seconds": (took.as_secs_f64() * 1e3).round() / 1e3,
            "checks": checks.collect::<Vec<_>>(),
        })
    }
}
