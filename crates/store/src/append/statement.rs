//! One statement for the steps of many tasks.

use std::{collections::HashMap, sync::Arc};

use futures::future::BoxFuture;
use hive_domain::{Usage, event::EventKind};
use uuid::Uuid;

use super::{Append, Edge};
use crate::{error::Result, lease::LEASE_SECONDS, line::Line};

/// Writes what many tasks bring. `None`: the row is not as the lease says.
pub(crate) fn send(
    line: &mut Line,
    appends: Arc<[Append]>,
) -> BoxFuture<'_, Result<Vec<Result<Option<Edge>>>>> {
    Box::pin(async move {
        let column = |of: fn(&Usage) -> i64| appends.iter().map(|a| of(&a.usage)).collect::<Vec<i64>>();
        let ids: Vec<Uuid> = appends.iter().map(|a| a.task.uuid()).collect();
        let (first_id, last_id) = (ids.iter().min().copied(), ids.iter().max().copied());
        let next = appends.iter().map(|a| a.next.as_ref());
        let routes = next.clone().map(|next| next.and_then(|next| next.route));
        let steps: Vec<_> =
            appends.iter().zip(1_i64..).flat_map(|(a, nth)| a.steps.iter().map(move |s| (nth, s))).collect();
        let numbers = appends.iter().flat_map(|a| (a.seq..).zip(&a.steps).map(|(seq, _)| seq));
        let rows = sqlx::query!(
            r#"WITH given AS (
                   -- Of two tries of one step the first is written.
                   SELECT DISTINCT ON (id, epoch, seq) *
                   FROM unnest($1::uuid[], $2::bigint[], $3::integer[], $4::integer[], $5::uuid[], $6::text[],
                               $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::uuid[],
                               $13::text[], $14::bytea[], $26::text[], $27::integer[], $28::bigint[], $29::bigint[])
                       WITH ORDINALITY
                       AS g (id, epoch, seq, steps, call, request_id, input_tokens, output_tokens, cache_read_tokens,
                             cache_write_tokens, cost_nano_usd, next_call, next_model, next_sha256, next_route,
                             next_routing, next_worst_case, cache_write_1h_tokens, nth)
                   ORDER BY id, epoch, seq, nth
               ), held AS (
                   SELECT g.* FROM given g JOIN tasks t ON t.id = g.id AND t.epoch = g.epoch AND t.next_seq = g.seq
                   -- So written, no index of the status is tempting: its entries of rows that ran before are many. And named
                   -- by their ids also where the join would find them, since a plan that was made when the table was
                   -- nearly empty would read all of it.
                   WHERE (t.status = 'running') IS TRUE AND t.id = ANY ($1) ORDER BY t.id FOR NO KEY UPDATE OF t
               ), task AS (
                   UPDATE tasks t
                   SET next_seq = t.next_seq + g.steps, event_seq = t.event_seq + g.steps, attempt = 1, deaths = 0,
                       lease_until = now() + make_interval(secs => $22),
                       input_tokens = t.input_tokens + g.input_tokens,
                       output_tokens = t.output_tokens + g.output_tokens,
                       cache_read_tokens = t.cache_read_tokens + g.cache_read_tokens,
                       cache_write_tokens = t.cache_write_tokens + g.cache_write_tokens,
                       cost_nano_usd = t.cost_nano_usd + g.cost_nano_usd, updated_at = now()
                   FROM held g WHERE t.id = g.id AND t.id = ANY ($1)
                   RETURNING g.*, t.event_seq, t.priority, t.assigned_agent_id, t.session_id,
                             t.messages_read < t.messages_sent OR t.mail > 0 AS unread,
                             num_nonnulls(t.parent_id, t.redriven_from, t.forked_from) > 0 AS came_of_another
               ), written AS (
                   SELECT task.id, task.epoch, s.seq, task.event_seq - task.steps + 1 + s.seq - task.seq AS event_seq,
                          s.kind, s.body, s.commit_hash, s.sandbox, s.outline
                   FROM task
                   JOIN unnest($15::bigint[], $16::integer[], $17::text[], $18::text[], $19::text[], $20::text[],
                               $21::jsonb[]) AS s (nth, seq, kind, body, commit_hash, sandbox, outline)
                     ON s.nth = task.nth
               ), step AS (
                   INSERT INTO steps (task_id, seq, epoch, kind, body, commit_hash, sandbox)
                   SELECT id, seq, epoch, kind::step_kind, body::json, commit_hash, sandbox FROM written
               ), event AS (
                   INSERT INTO events (task_id, seq, kind, data) SELECT id, event_seq, $23, outline FROM written
               ), call AS (
                   UPDATE llm_calls c
                   SET state = 'answered', request_id = task.request_id, input_tokens = task.input_tokens,
                       output_tokens = task.output_tokens, cache_read_tokens = task.cache_read_tokens,
                       cache_write_tokens = task.cache_write_tokens, cost_nano_usd = task.cost_nano_usd,
                       cache_write_1h_tokens = task.cache_write_1h_tokens, finished_at = now()
                   FROM task
                   WHERE c.id = task.call AND c.task_id = task.id AND c.state = 'intent'
                     -- Leaves only the weeks of these tasks.
                     AND c.task_id BETWEEN $24 AND $25 AND c.task_id = ANY ($1)
               ), edge AS (
                   SELECT task.*,
                          covers(p.fleet, p.lanes, p.agents, p.sessions, priority, assigned_agent_id, session_id) AS halted,
                          -- Its money is to be reserved first, by a statement of its own.
                          came_of_another OR EXISTS (
                              SELECT 1 FROM budgets b
                              WHERE b.target = ANY (ARRAY['00000000-0000-0000-0000-000000000000'::uuid,
                                                          assigned_agent_id, session_id, task.id])) AS covered
                   FROM task CROSS JOIN halting_pauses p
               ), next AS (
                   INSERT INTO llm_calls (id, task_id, seq, epoch, model, request_sha256, route, routing_version,
                                          reserved_nano_usd)
                   SELECT next_call, id, seq + steps, epoch, next_model, next_sha256, next_route::route_reason,
                          next_routing, next_worst_case
                   FROM edge
                   WHERE next_call IS NOT NULL AND NOT halted AND NOT unread AND NOT covered
               )
               SELECT id AS "id!", epoch AS "epoch!", seq AS "seq!", halted AS "halted!", unread AS "unread!",
                      next_call IS NOT NULL AND NOT halted AND NOT unread AND NOT covered AS "begun!"
               FROM edge"#,
            &ids,
            &appends.iter().map(|a| a.epoch).collect::<Vec<_>>(),
            &appends.iter().map(|a| a.seq).collect::<Vec<_>>(),
            &appends.iter().map(|a| i32::try_from(a.steps.len()).unwrap_or(i32::MAX)).collect::<Vec<_>>(),
            &appends.iter().map(|a| a.call).collect::<Vec<_>>() as &[Option<Uuid>],
            &appends.iter().map(|a| a.request_id.clone()).collect::<Vec<_>>() as &[Option<String>],
            &column(|usage| usage.input_tokens),
            &column(|usage| usage.output_tokens),
            &column(|usage| usage.cache_read_tokens),
            &column(|usage| usage.cache_write_tokens),
            &column(|usage| usage.cost.0),
            &next.clone().map(|n| n.map(|n| n.id)).collect::<Vec<_>>() as &[Option<Uuid>],
            &next.clone().map(|n| n.map(|n| n.model.clone())).collect::<Vec<_>>() as &[Option<String>],
            &next.clone().map(|n| n.map(|n| n.request_sha256.clone())).collect::<Vec<_>>()
                as &[Option<Vec<u8>>],
            &steps.iter().map(|(nth, _)| *nth).collect::<Vec<_>>(),
            &numbers.collect::<Vec<_>>(),
            &steps.iter().map(|(_, s)| s.kind.to_owned()).collect::<Vec<_>>(),
            &steps.iter().map(|(_, s)| s.body.clone()).collect::<Vec<_>>(),
            &steps.iter().map(|(_, s)| s.commit.clone()).collect::<Vec<_>>() as &[Option<String>],
            &steps.iter().map(|(_, s)| s.sandbox.clone()).collect::<Vec<_>>() as &[Option<String>],
            &steps.iter().map(|(_, s)| s.outline.clone()).collect::<Vec<_>>(),
            LEASE_SECONDS,
            EventKind::Step.as_str(),
            first_id,
            last_id,
            &routes.clone().map(|r| r.map(|r| r.reason.to_string())).collect::<Vec<_>>()
                as &[Option<String>],
            &routes.map(|r| r.map(|r| r.version)).collect::<Vec<_>>() as &[Option<i32>],
            &next.map(|n| n.map_or(0, |n| n.worst_case.0)).collect::<Vec<_>>(),
            &column(|usage| usage.cache_write_1h_tokens),
        );
        let rows = rows.fetch_all(line.connection().await?).await?;
        let written: HashMap<(Uuid, i64, i32), Edge> = rows
            .into_iter()
            .map(|row| {
                let edge = Edge { halted: row.halted, unread: row.unread, begun: row.begun };
                ((row.id, row.epoch, row.seq), edge)
            })
            .collect();
        Ok(appends.iter().map(|a| Ok(written.get(&(a.task.uuid(), a.epoch, a.seq)).copied())).collect())
    })
}
