//! What changed in the health of a process, for whoever writes it down.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use super::{Health, State};

/// The component that stands for the process itself.
pub const PROCESS: &str = "process";

/// Notices that wait while they cannot be written down. When there are more, the oldest go.
const WAITING: usize = 256;
/// Writing one down that takes longer is given up and tried again.
const WRITE_WITHIN: Duration = Duration::from_secs(5);
/// Pause after one could not be written down.
const PAUSE: Duration = Duration::from_millis(500);

/// A component is another way than before.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Which; [`PROCESS`] for the process itself, which is up from its start and down when it is about to end.
    pub component: &'static str,
    /// How it is now.
    pub state: State,
    /// When that was noticed.
    pub at: SystemTime,
    number: u64,
}

#[derive(Debug, Default)]
pub(super) struct Notices {
    // Protects the notices between who makes them and who writes them down; held for a push or a look.
    waiting: Mutex<VecDeque<Notice>>,
    made: AtomicU64,
    arrived: Notify,
}

impl Notices {
    pub(super) fn push(&self, component: &'static str, state: State) {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= WAITING {
            waiting.pop_front();
        }
        waiting.push_back(Notice { component, state, at: SystemTime::now(), number });
        drop(waiting);
        self.arrived.notify_one();
    }

    fn first(&self) -> Option<Notice> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).front().cloned()
    }

    /// The first was written down; it may have gone meanwhile, since others came.
    fn done(&self, notice: &Notice) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.front().is_some_and(|first| first.number == notice.number) {
            waiting.pop_front();
        }
    }
}

impl Health {
    /// Has every notice written down by `write`, in order, until it is dropped. What fails or takes more than 5 s is tried
    /// again; the latest 256 wait meanwhile.
    pub async fn tell<Write, Answer, E>(self, write: Write)
    where
        Write: Fn(String, Notice) -> Answer,
        Answer: Future<Output = Result<(), E>>,
        E: fmt::Display,
    {
        let process = self.instance();
        loop {
            let Some(notice) = self.0.notices.first() else {
                self.0.notices.arrived.notified().await;
                continue;
            };
            match timeout(WRITE_WITHIN, write(process.clone(), notice.clone())).await {
                Ok(Ok(())) => {
                    self.0.notices.done(&notice);
                    continue;
                }
                Ok(Err(error)) => tracing::debug!(%error, "A change of health waits to be written down"),
                Err(_) => tracing::debug!("A change of health waits to be written down"),
            }
            sleep(PAUSE).await;
        }
    }

    /// Returns when no notice waits, or after `within`.
    pub async fn told(&self, within: Duration) {
        let all = async {
            while self.0.notices.first().is_some() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        drop(timeout(within, all).await);
    }

    /// What this process is called among all: what it is, its host, and its number there.
    #[must_use]
    pub fn instance(&self) -> String {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = if host.trim().is_empty() { "unknown" } else { host.trim() };
        format!("{}@{host}:{}", self.0.process, std::process::id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test(start_paused = true)]
    async fn each_change_is_written_once_and_in_order_also_when_writing_fails() {
        let health = Health::new("test");
        health.essential("store");
        health.set("store", State::Up);
        health.set("store", State::Up);
        health.set("store", State::Down("away".to_owned()));
        health.draining();
        health.draining();
        let (written, tries) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(0)));
        let (to, count) = (Arc::clone(&written), Arc::clone(&tries));
        let telling = health.clone().tell(move |process, notice| {
            let (to, count) = (Arc::clone(&to), Arc::clone(&count));
            async move {
                *count.lock().unwrap() += 1;
                if *count.lock().unwrap() % 2 == 1 {
                    return Err("refused");
                }
                assert!(process.starts_with("test@"), "{process}");
                to.lock().unwrap().push((notice.component, notice.state));
                Ok(())
            }
        });
        tokio::select! {
            () = telling => {}
            () = async { while written.lock().unwrap().len() < 4 { sleep(PAUSE).await; } } => {}
        }
        let down = |why: &str| State::Down(why.to_owned());
        let all = [
            (PROCESS, State::Up),
            ("store", State::Up),
            ("store", down("away")),
            (PROCESS, down("the process is shutting down")),
        ];
        assert_eq!(*written.lock().unwrap(), all);
        assert_eq!(*tries.lock().unwrap(), 8);
    }

    #[test]
    fn the_oldest_go_when_too_many_wait() {
        let notices = Notices::default();
        for n in 0..=WAITING {
            notices.push("store", State::Down(n.to_string()));
        }
        let first = notices.first().unwrap();
        assert_eq!(first.state, State::Down("1".to_owned()));
    }
}
