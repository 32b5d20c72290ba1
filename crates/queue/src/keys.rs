//! The names of everything that lies in Redis. The life of a ticket through them is told in the crate's page.

use crate::Lane;
use apalis_redis::Config;
use std::time::Duration;

// apalis-redis fixes these; they are repeated because our scripts work on the same keys.
/// LIST of ticket ids that wait.
const ACTIVE: &str = "active";
/// HASH from ticket id to payload; it is also what makes a second announcement of an id a no-op.
const DATA: &str = "data";
/// Prefix of one HASH per ticket id: attempts, status, result.
const META: &str = "meta";
/// SET of ids whose handler returned.
const DONE: &str = "done";
/// SET of ids apalis gave up on.
const DEAD: &str = "dead";
/// ZSET of ids that wait for a second of the clock. We never write it; a start empties it.
const SCHEDULED: &str = "scheduled";
/// Prefix of one SET per worker: ids fetched and not yet acknowledged.
const INFLIGHT: &str = "inflight";
/// ZSET from worker name to its last heartbeat, in seconds of that worker's clock.
const WORKERS: &str = "workers";
/// Prefix of one HASH per worker name that apalis writes and never deletes.
const WORKER_METADATA: &str = "workers:metadata";

// Ours.
/// ZSET from worker name to the second it was enrolled, so that the janitor finds names nobody beats for.
const NAMES: &str = "names";
/// Channel that says "this lane has a new ticket"; the message is the lane's name.
const WAKE: &str = "ticket_wake";

/// A worker that was silent for ten seconds has its tickets taken over: five beats of two seconds.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(2);
const MISSED_HEARTBEATS: usize = 5;

/// The keys of one lane.
#[derive(Clone, Debug)]
pub(crate) struct LaneKeys {
    base: String,
    pub(crate) lane: Lane,
}

impl LaneKeys {
    pub(crate) fn new(prefix: &str, lane: Lane) -> Self {
        // The braces keep all keys of a lane in one cluster slot, as the scripts need.
        Self { base: format!("{{{prefix}:{lane}}}"), lane }
    }

    /// apalis' settings for this lane: the guard rails, in one place.
    pub(crate) fn apalis(&self) -> Config {
        Config::default()
            .queue(&self.base)
            // A second fetched ticket stops heartbeats and acknowledgements until it is handed over.
            .batch_size(1)
            .heartbeat_interval(HEARTBEAT)
            .missed_heartbeats(MISSED_HEARTBEATS)
            // The lock script walks the whole backlog for each ticket and nothing ever reads the lock.
            .lock_tasks(false)
            .emit_events(false)
            // Off means that nothing is ever acknowledged.
            .persist_results(true)
    }

    fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.base)
    }

    pub(crate) fn active(&self) -> String {
        self.key(ACTIVE)
    }
    pub(crate) fn data(&self) -> String {
        self.key(DATA)
    }
    pub(crate) fn meta(&self) -> String {
        self.key(META)
    }
    pub(crate) fn done(&self) -> String {
        self.key(DONE)
    }
    pub(crate) fn dead(&self) -> String {
        self.key(DEAD)
    }
    pub(crate) fn scheduled(&self) -> String {
        self.key(SCHEDULED)
    }
    pub(crate) fn inflight(&self) -> String {
        self.key(INFLIGHT)
    }
    pub(crate) fn workers(&self) -> String {
        self.key(WORKERS)
    }
    pub(crate) fn worker_metadata(&self) -> String {
        self.key(WORKER_METADATA)
    }
    pub(crate) fn names(&self) -> String {
        self.key(NAMES)
    }
}

/// The channel all lanes' wakes are published on.
pub(crate) fn wake_channel(prefix: &str) -> String {
    format!("{prefix}:{WAKE}")
}

/// A live-events channel as it is named in Redis.
pub(crate) fn events_channel(prefix: &str, channel: &str) -> String {
    format!("{prefix}:{channel}")
}

/// The list of what waits for an agent.
pub(crate) fn mailbox(prefix: &str, agent: &str) -> String {
    format!("{prefix}:agent_messages:{agent}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_names_are_the_ones_apalis_uses() {
        let keys = LaneKeys::new("p", Lane::High);
        let config = keys.apalis();
        let ours = [
            keys.active(),
            keys.data(),
            keys.meta(),
            keys.done(),
            keys.dead(),
            keys.scheduled(),
            keys.inflight(),
            keys.workers(),
        ];
        let theirs = [
            config.active_jobs_list(),
            config.job_data_hash(),
            config.job_meta_hash(),
            config.done_jobs_set(),
            config.dead_jobs_set(),
            config.scheduled_jobs_set(),
            config.inflight_jobs_set(),
            config.workers_set(),
        ];
        assert_eq!(ours, theirs);
        assert_eq!(keys.active(), "{p:high}:active");
        let worker = apalis_core::worker::context::WorkerContext::new("w");
        assert_eq!(format!("{}:w", keys.worker_metadata()), config.worker_metadata_key(&worker));
        assert_eq!(format!("{}:w", keys.inflight()), config.inflight_set_for(&worker));
    }
}
