//! One Redis (or Valkey) on a data directory of ours.

use std::{
    fs, io,
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    time::Duration,
};

use crate::{
    bound_child::{self, Bond, BoundChild},
    deadline,
    error::{Error, io_error},
    find,
    hold::Hold,
    secret::random_secret_file,
    signal::Signal,
    store_log,
    stores::Place,
};

/// The limit for starting, which includes reading the append-only file.
const READY: Duration = Duration::from_secs(60);

/// How long one question may take while it starts.
const ANSWER: Duration = Duration::from_secs(2);

/// The limit for an orderly shutdown, which writes the end of the append-only file.
const SHUTDOWN: Duration = Duration::from_secs(10);

/// What a Redis that is started again finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedisData {
    /// Everything that its append-only file holds.
    Keep,
    /// Nothing: the files are removed first.
    Wipe,
}

/// A Redis server, reachable on a unix socket only, that never evicts and writes an append-only file.
#[derive(Debug)]
pub struct Redis {
    place: Place,
    program: PathBuf,
    data: PathBuf,
    log: PathBuf,
    socket: PathBuf,
    password: String,
    url: String,
    child: Option<BoundChild>,
}

impl Redis {
    /// Finds the program and begins to start; [`Self::wait_ready`] ends it.
    pub(crate) fn begin(place: Place, cache: &Path) -> Result<Self, Error> {
        let password = random_secret_file(&place.state.join("redis.password"))?;
        let socket = place.sockets.join("redis.sock");
        let mut redis = Self {
            program: find::redis(cache, place.account)?,
            data: place.state.join("redis"),
            log: place.state.join("redis.log"),
            url: format!("redis+unix://{}?pass={password}", socket.display()),
            socket,
            password,
            child: None,
            place,
        };
        redis.spawn(RedisData::Keep)?;
        Ok(redis)
    }

    fn spawn(&mut self, data: RedisData) -> Result<(), Error> {
        let holder = self.place.state.join("redis.pid");
        let mut hold = Hold::take_from_predecessor(&holder, &self.data, Signal::Terminate)?;
        if data == RedisData::Wipe {
            match fs::remove_dir_all(&self.data) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(io_error("remove", &self.data)(error));
                }
                _ => {}
            }
        }
        self.place.account.private_dir(&self.data)?;
        let log = store_log::open(&self.log)?;
        let both = log.try_clone().map_err(io_error("open", &self.log))?;
        let mut command = Command::new(&self.program);
        // The settings come through the pipe: arguments, and so the password, would be there for all to read.
        command.arg("-").env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").env("TZ", "UTC");
        command.current_dir("/").stdin(Stdio::piped()).stdout(both).stderr(log);
        let account = self.place.account;
        let bond = Bond { death: Signal::Terminate, account, hold: Some(&hold), own_group: true };
        let mut child = bound_child::spawn(command, &bond)?;
        hold.record(child.id())?;
        let written = child.take_stdin().map(|mut pipe| pipe.write_all(self.settings().as_bytes()));
        self.child = Some(child);
        match written {
            Some(Err(error)) => Err(self.not_started(format!("it did not read its settings: {error}"))),
            _ => Ok(()),
        }
    }

    fn settings(&self) -> String {
        let fsync = if self.place.durable { "everysec" } else { "no" };
        format!(
            "port 0\nunixsocket {}\nunixsocketperm 700\ndir {}\nrequirepass {}\nappendonly yes\n\
             appendfsync {fsync}\nsave \"\"\nmaxmemory-policy noeviction\ndaemonize no\n",
            quoted(&self.socket),
            quoted(&self.data),
            self.password,
        )
    }

    /// Waits until Redis has read its data and answers.
    pub(crate) fn wait_ready(&mut self) -> Result<(), Error> {
        let (socket, password) = (self.socket.clone(), self.password.clone());
        let Some(child) = &mut self.child else {
            return Err(self.not_started("it is stopped".into()));
        };
        let answer = deadline::poll(READY, || match child.try_wait() {
            Ok(Some(status)) => Some(Some(status)),
            _ => ping(&socket, &password).is_ok_and(|up| up).then_some(None),
        });
        match answer {
            Some(None) => Ok(()),
            Some(Some(status)) => Err(self.not_started(format!("it ended with {status}"))),
            None => Err(self.not_started(format!("it was not ready after {} s", READY.as_secs()))),
        }
    }

    fn not_started(&self, reason: String) -> Error {
        let tail = store_log::tail(&self.log, 10);
        Error::NotStarted { name: "redis", reason, log: self.log.clone(), tail }
    }

    /// The URL, with the password.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The pid, or `None` while it is stopped.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(BoundChild::id)
    }

    /// Tells how Redis ended, if it did so unasked.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut().and_then(|child| child.try_wait().ok().flatten())
    }

    /// Stops Redis in order: everything it was told is on disk afterwards.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.end(Signal::Terminate, SHUTDOWN);
        }
    }

    /// Kills Redis: what its append-only file did not get yet is lost.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill();
        }
    }

    /// Starts Redis again after [`Self::stop`] or [`Self::kill`]; a running one is stopped first.
    ///
    /// # Errors
    /// When it does not start; the error shows the end of its log.
    pub fn start(&mut self, data: RedisData) -> Result<(), Error> {
        self.stop();
        self.spawn(data)?;
        self.wait_ready()
    }

    /// Freezes Redis (SIGSTOP): connections stay open, nothing is answered.
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

/// Whether Redis answers with the right password and has loaded its data.
fn ping(socket: &Path, password: &str) -> io::Result<bool> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    stream.write_all(format!("AUTH {password}\r\nPING\r\nQUIT\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.take(1024).read_to_string(&mut answer)?;
    Ok(answer.starts_with("+OK\r\n+PONG\r\n"))
}

/// A path as Redis' settings take it.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('\\', "\\\\").replace('"', "\\\""))
}
