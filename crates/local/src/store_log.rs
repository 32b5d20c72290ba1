//! The log file of a store.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use crate::error::{Error, io_error};

/// A log that has grown past this is begun anew at the next start.
const LARGEST: u64 = 8 << 20;

/// How much of the end is looked at for an error message.
const TAIL: u64 = 4096;

/// Opens a log for appending; only we may read it, since Postgres writes failed statements there.
pub(crate) fn open(path: &Path) -> Result<File, Error> {
    let full = fs::metadata(path).is_ok_and(|meta| meta.len() > LARGEST);
    let log = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    let log = log.map_err(io_error("open", path))?;
    if full {
        log.set_len(0).map_err(io_error("shorten", path))?;
    }
    Ok(log)
}

/// The last lines of a log, or nothing when it cannot be read.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    let mut text = Vec::new();
    let read = File::open(path).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        file.take(TAIL).read_to_end(&mut text)
    });
    if read.is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&text);
    let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
