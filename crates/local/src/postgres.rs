//! One Postgres on a data directory of ours.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    time::Duration,
};

use crate::{
    bound_child::{self, Bond, BoundChild},
    deadline,
    error::{Error, io_error},
    find::{self, PostgresPrograms},
    hold::Hold,
    postgres_data::PostgresData,
    secret::random_secret_file,
    signal::Signal,
    store_log,
    stores::Place,
};

/// The limit for `initdb` (0.3 s without, about 1 s with fsync on an idle machine).
const INIT: Duration = Duration::from_secs(120);

/// The limit for starting, which after a crash includes reading the log of writes.
const READY: Duration = Duration::from_secs(60);

/// The limit for an orderly shutdown, which includes a checkpoint.
const SHUTDOWN: Duration = Duration::from_secs(30);

/// The limit for an immediate one, which writes nothing.
const ABANDON: Duration = Duration::from_secs(5);

const SETTINGS: &[&str] = &[
    "listen_addresses=",
    "logging_collector=off",
    "max_connections=200",
    // A statement of runs opens weeks of three tables and all indexes of tasks. From Postgres 18 on, a backend takes so
    // many locks without the table that all share.
    "max_locks_per_transaction=256",
    "shared_buffers=128MB",
    "timezone=UTC",
    "log_timezone=UTC",
    "unix_socket_permissions=0700",
];

/// Settings that give up every promise for the time after a crash of the machine.
const THROW_AWAY: &[&str] = &[
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
];

/// A Postgres server with pgvector, reachable on a unix socket only.
#[derive(Debug)]
pub struct Postgres {
    place: Place,
    programs: PostgresPrograms,
    data: PostgresData,
    log: PathBuf,
    url: String,
    child: Option<BoundChild>,
}

impl Postgres {
    /// Finds the programs and begins to start; [`Self::wait_ready`] ends it.
    pub(crate) fn begin(place: Place, cache: &Path) -> Result<Self, Error> {
        let programs =
            find::postgres(cache, place.account, PostgresData::major_in(&place.state)?, &place.state)?;
        let password_file = place.state.join("postgres.password");
        let password = random_secret_file(&password_file)?;
        // initdb reads it as the user that it runs as.
        place.account.give(&password_file)?;
        let mut postgres = Self {
            data: PostgresData::new(&place.state, programs.major),
            log: place.state.join("postgres.log"),
            url: format!("postgres://hive:{password}@localhost/postgres?host={}", place.sockets.display()),
            child: None,
            programs,
            place,
        };
        postgres.spawn(&password_file)?;
        Ok(postgres)
    }

    fn spawn(&mut self, password_file: &Path) -> Result<(), Error> {
        let holder = self.place.state.join("postgres.pid");
        let mut hold = Hold::take_from_predecessor(&holder, &self.data.path, Signal::Interrupt)?;
        if !self.data.exists() {
            self.initialise(password_file, &hold)?;
        }
        self.data.check_version()?;
        self.data.remove_stale(&self.place.sockets)?;
        let mut command = self.command("postgres")?;
        command.arg("-D").arg(&self.data.path).arg("-k").arg(&self.place.sockets);
        let throw_away = if self.place.durable { &[] } else { THROW_AWAY };
        for setting in SETTINGS.iter().chain(throw_away) {
            command.args(["-c", setting]);
        }
        let child = bound_child::spawn(command, &self.bond(Signal::Interrupt, &hold))?;
        hold.record(child.id())?;
        self.child = Some(child);
        Ok(())
    }

    fn initialise(&self, password_file: &Path, hold: &Hold) -> Result<(), Error> {
        let partial = self.data.begin(self.place.account)?;
        let mut command = self.command("initdb")?;
        command.args([
            "-U",
            "hive",
            "--auth=scram-sha-256",
            "-E",
            "UTF8",
            "--no-locale",
            "--no-instructions",
        ]);
        command.arg("--pwfile").arg(password_file).arg("-D").arg(&partial);
        if !self.place.durable {
            command.arg("--no-sync");
        }
        let mut initdb = bound_child::spawn(command, &self.bond(Signal::Kill, hold))?;
        match initdb.wait_within(INIT) {
            Some(status) if status.success() => self.data.adopt(&partial),
            Some(status) => Err(self.not_started(format!("initdb ended with {status}"))),
            None => Err(self.not_started(format!("initdb took more than {} s", INIT.as_secs()))),
        }
    }

