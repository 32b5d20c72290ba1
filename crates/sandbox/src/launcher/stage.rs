//! What the supervisor tells the inner stage, through a file in memory.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::kernel;
use crate::wire::Order;

/// The order, and what the supervisor has prepared for it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stage {
    pub order: Order,
    pub tmp: PathBuf,
    pub home: PathBuf,
    /// A file that anyone may write to and that the walls must keep away; for the self-test.
    pub outside: PathBuf,
    /// The supervisor, which must not be reachable by a signal; for the self-test.
    pub supervisor: i32,
    /// Most processes and threads of the uid.
    pub processes: u64,
    pub in_bubblewrap: bool,
    /// The command runs under the worker's uid.
    pub shared_uid: bool,
}

impl Stage {
    pub(super) fn write(&self) -> io::Result<File> {
        let mut file = kernel::memory_file()?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.rewind()?;
        Ok(file)
    }

    pub(super) fn read(mut file: File) -> io::Result<Self> {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(serde_json::from_slice(&bytes)?)
    }
}
