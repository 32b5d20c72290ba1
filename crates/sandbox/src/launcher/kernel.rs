//! System calls of the launcher, each made safe to call.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

pub(super) type Pid = libc::pid_t;

pub(super) fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn check_long(result: libc::c_long) -> io::Result<libc::c_int> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    libc::c_int::try_from(result).map_err(|_| io::Error::from_raw_os_error(libc::EOVERFLOW))
}

pub(super) fn is_root() -> bool {
    effective_uid() == 0
}

pub(super) fn effective_uid() -> u32 {
    // SAFETY: geteuid has no preconditions and cannot fail.
    unsafe { libc::geteuid() }
}

/// Makes orphans among our descendants our children, so that they cannot get out of sight.
pub(super) fn adopt_orphans() -> io::Result<()> {
    // SAFETY: prctl with integer arguments touches no memory of ours.
    check(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }).map(drop)
}

/// Has the kernel kill this process when the thread that started it dies. A change of uid undoes it.
pub(super) fn die_with_parent(parent: Pid) -> io::Result<()> {
    // SAFETY: prctl with integer arguments touches no memory of ours.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) })?;
    // SAFETY: getppid has no preconditions and cannot fail.
    if unsafe { libc::getppid() } != parent {
        // The parent died before the kernel knew that we care.
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    Ok(())
}

pub(super) fn forbid_new_privileges() -> io::Result<()> {
    // SAFETY: prctl with integer arguments touches no memory of ours.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }).map(drop)
}

pub(super) fn new_session() -> io::Result<()> {
    // SAFETY: setsid has no preconditions.
    check(unsafe { libc::setsid() }).map(drop)
}

/// Becomes `uid` for good, with no other group than its own.
pub(super) fn become_uid(uid: u32) -> io::Result<()> {
    // SAFETY: the list of groups is empty, so its pointer is not read.
    check(unsafe { libc::setgroups(0, std::ptr::null()) })?;
    // SAFETY: setresgid takes integers only.
    check(unsafe { libc::setresgid(uid, uid, uid) })?;
    // SAFETY: setresuid takes integers only.
    check(unsafe { libc::setresuid(uid, uid, uid) }).map(drop)
}

pub(super) fn kill(pid: Pid, signal: libc::c_int) -> io::Result<()> {
    // SAFETY: kill takes integers only.
    check(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// Kills every process of a uid that belongs to the sandbox, at once: a fork bomb cannot outrun it.
///
/// A child becomes that uid and signals all it may, which is that uid's processes and no other.
pub(super) fn kill_all_of(uid: u32) -> io::Result<()> {
    // SAFETY: the child only makes system calls on integers and leaves by _exit, which is allowed after fork
    // even when other threads exist.
    let child = check(unsafe { libc::fork() })?;
    if child == 0 {
        let done = become_uid(uid).and_then(|()| match kill(-1, libc::SIGKILL) {
            // There was nobody to kill.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            other => other,
        });
        // SAFETY: _exit ends the child without running anything else of ours.
        unsafe { libc::_exit(i32::from(done.is_err())) }
    }
    let status = loop {
        match wait(child, 0) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => break other?,
        }
    };
    match status {
        Some((_, 0)) => Ok(()),
        _ => Err(io::Error::other("the processes of the uid could not be killed")),
    }
}

/// A child that has ended, with its raw status. `None` when children live but none has ended (`WNOHANG`).
pub(super) fn wait(pid: Pid, flags: libc::c_int) -> io::Result<Option<(Pid, libc::c_int)>> {
    let mut status = 0;
    // SAFETY: `status` is writable for the time of the call.
    let pid = check(unsafe { libc::waitpid(pid, &raw mut status, flags) })?;
    Ok((pid != 0).then_some((pid, status)))
}

/// Processor time of the children that were waited for, and of theirs.
pub(super) fn time_of_reaped_children() -> io::Result<Duration> {
    // SAFETY: rusage is plain data for which all zeroes is a valid value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is writable for the time of the call.
    check(unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage) })?;
    let of = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec.cast_unsigned()) + Duration::from_micros(time.tv_usec.cast_unsigned())
    };
    Ok(of(usage.ru_utime) + of(usage.ru_stime))
}

