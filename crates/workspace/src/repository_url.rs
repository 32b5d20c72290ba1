use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::path::{Component, Path, PathBuf};

use rustix::io::Errno;
use sha2::{Digest, Sha256};
use url::{Host, Url};

use crate::beneath;
use crate::config::Config;

/// The longest address accepted, in bytes.
const LONGEST: usize = 2048;

/// The address of a repository that a task may work on, checked.
#[derive(Clone, PartialEq, Eq)]
pub struct RepositoryUrl {
    text: String,
    place: Place,
}

#[derive(Clone, PartialEq, Eq)]
enum Place {
    /// Reached by this transport; the text is the address.
    Network(&'static str),
    /// A directory, `path` below the configured `root`.
    File { root: PathBuf, path: PathBuf },
}

/// Why an address is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not an address git could use safely.
    #[error("not a repository address: {0}")]
    Malformed(&'static str),
    /// A transport other than https, ssh, file and http to this host.
    #[error("the transport '{0}' is not allowed; use https, ssh or file, or http to a loopback address")]
    Transport(String),
    /// A user name or password inside the address.
    #[error("the address contains credentials; configure them on the worker instead")]
    Credentials,
    /// A path that is not below any configured file root, be it by a symbolic link.
    #[error("the path does not lie below a configured file root ({}); HIVE_REPO_ROOTS names others", list(.roots))]
    OutsideRoots {
        /// The configured roots.
        roots: Vec<PathBuf>,
    },
    /// The path exists but cannot be used.
    #[error("the path cannot be used: {0}")]
    Unusable(String),
}

fn list(roots: &[PathBuf]) -> String {
    if roots.is_empty() {
        return "none is configured".to_owned();
    }
    roots.iter().map(|root| root.display().to_string()).collect::<Vec<_>>().join(", ")
}

impl RepositoryUrl {
    /// Checks `text`: `https://…`, `http://…` on loopback, `ssh://…`, `user@host:path`, `file:///…` or an
    /// absolute path. Nothing is contacted; a path need not exist yet.
    ///
    /// # Errors
    /// Every other form, see [`UrlError`].
    pub fn parse(text: &str, config: &Config) -> Result<Self, UrlError> {
        if text.is_empty() || text.len() > LONGEST {
            return Err(UrlError::Malformed("it is empty or longer than 2048 bytes"));
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(UrlError::Malformed("it contains white space or a control character"));
        }
        if text.starts_with('-') {
            return Err(UrlError::Malformed("it begins with '-'"));
        }
        if text.starts_with('/') {
            return Self::file(Path::new(text), config);
        }
        if let Some((scheme, _)) = text.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) {
            let url = Url::parse(text).map_err(|_| UrlError::Malformed("the URL cannot be read"))?;
            return match scheme.to_ascii_lowercase().as_str() {
                "https" => Self::web(&url, "https"),
                "http" if is_loopback(&url) => Self::web(&url, "http"),
                "ssh" => Self::ssh(&url),
                "file" => {
                    let path =
                        url.to_file_path().map_err(|()| UrlError::Malformed("it names another host"))?;
                    no_extras(&url)?;
                    Self::file(&path, config)
                }
                other => Err(UrlError::Transport(other.to_owned())),
            };
        }
        if let Some((helper, _)) = text.split_once("::") {
            return Err(UrlError::Transport(helper.to_owned()));
        }
        Self::scp_like(text)
    }

    /// The address in its normal form.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is a directory of this host.
    #[must_use]
    pub const fn is_here(&self) -> bool {
        matches!(self.place, Place::File { .. })
    }

    /// The root and the path below it, of a directory of this host.
    pub(crate) fn beneath(&self) -> Option<(&Path, &Path)> {
        match &self.place {
            Place::File { root, path } => Some((root, path)),
            Place::Network(_) => None,
        }
    }

    /// The directory, of one of this host.
    pub(crate) fn place_here(&self) -> Option<PathBuf> {
        self.beneath().map(|(root, path)| root.join(path))
    }

    /// A short name for the address that is safe as a directory name.
    pub(crate) fn key(&self) -> String {
        hex::encode(&Sha256::digest(self.text.as_bytes())[..20])
    }

