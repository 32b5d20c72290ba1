//! Starting, holding and stopping a double.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::config::DoubleConfig;
use crate::door::{Cutter, Door};
use crate::ledger::{Call, LedgerError, Unmatched};
use crate::limits::{GroupUse, Limits};
use crate::outage::Outage;
use crate::requests::KeptRequest;
use crate::routes;
use crate::script::Script;
use crate::stage::Stage;
use crate::storm::Storm;
use crate::windows::Windows;

/// Time that open answers have to end after they were cut.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The Claude double.
#[derive(Debug)]
pub struct Double;

/// A double that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum DoubleError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another port")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The ledger file cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Double {
    /// Starts a double; it answers as soon as this returns, and stops when the handle is dropped.
    ///
    /// # Errors
    ///
    /// The address is taken, or the ledger file cannot be used.
    pub async fn start(config: DoubleConfig) -> Result<DoubleHandle, DoubleError> {
        let wanted = config.address;
        let failed = |source| DoubleError::Listen { address: wanted, source };
        let stage = Arc::new(Stage::new(config)?);
        let listener = TcpListener::bind(wanted).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let service = routes::router(Arc::clone(&stage)).into_make_service_with_connect_info::<Cutter>();
        let closing = stage.closing.clone();
        let server = tokio::spawn(async move {
            let serving = axum::serve(Door(listener), service);
            if let Err(error) = serving.with_graceful_shutdown(closing.cancelled_owned()).await {
                tracing::error!(%error, "The double stopped serving");
            }
        });
        Ok(DoubleHandle { address, stage, server: Some(server) })
    }
}

/// A running double.
pub struct DoubleHandle {
    address: SocketAddr,
    stage: Arc<Stage>,
    server: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for DoubleHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DoubleHandle").field("address", &self.address).finish_non_exhaustive()
    }
}

impl DoubleHandle {
    /// Base address, as `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All charged calls, in the order of their first content.
    #[must_use]
    pub fn ledger(&self) -> Vec<Call> {
        self.stage.ledger.view(None).into_parts().0
    }

    /// Valid requests that no rule of the script matched.
    #[must_use]
    pub fn unmatched(&self) -> Vec<Unmatched> {
        self.stage.ledger.view(None).into_parts().1
    }

    /// The last requests as they arrived, oldest first: at most 2,000, at most 64 MiB.
    #[must_use]
    pub fn requests(&self) -> Vec<KeptRequest> {
        self.stage.requests.list(None)
    }

    /// The lines of its recording that no request was answered by yet; none without a recording.
    #[must_use]
    pub fn unplayed(&self) -> Vec<usize> {
        self.stage.recording.as_ref().map(crate::Recording::unplayed).unwrap_or_default()
    }

    /// Replaces the script; `None` plays the default part. Requests that are being answered keep the old one.
    pub fn set_script(&self, script: Option<Script>) {
        self.stage.set_script(script);
    }

    /// Replaces the faults at random; `None` ends them.
    pub fn set_faults(&self, storm: Option<Storm>) {
        self.stage.set_storm(storm);
    }

    /// Replaces the rate limits; all buckets are full again.
    pub fn set_limits(&self, limits: &Limits) {
        self.stage.set_limits(limits);
    }

    /// How much of the limits was used, by group and window of ten seconds.
    #[must_use]
    pub fn limit_use(&self) -> Vec<GroupUse> {
        self.stage.meter().usage()
    }

    /// Begins an outage at once; `None` ends the one that is on.
    pub fn set_outage(&self, outage: Option<Outage>) {
        self.stage.set_outage(outage);
    }

    /// Replaces the context windows that differ from the models' own.
    pub fn set_windows(&self, windows: Windows) {
        self.stage.windows.set(Arc::new(windows));
    }

    /// Puts the double's clock forward: batches, the prompt cache, rate limits and outages go by it.
    pub fn advance(&self, more: Duration) {
        self.stage.advance(more);
    }

    /// Stops: nothing new is accepted, open answers are cut, the port is free when this returns.
    pub async fn shutdown(mut self) {
        self.stage.closing.cancel();
        if let Some(mut server) = self.server.take()
            && tokio::time::timeout(LAST_WORDS, &mut server).await.is_err()
        {
            tracing::warn!("The double left connections open");
            server.abort();
        }
    }
}

impl Drop for DoubleHandle {
    fn drop(&mut self) {
        self.stage.closing.cancel();
    }
}
