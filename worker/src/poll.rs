//! Work without tickets: ready tasks are looked for in Postgres itself while no ticket comes, so that the fleet goes on
//! when Redis is away and a wake that got lost costs a second; and while tickets come in a rush, so that a backlog is
//! taken many tasks at a time.

use std::time::Duration;

use hive_domain::{Lease, task::Task};
use hive_queue::Lane;
use hive_store::Error;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{flow::Flow, jobs::run_task::RunTask, meter, slots::Slots};

/// The pause between two questions that find nothing.
const NOTHING: Duration = Duration::from_secs(1);
/// The same after a rush of tickets that led to nothing.
const RUSH_FOR_NOTHING: Duration = Duration::from_millis(100);
/// A question that takes longer is not asked for the sake of a rush.
const SHORT: Duration = Duration::from_millis(50);
/// The least time between two questions; places that get free meanwhile are filled by the second.
const PACE: Duration = Duration::from_millis(8);
/// Tasks that one question claims at most, so that other workers find some, too.
const MOST: usize = 32;
/// Every this many questions the oldest task goes first, so that the least urgent never starves.
const AGEING: u64 = 8;

/// Why Postgres is asked.
#[derive(Clone, Copy, PartialEq)]
enum Why {
    Quiet,
    Rush,
    /// The question before found as much as it asked for.
    More,
}

/// Claims and runs what no ticket led to, until `stop`.
pub(crate) async fn poll(job: RunTask, slots: Slots, runs: TaskTracker, flow: Flow, stop: CancellationToken) {
    let least = if job.claimant.isolated { Lane::Isolated } else { Lane::Low };
    let (mut known, mut next) = (None, Instant::now());
    for question in 1_u64.. {
        let wanted = async {
            let why = match known {
                Some(why) => why,
                None => tokio::select! {
                    () = flow.quiet() => Why::Quiet,
                    () = flow.rush() => Why::Rush,
                },
            };
            let place = slots.acquire(least).await;
            sleep_until(next).await;
            (why, place)
        };
        let (why, mut places) = tokio::select! {
            (why, place) = wanted => (why, vec![place]),
            () = stop.cancelled() => return,
        };
        next = Instant::now() + PACE;
        while places.len() < MOST
            && let Some(place) = slots.take_free()
        {
            places.push(place);
        }
        // Never cut: a lease that is granted must be held by a run.
        let oldest = question.is_multiple_of(AGEING);
        let (question, asked) = (job.strays.ask(), Instant::now());
        let leases = match claim(&job, &flow, places.len(), oldest).await {
            Ok(leases) => leases,
            Err(error) => {
                tracing::warn!("Postgres could not be asked for tasks: {error}");
                question.failed(&error);
                Vec::new()
            }
        };
        let more = oldest && !leases.is_empty() || leases.len() == places.len();
        known = more.then_some(Why::More);
        flow.hold(more);
        let took = asked.elapsed();
        if leases.is_empty() {
            drop((places, question));
            // Where very many tasks are ready and must not start, a question takes long: it is asked seldom then. Spread,
            // so that a fleet does not ask in step.
            let pause = if why == Why::Rush { RUSH_FOR_NOTHING } else { NOTHING }.max(took * 20);
            let pause = pause.mul_f64(rand::random_range(0.8..1.2));
            tokio::select! {
                () = sleep(pause) => {}
                () = flow.rush(), if why == Why::Quiet && took < SHORT => known = Some(Why::Rush),
                () = stop.cancelled() => return,
            }
            continue;
        }
        meter::claim(took);
        meter::polled(leases.len());
        for (lease, place) in leases.into_iter().zip(places) {
            let (job, question) = (job.clone(), question.clone());
            runs.spawn(async move {
                job.run(lease, question).await;
                drop(place);
            });
        }
    }
}

/// Claims as many tasks as there are places, or in its turn the oldest one. What has a rate is led to by its ticket only:
/// when none come, it is looked for by itself, as the last, and in the turn of the oldest as the first.
async fn claim(job: &RunTask, flow: &Flow, places: usize, oldest: bool) -> Result<Vec<Lease<Task>>, Error> {
    if oldest
        && flow.is_quiet()
        && let Some(lease) = job.store.claim_next_rated(&job.claimant).await?
    {
        return Ok(vec![lease]);
    }
    let leases = job.store.claim_next(&job.claimant, places, oldest).await?;
    if leases.is_empty() && flow.is_quiet() {
        return Ok(job.store.claim_next_rated(&job.claimant).await?.into_iter().collect());
    }
    Ok(leases)
}
