//! Taking tickets: one apalis worker per lane under one Monitor, kept alive whatever Redis does.

use crate::{
    Error, Lane, Queue, Subscription, Ticket, WorkerConfig,
    handler::Handler,
    keys,
    life::Life,
    payload::{AsIs, Payload},
    queue::connection,
    wake::Wakes,
};
use apalis::prelude::{Monitor, WorkerBuilder};
use apalis_core::backend::ext::BackendExt;
use apalis_redis::RedisStorage;
use redis::aio::ConnectionManager;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use tower::limit::ConcurrencyLimitLayer;
use uuid::Uuid;

/// After the stop, handlers under way may finish for this long. One that is cut off has its ticket put back.
const STOP_GRACE: Duration = Duration::from_secs(1);
/// Putting tickets back at the end may take this long; after that, neighbours take them over in ten seconds.
const GIVE_BACK_WITHIN: Duration = Duration::from_secs(1);
/// Pause before a Monitor that ended unasked is built again.
const REBUILD_AFTER: Duration = Duration::from_millis(500);

impl Queue {
    /// Takes tickets until `stop`, one per lane at a time, and hands each to `handler`.
    ///
    /// The handler waits for a free slot, detaches the run and returns; its return means the ticket is spent.
    /// It runs in a task of its own, so a panic does not harm the worker, and its future may be dropped at any
    /// await: when Redis was away (the ticket then comes again, here or elsewhere) and one
    /// second after `stop` (the ticket is put back). So a handler that is stopped before it took the ticket
    /// should keep waiting, not return. Lanes do not see each other: with one slot and four waiting handlers,
    /// which lane goes first is the handler's choice, by `Ticket::lane`.
    ///
    /// Returns at most about two seconds after `stop`, never before, also when Redis is away.
    ///
    /// # Errors
    /// [`Error::WorkerName`] and [`Error::Url`], at once.
    pub async fn run<F, Fut>(
        &self,
        worker: WorkerConfig,
        handler: F,
        stop: CancellationToken,
    ) -> Result<(), Error>
    where
        F: Fn(Ticket) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if worker.name.is_empty() || worker.name.len() > 100 || !worker.name.chars().all(plain) {
            return Err(Error::WorkerName(worker.name));
        }
        let boot = format!("{}-{}", worker.name, Uuid::now_v7().simple());
        let conn = connection(&self.shared.client)?;
        let wake = keys::wake_channel(&self.shared.prefix);
        let wakes = Wakes::spawn(Subscription::spawn(self.shared.client.clone(), vec![(wake.clone(), wake)]));
        let life = |lane: &Lane| {
            let keys = self.shared.lanes[lane.index()].clone();
            (*lane, Arc::new(Life::new(conn.clone(), keys, format!("{boot}-{lane}"))))
        };
        let lives: Vec<_> = worker.lanes.iter().map(life).collect();

        while !stop.is_cancelled() {
            let monitor = lives.iter().fold(Monitor::new(), |monitor, (lane, life)| {
                let (lane, life) = (*lane, Arc::clone(life));
                register(monitor, lane, life, &conn, &wakes, Handler::new(lane, handler.clone()))
            });
            let stopping = stop.clone();
            let monitor = monitor.should_restart(move |_, _| !stopping.is_cancelled());
            let context = monitor.context();
            let mut running = Box::pin(monitor.run());
            tokio::select! {
                ended = &mut running => {
                    if stop.is_cancelled() {
                        break;
                    }
                    tracing::error!(?ended, "The ticket workers ended unasked; starting them again");
                    tokio::time::sleep(REBUILD_AFTER).await;
                }
                () = stop.cancelled() => {
                    if let Err(error) = context.shutdown() {
                        tracing::warn!(%error, "The ticket workers could not be told to stop");
                    }
                    if tokio::time::timeout(STOP_GRACE, &mut running).await.is_err() {
                        tracing::info!("Ticket handlers were cut off at the stop; their tickets are put back");
                    }
                }
            }
        }
        let give_back = futures::future::join_all(lives.iter().map(|(_, life)| life.end()));
        if tokio::time::timeout(GIVE_BACK_WITHIN, give_back).await.is_err() {
            tracing::warn!(
                "Redis did not answer at the stop; tickets held here are taken over in about 10 s"
            );
        }
        Ok(())
    }
}

fn register<F, Fut>(
    monitor: Monitor,
    lane: Lane,
    life: Arc<Life>,
    conn: &ConnectionManager,
    wakes: &Wakes,
    handler: Handler<F>,
) -> Monitor
where
    F: Fn(Ticket) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let (conn, wake) = (conn.clone(), wakes.of(lane));
    monitor.register(move |_| {
        let name = life.next_name();
        let (life, handler) = (Arc::clone(&life), handler.clone());
        let backend = RedisStorage::<Payload>::new(conn.clone())
            .with_config(life.keys().apalis())
            .with_codec(AsIs)
            .poll_with_strategy(wake.clone())
            .before_start(move |_| {
                let life = Arc::clone(&life);
                async move {
                    life.begin().await;
                    Ok(())
                }
            });
        WorkerBuilder::new(name)
            .backend(backend)
            // One ticket at a time: what waits for a slot here is missing elsewhere.
            .layer(ConcurrencyLimitLayer::new(1))
            .build(move |payload: Payload| {
                let handler = handler.clone();
                async move { handler.handle(payload).await }
            })
    })
}
