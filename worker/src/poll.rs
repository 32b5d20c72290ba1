//! Work without tickets: while none comes, ready tasks are looked for in Postgres itself. So the fleet goes on when
//! Redis is away, and a wake that got lost costs a second.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hive_queue::Lane;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{jobs::run_task::RunTask, meter, slots::Slots};

/// Silence of the lanes after which Postgres is asked, and the pause between two questions that find nothing.
const QUIET: Duration = Duration::from_secs(1);
/// Tasks that one question claims at most, so that other workers find some, too.
const MOST: usize = 16;
/// Every this many questions the oldest task goes first, so that the least urgent never starves.
const AGEING: u64 = 8;

/// When the last ticket came. Cheap to clone.
#[derive(Clone)]
pub(crate) struct LastTicket(Arc<Mutex<Instant>>);

impl LastTicket {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    pub(crate) fn came(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    async fn quiet(&self) {
        loop {
            let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner) + QUIET;
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }
}

/// Claims and runs what no ticket led to, until `stop`.
pub(crate) async fn poll(
    job: RunTask,
    slots: Slots,
    runs: TaskTracker,
    last_ticket: LastTicket,
    stop: CancellationToken,
) {
    let least = if job.claimant.isolated { Lane::Isolated } else { Lane::Low };
    for question in 1_u64.. {
        let wanted = async {
            last_ticket.quiet().await;
            slots.acquire(least).await
        };
        let mut places = tokio::select! {
            place = wanted => vec![place],
            () = stop.cancelled() => return,
        };
        while places.len() < MOST
            && let Some(place) = slots.take_free()
        {
            places.push(place);
        }
        // Never cut: a lease that is granted must be held by a run.
        let oldest = question.is_multiple_of(AGEING);
        let leases = match job.store.claim_next(&job.claimant, places.len(), oldest).await {
            Ok(leases) => leases,
            Err(error) => {
                tracing::debug!("Postgres could not be asked for tasks: {error}");
                Vec::new()
            }
        };
        if leases.is_empty() {
            drop(places);
            // Spread, so that a fleet does not ask in step.
            let pause = QUIET.mul_f64(rand::random_range(0.8..1.2));
            tokio::select! {
                () = sleep(pause) => continue,
                () = stop.cancelled() => return,
            }
        }
        meter::polled(leases.len());
        for (lease, place) in leases.into_iter().zip(places) {
            let job = job.clone();
            runs.spawn(async move {
                job.run(lease).await;
                drop(place);
            });
        }
    }
}
