//! Where requests that can wait stand, and the batches that they are sent in.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::status::{UnknownName, names};

names! {
    /// Where a request stands.
    BatchRequestState, "state of a request" {
        /// It waits for a batch.
        Queued = "queued",
        /// It is in a batch.
        Sent = "sent",
        /// The reply is there.
        Succeeded = "succeeded",
        /// It failed for good.
        Errored = "errored",
        /// Its batch was cancelled before its turn.
        Canceled = "canceled",
        /// Its last try ended before its turn.
        Expired = "expired",
    }
}

names! {
    /// Where a batch stands.
    BatchState, "state of a batch" {
        /// Nobody knows whether it was created.
        Intent = "intent",
        /// It is at the provider.
        Created = "created",
        /// Its results are booked.
        Ended = "ended",
        /// It was not created.
        Unsent = "unsent",
        /// The provider does not have it, or its results, any more.
        Lost = "lost",
    }
}
