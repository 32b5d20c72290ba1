//! Calls to the Messages API: an intent before the socket is written, its outcome afterwards.

use hive_domain::{Lease, Usage};
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    pool::Store,
    text::storable,
};

/// How a call ended that brought no step.
#[derive(Clone, Debug)]
pub struct CallOutcome {
    /// What went wrong, in one sentence.
    pub error: String,
    /// The provider's id of the exchange.
    pub request_id: Option<String>,
    /// What was charged all the same.
    pub usage: Usage,
}

impl Store {
    /// Notes that a call is about to be sent; its id goes into the step or into [`Store::fail_call`].
    ///
    /// # Errors
    /// As [`Store::note_call`].
    pub async fn begin_call<T: Sync>(
        &self,
        lease: &Lease<T>,
        model: &str,
        request_sha256: &[u8],
    ) -> Result<Uuid> {
        let call = Uuid::now_v7();
        self.note_call(lease, call, model, request_sha256).await?;
        Ok(call)
    }

    /// The same under an id that the caller chose: offered again because the answer was lost, it is noted once.
    ///
    /// # Errors
    /// [`Error::Fenced`] when the lease is lost: the call must not be sent.
    pub async fn note_call<T: Sync>(
        &self,
        lease: &Lease<T>,
        call: Uuid,
        model: &str,
        request_sha256: &[u8],
    ) -> Result<()> {
        let begun = sqlx::query!(
            "INSERT INTO llm_calls (id, task_id, seq, epoch, model, request_sha256)
             SELECT $1, id, $4, epoch, $5, $6 FROM tasks WHERE id = $2 AND epoch = $3 AND status = 'running'
             ON CONFLICT (id) DO UPDATE SET state = llm_calls.state",
            call,
            lease.task().uuid(),
            lease.epoch(),
            lease.next_seq(),
            model,
            request_sha256,
        )
        .execute(&self.pool)
        .await?;
        match begun.rows_affected() {
            0 => Err(Error::Fenced { task: lease.task(), epoch: lease.epoch() }),
            _ => Ok(()),
        }
    }

    /// Notes that a call failed. What it charged is added to the task even when the lease is gone: it was spent.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn fail_call<T: Sync>(
        &self,
        lease: &Lease<T>,
        call: Uuid,
        outcome: &CallOutcome,
    ) -> Result<()> {
        let usage = &outcome.usage;
        let (error, request_id) = (storable(&outcome.error), outcome.request_id.as_deref().map(storable));
        sqlx::query!(
            "WITH failed AS (
                 UPDATE llm_calls
                 SET state = 'failed', error = $2, request_id = $3, input_tokens = $4, output_tokens = $5,
                     cache_read_tokens = $6, cache_write_tokens = $7, cost_nano_usd = $8, finished_at = now()
                 WHERE id = $1 AND state = 'intent'
                 RETURNING task_id
             )
             UPDATE tasks
             SET input_tokens = input_tokens + $4, output_tokens = output_tokens + $5,
                 cache_read_tokens = cache_read_tokens + $6, cache_write_tokens = cache_write_tokens + $7,
                 cost_nano_usd = cost_nano_usd + $8
             FROM failed WHERE tasks.id = failed.task_id AND ($4::bigint + $5 + $6 + $7) > 0",
            call,
            &*error,
            request_id.as_deref(),
            usage.input_tokens,
            usage.output_tokens,
            usage.cache_read_tokens,
            usage.cache_write_tokens,
            usage.cost.0,
        )
        .execute(&self.pool)
        .await?;
        tracing::debug!(task.id = %lease.task(), "a model call failed");
        Ok(())
    }
}
