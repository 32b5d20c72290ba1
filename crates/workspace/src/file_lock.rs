use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often a held lock is asked for again.
const ASK_AGAIN: Duration = Duration::from_millis(15);

/// An exclusive lock between tasks and between processes on one host; the kernel frees it when a process dies.
#[derive(Debug)]
pub(crate) struct FileLock(File);

impl FileLock {
    /// Takes the lock, or none if another holds it.
    pub(crate) fn try_take(path: &Path) -> io::Result<Option<Self>> {
        let file = File::options().create(true).append(true).open(path)?;
        match file.try_lock() {
            // A lock on a file that its last holder has deleted meanwhile keeps nobody out.
            Ok(()) if path.metadata()?.ino() != file.metadata()?.ino() => Ok(None),
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Takes the lock, waiting up to `timeout`; then an error of kind `TimedOut`.
    pub(crate) async fn take(path: &Path, timeout: Duration) -> io::Result<Self> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(lock) = Self::try_take(path)? {
                return Ok(lock);
            }
            if Instant::now() >= deadline {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "another process holds the lock"));
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Closing alone is not enough: a process being started at this moment holds a copy of the handle
        // until it executes. An error leaves the lock to that closing.
        let _ = self.0.unlock();
    }
}
