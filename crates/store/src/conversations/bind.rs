//! Which task reads what an agent is sent.
//!
//! A reply goes to the task that wrote what it replies to, while that is open. Everything else goes to a task of the
//! agent that can read it soon: one that runs, one that its agent put to sleep, which is woken, one that is about to
//! begin; of several, one of the message's session first. An agent that has none gets a task for it, when the message
//! wakes. In an inbox nothing overtakes what came before it, replies apart.

use std::collections::BTreeMap;

use hive_domain::{
    AgentId, MessageId, Priority, TaskId,
    conversation::{MOST_BOUND, MOST_HOPS},
    event::EventKind,
    task::NewTask,
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::plan::{Plan, Reader, Waiting};
use crate::{
    error::{Error, Result},
    pool::Store,
    settle::Announcement,
    tasks::enqueue,
};

/// What was bound.
#[derive(Clone, Debug, Default)]
pub struct Bound {
    /// Tasks that have something to read, with the number of deliveries that were bound to each.
    pub tasks: Vec<(TaskId, i32)>,
    /// Those of them that may run now and want a ticket.
    pub woken: Vec<Woken>,
    /// Messages that would have made a task, if not too many in a row had been made.
    pub(crate) held_back_by_hops: Vec<MessageId>,
}

/// A task that a message made or woke.
#[derive(Clone, Debug)]
pub struct Woken {
    /// Its ticket; none when it passes the gate of its concurrency key first.
    pub ticket: Option<Announcement>,
    /// That key.
    pub key: Option<String>,
}

impl Store {
    /// Binds what waits for an agent whose task begins: what did not wake it is read now.
    ///
    /// # Errors
    /// When Postgres refuses; what waits keeps waiting.
    pub async fn bind_waiting(&self, agent: AgentId) -> Result<Bound> {
        let mut tx = self.pool.begin().await?;
        lock_inboxes(&mut tx, &[agent.uuid()]).await?;
        let bound = bind(&mut tx, &[agent.uuid()], None).await?;
        tx.commit().await?;
        Ok(bound)
    }
}

/// Inboxes before tasks, as everywhere.
pub(super) async fn lock_inboxes(connection: &mut PgConnection, agents: &[Uuid]) -> Result<()> {
    let locked = sqlx::query!(
        "SELECT agent_id FROM inboxes WHERE agent_id = ANY ($1) ORDER BY agent_id FOR NO KEY UPDATE",
        agents
    );
    locked.fetch_all(connection).await?;
    Ok(())
}

/// Binds what waits for these agents, whose inboxes the caller holds. `sender` is the run that writes: it must hold its
/// lease.
pub(super) async fn bind(
    connection: &mut PgConnection,
    agents: &[Uuid],
    sender: Option<(Uuid, i64)>,
) -> Result<Bound> {
    let mut waiting = waiting(connection, agents, Which::First).await?;
    if waiting.is_empty() && sender.is_none() {
        return Ok(Bound::default());
    }
    let mut plan = Plan::new(readers(connection, &waiting, sender).await?);
    let unheard = plan.unheard(&waiting);
    if !unheard.is_empty() {
        waiting.extend(self::waiting(connection, &unheard, Which::FirstThatBegins).await?);
    }
    plan.begin(&waiting);
    for delivery in &waiting {
        plan.place(delivery);
    }
    for made in plan.made.values() {
        make(connection, made).await?;
    }
    let counts = carry_out(connection, &plan.bound).await?;
    tell(connection, &counts, &plan).await
}

/// What is looked at of an inbox.
enum Which {
    /// As much as one task takes.
    First,
    /// What begins a task: it may stand behind any number that begin none.
    FirstThatBegins,
}

async fn waiting(connection: &mut PgConnection, agents: &[Uuid], which: Which) -> Result<Vec<Waiting>> {
    let (begins, most) = match which {
        Which::First => (false, i64::from(MOST_BOUND)),
        Which::FirstThatBegins => (true, 1),
    };
    let waiting = sqlx::query_as!(
        Waiting,
        r#"SELECT d.agent_id AS "agent!", a.project_id AS "project!", d.place AS "place!", d.message_id AS "message!",
                  d.thread_id AS "thread!", d.session_id AS session, d.wants_task AS wants, d.from_name AS "from_name!",
                  d.begins AS "begins!", d.wakes AS "wakes!", d.priority AS "priority!"
           FROM unnest($1::uuid[]) AS g (agent_id)
           JOIN inboxes i ON i.agent_id = g.agent_id AND NOT i.pulled
           JOIN agents a ON a.id = g.agent_id AND a.status = 'active'
             -- What comes to one that sleeps waits for the morning.
             AND NOT EXISTS (SELECT 1 FROM sleeps s WHERE s.agent_id = a.id AND s.state <> 'awake')
           CROSS JOIN LATERAL (
               SELECT d.agent_id, d.place, d.message_id, d.wants_task, m.thread_id, m.session_id, m.from_name, m.priority,
                      w.wakes, w.wakes AND m.hops < $4 AS begins
               FROM message_deliveries d JOIN conversations m ON m.id = d.message_id
               -- An answer that its asker did not live to read is no reason to begin something.
               CROSS JOIN LATERAL (SELECT m.wakes AND NOT (m.message_type = 'answer' AND d.tries > 0) AS wakes) AS w
               WHERE d.agent_id = g.agent_id AND d.state = 'pending' AND d.visible_at <= now()
                 AND (NOT $3 OR w.wakes AND m.hops < $4)
                 -- Nothing passes what waits to be tried again, of the same conversation.
                 AND NOT EXISTS (
                     SELECT FROM message_deliveries e JOIN conversations o ON o.id = e.message_id
                     WHERE e.agent_id = g.agent_id AND e.state = 'pending' AND e.visible_at > now()
                       AND e.place < d.place AND o.thread_id = m.thread_id)
               ORDER BY d.place LIMIT $2) AS d
           ORDER BY d.agent_id, d.place"#,
        agents,
        most,
        begins,
        MOST_HOPS,
    );
    Ok(waiting.fetch_all(connection).await?)
}

/// Locks the tasks that may read, and that of the sender, in the order of their ids.
async fn readers(
    connection: &mut PgConnection,
    waiting: &[Waiting],
    sender: Option<(Uuid, i64)>,
) -> Result<Vec<Reader>> {
    let mut agents: Vec<Uuid> = waiting.iter().map(|delivery| delivery.agent).collect();
    agents.dedup();
    let mut wanted: Vec<Uuid> = waiting.iter().filter_map(|delivery| delivery.wants).collect();
    wanted.extend(sender.map(|(task, _)| task));
    let ids = sqlx::query_scalar!(
        r#"SELECT t.id AS "id!" FROM unnest($1::uuid[]) AS g (agent_id)
           CROSS JOIN LATERAL (
               SELECT id FROM tasks t
               WHERE t.assigned_agent_id = g.agent_id AND t.status IN ('ready', 'running', 'waiting')
                 AND NOT t.verify_only
                 AND (t.status <> 'waiting' OR t.status_reason IN ('timer', 'answer'))
               ORDER BY t.mail < $4 DESC, coalesce(t.session_id = ANY ($3), false) DESC, t.status = 'running' DESC,
                        t.status = 'waiting' DESC, t.id DESC LIMIT 3) AS t
           UNION SELECT unnest($2::uuid[])"#,
        &agents,
        &wanted,
        &waiting.iter().filter_map(|delivery| delivery.session).collect::<Vec<_>>(),
        MOST_BOUND,
    );
    let ids: Vec<Uuid> = ids.fetch_all(&mut *connection).await?;
    let rows = sqlx::query!(
        r#"SELECT id, assigned_agent_id, session_id, epoch, status::text AS "status!", mail,
                  CASE WHEN verify_only THEN 4 WHEN status = 'running' THEN 0
                       WHEN status = 'waiting' AND status_reason IN ('timer', 'answer') THEN 1
                       WHEN status = 'ready' THEN 2
                       WHEN status IN ('pending', 'waiting') THEN 3 ELSE 4 END AS "rank!"
           FROM tasks WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE"#,
        &ids,
    );
    let rows = rows.fetch_all(connection).await?;
    if let Some((task, epoch)) = sender
        && !rows.iter().any(|row| row.id == task && row.epoch == epoch && row.status == "running")
    {
        return Err(Error::Fenced { task: task.into(), epoch });
    }
    let readers = rows.into_iter().filter(|row| row.rank < 4).filter_map(|row| {
        Some(Reader {
            id: row.id,
            agent: row.assigned_agent_id?,
            session: row.session_id,
            rank: row.rank,
            room: (MOST_BOUND - row.mail).max(0),
        })
    });
    Ok(readers.collect())
}

async fn make(connection: &mut PgConnection, task: &NewTask) -> Result<()> {
    enqueue::insert(connection, task).await?;
    crate::meter::created(1);
    Ok(())
}

/// Binds, and counts for each task what was bound: what somebody took meanwhile is not.
async fn carry_out(
    connection: &mut PgConnection,
    bound: &[(Uuid, i64, Uuid)],
) -> Result<BTreeMap<Uuid, i32>> {
    let rows = sqlx::query_scalar!(
        r#"UPDATE message_deliveries d
           SET state = 'bound', task_id = g.task_id, tries = tries + 1, last_error = NULL
           FROM unnest($1::uuid[], $2::bigint[], $3::uuid[]) AS g (agent_id, place, task_id)
           WHERE d.agent_id = g.agent_id AND d.place = g.place AND d.state = 'pending'
           RETURNING g.task_id AS "task_id!""#,
        &bound.iter().map(|(agent, ..)| *agent).collect::<Vec<_>>(),
        &bound.iter().map(|(_, place, _)| *place).collect::<Vec<_>>(),
        &bound.iter().map(|(.., task)| *task).collect::<Vec<_>>(),
    );
    let mut counts = BTreeMap::new();
    for task in rows.fetch_all(connection).await? {
        *counts.entry(task).or_default() += 1;
    }
    Ok(counts)
}

/// Says on each task's row that it has something to read, and wakes it from a wait of its agent.
async fn tell(connection: &mut PgConnection, counts: &BTreeMap<Uuid, i32>, plan: &Plan) -> Result<Bound> {
    let (ids, numbers): (Vec<Uuid>, Vec<i32>) = counts.iter().unzip();
    let made_for: Vec<Option<Uuid>> = ids.iter().map(|id| plan.made_for.get(id).copied()).collect();
    let rows = sqlx::query!(
        r#"WITH given AS (
               SELECT g.*, t.status = 'waiting' AND t.status_reason IN ('timer', 'answer') AS sleeps
               FROM unnest($1::uuid[], $2::integer[], $3::uuid[]) AS g (id, number, message_id)
               JOIN tasks t ON t.id = g.id
           ), task AS (
               UPDATE tasks
               SET mail = mail + g.number, message_id = coalesce(tasks.message_id, g.message_id),
                   -- One with a concurrency key passes the gate of its key again.
                   status = CASE WHEN NOT g.sleeps THEN status
                                 WHEN concurrency_key IS NULL THEN 'ready' ELSE 'pending' END,
                   status_reason = CASE WHEN NOT g.sleeps THEN status_reason
                                        WHEN concurrency_key IS NOT NULL THEN 'concurrency'::status_reason END,
                   status_detail = CASE WHEN NOT g.sleeps THEN status_detail END,
                   run_at = CASE WHEN g.sleeps THEN now() ELSE run_at END,
                   announced_at = CASE WHEN g.sleeps AND concurrency_key IS NULL THEN now() ELSE announced_at END,
                   event_seq = event_seq + 1, updated_at = now()
               FROM given g WHERE tasks.id = g.id
               RETURNING tasks.id, tasks.epoch, tasks.priority, tasks.isolated, tasks.event_seq, tasks.concurrency_key,
                         g.number, g.sleeps, g.message_id IS NOT NULL AS made
           ), event AS (
               INSERT INTO events (task_id, seq, kind, data)
               SELECT id, event_seq, $4, jsonb_build_object('messages', number, 'woke', sleeps) FROM task
           )
           SELECT id, epoch, priority, isolated, concurrency_key, sleeps AS "sleeps!", made AS "made!" FROM task"#,
        &ids,
        &numbers,
        &made_for as &[Option<Uuid>],
        EventKind::Mail.as_str(),
    );
    let mut bound = Bound {
        tasks: counts.iter().map(|(id, number)| ((*id).into(), *number)).collect(),
        held_back_by_hops: plan.held_back_by_hops.clone(),
        woken: Vec::new(),
    };
    for row in rows.fetch_all(connection).await? {
        if !row.sleeps && !row.made {
            continue;
        }
        let priority = Priority::try_from(i64::from(row.priority))
            .map_err(|e| Error::inconsistent("tasks", "priority", row.id, e))?;
        let ticket = Announcement {
            task: row.id.into(),
            epoch: row.epoch,
            priority,
            isolated: row.isolated,
            first: false,
        };
        let ticket = row.concurrency_key.is_none().then_some(ticket);
        bound.woken.push(Woken { ticket, key: row.concurrency_key });
    }
    Ok(bound)
}
