//! Listening, and ending in good order.

use std::{io, sync::Arc, time::Duration};

use anyhow::Context;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;

use crate::{app::App, config::Config, routes};

/// Connections of one process at most: streams, requests in flight, and as many again that are idle.
const MAX_CONNECTIONS: usize = 4_096;
/// A connection whose next request head does not arrive in this time is closed; it bounds slow and idle callers.
const HEAD_WITHIN: Duration = Duration::from_secs(60);
/// What open requests get when the process is asked to stop.
const FINISH_WITHIN: Duration = Duration::from_secs(10);
/// What the last word on the health gets to be written down.
const TELL_WITHIN: Duration = Duration::from_millis(300);
/// Pause after an error of accept that is not the connection's own, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long the schema is waited for: whoever migrates may come later than we do.
const SCHEMA_WITHIN: Duration = Duration::from_secs(365 * 24 * 3600);

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// A setting that cannot be used, named; or a database schema that does not fit.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let listener = TcpListener::bind(config.listen).await.with_context(|| {
        format!("HIVE_LISTEN: cannot listen on {}; is another process there?", config.listen)
    })?;
    serve(config, listener, hive_telemetry::stop_on_signal()).await
}

/// Serves on `listener` until `stop`.
///
/// # Errors
/// See [`run`].
pub async fn serve(config: Config, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
    config.check()?;
    let app = Arc::new(App::open(&config, stop.clone()).await?);
    let router = routes::router(Arc::clone(&app), config.metrics_open);
    let address = listener.local_addr().context("the address of the listener")?;
    tracing::info!("Serving http://{address}");
    let serving = async {
        accept(listener, router, stop).await;
        app.health.draining();
        app.health.told(TELL_WITHIN).await;
    };
    tokio::select! {
        () = serving => {}
        () = app.look_after() => {}
        fits = schema_fits(&app) => fits?,
    }
    app.store.close().await;
    Ok(())
}

/// Ends only when the schema cannot be used; while Postgres is away that is not known yet.
async fn schema_fits(app: &App) -> anyhow::Result<()> {
    app.store.wait_ready(SCHEMA_WITHIN).await.context("DATABASE_URL")?;
    std::future::pending().await
}

async fn accept(listener: TcpListener, router: Router, stop: CancellationToken) {
    let seats = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let open = GracefulShutdown::new();
    loop {
        let next = async {
            let seat = Arc::clone(&seats).acquire_owned().await;
            (seat, listener.accept().await)
        };
        let (seat, accepted) = tokio::select! {
            next = next => next,
            () = stop.cancelled() => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                pause_after(&error).await;
                continue;
            }
        };
        let connection = open.watch(connection(stream, &router));
        tokio::spawn(async move {
            let _seat = seat;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "A connection ended early");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(FINISH_WITHIN, open.shutdown()).await.is_err() {
        tracing::warn!("Requests were still open after {} s and were dropped", FINISH_WITHIN.as_secs());
    }
}

fn connection(
    stream: TcpStream,
    router: &Router,
) -> http1::Connection<TokioIo<TcpStream>, TowerToHyperService<Router>> {
    // Answers are small: without this the kernel may hold one back for 40 ms.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()))
}

async fn pause_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        return;
    }
    tracing::error!(%error, "A connection could not be accepted");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}
