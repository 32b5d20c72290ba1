//! Is it whole? The product's promises, each as one statement that finds where a promise is broken.
//!
//! Every statement looks at one page of tasks, named by their ids, and reads one snapshot: what changes meanwhile is
//! seen before or after, never in half. Times are the database's. Nothing is written.
//!
//! A new check is one entry of the table of its family; [`checks`] lists the families.

use std::{collections::BTreeMap, pin::Pin};

use hive_domain::TaskId;
use sqlx::PgPool;
use uuid::Uuid;

use crate::{error::Result, pool::Store};

mod budgets;
mod dependencies;
mod ends;
mod events;
mod journal;
mod limits;
mod liveness;
mod mail;
mod messages;
mod money;
mod pages;
mod sleeps;
mod slots;
mod tickets;

pub use pages::{Rows, Scope};
pub use tickets::Unticketed;

/// Violations of one check that are kept with their evidence; more are counted.
const KEPT: usize = 100;

/// A promise, and how a break of it is found.
#[derive(Debug)]
pub struct Check {
    /// Its name; stable, for scripts.
    pub name: &'static str,
    /// What holds when nothing is found, in one sentence.
    pub says: &'static str,
    /// Which rows it looks at.
    pub rows: Rows,
    find: for<'a> fn(&'a PgPool, &'a [Uuid]) -> Finding<'a>,
}

type Finding<'a> = Pin<Box<dyn Future<Output = sqlx::Result<Vec<Violation>>> + Send + 'a>>;

/// One broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The task.
    pub task: TaskId,
    /// What was seen, in one sentence.
    pub evidence: String,
}

/// What one check found.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Its name.
    pub name: &'static str,
    /// What it promises.
    pub says: &'static str,
    /// What the rows are that it looked at.
    pub rows: Rows,
    /// How many of them.
    pub looked_at: i64,
    /// How many violations there are.
    pub found: usize,
    /// The first of them.
    pub violations: Vec<Violation>,
}

/// A statement of the table: `$1` is the page, the answer names tasks and says what is wrong with them.
macro_rules! check {
    ($name:literal, $rows:ident, $says:literal, $sql:literal $(,)?) => {
        crate::verify::Check {
            name: $name,
            says: $says,
            rows: crate::verify::Rows::$rows,
            find: |pool, page| {
                Box::pin(async move {
                    sqlx::query_as!(crate::verify::Violation, $sql, page).fetch_all(pool).await
                })
            },
        }
    };
}
use check;

/// All checks over Postgres, by family.
pub fn checks() -> impl Iterator<Item = &'static Check> {
    [
        liveness::CHECKS,
        journal::CHECKS,
        money::CHECKS,
        events::CHECKS,
        ends::CHECKS,
        dependencies::CHECKS,
        limits::CHECKS,
        mail::CHECKS,
    ]
    .into_iter()
    .flatten()
}

impl Store {
    /// Runs every check over the tasks of `scope`, page by page.
    ///
    /// # Errors
    /// When Postgres refuses or a page takes longer than a statement may.
    pub async fn verify(&self, scope: Scope) -> Result<Vec<Checked>> {
        let mut found: Vec<Checked> = checks()
            .map(|check| Checked {
                name: check.name,
                says: check.says,
                rows: check.rows,
                looked_at: 0,
                found: 0,
                violations: Vec::new(),
            })
            .collect();
        let mut pages = scope.pages();
        while let Some(page) = pages.next(&self.pool).await? {
            let counted: BTreeMap<Rows, i64> = pages::count(&self.pool, &page).await?;
            for (check, seen) in checks().zip(&mut found) {
                let violations = (check.find)(&self.pool, &page).await?;
                seen.looked_at += counted.get(&check.rows).copied().unwrap_or_default();
                seen.found += violations.len();
                let room = KEPT.saturating_sub(seen.violations.len());
                seen.violations.extend(violations.into_iter().take(room));
            }
        }
        Ok(found)
    }
}
