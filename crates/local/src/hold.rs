//! The hold of a running store on its data: a lock on an open file that the store inherits. The kernel
//! drops it when the last process that inherited it is gone, so it tells a store that still shuts down
//! (or whose backends linger) from a stale pid file, whatever killed it.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    deadline,
    error::{Error, io_error},
    signal::Signal,
};

/// How long an earlier store may take to shut down by itself: its parent's death has told it to.
const SHUTDOWN: Duration = Duration::from_secs(3);

/// How long it may take after it was told again. Postgres writes a checkpoint in this time.
const SHUTDOWN_TOLD: Duration = Duration::from_secs(30);

/// An open, locked file.
#[derive(Debug)]
pub(crate) struct Hold {
    file: File,
    path: PathBuf,
}

impl Hold {
    /// Takes the lock at once, or answers `None` when another process has it.
    pub(crate) fn try_take(path: &Path) -> Result<Option<Self>, Error> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(io_error("open", path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file, path: path.to_owned() })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(io_error("lock", path)(error)),
        }
    }

    /// Takes the lock, waiting for up to `limit`.
    pub(crate) fn take_within(path: &Path, limit: Duration) -> Result<Option<Self>, Error> {
        deadline::poll(limit, || Self::try_take(path).transpose()).transpose()
    }

    /// Takes the lock of a store's data. A store of an earlier start is waited for, then told to stop with
    /// `stop`; the caller holds the lock of the state directory, so that store belongs to nobody any more.
    pub(crate) fn take_from_predecessor(path: &Path, data: &Path, stop: Signal) -> Result<Self, Error> {
        if let Some(hold) = Self::take_within(path, SHUTDOWN)? {
            return Ok(hold);
        }
        let pid = fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        tracing::warn!(store.pid = pid, "Process {pid} of an earlier start still runs; stopping it");
        stop.send(pid);
        // A frozen process takes no signal before it goes on.
        Signal::Continue.send(pid);
        Self::take_within(path, SHUTDOWN_TOLD)?.ok_or_else(|| Error::StillInUse {
            pid,
            data: data.to_owned(),
            seconds: (SHUTDOWN + SHUTDOWN_TOLD).as_secs(),
        })
    }

    /// Writes down which process inherited the lock.
    pub(crate) fn record(&mut self, pid: u32) -> Result<(), Error> {
        let text = format!("{pid}\n");
        self.file
            .set_len(0)
            .and_then(|()| self.file.rewind())
            .and_then(|()| self.file.write_all(text.as_bytes()))
            .map_err(io_error("write", &self.path))
    }

    /// The open file, for a child to inherit.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}
