use crate::call::Call;
use crate::error::Error;
use crate::git_error::{GitError, GitFailure};
use crate::workspace::Workspace;

/// What a task changed, from its base to its head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    /// A unified diff as git prints it; bytes that are not UTF-8 are replaced.
    pub text: String,
    /// Whether `text` was cut at the cap.
    pub truncated: bool,
    /// The whole change in numbers, also when the text was cut.
    pub stat: DiffStat,
}

/// A change in numbers; binary files count as files without lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiffStat {
    /// Files that differ.
    pub files: u64,
    /// Lines added.
    pub insertions: u64,
    /// Lines removed.
    pub deletions: u64,
}

impl Workspace {
    /// The committed change of the task so far, its text cut after `max_bytes`.
    ///
    /// # Errors
    /// What git reports.
    pub async fn diff(&self, max_bytes: usize) -> Result<Diff, Error> {
        let stat = self.diff_stat().await?;
        let output = self.compare().arg("--patch").args(self.ends()).limit(max_bytes).output().await?;
        if !output.truncated && output.code != Some(0) {
            let failure = GitFailure::Exit { code: output.code, stderr: output.stderr };
            return Err(GitError { operation: "diff", failure }.into());
        }
        let mut bytes = output.stdout;
        if output.truncated {
            // Not in the middle of a character.
            while bytes.last().is_some_and(|byte| byte & 0xC0 == 0x80) {
                bytes.pop();
            }
            if bytes.last().is_some_and(|byte| *byte >= 0xC0) {
                bytes.pop();
            }
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Diff { text, truncated: output.truncated, stat })
    }

    /// The numbers alone.
    ///
    /// # Errors
    /// What git reports.
    pub async fn diff_stat(&self) -> Result<DiffStat, Error> {
        let listing = self.compare().args(["--numstat", "-z"]).args(self.ends()).run().await?;
        let mut stat = DiffStat::default();
        for line in listing.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
            // `added<tab>removed<tab>path`, with `-` for a binary file.
            let mut numbers = line.splitn(3, |byte| *byte == b'\t').map(|field| {
                std::str::from_utf8(field).ok().and_then(|field| field.parse::<u64>().ok()).unwrap_or(0)
            });
            stat.files += 1;
            stat.insertions += numbers.next().unwrap_or(0);
            stat.deletions += numbers.next().unwrap_or(0);
        }
        Ok(stat)
    }

    fn compare(&self) -> Call<'_> {
        self.repository("diff").args(["--no-color", "--no-ext-diff", "--no-textconv", "--no-renames"])
    }

    fn ends(&self) -> [&str; 3] {
        [self.base.as_str(), self.head.as_str(), "--"]
    }
}
