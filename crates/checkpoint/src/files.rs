//! Files of a checkpoint: readable by their owner alone, on the disk before anything says so, and never held in memory
//! as a whole.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter};

use crate::{Error, Result, manifest::Listed};

/// What is read or written at once, in bytes.
const PART: usize = 256 * 1024;

/// What a file holds.
pub(crate) struct Sum {
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
    pub(crate) sha256: String,
}

impl Sum {
    pub(crate) fn listed(self, path: String) -> Listed {
        Listed { path, bytes: self.bytes, sha256: self.sha256 }
    }
}

/// Counts what passes by.
#[derive(Default)]
pub(crate) struct Counter {
    bytes: u64,
    lines: u64,
    digest: Sha256,
}

impl Counter {
    pub(crate) fn add(&mut self, part: &[u8]) {
        self.bytes += part.len() as u64;
        // In the text format of COPY a line break in a value is written as two characters.
        self.lines += part.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.digest.update(part);
    }

    pub(crate) fn sum(self) -> Sum {
        Sum { bytes: self.bytes, lines: self.lines, sha256: hex::encode(self.digest.finalize()) }
    }
}

/// A new file that is being written.
pub(crate) struct Writer {
    file: BufWriter<tokio::fs::File>,
    counter: Counter,
}

impl Writer {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = tokio::fs::File::from_std(file.map_err(Error::io("create", path))?);
        Ok(Self { file: BufWriter::with_capacity(PART, file), counter: Counter::default() })
    }

    pub(crate) async fn write(&mut self, part: &[u8]) -> std::io::Result<()> {
        self.counter.add(part);
        self.file.write_all(part).await
    }

    /// Waits until it is on the disk.
    pub(crate) async fn finish(mut self) -> std::io::Result<Sum> {
        self.file.flush().await?;
        self.file.get_ref().sync_all().await?;
        Ok(self.counter.sum())
    }
}

/// Reads a file part by part.
pub(crate) struct Reader {
    file: tokio::fs::File,
    counter: Counter,
    buffer: Vec<u8>,
}

impl Reader {
    pub(crate) async fn open(path: &Path) -> std::io::Result<Self> {
        let file = tokio::fs::File::open(path).await?;
        Ok(Self { file, counter: Counter::default(), buffer: vec![0; PART] })
    }

    /// The next part; none at the end.
    pub(crate) async fn part(&mut self) -> std::io::Result<Option<&[u8]>> {
        let read = self.file.read(&mut self.buffer).await?;
        let part = self.buffer.get(..read).unwrap_or_default();
        self.counter.add(part);
        Ok(Some(part).filter(|part| !part.is_empty()))
    }

    pub(crate) fn sum(self) -> Sum {
        self.counter.sum()
    }
}

/// What a file that others wrote holds; it is its owner's alone afterwards, and on the disk.
pub(crate) async fn take_over(path: &Path) -> std::io::Result<Sum> {
    fs::set_permissions(path, PermissionsExt::from_mode(0o600))?;
    tokio::fs::File::open(path).await?.sync_all().await?;
    sum(path).await
}

pub(crate) async fn sum(path: &Path) -> std::io::Result<Sum> {
    let mut reader = Reader::open(path).await?;
    while reader.part().await?.is_some() {}
    Ok(reader.sum())
}

/// A directory for its owner alone.
pub(crate) fn private_directory(path: &Path) -> Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(Error::io("create", path))
}

/// Waits until what a directory lists is on the disk.
pub(crate) fn sync_directory(path: &Path) -> Result<()> {
    fs::File::open(path).and_then(|directory| directory.sync_all()).map_err(Error::io("sync", path))
}
