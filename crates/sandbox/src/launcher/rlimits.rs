//! Limits that the kernel holds for each process, and for the uid the number of processes.

use std::io;

use super::kernel;
use crate::job::Limits;

/// Files a process may have open; the customary soft limit of a login.
const OPEN_FILES: u64 = 1_024;

/// What each limit is to be. Node and Go reserve address space by the gigabyte, so memory is limited by what
/// is written to (`RLIMIT_DATA`) and not by addresses (`RLIMIT_AS`).
pub(super) fn wanted(limits: &Limits, processes: u64) -> Vec<(libc::__rlimit_resource_t, u64, u64)> {
    vec![
        // A second between SIGXCPU, by which the end is known, and SIGKILL.
        (libc::RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + 1),
        (libc::RLIMIT_DATA, limits.memory_bytes, limits.memory_bytes),
        (libc::RLIMIT_NPROC, processes, processes),
        (libc::RLIMIT_FSIZE, limits.file_size, limits.file_size),
        (libc::RLIMIT_NOFILE, OPEN_FILES, OPEN_FILES),
        (libc::RLIMIT_CORE, 0, 0),
        (libc::RLIMIT_MSGQUEUE, 0, 0),
        (libc::RLIMIT_RTPRIO, 0, 0),
    ]
}

/// Lowers the limits of this process. A limit that is lower already stays.
pub(super) fn lower(wanted: &[(libc::__rlimit_resource_t, u64, u64)]) -> io::Result<()> {
    for (resource, soft, hard) in wanted {
        let (_, hard_now) = kernel::limit(*resource)?;
        kernel::set_limit(*resource, *soft, (*hard).min(hard_now))?;
    }
    Ok(())
}

/// The limits that are higher than they should be.
pub(super) fn too_high(wanted: &[(libc::__rlimit_resource_t, u64, u64)]) -> Vec<String> {
    wanted
        .iter()
        .filter_map(|(resource, soft, hard)| match kernel::limit(*resource) {
            Ok((soft_now, hard_now)) if soft_now <= *soft && hard_now <= *hard => None,
            Ok((soft_now, hard_now)) => Some(format!(
                "resource {resource} is limited to {soft_now} and {hard_now} instead of {soft} and {hard}"
            )),
            Err(error) => Some(format!("resource {resource}: {error}")),
        })
        .collect()
}

/// Processes and threads of a uid. The kernel counts all of them against the limit, so a uid that the worker
/// shares starts from what is there.
pub(super) fn tasks_of(uid: u32) -> io::Result<u64> {
    let mut tasks = 0;
    for process in std::fs::read_dir("/proc")? {
        // A process that ends meanwhile is not counted.
        let Ok(status) = std::fs::read_to_string(process?.path().join("status")) else {
            continue;
        };
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        if field("Uid:") == Some(u64::from(uid)) {
            tasks += field("Threads:").unwrap_or(1);
        }
    }
    Ok(tasks)
}
