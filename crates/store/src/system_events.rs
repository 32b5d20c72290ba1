//! What happens to the system as a whole, for watchers. Most rows are written by triggers of the tables that they tell of;
//! each gets its number in the commit of its transaction, so that numbers appear in order.

use chrono::{DateTime, Utc};
use hive_domain::{Channel, SystemEventKind};
use serde_json::json;

use crate::{
    error::{Error, Result},
    pool::Store,
};

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct SystemEvent {
    /// Its number, from 1 without gaps, in the order of the commits.
    pub seq: i64,
    /// Where it is told.
    pub channel: Channel,
    /// What happened.
    pub kind: SystemEventKind,
    /// To what: an id or a name; `fleet` for everything.
    pub subject: String,
    /// What is known about it.
    pub data: serde_json::Value,
    /// When it was committed.
    pub at: DateTime<Utc>,
}

/// Which events; an empty list and `None` are any.
#[derive(Clone, Debug, Default)]
pub struct SystemEventFilter {
    /// Of these channels.
    pub channels: Vec<Channel>,
    /// Of these kinds.
    pub kinds: Vec<SystemEventKind>,
    /// About this.
    pub subject: Option<String>,
}

struct Row {
    seq: i64,
    channel: String,
    kind: String,
    subject: String,
    data: serde_json::Value,
    at: DateTime<Utc>,
}

impl TryFrom<Row> for SystemEvent {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let wrong = |column| move |error| Error::inconsistent("system_events", column, row.seq, error);
        Ok(Self {
            seq: row.seq,
            channel: row.channel.parse().map_err(wrong("channel"))?,
            kind: row.kind.parse().map_err(wrong("kind"))?,
            subject: row.subject,
            data: row.data,
            at: row.at,
        })
    }
}

impl SystemEventFilter {
    fn channels(&self) -> Vec<String> {
        self.channels.iter().map(ToString::to_string).collect()
    }

    fn kinds(&self) -> Vec<String> {
        self.kinds.iter().map(ToString::to_string).collect()
    }
}

impl Store {
    /// The events that fit after number `after` up to `until`, in order, at most `limit`.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn system_events_after(
        &self,
        filter: &SystemEventFilter,
        after: i64,
        until: i64,
        limit: i64,
    ) -> Result<Vec<SystemEvent>> {
        let rows = sqlx::query_as!(
            Row,
            r#"SELECT seq AS "seq!", channel, kind, subject, data, at FROM system_events
               WHERE seq > $1 AND seq <= $2
                 AND (cardinality($3::text[]) = 0 OR channel = ANY ($3))
                 AND (cardinality($4::text[]) = 0 OR kind = ANY ($4))
                 AND ($5::text IS NULL OR subject = $5)
               ORDER BY seq LIMIT $6"#,
            after,
            until,
            &filter.channels(),
            &filter.kinds(),
            filter.subject,
            limit,
        );
        rows.fetch_all(&self.pool).await?.into_iter().map(TryInto::try_into).collect()
    }

    /// The events that fit before number `before`, the newest first, at most `limit`.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn system_events_before(
        &self,
        filter: &SystemEventFilter,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<SystemEvent>> {
        let rows = sqlx::query_as!(
            Row,
            r#"SELECT seq AS "seq!", channel, kind, subject, data, at FROM system_events
               WHERE seq < $1
                 AND (cardinality($2::text[]) = 0 OR channel = ANY ($2))
                 AND (cardinality($3::text[]) = 0 OR kind = ANY ($3))
                 AND ($4::text IS NULL OR subject = $4)
               ORDER BY seq DESC LIMIT $5"#,
            before.unwrap_or(i64::MAX),
            &filter.channels(),
            &filter.kinds(),
            filter.subject,
            limit,
        );
        rows.fetch_all(&self.pool).await?.into_iter().map(TryInto::try_into).collect()
    }

    /// The number of the last event; 0 before the first.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn last_system_event(&self) -> Result<i64> {
        let last = sqlx::query_scalar!("SELECT last FROM system_event_numbers");
        Ok(last.fetch_one(&self.pool).await?)
    }

    /// The number of the first event that is still kept, or the next number when none is.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn first_system_event(&self) -> Result<i64> {
        let first = sqlx::query_scalar!(
            r#"SELECT coalesce((SELECT min(seq) FROM system_events), last + 1) AS "first!" FROM system_event_numbers"#
        );
        Ok(first.fetch_one(&self.pool).await?)
    }

    /// The events that were not yet told at Redis, at most `limit` of them, in order. Each is given to one caller, who tells
    /// it or does not: whoever misses it reads it here.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn take_untold(&self, limit: i64) -> Result<Vec<SystemEvent>> {
        let taken = sqlx::query!(
            r#"WITH before AS (SELECT told, last FROM system_event_numbers WHERE told < last FOR NO KEY UPDATE)
               UPDATE system_event_numbers n SET told = least(before.last, before.told + $1) FROM before
               RETURNING before.told AS "after!", n.told AS "until!""#,
            limit,
        );
        let Some(taken) = taken.fetch_optional(&self.pool).await? else { return Ok(Vec::new()) };
        self.system_events_after(&SystemEventFilter::default(), taken.after, taken.until, limit).await
    }

    /// Writes down how a process (`component` is `process`) or something that it needs is: `up`, `degraded` or `down`, and why
    /// it is not up. `noticed_at` is of the clock of the process: it is written down later while Postgres is away.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn note_health(
        &self,
        process: &str,
        component: &str,
        state: &str,
        reason: Option<&str>,
        noticed_at: DateTime<Utc>,
    ) -> Result<()> {
        let itself = component == "process";
        let (channel, kind) = match (itself, state) {
            (true, "up") => (Channel::SystemEvents, SystemEventKind::ProcessStarted),
            (true, _) => (Channel::SystemEvents, SystemEventKind::ProcessStopping),
            (false, "up") => (Channel::HealthChecks, SystemEventKind::HealthUp),
            (false, "degraded") => (Channel::HealthChecks, SystemEventKind::HealthDegraded),
            (false, _) => (Channel::HealthChecks, SystemEventKind::HealthDown),
        };
        let data =
            json!({ "process": process, "component": component, "reason": reason, "noticed_at": noticed_at });
        sqlx::query!(
            "SELECT tell_system($1, $2, $3, $4)",
            channel.as_str(),
            kind.as_str(),
            if itself { process } else { component },
            data,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
