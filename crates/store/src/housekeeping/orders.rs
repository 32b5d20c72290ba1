//! Orders: placed by schedules and people, taken by whoever can do them, one run per order and host.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Done, Duty};
use crate::{
    error::{Error, Result},
    pool::Store,
    schedules::DutyOptions,
    text::{storable, storable_json},
};

/// An order that was taken.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its id.
    pub id: Uuid,
    /// Of this duty.
    pub duty: String,
    /// Report what would be removed, and remove nothing.
    pub dry_run: bool,
    /// Days that are kept, instead of the configured retention.
    pub keep_days: Option<i32>,
}

/// An order with what came of it so far.
#[derive(Clone, Debug)]
pub struct OrderView {
    /// What was ordered.
    pub order: Order,
    /// By whom.
    pub ordered_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// Its runs; none until somebody takes it.
    pub runs: Vec<OrderRun>,
}

/// One run of an order.
#[derive(Clone, Debug)]
pub struct OrderRun {
    /// The host whose files it is about; empty for the database.
    pub host: String,
    /// `running`, `done` or `failed`.
    pub state: String,
    /// When it was taken.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// What it removed, or would remove.
    pub done: Done,
    /// Why it failed.
    pub error: Option<String>,
}

/// Places an order in the transaction of what orders it.
pub(crate) async fn place_order(
    connection: &mut PgConnection,
    duty: &str,
    options: &DutyOptions,
    actor: &str,
) -> Result<Uuid> {
    if Duty::named(duty).is_none() {
        return Err(Error::NotFound { what: "duty", id: duty.to_owned() });
    }
    let id = Uuid::now_v7();
    sqlx::query!(
        "INSERT INTO housekeeping_orders (id, duty, dry_run, keep_days, ordered_by) VALUES ($1, $2, $3, $4, $5)",
        id,
        duty,
        options.dry_run,
        options.keep_days,
        actor,
    )
    .execute(connection)
    .await?;
    Ok(id)
}

impl Store {
    /// Orders one run of a duty.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a duty that nobody knows.
    pub async fn order_duty(&self, duty: &str, options: &DutyOptions, actor: &str) -> Result<Uuid> {
        place_order(&mut *self.pool.acquire().await?, duty, options, actor).await
    }

    /// Takes the oldest order of these duties that nobody has taken for `host`. Orders that are older than an hour are
    /// left: others came after them.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn take_order(&self, duties: &[String], host: &str) -> Result<Option<Order>> {
        let order = sqlx::query_as!(
            Order,
            r#"WITH open AS (
                   SELECT o.id FROM housekeeping_orders o
                   WHERE o.duty = ANY ($1) AND o.created_at > now() - interval '1 hour'
                     AND NOT EXISTS (SELECT 1 FROM housekeeping_runs r WHERE r.order_id = o.id AND r.host = $2)
                   ORDER BY o.id LIMIT 1
               ), taken AS (
                   INSERT INTO housekeeping_runs (order_id, host) SELECT id, $2 FROM open
                   ON CONFLICT DO NOTHING RETURNING order_id
               )
               SELECT o.id, o.duty, o.dry_run, o.keep_days FROM housekeeping_orders o JOIN taken ON taken.order_id = o.id"#,
            duties,
            host,
        );
        Ok(order.fetch_optional(&self.pool).await?)
    }

    /// Writes down how a run ended.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn finish_order(&self, order: &Order, host: &str, outcome: Result<&Done, &str>) -> Result<()> {
        let nothing = Done::default();
        let (state, done, error) = match outcome {
            Ok(done) => ("done", done, None),
            Err(error) => ("failed", &nothing, Some(storable(error))),
        };
        sqlx::query!(
            "WITH run AS (
                 UPDATE housekeeping_runs
                 SET state = $3::text::housekeeping_state, finished_at = now(), removed_rows = $4, removed_bytes = $5,
                     report = $6, error = $7
                 WHERE order_id = $1 AND host = $2 AND state = 'running'
                 RETURNING finished_at
             )
             INSERT INTO housekeeping_successes (duty, host, at)
             SELECT $8, $2, finished_at FROM run WHERE $3::text = 'done' AND NOT $9
             ON CONFLICT (duty, host) DO UPDATE SET at = excluded.at",
            order.id,
            host,
            state,
            done.removed_rows,
            done.removed_bytes,
            storable_json(if done.report.is_null() { serde_json::json!({}) } else { done.report.clone() }),
            error.as_deref(),
            order.duty,
            order.dry_run,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// One order with its runs.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn order(&self, id: Uuid) -> Result<OrderView> {
        let row = sqlx::query!(
            "SELECT id, duty, dry_run, keep_days, ordered_by, created_at FROM housekeeping_orders WHERE id = $1",
            id,
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or_else(|| Error::NotFound { what: "order", id: id.to_string() })?;
        let runs = sqlx::query!(
            r#"SELECT host, state::text AS "state!", started_at, finished_at, removed_rows, removed_bytes, report, error
               FROM housekeeping_runs WHERE order_id = $1 ORDER BY host"#,
            id,
        )
        .fetch_all(&self.pool)
        .await?;
        let runs = runs.into_iter().map(|run| OrderRun {
            host: run.host,
            state: run.state,
            started_at: run.started_at,
            finished_at: run.finished_at,
            done: Done {
                removed_rows: run.removed_rows,
                removed_bytes: run.removed_bytes,
                report: run.report,
            },
            error: run.error,
        });
        Ok(OrderView {
            order: Order { id: row.id, duty: row.duty, dry_run: row.dry_run, keep_days: row.keep_days },
            ordered_by: row.ordered_by,
            created_at: row.created_at,
            runs: runs.collect(),
        })
    }
}
