//! Taking tasks: by a ticket, or without one in the order of urgency.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::Arc,
};

use futures::future::BoxFuture;
use hive_domain::{Lease, MemoryReader, TaskId, event::EventKind, journal::FORMAT, task::Task};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    awaiting,
    error::{Error, Result},
    group::answered,
    lease::LEASE_SECONDS,
    line::Line,
    pool::Store,
    tasks::{TaskRow, select_tasks},
};

/// Who claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// The worker's name, unique for each boot.
    pub name: Arc<str>,
    /// An isolated worker takes only tasks that may be what killed their workers; an ordinary one takes all others.
    pub isolated: bool,
}

impl Claimant {
    /// An ordinary worker.
    #[must_use]
    pub fn ordinary(name: &str) -> Self {
        Self { name: Arc::from(name), isolated: false }
    }
}

/// One ticket that is followed.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    task: TaskId,
    epoch: i64,
    claimant: Claimant,
}

/// `claim_tasks!(picked, arguments…)`: claims the rows of `tasks` that `picked (id, worker)` names and holds locked.
macro_rules! claim_tasks {
    ($($picked:literal)+ $(, $argument:expr)* $(,)?) => {
        select_tasks!(
            "WITH picked AS (" $($picked)+ "), task AS (
                 UPDATE tasks
                 SET status = 'running', status_reason = NULL, status_detail = NULL, epoch = epoch + 1,
                     attempt = attempt + 1, worker = picked.worker, lease_until = now() + make_interval(secs => $1),
                     -- The run keeps the definition it starts with, and the way its journal is written.
                     agent_version = coalesce(agent_version,
                                              (SELECT version FROM agents WHERE agents.id = assigned_agent_id)),
                     journal_format = coalesce(journal_format, $3),
                     routing_version = coalesce(routing_version, (SELECT version FROM active_routing)),
                     -- A statement may begin before what it finds was made, and its clock says when it began.
                     started_at = coalesce(started_at, greatest(now(), created_at)),
                     claimed_at = greatest(now(), created_at), event_seq = event_seq + 1,
                     updated_at = now()
                 -- By the ids also, since a plan of an empty table would read all of it.
                 FROM picked WHERE tasks.id = picked.id AND tasks.id = ANY (ARRAY(SELECT picked.id FROM picked))
                 RETURNING tasks.*
             ), event AS (
                 INSERT INTO events (task_id, seq, kind, data)
                 SELECT id, event_seq, $2, jsonb_build_object('worker', worker, 'epoch', epoch, 'attempt', attempt)
                 FROM task
             )",
            "task",
            "",
            LEASE_SECONDS,
            EventKind::Started.as_str(),
            FORMAT
            $(, $argument)*
        )
    };
}

/// `claim_ready!(ready, order, claimant, most)`: claims what is ready and may start, the first in this order. `ready` is
/// the condition of the index that has the order.
macro_rules! claim_ready {
    ($ready:literal, $order:literal, $claimant:expr, $most:expr) => {
        claim_tasks!(
            "SELECT t.id, $4::text AS worker
             FROM tasks t CROSS JOIN open_pauses p
             -- What can be known before any task is looked at: there may be very many that must not start.
             WHERE NOT p.fleet
               AND (NOT $5 OR EXISTS (SELECT 1 FROM tasks i WHERE i.status = 'ready' AND i.isolated))
               AND " $ready " AND t.isolated = $5
               -- What is late does not start: the reconciler ends it.
               AND (t.deadline IS NULL OR t.deadline > now())
               AND NOT covers(p.fleet, p.lanes, p.agents, p.sessions, t.priority, t.assigned_agent_id, t.session_id)
               AND NOT EXISTS (SELECT 1 FROM task_limits l
                               WHERE l.max_starts IS NOT NULL
                                 AND (l.kind = 'agent' AND l.name = t.assigned_agent_id::text
                                      OR l.kind = 'key' AND l.name = t.concurrency_key))
             " $order " LIMIT $6 FOR NO KEY UPDATE OF t SKIP LOCKED",
            &*$claimant.name,
            $claimant.isolated,
            $most,
        )
    };
}

