//! Tickets against tasks: what is ready has one, and what lies in Redis is wanted.

use std::collections::HashSet;

use hive_domain::{Priority, TaskId};
use hive_queue::{Lane, LaneList, Queue};
use hive_store::{Store, verify::Violation};
use uuid::Uuid;

use super::{refused, report::Finding};
use crate::failure::Failure;

/// A task may be ready for so many seconds before it must have a ticket: the reconciler looks at it each second.
const TICKET_WITHIN: f64 = 10.0;
/// Tasks that the reconciler reaches at once, most urgent first.
const REACH: i64 = 1_000;
/// A lane with fewer waiting tickets takes more.
const HAS_ROOM: u64 = 1_000;

/// Runs the three checks.
pub(super) async fn verify(store: &Store, queue: &Queue, grace: f64) -> Result<Vec<Finding>, Failure> {
    // In this order: a task that is claimed between the looks has no ticket any more, and is asked for again below.
    let wanting = store.want_tickets(TICKET_WITHIN, REACH, None).await.map_err(refused)?;
    let lanes = queue.list().await.map_err(|error| Failure::Unreachable(error.to_string()))?;
    let listed: HashSet<(Uuid, i64)> =
        lanes.iter().flat_map(|lane| &lane.tickets).map(|t| (t.ticket.task_id, t.ticket.epoch)).collect();
    let missing: Vec<TaskId> = wanting
        .iter()
        .filter(|task| !listed.contains(&(task.task.uuid(), task.epoch)) && has_room(&lanes, task.priority))
        .map(|task| task.task)
        .collect();
    let still = store.want_tickets(TICKET_WITHIN, REACH, Some(&missing)).await.map_err(refused)?;
    let without = still.into_iter().map(|task| Violation {
        task: task.task,
        evidence: format!(
            "is ready since {:.0} s, and no ticket of epoch {} lies in its lane",
            task.seconds, task.epoch
        ),
    });

    let old: Vec<(TaskId, i64)> = lanes
        .iter()
        .flat_map(|lane| &lane.tickets)
        .filter(|listed| listed.age.is_none_or(|age| age.as_secs_f64() >= grace))
        .map(|listed| (listed.ticket.task_id.into(), listed.ticket.epoch))
        .collect();
    let unwanted = store.unwanted_tickets(&old, grace).await.map_err(refused)?;
    let unreadable = lanes.iter().flat_map(|lane| {
        lane.unreadable.iter().map(move |id| Violation {
            task: Uuid::nil().into(),
            evidence: format!("the entry {id:?} of lane {} names no task", lane.lane),
        })
    });
    let entries = lanes.iter().map(|lane| lane.tickets.len() + lane.unreadable.len()).sum();
    Ok(vec![
        Finding::new(
            "ready_without_ticket",
            "no ready task lacks a ticket for 10 s while its lane has room",
            "ready tasks",
            wanting.len(),
            without.collect(),
        ),
        Finding::new(
            "unwanted_ticket",
            "no ticket outlives the need for it by more than its grace",
            "tickets",
            entries,
            unwanted,
        ),
        Finding::new(
            "unreadable_ticket",
            "every entry of a lane is a ticket",
            "tickets",
            entries,
            unreadable.collect(),
        ),
    ])
}

fn has_room(lanes: &[LaneList], priority: Priority) -> bool {
    let lane = Lane::from_priority(u8::try_from(priority.get()).unwrap_or(u8::MAX));
    lanes.iter().any(|list| list.lane == lane && list.waiting < HAS_ROOM)
}
