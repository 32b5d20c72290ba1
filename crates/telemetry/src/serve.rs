//! The small server of a process that has no other.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{Health, MetricsHandle, health_routes};

/// What an open connection gets to finish its request when the server stops.
const CLOSE_WITHIN: Duration = Duration::from_millis(500);

/// A running server.
#[derive(Debug)]
pub struct Server {
    /// Where it listens; the port is the real one when 0 was asked for.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Waits until it has ended, at most half a second after it was told to stop.
    pub async fn ended(self) {
        if let Err(error) = self.task.await {
            tracing::error!(%error, "The server of /health and /metrics failed");
        }
    }
}

/// Serves [`health_routes`] at `address` until `stop`, in a task of its own. Returns as soon as it listens.
///
/// # Errors
/// The address cannot be listened on.
pub async fn serve(
    address: SocketAddr,
    metrics: MetricsHandle,
    health: Health,
    stop: CancellationToken,
) -> anyhow::Result<Server> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; is another process there?"))?;
    let address = listener.local_addr().context("the address of the listener")?;
    let router = health_routes(health, metrics);
    let task = tokio::spawn(async move {
        let serving = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
        let last_call = async {
            stop.cancelled().await;
            tokio::time::sleep(CLOSE_WITHIN).await;
        };
        tokio::select! {
            ended = serving.into_future() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "The server of /health and /metrics failed");
                }
            }
            () = last_call => {}
        }
    });
    tracing::info!("Serving /health and /metrics on http://{address}");
    Ok(Server { address, task })
}
