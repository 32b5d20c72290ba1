//! Taking a published night back: the switch in the other direction, or exactly what stands in its way.

use hive_domain::{AgentId, ContextId, CycleId, CycleState, ProjectId, SessionId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{SleepCycle, end, read};
use crate::{
    error::{Error, Result},
    pool::Store,
};

/// How far a rollback goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RollbackWish {
    /// Later nights that built on it go with it.
    pub with_later: bool,
    /// What people changed or deleted of its entries since does not hold it up.
    pub force: bool,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub enum RolledBack {
    /// These are taken back, the latest first.
    Done(Vec<SleepCycle>),
    /// Nothing was done: this stands in the way.
    Conflicts(Vec<RollbackConflict>),
}

/// Why a night is not simply taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RollbackObstacle {
    /// A later night drew on the entry, or retired it.
    LaterCycle(CycleId),
    /// Somebody edited, pinned, locked or weighed the entry that the night brought: that would be lost.
    Changed,
    /// Somebody deleted the entry that the night brought: what it was drawn from would come back.
    Deleted,
    /// Somebody deleted an entry that the night retired: it cannot come back.
    Gone,
}

/// One thing that stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollbackConflict {
    /// Which entry.
    pub entry: ContextId,
    /// Which night it is of.
    pub cycle: CycleId,
    /// What about it.
    pub obstacle: RollbackObstacle,
}

impl Store {
    /// Takes a night back: all that it retired is visible again as it was, byte for byte, and nothing of what it brought.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] `sleep_cycle_not_published` when there is nothing to take back,
    /// `sleep_cycle_open` while another night of the same memory is under way.
    pub async fn roll_back_cycle(&self, id: CycleId, wish: RollbackWish, by: &str) -> Result<RolledBack> {
        let mut tx = self.pool.begin().await?;
        let cycle = read::one(&mut tx, id).await?;
        let mut cycles = vec![id.uuid()];
        let later = later(&mut tx, id.uuid()).await?;
        if wish.with_later {
            cycles.extend(later.iter().map(|(cycle, _)| *cycle));
        }
        cycles.sort_unstable();
        cycles.dedup();
        sqlx::query!("SELECT FROM sleep_cycles WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", &cycles)
            .fetch_all(&mut *tx)
            .await?;
        let state = read::one(&mut tx, id).await?.state;
        if state != CycleState::Completed {
            let message = format!("the sleep cycle is {state}; only a completed one is taken back");
            return Err(Error::Conflict { code: "sleep_cycle_not_published", message });
        }
        if let Some(open) = open(&mut tx, &cycle).await? {
            let message =
                format!("sleep cycle {open} is at work on the same memory; wait for its end or cancel it");
            return Err(Error::Conflict { code: "sleep_cycle_open", message });
        }
        let mut conflicts = Vec::new();
        if !wish.with_later {
            conflicts.extend(later.into_iter().map(|(cycle, entry)| RollbackConflict {
                entry: entry.into(),
                cycle: cycle.into(),
                obstacle: RollbackObstacle::LaterCycle(cycle.into()),
            }));
        }
        if !wish.force {
            conflicts.extend(by_people(&mut tx, &cycles).await?);
        }
        if !conflicts.is_empty() {
            return Ok(RolledBack::Conflicts(conflicts));
        }
        let mut done = Vec::new();
        for one in cycles.iter().rev() {
            let version = read::one(&mut tx, (*one).into()).await?.version.uuid();
            end::switch(&mut tx, version, "active", "rolled_back").await?;
            end::release(&mut tx, version).await?;
            sqlx::query!(
                "UPDATE sleep_cycles SET state = 'rolled_back', rolled_back_at = now(), rolled_back_by = $2, updated_at = now()
                 WHERE id = $1 AND state = 'completed'",
                *one,
                by,
            )
            .execute(&mut *tx)
            .await?;
            done.push(read::one(&mut tx, (*one).into()).await?);
        }
        tx.commit().await?;
        Ok(RolledBack::Done(done))
    }
}