/// Ticks in which `/proc` counts processor time.
pub(super) fn ticks_per_second() -> u64 {
    // SAFETY: sysconf takes an integer only.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    u64::try_from(ticks).ok().filter(|ticks| *ticks > 0).unwrap_or(100)
}

/// A handle that becomes readable when the process ends.
pub(super) fn process_handle(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes integers only.
    let fd = check_long(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: the kernel just gave us this descriptor and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Waits until one of the descriptors can be read, or for `timeout`. Says which can.
pub(super) fn poll<const N: usize>(
    descriptors: [BorrowedFd<'_>; N],
    timeout: Duration,
) -> io::Result<[bool; N]> {
    let mut entries =
        descriptors.map(|fd| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 });
    let timeout = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: `entries` is an array of N entries, writable for the time of the call.
    match check(unsafe { libc::poll(entries.as_mut_ptr(), N as libc::nfds_t, timeout) }) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok([false; N]),
        Err(error) => Err(error),
        Ok(_) => Ok(entries.map(|entry| entry.revents != 0)),
    }
}

/// A file in memory, without a name, closed on exec.
pub(super) fn memory_file() -> io::Result<File> {
    // SAFETY: the name is NUL-terminated and static.
    let fd = check(unsafe { libc::memfd_create(c"hive-order".as_ptr(), libc::MFD_CLOEXEC) })?;
    // SAFETY: the kernel just gave us this descriptor and nobody else knows it.
    Ok(unsafe { File::from_raw_fd(fd) })
}

pub(super) fn keep_on_exec(fd: libc::c_int) -> io::Result<()> {
    // SAFETY: F_SETFD takes integers only.
    check(unsafe { libc::fcntl(fd, libc::F_SETFD, 0) }).map(drop)
}

/// Closes everything but stdin, stdout and stderr at the next exec.
pub(super) fn close_the_rest_on_exec() -> io::Result<()> {
    // SAFETY: close_range with this flag only marks descriptors and closes none.
    check_long(unsafe {
        libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC)
    })
    .map(drop)
}

/// The descriptor with this number, which must be ours alone.
pub(super) fn adopt_descriptor(number: libc::c_int) -> io::Result<File> {
    // SAFETY: F_GETFD takes integers only.
    check(unsafe { libc::fcntl(number, libc::F_GETFD) })?;
    // SAFETY: it is open, and the stage before left it open for us to own; nothing else here refers to it.
    Ok(unsafe { File::from_raw_fd(number) })
}

pub(super) fn replace_stdin_by_null() -> io::Result<()> {
    let null = File::open("/dev/null")?;
    // SAFETY: both descriptors are open; 0 is owned by nobody in this process.
    check(unsafe { libc::dup2(null.as_raw_fd(), 0) }).map(drop)
}

pub(super) fn set_umask(mask: libc::mode_t) {
    // SAFETY: umask takes an integer and cannot fail.
    unsafe { libc::umask(mask) };
}

pub(super) fn set_limit(resource: libc::__rlimit_resource_t, value: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: value.min(hard), rlim_max: hard };
    // SAFETY: `limit` is readable for the time of the call.
    check(unsafe { libc::setrlimit(resource, &raw const limit) }).map(drop)
}

/// The soft and the hard limit.
pub(super) fn limit(resource: libc::__rlimit_resource_t) -> io::Result<(u64, u64)> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is writable for the time of the call.
    check(unsafe { libc::getrlimit(resource, &raw mut limit) })?;
    Ok((limit.rlim_cur, limit.rlim_max))
}

/// The Landlock ABI of the kernel.
pub(super) fn landlock_abi() -> io::Result<i32> {
    const VERSION: libc::c_uint = 1;
    // SAFETY: with this flag the kernel reads no attributes, so the null pointer is not followed.
    check_long(unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<libc::c_void>(), 0, VERSION)
    })
}

pub(super) fn lock(file: &File, flags: libc::c_int) -> io::Result<()> {
    // SAFETY: flock takes integers only.
    check(unsafe { libc::flock(file.as_raw_fd(), flags) }).map(drop)
}
