//! Keeping other processes of the same user out of this one.

use std::io;

/// Makes `/proc/<pid>/environ`, `mem` and the like of this process unreadable to everyone but root, and keeps it from
/// being traced and from dumping core. A worker that is not root runs commands under its own uid; its key must not be
/// a file that they could open, were another wall to fall.
///
/// # Errors
/// What the kernel says.
pub fn hide_process() -> io::Result<()> {
    // SAFETY: prctl with integer arguments touches no memory of ours.
    if unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_process_is_not_dumpable() {
        hide_process().unwrap();
        // SAFETY: prctl with integer arguments touches no memory of ours.
        assert_eq!(unsafe { libc::prctl(libc::PR_GET_DUMPABLE, 0, 0, 0, 0) }, 0);
    }
}
