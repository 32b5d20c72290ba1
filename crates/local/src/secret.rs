//! Secrets in files that only their owner may read.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use rand::{TryRngCore, rngs::OsRng};

use crate::error::{Error, io_error};

/// Returns the secret in `path`, or creates the file with a new one: 256 random bits in hex, mode 0600.
///
/// # Errors
/// When the file cannot be written or read, or is empty.
pub fn random_secret_file(path: &Path) -> Result<String, Error> {
    match fs::read_to_string(path) {
        Ok(secret) if !secret.trim().is_empty() => return Ok(secret.trim().to_owned()),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(io_error("read", path)(error)),
    }
    let secret = random_hex(32)?;
    write_secret_file(path, &secret)?;
    Ok(secret)
}

/// Writes a file with mode 0600, whole or not at all; an existing one is replaced.
///
/// # Errors
/// When the directory does not exist or cannot be written.
pub fn write_secret_file(path: &Path, content: &str) -> Result<(), Error> {
    let fresh = path.with_added_extension(random_hex(8)?);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&fresh)
        .and_then(|mut file| file.write_all(content.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&fresh, path));
    written.map_err(|error| {
        // Best effort: the error that is returned matters more than a leftover of our own name.
        drop(fs::remove_file(&fresh));
        io_error("write", path)(error)
    })
}

/// `bytes` random bytes from the operating system, in hex.
pub(crate) fn random_hex(bytes: usize) -> Result<String, Error> {
    let mut raw = vec![0; bytes];
    OsRng.try_fill_bytes(&mut raw).map_err(|error| Error::Failed {
        what: "asking the operating system for random bytes".into(),
        reason: error.to_string(),
    })?;
    Ok(hex::encode(raw))
}
