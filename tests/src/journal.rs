//! What Postgres and the double say about a task.

use hive_double::Call;
use serde_json::Value;
use sqlx::Row;
use uuid::Uuid;

use crate::hive::TestHive;

/// Tokens and money of many calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charged {
    /// Neither read from nor written to the prompt cache.
    pub input_tokens: u64,
    /// Of answers.
    pub output_tokens: u64,
    /// Read from the prompt cache.
    pub cache_read_tokens: u64,
    /// Written to it.
    pub cache_write_tokens: u64,
    /// Billionths of a US dollar, by our price table.
    pub cost_nano_usd: i64,
}

/// What a call costs by our price table.
fn price(call: &Call) -> i64 {
    let used = call.usage;
    let mut usage = hive_claude::Usage {
        input_tokens: used.input_tokens,
        output_tokens: used.output_tokens,
        cache_read_input_tokens: used.cache_read_input_tokens,
        cache_creation_input_tokens: used.cache_creation_input_tokens,
        ..hive_claude::Usage::default()
    };
    usage.cache_creation.ephemeral_1h_input_tokens = used.cache_creation_1h_input_tokens;
    hive_claude::cost(&call.model, &usage).unwrap().0
}

impl TestHive {
    /// What the double charged for a task, call by call.
    #[must_use]
    pub fn calls(&self, task: Uuid) -> Vec<Call> {
        let task = task.to_string();
        let mut calls = self.double.ledger();
        calls.retain(|call| call.user_id.as_deref() == Some(&task));
        calls
    }

    /// The same, added up.
    ///
    /// # Panics
    /// For a model without a price.
    #[must_use]
    pub fn charged(&self, task: Uuid) -> Charged {
        self.calls(task).iter().fold(Charged::default(), |sum, call| {
            let used = call.usage;
            Charged {
                input_tokens: sum.input_tokens + used.input_tokens,
                output_tokens: sum.output_tokens + used.output_tokens,
                cache_read_tokens: sum.cache_read_tokens + used.cache_read_input_tokens,
                cache_write_tokens: sum.cache_write_tokens + used.cache_creation_input_tokens,
                cost_nano_usd: sum.cost_nano_usd + price(call),
            }
        })
    }

    /// That the ledger has each call that the double charged: a whole one at its cost, and one that broke off, or that
    /// nobody knows the end of, at no less than that and no more than was reserved for it.
    ///
    /// # Panics
    /// When it has not.
    pub async fn assert_charges_covered(&self, task: Uuid) {
        let rows: Vec<(String, Option<String>, i64, i64)> = sqlx::query_as(
            "SELECT state::text, request_id, cost_nano_usd, reserved_nano_usd FROM llm_calls WHERE task_id = $1",
        )
        .bind(task)
        .fetch_all(&self.pool)
        .await
        .unwrap();
        for (state, request, cost, reserved) in &rows {
            assert!(cost <= reserved, "{state} {request:?}: booked {cost}, reserved {reserved}");
        }
        let mut unknown = rows.iter().filter(|row| row.0 == "unknown").map(|row| row.3).sum::<i64>();
        let mut unheard = 0;
        for call in self.calls(task) {
            let charged = price(&call);
            match rows.iter().find(|row| row.1.as_deref() == Some(&call.request_id)) {
                Some((state, _, cost, _)) if state == "answered" => assert_eq!(*cost, charged, "{call:#?}"),
                Some((state, _, _, reserved)) if state == "unknown" => {
                    assert!(*reserved >= charged, "{reserved} assumed: {call:#?}");
                    unknown -= reserved;
                }
                Some((state, _, cost, _)) => assert!(*cost >= charged, "{state} at {cost}: {call:#?}"),
                None => unheard += charged,
            }
        }
        assert!(unheard <= unknown, "{task}: {unheard} was charged for what nobody heard, {unknown} assumed");
    }