impl Store {
    /// Takes the lease of a task that is ready, still has this epoch and that no gate holds back. `None`: the ticket is
    /// stale, or the task waits at a gate, which the row says; drop the ticket.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn claim(&self, task: TaskId, epoch: i64, claimant: &Claimant) -> Result<Option<Lease<Task>>> {
        let claim = Claim { task, epoch, claimant: claimant.clone() };
        match self.groups.claims.submit(&self.lines, claim).await? {
            Followed::Claimed(lease) => Ok(Some(*lease)),
            Followed::Rated => answered(self.claim_rated(task, epoch, claimant)).await,
            Followed::Stale => Ok(None),
        }
    }

    /// Takes the leases of the most urgent ready tasks, at most `most`, whoever holds tickets for them: the way to work
    /// while Redis is away. With `oldest` the one that has waited longest goes first. What is locked by another claim is
    /// left to it.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn claim_next(
        &self,
        claimant: &Claimant,
        most: usize,
        oldest: bool,
    ) -> Result<Vec<Lease<Task>>> {
        answered(async {
            let rows = if oldest {
                claim_ready!("(t.status = 'ready') IS NOT FALSE", "ORDER BY t.run_at", claimant, 1)
                    .fetch_all(&self.pool)
                    .await?
            } else {
                let most = i64::try_from(most).unwrap_or(i64::MAX);
                claim_ready!(
                    "(t.status = 'ready') IS TRUE",
                    "ORDER BY t.priority, t.run_at, t.id",
                    claimant,
                    most
                )
                .fetch_all(&self.pool)
                .await?
            };
            rows.into_iter().map(lease).collect()
        })
        .await
    }
}

/// What became of one ticket.
pub(crate) enum Followed {
    Claimed(Box<Lease<Task>>),
    /// Its task has a rate, and is claimed alone under the lock of its limit.
    Rated,
    Stale,
}

