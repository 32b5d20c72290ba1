//! Finding again what was lost: leases of the dead, times that came, tickets that never arrived.

use std::time::Duration;

use anyhow::Context;
use fail::fail_point;
use hive_queue::{Lane, Ticket};
use hive_store::{Announcement, Look, Room, lease::RENEW_EVERY};
use hive_telemetry::Health;
use serde_json::json;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{Doors, duty::Duty};

const EVERY: Duration = Duration::from_secs(1);
/// How often Postgres is asked whether it is back.
const ASK_EVERY: Duration = Duration::from_millis(250);
/// Tickets of one pass and lane at most. A lane that is less than half full gets the next ones in the next moment.
const TICKETS: u64 = 100;
/// With fewer tickets than this in Redis, tasks that are ready are not left waiting for an old ticket.
const NEARLY_EMPTY: u64 = 200;
/// How old a ticket is then, before another is written. The same one again changes nothing.
const SHORT_PATIENCE: Duration = Duration::from_millis(500);
/// Redis has this long to say how full the lanes are; the part in Postgres does not wait for it any longer.
const ROOM_WITHIN: Duration = Duration::from_millis(500);
/// How often the lanes are looked at while more tickets wait for room.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Where those who watch tasks listen.
pub(super) const CHANNEL: &str = "task_updates";

/// What one pass did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// Tasks taken back from workers that stopped renewing.
    pub orphaned: usize,
    /// Parked tasks whose time or dependencies had come.
    pub released: usize,
    /// Tickets handed to Redis.
    pub announced: usize,
    /// The most urgent lane for which more tickets may wait than one pass takes.
    pub backlog: Option<Lane>,
}

/// One pass. While Redis is away no tickets are written, and everything else happens as usual.
///
/// # Errors
/// Postgres is away; what was committed so far stays, the next pass does the rest.
pub async fn reconcile(doors: &Doors) -> anyhow::Result<Pass> {
    let seen = room(doors).await;
    let room = seen.unwrap_or_default();
    let rooms = Lane::ORDINARY.iter().map(|lane| space(*lane, room[lane.index()])).collect();
    let isolated = room[Lane::Isolated.index()].min(TICKETS) as i64;
    let look = Look { rooms, heads: seen.is_some(), isolated, ageing: doors.ageing };
    let found = doors.store.reconcile(&look).await.context("Postgres could not be reconciled")?;
    let mut announce = found.announce;
    let waiting = (doors.feed_cap * Lane::COUNT as u64).saturating_sub(room.iter().sum::<u64>());
    if room.iter().any(|room| *room > 0) && waiting < NEARLY_EMPTY {
        // Full lanes turned tickets away a moment ago, or they were lost: what is ready comes now, not in seconds.
        let taken = |room: &Room| {
            let there = announce.iter().map(|to| to.priority.get());
            there.filter(|priority| (room.from..=room.to).contains(priority)).count() as i64
        };
        let left = look.rooms.iter().map(|room| Room { places: room.places - taken(room), ..*room });
        let left: Vec<Room> = left.collect();
        let more = doors.store.stale_tickets(&left, SHORT_PATIENCE).await;
        announce.extend(more.context("Postgres could not be asked for ready tasks")?);
    }
    let (first, others): (Vec<_>, Vec<_>) = announce.into_iter().partition(|announcement| announcement.first);
    // The last one put at a head stands first there.
    let first: Vec<_> = first.iter().rev().map(ticket).collect();
    let tickets: Vec<_> = others.iter().map(ticket).collect();
    fail_point!("reconcile::marked", |_| std::process::abort());
    doors.queue.announce_first(&first).await;
    doors.queue.announce(&tickets).await;
    fail_point!("reconcile::announced", |_| std::process::abort());
    for task in found.orphaned.iter().chain(&found.overdue).chain(&found.released) {
        doors.queue.notify(CHANNEL, &json!({ "task_id": task }).to_string()).await;
    }
    metrics::counter!("hive_tasks_orphaned_total").increment(found.orphaned.len() as u64);
    metrics::counter!("hive_tasks_overdue_total").increment(found.overdue.len() as u64);
    metrics::counter!("hive_tasks_released_total").increment(found.released.len() as u64);
    metrics::counter!("hive_tasks_aged_total").increment(found.aged as u64);
    metrics::counter!("hive_tickets_reannounced_total").increment((tickets.len() + first.len()) as u64);
    for task in &found.orphaned {
        tracing::warn!(task.id = %task, "Took task {task} back: its worker stopped renewing the lease");
    }
    let full = |lane: &Lane| {
        let asked = look.rooms[lane.index()].places;
        asked > 0 && tickets.iter().filter(|ticket| ticket.lane == *lane).count() as i64 >= asked
    };
    Ok(Pass {
        orphaned: found.orphaned.len(),
        released: found.released.len(),
        announced: tickets.len() + first.len(),
        backlog: Lane::ORDINARY.iter().copied().find(full),
    })
}

/// What a lane takes in one pass.
fn space(lane: Lane, room: u64) -> Room {
    let (from, to) = lane.priorities();
    Room { from, to, places: room.min(TICKETS) as i64 }
}

/// What each lane can still take: `None` while Redis is away, since a ticket that is marked as written and was not is
/// found again only seconds later.
async fn room(doors: &Doors) -> Option<[u64; Lane::COUNT]> {
    match timeout(ROOM_WITHIN, doors.room()).await {
        Ok(Ok(room)) => Some(room),
        // Health watches Redis and says so once.
        Ok(Err(error)) => {
            tracing::debug!(%error, "No tickets in this pass");
            None
        }
        Err(_) => {
            tracing::debug!("No tickets in this pass: Redis did not answer in time");
            None
        }
    }
}

fn ticket(of: &Announcement) -> Ticket {
    Ticket::new(of.task.uuid(), of.epoch, of.priority.into(), of.isolated)
}

/// A pass each second until `stop`, and sooner while a backlog can be fed.
pub(crate) async fn keep_reconciled(doors: Doors, health: Health, stop: CancellationToken) {
    let mut duty = Duty::new("reconcile", EVERY);
    while !stop.is_cancelled() {
        let pass = duty
            .attempt({
                let doors = doors.clone();
                async move { reconcile(&doors).await }
            })
            .await;
        if pass.is_some() {
            health.progress();
        }
        if pass.is_none() {
            tokio::select! {
                () = stop.cancelled() => {}
                () = holders_renew(&doors) => {}
            }
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = duty.pause() => {}
            () = hungry(&doors, pass.and_then(|pass| pass.backlog)) => {}
        }
    }
}

/// Returns when Postgres answers again and those who hold a lease have had the time to renew it. While it was away
/// nobody could: a pass right at its return would take the tasks of living workers for orphans.
async fn holders_renew(doors: &Doors) {
    loop {
        sleep(ASK_EVERY).await;
        if doors.store.ping().await.is_ok() {
            return sleep(RENEW_EVERY).await;
        }
    }
}

/// Returns when the lane of the backlog is at most half full, so that the next pass fits; without a backlog never.
/// A backlog of one busy lane would otherwise trickle in at a thousand tickets a second.
async fn hungry(doors: &Doors, backlog: Option<Lane>) {
    let Some(lane) = backlog else {
        return std::future::pending().await;
    };
    while room(doors).await.unwrap_or_default()[lane.index()] < doors.feed_cap / 2 {
        sleep(LOOK_EVERY).await;
    }
}
