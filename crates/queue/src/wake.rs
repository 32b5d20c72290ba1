//! Waking a lane's worker when there may be something to fetch.
//!
//! apalis fetches when it is polled, never blocks in Redis, and its own strategies lose wakes. Here a waker is
//! registered on every poll and woken by three hands: the message an announcement publishes, its echo, and a
//! tick.

use crate::{Lane, Notice, Subscription};
use apalis_core::backend::ext::poll_strategy::{PollSnapshot, PollStrategy};
use futures::task::AtomicWaker;
use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{sync::Notify, time};
use tokio_util::task::AbortOnDropHandle;

/// What is found without any message: the bound on latency when pub/sub is down.
const TICK: Duration = Duration::from_millis(40);
/// A wake that lands while a fetch is under way is swallowed by it, so it is repeated after these pauses.
const ECHOES: [Duration; 2] = [Duration::from_millis(3), Duration::from_millis(12)];

/// One lane's waker; also the poll strategy handed to apalis.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wake(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    waker: AtomicWaker,
    echo: Notify,
}

impl PollStrategy for Wake {
    fn poll_drive(&mut self, cx: &mut Context<'_>, _: &PollSnapshot) -> Poll<Option<()>> {
        self.0.waker.register(cx.waker());
        Poll::Pending
    }
}

impl Wake {
    fn ring(&self) {
        self.0.waker.wake();
        self.0.echo.notify_one();
    }

    async fn echo(self) {
        loop {
            self.0.echo.notified().await;
            for pause in ECHOES {
                time::sleep(pause).await;
                self.0.waker.wake();
            }
        }
    }
}

/// The tasks that wake the lanes; they end when this is dropped.
#[derive(Debug)]
pub(crate) struct Wakes {
    lanes: [Wake; Lane::COUNT],
    _tasks: Vec<AbortOnDropHandle<()>>,
}

impl Wakes {
    pub(crate) fn spawn(mut messages: Subscription) -> Self {
        let lanes: [Wake; Lane::COUNT] = Default::default();
        let mut tasks: Vec<_> =
            lanes.iter().map(|wake| AbortOnDropHandle::new(tokio::spawn(wake.clone().echo()))).collect();
        let all = lanes.clone();
        tasks.push(AbortOnDropHandle::new(tokio::spawn(async move {
            let mut tick = time::interval(TICK);
            tick.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
            loop {
                tick.tick().await;
                all.iter().for_each(|wake| wake.0.waker.wake());
            }
        })));
        let all = lanes.clone();
        tasks.push(AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                let rung = match messages.recv().await {
                    Notice::Message { payload, .. } => Lane::from_name(&payload),
                    Notice::Gap => None,
                };
                match rung {
                    Some(lane) => all[lane.index()].ring(),
                    None => all.iter().for_each(Wake::ring),
                }
            }
        })));
        Self { lanes, _tasks: tasks }
    }

    pub(crate) fn of(&self, lane: Lane) -> Wake {
        self.lanes[lane.index()].clone()
    }
}
