use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::call::Call;
use crate::commit_hash::CommitHash;
use crate::git::Git;
use crate::git_error::{GitError, GitFailure};
use crate::repository_url::RepositoryUrl;

/// The longest wait for a list of references: a submitter waits for it.
pub(crate) const LIST_TIMEOUT: Duration = Duration::from_secs(10);

/// The transport git may use for a repository and the address to give it; the error says in words why there is none.
pub(crate) fn address(url: &RepositoryUrl) -> Result<(&'static str, PathBuf), String> {
    url.address().map_err(|error| format!("{url}: {error}"))
}

/// One line of `ls-remote`.
pub(crate) type Listed = (CommitHash, String);

/// Lists the references whose names end with one of `patterns`, all of them if there is none.
pub(crate) async fn list(
    git: &Git,
    (transport, address): &(&'static str, PathBuf),
    patterns: &[String],
    timeout: Duration,
) -> Result<Vec<Listed>, GitError> {
    let mut call = git.call("ls-remote").over(transport).within(timeout).arg("--").arg(address);
    for pattern in patterns {
        call = call.arg(pattern);
    }
    let text = call.line().await?;
    let mut listed = Vec::new();
    for line in text.lines() {
        let parsed = line
            .split_once('\t')
            .and_then(|(hash, name)| Some((CommitHash::parse(hash).ok()?, name.to_owned())));
        listed.push(
            parsed.ok_or_else(|| {
                GitError::unreadable("ls-remote", line.chars().take(80).collect::<String>())
            })?,
        );
    }
    Ok(listed)
}

/// A fetch into `repository`; the caller adds the references to fetch.
pub(crate) fn fetch<'a>(
    git: &'a Git,
    repository: &Path,
    (transport, address): &(&'static str, PathBuf),
) -> Call<'a> {
    git.call("fetch")
        .in_repository(repository)
        .over(transport)
        .args([
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
        ])
        .arg("--")
        .arg(address)
}

/// Asks which of `names` `repository` can resolve; `None` for each it cannot.
pub(crate) async fn lookup<const N: usize>(
    git: &Git,
    repository: &Path,
    names: [String; N],
) -> Result<[Option<CommitHash>; N], GitError> {
    let input = names.join("\n") + "\n";
    let text = git
        .call("cat-file")
        .in_repository(repository)
        .arg("--batch-check=%(objectname)")
        .input(input.into_bytes())
        .line()
        .await?;
    let mut lines = text.lines();
    // A name that cannot be resolved is echoed with the word "missing" after it.
    Ok(std::array::from_fn(|_| lines.next().and_then(|line| CommitHash::parse(line).ok())))
}

/// Whether git itself could not be run or understood, as opposed to a repository that did not answer.
pub(crate) fn is_ours(error: &GitError) -> bool {
    matches!(
        error.failure,
        GitFailure::NotRun(_) | GitFailure::TooMuchOutput { .. } | GitFailure::Unreadable(_)
    )
}
