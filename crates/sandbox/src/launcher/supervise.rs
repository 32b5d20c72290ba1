//! The outer stage: starts the inner one, watches the run, ends it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, PipeReader};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::cgroup::Cgroup;
use super::control::Control;
use super::kernel::{self, Pid};
use super::prepare::{Failed, Prepared, prepare};
use super::process_tree::{self, Use};
use super::usage::DiskWatch;
use super::{bubblewrap, rlimits};
use crate::job::Limits;
use crate::output::{Exit, Limit};
use crate::wire::{Answer, Ended};

/// How often the processes are measured.
const TICK: Duration = Duration::from_millis(100);

/// Reads an order from stdin, carries it out, and answers on the same socket.
pub(super) fn supervise() -> io::Result<()> {
    let mut control = Control::from_stdin()?;
    let order = control.order()?;
    kernel::adopt_orphans()?;
    let answer = match prepare(order, &mut control) {
        Ok(prepared) => run(&prepared, &mut control).unwrap_or_else(Failed::answer),
        Err(failed) => failed.answer(),
    };
    control.say(&answer);
    Ok(())
}

/// Runs the command to its end. When this returns, none of its processes is left.
fn run(prepared: &Prepared, control: &mut Control) -> Result<Answer, Failed> {
    let (child, report) = start(prepared).map_err(Failed::at("start"))?;
    let started = Instant::now();
    let watched = watch(prepared, child, control);
    let leftovers = process_tree::end_all(prepared.slot.as_ref().map(|slot| slot.uid));
    let watched = watched.map_err(Failed::at("watch"))?;
    let wall = started.elapsed();
    // The inner stage is dead, so this reads what it said and ends.
    let last_word = last_word(report, prepared, watched.status);
    // One that is cancelled while its walls are put up is a cancelled one.
    let was_early =
        matches!(last_word, Some(Answer::Refused { .. })) && watched.ended_by == Some(Limit::Cancelled);
    if let Some(answer) = last_word.filter(|_| !was_early) {
        return Ok(answer);
    }
    let exit = watched.status.map_or(Exit::Signal(libc::SIGKILL), exit_of);
    let cpu = kernel::time_of_reaped_children().map_err(Failed::at("watch"))?.max(watched.cpu);
    let limits = &prepared.stage.order.limits;
    let out_of_memory = prepared.cgroup.as_ref().is_some_and(Cgroup::out_of_memory);
    Ok(Answer::Ended(Ended {
        exit,
        ended_by: watched.ended_by.or_else(|| held_by_the_kernel(exit, cpu, out_of_memory, limits)),
        wall_ms: milliseconds(wall),
        cpu_ms: milliseconds(cpu),
        peak_memory: watched.peak_memory,
        leftovers,
    }))
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Starts the inner stage, wrapped when bubblewrap is asked for.
fn start(prepared: &Prepared) -> io::Result<(Pid, PipeReader)> {
    let stage = &prepared.stage;
    let stage_file = stage.write()?;
    let (report, report_inside) = io::pipe()?;
    // Through a descriptor the launcher can be executed by a uid that could not reach it by its path.
    let own_program = File::open("/proc/self/exe")?;
    let program = format!("/proc/self/fd/{}", own_program.as_raw_fd());
    let mut command = match &stage.order.bubblewrap {
        Some(bwrap) => {
            let mut command = Command::new(bwrap);
            command.args(bubblewrap::arguments(stage)).arg(program);
            command
        }
        None => Command::new(program),
    };
    let kept = [stage_file.as_raw_fd(), report_inside.as_raw_fd(), own_program.as_raw_fd()];
    command.arg("inner").arg(kept[0].to_string()).arg(kept[1].to_string());
    command.env_clear().current_dir("/").stdin(Stdio::null());
    let doors: Vec<PathBuf> = prepared.cgroup.iter().flat_map(Cgroup::doors).collect();
    let limits = rlimits::wanted(&stage.order.limits, stage.processes);
    let uid = prepared.slot.as_ref().map(|slot| slot.uid);
    let supervisor = stage.supervisor;
    let before_exec = move || {
        kernel::new_session()?;
        for door in &doors {
            std::fs::write(door, "0")?;
        }
        // When the machine runs out of memory, the command goes before the worker. A refinement only.
        std::fs::write("/proc/self/oom_score_adj", "500").ok();
        rlimits::lower(&limits)?;
        if let Some(uid) = uid {
            kernel::become_uid(uid)?;
        }
        kernel::die_with_parent(supervisor)?;
        kept.into_iter().try_for_each(kernel::keep_on_exec)
    };
    // SAFETY: no other thread exists in this process yet, so the child may do what any process may.
    unsafe { command.pre_exec(before_exec) };
    let child = command.spawn()?;
    Ok((child.id().cast_signed(), report))
}

struct Watched {
    /// The raw status, when the command ended before it was killed.
    status: Option<libc::c_int>,
    ended_by: Option<Limit>,
    peak_memory: u64,
    cpu: Duration,
}

/// Waits for the end of the command, for a limit, or for the worker's word.
fn watch(prepared: &Prepared, child: Pid, control: &mut Control) -> io::Result<Watched> {
    let limits = &prepared.stage.order.limits;
    let handle = kernel::process_handle(child)?;
    let disk = DiskWatch::start(
        vec![
            prepared.workspace.try_clone()?,
            File::open(&prepared.stage.tmp)?,
            File::open(&prepared.stage.home)?,
        ],
        limits,
    );
    let ticks = kernel::ticks_per_second();
    let cpu_limit = Duration::from_secs(limits.cpu_seconds);
    let deadline = Instant::now() + limits.wall;
    let mut next_tick = Instant::now() + TICK;
    let mut watched = Watched { status: None, ended_by: None, peak_memory: 0, cpu: Duration::ZERO };
    while watched.ended_by.is_none() {
        let now = Instant::now();
        let pause = next_tick.min(deadline).saturating_duration_since(now) + Duration::from_millis(1);
        let [asked, _] = kernel::poll([control.as_fd(), handle.as_fd()], pause)?;
        if let Some(status) = reap(child) {
            watched.status = Some(status);
            break;
        }
        if asked || control.holds_word() {
            watched.ended_by = control.end_requested();
        }
        let now = Instant::now();
        if now >= deadline {
            watched.ended_by = watched.ended_by.or(Some(Limit::WallTime));
        }
        if now < next_tick {
            continue;
        }
        next_tick = now + TICK;
        let mut used = process_tree::measure(ticks);
        watched.cpu = used.cpu + kernel::time_of_reaped_children()?;
        if watched.cpu >= cpu_limit {
            // A child that was collected while we looked counts twice, by itself and with its parent.
            used = process_tree::measure(ticks);
            watched.cpu = used.cpu + kernel::time_of_reaped_children()?;
        }
        watched.peak_memory = watched.peak_memory.max(used.memory);
        let out_of_memory = prepared.cgroup.as_ref().is_some_and(Cgroup::out_of_memory);
        watched.ended_by = watched
            .ended_by
            .or(out_of_memory.then_some(Limit::Memory))
            .or_else(|| exceeded(&used, watched.cpu, limits))
            .or_else(|| disk.exceeded());
    }
    Ok(watched)
}

/// Collects what has ended, adopted orphans too. The status of the command, if it is among them.
fn reap(command: Pid) -> Option<libc::c_int> {
    let mut found = None;
    while let Ok(Some((pid, status))) = kernel::wait(-1, libc::WNOHANG) {
        if pid == command {
            found = Some(status);
        }
    }
    found
}

/// Tasks beyond the limit that are put down to bubblewrap and to threads that are just ending.
const TASK_SLACK: u64 = 8;

fn exceeded(used: &Use, cpu: Duration, limits: &Limits) -> Option<Limit> {
    if cpu >= Duration::from_secs(limits.cpu_seconds) {
        return Some(Limit::CpuTime);
    }
    if used.tasks > limits.processes + TASK_SLACK {
        return Some(Limit::Processes);
    }
    let over = used.memory > limits.memory_bytes
        && process_tree::fair_memory().is_none_or(|fair| fair > limits.memory_bytes);
    over.then_some(Limit::Memory)
}

/// The limit by which the kernel ended the command, as far as it shows.
fn held_by_the_kernel(exit: Exit, cpu: Duration, out_of_memory: bool, limits: &Limits) -> Option<Limit> {
    if out_of_memory {
        return Some(Limit::Memory);
    }
    // A shell reports the signal of its child as its own exit code.
    match exit.code() - 128 {
        libc::SIGXCPU => Some(Limit::CpuTime),
        libc::SIGXFSZ => Some(Limit::FileSize),
        libc::SIGKILL if cpu >= Duration::from_secs(limits.cpu_seconds) => Some(Limit::CpuTime),
        _ => None,
    }
}

fn exit_of(status: libc::c_int) -> Exit {
    if libc::WIFSIGNALED(status) {
        Exit::Signal(libc::WTERMSIG(status))
    } else {
        Exit::Code(libc::WEXITSTATUS(status))
    }
}

/// What the inner stage said last, unless it became the command.
fn last_word(report: PipeReader, prepared: &Prepared, status: Option<libc::c_int>) -> Option<Answer> {
    let mut started = false;
    for line in BufReader::new(report).lines().map_while(Result::ok) {
        match serde_json::from_str(&line) {
            Ok(Answer::Started) => started = true,
            Ok(Answer::Tested(mut test)) => {
                test.cgroup = prepared.cgroup.as_ref().map(|cgroup| cgroup.version);
                return Some(Answer::Tested(test));
            }
            Ok(answer) => return Some(answer),
            Err(error) => {
                return Some(Answer::Refused { wall: "setup".to_owned(), reason: error.to_string() });
            }
        }
    }
    if started {
        return None;
    }
    let wall = if prepared.stage.in_bubblewrap { "bubblewrap" } else { "setup" };
    let how =
        status.map_or_else(|| "was ended".to_owned(), |status| format!("ended with {:?}", exit_of(status)));
    Some(Answer::Refused { wall: wall.to_owned(), reason: format!("it {how} before the walls stood") })
}
