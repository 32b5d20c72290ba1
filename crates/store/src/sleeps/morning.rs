//! The morning: what happened in the night becomes the briefing, and the agent is awake.

use hive_domain::{
    AgentId, SleepId, WakeReason,
    morning::{BEGINNING, Changed, Due, MOST_NAMED, Morning},
};
use sqlx::{Acquire, Postgres, Transaction};
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    meter,
    pool::Store,
    settle::Announcement,
    tickets,
};

/// Agents that one pass wakes.
const PORTION: usize = 200;
/// Tasks that are counted at most.
const COUNTED: i64 = 1_000;

/// An agent that is awake now.
#[derive(Clone, Debug)]
pub struct Woke {
    /// The night.
    pub sleep: SleepId,
    /// Whose it was.
    pub agent: AgentId,
    /// Why it ended.
    pub reason: WakeReason,
    /// Tasks that may go on, and want tickets.
    pub announce: Vec<Announcement>,
}

impl Store {
    /// Ends the nights of those that wake. Any number may do it at the same time.
    ///
    /// # Errors
    /// When Postgres refuses; who is awake by then stays so, and the next pass does the rest.
    pub async fn end_nights(&self) -> Result<Vec<Woke>> {
        let mut all = Vec::new();
        while all.len() < PORTION {
            let mut tx = self.pool.begin().await?;
            let Some((sleep, agent, reason)) = end(&mut tx).await? else { break };
            tx.commit().await?;
            meter::woke(reason);
            // After the commit, which opens the gate. What gets none here gets one from the reconciler.
            let announce = self.tickets_of(agent).await?;
            all.push(Woke { sleep, agent, reason, announce });
        }
        Ok(all)
    }

    /// Marks what an agent can do now as announced.
    async fn tickets_of(&self, agent: AgentId) -> Result<Vec<Announcement>> {
        let rows = sqlx::query_as!(
            tickets::Row,
            r#"WITH ready AS (
                   SELECT t.id FROM tasks t CROSS JOIN open_pauses p
                   WHERE t.assigned_agent_id = $1 AND t.status = 'ready' AND NOT t.isolated AND NOT p.fleet
                     AND NOT covers(p.fleet, p.lanes, p.agents, p.sessions, t.priority, t.assigned_agent_id,
                                    t.session_id)
                   ORDER BY t.id LIMIT $2 FOR NO KEY UPDATE OF t SKIP LOCKED
               ), task AS (
                   UPDATE tasks SET announced_at = now() FROM ready WHERE tasks.id = ready.id
                   RETURNING tasks.id, tasks.epoch, tasks.priority, tasks.isolated, tasks.run_at
               )
               SELECT id, epoch, priority, isolated, false AS "first!" FROM task ORDER BY priority, run_at, id"#,
            agent.uuid(),
            COUNTED,
        );
        rows.fetch_all(&self.pool).await?.into_iter().map(Announcement::try_from).collect()
    }
}

/// Ends the next of them.
async fn end(tx: &mut Transaction<'_, Postgres>) -> Result<Option<(SleepId, AgentId, WakeReason)>> {
    let row = sqlx::query!(
        r#"SELECT s.id, s.agent_id, s.trigger::text AS "trigger!", s.wake_reason::text AS "reason!",
                  coalesce(s.asleep_at, s.began_at) AS "from!", now() AS "to!", c.state::text AS "cycle?"
           FROM sleeps s LEFT JOIN sleep_cycles c ON c.id = s.cycle_id
           WHERE s.state = 'waking' ORDER BY s.agent_id LIMIT 1 FOR NO KEY UPDATE OF s SKIP LOCKED"#,
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let bad = |column| move |e| Error::inconsistent("sleeps", column, row.id, e);
    let woke = row.reason.parse().map_err(bad("wake_reason"))?;
    let mut point = tx.begin().await?;
    let happened = match happened(&mut point, row.agent_id).await {
        Ok(happened) => {
            point.commit().await?;
            Some(happened)
        }
        // A morning that tells little is better than a night without an end, for this one and all who come after it.
        Err(error) if !error.is_unavailable() => {
            point.rollback().await?;
            tracing::error!(%error, "Agent {} is not told what happened while it slept", row.agent_id);
            None
        }
        Err(error) => return Err(error),
    };
    let is_known = happened.is_some();
    let happened = happened.unwrap_or_default();
    let morning = Morning {
        sleep: row.id.into(),
        trigger: row.trigger.parse().map_err(bad("trigger"))?,
        woke,
        from: row.from,
        to: row.to,
        cycle: row.cycle.map(|state| state.parse()).transpose().map_err(bad("cycle_id"))?,
        is_known,
        new: happened.new,
        retired: happened.retired,
        unread: happened.unread,
        due: happened.due,
    };
    let briefing = serde_json::to_value(morning.briefing());
    let briefing = briefing.map_err(|e| Error::inconsistent("sleeps", "briefing", row.id, e))?;
    // First, since one briefing of an agent waits: this one tells what an earlier one would have.
    sqlx::query!("UPDATE sleeps SET briefing_due = false WHERE agent_id = $1 AND briefing_due", row.agent_id)
        .execute(&mut **tx)
        .await?;
    sqlx::query!(
        "WITH sleep AS (
             UPDATE sleeps
             SET state = 'awake', woken_at = now(), briefing = $2, briefing_due = true, event_seq = event_seq + 1
             WHERE id = $1 AND state = 'waking'
             RETURNING id, event_seq, wake_reason
         )
         INSERT INTO sleep_events (sleep_id, seq, kind, data)
         SELECT id, event_seq, 'awake', jsonb_build_object('reason', wake_reason) FROM sleep",
        row.id,
        briefing,
    )
    .execute(&mut **tx)
    .await?;
    Ok(Some((row.id.into(), row.agent_id.into(), woke)))
}

