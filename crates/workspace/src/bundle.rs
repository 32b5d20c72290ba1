//! Whole repositories as files: every branch and tag with its commits, to be put back where there is nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use crate::beneath;
use crate::commit_hash::CommitHash;
use crate::error::Error;
use crate::file_lock::FileLock;
use crate::git_error::GitError;
use crate::mirror;
use crate::remote;
use crate::repository_url::RepositoryUrl;
use crate::workspaces::Workspaces;

/// Where a mirror, and a bundle made of it, keep the references of the repository.
const KEPT: &str = "refs/checkpoint/";
/// What is kept of a repository on another host, which may hold references of all its visitors.
const OF_ANOTHER_HOST: [&str; 2] = ["heads", "tags"];

/// What a repository holds: each reference by name, and what it names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct References {
    /// The branch that is its head, in full.
    pub head: Option<String>,
    /// By full name. An annotated tag is named by its own hash.
    pub all: BTreeMap<String, CommitHash>,
}

impl Workspaces {
    /// Writes all branches and tags of a repository with their commits into `file`; of one on this host every
    /// reference. None is written for a repository without references.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when the repository does not answer, and what git reports.
    pub async fn bundle(&self, url: &RepositoryUrl, file: &Path) -> Result<References, Error> {
        let address = remote::address(url).map_err(|detail| Error::Unreachable { detail })?;
        let key = url.key();
        let lock = self.mirrors().join(format!("{key}.lock"));
        let _lock = FileLock::take(&lock, self.git.timeout()).await.map_err(Error::io("lock", lock))?;
        let repository = self.mirrors().join(key);
        mirror::init_bare(&self.git, &repository).await?;
        let head = self.head_of(&address).await?;
        let kinds: Vec<String> = match url.is_here() {
            true => vec![format!("+refs/*:{KEPT}*")],
            false => OF_ANOTHER_HOST.map(|kind| format!("+refs/{kind}/*:{KEPT}{kind}/*")).into(),
        };
        // What is gone there goes here, before it stands in the way of a name below it.
        let mut fetch = remote::fetch(&self.git, &repository, &address).set("fetch.prune=true");
        for kind in kinds {
            fetch = fetch.arg(kind);
        }
        fetch.run().await.map_err(mirror::unreachable)?;
        let all = self.references(&repository, KEPT).await?;
        if !all.is_empty() {
            let names: String =
                all.keys().map(|name| format!("{KEPT}{}\n", &name["refs/".len()..])).collect();
            self.git
                .call("bundle")
                .in_repository(&repository)
                .args(["create", "--quiet", "--version=2"])
                .arg(file)
                .arg("--stdin")
                .input(names.into_bytes())
                .run()
                .await?;
        }
        Ok(References { head, all })
    }

    async fn head_of(&self, address: &(&'static str, PathBuf)) -> Result<Option<String>, Error> {
        let (transport, place) = address;
        let call = self.git.call("ls-remote").over(transport).within(remote::LIST_TIMEOUT);
        let text = call.args(["--symref", "--"]).arg(place).arg("HEAD").line().await;
        let text = text.map_err(mirror::unreachable)?;
        let head = text.lines().find_map(|line| line.strip_prefix("ref: ")?.strip_suffix("\tHEAD"));
        Ok(head.map(str::to_owned))
    }

    /// The references of `repository` below `prefix`, as if that were `refs/`.
    async fn references(
        &self,
        repository: &Path,
        prefix: &str,
    ) -> Result<BTreeMap<String, CommitHash>, Error> {
        let call = self.git.call("for-each-ref").in_repository(repository);
        let text = call.arg("--format=%(objectname) %(refname)").arg(prefix).line().await?;
        let mut all = BTreeMap::new();
        for line in text.lines() {
            let read = line
                .split_once(' ')
                .and_then(|(hash, name)| Some((CommitHash::parse(hash).ok()?, name.strip_prefix(prefix)?)));
            let (hash, name) = read.ok_or_else(|| GitError::unreadable("for-each-ref", line))?;
            all.insert(format!("refs/{name}"), hash);
        }
        Ok(all)
    }

    /// What a repository on this host holds; none when there is nothing at its place.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when there is something else than a repository, and what git reports.
    pub async fn references_of(&self, url: &RepositoryUrl) -> Result<Option<References>, Error> {
        let Some(place) = url.place_here() else {
            return Err(Error::Unreachable { detail: format!("{url} is not on this host") });
        };
        match fs::read_dir(&place).map(|mut entries| entries.next().is_none()) {
            Ok(true) => return Ok(None),
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("read", place)(error)),
        }
        let address = remote::address(url).map_err(|detail| Error::Unreachable { detail })?;
        let head = self.head_of(&address).await?;
        let listed = remote::list(&self.git, &address, &[], remote::LIST_TIMEOUT).await;
        let all = listed.map_err(mirror::unreachable)?.into_iter();
        let named = all.filter(|(_, name)| name.starts_with("refs/") && !name.ends_with("^{}"));
        Ok(Some(References { head, all: named.map(|(hash, name)| (name, hash)).collect() }))
    }

