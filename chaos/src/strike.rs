//! Doing what the plan says, and writing down what was hit.

use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use hive_local::RedisData;
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    fleet::{Fleet, SLOTS},
    plan::{Line, Strike},
    process::Kind,
};

/// What was running on a worker when it was struck.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    /// By the database's clock.
    pub(crate) at: DateTime<Utc>,
    /// Tasks and the epochs of their runs.
    pub(crate) running: Vec<(Uuid, i64)>,
    /// True for `kill -9`: the others may still end their runs.
    pub(crate) killed: bool,
}

/// Everything that was struck.
#[derive(Debug, Default)]
pub(crate) struct Struck {
    /// Workers.
    pub(crate) hits: Vec<Hit>,
    pub(crate) kills: usize,
    /// When Redis had lost its memory and could be used again.
    pub(crate) forgot: Vec<DateTime<Utc>>,
    /// Processes that ended and were not struck.
    pub(crate) unexpected: Vec<String>,
    restarting: Vec<usize>,
    /// Workers that were struck while nobody could say what they ran.
    blind: usize,
}

impl Struck {
    pub(crate) async fn strike(&mut self, fleet: &mut Fleet, strike: Strike) -> anyhow::Result<()> {
        match strike {
            Strike::Kill(kind, nth) => {
                let index = fleet.of(kind)[nth];
                // Another strike came first, and it is left alone, so that it wakes up to a task that was taken over.
                if fleet.places[index].frozen {
                    return Ok(());
                }
                self.note_hit(fleet, index, true).await;
                self.kills += 1;
                self.restarting.retain(|other| *other != index);
                fleet.places[index].kill9()?;
            }
            Strike::Restart(kind, nth) => {
                let index = fleet.of(kind)[nth];
                if fleet.places[index].has_only_just_begun() {
                    return Ok(());
                }
                self.note_hit(fleet, index, false).await;
                fleet.places[index].ask_to_end();
                self.restarting.push(index);
            }
            Strike::Freeze(nth) => {
                let index = fleet.of(Kind::Worker)[nth];
                self.note_hit(fleet, index, false).await;
                fleet.places[index].freeze();
            }
            Strike::Thaw(nth) => {
                let index = fleet.of(Kind::Worker)[nth];
                fleet.places[index].thaw();
            }
            Strike::FlushRedis => {
                // A Redis that is away or frozen has forgotten, or will be flushed by another strike.
                if flush(fleet).await.is_ok() {
                    self.forgot.extend(now(&fleet.pool).await);
                }
            }
            Strike::KillRedis => fleet.stores.kill_redis(),
            Strike::StartRedis => {
                fleet.stores.start_redis(RedisData::Wipe)?;
                self.forgot.extend(now(&fleet.pool).await);
            }
            Strike::FreezeRedis => fleet.stores.redis().context("no Redis")?.freeze(),
            Strike::ThawRedis => fleet.stores.redis().context("no Redis")?.thaw(),
            Strike::CrashPostgres => {
                let postgres = fleet.stores.postgres().context("no Postgres")?;
                postgres.crash();
                postgres.start()?;
            }
            Strike::Harm(line, harm) => match line {
                Line::Postgres => fleet.postgres.harm(harm),
                Line::Redis => fleet.redis.harm(harm),
                Line::Claude => fleet.claude.harm(harm),
            },
        }
        Ok(())
    }

    /// Starts again what has ended: drained as asked, or for reasons of its own.
    pub(crate) fn revive(&mut self, fleet: &mut Fleet) -> anyhow::Result<()> {
        for (index, place) in fleet.places.iter_mut().enumerate() {
            if let Some(how) = place.revive()? {
                match self.restarting.iter().position(|other| *other == index) {
                    Some(at) => {
                        self.restarting.remove(at);
                        if how != "exit status: 0" {
                            self.unexpected.push(format!("{} drained with {how}", place.name));
                        }
                    }
                    None => self.unexpected.push(format!("{} ended with {how}", place.name)),
                }
            }
        }
        Ok(())
    }

    /// Runs in flight at all strikes together: what may have been paid for twice.
    pub(crate) fn in_flight(&self) -> usize {
        self.hits.iter().map(|hit| hit.running.len()).sum::<usize>() + self.blind * SLOTS
    }

    /// Kills that hit a task in flight.
    pub(crate) fn kills_in_flight(&self) -> usize {
        self.hits.iter().filter(|hit| hit.killed && !hit.running.is_empty()).count()
    }

    /// How many kills are still to hit a run, for `least` to have hit one.
    pub(crate) fn still_to_hit(&self, least: usize) -> usize {
        least.saturating_sub(self.kills_in_flight())
    }

    /// The worker that `strike` is for runs nothing now, or nobody can say what it runs.
    pub(crate) async fn would_miss(&self, fleet: &Fleet, strike: Strike) -> bool {
        let Strike::Kill(kind, nth) = strike else { return false };
        let index = fleet.of(kind)[nth];
        fleet.places[index].frozen || !matches!(running(fleet, index).await, Ok(rows) if !rows.is_empty())
    }

    async fn note_hit(&mut self, fleet: &Fleet, index: usize, killed: bool) {
        let place = &fleet.places[index];
        if place.kind != Kind::Worker || place.frozen {
            return;
        }
        // While Postgres is away nobody knows what runs; such a kill is not counted as a hit.
        let Ok(rows) = running(fleet, index).await else {
            self.blind += 1;
            return;
        };
        if let Some((at, ..)) = rows.first() {
            let running = rows.iter().map(|(_, task, epoch)| (*task, *epoch)).collect();
            self.hits.push(Hit { at: *at, running, killed });
        }
    }
}

/// The database's clock, and the tasks that a worker runs with the epochs of their runs.
async fn running(fleet: &Fleet, index: usize) -> sqlx::Result<Vec<(DateTime<Utc>, Uuid, i64)>> {
    let place = &fleet.places[index];
    sqlx::query_as("SELECT now(), id, epoch FROM tasks WHERE worker LIKE $1 AND status = 'running'")
        .bind(format!("{}-%-{}", place.name, place.pid()))
        .fetch_all(&fleet.pool)
        .await
}

async fn now(pool: &PgPool) -> Option<DateTime<Utc>> {
    sqlx::query_scalar("SELECT now()").fetch_one(pool).await.ok()
}

async fn flush(fleet: &Fleet) -> anyhow::Result<()> {
    let client = redis::Client::open(fleet.stores.redis_url().context("no Redis")?)?;
    let flush = async {
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd("FLUSHALL").exec_async(&mut connection).await
    };
    Ok(tokio::time::timeout(Duration::from_secs(1), flush).await??)
}
