//! The phases of a night: what each asks, and its rows with its mark, in one transaction.

use hive_domain::{BatchRequestState, CyclePhase, ProjectId};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{ChangeKind, CycleLease, NightChange, changes, readings};
use crate::{
    batches::{self, NewBatchRequest},
    error::{Error, Result},
    pool::Store,
    text::storable_json,
};

/// A request of a night.
#[derive(Clone, Debug)]
pub struct NightRequest {
    /// The model's id.
    pub model: String,
    /// The body, as a batch takes it.
    pub body: String,
    /// What stands behind the numbers in its text.
    pub given: Value,
}

/// A request with what came of it.
#[derive(Clone, Debug)]
pub struct NightAnswer {
    /// Its id.
    pub id: Uuid,
    /// What stands behind the numbers in its text.
    pub given: Value,
    /// Where it stands.
    pub state: BatchRequestState,
    /// The message as it came.
    pub result: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
}

/// What a phase did besides its changes.
#[derive(Clone, Debug, Default)]
pub struct PhaseEnd {
    /// Changes, in their order.
    pub changes: Vec<NightChange>,
    /// What it did not get to, for people: `{phase, what, count, why}` each.
    pub skipped: Vec<Value>,
    /// The bound that stopped it: `money`, `tokens` or `time`.
    pub stopped_by: Option<&'static str>,
    /// Tasks whose journals it read to their end, and entries that it asked about; see [`Store::unread_tasks`].
    pub read: Vec<Uuid>,
}

