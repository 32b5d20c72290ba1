//! Calls to the Messages API: an intent before the socket is written, its outcome afterwards.

use std::{collections::HashSet, sync::Arc};

use futures::future::BoxFuture;
use hive_domain::{Lease, Route, TaskId, Usage};
use sqlx::PgPool;
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
    /// Notes that a call is about to be sent; its id goes into the step or into [`Store::fail_call`]. `None`: a person
    /// has written meanwhile, and the call must not be sent before [`Store::read_messages`].
    ///
    /// # Errors
    /// As [`Store::note_call`].
    pub async fn begin_call<T: Sync>(
        &self,
        lease: &Lease<T>,
        model: &str,
        request_sha256: &[u8],
    ) -> Result<Option<Uuid>> {
        let call = Uuid::now_v7();
        Ok(self.note_call(lease, call, model, request_sha256, None).await?.then_some(call))
    }

    /// The same under an id that the caller chose: offered again because the answer was lost, it is noted once. False:
    /// a person wrote, and the call must not be sent before that was read.
    ///
    /// # Errors
    /// [`Error::Fenced`] when the lease is lost: the call must not be sent.
    pub async fn note_call<T: Sync>(
        &self,
        lease: &Lease<T>,
        call: Uuid,
        model: &str,
        request_sha256: &[u8],
        route: Option<Route>,
    ) -> Result<bool> {
        let (task, epoch) = (lease.task(), lease.epoch());
        let intent = Intent {
            id: call,
            task,
            epoch,
            seq: lease.next_seq(),
            model: model.to_owned(),
            request_sha256: request_sha256.to_vec(),
            route,
        };
        let begun = self.groups.intents.submit(&self.pool, intent).await?;
        match begun {
            true => Ok(true),
            false if self.has_unread(lease).await? => Ok(false),
            false => Err(Error::Fenced { task, epoch }),
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
                 WHERE id = $1 AND task_id = $9 AND state IN ('intent', 'unknown')
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
            lease.task().uuid(),
        )
        .execute(&self.pool)
        .await?;
        tracing::debug!(task.id = %lease.task(), "a model call failed");
        Ok(())
    }
}

/// A call that is about to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Intent {
    id: Uuid,
    task: TaskId,
    epoch: i64,
    seq: i32,
    model: String,
    request_sha256: Vec<u8>,
    route: Option<Route>,
}

/// Notes many in one statement. False: the lease is lost, or a person's message is to be read first.
pub(crate) fn send(pool: PgPool, intents: Arc<[Intent]>) -> BoxFuture<'static, Result<Vec<Result<bool>>>> {
    Box::pin(async move {
        let begun = sqlx::query_scalar!(
            "INSERT INTO llm_calls (id, task_id, seq, epoch, model, request_sha256, route, routing_version)
             SELECT g.id, t.id, g.seq, t.epoch, g.model, g.request_sha256, g.route::route_reason, g.routing_version
             FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::integer[], $5::text[], $6::bytea[], $7::text[],
                         $8::integer[])
                      AS g (id, task_id, epoch, seq, model, request_sha256, route, routing_version)
             JOIN tasks t ON t.id = g.task_id AND t.epoch = g.epoch
             WHERE (t.status = 'running') IS TRUE AND t.id = ANY ($2) AND t.messages_read = t.messages_sent
             ON CONFLICT (task_id, id) DO UPDATE SET state = llm_calls.state
             RETURNING id",
            &intents.iter().map(|i| i.id).collect::<Vec<_>>(),
            &intents.iter().map(|i| i.task.uuid()).collect::<Vec<_>>(),
            &intents.iter().map(|i| i.epoch).collect::<Vec<_>>(),
            &intents.iter().map(|i| i.seq).collect::<Vec<_>>(),
            &intents.iter().map(|i| i.model.clone()).collect::<Vec<_>>(),
            &intents.iter().map(|i| i.request_sha256.clone()).collect::<Vec<_>>(),
            &intents.iter().map(|i| i.route.map(|r| r.reason.to_string())).collect::<Vec<_>>()
                as &[Option<String>],
            &intents.iter().map(|i| i.route.map(|r| r.version)).collect::<Vec<_>>() as &[Option<i32>],
        );
        let begun: HashSet<Uuid> = begun.fetch_all(&pool).await?.into_iter().collect();
        Ok(intents.iter().map(|intent| Ok(begun.contains(&intent.id))).collect())
    })
}
