//! Reserving the money of calls that are about to be sent, in the transaction of their intents.
//!
//! The budgets of a group are locked in the order of their ids, so that no two groups wait for each other; calls are
//! admitted in the order in which they came, and what is admitted is added to each budget by one guarded UPDATE.

use std::collections::{BTreeMap, HashMap, HashSet};

use hive_domain::{Budget, NanoUsd, event::EventKind};
use sqlx::{Connection, PgConnection, PgTransaction};
use uuid::Uuid;

use super::BudgetRow;
use crate::{
    calls::Intent,
    error::{Error, Reached, Result},
};

/// What became of an intent.
#[derive(Clone, Debug)]
pub(crate) enum Begun {
    /// It is noted, and the call may be sent.
    Noted,
    /// The lease is lost, or a person's message is to be read first.
    Refused,
    /// A budget has no room for it.
    OverBudget(Box<Reached>),
}

/// Notes the calls that fit into all budgets of their tasks; what is missing in the answer was refused.
pub(crate) async fn begin(
    connection: &mut PgConnection,
    intents: &[&Intent],
) -> Result<HashMap<Uuid, Begun>> {
    if intents.is_empty() {
        return Ok(HashMap::new());
    }
    let mut tx = connection.begin().await?;
    // Whoever sets a budget waits for this transaction or is waited for: a call is either reserved on it here or taken
    // on by it there.
    sqlx::query!("LOCK TABLE ONLY llm_calls IN ROW EXCLUSIVE MODE").execute(&mut *tx).await?;
    let asked = targets(&mut tx, intents).await?;
    let targets: HashSet<Uuid> = asked.values().flat_map(|asked| asked.targets.iter().copied()).collect();
    let mut budgets = lock(&mut tx, targets).await?;
    let (mut begun, mut admitted) = (HashMap::new(), Vec::new());
    for intent in intents {
        let Some(asked) = asked.get(&intent.id) else { continue };
        if asked.noted {
            // Offered again: it holds its money already.
            begun.insert(intent.id, Begun::Noted);
            continue;
        }
        let mine: Vec<Uuid> =
            budgets.values().filter(|b| asked.targets.contains(&b.target)).map(|b| b.id).collect();
        let narrowest = mine.iter().filter_map(|id| budgets.get(id)).min_by_key(|budget| budget.left());
        match narrowest {
            Some(budget) if budget.left() < intent.worst_case => {
                let reached = Reached { budget: budget.clone(), need: intent.worst_case };
                begun.insert(intent.id, Begun::OverBudget(Box::new(reached)));
            }
            _ => {
                for id in &mine {
                    if let Some(budget) = budgets.get_mut(id) {
                        budget.reserved = budget.reserved + intent.worst_case;
                    }
                }
                admitted.push((*intent, mine));
            }
        }
    }
    let noted = note(&mut tx, &admitted).await?;
    let mut sums: BTreeMap<Uuid, i64> = BTreeMap::new();
    for (intent, mine) in admitted.iter().filter(|(intent, _)| noted.contains(&intent.id)) {
        begun.insert(intent.id, Begun::Noted);
        for id in mine {
            let sum = sums.entry(*id).or_default();
            *sum = sum.saturating_add(intent.worst_case.0);
        }
    }
    reserve(&mut tx, &sums).await?;
    tx.commit().await?;
    say_reached(connection, intents, &begun).await?;
    Ok(begun)
}

struct Asked {
    /// What budgets of the task may be set on.
    targets: Vec<Uuid>,
    noted: bool,
}

async fn targets(tx: &mut PgTransaction<'_>, intents: &[&Intent]) -> Result<HashMap<Uuid, Asked>> {
    let rows = sqlx::query!(
        r#"SELECT g.id AS "id!", budget_targets(t.id, t.parent_id, t.assigned_agent_id, t.session_id) AS "targets!",
                  EXISTS (SELECT 1 FROM llm_calls c WHERE c.task_id = t.id AND c.id = g.id) AS "noted!"
           FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS g (id, task_id, epoch)
           JOIN tasks t ON t.id = g.task_id AND t.epoch = g.epoch
           WHERE (t.status = 'running') IS TRUE AND t.id = ANY ($2) AND t.messages_read = t.messages_sent AND t.mail = 0"#,
        &intents.iter().map(|i| i.id).collect::<Vec<_>>(),
        &intents.iter().map(|i| i.task.uuid()).collect::<Vec<_>>(),
        &intents.iter().map(|i| i.epoch).collect::<Vec<_>>(),
    );
    let rows = rows.fetch_all(&mut **tx).await?.into_iter();
    Ok(rows.map(|row| (row.id, Asked { targets: row.targets, noted: row.noted })).collect())
}

