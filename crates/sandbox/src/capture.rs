//! Reading a stream to its end while keeping only its head and its tail.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::sync::CancellationToken;

use crate::output::Captured;

/// Bytes read at a time; the size of a pipe's buffer.
const CHUNK: usize = 64 << 10;

/// Counts what both streams carry and says when it is too much.
#[derive(Debug)]
pub(crate) struct Flood {
    seen: AtomicU64,
    limit: u64,
    pub too_much: CancellationToken,
}

impl Flood {
    pub(crate) fn new(limit: u64) -> Self {
        Self { seen: AtomicU64::new(0), limit, too_much: CancellationToken::new() }
    }

    fn add(&self, bytes: usize) {
        let seen = self.seen.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        if seen > self.limit {
            self.too_much.cancel();
        }
    }
}

/// What is kept of one stream so far.
#[derive(Debug)]
pub(crate) struct Capture {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    head_max: usize,
    tail_max: usize,
    total: u64,
}

impl Capture {
    pub(crate) fn new(max_bytes: usize) -> Self {
        let head_max = max_bytes.div_ceil(2);
        Self { head: Vec::new(), tail: VecDeque::new(), head_max, tail_max: max_bytes - head_max, total: 0 }
    }

    /// Reads to the end of the stream. Cancel-safe: what was read is kept.
    pub(crate) async fn drain(
        &mut self,
        mut stream: impl AsyncRead + Unpin,
        flood: &Flood,
    ) -> io::Result<()> {
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = stream.read(&mut chunk).await?;
            if read == 0 {
                return Ok(());
            }
            self.push(&chunk[..read]);
            flood.add(read);
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let into_head = bytes.len().min(self.head_max - self.head.len());
        let (head, rest) = bytes.split_at(into_head);
        self.head.extend_from_slice(head);
        let rest = &rest[rest.len().saturating_sub(self.tail_max)..];
        let surplus = (self.tail.len() + rest.len()).saturating_sub(self.tail_max);
        self.tail.drain(..surplus);
        self.tail.extend(rest);
    }

    pub(crate) fn finish(mut self) -> Captured {
        let head = self.head.len();
        self.head.extend(self.tail);
        Captured {
            head,
            truncated: self.total > self.head.len() as u64,
            total_bytes: self.total,
            bytes: self.head,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_keeps_its_head_and_its_tail() {
        let mut capture = Capture::new(6);
        for piece in ["ab", "cdef", "", "gh", "ijklmnop"] {
            capture.push(piece.as_bytes());
        }
        let captured = capture.finish();
        assert_eq!(captured.bytes, b"abcnop");
        assert_eq!((captured.head, captured.total_bytes, captured.truncated), (3, 16, true));
        assert_eq!(captured.text(), "abc\n[10 bytes left out]\nnop");
    }

    #[test]
    fn a_stream_that_fits_is_whole() {
        let mut capture = Capture::new(6);
        capture.push(b"abcd");
        capture.push(b"ef");
        let captured = capture.finish();
        assert_eq!(captured.text(), "abcdef");
        assert!(!captured.truncated);
    }
}
