//! Calls to the Messages API: an intent before the socket is written, its outcome afterwards.

use std::{collections::HashSet, sync::Arc};

use futures::future::BoxFuture;
use hive_domain::{Lease, NanoUsd, Route, TaskId, Usage};
use uuid::Uuid;

use crate::{
    budgets::reserve::{self, Begun},
    error::{Error, Result},
    line::Line,
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
    /// What was charged all the same. `None`: it broke off before that was heard, and counts as spent with all that was
    /// reserved for it.
    pub usage: Option<Usage>,
}

impl Store {
    /// Notes that a call is about to be sent; its id goes into the step or into [`Store::fail_call`]. `None`: a person
    /// has written meanwhile, and the call must not be sent before [`Store::read_messages`]. The call is taken for free:
    /// see [`Store::note_call`].
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
        Ok(self.note_call(lease, call, model, request_sha256, None, NanoUsd(0)).await?.then_some(call))
    }

    /// The same under an id that the caller chose: offered again because the answer was lost, it is noted once. What it
    /// may cost at most is reserved on each budget that covers the task, in the transaction of the note. False: a person
    /// wrote, and the call must not be sent before that was read.
    ///
    /// # Errors
    /// [`Error::Fenced`] when the lease is lost, [`Error::OverBudget`] when the call does not fit into a budget: it must
    /// not be sent.
    pub async fn note_call<T: Sync>(
        &self,
        lease: &Lease<T>,
        call: Uuid,
        model: &str,
        request_sha256: &[u8],
        route: Option<Route>,
        worst_case: NanoUsd,
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
            worst_case,
        };
        let begun = self.groups.intents.submit(&self.lines, intent).await?;
        match begun {
            Begun::Noted => Ok(true),
            Begun::OverBudget(reached) => Err(Error::OverBudget(reached)),
            Begun::Refused if self.has_unread(lease).await? => Ok(false),
            Begun::Refused => Err(Error::Fenced { task, epoch }),
        }
    }

    /// What those calls of a task may have cost at most of which nobody knows, or will know, what came: of the runs before
    /// the one that asks.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn unknown_cost(&self, task: TaskId) -> Result<NanoUsd> {
        let sum = sqlx::query_scalar!(
            r#"SELECT coalesce(sum(reserved_nano_usd), 0)::bigint AS "sum!" FROM llm_calls
               WHERE task_id = $1 AND state IN ('intent', 'unknown')"#,
            task.uuid(),
        );
        Ok(NanoUsd(sum.fetch_one(&self.pool).await?))
    }

    /// Notes that a call failed, or that nobody heard how it ended. What it charged is added to the task even when the
    /// lease is gone: it was spent.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn fail_call<T: Sync>(
        &self,
        lease: &Lease<T>,
        call: Uuid,
        outcome: &CallOutcome,
    ) -> Result<()> {
        let usage = outcome.usage.unwrap_or_default();
        let (error, request_id) = (storable(&outcome.error), outcome.request_id.as_deref().map(storable));
        sqlx::query!(
            "WITH failed AS (
                 UPDATE llm_calls
                 SET state = CASE WHEN $11 THEN 'failed' ELSE 'unknown' END::call_state, error = $2, request_id = $3, input_tokens = $4, output_tokens = $5,
                     cache_read_tokens = $6, cache_write_tokens = $7, cost_nano_usd = $8, finished_at = now(),
                     cache_write_1h_tokens = $10
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
            usage.cache_write_1h_tokens,
            outcome.usage.is_some(),
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
    pub(crate) id: Uuid,
    pub(crate) task: TaskId,
    pub(crate) epoch: i64,
    pub(crate) seq: i32,
    pub(crate) model: String,
    pub(crate) request_sha256: Vec<u8>,
    pub(crate) route: Option<Route>,
    /// What it may cost at most.
    pub(crate) worst_case: NanoUsd,
}

/// Notes many in one statement, and those of tasks with budgets in a transaction that reserves their money.
pub(crate) fn send(line: &mut Line, intents: Arc<[Intent]>) -> BoxFuture<'_, Result<Vec<Result<Begun>>>> {
    Box::pin(async move {
        let begun = sqlx::query!(
            r#"WITH asked AS (
                   SELECT g.*, num_nonnulls(t.parent_id, t.redriven_from, t.forked_from) > 0 OR EXISTS (
                              SELECT 1 FROM budgets b
                              WHERE b.target = ANY (ARRAY['00000000-0000-0000-0000-000000000000'::uuid,
                                                          t.assigned_agent_id, t.session_id, t.id])) AS covered
                   FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::integer[], $5::text[], $6::bytea[], $7::text[],
                               $8::integer[], $9::bigint[])
                            AS g (id, task_id, epoch, seq, model, request_sha256, route, routing_version, worst_case)
                   JOIN tasks t ON t.id = g.task_id AND t.epoch = g.epoch
                   WHERE (t.status = 'running') IS TRUE AND t.id = ANY ($2) AND t.messages_read = t.messages_sent AND t.mail = 0
               ), noted AS (
                   INSERT INTO llm_calls (id, task_id, seq, epoch, model, request_sha256, route, routing_version,
                                          reserved_nano_usd)
                   SELECT id, task_id, seq, epoch, model, request_sha256, route::route_reason, routing_version, worst_case
                   FROM asked WHERE NOT covered
                   ON CONFLICT (task_id, id) DO UPDATE SET state = llm_calls.state
                   RETURNING id
               )
               SELECT id AS "id!", false AS "covered!" FROM noted
               UNION ALL SELECT id, true FROM asked WHERE covered"#,
            &intents.iter().map(|i| i.id).collect::<Vec<_>>(),
            &intents.iter().map(|i| i.task.uuid()).collect::<Vec<_>>(),
            &intents.iter().map(|i| i.epoch).collect::<Vec<_>>(),
            &intents.iter().map(|i| i.seq).collect::<Vec<_>>(),
            &intents.iter().map(|i| i.model.clone()).collect::<Vec<_>>(),
            &intents.iter().map(|i| i.request_sha256.clone()).collect::<Vec<_>>(),
            &intents.iter().map(|i| i.route.map(|r| r.reason.to_string())).collect::<Vec<_>>()
                as &[Option<String>],
            &intents.iter().map(|i| i.route.map(|r| r.version)).collect::<Vec<_>>() as &[Option<i32>],
            &intents.iter().map(|i| i.worst_case.0).collect::<Vec<_>>(),
        );
        let connection = line.connection().await?;
        let rows = begun.fetch_all(&mut *connection).await?;
        let covered: HashSet<Uuid> = rows.iter().filter(|row| row.covered).map(|row| row.id).collect();
        let noted: HashSet<Uuid> = rows.iter().filter(|row| !row.covered).map(|row| row.id).collect();
        let of_budgets: Vec<&Intent> = intents.iter().filter(|i| covered.contains(&i.id)).collect();
        let mut reserved = reserve::begin(connection, &of_budgets).await?;
        let begun = |intent: &Intent| match noted.contains(&intent.id) {
            true => Begun::Noted,
            false => reserved.remove(&intent.id).unwrap_or(Begun::Refused),
        };
        Ok(intents.iter().map(begun).map(Ok).collect())
    })
}
