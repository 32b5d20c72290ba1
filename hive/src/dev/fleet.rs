//! The processes of one `hive dev`, started, revived and stopped together.

use std::{
    fs::{self, File},
    process::Stdio,
    time::{Duration, Instant},
};

use hive_local::{BoundChild, Signal, spawn_bound};

use super::plan::Plan;
use crate::{failure::Failure, output};

/// A process that ended sooner than this after its start is not started again at once.
const STEADY: Duration = Duration::from_secs(2);

struct Member {
    name: String,
    child: BoundChild,
    started: Instant,
}

/// All processes but the stores. Dropping it kills them.
pub(super) struct Fleet {
    members: Vec<Member>,
}

impl Fleet {
    pub(super) fn start(plan: &Plan) -> Result<Self, Failure> {
        let mut fleet = Self { members: Vec::new() };
        for (name, _) in plan.processes()? {
            let member = spawn(plan, &name)?;
            fleet.members.push(member);
        }
        Ok(fleet)
    }

    /// Says which process ended, if one did.
    pub(super) fn ended(&mut self, plan: &Plan) -> Option<String> {
        self.members.iter_mut().find_map(|member| {
            let status = member.child.try_wait().ok().flatten()?;
            let log = plan.logs().join(format!("{}.log", member.name));
            let said = fs::read_to_string(&log).unwrap_or_default();
            let last = output::plain(said.lines().next_back().unwrap_or("it said nothing"));
            Some(format!("{} ended ({status}): {last}\nits log is {}", member.name, log.display()))
        })
    }

    /// Starts again what was killed.
    pub(super) fn revive(&mut self, plan: &Plan) -> Result<(), Failure> {
        for member in &mut self.members {
            let Some(status) = member.child.try_wait()? else { continue };
            if member.started.elapsed() < STEADY {
                continue;
            }
            eprintln!("{} ended ({status}) and is started again", member.name);
            *member = spawn(plan, &member.name)?;
        }
        Ok(())
    }

    /// Asks all to end. What still runs when this is dropped is killed.
    pub(super) fn ask_to_stop(&mut self) {
        for member in &mut self.members {
            member.child.signal(Signal::Terminate);
        }
    }

    /// Whether one of them has not ended yet.
    pub(super) fn is_running(&mut self) -> bool {
        self.members.iter_mut().any(|member| matches!(member.child.try_wait(), Ok(None)))
    }
}

fn spawn(plan: &Plan, name: &str) -> Result<Member, Failure> {
    let processes = plan.processes()?;
    let found = processes.into_iter().find(|(other, _)| other == name);
    let (name, mut command) = found.ok_or_else(|| Failure::Failed(format!("there is no process {name}")))?;
    let log = File::options().create(true).append(true).open(plan.logs().join(format!("{name}.log")))?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let child = spawn_bound(command).map_err(|error| Failure::Failed(error.to_string()))?;
    Ok(Member { name, child, started: Instant::now() })
}
