//! What one process takes on at once, for how long, and what it makes of a defect.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use futures::FutureExt;
use tokio::sync::Semaphore;

use crate::error::{ApiError, Result};

/// Requests in flight at most. Each may hold a body of a megabyte; what is more waits better at the caller.
pub const MAX_IN_FLIGHT: usize = 512;
/// The longest a request may take until its answer begins, its body included.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Bounds every request.
///
/// # Errors
/// 503 with `Retry-After` when there are too many or it takes too long; 500 when the handler panicked.
pub async fn bound(State(slots): State<Arc<Semaphore>>, request: Request, next: Next) -> Result<Response> {
    let Ok(_slot) = slots.try_acquire() else {
        return Err(ApiError::unavailable("overloaded", "too many requests are in flight here", 1));
    };
    // The panic itself is logged by the hook that logging installs.
    let run = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(TIMEOUT, run).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(_panic)) => Err(ApiError::opaque()),
        Err(_) => {
            let detail =
                format!("the request took longer than {} s; look before you repeat it", TIMEOUT.as_secs());
            Err(ApiError::unavailable("timeout", detail, 5))
        }
    }
}
