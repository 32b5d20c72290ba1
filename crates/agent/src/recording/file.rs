//! A recording as a file: whole lines, for its owner only, and a name that says so when something is missing.

use std::{
    fs::{File, OpenOptions, TryLockError, rename},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use hive_domain::TaskId;

/// How much is read at a time when the end of the last whole line is looked for.
const PIECE: u64 = 64 << 10;
/// How long another writer of the same file is waited for. A line is written in a few ms.
const LOCK_WITHIN: Duration = Duration::from_secs(2);

/// What became of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// It stands behind the lines before it.
    Whole,
    /// The same, and the line before it was half and is gone.
    BehindTorn,
    /// There was nothing to keep, or the file is incomplete already.
    Nothing,
}

/// The file of a task.
pub(super) fn path_of(directory: &Path, task: TaskId) -> PathBuf {
    directory.join(format!("{task}.jsonl"))
}

/// The same after a line could not be written. A name costs no room, so a full disk can be told.
pub(super) fn incomplete_path_of(directory: &Path, task: TaskId) -> PathBuf {
    directory.join(format!("{task}.incomplete.jsonl"))
}

/// Appends a line, in one write behind the last whole line. A worker that was killed may have left half of one.
pub(super) fn append(directory: &Path, task: TaskId, line: &[u8]) -> io::Result<Kept> {
    if incomplete_path_of(directory, task).try_exists()? {
        return Ok(Kept::Nothing);
    }
    let mut options = OpenOptions::new();
    let mut file = options.read(true).append(true).create(true).mode(0o600).open(path_of(directory, task))?;
    // A worker that was frozen may write its last call while another has taken over. Frozen with the lock in hand, it must
    // not hold up a run.
    let start = Instant::now();
    while let Err(error) = file.try_lock() {
        match error {
            TryLockError::Error(error) => return Err(error),
            TryLockError::WouldBlock if start.elapsed() > LOCK_WITHIN => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "another process holds the file"));
            }
            TryLockError::WouldBlock => std::thread::sleep(Duration::from_millis(10)),
        }
    }
    let length = file.metadata()?.len();
    let whole = end_of_last_line(&mut file, length)?;
    if whole < length {
        file.set_len(whole)?;
    }
    if let Err(error) = file.write_all(line) {
        // Best effort: what reads the file drops half a line at its end as well.
        let _ = file.set_len(whole);
        return Err(error);
    }
    Ok(if whole < length { Kept::BehindTorn } else { Kept::Whole })
}

/// Says by its name that the file does not hold everything.
pub(super) fn mark_incomplete(directory: &Path, task: TaskId) -> io::Result<()> {
    let (path, marked) = (path_of(directory, task), incomplete_path_of(directory, task));
    match rename(path, &marked) {
        // Not even the file could be made: an empty one says the same.
        Err(error) if error.kind() == io::ErrorKind::NotFound => File::create_new(marked).map(|_| ()),
        outcome => outcome,
    }
}

fn end_of_last_line(file: &mut File, length: u64) -> io::Result<u64> {
    let mut end = length;
    while end > 0 {
        let begin = end.saturating_sub(PIECE);
        let mut piece = Vec::new();
        file.seek(SeekFrom::Start(begin))?;
        Read::by_ref(file).take(end - begin).read_to_end(&mut piece)?;
        if let Some(place) = piece.iter().rposition(|byte| *byte == b'\n') {
            return Ok(begin + place as u64 + 1);
        }
        end = begin;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn lines_stand_one_behind_the_other_for_nobody_else() {
        let directory = tempfile::tempdir().unwrap();
        let (directory, task) = (directory.path(), TaskId::new());
        for line in [b"one\n", b"two\n"] {
            assert_eq!(append(directory, task, line).unwrap(), Kept::Whole);
        }
        let path = path_of(directory, task);
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn half_a_line_is_dropped_before_the_next_one() {
        let directory = tempfile::tempdir().unwrap();
        let (directory, task) = (directory.path(), TaskId::new());
        let path = path_of(directory, task);
        for torn in [5, usize::try_from(PIECE).unwrap() * 2 + 7] {
            for (before, after) in [("", "next\n"), ("whole\n", "whole\nnext\n")] {
                fs::write(&path, format!("{before}{}", "x".repeat(torn))).unwrap();
                assert_eq!(append(directory, task, b"next\n").unwrap(), Kept::BehindTorn);
                assert_eq!(fs::read_to_string(&path).unwrap(), after);
            }
        }
    }

    #[test]
    fn who_keeps_the_file_locked_holds_up_nobody_for_long() {
        let directory = tempfile::tempdir().unwrap();
        let (directory, task) = (directory.path(), TaskId::new());
        append(directory, task, b"one\n").unwrap();
        let frozen = File::open(path_of(directory, task)).unwrap();
        frozen.lock().unwrap();
        assert_eq!(append(directory, task, b"two\n").unwrap_err().kind(), io::ErrorKind::TimedOut);
        frozen.unlock().unwrap();
        assert_eq!(append(directory, task, b"three\n").unwrap(), Kept::Whole);
    }

    #[test]
    fn a_full_disk_stops_the_recording_and_the_name_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let (directory, task) = (directory.path(), TaskId::new());
        std::os::unix::fs::symlink("/dev/full", path_of(directory, task)).unwrap();
        let error = append(directory, task, b"line\n").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        mark_incomplete(directory, task).unwrap();
        assert_eq!(append(directory, task, b"line\n").unwrap(), Kept::Nothing);
        assert!(!path_of(directory, task).exists());
        assert!(incomplete_path_of(directory, task).exists());
    }
}
