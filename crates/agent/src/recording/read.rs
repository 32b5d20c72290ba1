//! Reading recordings back, as they lie in the directories of workers.

use std::{collections::BTreeMap, io, path::Path};

use hive_domain::TaskId;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::file;

/// What a directory holds of a task.
#[derive(Debug, Default)]
pub struct Recording {
    /// The calls, in the order they ended.
    pub calls: Vec<RecordedCall>,
    /// Its last line was cut when a worker was killed, and is left out.
    pub torn: bool,
    /// A line could not be written, and none after it was.
    pub incomplete: bool,
}

/// One call of a recording.
#[derive(Clone, Debug)]
pub struct RecordedCall {
    /// The line without its end.
    pub line: String,
    /// The SHA-256 of the request's bytes, in hex, as the journal has it.
    pub request_sha256: String,
    /// The provider's id of the call.
    pub request_id: Option<String>,
    /// The answer's HTTP status.
    pub status: u16,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    request: &'a RawValue,
    status: u16,
    headers: BTreeMap<String, String>,
}

impl Recording {
    /// Reads what `directory` holds of a task; `None` when that is nothing.
    ///
    /// # Errors
    /// When a file cannot be read, or a line that is not the last one is no call.
    pub fn read(directory: &Path, task: TaskId) -> io::Result<Option<Self>> {
        let (whole, incomplete) =
            (file::path_of(directory, task), file::incomplete_path_of(directory, task));
        let mut found: Option<Self> = None;
        for (path, incomplete) in [(whole, false), (incomplete, true)] {
            let text = match std::fs::read(&path) {
                Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    return Err(io::Error::new(error.kind(), format!("{}: {error}", path.display())));
                }
            };
            let recording = found.get_or_insert_default();
            recording.incomplete |= incomplete;
            recording
                .add(&text)
                .map_err(|(line, error)| io::Error::other(format!("{}: line {line}: {error}", path.display())))?;
        }
        Ok(found)
    }

    fn add(&mut self, text: &str) -> Result<(), (usize, serde_json::Error)> {
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        for (index, line) in lines.into_iter().enumerate() {
            let Some(line) = line.strip_suffix('\n') else {
                self.torn = true;
                return Ok(());
            };
            if !line.trim().is_empty() {
                self.calls.push(RecordedCall::parse(line).map_err(|error| (index + 1, error))?);
            }
        }
        Ok(())
    }
}

impl RecordedCall {
    fn parse(line: &str) -> serde_json::Result<Self> {
        let read: Line<'_> = serde_json::from_str(line)?;
        let digest = Sha256::digest(read.request.get().as_bytes());
        Ok(Self {
            line: line.to_owned(),
            request_sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            request_id: read.headers.get("request-id").cloned(),
            status: read.status,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"request":{"a": 1},"status":200,"headers":{"request-id":"req_1"},"body":"x"}"#;

    #[test]
    fn half_a_line_at_the_end_is_left_out_and_told() {
        let (directory, task) = (tempfile::tempdir().unwrap(), TaskId::new());
        let directory = directory.path();
        assert!(Recording::read(directory, task).unwrap().is_none());
        std::fs::write(file::path_of(directory, task), format!("{LINE}\n{}", &LINE[..40])).unwrap();
        let read = Recording::read(directory, task).unwrap().unwrap();
        assert!(read.torn && !read.incomplete);
        let [call] = read.calls.as_slice() else { panic!("{read:?}") };
        assert_eq!((call.line.as_str(), call.request_id.as_deref()), (LINE, Some("req_1")));
        let digest = Sha256::digest(br#"{"a": 1}"#);
        assert!(call.request_sha256.starts_with(&format!("{:02x}{:02x}", digest[0], digest[1])));

        std::fs::write(file::path_of(directory, task), format!("no JSON\n{LINE}\n")).unwrap();
        let error = Recording::read(directory, task).unwrap_err().to_string();
        assert!(error.contains("line 1"), "{error}");
        file::mark_incomplete(directory, TaskId::new()).unwrap();
        std::fs::remove_file(file::path_of(directory, task)).unwrap();
        file::mark_incomplete(directory, task).unwrap();
        assert!(Recording::read(directory, task).unwrap().unwrap().incomplete);
    }
}
