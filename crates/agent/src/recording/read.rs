//! Reading recordings back, as they lie in the directories of workers.

use std::{borrow::Cow, collections::BTreeMap, io, path::Path};

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
    /// A line could not be written, and none after it was: nothing is read then.
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
    /// The answer is a reply to its end; otherwise it is an error, or was cut.
    pub is_whole: bool,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    request: &'a RawValue,
    status: u16,
    headers: BTreeMap<String, String>,
    #[serde(borrow)]
    body: Cow<'a, str>,
}

impl Recording {
    /// Reads what `directory` holds of a task; `None` when that is nothing.
    ///
    /// # Errors
    /// When a file cannot be read, or a line that is not the last one is no call.
    pub fn read(directory: &Path, task: TaskId) -> io::Result<Option<Self>> {
        if file::incomplete_path_of(directory, task).try_exists()? {
            return Ok(Some(Self { incomplete: true, ..Self::default() }));
        }
        let path = file::path_of(directory, task);
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let text = match std::fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(named(error)),
        };
        let mut recording = Self::default();
        let added = recording.add(&text);
        added.map_err(|(line, error)| named(io::Error::other(format!("line {line}: {error}"))))?;
        Ok(Some(recording))
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
            is_whole: read.is_whole(),
        })
    }
}

impl Line<'_> {
    fn is_whole(&self) -> bool {
        let kind = self.headers.get("content-type").map(String::as_str).unwrap_or_default();
        match (self.status, kind.starts_with("text/event-stream")) {
            (200, true) => self.body.contains("event: message_stop"),
            (200, false) => self.body.contains("\"stop_reason\""),
            _ => false,
        }
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
        assert!(!call.is_whole, "no stream was read to its end");
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
