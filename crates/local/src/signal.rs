//! The signals we send.

/// A signal to a child process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT; to Postgres: a fast, orderly shutdown.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGQUIT; to Postgres: end at once, recover at the next start.
    Quit,
    /// SIGKILL.
    Kill,
    /// SIGSTOP: freeze.
    Stop,
    /// SIGCONT: go on after a freeze.
    Continue,
}

impl Signal {
    pub(crate) const fn number(self) -> libc::c_int {
        match self {
            Self::Interrupt => libc::SIGINT,
            Self::Terminate => libc::SIGTERM,
            Self::Quit => libc::SIGQUIT,
            Self::Kill => libc::SIGKILL,
            Self::Stop => libc::SIGSTOP,
            Self::Continue => libc::SIGCONT,
        }
    }

    /// Sends the signal to one process. A process that is gone is no error: it was to end anyway.
    pub(crate) fn send(self, pid: u32) {
        self.deliver(pid.cast_signed());
    }

    /// Sends the signal to every process of a group.
    pub(crate) fn send_group(self, pid: u32) {
        self.deliver(-pid.cast_signed());
    }

    fn deliver(self, target: libc::pid_t) {
        // 0 and -1 address our own group and everything we may reach.
        if target == 0 || target == -1 {
            return;
        }
        // SAFETY: kill takes two integers and touches no memory of ours.
        unsafe { libc::kill(target, self.number()) };
    }
}

/// Lets this process end quietly when whoever reads its output goes away, as other commands do; Rust programs would
/// panic at their next line.
pub fn end_on_closed_pipe() {
    // SAFETY: SIG_DFL is a valid disposition for SIGPIPE, and no other thread of a starting command changes it.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}
