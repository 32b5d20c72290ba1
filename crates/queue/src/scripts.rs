//! Our own Redis scripts. Each works on one lane, is atomic and touches a bounded number of ids.

use crate::{Error, Ticket, announce::Place, keys::LaneKeys};
use redis::{Script, aio::ConnectionManager};
use std::sync::LazyLock;

macro_rules! script {
    ($name:ident, $file:literal) => {
        static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(include_str!(concat!("../lua/", $file))));
    };
}
script!(ANNOUNCE, "announce.lua");
script!(RETIRE, "retire.lua");
script!(SWEEP_SPENT, "sweep_spent.lua");
script!(SWEEP_WORKERS, "sweep_workers.lua");
script!(SWEEP_LOST, "sweep_lost.lua");

/// Ids one call of `retire` looks at.
const RETIRE_SLICE: usize = 500;
/// Calls of `retire` for one start: five slices of the list, or more while the scheduled set is being emptied.
const RETIRE_LIST_SLICES: usize = 5;
const RETIRE_CALLS: usize = 200;
/// Seconds a worker name may stay unregistered before the janitor takes it for dead.
const NAME_GRACE_SECONDS: u64 = 60;
/// Seconds before a ticket that lies nowhere is taken for lost.
const LOST_AFTER_SECONDS: u64 = 300;

/// What became of the tickets of one announcement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Announced {
    pub(crate) sent: u64,
    pub(crate) there: u64,
    pub(crate) over: u64,
}

pub(crate) async fn announce(
    conn: &ConnectionManager,
    keys: &LaneKeys,
    feed_cap: usize,
    wake_channel: &str,
    place: Place,
    tickets: &[Ticket],
) -> Result<Announced, Error> {
    let mut call = ANNOUNCE.prepare_invoke();
    call.key(keys.data()).key(keys.active()).key(keys.meta()).key(keys.done()).key(keys.dead());
    call.arg(feed_cap).arg(wake_channel).arg(keys.lane.as_str());
    call.arg(match place {
        Place::Last => "RPUSH",
        Place::First => "LPUSH",
    });
    for ticket in tickets {
        call.arg(ticket.id());
    }
    let (sent, there, over) = call.invoke_async(&mut conn.clone()).await?;
    Ok(Announced { sent, there, over })
}

/// Puts back what `old` held, drops what would kill a worker, and enrols `new`. Returns (put back, dropped).
pub(crate) async fn retire(
    conn: &ConnectionManager,
    keys: &LaneKeys,
    old: Option<&str>,
    new: Option<&str>,
) -> Result<(u64, u64), Error> {
    let (mut back, mut dropped) = (0, 0);
    for slice in 0..RETIRE_CALLS {
        let mut call = RETIRE.prepare_invoke();
        call.key(keys.data()).key(keys.active()).key(keys.meta()).key(keys.scheduled());
        call.key(keys.workers()).key(keys.names()).key(keys.inflight()).key(keys.worker_metadata());
        call.arg(old.unwrap_or_default()).arg(new.unwrap_or_default());
        call.arg(RETIRE_SLICE).arg(slice * RETIRE_SLICE);
        let (b, d, more): (u64, u64, u8) = call.invoke_async(&mut conn.clone()).await?;
        back += b;
        dropped += d;
        if more == 0 && (new.is_none() || slice + 1 >= RETIRE_LIST_SLICES) {
            break;
        }
    }
    Ok((back, dropped))
}

pub(crate) async fn sweep_spent(
    conn: &ConnectionManager,
    keys: &LaneKeys,
    slice: usize,
) -> Result<u64, Error> {
    let mut call = SWEEP_SPENT.prepare_invoke();
    call.key(keys.data()).key(keys.meta()).key(keys.done()).key(keys.dead()).arg(slice);
    Ok(call.invoke_async(&mut conn.clone()).await?)
}

pub(crate) async fn sweep_workers(
    conn: &ConnectionManager,
    keys: &LaneKeys,
    slice: usize,
) -> Result<u64, Error> {
    let mut call = SWEEP_WORKERS.prepare_invoke();
    call.key(keys.data()).key(keys.active()).key(keys.workers());
    call.key(keys.names()).key(keys.inflight()).key(keys.worker_metadata());
    call.arg(slice).arg(NAME_GRACE_SECONDS);
    Ok(call.invoke_async(&mut conn.clone()).await?)
}

/// Returns the cursor to go on from (0 at the end) and how many were dropped.
pub(crate) async fn sweep_lost(
    conn: &ConnectionManager,
    keys: &LaneKeys,
    cursor: u64,
    slice: usize,
) -> Result<(u64, u64), Error> {
    let mut call = SWEEP_LOST.prepare_invoke();
    call.key(keys.data()).key(keys.active()).key(keys.meta()).key(keys.done()).key(keys.dead());
    call.key(keys.scheduled()).key(keys.workers()).key(keys.inflight());
    call.arg(cursor).arg(slice).arg(LOST_AFTER_SECONDS);
    Ok(call.invoke_async(&mut conn.clone()).await?)
}
