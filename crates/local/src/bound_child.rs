//! Child processes that end with us. Linux signals them when the *thread* that spawned them ends, so all
//! are spawned from one thread that never ends before the process does.

use std::{
    io,
    os::{
        fd::{AsRawFd, RawFd},
        unix::process::CommandExt,
    },
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus},
    sync::{LazyLock, mpsc},
    thread,
    time::Duration,
};

use crate::{
    account::Account,
    deadline,
    error::{Error, io_error},
    hold::Hold,
    signal::Signal,
};

/// How long a killed process may take to be gone. Only a process stuck in the kernel takes longer.
const KILLED: Duration = Duration::from_secs(10);

/// A child in a process group of its own that gets a signal when we die, however we die (on Linux).
/// Dropping it kills its group.
#[derive(Debug)]
pub struct BoundChild {
    child: Child,
    ended: Option<ExitStatus>,
}

/// How a child is bound to us.
pub(crate) struct Bond<'a> {
    /// What it gets when we die.
    pub(crate) death: Signal,
    /// Who it runs as.
    pub(crate) account: Account,
    /// The lock it keeps as long as it lives.
    pub(crate) hold: Option<&'a Hold>,
    /// Whether it gets a process group of its own, which a terminal's Ctrl-C does not reach.
    pub(crate) own_group: bool,
}

/// Starts a program of ours (as the user we are) that is killed when we die: whoever kills us wants all of it gone, and
/// what it was in the middle of is taken over by its successors.
///
/// # Errors
/// When it cannot be started.
pub fn spawn_bound(command: Command) -> Result<BoundChild, Error> {
    spawn(command, &Bond { death: Signal::Kill, account: Account::Ours, hold: None, own_group: true })
}

pub(crate) fn spawn(mut command: Command, bond: &Bond<'_>) -> Result<BoundChild, Error> {
    if bond.own_group {
        command.process_group(0);
    }
    if let Account::Other { uid, gid } = bond.account {
        // The standard library also drops the supplementary groups when it sets a uid.
        command.uid(uid).gid(gid);
    }
    let death = bond.death;
    let kept = bond.hold.map(|hold| hold.file().as_raw_fd());
    let parent = std::process::id();
    // SAFETY: the closure runs between fork and exec and makes only async-signal-safe system calls; the
    // descriptor stays open because `bond` is borrowed until the child has been started.
    unsafe {
        command.pre_exec(move || {
            keep_open(kept)?;
            // After the change of uid, which clears it.
            die_with(parent, death)
        });
    }
    let program = command.get_program().to_owned();
    let child = in_spawner(move || command.spawn()).map_err(io_error("start", program))?;
    Ok(BoundChild { child, ended: None })
}

fn keep_open(descriptor: Option<RawFd>) -> io::Result<()> {
    let Some(descriptor) = descriptor else {
        return Ok(());
    };
    // SAFETY: fcntl with F_SETFD takes integers only.
    if unsafe { libc::fcntl(descriptor, libc::F_SETFD, 0) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn die_with(parent: u32, death: Signal) -> io::Result<()> {
    // SAFETY: prctl with PR_SET_PDEATHSIG takes integers only.
    if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, death.number()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // A parent that died before the call above sends nothing any more.
    if std::os::unix::process::parent_id() != parent {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    Ok(())
}

// macOS has no such signal: there an orphan is found by its hold and stopped at the next start.
#[cfg(not(target_os = "linux"))]
fn die_with(_parent: u32, _death: Signal) -> io::Result<()> {
    Ok(())
}

type Job = Box<dyn FnOnce() + Send>;

static SPAWNER: LazyLock<Option<mpsc::Sender<Job>>> = LazyLock::new(|| {
    let (sender, jobs) = mpsc::channel::<Job>();
    let run = move || jobs.into_iter().for_each(|job| job());
    thread::Builder::new().name("hive-spawner".into()).spawn(run).ok().map(|_| sender)
});

fn in_spawner(spawn: impl FnOnce() -> io::Result<Child> + Send + 'static) -> io::Result<Child> {
    let gone = || io::Error::other("the thread that starts processes could not be started");
    let (answer, child) = mpsc::sync_channel(1);
    let job = Box::new(move || drop(answer.send(spawn())));
    SPAWNER.as_ref().ok_or_else(gone)?.send(job).map_err(|_| gone())?;
    child.recv().map_err(|_| gone())?
}

impl BoundChild {
    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The reading end of the child's standard output, when it was piped and not yet taken.
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    pub(crate) fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// The exit status if the child has ended.
    ///
    /// # Errors
    /// When the operating system cannot tell.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait()?;
        }
        Ok(self.ended)
    }

    /// Sends a signal to the child; does nothing when it has ended (its pid may be another's by now).
    pub fn signal(&mut self, signal: Signal) {
        if matches!(self.try_wait(), Ok(None)) {
            signal.send(self.id());
        }
    }

    /// Waits for the end of the child for up to `limit`.
    pub fn wait_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        deadline::poll(limit, || self.try_wait().transpose()).and_then(Result::ok)
    }

    /// Asks the child to end with SIGTERM and kills its group after `grace`.
    pub fn terminate(&mut self, grace: Duration) -> Option<ExitStatus> {
        self.end(Signal::Terminate, grace)
    }

    /// Kills the child's group now.
    pub fn kill(&mut self) -> Option<ExitStatus> {
        if matches!(self.try_wait(), Ok(None)) {
            Signal::Kill.send_group(self.id());
        }
        self.end(Signal::Kill, KILLED)
    }

    /// Asks the child to end with `signal` and kills its group after `grace`.
    pub(crate) fn end(&mut self, signal: Signal, grace: Duration) -> Option<ExitStatus> {
        self.signal(signal);
        // A frozen process takes no signal before it goes on.
        self.signal(Signal::Continue);
        self.wait_within(grace).or_else(|| {
            Signal::Kill.send_group(self.id());
            self.signal(Signal::Kill);
            self.wait_within(KILLED)
        })
    }
}

impl Drop for BoundChild {
    fn drop(&mut self) {
        if matches!(self.try_wait(), Ok(None)) {
            self.kill();
        }
    }
}
