//! The launcher's end of the socket to the worker.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::kernel;
use crate::output::Limit;
use crate::wire::{Answer, LONGEST_LINE, Order, Request};

/// How long a worker may take to send its order.
const ORDER_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Control {
    stream: UnixStream,
    unread: Vec<u8>,
}

impl Control {
    /// Takes over stdin, which is the socket, and leaves `/dev/null` in its place.
    pub(super) fn from_stdin() -> io::Result<Self> {
        let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        kernel::replace_stdin_by_null()?;
        Ok(Self { stream, unread: Vec::new() })
    }

    /// The order. An error when the worker is gone or sends something else.
    pub(super) fn order(&mut self) -> io::Result<Order> {
        self.stream.set_read_timeout(Some(ORDER_TIMEOUT))?;
        loop {
            if let Some(line) = self.line() {
                self.stream.set_nonblocking(true)?;
                return Ok(serde_json::from_slice(&line)?);
            }
            if self.receive()? == 0 || self.unread.len() as u64 > LONGEST_LINE {
                return Err(io::Error::other("no order came on stdin"));
            }
        }
    }

    /// True when a word of the worker came together with the one before it: the socket says nothing of it.
    pub(super) fn holds_word(&self) -> bool {
        self.unread.contains(&b'\n')
    }

    /// Call when the socket is readable or a word is held: whether the run has to end, and as what. A worker that is gone
    /// has nobody left to read the result.
    pub(super) fn end_requested(&mut self) -> Option<Limit> {
        match self.receive() {
            Ok(1..) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Ok(0) | Err(_) => return Some(Limit::Cancelled),
        }
        let line = self.line()?;
        match serde_json::from_slice(&line) {
            Ok(Request::End(limit)) => Some(limit),
            Err(_) => Some(Limit::Cancelled),
        }
    }

    /// Tells the worker. One that is gone does not need to know.
    pub(super) fn say(&mut self, answer: &Answer) {
        let Ok(mut line) = serde_json::to_vec(answer) else {
            return;
        };
        line.push(b'\n');
        self.stream.set_nonblocking(false).and_then(|()| self.stream.write_all(&line)).ok();
        self.stream.set_nonblocking(true).ok();
    }

    fn receive(&mut self) -> io::Result<usize> {
        let mut chunk = [0; 4_096];
        let read = self.stream.read(&mut chunk)?;
        self.unread.extend_from_slice(&chunk[..read]);
        Ok(read)
    }

    fn line(&mut self) -> Option<Vec<u8>> {
        let end = self.unread.iter().position(|byte| *byte == b'\n')?;
        let rest = self.unread.split_off(end + 1);
        Some(std::mem::replace(&mut self.unread, rest))
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
