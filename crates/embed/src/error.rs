//! Why texts did not become vectors.

/// Result of every call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kept texts from becoming vectors. Nothing of a call is half done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting that cannot be used, named.
    #[error("{0}")]
    Config(String),
    /// The embedded model does not run; a fault of the build, or of the machine.
    #[error("the embedded model failed: {0}")]
    Model(String),
    /// The service was not reached, or the answer broke off.
    #[error("the embedding service was not reached")]
    Connect(#[source] reqwest::Error),
    /// The service did not answer in time.
    #[error("the embedding service did not answer within {0} s")]
    Timeout(u64),
    /// The service refused.
    #[error("the embedding service answered {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it said, cut to a few hundred characters.
        message: String,
    },
    /// The service answered something else than vectors for our texts.
    #[error("the embedding service's answer cannot be used: {0}")]
    Garbage(String),
    /// More texts wait than the process holds; to be tried later.
    #[error("too many texts wait to be embedded")]
    Busy,
    /// The embedder is being dropped.
    #[error("the embedder has ended")]
    Ended,
}

impl Error {
    /// Whether the same call may come off later.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Timeout(_) | Self::Busy => true,
            Self::Refused { status, .. } => matches!(*status, 408 | 429 | 500..=599),
            Self::Config(_) | Self::Model(_) | Self::Garbage(_) | Self::Ended => false,
        }
    }

    /// Whether it is about the texts: others may be taken, and these will hardly be.
    #[must_use]
    pub const fn is_about_texts(&self) -> bool {
        match self {
            Self::Refused { status, .. } => matches!(*status, 400 | 413 | 422),
            Self::Model(_) | Self::Garbage(_) => true,
            Self::Config(_) | Self::Connect(_) | Self::Timeout(_) | Self::Busy | Self::Ended => false,
        }
    }
}