impl Store {
    /// Queues the requests of a phase, once: when some of it are there already, nothing is done. Whether they are new. What
    /// of `end` is known by then is noted with them: what is skipped, and which bound it met.
    ///
    /// # Errors
    /// [`Error::Conflict`] `sleep_cycle_fenced`; and when a body cannot be sent.
    pub async fn ask_for_cycle(
        &self,
        lease: &CycleLease,
        phase: CyclePhase,
        requests: &[NightRequest],
        end: &PhaseEnd,
    ) -> Result<bool> {
        let mut tx = self.pool.begin().await?;
        let at = lease.hold(&mut tx).await?;
        let asked = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM sleep_requests WHERE cycle_id = $1 AND phase = $2::text::sleep_phase) AS "asked!""#,
            lease.cycle.id.uuid(),
            phase.as_str(),
        )
        .fetch_one(&mut *tx)
        .await?;
        if at != phase || asked {
            return Ok(false);
        }
        let owner = lease.cycle.owner;
        let new: Vec<NewBatchRequest> = requests
            .iter()
            .map(|request| NewBatchRequest {
                id: Uuid::now_v7(),
                purpose: "sleep".to_owned(),
                model: request.model.clone(),
                body: request.body.clone(),
                project: owner.project(),
                task: None,
                agent: owner.agent(),
                session: owner.session(),
            })
            .collect();
        batches::queue::queue(&mut tx, &new).await?;
        let numbers: Vec<i32> = (0..).take(new.len()).collect();
        sqlx::query!(
            "INSERT INTO sleep_requests (cycle_id, phase, number, request_id, given)
             SELECT $1, $2::text::sleep_phase, g.number, g.request, g.given
             FROM unnest($3::int[], $4::uuid[], $5::jsonb[]) AS g (number, request, given)",
            lease.cycle.id.uuid(),
            phase.as_str(),
            &numbers,
            &new.iter().map(|request| request.id).collect::<Vec<_>>(),
            &requests.iter().map(|request| storable_json(request.given.clone())).collect::<Vec<_>>(),
        )
        .execute(&mut *tx)
        .await?;
        note_skipped(&mut tx, lease, end).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The requests of a phase with what came of them, in their order.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn cycle_answers(&self, lease: &CycleLease, phase: CyclePhase) -> Result<Vec<NightAnswer>> {
        let rows = sqlx::query!(
            r#"SELECT r.request_id, r.given, b.state::text AS "state!", b.result, b.error
               FROM sleep_requests r JOIN batch_requests b ON b.id = r.request_id
               WHERE r.cycle_id = $1 AND r.phase = $2::text::sleep_phase ORDER BY r.number"#,
            lease.cycle.id.uuid(),
            phase.as_str(),
        )
        .fetch_all(&self.pool)
        .await?;
        let answers = rows.into_iter().map(|row| {
            Ok(NightAnswer {
                id: row.request_id,
                given: row.given,
                state: row
                    .state
                    .parse()
                    .map_err(|e| Error::inconsistent("batch_requests", "state", row.request_id, e))?,
                result: row.result,
                error: row.error,
            })
        });
        answers.collect()
    }

    /// Ends requests of a night that were not sent yet: nobody waits for them any more. How many.
    ///
    /// # Errors
    /// [`Error::Conflict`] `sleep_cycle_fenced`.
    pub async fn drop_cycle_requests(&self, lease: &CycleLease) -> Result<u64> {
        let mut tx = self.pool.begin().await?;
        lease.hold(&mut tx).await?;
        let dropped = sqlx::query!(
            "UPDATE batch_requests b
             SET state = 'canceled', error = 'the sleep cycle waits no longer', completed_at = now(), updated_at = now()
             FROM (SELECT q.id FROM batch_requests q JOIN sleep_requests r ON r.request_id = q.id
                   WHERE r.cycle_id = $1 AND q.state = 'queued' ORDER BY q.id FOR NO KEY UPDATE OF q) AS own
             WHERE b.id = own.id",
            lease.cycle.id.uuid(),
        );
        let dropped = dropped.execute(&mut *tx).await?.rows_affected();
        tx.commit().await?;
        Ok(dropped)
    }

    /// Writes what a phase did, with its mark. False: it was done before, and nothing is written.
    ///
    /// # Errors
    /// [`Error::Conflict`] `sleep_cycle_fenced`; and when Postgres refuses. Then nothing of it is left.
    pub async fn finish_phase(&self, lease: &CycleLease, phase: CyclePhase, end: &PhaseEnd) -> Result<bool> {
        let next = phase.next().ok_or_else(|| Error::Conflict {
            code: "sleep_cycle_phase",
            message: "the last phase ends with the cycle".to_owned(),
        })?;
        let mut tx = self.pool.begin().await?;
        if lease.hold(&mut tx).await? != phase {
            return Ok(false);
        }
        if phase == CyclePhase::Promote {
            // Two nights of one project must not promote the same lesson.
            sqlx::query!(
                "SELECT pg_advisory_xact_lock(hashtextextended('promote/' || coalesce($1::text, ''), 0))",
                lease.cycle.owner.project().map(|project| project.to_string()),
            )
            .fetch_one(&mut *tx)
            .await?;
        }
        let mut kept = Vec::new();
        for change in &end.changes {
            if change.kind == ChangeKind::Promoted && promoted_before(&mut tx, change).await? {
                continue;
            }
            kept.push(change.clone());
        }
        changes::write(&mut tx, lease, phase.as_str(), &kept).await?;
        readings::note(&mut tx, lease.cycle.id, &end.read, false).await?;
        note_skipped(&mut tx, lease, end).await?;
        sqlx::query!(
            "UPDATE sleep_cycles SET phase = $2::text::sleep_phase, deaths = 0, updated_at = now() WHERE id = $1",
            lease.cycle.id.uuid(),
            next.as_str(),
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }
}

async fn note_skipped(connection: &mut PgConnection, lease: &CycleLease, end: &PhaseEnd) -> Result<()> {
    sqlx::query!(
        "UPDATE sleep_cycles SET skipped = skipped || $2::jsonb, stopped_by = coalesce(stopped_by, $3) WHERE id = $1",
        lease.cycle.id.uuid(),
        storable_json(Value::Array(end.skipped.clone())),
        end.stopped_by,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether the project remembers these words already.
async fn promoted_before(connection: &mut PgConnection, change: &NightChange) -> Result<bool> {
    let Some(born) = &change.born else { return Ok(false) };
    let there = sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM contexts c
               WHERE c.scope = 'project' AND c.project_id = $1 AND c.content = $2 AND c.superseded_by IS NULL
                 AND (c.born_version IS NULL OR EXISTS (
                         SELECT FROM memory_versions v WHERE v.id = c.born_version AND v.state IN ('active', 'building')))
                 AND (c.died_version IS NULL OR NOT EXISTS (
                         SELECT FROM memory_versions v WHERE v.id = c.died_version AND v.state = 'active'))) AS "there!""#,
        born.owner.project().map(ProjectId::uuid),
        born.content,
    );
    Ok(there.fetch_one(connection).await?)
}