    /// Makes a bare repository at the place of `url`, where nothing may be but an empty directory, of what
    /// [`Workspaces::bundle`] wrote; where that is. It appears as a whole or not at all.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when the place is on another host, cannot be used, or the bundle does not hold what
    /// `references` name; and what git and the file system report.
    pub async fn put_back(
        &self,
        url: &RepositoryUrl,
        bundle: Option<&Path>,
        references: &References,
    ) -> Result<PathBuf, Error> {
        let place = make_room(url)?;
        let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let aside = place.with_file_name(format!(".{name}.restoring"));
        if aside.exists() {
            fs::remove_dir_all(&aside).map_err(Error::io("remove", &aside))?;
        }
        let made = self.make_aside(&aside, url, bundle, references).await;
        let made = made.and_then(|()| fs::rename(&aside, &place).map_err(Error::io("put in place", &place)));
        if let Err(error) = made {
            if let Err(left) = fs::remove_dir_all(&aside) {
                tracing::warn!("{} is left: {left}", aside.display());
            }
            return Err(error);
        }
        let parent = place.parent().unwrap_or(Path::new("/"));
        let synced = fs::File::open(parent).and_then(|parent| parent.sync_all());
        synced.map_err(Error::io("sync", parent))?;
        Ok(place)
    }

    async fn make_aside(
        &self,
        aside: &Path,
        url: &RepositoryUrl,
        bundle: Option<&Path>,
        references: &References,
    ) -> Result<(), Error> {
        mirror::init_bare(&self.git, aside).await?;
        if let Some(bundle) = bundle {
            let from = ("file", bundle.to_owned());
            remote::fetch(&self.git, aside, &from).arg(format!("+{KEPT}*:refs/*")).run().await?;
        }
        if let Some(head) = &references.head {
            let call = self.git.call("symbolic-ref").in_repository(aside);
            call.arg("HEAD").arg(head).run().await?;
        }
        if self.references(aside, "refs/").await? != references.all {
            let detail = format!("the bundle of {url} does not hold the commits that the manifest names");
            return Err(Error::Unreachable { detail });
        }
        Ok(())
    }
}

/// The place of a repository that is to be made, free of links, with all directories above it.
fn make_room(url: &RepositoryUrl) -> Result<PathBuf, Error> {
    let refused = |why: &str| Error::Unreachable { detail: format!("{url}: {why}") };
    let (root, path) = url.beneath().ok_or_else(|| refused("it is not on this host"))?;
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(refused("it is a root itself"));
    };
    // Directory by directory, so that none is made behind a link that leads out.
    let make = || -> io::Result<PathBuf> {
        let root = beneath::open_root(root)?;
        let (mut below, mut at) = (PathBuf::new(), beneath::real_path(root.as_fd())?);
        for component in parent.components() {
            below.push(component);
            at = match beneath::locate(root.as_fd(), &below) {
                Ok(there) => beneath::real_path(there.as_fd())?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let made = at.join(component);
                    fs::create_dir(&made)?;
                    made
                }
                Err(error) => return Err(error),
            };
        }
        Ok(at)
    };
    Ok(make().map_err(Error::io("create", root.join(parent)))?.join(name))
}
