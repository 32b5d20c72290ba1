//! How a double is set up.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::limits::Limits;
use crate::recording::Recording;
use crate::script::Script;
use crate::storm::Storm;
use crate::windows::Windows;

/// Settings of one double. The default listens on a free loopback port and plays the default part.
#[derive(Debug)]
pub struct DoubleConfig {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// What to answer; `None` plays the default part.
    pub script: Option<Script>,
    /// Whether the default part answers where no rule of the script matches; otherwise such a request is refused.
    pub default_part: bool,
    /// Keys that are accepted; empty accepts every non-empty key.
    pub keys: Vec<String>,
    /// File that every charged call is appended to as one JSON line, and read back from at start.
    pub ledger_file: Option<PathBuf>,
    /// Wait before the first byte of every answer to `POST /v1/messages`.
    pub latency: Duration,
    /// Faults at random, by seed, from the start.
    pub faults: Option<Storm>,
    /// Rate limits; `None` lets everything through that a test can send.
    pub limits: Option<Limits>,
    /// Context windows other than the models' own.
    pub windows: Windows,
    /// Time from the creation of a batch to its end.
    pub batch_delay: Duration,
    /// Exchanges to answer from, and from nothing else.
    pub recording: Option<Recording>,
}

impl Default for DoubleConfig {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            script: None,
            default_part: false,
            keys: Vec::new(),
            ledger_file: None,
            latency: Duration::ZERO,
            faults: None,
            limits: None,
            windows: Windows::default(),
            batch_delay: Duration::from_secs(1),
            recording: None,
        }
    }
}
