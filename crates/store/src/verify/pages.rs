//! Which tasks are looked at: all open ones and the newest that ended, or all, some hundred at a time.

use std::{collections::BTreeMap, collections::VecDeque, fmt};

use hive_domain::TaskStatus;
use sqlx::PgPool;
use uuid::Uuid;

use crate::error::Result;

/// Tasks of one statement. A task of some hundred steps and events keeps a page far below the limit of a statement.
const PAGE: i64 = 500;
/// Beyond every id.
const LAST: Uuid = Uuid::max();

/// How much is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All open tasks, and of each kind of end the newest so many. Bounded by what is open, however much has ended.
    Recent {
        /// Ended tasks, for each of the four ends.
        ended: i64,
    },
    /// Every task.
    All,
}

/// What kind of rows a check looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rows {
    /// Tasks.
    Tasks,
    /// Journal entries.
    Steps,
    /// Calls of the model.
    Calls,
    /// Events.
    Events,
    /// Dependencies between tasks.
    Edges,
    /// Slots of schedules.
    Slots,
    /// Budgets.
    Budgets,
    /// Days of the ledger.
    Days,
    /// Messages between agents.
    Messages,
    /// Deliveries of such messages.
    Deliveries,
    /// Nights of agents.
    Nights,
}

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tasks => "tasks",
            Self::Steps => "steps",
            Self::Calls => "calls",
            Self::Events => "events",
            Self::Edges => "dependencies",
            Self::Slots => "slots",
            Self::Budgets => "budgets",
            Self::Days => "days",
            Self::Messages => "messages",
            Self::Deliveries => "deliveries",
            Self::Nights => "nights",
        })
    }
}

impl Scope {
    pub(super) fn pages(self) -> Pages {
        let walks = match self {
            Self::All => VecDeque::from([Walk { status: None, left: i64::MAX }]),
            Self::Recent { ended } => TaskStatus::ALL
                .iter()
                .map(|status| Walk {
                    status: Some(status.as_str()),
                    left: if status.is_end() { ended } else { i64::MAX },
                })
                .collect(),
        };
        Pages { walks, below: LAST }
    }
}

/// One way through an index, newest first.
struct Walk {
    status: Option<&'static str>,
    left: i64,
}

pub(super) struct Pages {
    walks: VecDeque<Walk>,
    below: Uuid,
}

impl Pages {
    /// The next page; `None` at the end. By status, a task that moves while this runs may be met twice or not at all;
    /// the next run meets it.
    pub(super) async fn next(&mut self, pool: &PgPool) -> Result<Option<Vec<Uuid>>> {
        while let Some(walk) = self.walks.front_mut() {
            let limit = PAGE.min(walk.left);
            let ids: Vec<Uuid> = match walk.status {
                Some(status) => {
                    sqlx::query_scalar!(
                        "SELECT id FROM tasks WHERE status = $1::text::task_status AND id < $2
                         ORDER BY id DESC LIMIT $3",
                        status,
                        self.below,
                        limit,
                    )
                    .fetch_all(pool)
                    .await?
                }
                None => {
                    sqlx::query_scalar!(
                        "SELECT id FROM tasks WHERE id < $1 ORDER BY id DESC LIMIT $2",
                        self.below,
                        limit,
                    )
                    .fetch_all(pool)
                    .await?
                }
            };
            match ids.last() {
                Some(last) => {
                    self.below = *last;
                    walk.left -= limit;
                    return Ok(Some(ids));
                }
                None => {
                    self.walks.pop_front();
                    self.below = LAST;
                }
            }
        }
        Ok(None)
    }
}

/// How many rows a page has of each kind.
pub(super) async fn count(pool: &PgPool, page: &[Uuid]) -> Result<BTreeMap<Rows, i64>> {
    let row = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM tasks WHERE id = ANY ($1)) AS "tasks!",
                  (SELECT count(*) FROM steps WHERE task_id = ANY ($1)) AS "steps!",
                  (SELECT count(*) FROM llm_calls WHERE task_id = ANY ($1)) AS "calls!",
                  (SELECT count(*) FROM events WHERE task_id = ANY ($1)) AS "events!",
                  (SELECT count(*) FROM task_dependencies WHERE task_id = ANY ($1)) AS "edges!""#,
        page,
    )
    .fetch_one(pool)
    .await?;
    Ok(BTreeMap::from([
        (Rows::Tasks, row.tasks),
        (Rows::Steps, row.steps),
        (Rows::Calls, row.calls),
        (Rows::Events, row.events),
        (Rows::Edges, row.edges),
    ]))
}
