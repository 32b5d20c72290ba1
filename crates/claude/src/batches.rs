//! Batches: one attempt at each of their calls.

use std::collections::VecDeque;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{RequestBuilder, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::body::Body;
use crate::client::{Claude, garbage};
use crate::error::Error;
use crate::head::Head;
use crate::wire::batch::{Batch, BatchOutcome, BatchPage, BatchRequest, BatchResult};

/// The longest line of the results: a reply is far shorter.
const MAX_LINE_BYTES: usize = 16 * 1024 * 1024;

impl Claude {
    /// Creates a batch. An error that is not a refusal may come although the batch was created: look for it in
    /// [`Claude::batches`] before it is sent again.
    ///
    /// # Errors
    /// As for [`Claude::create`].
    pub async fn create_batch(&self, requests: &[BatchRequest<'_>]) -> Result<Batch, Error> {
        #[derive(Serialize)]
        struct Form<'a> {
            requests: &'a [BatchRequest<'a>],
        }
        let body = serde_json::to_vec(&Form { requests }).map_err(Error::Request)?;
        let call = self.http.post(self.batches_url(&[])).header(CONTENT_TYPE, "application/json").body(body);
        self.document(call, "batch").await
    }

    /// A batch as it is now.
    ///
    /// # Errors
    /// As for [`Claude::create`].
    pub async fn batch(&self, id: &str) -> Result<Batch, Error> {
        self.document(self.http.get(self.batches_url(&[id])), "batch").await
    }

    /// Batches, the newest first, behind `after`.
    ///
    /// # Errors
    /// As for [`Claude::create`].
    pub async fn batches(&self, limit: u16, after: Option<&str>) -> Result<BatchPage, Error> {
        let mut call = self.http.get(self.batches_url(&[])).query(&[("limit", limit)]);
        if let Some(id) = after {
            call = call.query(&[("after_id", id)]);
        }
        self.document(call, "list of batches").await
    }

    /// Cancels a batch; it ends when what is being worked on is done.
    ///
    /// # Errors
    /// As for [`Claude::create`].
    pub async fn cancel_batch(&self, id: &str) -> Result<Batch, Error> {
        self.document(self.http.post(self.batches_url(&[id, "cancel"])), "batch").await
    }

    /// The results of a batch that has ended, in any order. They are read from below the base URL, whatever address the
    /// batch names: the key goes to no other host.
    ///
    /// # Errors
    /// As for [`Claude::create`].
    pub async fn batch_results(&self, id: &str) -> Result<BatchResults, Error> {
        let deadline = Instant::now() + self.total_timeout;
        let call = self.http.get(self.batches_url(&[id, "results"])).header(ACCEPT, "application/x-jsonl");
        let response = self.send(call, deadline, None).await?;
        let head = Head::of(&response);
        let body = Body::new(response, self.idle_timeout, deadline);
        Ok(BatchResults { body, head, lines: Lines::new(MAX_LINE_BYTES), ended: false })
    }

    fn batches_url(&self, below: &[&str]) -> Url {
        let mut url = self.messages.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.push("batches").extend(below);
        }
        url
    }

    async fn document<T: DeserializeOwned>(&self, call: RequestBuilder, what: &str) -> Result<T, Error> {
        let deadline = Instant::now() + self.total_timeout;
        let response = self.send(call, deadline, None).await?;
        let document = Body::new(response, self.idle_timeout, deadline).document().await?;
        serde_json::from_slice(&document).map_err(|error| garbage(format!("{what}: {error}")))
    }
}

/// The results of a batch, line by line as they come.
pub struct BatchResults {
    body: Body<'static>,
    head: Head,
    lines: Lines,
    ended: bool,
}

impl BatchResults {
    /// The next result; `None` behind the last.
    ///
    /// # Errors
    /// As for [`Claude::create`]; [`Error::Protocol`] for a line that is too long. One that is no result is a result without
    /// an id, [`BatchOutcome::Unreadable`]: there may be good ones behind it.
    pub async fn next(&mut self) -> Result<Option<BatchResult>, Error> {
        loop {
            if let Some(line) = self.lines.pop(self.ended) {
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                let unread = |error| {
                    let outcome = BatchOutcome::Unreadable(format!("a line of the results: {error}"));
                    BatchResult { custom_id: String::new(), outcome }
                };
                return Ok(Some(BatchResult::read(&line, &self.head).unwrap_or_else(unread)));
            }
            if self.ended {
                return Ok(None);
            }
            match self.body.next(None).await? {
                Some(bytes) => {
                    self.body.alive();
                    self.lines.push(&bytes).map_err(|TooLong(most)| {
                        garbage(format!("a line of the results has more than {most} bytes"))
                    })?;
                }
                None => self.ended = true,
            }
        }
    }
}

/// Cuts bytes into lines, wherever the pieces they come in begin and end.
struct Lines {
    whole: VecDeque<Vec<u8>>,
    open: Vec<u8>,
    most: usize,
}

/// A line has more bytes than this.
#[derive(Debug)]
struct TooLong(usize);

impl Lines {
    const fn new(most: usize) -> Self {
        Self { whole: VecDeque::new(), open: Vec::new(), most }
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        let mut pieces = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            if self.open.len() + piece.len() > self.most {
                return Err(TooLong(self.most));
            }
            self.open.extend_from_slice(piece);
            if pieces.peek().is_some() {
                self.whole.push_back(std::mem::take(&mut self.open));
            }
        }
        Ok(())
    }

    /// The next line; `last`: what is open is one, too.
    fn pop(&mut self, last: bool) -> Option<Vec<u8>> {
        let line = self.whole.pop_front();
        line.or_else(|| (last && !self.open.is_empty()).then(|| std::mem::take(&mut self.open)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &[u8], size: usize) -> Result<Vec<String>, TooLong> {
        let (mut lines, mut found) = (Lines::new(6), Vec::new());
        for piece in text.chunks(size) {
            lines.push(piece)?;
            while let Some(line) = lines.pop(false) {
                found.push(String::from_utf8(line).expect("the test's lines are text"));
            }
        }
        found.extend(lines.pop(true).map(|line| String::from_utf8(line).expect("so is the last one")));
        Ok(found)
    }

    #[test]
    fn lines_are_the_same_however_they_are_cut() {
        for size in 1..12 {
            assert_eq!(cut(b"one\ntwo\n\nlonger", size).unwrap(), ["one", "two", "", "longer"], "{size}");
            assert_eq!(cut(b"one\n", size).unwrap(), ["one"], "{size}");
            assert!(cut(b"one\nlonger2\n", size).is_err(), "{size}");
        }
    }
}