    fn command(&self, program: &str) -> Result<Command, Error> {
        let log = store_log::open(&self.log)?;
        let both = log.try_clone().map_err(io_error("open", &self.log))?;
        let mut command = Command::new(self.programs.bin.join(program));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").env("TZ", "UTC");
        command.current_dir("/").stdin(Stdio::null()).stdout(both).stderr(log);
        Ok(command)
    }

    fn bond<'a>(&self, death: Signal, hold: &'a Hold) -> Bond<'a> {
        Bond { death, account: self.place.account, hold: Some(hold), own_group: true }
    }

    /// Waits until Postgres takes connections.
    pub(crate) fn wait_ready(&mut self) -> Result<(), Error> {
        let pid_file = self.data.pid_file();
        let Some(child) = &mut self.child else {
            return Err(self.not_started("it is stopped".into()));
        };
        let answer = deadline::poll(READY, || {
            if let Ok(Some(status)) = child.try_wait() {
                return Some(Some(status));
            }
            // Postgres writes its state into the eighth line and its pid into the first.
            let text = fs::read_to_string(&pid_file).ok()?;
            let mut lines = text.lines();
            let ours = lines.next() == Some(child.id().to_string().as_str());
            (ours && lines.nth(6).is_some_and(|state| state.trim() == "ready")).then_some(None)
        });
        match answer {
            Some(None) => Ok(()),
            Some(Some(status)) => Err(self.not_started(format!("it ended with {status}"))),
            None => Err(self.not_started(format!("it was not ready after {} s", READY.as_secs()))),
        }
    }

    fn not_started(&self, reason: String) -> Error {
        let tail = store_log::tail(&self.log, 10);
        Error::NotStarted { name: "postgres", reason, log: self.log.clone(), tail }
    }

    /// The URL, with the password, of the database `postgres`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The major version, such as 18.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.programs.major
    }

    /// The pid of the postmaster, or `None` while it is stopped.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(BoundChild::id)
    }

    /// Tells how Postgres ended, if it did so unasked.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut().and_then(|child| child.try_wait().ok().flatten())
    }

    /// Asks for an orderly shutdown without waiting for it.
    pub(crate) fn begin_stop(&mut self) {
        if let Some(child) = &mut self.child {
            child.signal(if self.place.durable { Signal::Interrupt } else { Signal::Quit });
        }
    }

    /// Stops Postgres in order, with a checkpoint; a throw-away one at once.
    pub fn stop(&mut self) {
        if self.place.durable
            && let Some(child) = &mut self.child
        {
            child.signal(Signal::Interrupt);
            child.signal(Signal::Continue);
            if child.wait_within(SHUTDOWN).is_none() {
                tracing::warn!("Postgres did not shut down within {} s; it will recover", SHUTDOWN.as_secs());
            }
        }
        self.crash();
    }

    /// Ends Postgres at once, as a crash would: the next start recovers from the log of writes.
    pub fn crash(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.end(Signal::Quit, ABANDON);
        }
    }

    /// Starts Postgres again on its data after [`Self::stop`] or [`Self::crash`].
    ///
    /// # Errors
    /// When it does not start; the error shows the end of its log.
    pub fn start(&mut self) -> Result<(), Error> {
        self.stop();
        self.spawn(&self.place.state.join("postgres.password"))?;
        self.wait_ready()
    }

    /// Freezes (SIGSTOP) the postmaster: nobody gets a new connection; open ones go on.
    pub fn freeze(&mut self) {
        if let Some(child) = &mut self.child {
            child.signal(Signal::Stop);
        }
    }

    /// Ends a freeze.
    pub fn thaw(&mut self) {
        if let Some(child) = &mut self.child {
            child.signal(Signal::Continue);
        }
    }
}
