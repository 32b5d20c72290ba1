//! The sandbox as the rest of the fleet sees it.

mod drive;
mod find;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::config::{Config, Mode};
use crate::error::{Error, Unavailable};
use crate::job::{Job, Limits};
use crate::level::Level;
use crate::output::Output;
use crate::wire::{Answer, Order, SelfTest, Task};

/// Runs commands behind the walls that were seen to stand. Cheap to share behind an `Arc`.
#[derive(Debug)]
pub struct Sandbox {
    launcher: PathBuf,
    config: Config,
    bubblewrap: Option<PathBuf>,
    level: Level,
}

impl Sandbox {
    /// Tries the walls, each by a process that attempts what it must prevent.
    ///
    /// # Errors
    /// [`Unavailable`] when the floor does not stand and [`Mode::Off`] was not chosen.
    pub async fn probe(config: Config) -> Result<Self, Unavailable> {
        let launcher = find::launcher(config.launcher.as_deref())?;
        let mut sandbox = Self { launcher, config, bubblewrap: None, level: Level::off() };
        if sandbox.config.mode == Mode::Off {
            tracing::warn!("The sandbox is off: commands run unconfined");
            return Ok(sandbox);
        }
        let mut notes = Vec::new();
        let floor = sandbox.self_test(None, false).await;
        let wrapped = match find::bubblewrap(sandbox.config.bubblewrap) {
            Ok(bwrap) => sandbox.self_test(Some(&bwrap), false).await.map(|test| (bwrap, test)),
            Err(note) => Err(Unavailable::Missing { wall: "bubblewrap".to_owned(), reason: note }),
        };
        // Namespaces can make up for a Landlock that is too old to keep signals in, so they may stand alone.
        let test = match wrapped {
            Ok((bwrap, test)) => {
                sandbox.bubblewrap = Some(bwrap);
                test
            }
            Err(why) => {
                notes.push(format!("bubblewrap is not used: {}", why.reason()));
                floor?
            }
        };
        let cgroup = match sandbox.self_test(sandbox.bubblewrap.as_deref(), true).await {
            Ok(test) => test.cgroup,
            Err(why) => {
                notes.push(format!("cgroups are not used, memory is watched instead: {}", why.reason()));
                None
            }
        };
        sandbox.level = Level {
            floor: true,
            landlock_abi: test.landlock_abi,
            private_uid: test.private_uid,
            bubblewrap: sandbox.bubblewrap.is_some(),
            cgroup,
            notes,
        };
        tracing::info!(level = %sandbox.level, notes = ?sandbox.level.notes, "The sandbox stands: {}", sandbox.level);
        Ok(sandbox)
    }

    /// The walls that stand.
    #[must_use]
    pub fn level(&self) -> &Level {
        &self.level
    }

    /// Runs a command to its end. When this returns, none of its processes is left. When the token is
    /// cancelled, the run is ended and what it wrote so far is returned; when the future is dropped, the run is
    /// ended too.
    ///
    /// # Errors
    /// [`Error`] when the command was not started or its end is not known. A command that fails, or that a
    /// limit ends, is an [`Output`].
    pub async fn run(&self, job: &Job, cancel: &CancellationToken) -> Result<Output, Error> {
        let order = self.order(job)?;
        let finished = drive::drive(&self.launcher, &order, cancel).await?;
        let ended = match finished.answer {
            Answer::Ended(ended) => ended,
            Answer::NotExecuted { reason } => {
                let program = job.command.first().cloned().unwrap_or_default();
                return Err(Error::Program { program, reason });
            }
            Answer::Refused { wall, reason } => {
                let said = finished.stderr.text();
                return Err(Error::Refused { wall, reason: with_stderr(&reason, &said) });
            }
            other @ (Answer::Started | Answer::Tested(_)) => return Err(Error::Lost(format!("{other:?}"))),
        };
        if ended.leftovers > 0 {
            tracing::warn!(leftovers = ended.leftovers, "Processes of a run could not be ended yet");
        }
        Ok(Output {
            exit: ended.exit,
            stdout: finished.stdout,
            stderr: finished.stderr,
            wall: Duration::from_millis(ended.wall_ms),
            cpu: Duration::from_millis(ended.cpu_ms),
            peak_memory: ended.peak_memory,
            ended_by: ended.ended_by,
            level: self.level.to_string(),
        })
    }

    fn order(&self, job: &Job) -> Result<Order, Error> {
        let bad = |what: &str| Err(Error::BadJob(what.to_owned()));
        if job.command.first().is_none_or(String::is_empty) {
            return bad("the command is empty");
        }
        if !job.workspace.is_absolute() {
            return bad("the workspace is not an absolute path");
        }
        let strings = job.env.iter().flat_map(|(name, value)| [name, value]).chain(&job.command);
        if strings.clone().any(|string| string.contains('\0')) {
            return bad("an argument or a variable contains a NUL");
        }
        if job.env.iter().any(|(name, _)| name.is_empty() || name.contains('=')) {
            return bad("the name of a variable is empty or contains `=`");
        }
        let mut order = self.blank_order(Task::Command(job.command.clone()), job.limits);
        order.workspace.clone_from(&job.workspace);
        order.cwd.clone_from(&job.cwd);
        order.env.clone_from(&job.env);
        order.read_only.extend(job.read_only.iter().cloned());
        order.bubblewrap.clone_from(&self.bubblewrap);
        order.cgroup = self.level.cgroup.is_some();
        Ok(order)
    }

    fn blank_order(&self, task: Task, limits: Limits) -> Order {
        Order {
            task,
            workspace: PathBuf::new(),
            cwd: PathBuf::new(),
            env: Vec::new(),
            path: self.config.path.clone(),
            read_only: self.config.read_only.clone(),
            limits,
            confined: self.config.mode == Mode::Auto,
            bubblewrap: None,
            cgroup: false,
            uid_range: self.config.uid_range,
            lock_dir: self.config.lock_dir.clone(),
            scratch: self.config.scratch.clone(),
        }
    }

    async fn self_test(&self, bubblewrap: Option<&Path>, cgroup: bool) -> Result<SelfTest, Unavailable> {
        let broken = |reason: String| Unavailable::Broken { launcher: self.launcher.clone(), reason };
        let limits = Limits { wall: Duration::from_secs(20), ..Limits::default() };
        let mut order = self.blank_order(Task::SelfTest, limits);
        order.bubblewrap = bubblewrap.map(Path::to_path_buf);
        order.cgroup = cgroup;
        let finished = drive::drive(&self.launcher, &order, &CancellationToken::new())
            .await
            .map_err(|error| broken(error_chain(&error)))?;
        match finished.answer {
            Answer::Tested(test) => match test.missing.first() {
                None => Ok(test),
                Some((wall, reason)) => {
                    Err(Unavailable::Missing { wall: wall.clone(), reason: reason.clone() })
                }
            },
            Answer::Refused { wall, reason } => {
                Err(Unavailable::Missing { wall, reason: with_stderr(&reason, &finished.stderr.text()) })
            }
            other => Err(broken(format!("it answered {other:?}"))),
        }
    }
}

fn with_stderr(reason: &str, stderr: &str) -> String {
    match stderr.trim() {
        "" => reason.to_owned(),
        said => format!("{reason} ({said})"),
    }
}

fn error_chain(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