/// Follows many tickets in one statement.
pub(crate) fn send(line: &mut Line, claims: Arc<[Claim]>) -> BoxFuture<'_, Result<Vec<Result<Followed>>>> {
    Box::pin(async move {
        let ids: Vec<Uuid> = claims.iter().map(|claim| claim.task.uuid()).collect();
        let epochs: Vec<i64> = claims.iter().map(|claim| claim.epoch).collect();
        let workers: Vec<String> = claims.iter().map(|claim| claim.claimant.name.to_string()).collect();
        let isolated: Vec<bool> = claims.iter().map(|claim| claim.claimant.isolated).collect();
        let rows = claim_tasks!(
            // Locked in the order of the ids, as by every statement over many tasks, so that none waits in a circle.
            "SELECT t.id, w.worker
             -- Of two tickets for one task the first counts.
             FROM (SELECT DISTINCT ON (id, epoch, isolated) *
                   FROM unnest($4::uuid[], $5::bigint[], $6::text[], $7::boolean[]) WITH ORDINALITY
                       AS w (id, epoch, worker, isolated, nth)
                   ORDER BY id, epoch, isolated, nth) AS w
             JOIN tasks t ON t.id = w.id AND t.epoch = w.epoch AND t.isolated = w.isolated
             CROSS JOIN open_pauses p
             -- So written, no index of what is ready is tempting: a ticket names its row.
             WHERE (t.status <> 'ready') IS NOT TRUE AND t.id = ANY ($4)
               -- What is late does not start: the reconciler ends it.
               AND (t.deadline IS NULL OR t.deadline > now())
               AND NOT covers(p.fleet, p.lanes, p.agents, p.sessions, t.priority, t.assigned_agent_id, t.session_id)
               -- What has a rate is claimed alone, under the lock of its limit.
               AND NOT EXISTS (SELECT 1 FROM task_limits l
                               WHERE l.max_starts IS NOT NULL
                                 AND (l.kind = 'agent' AND l.name = t.assigned_agent_id::text
                                      OR l.kind = 'key' AND l.name = t.concurrency_key))
             ORDER BY t.id FOR NO KEY UPDATE OF t",
            &ids,
            &epochs,
            &workers,
            &isolated,
        );
        let connection = line.connection().await?;
        let rows = rows.fetch_all(&mut *connection).await?;
        let mut claimed: HashMap<Uuid, TaskRow> = rows.into_iter().map(|row| (row.id, row)).collect();
        let others: Vec<Uuid> = ids.into_iter().filter(|id| !claimed.contains_key(id)).collect();
        // Whatever becomes of this question, those that were claimed have their lease.
        let rated =
            if others.is_empty() { Ok(HashSet::new()) } else { rated(&mut *connection, &others).await };
        let first: Vec<MemoryReader> = claimed.values().filter_map(begins).collect();
        // Whoever is not told looks for itself.
        let awaits = match &rated {
            Ok(_) if !first.is_empty() => awaiting::look(connection, &first).await.unwrap_or_else(|error| {
                tracing::debug!(%error, "Nobody looked what awaits the runs that begin");
                HashMap::new()
            }),
            _ => HashMap::new(),
        };
        // Taken out, and only by the ticket that was good: of several for one task, one finds it.
        let mut answer = |claim: &Claim| match claimed.entry(claim.task.uuid()) {
            Entry::Occupied(row)
                if row.get().epoch == claim.epoch + 1 && row.get().isolated == claim.claimant.isolated =>
            {
                let row = row.remove();
                let awaits = begins(&row).and_then(|reader| awaits.get(&reader).copied());
                lease(row).map(|mut lease| {
                    lease.leased.awaits = awaits;
                    Followed::Claimed(Box::new(lease))
                })
            }
            _ => match &rated {
                Ok(rated) if rated.contains(&claim.task.uuid()) => Ok(Followed::Rated),
                Ok(_) => Ok(Followed::Stale),
                Err(_) => Err(Error::passing()),
            },
        };
        Ok(claims.iter().map(&mut answer).collect())
    })
}

/// The reader that a first run is, where nothing of length comes between its claim and its beginning.
fn begins(row: &TaskRow) -> Option<MemoryReader> {
    let is_first = row.next_seq == 1 && !row.verify_only && row.repository_url.is_none();
    let agent = row.agent_id.filter(|_| is_first)?.into();
    Some(MemoryReader {
        project: row.project_id.into(),
        session: row.session_id.map(Into::into),
        agent: Some(agent),
    })
}

/// Those of these tasks that are ready and have a rate.
async fn rated(connection: &mut PgConnection, tasks: &[Uuid]) -> Result<HashSet<Uuid>> {
    let rated = sqlx::query_scalar!(
        "SELECT t.id FROM tasks t
         WHERE (t.status <> 'ready') IS NOT TRUE AND t.id = ANY ($1) AND (t.deadline IS NULL OR t.deadline > now())
           AND EXISTS (SELECT 1 FROM task_limits l
                       WHERE l.max_starts IS NOT NULL
                         AND (l.kind = 'agent' AND l.name = t.assigned_agent_id::text
                              OR l.kind = 'key' AND l.name = t.concurrency_key))",
        tasks,
    );
    Ok(rated.fetch_all(connection).await?.into_iter().collect())
}

pub(crate) fn lease(row: TaskRow) -> Result<Lease<Task>> {
    let next_seq = row.next_seq;
    let task = Task::try_from(row)?;
    let (id, epoch) = (task.id, task.epoch);
    Ok(Lease::new(task, id, epoch, next_seq))
}

pub(crate) use claim_tasks;
