//! The ledger: one entry for every answer that would have been paid for.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Calls that are kept in memory at most; the file keeps all.
const MOST_CALLS: usize = 200_000;
/// Unmatched requests that are kept at most.
const MOST_UNMATCHED: usize = 1_000;

/// Tokens of one call, in the fields that prices are set on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt that were neither read from nor written to the cache.
    pub input_tokens: u64,
    /// Tokens of the answer.
    pub output_tokens: u64,
    /// Tokens of the prompt that were read from the cache.
    pub cache_read_input_tokens: u64,
    /// Tokens of the prompt that were written to the cache, for five minutes or an hour.
    pub cache_creation_input_tokens: u64,
    /// Those of them that were written for an hour.
    pub cache_creation_1h_input_tokens: u64,
}

/// One charged call: an answer 200 whose first content was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Number of the call in the ledger, from 1.
    pub seq: u64,
    /// When its first content was sent.
    pub at: DateTime<Utc>,
    /// Id that the answer carried.
    pub request_id: String,
    /// Model that was asked for.
    pub model: String,
    /// `metadata.user_id` of the request.
    pub user_id: Option<String>,
    /// Assistant messages in the request.
    pub turn: usize,
    /// Why the answer ended; `None` for one that was cut.
    pub stop_reason: Option<String>,
    /// Tokens; the output of a cut answer counts what was sent.
    pub usage: Usage,
    /// Asked for as a stream.
    pub stream: bool,
    /// The answer did not reach its end (yet).
    pub cut: bool,
    /// A fault that was scripted or drawn breaks this answer: whoever asked did not end it.
    #[serde(default)]
    pub broken: bool,
    /// Batch that the call was made in.
    #[serde(default)]
    pub batch: Option<String>,
    /// What it costs, in percent of the price of a call outside of batches.
    #[serde(default = "whole_price")]
    pub price_percent: u64,
    /// Rule of the script that answered, or `default part`.
    pub rule: String,
    /// SHA-256 of the request body, in hex: equal for a repeated call.
    pub request_sha256: String,
}

impl Call {
    /// A call in a batch costs half.
    pub const BATCH_PERCENT: u64 = 50;
    /// A call outside of batches.
    pub const WHOLE_PERCENT: u64 = 100;
}

fn whole_price() -> u64 {
    Call::WHOLE_PERCENT
}

/// A valid request that no rule of the script matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmatched {
    /// When it arrived.
    pub at: DateTime<Utc>,
    /// Id that the refusal carried.
    pub request_id: String,
    /// `metadata.user_id` of the request.
    pub user_id: Option<String>,
    /// Turn, last tool and last text.
    pub summary: String,
    /// SHA-256 of the request body, in hex.
    pub request_sha256: String,
}

/// The ledger file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file cannot be opened, read or written.
    #[error("the ledger file {path} cannot be used: {source}; name a file that this user can write")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A line of the file is not a call.
    #[error("line {line} of the ledger file {path} is not a call: {source}; mend or move the file")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
}

#[derive(Debug)]
pub(crate) struct Ledger {
    // Handlers and streams write in parallel; the file is written under the same lock, so that its lines
    // stay whole.
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    calls: VecDeque<Call>,
    unmatched: VecDeque<Unmatched>,
    seq: u64,
    /// Number of the last call before the ledger was reset.
    forgotten: u64,
    dropped: u64,
    file: Option<File>,
    write_errors: u64,
}

/// Everything the ledger knows.
#[derive(Debug, Serialize)]
pub(crate) struct LedgerView {
    calls: Vec<Call>,
    unmatched: Vec<Unmatched>,
    /// Calls that memory no longer holds.
    dropped: u64,
    /// Lines that could not be written to the file.
    write_errors: u64,
}

impl Ledger {
    /// A ledger that continues the one in `file`, if one is given.
    pub(crate) fn open(file: Option<&Path>) -> Result<Self, LedgerError> {
        let mut book = Book::default();
        if let Some(path) = file {
            let failed = |source| LedgerError::File { path: path.to_owned(), source };
            let mut options = OpenOptions::new();
            let file = options.create(true).append(true).read(true).open(path).map_err(failed)?;
            for (index, line) in BufReader::new(&file).lines().enumerate() {
                let line = line.map_err(failed)?;
                if line.is_empty() {
                    continue;
                }
                let call: Call = serde_json::from_str(&line).map_err(|source| LedgerError::Line {
                    path: path.to_owned(),
                    line: index + 1,
                    source,
                })?;
                book.seq = book.seq.max(call.seq);
                book.push(call);
            }
            book.calls.make_contiguous().sort_by_key(|call| call.seq);
            book.file = Some(file);
        }
        Ok(Self { book: Mutex::new(book) })
    }

    /// Enters a call whose first content is on its way, as cut until [`Ledger::close`]; its number.
    pub(crate) fn enter(&self, mut call: Call) -> u64 {
        let mut book = self.lock();
        book.seq += 1;
        call.seq = book.seq;
        call.cut = true;
        book.push(call);
        book.seq
    }

    /// Writes down how a call ended.
    pub(crate) fn close(&self, ended: Call) {
        let mut book = self.lock();
        if ended.seq <= book.forgotten {
            return;
        }
        let place = book.calls.binary_search_by_key(&ended.seq, |call| call.seq);
        book.write(&ended);
        if let Ok(place) = place {
            book.calls[place] = ended;
        }
    }

    pub(crate) fn unmatched(&self, request: Unmatched) {
        let mut book = self.lock();
        if book.unmatched.len() == MOST_UNMATCHED {
            book.unmatched.pop_front();
        }
        book.unmatched.push_back(request);
    }

    pub(crate) fn view(&self, user_id: Option<&str>) -> LedgerView {
        let book = self.lock();
        let asked = |owner: Option<&str>| user_id.is_none() || owner == user_id;
        LedgerView {
            calls: book.calls.iter().filter(|call| asked(call.user_id.as_deref())).cloned().collect(),
            unmatched: book.unmatched.iter().filter(|one| asked(one.user_id.as_deref())).cloned().collect(),
            dropped: book.dropped,
            write_errors: book.write_errors,
        }
    }

    /// Empties memory and file. Numbers go on, so that a call that is still open cannot take another's place.
    pub(crate) fn reset(&self) -> std::io::Result<()> {
        let mut book = self.lock();
        book.forgotten = book.seq;
        book.calls.clear();
        book.unmatched.clear();
        book.dropped = 0;
        book.write_errors = 0;
        book.file.as_ref().map_or(Ok(()), |file| file.set_len(0))
    }

    /// Charged calls and unmatched requests in memory.
    pub(crate) fn counts(&self) -> (u64, usize) {
        let book = self.lock();
        (book.calls.len() as u64 + book.dropped, book.unmatched.len())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LedgerView {
    pub(crate) fn into_parts(self) -> (Vec<Call>, Vec<Unmatched>) {
        (self.calls, self.unmatched)
    }
}

impl Book {
    fn push(&mut self, call: Call) {
        if self.calls.len() == MOST_CALLS {
            self.calls.pop_front();
            self.dropped += 1;
        }
        self.calls.push_back(call);
    }

    fn write(&mut self, call: &Call) {
        let Some(file) = &mut self.file else { return };
        let written = serde_json::to_vec(call).map_err(std::io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            file.write_all(&line)
        });
        if let Err(error) = written {
            self.write_errors += 1;
            tracing::error!(%error, call.seq, "A call is missing from the ledger file");
        }
    }
}
