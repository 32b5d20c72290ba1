//! One process run to its end: input fed, output read up to a cap, no child left behind.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use crate::git_error::redacted;

/// How much of standard error an error keeps, from its end, in bytes.
const STDERR_TAIL: usize = 4 * 1024;

/// What a git process printed.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    /// Whether `stdout` was cut at the call's limit.
    pub(crate) truncated: bool,
}

/// Runs `command`, which leads a process group of its own. Output past `limit` ends it; so does dropping the
/// future.
pub(crate) async fn run(mut command: Command, input: Vec<u8>, limit: usize) -> std::io::Result<Output> {
    command
        .stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut group = Group(command.spawn()?);
    let (stdin, stdout, stderr) = (group.0.stdin.take(), group.0.stdout.take(), group.0.stderr.take());

    let feed = async {
        if let Some(mut pipe) = stdin {
            match pipe.write_all(&input).await {
                // Git may end before it has read everything; its exit code says why.
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => return Err(error),
                _ => {}
            }
        }
        Ok(())
    };
    let read_out = async {
        match stdout {
            Some(pipe) => read_at_most(pipe, limit).await,
            None => Ok((Vec::new(), false)),
        }
    };
    let read_err = async {
        match stderr {
            Some(pipe) => read_tail(pipe).await,
            None => Ok(Vec::new()),
        }
    };
    let ((), (stdout, truncated), stderr) = tokio::try_join!(feed, read_out, read_err)?;
    if truncated {
        group.kill();
    }
    let status = group.0.wait().await?;
    let stderr = redacted(String::from_utf8_lossy(&stderr).trim());
    Ok(Output { code: status.code(), stdout, stderr, truncated })
}

/// The process and the helpers git started for it (ssh, index-pack, …), killed together when dropped early.
struct Group(Child);

impl Group {
    fn kill(&self) {
        // The id is there only until the process was waited for, so it cannot name a stranger.
        let leader = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(leader) = leader {
            // The one error possible here is that the group has just ended by itself.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads up to `limit` bytes; true when there was more, which is left unread.
async fn read_at_most(pipe: impl AsyncRead + Unpin, limit: usize) -> std::io::Result<(Vec<u8>, bool)> {
    let mut bytes = Vec::new();
    let mut pipe = pipe.take(limit as u64 + 1);
    pipe.read_to_end(&mut bytes).await?;
    let truncated = bytes.len() > limit;
    bytes.truncate(limit);
    Ok((bytes, truncated))
}

/// Reads to the end and keeps the last bytes.
async fn read_tail(mut pipe: impl AsyncRead + Unpin) -> std::io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    let mut chunk = [0; 2048];
    loop {
        let read = pipe.read(&mut chunk).await?;
        if read == 0 {
            return Ok(kept);
        }
        kept.extend_from_slice(&chunk[..read]);
        if kept.len() > STDERR_TAIL {
            kept.drain(..kept.len() - STDERR_TAIL);
        }
    }
}
