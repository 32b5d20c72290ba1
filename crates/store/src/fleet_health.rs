//! How the parts of the fleet are that no single process can tell. Any number of schedulers look; a change is told once.

use hive_domain::{Channel, SystemEventKind};

use crate::{error::Result, lease::LEASE_SECONDS, pool::Store};

/// A ready task that waited this long while nothing runs, in seconds, says that the queue is stuck.
const STUCK_SECONDS: f64 = 60.0;
/// How long a lost worker is a loss of the fleet, in seconds.
const MISSED_SECONDS: f64 = 600.0;
/// How often the figures of the fleet are told, in seconds.
const TOLD_EVERY_SECONDS: f64 = 60.0;

/// What the health of the fleet is judged by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FleetFacts {
    /// Ordinary workers that take tasks.
    pub workers: i64,
    /// Workers that fell silent in the last ten minutes.
    pub lost: i64,
    /// A task that nothing holds up has been ready for a minute.
    pub waits_long: bool,
    /// A task runs.
    pub runs: bool,
    /// Keys that the provider refuses.
    pub stopped: Vec<String>,
    /// Models that nobody calls, since they failed too often.
    pub open: Vec<String>,
}

/// How a part of the fleet is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentHealth {
    /// `provider`, `queue` or `workers`.
    pub component: &'static str,
    /// `up`, `degraded` or `down`.
    pub state: &'static str,
    /// Why it is not up.
    pub reason: Option<String>,
}

impl FleetFacts {
    /// What they say of each part.
    #[must_use]
    pub fn judge(&self) -> [ComponentHealth; 3] {
        let of =
            |component, state, reason: String| ComponentHealth { component, state, reason: Some(reason) };
        let up = |component| ComponentHealth { component, state: "up", reason: None };
        let provider = match (self.stopped.is_empty(), self.open.is_empty()) {
            (false, _) => of("provider", "down", format!("it refuses {}", self.stopped.join(", "))),
            (true, false) => of("provider", "degraded", format!("nobody calls {}", self.open.join(", "))),
            (true, true) => up("provider"),
        };
        let queue = match self.waits_long && !self.runs {
            true => of("queue", "down", "tasks have been ready for a minute, and none runs".to_owned()),
            false => up("queue"),
        };
        let workers = match (self.workers, self.lost) {
            (0, _) => of("workers", "down", "none takes tasks".to_owned()),
            (_, 0) => up("workers"),
            (_, lost) => of("workers", "degraded", format!("{lost} fell silent in the last ten minutes")),
        };
        [provider, queue, workers]
    }
}

