//! What has to be in place before the inner stage starts.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::cgroup::Cgroup;
use super::control::Control;
use super::scratch::Scratch;
use super::stage::Stage;
use super::uid_slot::UidSlot;
use super::{kernel, own, rlimits};
use crate::wire::{Answer, Order, Task};

/// How often a workspace that is in use is asked for.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Everything that exists for one run. Dropping it removes it; the processes must be dead by then.
pub(super) struct Prepared {
    pub stage: Stage,
    pub slot: Option<UidSlot>,
    pub cgroup: Option<Cgroup>,
    pub workspace: File,
    _scratch: Scratch,
}

/// Which wall or step failed, and why.
pub(super) struct Failed(&'static str, String);

impl Failed {
    pub(super) fn at(step: &'static str) -> impl Fn(io::Error) -> Self {
        move |error| Self(step, error.to_string())
    }

    pub(super) fn answer(self) -> Answer {
        Answer::Refused { wall: self.0.to_owned(), reason: self.1 }
    }
}

/// Prepares uid, workspace, temporary files and cgroup.
pub(super) fn prepare(mut order: Order, control: &mut Control) -> Result<Prepared, Failed> {
    let private = order.confined && kernel::is_root();
    let (slot, workspace, scratch) = match order.task {
        Task::SelfTest => {
            let slot = take_slot(&order, private, 0)?;
            let scratch = make_scratch(&order, slot.as_ref())?;
            scratch.add_self_test(slot.as_ref().map(|slot| slot.uid)).map_err(Failed::at("scratch"))?;
            order.workspace = scratch.workspace();
            let workspace = open(&order.workspace)?;
            (slot, workspace, scratch)
        }
        Task::Command(_) => {
            let workspace = open(&order.workspace)?;
            if private {
                lock(&workspace, &order, control)?;
                if let Some(why) = own::unfit(&workspace, &order).map_err(Failed::at("workspace"))? {
                    let path = order.workspace.display();
                    return Err(Failed("workspace", format!("{path} is no workspace: {why}")));
                }
            }
            let slot = take_slot(&order, private, own::last_uid(&order.workspace))?;
            if let Some(slot) = &slot {
                own::hand_over(&workspace, slot.uid, order.uid_range).map_err(Failed::at("workspace"))?;
            }
            let scratch = make_scratch(&order, slot.as_ref())?;
            (slot, workspace, scratch)
        }
    };
    let cgroup = if order.cgroup {
        Some(Cgroup::make(&order.limits).map_err(|reason| Failed("cgroup", reason))?)
    } else {
        None
    };
    let processes = processes(&order, slot.is_some()).map_err(Failed::at("rlimits"))?;
    let stage = Stage {
        tmp: scratch.tmp(),
        home: scratch.home(),
        outside: scratch.outside(),
        supervisor: std::process::id().cast_signed(),
        processes,
        in_bubblewrap: order.bubblewrap.is_some(),
        shared_uid: slot.is_none(),
        order,
    };
    Ok(Prepared { stage, slot, cgroup, workspace, _scratch: scratch })
}

fn open(workspace: &Path) -> Result<File, Failed> {
    File::options().read(true).custom_flags(libc::O_DIRECTORY).open(workspace).map_err(|error| {
        Failed("workspace", format!("{} is no directory that can be used: {error}", workspace.display()))
    })
}

/// A run changes the owner of the workspace, so runs in one workspace take turns.
fn lock(workspace: &File, order: &Order, control: &mut Control) -> Result<(), Failed> {
    let deadline = Instant::now() + order.limits.wall;
    loop {
        match kernel::lock(workspace, libc::LOCK_EX | libc::LOCK_NB) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(Failed::at("workspace")(error)),
        }
        let [asked] =
            kernel::poll([std::os::fd::AsFd::as_fd(control)], LOCK_PAUSE).map_err(Failed::at("workspace"))?;
        if (asked || control.holds_word()) && control.end_requested().is_some() {
            return Err(Failed("workspace", "cancelled while another run used the workspace".to_owned()));
        }
        if Instant::now() > deadline {
            return Err(Failed(
                "workspace",
                "another run has been using the workspace all the time".to_owned(),
            ));
        }
    }
}

fn take_slot(order: &Order, private: bool, preferred: u32) -> Result<Option<UidSlot>, Failed> {
    if !private {
        return Ok(None);
    }
    UidSlot::take(order.uid_range, &order.lock_dir, preferred)
        .map(Some)
        .map_err(|reason| Failed("uid", reason))
}

fn make_scratch(order: &Order, slot: Option<&UidSlot>) -> Result<Scratch, Failed> {
    Scratch::make(&order.scratch, slot.map(|slot| slot.uid))
        .map_err(|error| Failed("scratch", format!("{}: {error}", order.scratch.display())))
}

/// The limit for the uid. Bubblewrap adds two processes of its own.
fn processes(order: &Order, private: bool) -> io::Result<u64> {
    let wanted = order.limits.processes + if order.bubblewrap.is_some() { 2 } else { 0 };
    Ok(if private { wanted } else { wanted + rlimits::tasks_of(kernel::effective_uid())? })
}