    fn web(url: &Url, transport: &'static str) -> Result<Self, UrlError> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::Credentials);
        }
        no_extras(url)?;
        if url.host_str().is_none_or(str::is_empty) || url.path() == "/" {
            return Err(UrlError::Malformed("the host or the path is missing"));
        }
        Ok(Self { text: url.as_str().to_owned(), place: Place::Network(transport) })
    }

    fn ssh(url: &Url) -> Result<Self, UrlError> {
        if url.password().is_some() {
            return Err(UrlError::Credentials);
        }
        no_extras(url)?;
        let host = url.host_str().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        if !is_name(host, ":") || !(url.username().is_empty() || is_name(url.username(), "")) {
            return Err(UrlError::Malformed("the user or host name has an odd form"));
        }
        if url.path().len() < 2 || url.path().starts_with("/-") {
            return Err(UrlError::Malformed("the path is missing or begins with '-'"));
        }
        Ok(Self { text: url.as_str().to_owned(), place: Place::Network("ssh") })
    }

    fn scp_like(text: &str) -> Result<Self, UrlError> {
        let form = "use https://…, ssh://…, user@host:path, file:///… or an absolute path";
        let Some((login, path)) = text.split_once(':') else {
            return Err(UrlError::Malformed(form));
        };
        let Some((user, host)) = login.split_once('@') else {
            return Err(UrlError::Malformed(form));
        };
        if !is_name(user, "") || !is_name(host, "") || path.is_empty() || path.starts_with('-') {
            return Err(UrlError::Malformed(form));
        }
        Ok(Self { text: text.to_owned(), place: Place::Network("ssh") })
    }

    fn file(path: &Path, config: &Config) -> Result<Self, UrlError> {
        let mut clean = PathBuf::new();
        for component in path.components() {
            match component {
                Component::RootDir | Component::Normal(_) => clean.push(component),
                Component::CurDir => {}
                Component::ParentDir | Component::Prefix(_) => {
                    return Err(UrlError::Malformed("the path contains '..'"));
                }
            }
        }
        let Some(text) = clean.to_str() else {
            return Err(UrlError::Malformed("the path is not UTF-8"));
        };
        let outside = || UrlError::OutsideRoots { roots: config.file_roots.clone() };
        let (root, below) = config
            .file_roots
            .iter()
            .find_map(|root| Some((root.clone(), below(root, &clean)?)))
            .ok_or_else(outside)?;
        let url = Self { text: format!("file://{text}"), place: Place::File { root, path: below.clone() } };
        match url.address() {
            Ok(_) => Ok(url),
            // A repository that does not answer is for the caller's first contact with it to report.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(url),
            Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::XDEV | Errno::LOOP)) => {
                Err(outside())
            }
            Err(error) => Err(UrlError::Unusable(error.to_string())),
        }
    }

    /// What git is given: the transport it may use and the place. A path is looked up below its root anew on
    /// each use and handed on free of links, so a link put there later leads nowhere.
    pub(crate) fn address(&self) -> io::Result<(&'static str, PathBuf)> {
        let (root, path) = match &self.place {
            Place::Network(transport) => return Ok((transport, PathBuf::from(&self.text))),
            Place::File { root, path } => (root, path),
        };
        let root = beneath::open_root(root)?;
        let found = beneath::locate(root.as_fd(), path)?;
        let kind = |at: &std::os::fd::OwnedFd| -> io::Result<_> {
            Ok(rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(at)?.st_mode))
        };
        if !kind(&found)?.is_dir() {
            return Err(io::Error::other("it is not a directory"));
        }
        // Git would follow `.git` wherever it points, so only a plain directory may stand there.
        match rustix::fs::statat(&found, ".git", rustix::fs::AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir() => {}
            Ok(_) => {
                return Err(io::Error::other("its .git points elsewhere; name that repository itself"));
            }
            Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(("file", beneath::real_path(found.as_fd())?))
    }
}

impl fmt::Display for RepositoryUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl fmt::Debug for RepositoryUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "RepositoryUrl({})", self.text)
    }
}

/// The rest of `path` below `root`, given by the root's configured or its real name.
fn below(root: &Path, path: &Path) -> Option<PathBuf> {
    if let Ok(rest) = path.strip_prefix(root) {
        return Some(rest.to_owned());
    }
    let real = beneath::open_root(root).and_then(|root| beneath::real_path(root.as_fd())).ok()?;
    path.strip_prefix(real).ok().map(Path::to_owned)
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

/// A user or host name that no shell, option parser or URL reader can take for something else.
fn is_name(text: &str, also: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || also.contains(c))
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c) || also.contains(c))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn no_extras(url: &Url) -> Result<(), UrlError> {
    if url.query().is_some() || url.fragment().is_some() {
        return Err(UrlError::Malformed("it has a '?' or '#' part"));
    }
    Ok(())
}
