//! Taking a published night back: the switch in the other direction, or exactly what stands in its way.

use hive_domain::{ContextId, CycleId, CycleState};
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
    /// Somebody edited, pinned, locked or weighed the entry that the night brought: that would be lost. Or they gave
    /// another text to one that it kept in the place of others: these would come back beside it, as they were.
    Changed,
    /// Somebody deleted the entry that the night brought, or kept in the place of others: what it stands for would come
    /// back.
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
    /// `sleep_cycle_open` while another night of a memory that it changed is under way, `sleep_cycle_pruned` when what it
    /// retired was removed since it is that old.
    pub async fn roll_back_cycle(&self, id: CycleId, wish: RollbackWish, by: &str) -> Result<RolledBack> {
        let mut tx = self.pool.begin().await?;
        let cycle = read::one(&mut tx, id).await?;
        must_be_published(cycle.state)?;
        let mut cycles = vec![id.uuid()];
        // A night that is published between the two looks is found by the second.
        let behind: Vec<Uuid> =
            later(&mut tx, id.uuid()).await?.into_iter().map(|(cycle, _)| cycle).collect();
        if let Some(open) = open(&mut tx, &cycle, &behind).await? {
            let message = format!(
                "sleep cycle {open} is at work on a memory that this one changed; wait for its end or cancel it"
            );
            return Err(Error::Conflict { code: "sleep_cycle_open", message });
        }
        let later = later(&mut tx, id.uuid()).await?;
        if wish.with_later {
            cycles.extend(later.iter().map(|(cycle, _)| *cycle));
        }
        cycles.sort_unstable();
        cycles.dedup();
        sqlx::query!("SELECT FROM sleep_cycles WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", &cycles)
            .fetch_all(&mut *tx)
            .await?;
        must_be_published(read::one(&mut tx, id).await?.state)?;
        must_be_whole(&mut tx, &cycles).await?;
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
        for one in &latest_first(&mut tx, &cycles).await? {
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

fn must_be_published(state: CycleState) -> Result<()> {
    if state == CycleState::Completed {
        return Ok(());
    }
    let message = format!("the sleep cycle is {state}; only a completed one is taken back");
    Err(Error::Conflict { code: "sleep_cycle_not_published", message })
}

/// What was retired that long ago is removed, and cannot come back.
async fn must_be_whole(connection: &mut PgConnection, cycles: &[Uuid]) -> Result<()> {
    let pruned = sqlx::query!(
        r#"SELECT id, pruned_at AS "at!" FROM sleep_cycles WHERE id = ANY($1) AND pruned_at IS NOT NULL ORDER BY id LIMIT 1"#,
        cycles
    );
    let Some(pruned) = pruned.fetch_optional(connection).await? else { return Ok(()) };
    let message = format!(
        "what sleep cycle {} retired was removed by the duty memory_retention on {}; it cannot be taken back any more",
        pruned.id,
        pruned.at.date_naive()
    );
    Err(Error::Conflict { code: "sleep_cycle_pruned", message })
}

/// Published nights that built on this one, or on such a one, each with the entry that they share. Whatever names what a
/// night brought was published after it, whenever it began.
async fn later(connection: &mut PgConnection, id: Uuid) -> Result<Vec<(Uuid, Uuid)>> {
    let rows = sqlx::query!(
        r#"WITH RECURSIVE built AS (
               SELECT $1::uuid AS cycle, NULL::uuid AS entry
               UNION
               SELECT l.cycle_id, b.born
               FROM built
               CROSS JOIN LATERAL (
                   SELECT born FROM sleep_changes
                   WHERE cycle_id = built.cycle AND born IS NOT NULL AND kind NOT IN ('refused', 'dropped')
                   -- What people made of it by another text goes with it.
                   UNION SELECT c.id FROM sleep_cycles k JOIN contexts c ON c.born_version = k.version_id
                         WHERE k.id = built.cycle) AS b
               CROSS JOIN LATERAL (
                   SELECT cycle_id, kind FROM sleep_changes WHERE retired @> ARRAY[b.born]
                   UNION SELECT cycle_id, kind FROM sleep_changes WHERE sources @> ARRAY[b.born]
                   UNION SELECT s.cycle_id, s.kind FROM contexts c JOIN sleep_changes s ON s.born = c.id
                         WHERE c.superseded_by = b.born) AS l
               JOIN sleep_cycles c ON c.id = l.cycle_id AND c.state = 'completed'
               WHERE l.cycle_id <> built.cycle AND l.kind NOT IN ('refused', 'dropped', 'kept'))
           SELECT cycle AS "cycle!", entry AS "entry!" FROM built WHERE entry IS NOT NULL AND cycle <> $1 ORDER BY 1, 2"#,
        id,
    );
    Ok(rows.fetch_all(connection).await?.into_iter().map(|row| (row.cycle, row.entry)).collect())
}

/// A night that is under way on a memory of this one or those `behind` it, or on one that they brought something to.
async fn open(connection: &mut PgConnection, cycle: &SleepCycle, behind: &[Uuid]) -> Result<Option<Uuid>> {
    let cycles: Vec<Uuid> = behind.iter().copied().chain([cycle.id.uuid()]).collect();
    let open = sqlx::query_scalar!(
        r#"WITH touched AS (
               SELECT scope, project_id, session_id, agent_id FROM sleep_cycles WHERE id = ANY($1)
               UNION
               SELECT c.scope, c.project_id, c.session_id, c.agent_id
               FROM sleep_changes s JOIN contexts c ON c.id = s.born WHERE s.cycle_id = ANY($1))
           SELECT o.id FROM touched t JOIN sleep_cycles o
               ON o.scope = t.scope AND o.project_id IS NOT DISTINCT FROM t.project_id
              AND o.session_id IS NOT DISTINCT FROM t.session_id AND o.agent_id IS NOT DISTINCT FROM t.agent_id
           WHERE o.state IN ('pending', 'running') LIMIT 1"#,
        &cycles,
    );
    Ok(open.fetch_optional(connection).await?)
}

