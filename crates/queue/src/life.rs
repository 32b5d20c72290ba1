//! The lives of one lane's worker: apalis ends it on any error of Redis, and each new one needs a new name and
//! a lane it can survive in.

use crate::{keys::LaneKeys, pace::Pace, scripts};
use redis::aio::ConnectionManager;
use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The first pause before a life that follows a short one, and the longest.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A life longer than this was a good one.
const GOOD_LIFE: Duration = Duration::from_secs(5);

/// One lane's succession of workers.
#[derive(Debug)]
pub(crate) struct Life {
    conn: ConnectionManager,
    keys: LaneKeys,
    base: String,
    // Protects the names between the factory, the start and the end; held for a few instructions.
    state: Mutex<State>,
    pace: Pace,
}

#[derive(Debug, Default)]
struct State {
    lives: u64,
    current: Option<String>,
    /// Names whose tickets have not been taken back yet.
    ended: Vec<String>,
    began: Option<Instant>,
    short_lives: u32,
}

impl Life {
    pub(crate) fn new(conn: ConnectionManager, keys: LaneKeys, base: String) -> Self {
        Self { conn, keys, base, state: Mutex::default(), pace: Pace::default() }
    }

    pub(crate) fn keys(&self) -> &LaneKeys {
        &self.keys
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A name no worker had before; the one before it has ended.
    pub(crate) fn next_name(&self) -> String {
        let mut state = self.state();
        let name = format!("{}-{}", self.base, state.lives);
        state.lives += 1;
        if let Some(old) = state.current.replace(name.clone()) {
            state.ended.push(old);
            metrics::counter!("hive_queue_worker_restarts_total", "lane" => self.keys.lane.as_str())
                .increment(1);
        }
        name
    }

    /// Runs before the worker touches the lane, and does not end before Redis is there: pauses if the last
    /// lives were short, takes back what they held and removes what would end this one.
    pub(crate) async fn begin(&self) {
        let short_lives = {
            let mut state = self.state();
            let short = state.began.is_some_and(|began| began.elapsed() < GOOD_LIFE);
            state.short_lives = if short { state.short_lives + 1 } else { 0 };
            state.short_lives
        };
        if short_lives > 0 {
            tokio::time::sleep(pause(short_lives)).await;
        }
        let mut tries = 0;
        while let Err(error) = self.retire().await {
            tries += 1;
            if let Some(more) = self.pace.due() {
                let lane = self.keys.lane.as_str();
                tracing::warn!(lane, %error, more, "The ticket worker waits for Redis");
            }
            tokio::time::sleep(pause(tries)).await;
        }
        self.state().began = Some(Instant::now());
    }

    async fn retire(&self) -> Result<(), crate::Error> {
        let (mut ended, current) = {
            let state = self.state();
            (state.ended.clone(), state.current.clone())
        };
        let first = if ended.is_empty() { None } else { Some(ended.remove(0)) };
        self.retire_one(first.as_deref(), current.as_deref()).await?;
        for old in &ended {
            self.retire_one(Some(old), None).await?;
        }
        Ok(())
    }

    async fn retire_one(&self, old: Option<&str>, new: Option<&str>) -> Result<(), crate::Error> {
        let (back, dropped) = scripts::retire(&self.conn, &self.keys, old, new).await?;
        if let Some(old) = old {
            self.state().ended.retain(|name| name != old);
        }
        let lane = self.keys.lane.as_str();
        if dropped > 0 {
            metrics::counter!("hive_queue_bad_tickets_total", "lane" => lane).increment(dropped);
            tracing::error!(lane, dropped, "Tickets without payload or bookkeeping were dropped");
        }
        if back > 0 {
            tracing::info!(lane, back, "Tickets of an ended worker were put back");
        }
        Ok(())
    }

    /// Puts back what was not handed out, and forgets the names.
    pub(crate) async fn end(&self) {
        let names: Vec<String> = {
            let mut state = self.state();
            let mut names = std::mem::take(&mut state.ended);
            names.extend(state.current.take());
            names
        };
        for name in names {
            if let Err(error) = self.retire_one(Some(&name), None).await {
                let lane = self.keys.lane.as_str();
                tracing::warn!(lane, %error, "Tickets held here were not put back; they are taken over in about 10 s");
            }
        }
    }
}

/// Doubles with each try.
fn pause(tries: u32) -> Duration {
    PAUSE.saturating_mul(1 << tries.saturating_sub(1).min(6)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stop_growing() {
        assert_eq!(pause(1), PAUSE);
        assert_eq!(pause(2), PAUSE * 2);
        assert_eq!(pause(500), LONGEST_PAUSE);
    }
}
