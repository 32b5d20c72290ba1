//! Taking requests in, and reading what came of them.

use hive_domain::{AgentId, NanoUsd, ProjectId, SessionId, TaskId, Usage};
use serde_json::{Map, Value};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{BatchAnswer, NewBatchRequest};
use crate::{
    error::{Error, Result},
    pool::Store,
};

/// The largest body: a batch holds many.
const MOST_BYTES: usize = 16 * 1024 * 1024;

impl Store {
    /// Queues requests; those that are there already stay as they are. All of them or none. Returns how many are new.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a body that is no JSON object or has `stream`, or a task, an agent or a session that does
    /// not exist; [`Error::Conflict`] when an id stands for another request.
    pub async fn queue_batch_requests(&self, requests: &[NewBatchRequest]) -> Result<u64> {
        let mut tx = self.pool.begin().await?;
        let new = queue(&mut tx, requests).await?;
        tx.commit().await?;
        Ok(new)
    }

    /// Requests with what came of them, by id; those that do not exist are missing.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn batch_answers(&self, ids: &[Uuid]) -> Result<Vec<BatchAnswer>> {
        let rows = sqlx::query!(
            r#"SELECT r.id, r.state::text AS "state!", r.tries, r.result, r.error, r.created_at, r.completed_at,
                      c.input AS "input!", c.output AS "output!", c.cache_read AS "cache_read!",
                      c.cache_write AS "cache_write!", c.cache_write_1h AS "cache_write_1h!", c.cost AS "cost!",
                      c.assumed AS "assumed!"
               FROM batch_requests r
               CROSS JOIN LATERAL (
                   SELECT coalesce(sum(input_tokens), 0)::bigint AS input, coalesce(sum(output_tokens), 0)::bigint AS output,
                          coalesce(sum(cache_read_tokens), 0)::bigint AS cache_read,
                          coalesce(sum(cache_write_tokens), 0)::bigint AS cache_write,
                          coalesce(sum(cache_write_1h_tokens), 0)::bigint AS cache_write_1h,
                          coalesce(sum(cost_nano_usd), 0)::bigint AS cost,
                          coalesce(sum(reserved_nano_usd) FILTER (WHERE state = 'unknown'), 0)::bigint AS assumed
                   FROM batch_calls WHERE request_id = r.id) AS c
               WHERE r.id = ANY ($1) ORDER BY r.id"#,
            ids,
        );
        let rows = rows.fetch_all(&self.pool).await?.into_iter().map(|row| {
            let wrong = |error| Error::inconsistent("batch_requests", "state", row.id, error);
            Ok(BatchAnswer {
                id: row.id,
                state: row.state.parse().map_err(wrong)?,
                tries: row.tries,
                result: row.result,
                error: row.error,
                usage: Usage {
                    input_tokens: row.input,
                    output_tokens: row.output,
                    cache_read_tokens: row.cache_read,
                    cache_write_tokens: row.cache_write,
                    cache_write_1h_tokens: row.cache_write_1h,
                    cost: NanoUsd(row.cost),
                },
                unknown_cost: NanoUsd(row.assumed),
                created_at: row.created_at,
                completed_at: row.completed_at,
            })
        });
        rows.collect()
    }
}

/// See [`Store::queue_batch_requests`].
pub(crate) async fn queue(connection: &mut PgConnection, requests: &[NewBatchRequest]) -> Result<u64> {
    for request in requests {
        check_body(&request.body)?;
    }
    let of = |field: fn(&NewBatchRequest) -> Option<Uuid>| requests.iter().map(field).collect::<Vec<_>>();
    let ids = requests.iter().map(|request| request.id).collect::<Vec<_>>();
    let purposes = requests.iter().map(|request| request.purpose.clone()).collect::<Vec<_>>();
    let models = requests.iter().map(|request| request.model.clone()).collect::<Vec<_>>();
    let bodies = requests.iter().map(|request| request.body.clone()).collect::<Vec<_>>();
    let new = sqlx::query!(
        "INSERT INTO batch_requests (id, purpose, model, body, project_id, task_id, agent_id, session_id)
         SELECT g.id, g.purpose, g.model, g.body,
                coalesce(g.project_id, t.project_id, a.project_id, s.project_id, '00000000-0000-7000-8000-000000000001'),
                g.task_id, coalesce(g.agent_id, t.assigned_agent_id), coalesce(g.session_id, t.session_id)
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::uuid[], $7::uuid[],
                             $8::uuid[])
                  AS g (id, purpose, model, body, task_id, agent_id, session_id, project_id)
         LEFT JOIN tasks t ON t.id = g.task_id
         LEFT JOIN agents a ON a.id = g.agent_id
         LEFT JOIN sessions s ON s.id = g.session_id
         ORDER BY g.id
         ON CONFLICT (id) DO NOTHING",
        &ids,
        &purposes,
        &models,
        &bodies,
        &of(|request| request.task.map(TaskId::uuid)) as &[Option<Uuid>],
        &of(|request| request.agent.map(AgentId::uuid)) as &[Option<Uuid>],
        &of(|request| request.session.map(SessionId::uuid)) as &[Option<Uuid>],
        &of(|request| request.project.map(ProjectId::uuid)) as &[Option<Uuid>],
    )
    .execute(&mut *connection)
    .await
    .map_err(refused)?
    .rows_affected();
    let other = sqlx::query_scalar!(
        "SELECT r.id FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS g (id, purpose, model, body)
         JOIN batch_requests r ON r.id = g.id
         WHERE (r.purpose, r.model, r.body) IS DISTINCT FROM (g.purpose, g.model, g.body) LIMIT 1",
        &ids,
        &purposes,
        &models,
        &bodies,
    );
    if let Some(id) = other.fetch_optional(&mut *connection).await? {
        let message = format!("request {id} of a batch was queued before and asks for something else");
        return Err(Error::Conflict { code: "batch_request_reused", message });
    }
    Ok(new)
}

fn check_body(body: &str) -> Result<()> {
    let refuse = |message: String| Err(Error::Invalid { field: "/body", message });
    if body.len() > MOST_BYTES {
        return refuse(format!("the body has more than {MOST_BYTES} bytes"));
    }
    match serde_json::from_str::<Map<String, Value>>(body) {
        Ok(body) if body.contains_key("stream") => refuse("a request of a batch has no stream".to_owned()),
        Ok(body) if body.get("max_tokens").and_then(Value::as_u64).is_none_or(|most| most == 0) => {
            refuse("a request of a batch names max_tokens, and not 0".to_owned())
        }
        Ok(_) => Ok(()),
        Err(error) => refuse(format!("the body is no JSON object: {error}")),
    }
}

fn refused(error: sqlx::Error) -> Error {
    let invalid = |field, what: &str| Error::Invalid { field, message: what.to_owned() };
    match Error::constraint(&error) {
        Some("batch_requests_task_id_fkey") => invalid("/task", "the task does not exist"),
        Some("batch_requests_agent_id_fkey") => invalid("/agent", "the agent does not exist"),
        Some("batch_requests_session_id_fkey") => invalid("/session", "the session does not exist"),
        Some("batch_requests_purpose_length") => invalid("/purpose", "the purpose has 1 to 200 characters"),
        Some("batch_requests_model_length") => invalid("/model", "the model has 1 to 200 characters"),
        _ => error.into(),
    }
}
