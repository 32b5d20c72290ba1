//! Being asked to stop.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::log::flush;

/// What a shell reports for a process that ended by Ctrl-C: 128 + SIGINT.
const INTERRUPTED: i32 = 130;

/// A token that SIGTERM or SIGINT cancels. The second signal ends the process at once with code 130. Must be called
/// inside a tokio runtime.
#[must_use]
pub fn stop_on_signal() -> CancellationToken {
    let stop = CancellationToken::new();
    let (term, int) = (listen(SignalKind::terminate()), listen(SignalKind::interrupt()));
    let first = stop.clone();
    tokio::spawn(async move {
        let (mut term, mut int) = (term, int);
        let name = either(&mut term, &mut int).await;
        tracing::info!("Stopping on {name}; a second signal ends the process at once");
        first.cancel();
        let name = either(&mut term, &mut int).await;
        tracing::warn!("Ended at once by a second signal, {name}");
        flush();
        std::process::exit(INTERRUPTED);
    });
    stop
}

/// `None` leaves the signal's default, which ends the process: it can always be stopped.
fn listen(kind: SignalKind) -> Option<Signal> {
    signal(kind)
        .inspect_err(
            |error| tracing::error!(%error, "A signal cannot be caught; it ends the process at once"),
        )
        .ok()
}

async fn either(term: &mut Option<Signal>, int: &mut Option<Signal>) -> &'static str {
    async fn next(signal: &mut Option<Signal>) {
        let caught = match signal {
            Some(signal) => signal.recv().await.is_some(),
            None => false,
        };
        if !caught {
            std::future::pending::<()>().await;
        }
    }
    tokio::select! {
        () = next(term) => "SIGTERM",
        () = next(int) => "SIGINT",
    }
}