/// In the order in which they are taken back.
async fn latest_first(connection: &mut PgConnection, cycles: &[Uuid]) -> Result<Vec<Uuid>> {
    let ids = sqlx::query_scalar!(
        "SELECT id FROM sleep_cycles WHERE id = ANY($1) ORDER BY finished_at DESC, id DESC",
        cycles
    );
    Ok(ids.fetch_all(connection).await?)
}

/// What people did since to entries that these nights brought or retired.
async fn by_people(connection: &mut PgConnection, cycles: &[Uuid]) -> Result<Vec<RollbackConflict>> {
    let rows = sqlx::query!(
        r#"WITH own AS (
               SELECT cycle_id, kind, born, retired, sources FROM sleep_changes
               WHERE cycle_id = ANY($1) AND kind NOT IN ('refused', 'dropped', 'kept')
           ), touched AS (
               SELECT o.cycle_id, o.born AS entry, CASE WHEN c.id IS NULL THEN 'deleted' ELSE 'changed' END AS what
               FROM own o LEFT JOIN contexts c ON c.id = o.born
               WHERE o.born IS NOT NULL AND (c.id IS NULL OR c.version > 1)
               UNION
               -- What stands for others, since it says the same: they would come back.
               SELECT o.cycle_id, k.id, CASE WHEN c.id IS NULL THEN 'deleted' ELSE 'changed' END
               FROM own o CROSS JOIN unnest(o.sources) AS k (id) LEFT JOIN contexts c ON c.id = k.id
               WHERE o.kind = 'merged' AND o.born IS NULL AND (c.id IS NULL OR c.superseded_by IS NOT NULL)
                 AND NOT EXISTS (SELECT FROM own b WHERE b.born = k.id)
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
