//! Asking a component how it is, again and again.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{Health, State};

/// A probe that takes longer found the component down.
const PROBE_WITHIN: Duration = Duration::from_secs(2);

impl Health {
    /// Probes a component at once and then every `every`, until it is dropped. A probe that fails or takes more than
    /// 2 s says that the component is down.
    pub async fn watch<Probe, Answer, T, E>(self, component: &'static str, every: Duration, probe: Probe)
    where
        Probe: Fn() -> Answer,
        Answer: Future<Output = Result<T, E>>,
        E: Into<anyhow::Error>,
    {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let state = match timeout(PROBE_WITHIN, probe()).await {
                Ok(Ok(_)) => State::Up,
                Ok(Err(error)) => State::Down(format!("{:#}", error.into())),
                Err(_) => State::Down(format!("no answer within {} s", PROBE_WITHIN.as_secs())),
            };
            self.set(component, state);
        }
    }
}
