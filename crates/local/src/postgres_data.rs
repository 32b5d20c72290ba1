//! Postgres' data directory, `<state>/pg<major>`.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use crate::{
    account::Account,
    error::{Error, io_error},
};

/// The data of one major version. It may not be there yet.
#[derive(Debug)]
pub(crate) struct PostgresData {
    pub(crate) path: PathBuf,
    major: u32,
}

impl PostgresData {
    pub(crate) fn new(state: &Path, major: u32) -> Self {
        Self { path: state.join(format!("pg{major}")), major }
    }

    /// The major version of the data in a state directory, if there is any.
    pub(crate) fn major_in(state: &Path) -> Result<Option<u32>, Error> {
        let mut majors = Vec::new();
        for entry in fs::read_dir(state).map_err(io_error("list", state))?.flatten() {
            let name = entry.file_name();
            let major = name.to_str().and_then(|name| name.strip_prefix("pg"));
            if let Some(major) = major.and_then(|major| major.parse().ok())
                && entry.path().join("PG_VERSION").exists()
            {
                majors.push(major);
            }
        }
        // Several: somebody moved to a newer one and kept the old.
        Ok(majors.into_iter().max())
    }

    pub(crate) fn exists(&self) -> bool {
        self.path.join("PG_VERSION").exists()
    }

    /// An empty directory beside the final place, so that a cut `initdb` leaves nothing half there.
    pub(crate) fn begin(&self, account: Account) -> Result<PathBuf, Error> {
        let partial = self.path.with_extension("partial");
        match fs::remove_dir_all(&partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("remove", partial)(error)),
            _ => account.private_dir(&partial).map(|()| partial),
        }
    }

    /// Moves what `initdb` made to its place, for good.
    pub(crate) fn adopt(&self, partial: &Path) -> Result<(), Error> {
        fs::rename(partial, &self.path).map_err(io_error("move", &self.path))?;
        let state = self.path.parent().unwrap_or(Path::new("/"));
        File::open(state).and_then(|state| state.sync_all()).map_err(io_error("sync", state))
    }

    /// Fails when the directory holds data of another version than its name says.
    pub(crate) fn check_version(&self) -> Result<(), Error> {
        let file = self.path.join("PG_VERSION");
        let text = fs::read_to_string(&file).map_err(io_error("read", &file))?;
        match text.trim().parse().ok() {
            Some(major) if major == self.major => Ok(()),
            other => Err(Error::OtherMajor {
                state: self.path.clone(),
                data: other.unwrap_or_default(),
                found: self.major.to_string(),
            }),
        }
    }

    /// The pid file. Its first line is the pid, the eighth the state of the server.
    pub(crate) fn pid_file(&self) -> PathBuf {
        self.path.join("postmaster.pid")
    }

    /// Removes the pid file and the socket of a killed predecessor, whose pid others may have by now. The
    /// caller has the hold, so no process that we started is left; a server that somebody else started on
    /// this data is refused.
    pub(crate) fn remove_stale(&self, sockets: &Path) -> Result<(), Error> {
        let mut stale = vec![sockets.join(".s.PGSQL.5432"), sockets.join(".s.PGSQL.5432.lock")];
        // Where there is no /proc to tell whose pid it is, Postgres' own check has to do.
        if Path::new("/proc/self/cmdline").exists() {
            if let Some(pid) = first_number(&self.pid_file())
                && serves(pid, &self.path)
            {
                return Err(Error::StillInUse { pid, data: self.path.clone(), seconds: 0 });
            }
            stale.push(self.pid_file());
        }
        for file in stale {
            match fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(io_error("remove", file)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn first_number(file: &Path) -> Option<u32> {
    fs::read_to_string(file).ok()?.lines().next()?.trim().parse().ok()
}

/// Whether a process is a Postgres that was started on this data.
fn serves(pid: u32, data: &Path) -> bool {
    let Ok(arguments) = fs::read(format!("/proc/{pid}/cmdline")) else {
        return false;
    };
    arguments.split(|byte| *byte == 0).any(|argument| argument == data.as_os_str().as_encoded_bytes())
}