/// The budgets on all of these, locked, as they stand today.
pub(crate) async fn lock(
    tx: &mut PgTransaction<'_>,
    targets: HashSet<Uuid>,
) -> Result<BTreeMap<Uuid, Budget>> {
    let rows = sqlx::query_as!(
        BudgetRow,
        r#"SELECT id, scope, target, period, cap_nano_usd, reserved_nano_usd,
                  CASE WHEN period = 'day' AND day < (now() AT TIME ZONE 'UTC')::date THEN 0
                       ELSE spent_nano_usd END AS "spent_nano_usd!",
                  greatest(day, (now() AT TIME ZONE 'UTC')::date) AS "day!"
           FROM budgets WHERE target = ANY ($1) ORDER BY id FOR NO KEY UPDATE"#,
        &targets.into_iter().collect::<Vec<_>>(),
    );
    let rows = rows.fetch_all(&mut **tx).await?.into_iter().map(BudgetRow::budget);
    rows.map(|budget| budget.map(|budget| (budget.id, budget))).collect()
}

/// Notes the admitted calls; those that a lost lease or a message stopped meanwhile are missing in the answer.
async fn note(tx: &mut PgTransaction<'_>, admitted: &[(&Intent, Vec<Uuid>)]) -> Result<HashSet<Uuid>> {
    if admitted.is_empty() {
        return Ok(HashSet::new());
    }
    // Arrays of arrays must be rectangles: the lists go one after the other, each item with its call.
    let pairs = admitted.iter().flat_map(|(intent, mine)| mine.iter().map(|budget| (intent.id, *budget)));
    let (of, budgets): (Vec<Uuid>, Vec<Uuid>) = pairs.unzip();
    let noted = sqlx::query_scalar!(
        "INSERT INTO llm_calls (id, task_id, seq, epoch, model, request_sha256, route, routing_version,
                                reserved_nano_usd, budgets)
         SELECT g.id, t.id, g.seq, t.epoch, g.model, g.request_sha256, g.route::route_reason, g.routing_version,
                g.worst_case,
                ARRAY(SELECT p.budget FROM unnest($10::uuid[], $11::uuid[]) AS p (call, budget) WHERE p.call = g.id)
         FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::integer[], $5::text[], $6::bytea[], $7::text[],
                     $8::integer[], $9::bigint[])
                  AS g (id, task_id, epoch, seq, model, request_sha256, route, routing_version, worst_case)
         JOIN tasks t ON t.id = g.task_id AND t.epoch = g.epoch
         WHERE (t.status = 'running') IS TRUE AND t.id = ANY ($2) AND t.messages_read = t.messages_sent AND t.mail = 0
         RETURNING id",
        &admitted.iter().map(|(i, _)| i.id).collect::<Vec<_>>(),
        &admitted.iter().map(|(i, _)| i.task.uuid()).collect::<Vec<_>>(),
        &admitted.iter().map(|(i, _)| i.epoch).collect::<Vec<_>>(),
        &admitted.iter().map(|(i, _)| i.seq).collect::<Vec<_>>(),
        &admitted.iter().map(|(i, _)| i.model.clone()).collect::<Vec<_>>(),
        &admitted.iter().map(|(i, _)| i.request_sha256.clone()).collect::<Vec<_>>(),
        &admitted.iter().map(|(i, _)| i.route.map(|r| r.reason.to_string())).collect::<Vec<_>>() as &[Option<String>],
        &admitted.iter().map(|(i, _)| i.route.map(|r| r.version)).collect::<Vec<_>>() as &[Option<i32>],
        &admitted.iter().map(|(i, _)| i.worst_case.0).collect::<Vec<_>>(),
        &of,
        &budgets,
    );
    Ok(noted.fetch_all(&mut **tx).await?.into_iter().collect())
}

