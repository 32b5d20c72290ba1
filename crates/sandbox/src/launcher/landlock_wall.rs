//! Landlock: the file system but for a list of paths does not exist, and signals stay inside.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};

use super::{kernel, paths};

/// The least ABI with a uid of its own: files are protected from truncation since 3 (Linux 6.2).
pub(super) const LEAST_ABI: i32 = 3;

/// The least ABI when the command shares the worker's uid: signals are kept inside since 6 (Linux 6.12).
pub(super) const LEAST_ABI_WITH_SHARED_UID: i32 = 6;

/// The newest ABI whose rights this wall knows; of a newer kernel it uses these.
const KNOWN_ABI: i32 = 6;

/// The paths that depend on the run.
pub(super) struct Paths<'a> {
    pub read_only: Vec<&'a Path>,
    pub writable: Vec<&'a Path>,
    pub in_bubblewrap: bool,
}

/// Checks that the kernel can do what the wall needs.
pub(super) fn check_kernel(shared_uid: bool) -> Result<i32, String> {
    let abi = kernel::landlock_abi().map_err(|error| {
        format!("the kernel refuses Landlock ({error}); it needs Linux 6.2 with `landlock` in its `lsm=` list, and a container profile that allows it")
    })?;
    let least = if shared_uid { LEAST_ABI_WITH_SHARED_UID } else { LEAST_ABI };
    if abi < least {
        let hint = if shared_uid { " without bubblewrap and without root" } else { "" };
        return Err(format!("the kernel's Landlock ABI is {abi}, and {least} is the least{hint}"));
    }
    Ok(abi)
}

/// Confines this process and all that it will start. There is no way back.
pub(super) fn raise(paths: &Paths<'_>) -> Result<(), String> {
    let abi = kernel::landlock_abi().map_err(|error| error.to_string())?;
    restrict(paths, ABI::from(abi.min(KNOWN_ABI))).map_err(|error| error.to_string()).and_then(|status| {
        match status {
            RulesetStatus::FullyEnforced => Ok(()),
            other => Err(format!("Landlock is {other:?}, not fully enforced")),
        }
    })
}

fn restrict(run: &Paths<'_>, abi: ABI) -> Result<RulesetStatus, landlock::RulesetError> {
    let (read, write) = (AccessFs::from_read(abi), AccessFs::from_all(abi));
    // What the kernel said it can do it must do: nothing is left out silently.
    let mut ruleset =
        Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(write)?;
    if abi >= ABI::V4 {
        ruleset = ruleset.handle_access(AccessNet::BindTcp | AccessNet::ConnectTcp)?;
    }
    if abi >= ABI::V6 {
        ruleset = ruleset.scope(Scope::AbstractUnixSocket | Scope::Signal)?;
    }
    let mut created = ruleset.create()?;
    let shared = if run.in_bubblewrap { paths::NAMESPACE_READABLE } else { paths::MACHINE };
    for path in [paths::SYSTEM, paths::SETTINGS, paths::DEVICES, shared].into_iter().flatten() {
        created = allow(created, Path::new(path), read, abi)?;
    }
    for path in &run.read_only {
        created = allow(created, path, read, abi)?;
    }
    created = allow(created, Path::new(paths::NULL), AccessFs::ReadFile | AccessFs::WriteFile, abi)?;
    for path in &run.writable {
        created = allow(created, path, write, abi)?;
    }
    if run.in_bubblewrap {
        for path in paths::NAMESPACE_WRITABLE {
            created = allow(created, Path::new(path), write, abi)?;
        }
    }
    Ok(created.restrict_self()?.ruleset)
}

/// A path that does not exist needs no rule: what is not allowed is refused.
fn allow(
    ruleset: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
    abi: ABI,
) -> Result<RulesetCreated, landlock::RulesetError> {
    let Ok(handle) = PathFd::new(path) else {
        return Ok(ruleset);
    };
    // Rights on directories asked for a file make the kernel refuse the rule.
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(abi) };
    ruleset.add_rule(PathBeneath::new(handle, access))
}