impl Store {
    /// Looks at the fleet.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn fleet_facts(&self) -> Result<FleetFacts> {
        let facts = sqlx::query_as!(
            FleetFacts,
            r#"SELECT (SELECT count(*) FROM workers
                       WHERE seen_at > now() - make_interval(secs => $1) AND NOT draining AND NOT isolated) AS "workers!",
                      (SELECT count(*) FROM workers WHERE lost_at > now() - make_interval(secs => $2)) AS "lost!",
                      EXISTS (SELECT 1 FROM tasks t CROSS JOIN open_pauses p
                              WHERE t.status = 'ready' AND t.updated_at < now() - make_interval(secs => $3)
                                AND NOT p.fleet AND lane_of(t.priority) <> ALL (p.lanes)
                                AND (t.assigned_agent_id = ANY (p.agents)) IS NOT TRUE
                                AND (t.session_id = ANY (p.sessions)) IS NOT TRUE) AS "waits_long!",
                      EXISTS (SELECT 1 FROM tasks WHERE status = 'running') AS "runs!",
                      ARRAY(SELECT 'key ' || key_id || ': ' || reason FROM provider_keys
                            WHERE stopped_at IS NOT NULL ORDER BY 1 LIMIT 10) AS "stopped!",
                      ARRAY(SELECT DISTINCT model FROM provider_models
                            WHERE opened_at IS NOT NULL ORDER BY 1 LIMIT 10) AS "open!""#,
            LEASE_SECONDS,
            MISSED_SECONDS,
            STUCK_SECONDS,
        );
        Ok(facts.fetch_one(&self.pool).await?)
    }

    /// Keeps how the fleet is; what changed is told by the transaction. Returns how many changed.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn keep_fleet_health(&self, found: &[ComponentHealth]) -> Result<u64> {
        let kept = sqlx::query!(
            "INSERT INTO fleet_health AS h (component, state, reason)
             SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) ORDER BY 1
             ON CONFLICT (component) DO UPDATE
                 SET state = excluded.state, reason = excluded.reason,
                     since = CASE WHEN h.state = excluded.state THEN h.since ELSE now() END
                 WHERE (h.state, h.reason) IS DISTINCT FROM (excluded.state, excluded.reason)",
            &found.iter().map(|part| part.component.to_owned()).collect::<Vec<_>>(),
            &found.iter().map(|part| part.state.to_owned()).collect::<Vec<_>>(),
            &found.iter().map(|part| part.reason.clone()).collect::<Vec<_>>() as &[Option<String>],
        );
        Ok(kept.execute(&self.pool).await?.rows_affected())
    }

    /// Tells the figures of the fleet, once a minute whoever asks. False when that was done in this minute.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn tell_fleet(&self) -> Result<bool> {
        let told = sqlx::query!(
            r#"WITH due AS (
                   UPDATE fleet_health SET checked_at = now()
                   WHERE component = 'queue' AND checked_at <= now() - make_interval(secs => $1)
                   RETURNING 1
               ), live AS (
                   SELECT count(*) AS workers, coalesce(sum(slots), 0) AS slots FROM workers
                   WHERE seen_at > now() - make_interval(secs => $2) AND NOT draining
               ), parts AS (
                   SELECT jsonb_object_agg(component, state) AS states FROM fleet_health
               ), work AS (
                   SELECT count(*) FILTER (WHERE status = 'ready') AS ready,
                          count(*) FILTER (WHERE status = 'running') AS running,
                          count(*) FILTER (WHERE status = 'waiting') AS waiting
                   FROM tasks WHERE status = ANY (ARRAY['ready', 'running', 'waiting']::task_status[])
               )
               SELECT tell_system($3, $4, 'fleet', jsonb_build_object(
                          'workers', live.workers, 'slots', live.slots, 'ready', work.ready, 'running', work.running,
                          'waiting', work.waiting, 'components', parts.states))
               FROM due, live, parts, work"#,
            TOLD_EVERY_SECONDS,
            LEASE_SECONDS,
            Channel::HealthChecks.as_str(),
            SystemEventKind::HealthChecked.as_str(),
        );
        Ok(told.fetch_optional(&self.pool).await?.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(facts: &FleetFacts) -> [&'static str; 3] {
        facts.judge().map(|part| part.state)
    }

    #[test]
    fn each_part_is_judged_by_its_own_facts() {
        let well = FleetFacts { workers: 2, ..FleetFacts::default() };
        assert_eq!(states(&well), ["up", "up", "up"]);
        let lonely = FleetFacts { workers: 0, lost: 2, ..well.clone() };
        assert_eq!(states(&lonely), ["up", "up", "down"]);
        let smaller = FleetFacts { lost: 1, ..well.clone() };
        assert_eq!(states(&smaller), ["up", "up", "degraded"]);
        let full = FleetFacts { waits_long: true, runs: true, ..well.clone() };
        assert_eq!(states(&full), ["up", "up", "up"], "a queue that is long moves");
        let stuck = FleetFacts { waits_long: true, ..well.clone() };
        assert_eq!(states(&stuck), ["up", "down", "up"]);
        let failing = FleetFacts { open: vec!["opus".to_owned()], ..well.clone() };
        assert_eq!(states(&failing), ["degraded", "up", "up"]);
        let refused = FleetFacts { stopped: vec!["key 1: billing".to_owned()], ..failing };
        assert_eq!(refused.judge()[0].reason.as_deref(), Some("it refuses key 1: billing"));
        assert_eq!(states(&refused), ["down", "up", "up"]);
    }
}