/// Later published nights that built on this one, or on such a one, each with the entry that they share.
async fn later(connection: &mut PgConnection, id: Uuid) -> Result<Vec<(Uuid, Uuid)>> {
    let rows = sqlx::query!(
        r#"WITH RECURSIVE built AS (
               SELECT $1::uuid AS cycle, NULL::uuid AS entry
               UNION
               SELECT l.cycle_id, b.born
               FROM built
               JOIN sleep_changes b ON b.cycle_id = built.cycle AND b.born IS NOT NULL AND b.kind NOT IN ('refused', 'dropped')
               JOIN sleep_changes l ON l.cycle_id > built.cycle AND l.kind NOT IN ('refused', 'dropped', 'kept')
                   AND (b.born = ANY(l.retired) OR b.born = ANY(l.sources)
                        OR EXISTS (SELECT FROM contexts c WHERE c.id = l.born AND c.superseded_by = b.born))
               JOIN sleep_cycles c ON c.id = l.cycle_id AND c.state = 'completed')
           SELECT cycle AS "cycle!", entry AS "entry!" FROM built WHERE entry IS NOT NULL ORDER BY 1, 2"#,
        id,
    );
    Ok(rows.fetch_all(connection).await?.into_iter().map(|row| (row.cycle, row.entry)).collect())
}

async fn open(connection: &mut PgConnection, cycle: &SleepCycle) -> Result<Option<Uuid>> {
    let owner = cycle.owner;
    let open = sqlx::query_scalar!(
        "SELECT id FROM sleep_cycles
         WHERE scope = $1::text::memory_scope AND project_id IS NOT DISTINCT FROM $2
           AND session_id IS NOT DISTINCT FROM $3 AND agent_id IS NOT DISTINCT FROM $4 AND state IN ('pending', 'running')",
        owner.scope().as_str(),
        owner.project().map(ProjectId::uuid),
        owner.session().map(SessionId::uuid),
        owner.agent().map(AgentId::uuid),
    );
    Ok(open.fetch_optional(connection).await?)
}

/// What people did since to entries that these nights brought or retired.
async fn by_people(connection: &mut PgConnection, cycles: &[Uuid]) -> Result<Vec<RollbackConflict>> {
    let rows = sqlx::query!(
        r#"WITH own AS (
               SELECT cycle_id, born, retired FROM sleep_changes
               WHERE cycle_id = ANY($1) AND kind NOT IN ('refused', 'dropped', 'kept')
           ), touched AS (
               SELECT o.cycle_id, o.born AS entry, CASE WHEN c.id IS NULL THEN 'deleted' ELSE 'changed' END AS what
               FROM own o LEFT JOIN contexts c ON c.id = o.born
               WHERE o.born IS NOT NULL AND (c.id IS NULL OR c.version > 1)
               UNION
               SELECT o.cycle_id, r.id, 'gone'
               FROM own o CROSS JOIN unnest(o.retired) AS r (id)
               WHERE NOT EXISTS (SELECT FROM contexts c WHERE c.id = r.id)
                 -- What one of these nights brought itself is said above.
                 AND NOT EXISTS (SELECT FROM own b WHERE b.born = r.id)
           )
           SELECT cycle_id AS "cycle!", entry AS "entry!", what AS "what!" FROM touched ORDER BY 1, 2"#,
        cycles,
    );
    let rows = rows.fetch_all(connection).await?.into_iter().map(|row| RollbackConflict {
        entry: row.entry.into(),
        cycle: row.cycle.into(),
        obstacle: match &*row.what {
            "deleted" => RollbackObstacle::Deleted,
            "gone" => RollbackObstacle::Gone,
            _ => RollbackObstacle::Changed,
        },
    });
    Ok(rows.collect())
}
