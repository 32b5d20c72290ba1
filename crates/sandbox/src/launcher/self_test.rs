//! Trying, from inside, what the walls must prevent.

use std::fs::File;
use std::io;

use super::stage::Stage;
use super::{kernel, landlock_wall, rlimits};
use crate::wire::SelfTest;

/// Runs behind the walls, in the place of a command.
pub(super) fn run(stage: &Stage) -> SelfTest {
    let mut missing = Vec::new();
    let mut expect = |wall: &str, holds: bool, seen: &str| {
        if !holds {
            missing.push((wall.to_owned(), seen.to_owned()));
        }
    };
    // Anyone's permissions allow both, so only the wall can refuse; in bubblewrap the file is not even there.
    expect("landlock", File::open(&stage.outside).is_err(), "a file outside of the workspace was read");
    let written = File::options().append(true).open(&stage.outside);
    expect("landlock", written.is_err(), "a file outside of the workspace was opened for writing");
    let inside = std::fs::write(stage.order.workspace.join("written"), "inside");
    expect("landlock", inside.is_ok(), "the workspace cannot be written to");
    let signal = kernel::kill(stage.supervisor, 0);
    expect("landlock", signal.is_err(), "the launcher can be reached by signals");

    for (family, kind, name) in [
        (libc::AF_INET, libc::SOCK_STREAM, "TCP"),
        (libc::AF_INET6, libc::SOCK_DGRAM, "UDP"),
        (libc::AF_UNIX, libc::SOCK_STREAM, "unix"),
        (libc::AF_NETLINK, libc::SOCK_RAW, "netlink"),
    ] {
        let refused = call_refused(libc::SYS_socket, [family.into(), kind.into(), 0]);
        expect("seccomp", refused, &format!("a {name} socket was made"));
    }
    // A failure for another reason than the filter's would not tell that the filter stands.
    let unshare = call_refused(libc::SYS_unshare, [libc::CLONE_NEWUSER.into(), 0, 0]);
    expect("seccomp", unshare, "unshare was not refused");
    let keyctl = call_refused(libc::SYS_keyctl, [0, 0, 0]);
    expect("seccomp", keyctl, "keyctl was not refused");

    let wanted = rlimits::wanted(&stage.order.limits, stage.processes);
    let too_high = rlimits::too_high(&wanted);
    expect("rlimits", too_high.is_empty(), &too_high.join("; "));
    expect("uid", !kernel::is_root(), "the command runs as root");
    expect("uid", has_no_capability(), "the command has capabilities");
    expect("no_new_privs", new_privileges_forbidden(), "set-uid programs would be obeyed");
    SelfTest {
        landlock_abi: landlock_wall::check_kernel(false).unwrap_or(0),
        private_uid: !stage.shared_uid,
        cgroup: None,
        cgroup_note: None,
        missing,
    }
}

fn call_refused(call: libc::c_long, arguments: [libc::c_long; 3]) -> bool {
    // SAFETY: these calls with these arguments read and write no memory of ours; a descriptor that would be
    // made against expectation is closed when this process ends.
    let result = unsafe { libc::syscall(call, arguments[0], arguments[1], arguments[2]) };
    result < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::EPERM)
}

fn has_no_capability() -> bool {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: libc::c_int,
    }
    const VERSION_3: u32 = 0x2008_0522;
    let header = Header { version: VERSION_3, pid: 0 };
    // Effective, permitted and inheritable, for each half of the set.
    let mut sets = [u32::MAX; 6];
    // SAFETY: header and sets have the layout of capget's arguments and live for the time of the call.
    let result = unsafe { libc::syscall(libc::SYS_capget, &raw const header, sets.as_mut_ptr()) };
    let effective_and_permitted = [sets[0], sets[1], sets[3], sets[4]];
    result == 0 && effective_and_permitted == [0; 4]
}

fn new_privileges_forbidden() -> bool {
    // SAFETY: prctl with integer arguments touches no memory of ours.
    unsafe { libc::prctl(libc::PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 }
}
