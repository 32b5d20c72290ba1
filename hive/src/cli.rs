//! The commands and their arguments.

use clap::{Args, Parser, Subcommand};

use crate::{
    agent, agent::memory, batch, budget, checkpoint, cycle, dead, dev, doctor, eval, failure::Failure,
    housekeeping, message, migrate, models, models::routing, probe, provider, queue, queue::events, schedule,
    session, settings::Connection, sleep, task, usage, verify,
};

/// Runs a fleet of Claude agents that develop software.
///
/// Exit codes: 0 done, 1 failed, 2 usage, 3 the task that was waited for did not succeed, 4 server not reachable,
/// 5 denied, 6 the question that was waited for stayed unanswered.
#[derive(Parser)]
#[command(name = "hive", version)]
pub(crate) struct Cli {
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start everything on this machine: stores, api, workers, scheduler, and without a key the Claude double.
    Dev(dev::Options),
    /// Bring the database schema up to this version and make the agents of the roster.
    Migrate(migrate::Options),
    /// Look at this machine and the server, and say what is missing.
    Doctor(doctor::Options),
    /// Check that nothing is lost, doubled or paid twice; exit code 1 when something is. Reads only.
    Verify(verify::Options),
    /// Ask a health page and end with 0 when it answers well: for the health checks of containers.
    Probe(probe::Options),
    /// Submit tasks and look at them.
    Task {
        #[command(subcommand)]
        command: task::Command,
        #[command(flatten)]
        common: Common,
    },
    /// Pause, drain and resume the fleet or a part of it; set limits.
    Queue {
        #[command(subcommand)]
        command: queue::Command,
        #[command(flatten)]
        common: Common,
    },
    /// Set how much money may be spent, and see how much of it is.
    Budget {
        #[command(subcommand)]
        command: budget::Command,
        #[command(flatten)]
        common: Common,
    },
    /// Look at requests that can wait and are sent together for half the price.
    Batch {
        #[command(subcommand)]
        command: batch::Command,
        #[command(flatten)]
        common: Common,
    },
    /// Show what calls to the model used and cost.
    Usage(usage::Options),
    /// Show what happened to the system, beside its tasks, and follow what happens.
    Events(events::Options),
    /// Look at what stands between the workers and Claude; give a stopped key back.
    Provider {
        #[command(subcommand)]
        command: provider::Command,
        #[command(flatten)]
        common: Common,
    },
    /// Look at tasks whose attempts are used up, and try them again.
    Dead {
        #[command(subcommand)]
        command: dead::Command,
        #[command(flatten)]
        common: Common,
    },
    /// Send messages to agents, and look at what agents write to each other.
    Message {
        #[command(subcommand)]
        command: message::Command,
        #[command(flatten)]
        common: Common,
    },
    /// Look into what is remembered, see how well it went for tasks that were given it, and store, change and forget it.
    Memory {
        #[command(subcommand)]
        command: memory::Command,
        #[command(flatten)]
        common: Common,
    },
    /// Make sessions, to which tasks can belong, and look at them.
    Session {
        #[command(subcommand)]
        command: session::Command,
        #[command(flatten)]
        common: Common,
    },
    /// Put agents to sleep: what is new in their memory is worked through, and their tasks and messages wait.
    Sleep(sleep::Options),
    /// Wake agents that sleep.
    Wake(sleep::Options),
    /// Look at agents.
    Agent {
        #[command(subcommand)]
        command: agent::Command,
        #[command(flatten)]
        common: Common,
    },
    /// Look at the models that there are.
    Models {
        #[command(subcommand)]
        command: models::Command,
        #[command(flatten)]
        common: Common,
    },
    /// Say which model answers which role and kind of step.
    Routing {
        #[command(subcommand)]
        command: routing::Command,
        #[command(flatten)]
        common: Common,
    },
    /// Make tasks by the clock.
    Schedule {
        #[command(subcommand)]
        command: schedule::Command,
        #[command(flatten)]
        common: Common,
    },
    /// Consolidate memories, see what nights did to them, and take that back.
    Cycle {
        #[command(subcommand)]
        command: cycle::Command,
        #[command(flatten)]
        common: Common,
    },
    /// Make checkpoints of the whole system, and restore one.
    Checkpoint {
        #[command(subcommand)]
        command: checkpoint::Command,
    },
    /// Measure on questions with known answers.
    Eval {
        #[command(subcommand)]
        command: eval::Command,
    },
    /// Remove what nobody needs any more.
    Housekeeping {
        #[command(subcommand)]
        command: housekeeping::Command,
        #[command(flatten)]
        common: Common,
    },
}

/// Options of every command that talks to the server.
#[derive(Args)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(crate) connection: Connection,
}

impl Cli {
    /// Runs the command on this thread: what `hive dev` starts must die with it, and the kernel ties a child's life to
    /// the thread that started it.
    pub(crate) fn run_here(self) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.run())
    }

    async fn run(self) -> Result<(), Failure> {
        if !matches!(self.command, Command::Dev(_)) {
            hive_local::end_on_closed_pipe();
        }
        match self.command {
            Command::Dev(options) => dev::run(options).await,
            Command::Migrate(options) => migrate::run(&options).await,
            Command::Doctor(options) => doctor::run(&options, self.json).await,
            Command::Verify(options) => verify::run(&options, self.json).await,
            Command::Probe(options) => probe::run(options).await,
            Command::Task { command, common } => task::run(command, &common, self.json).await,
            Command::Provider { command, common } => provider::run(command, &common, self.json).await,
            Command::Queue { command, common } => queue::run(command, &common, self.json).await,
            Command::Budget { command, common } => budget::run(command, &common, self.json).await,
            Command::Batch { command, common } => batch::run(command, &common, self.json).await,
            Command::Usage(options) => usage::run(&options, self.json).await,
            Command::Events(options) => events::run(&options, self.json).await,
            Command::Dead { command, common } => dead::run(command, &common, self.json).await,
            Command::Message { command, common } => message::run(command, &common, self.json).await,
            Command::Memory { command, common } => memory::run(command, &common, self.json).await,
            Command::Session { command, common } => session::run(command, &common, self.json).await,
            Command::Sleep(options) => sleep::sleep(options, self.json).await,
            Command::Wake(options) => sleep::wake(options, self.json).await,
            Command::Agent { command, common } => agent::run(command, &common, self.json).await,
            Command::Models { command, common } => models::run(command, &common, self.json).await,
            Command::Routing { command, common } => routing::run(command, &common, self.json).await,
            Command::Schedule { command, common } => schedule::run(command, &common, self.json).await,
            Command::Cycle { command, common } => cycle::run(command, &common, self.json).await,
            Command::Checkpoint { command } => checkpoint::run(command, self.json).await,
            Command::Eval { command } => eval::run(command, self.json).await,
            Command::Housekeeping { command, common } => housekeeping::run(command, &common, self.json).await,
        }
    }
}
