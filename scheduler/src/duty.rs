//! How a duty is run: with a limit on its time, measured, and never the end of the process.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, anyhow};
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

/// A pass that takes longer is given up; what it committed stays, and the next one does the rest.
const PASS_WITHIN: Duration = Duration::from_secs(5);
/// Pauses vary by a tenth, so that several schedulers do not keep meeting at the same row.
const JITTER: std::ops::Range<f64> = 0.9..1.1;

/// A duty and how it fares.
#[derive(Debug)]
pub(crate) struct Duty {
    name: &'static str,
    every: Duration,
    within: Duration,
    failing: bool,
}

impl Duty {
    pub(crate) fn new(name: &'static str, every: Duration) -> Self {
        // Shown from the start, so that the first failure is a rise.
        metrics::counter!("hive_scheduler_duty_failed_total", "duty" => name).absolute(0);
        // The start counts for a success, so that the time since then is seen to grow when the first never comes.
        metrics::gauge!("hive_scheduler_duty_last_success_timestamp", "duty" => name).set(unix_seconds());
        let failing = false;
        Self { name, every, within: PASS_WITHIN, failing }
    }

    /// With another limit on the time of a pass.
    pub(crate) const fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    /// Runs one pass in a task of its own, so that a panic fails the pass and not the loop. A failure is logged once,
    /// and so is the first success after it.
    pub(crate) async fn attempt<T: Send + 'static>(
        &mut self,
        pass: impl Future<Output = anyhow::Result<T>> + Send + 'static,
    ) -> Option<T> {
        let name = self.name;
        let started = Instant::now();
        let task = AbortOnDropHandle::new(tokio::spawn(pass));
        let outcome = match timeout(self.within, task).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => Err(error).context("the pass panicked"),
            Err(_) => Err(anyhow!("the pass took longer than {} s", self.within.as_secs())),
        };
        metrics::histogram!("hive_scheduler_duty_seconds", "duty" => name).record(started.elapsed());
        match outcome {
            Ok(done) => {
                metrics::gauge!("hive_scheduler_duty_last_success_timestamp", "duty" => name)
                    .set(unix_seconds());
                if std::mem::replace(&mut self.failing, false) {
                    tracing::info!(duty = name, "Duty {name} works again");
                }
                Some(done)
            }
            Err(error) => {
                metrics::counter!("hive_scheduler_duty_failed_total", "duty" => name).increment(1);
                if std::mem::replace(&mut self.failing, true) {
                    tracing::debug!(duty = name, "Duty {name} still fails: {error:#}");
                } else {
                    tracing::error!(duty = name, "Duty {name} failed and is tried again: {error:#}");
                }
                None
            }
        }
    }

    /// The pause until the next pass.
    pub(crate) async fn pause(&self) {
        sleep(self.every.mul_f64(rand::random_range(JITTER))).await;
    }
}

/// What Prometheus calls a timestamp; 0 for a clock before 1970.
fn unix_seconds() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    #[tokio::test(start_paused = true)]
    async fn a_pass_that_hangs_fails_or_panics_is_not_the_last() {
        let mut duty = Duty::new("test", Duration::from_secs(1));
        let start = tokio::time::Instant::now();
        let hangs = duty.attempt(std::future::pending::<anyhow::Result<()>>()).await;
        assert_eq!((hangs, start.elapsed().as_secs(), duty.failing), (None, 5, true));
        assert_eq!(duty.attempt(async { Err::<(), _>(anyhow!("refused")) }).await, None);
        assert_eq!(duty.attempt::<()>(async { panic!("planned") }).await, None);
        assert!(duty.failing);
        assert_eq!(duty.attempt(async { Ok(7) }).await, Some(7));
        assert!(!duty.failing);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pass_that_is_given_up_does_not_go_on() {
        let (alive, mut gone) = tokio::sync::oneshot::channel::<()>();
        let pass = async move {
            let _alive = alive;
            std::future::pending::<anyhow::Result<()>>().await
        };
        assert_eq!(Duty::new("test", Duration::from_secs(1)).attempt(pass).await, None);
        timeout(Duration::from_secs(1), &mut gone).await.unwrap().unwrap_err();
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_failure_and_its_end_are_said_once() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        let _logging = tracing::subscriber::set_default(subscriber);
        let mut duty = Duty::new("test", Duration::from_secs(1));
        for works in [true, false, false, false, true, true] {
            duty.attempt(async move { if works { Ok(()) } else { Err(anyhow!("refused")) } }).await;
        }
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let (failed, again): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.contains("ERROR"));
        assert!(matches!(failed[..], [line] if line.contains("refused")), "{text}");
        assert!(matches!(again[..], [line] if line.contains("works again")), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_duty_that_never_succeeds_shows_since_when() {
        let metrics = hive_telemetry::metrics::install("scheduler");
        let before = unix_seconds();
        let mut duty = Duty::new("never", Duration::from_secs(1));
        assert_eq!(duty.attempt(async { Err::<(), _>(anyhow!("refused")) }).await, None);
        let text = metrics.render();
        let shown = text.lines().find_map(|line| {
            line.strip_prefix("hive_scheduler_duty_last_success_timestamp{duty=\"never\"} ")
        });
        assert!(shown.unwrap().parse::<f64>().unwrap() >= before, "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_vary_a_little() {
        let duty = Duty::new("test", Duration::from_secs(10));
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..20 {
            let start = tokio::time::Instant::now();
            duty.pause().await;
            assert!((8.9..11.1).contains(&start.elapsed().as_secs_f64()));
            seen.insert(start.elapsed());
        }
        assert!(seen.len() > 1);
    }
}
