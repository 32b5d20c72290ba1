//! One conversation with one launcher.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::Path;
use std::pin::pin;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::capture::{Capture, Flood};
use crate::error::Error;
use crate::output::{Captured, Limit};
use crate::wire::{Answer, LONGEST_LINE, Order, Request};

/// What the launcher may take beyond the wall limit to prepare a run, end it and clean up after it.
const GRACE: Duration = Duration::from_secs(60);

/// What closing the streams and the end of the launcher may take after its last word.
const GOODBYE: Duration = Duration::from_secs(5);

pub(super) struct Finished {
    pub answer: Answer,
    pub stdout: Captured,
    pub stderr: Captured,
}

/// Starts a launcher and sees its order through. Dropping the future closes the socket, and the launcher
/// takes that as the order to end the run.
pub(super) async fn drive(
    launcher: &Path,
    order: &Order,
    cancel: &CancellationToken,
) -> Result<Finished, Error> {
    let line = serde_json::to_vec(order).map_err(|error| Error::BadJob(error.to_string()))?;
    if line.len() as u64 >= LONGEST_LINE {
        return Err(Error::BadJob(format!("the command has more than {LONGEST_LINE} bytes")));
    }
    let (mut child, control) =
        spawn(launcher).map_err(|source| Error::Spawn { launcher: launcher.to_owned(), source })?;
    let flood = Flood::new(order.limits.output_flood);
    let mut stdout = Capture::new(order.limits.output_bytes);
    let mut stderr = Capture::new(order.limits.output_bytes);
    let answer = {
        let (out, err) = child
            .stdout
            .take()
            .zip(child.stderr.take())
            .ok_or_else(|| Error::Lost("the launcher was started without pipes".to_owned()))?;
        let mut streams = pin!(async { tokio::join!(stdout.drain(out, &flood), stderr.drain(err, &flood)) });
        let mut talk = pin!(converse(control, line, order.limits.wall, cancel, &flood.too_much));
        let mut drained = false;
        let answer = loop {
            tokio::select! {
                answer = &mut talk => break answer,
                ends = &mut streams, if !drained => {
                    drained = true;
                    report_lost_output(ends);
                }
            }
        };
        // Everything that could write is dead; what is left in the pipes is read in no time.
        if !drained {
            match timeout(GOODBYE, streams).await {
                Ok(ends) => report_lost_output(ends),
                Err(_) => tracing::warn!("A stream of a finished run stayed open; its rest is lost"),
            }
        }
        answer
    };
    let answer = farewell(&mut child, answer).await?;
    Ok(Finished { answer, stdout: stdout.finish(), stderr: stderr.finish() })
}

fn report_lost_output((out, err): (std::io::Result<()>, std::io::Result<()>)) {
    for error in [out, err].into_iter().filter_map(Result::err) {
        tracing::warn!(%error, "Output of a run could not be read to its end");
    }
}

fn spawn(launcher: &Path) -> std::io::Result<(Child, UnixStream)> {
    let (ours, theirs) = StdUnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let child = Command::new(launcher)
        .arg("supervise")
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C in a terminal is for the worker, which ends its runs in order.
        .process_group(0)
        .spawn()?;
    Ok((child, UnixStream::from_std(ours)?))
}

/// Sends the order and waits for the last word. `None` when the launcher left without one.
async fn converse(
    control: UnixStream,
    mut order: Vec<u8>,
    wall: Duration,
    cancel: &CancellationToken,
    flooded: &CancellationToken,
) -> Result<Option<Answer>, Error> {
    let lost = |error: std::io::Error| Error::Lost(error.to_string());
    // A run may wait as long as it may last for another one in the same workspace.
    let deadline = Instant::now() + wall * 2 + GRACE;
    let (read, mut write) = control.into_split();
    order.push(b'\n');
    timeout(GRACE, write.write_all(&order))
        .await
        .map_err(|_| Error::Lost("it does not read its order".to_owned()))?
        .map_err(lost)?;
    let mut lines = BufReader::new(read).lines();
    let mut asked = false;
    loop {
        let request = tokio::select! {
            line = lines.next_line() => {
                let Some(line) = line.map_err(lost)? else { return Ok(None) };
                let answer = serde_json::from_str(&line).map_err(|error| Error::Lost(error.to_string()))?;
                return Ok(Some(answer));
            }
            () = cancel.cancelled(), if !asked => Limit::Cancelled,
            () = flooded.cancelled(), if !asked => Limit::OutputFlood,
            () = sleep_until(deadline) => return Err(Error::Lost("it did not end in time".to_owned())),
        };
        asked = true;
        let mut line =
            serde_json::to_vec(&Request::End(request)).map_err(|error| Error::Lost(error.to_string()))?;
        line.push(b'\n');
        // A launcher that has just ended has said its last word already.
        if let Err(error) = write.write_all(&line).await {
            tracing::debug!(%error, "The launcher was gone before it could be asked to end");
        }
    }
}

/// Waits for the end of the launcher, which gives its uid free.
async fn farewell(child: &mut Child, answer: Result<Option<Answer>, Error>) -> Result<Answer, Error> {
    if answer.is_err() {
        // Its death takes the command with it; the next run under this uid ends what is left.
        child.start_kill().map_err(|error| Error::Lost(error.to_string()))?;
    }
    let status = match timeout(GOODBYE, child.wait()).await {
        Ok(status) => status.map_err(|error| Error::Lost(error.to_string()))?.to_string(),
        Err(_) => "it is still running".to_owned(),
    };
    answer?.ok_or(Error::Lost(status))
}