/// One guarded UPDATE over all levels. A budget that does not pass its guard undoes the whole group.
pub(crate) async fn reserve(tx: &mut PgTransaction<'_>, sums: &BTreeMap<Uuid, i64>) -> Result<()> {
    if sums.is_empty() {
        return Ok(());
    }
    let reserved = sqlx::query!(
        "UPDATE budgets b
         SET reserved_nano_usd = reserved_nano_usd + g.sum,
             spent_nano_usd = CASE WHEN period = 'day' AND day < (now() AT TIME ZONE 'UTC')::date THEN 0
                                   ELSE spent_nano_usd END,
             day = greatest(day, (now() AT TIME ZONE 'UTC')::date), updated_at = now()
         FROM unnest($1::uuid[], $2::bigint[]) AS g (id, sum)
         WHERE b.id = g.id
           AND CASE WHEN period = 'day' AND day < (now() AT TIME ZONE 'UTC')::date THEN 0 ELSE spent_nano_usd END
               + reserved_nano_usd + g.sum <= cap_nano_usd",
        &sums.keys().copied().collect::<Vec<_>>(),
        &sums.values().copied().collect::<Vec<_>>(),
    );
    let passed = reserved.execute(&mut **tx).await?.rows_affected();
    // The rows are locked, and each sum was reckoned to fit: this would be a fault of ours, and nothing may be sent.
    if passed == sums.len() as u64 { Ok(()) } else { Err(Error::passing()) }
}

/// Notes which budget a task is about to wait for, with the event that says so. The run settles as waiting next.
async fn say_reached(
    connection: &mut PgConnection,
    intents: &[&Intent],
    begun: &HashMap<Uuid, Begun>,
) -> Result<()> {
    let reached: Vec<(&Intent, &Reached)> = intents
        .iter()
        .filter_map(|intent| match begun.get(&intent.id) {
            Some(Begun::OverBudget(reached)) => Some((*intent, &**reached)),
            _ => None,
        })
        .collect();
    if reached.is_empty() {
        return Ok(());
    }
    let data = reached.iter().map(|(_, reached)| {
        let Reached { budget, need: NanoUsd(need) } = reached;
        serde_json::json!({
            "budget": budget.id, "scope": budget.scope, "target": budget.target, "period": budget.period,
            "cap_nano_usd": budget.cap, "spent_nano_usd": budget.spent, "reserved_nano_usd": budget.reserved,
            "need_nano_usd": need,
        })
    });
    sqlx::query!(
        "WITH given AS (
             SELECT DISTINCT ON (id) *
             FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::bigint[], $5::jsonb[]) AS g (id, epoch, budget, need, data)
             ORDER BY id
         ), held AS (
             SELECT g.* FROM given g JOIN tasks t ON t.id = g.id AND t.epoch = g.epoch
             WHERE (t.status = 'running') IS TRUE AND t.id = ANY ($1) ORDER BY t.id FOR NO KEY UPDATE OF t
         ), task AS (
             UPDATE tasks t
             SET budget_id = g.budget, budget_need = g.need, event_seq = event_seq + 1, updated_at = now()
             FROM held g WHERE t.id = g.id AND t.id = ANY ($1)
             RETURNING t.id, t.event_seq, g.budget, g.data
         ), filled AS (
             SELECT id FROM budgets WHERE id IN (SELECT budget FROM task) ORDER BY id FOR NO KEY UPDATE
         ), told AS (
             UPDATE budgets b SET exhausted_at = now() FROM filled
             WHERE b.id = filled.id
               AND (b.exhausted_at IS NULL
                    OR b.period = 'day' AND b.exhausted_at < date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC')
         )
         INSERT INTO events (task_id, seq, kind, data) SELECT id, event_seq, $6, data FROM task",
        &reached.iter().map(|(i, _)| i.task.uuid()).collect::<Vec<_>>(),
        &reached.iter().map(|(i, _)| i.epoch).collect::<Vec<_>>(),
        &reached.iter().map(|(_, r)| r.budget.id).collect::<Vec<_>>(),
        &reached.iter().map(|(_, r)| r.need.0).collect::<Vec<_>>(),
        &data.collect::<Vec<_>>(),
        EventKind::BudgetReached.as_str(),
    )
    .execute(connection)
    .await?;
    Ok(())
}