type Counted<T> = (i64, Vec<T>);

/// What an agent is told of.
#[derive(Default)]
struct Happened {
    new: Counted<Changed>,
    retired: Counted<Changed>,
    unread: Counted<(String, i64)>,
    due: Counted<Due>,
}

async fn happened(tx: &mut Transaction<'_, Postgres>, agent: Uuid) -> Result<Happened> {
    let (new, retired) = memory(tx, agent).await?;
    Ok(Happened { new, retired, unread: unread(tx, agent).await?, due: due(tx, agent).await? })
}

/// What nights brought and retired, of what the agent may recall, since it was last told.
async fn memory(
    tx: &mut Transaction<'_, Postgres>,
    agent: Uuid,
) -> Result<(Counted<Changed>, Counted<Changed>)> {
    let rows = sqlx::query!(
        r#"WITH since AS (
               SELECT coalesce(max(woken_at), '-infinity') AS at FROM sleeps
               WHERE agent_id = $1 AND briefed_at IS NOT NULL
           ), seen AS (
               SELECT c.*, (v.id = c.born_version) IS TRUE AS is_new
               FROM memory_versions v
               JOIN contexts c ON v.id IN (c.born_version, c.died_version)
               JOIN agents a ON a.id = $1
               WHERE v.state = 'active' AND v.state_at > (SELECT at FROM since)
                 AND (c.scope = 'org' OR c.scope = 'project' AND c.project_id = a.project_id
                      OR c.scope = 'agent' AND c.agent_id = a.id)
                 -- Of a version the brought one that it retired itself is neither.
                 AND c.born_version IS DISTINCT FROM c.died_version
                 -- The copy of what was overtaken says how long that held: nothing new.
                 AND (v.id IS DISTINCT FROM c.born_version OR c.valid_to IS NULL OR c.valid_to > now())
           ), ranked AS (
               SELECT is_new, trust, CASE WHEN title <> '' THEN title ELSE left(content, $3) END AS text,
                      count(*) OVER (PARTITION BY is_new) AS number,
                      row_number() OVER (PARTITION BY is_new ORDER BY importance DESC, id) AS place
               FROM seen
           )
           SELECT is_new AS "is_new!", trust::text AS "trust!", text AS "text!", number AS "number!"
           FROM ranked WHERE place <= $2 ORDER BY is_new, place"#,
        agent,
        MOST_NAMED as i64,
        BEGINNING as i32,
    )
    .fetch_all(&mut **tx)
    .await?;
    let (mut new, mut retired) = ((0, Vec::new()), (0, Vec::new()));
    for row in rows {
        let (number, entries) = if row.is_new { &mut new } else { &mut retired };
        *number = row.number;
        let trust = row.trust.parse().map_err(|e| Error::inconsistent("contexts", "trust", agent, e))?;
        entries.push(Changed { text: row.text, trust });
    }
    Ok((new, retired))
}

/// Messages that no journal holds yet, by sender.
async fn unread(tx: &mut Transaction<'_, Postgres>, agent: Uuid) -> Result<Counted<(String, i64)>> {
    let rows = sqlx::query!(
        r#"SELECT m.from_name, count(*) AS "number!", sum(count(*)) OVER ()::bigint AS "all!"
           FROM message_deliveries d JOIN conversations m ON m.id = d.message_id
           WHERE d.agent_id = $1 AND d.state IN ('pending', 'bound')
           GROUP BY m.from_name ORDER BY count(*) DESC, m.from_name LIMIT $2"#,
        agent,
        MOST_NAMED as i64,
    )
    .fetch_all(&mut **tx)
    .await?;
    let all = rows.first().map_or(0, |row| row.all);
    Ok((all, rows.into_iter().map(|row| (row.from_name, row.number)).collect()))
}

/// Tasks that the end of the night lets go on, the most urgent first.
async fn due(tx: &mut Transaction<'_, Postgres>, agent: Uuid) -> Result<Counted<Due>> {
    let rows = sqlx::query!(
        r#"SELECT title, priority, deadline,
                  (SELECT count(*) FROM (SELECT 1 FROM tasks o
                                         WHERE o.assigned_agent_id = $1 AND o.status = 'ready' LIMIT $3) AS counted)
                      AS "all!"
           FROM tasks WHERE assigned_agent_id = $1 AND status = 'ready'
           ORDER BY priority, run_at, id LIMIT $2"#,
        agent,
        MOST_NAMED as i64,
        COUNTED,
    )
    .fetch_all(&mut **tx)
    .await?;
    let all = rows.first().map_or(0, |row| row.all);
    let task = |row: (String, i16, _)| Due { title: row.0, priority: row.1.into(), deadline: row.2 };
    Ok((all, rows.into_iter().map(|row| task((row.title, row.priority, row.deadline))).collect()))
}
