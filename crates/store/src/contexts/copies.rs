//! What a deletion or a redaction reaches beside the memory: words of an entry that were written down elsewhere while it
//! stood.

use sqlx::PgConnection;
use uuid::Uuid;

use super::redact::REDACTED;
use crate::error::Result;

/// Writes over what nights and kept answers say of these entries: reasons of changes, questions of gates, what the model was
/// asked and answered by nights that are over, and the answers that are kept for requests sent again. What a night that is
/// under way was answered is written over at its end; see [`blot_out_of`].
pub(super) async fn blot_out(connection: &mut PgConnection, ids: &[Uuid]) -> Result<()> {
    sqlx::query!(
        "WITH about AS (
             SELECT id FROM sleep_changes WHERE born = ANY($1)
             UNION SELECT id FROM sleep_changes WHERE retired && $1
             UNION SELECT id FROM sleep_changes WHERE sources && $1
         )
         UPDATE sleep_changes s SET reason = $2 FROM about a WHERE s.id = a.id",
        ids,
        REDACTED,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("UPDATE sleep_probes SET question = $2 WHERE evidence = ANY($1)", ids, REDACTED)
        .execute(&mut *connection)
        .await?;
    let paths: Vec<String> = ids.iter().map(|id| format!("/api/v1/context/{id}")).collect();
    sqlx::query!(
        r#"UPDATE idempotency_keys
           SET body = (body::jsonb || jsonb_build_object('title', '', 'content', $2::text))::text
           WHERE location = ANY($1) AND location LIKE '/api/v1/context/%'"#,
        &paths,
        REDACTED,
    )
    .execute(&mut *connection)
    .await?;
    let requests = sqlx::query_scalar!(
        r#"SELECT r.request_id FROM unnest($1::uuid[]) AS g (id)
           JOIN sleep_requests r
               ON r.given @> jsonb_build_object('facts', jsonb_build_array(jsonb_build_object('id', g.id)))
               OR r.given @> jsonb_build_object('excerpts', jsonb_build_array(jsonb_build_object('entry', g.id)))
           JOIN sleep_cycles c ON c.id = r.cycle_id
           WHERE c.state NOT IN ('pending', 'running')"#,
        ids,
    )
    .fetch_all(&mut *connection)
    .await?;
    forget(connection, &requests).await
}

/// At the end of a night: writes over what the model was asked and answered about entries that somebody deleted or wrote
/// over since it was asked.
pub(crate) async fn blot_out_of(connection: &mut PgConnection, cycle: Uuid) -> Result<()> {
    let requests = sqlx::query_scalar!(
        "SELECT DISTINCT r.request_id FROM sleep_requests r
         CROSS JOIN LATERAL (
             SELECT f ->> 'id' AS id FROM jsonb_path_query(r.given, '$.facts[*]') AS f
             UNION ALL SELECT e ->> 'entry' FROM jsonb_path_query(r.given, '$.excerpts[*]') AS e) AS m
         WHERE r.cycle_id = $1 AND m.id IS NOT NULL
           AND (EXISTS (SELECT FROM context_tombstones t WHERE t.context_id = m.id::uuid AND t.deleted_by <> 'night')
                OR EXISTS (SELECT FROM contexts c WHERE c.id = m.id::uuid AND c.redacted_at > r.created_at))",
        cycle,
    )
    .fetch_all(&mut *connection)
    .await?;
    forget(connection, &requests).await
}

/// Nobody reads them any more: their night is over.
async fn forget(connection: &mut PgConnection, requests: &[Uuid]) -> Result<()> {
    if requests.is_empty() {
        return Ok(());
    }
    // What the provider still works on is found again by a later deletion.
    sqlx::query!(
        "WITH ended AS (
             UPDATE batch_requests SET body = $2, result = CASE WHEN result IS NOT NULL THEN $2 END
             WHERE id = ANY($1) AND state NOT IN ('queued', 'sent')
             RETURNING id
         )
         UPDATE sleep_requests r SET given = to_jsonb($2::text) FROM ended e WHERE r.request_id = e.id",
        requests,
        REDACTED,
    )
    .execute(connection)
    .await?;
    Ok(())
}
