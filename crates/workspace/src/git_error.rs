use std::time::Duration;

/// A git call that did not end well.
#[derive(Debug, thiserror::Error)]
#[error("git {operation}: {failure}")]
pub struct GitError {
    /// What git was asked to do, its subcommand.
    pub operation: &'static str,
    /// How it went wrong.
    pub failure: GitFailure,
}

/// How a git call went wrong.
#[derive(Debug, thiserror::Error)]
pub enum GitFailure {
    /// The program could not be started or its pipes broke.
    #[error("could not run the program; check that git is installed and on PATH: {0}")]
    NotRun(#[source] std::io::Error),
    /// Git ended with an exit code other than 0.
    #[error("{}", describe_exit(.code, .stderr))]
    Exit {
        /// The exit code, none after a signal.
        code: Option<i32>,
        /// The end of standard error, passwords in addresses removed.
        stderr: String,
    },
    /// No end within the deadline; the process and its children were killed.
    #[error("no answer within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    /// More output than the call allows.
    #[error("printed more than {limit} bytes")]
    TooMuchOutput {
        /// The cap in bytes.
        limit: usize,
    },
    /// Output that does not have the documented form.
    #[error("unexpected output: {0}")]
    Unreadable(String),
}

fn describe_exit(code: &Option<i32>, stderr: &str) -> String {
    let end = code.map_or_else(|| "killed by a signal".to_owned(), |code| format!("exit code {code}"));
    if stderr.is_empty() { end } else { format!("{end}: {stderr}") }
}

impl GitError {
    pub(crate) fn unreadable(operation: &'static str, what: impl Into<String>) -> Self {
        Self { operation, failure: GitFailure::Unreadable(what.into()) }
    }

    /// What a person reads when a repository did not answer.
    pub(crate) fn detail(&self) -> String {
        match &self.failure {
            GitFailure::Exit { stderr, .. } if !stderr.is_empty() => stderr.clone(),
            other => other.to_string(),
        }
    }
}

/// Removes `user:password@` from every address in a message.
pub(crate) fn redacted(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (before, after) = rest.split_at(start + 3);
        clean.push_str(before);
        let end = after
            .find(|c: char| c == '/' || c.is_whitespace() || c == '\'' || c == '"')
            .unwrap_or(after.len());
        match after[..end].rfind('@') {
            Some(at) => {
                clean.push_str("***");
                rest = &after[at..];
            }
            None => rest = after,
        }
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::redacted;

    #[test]
    fn passwords_leave_messages() {
        let message = "fatal: unable to access 'https://bob:s3cr@t@host/x.git/': see ssh://tok@h/y and a@b";
        assert_eq!(
            redacted(message),
            "fatal: unable to access 'https://***@host/x.git/': see ssh://***@h/y and a@b"
        );
    }
}