    /// What the task's row says it used.
    ///
    /// # Panics
    /// When the task is not there.
    pub async fn booked(&self, task: Uuid) -> Charged {
        let columns = "SELECT input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd \
                       FROM tasks WHERE id = $1";
        let row = sqlx::query(columns).bind(task).fetch_one(&self.pool).await.unwrap();
        let count = |index: usize| u64::try_from(row.get::<i64, _>(index)).unwrap();
        Charged {
            input_tokens: count(0),
            output_tokens: count(1),
            cache_read_tokens: count(2),
            cache_write_tokens: count(3),
            cost_nano_usd: row.get(4),
        }
    }

    /// Journal entries of a task.
    ///
    /// # Panics
    /// When Postgres does not answer.
    pub async fn step_count(&self, task: Uuid) -> i64 {
        self.count("SELECT count(*) FROM steps WHERE task_id = $1", task).await
    }

    /// Journal entries of all tasks together.
    ///
    /// # Panics
    /// When Postgres does not answer.
    pub async fn all_steps(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM steps").fetch_one(&self.pool).await.unwrap()
    }

    /// Tasks in this state.
    ///
    /// # Panics
    /// When Postgres does not answer.
    pub async fn tasks_in(&self, status: &str) -> usize {
        let query = "SELECT count(*) FROM tasks WHERE status = $1::text::task_status";
        let count: i64 = sqlx::query_scalar(query).bind(status).fetch_one(&self.pool).await.unwrap();
        usize::try_from(count).unwrap()
    }

    /// A number that a query with the task as its one parameter gives.
    ///
    /// # Panics
    /// When Postgres refuses.
    pub async fn count(&self, query: &str, task: Uuid) -> i64 {
        sqlx::query_scalar(query).bind(task).fetch_one(&self.pool).await.unwrap()
    }

    /// The kinds of a task's journal entries, in order.
    ///
    /// # Panics
    /// When Postgres refuses.
    pub async fn step_kinds(&self, task: Uuid) -> Vec<String> {
        let query = "SELECT kind::text FROM steps WHERE task_id = $1 ORDER BY seq";
        sqlx::query_scalar(query).bind(task).fetch_all(&self.pool).await.unwrap()
    }

    /// The kinds of a task's events, in order.
    ///
    /// # Panics
    /// When Postgres refuses.
    pub async fn event_kinds(&self, task: Uuid) -> Vec<String> {
        let query = "SELECT kind FROM events WHERE task_id = $1 ORDER BY seq";
        sqlx::query_scalar(query).bind(task).fetch_all(&self.pool).await.unwrap()
    }

    /// Everything that Postgres holds about a task, to be compared with itself later.
    ///
    /// # Panics
    /// When Postgres refuses.
    pub async fn rows(&self, task: Uuid) -> Vec<Value> {
        let query = "SELECT to_jsonb(t) FROM tasks t WHERE id = $1
                     UNION ALL (SELECT to_jsonb(s) FROM steps s WHERE task_id = $1 ORDER BY seq)
                     UNION ALL (SELECT to_jsonb(e) FROM events e WHERE task_id = $1 ORDER BY seq)";
        sqlx::query_scalar(query).bind(task).fetch_all(&self.pool).await.unwrap()
    }

    /// Demands that steps and events of an ended task are numbered without gaps and that it ended once.
    ///
    /// # Panics
    /// When they are not.
    pub async fn assert_whole(&self, task: Uuid) {
        let gaps = "SELECT count(*) FROM (SELECT seq, row_number() OVER (ORDER BY seq) AS place FROM steps \
                    WHERE task_id = $1) numbered WHERE seq <> place";
        assert_eq!(self.count(gaps, task).await, 0, "steps of {task} are numbered without gaps");
        let gaps = gaps.replace("steps", "events");
        assert_eq!(self.count(&gaps, task).await, 0, "events of {task} are numbered without gaps");
        let next = self.count("SELECT next_seq::bigint FROM tasks WHERE id = $1", task).await;
        assert_eq!(next, self.step_count(task).await + 1);
        let ends = "SELECT count(*) FROM events WHERE task_id = $1 \
                    AND kind IN ('task.succeeded', 'task.failed', 'task.cancelled', 'task.dead')";
        assert_eq!(
            self.count(ends, task).await,
            1,
            "task {task} ended once: {:?}",
            self.event_kinds(task).await
        );
    }
}
