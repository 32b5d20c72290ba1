//! What crossed the wire between a task and its model, kept as lines that the Claude double plays: see
//! `hive_double::Recording` for their form.

mod file;
mod line;
mod read;

use std::{
    collections::HashSet,
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use hive_claude::Exchange;
use hive_domain::{TaskId, task::Task};

pub use read::{RecordedCall, Recording};

use crate::meter;

/// The label that a task is recorded by where not every task is: `record=true`.
const LABEL: (&str, &str) = ("record", "true");

/// Keeps the exchanges of tasks, each in a file of its own.
#[derive(Debug)]
pub struct Recorder {
    directory: PathBuf,
    only_labelled: bool,
    // Runs of many tasks write in parallel. A file that could not even be marked as incomplete is not written to again.
    stopped: Mutex<HashSet<TaskId>>,
}

impl Recorder {
    /// Writes to `directory`, which is made for nobody but this user if it is not there. With `only_labelled` nothing
    /// but tasks with the label `record=true`.
    ///
    /// # Errors
    /// When it is not there and cannot be made, or is no directory.
    pub fn new(directory: &Path, only_labelled: bool) -> io::Result<Self> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        probe(directory)?;
        Ok(Self { directory: directory.to_owned(), only_labelled, stopped: Mutex::default() })
    }

    /// Where a call of this task is to be kept; `None` when it is not recorded.
    pub(crate) fn begin(&self, task: &Task) -> Option<Exchange> {
        let (name, value) = LABEL;
        let wanted = !self.only_labelled || task.labels.get(name).is_some_and(|given| given == value);
        (wanted && !self.stopped().contains(&task.id)).then(Exchange::default)
    }

    /// Appends a call to the file of its task. What cannot be written stops the recording of the task, and not the task.
    pub(crate) async fn keep(&self, task: TaskId, exchange: Exchange) {
        let directory = self.directory.clone();
        let written = tokio::task::spawn_blocking(move || match line::of(&exchange) {
            Some(line) => file::append(&directory, task, &line?),
            None => Ok(file::Kept::Nothing),
        });
        let error = match written.await.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
            Ok(file::Kept::Nothing) => return,
            Ok(file::Kept::Whole) => return meter::recorded(true),
            Ok(file::Kept::BehindTorn) => {
                tracing::warn!("the last line of the recording of task {task} was cut, and is dropped");
                return meter::recorded(true);
            }
            Err(error) => error,
        };
        meter::recorded(false);
        self.stopped().insert(task);
        match file::mark_incomplete(&self.directory, task) {
            Ok(()) => tracing::warn!("task {task} is not recorded any further: {error}"),
            Err(mark) => tracing::error!(
                "task {task} is not recorded any further: {error}; its file cannot be marked as incomplete: {mark}"
            ),
        }
    }

    fn stopped(&self) -> std::sync::MutexGuard<'_, HashSet<TaskId>> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Demands that files can be made here.
fn probe(directory: &Path) -> io::Result<()> {
    let path = directory.join(format!(".probe-{}", std::process::id()));
    std::fs::File::create(&path)?;
    std::fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn a_directory_is_made_for_nobody_else_and_what_is_none_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let records = directory.path().join("deep/records");
        Recorder::new(&records, false).unwrap();
        assert_eq!(fs::metadata(&records).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(&records).unwrap().count(), 0, "nothing is left of the probe");
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        Recorder::new(&file, false).unwrap_err();
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_is_marked_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let recorder = Recorder::new(directory.path(), false).unwrap();
        let task = TaskId::new();
        // A directory in the place of the file: it cannot be opened.
        fs::create_dir(directory.path().join(format!("{task}.jsonl"))).unwrap();
        let answer = hive_claude::Answered { status: 200, headers: Vec::new(), body: Vec::new() };
        let exchange = Exchange { request: b"{}".to_vec(), answer: Some(answer) };
        recorder.keep(task, exchange).await;
        assert!(recorder.stopped().contains(&task));
        assert!(Recording::read(directory.path(), task).unwrap().unwrap().incomplete);
    }
}
