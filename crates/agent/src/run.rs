//! One activation of a task: replay, then ask, act and append until it ends, parks or is handed back.

use std::{sync::Arc, time::Duration};

use fail::fail_point;
use hive_claude::{Claude, RetryPolicy};
use hive_domain::{
    AgentDefinition, ErrorClass, Lease, Limits, NanoUsd, Outcome, StatusReason, ToolName, Usage,
    journal::{Entry, Note, TaskResult, is_readable},
    task::Task,
    transcript::{Next, Transcript},
};
use hive_queue::Queue;
use hive_sandbox::Sandbox;
use hive_store::Store;
use hive_workspace::Workspaces;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    act,
    ask::{HOST_TROUBLE, Question},
    choice::Rules,
    conversation::{self, tools_of},
    definitions::Definitions,
    files::{Files, FilesError},
    gate::Gate,
    model_book::ModelBook,
    notifier::Notifier,
    outside,
    recollection::Recollection,
    recording::Recorder,
    segments::Tried,
    window::Windows,
};

/// Steps read at a time when a journal is replayed.
const PAGE: i64 = 200;
/// The channel that watchers of tasks listen to.
pub const TASK_UPDATES: &str = "task_updates";

/// Everything a run needs of its worker.
pub struct Agent {
    /// The truth.
    pub store: Store,
    /// Tells watchers that there is something to read.
    pub queue: Queue,
    /// The model.
    pub claude: Claude,
    /// The files.
    pub workspaces: Workspaces,
    /// Where repositories may lie; see `hive_workspace::RepositoryUrl::parse`.
    pub workspace_config: hive_workspace::Config,
    /// Where commands run.
    pub sandbox: Sandbox,
    /// Which models there are, and which answers what.
    pub models: Arc<ModelBook>,
    /// Tokens that one reply may have.
    pub max_output_tokens: u32,
    /// What stands before every call.
    pub gate: Gate,
    /// How patient calls are.
    pub retry: RetryPolicy,
    /// The way to a person outside, where one is configured.
    pub notifier: Option<Notifier>,
    /// Definitions that runs of this process were pinned to.
    pub definitions: Definitions,
    /// How much of its model's window a conversation may fill.
    pub windows: Windows,
    /// Whether the service is asked to put conversations aside, where it can.
    pub server_compaction: bool,
    /// Keeps what crosses the wire, where that is wanted.
    pub recorder: Option<Recorder>,
    /// What is remembered.
    pub recollection: Recollection,
}

/// How a run is stopped from outside.
#[derive(Clone, Debug, Default)]
pub struct Control {
    /// The lease is lost: stop at once and write nothing.
    pub lost: CancellationToken,
    /// The worker drains: hand the task back at the next step boundary.
    pub drain: CancellationToken,
    /// The worker's time is up, or the lease is lost: end calls and commands in flight. Cancelled with `lost`.
    pub halt: CancellationToken,
    /// A person may want to interrupt: look whether they do.
    pub interrupt: Arc<Notify>,
}

/// Why a run ended without an outcome.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The lease is lost: whoever took it decides.
    #[error("the lease is lost")]
    Lost,
    /// The database refused or stayed away; the lease runs out and the task is taken over.
    #[error("the store failed")]
    Store(#[source] hive_store::Error),
    /// The sandbox could not run a command.
    #[error("the sandbox failed")]
    Sandbox(#[source] hive_sandbox::Error),
    /// The files could not be opened, committed or pushed.
    #[error("{detail}")]
    Files {
        /// What went wrong.
        detail: String,
        /// Whether and when another try may succeed.
        class: ErrorClass,
    },
}

impl From<FilesError> for Stopped {
    fn from(error: FilesError) -> Self {
        Self::Files { detail: error.to_string(), class: error.class() }
    }
}

pub(crate) struct Activation<'a> {
    pub(crate) agent: &'a Agent,
    pub(crate) lease: &'a mut Lease<Task>,
    pub(crate) control: &'a Control,
    pub(crate) definition: Arc<AgentDefinition>,
    /// Which models answer it.
    pub(crate) rules: Rules,
    pub(crate) transcript: Transcript,
    pub(crate) files: Option<Files>,
    /// What the conversation begins with.
    pub(crate) opening: String,
    /// Charged by calls that brought no reply.
    pub(crate) extra_usage: Usage,
    /// What calls may have cost that broke off before their charge was heard.
    pub(crate) unheard: NanoUsd,
    /// A pause covered the task at its last step edge.
    pub(crate) halted: bool,
    /// Its agent woke, and this run has not yet looked whether it is the one to tell what happened in the night.
    pub(crate) briefing_waits: bool,
    /// Whether a message was unread at the last step edge; before the first nobody looked.
    pub(crate) unread: Option<bool>,
    /// The next call, whose intent is in the journal already, and when that was asked for.
    pub(crate) noted: Option<(Uuid, Instant, Question)>,
    /// Models that the provider did not know: they are not asked again by this run.
    pub(crate) gone: Vec<String>,
    /// What was tried to put the conversation aside.
    pub(crate) tried: Tried,
    /// The bounds of the task and its agent.
    limits: Limits,
    /// The tools that the agent has here.
    pub(crate) offered: Vec<ToolName>,
    /// Whether acceptance commands decide about the end.
    pub(crate) has_checks: bool,
    started: Instant,
    /// When the last step was written; before the first, when the activation began.
    pub(crate) last_step: Instant,
    seconds_before: u64,
}

/// What follows from a failed try of this run. `told`: the other side said when to come back.
#[must_use]
pub fn failed_try(lease: &Lease<Task>, class: ErrorClass, told: Option<Duration>, detail: String) -> Outcome {
    // A committed step forgives the tries before it.
    let attempt = if lease.has_progressed() { 1 } else { lease.leased.attempt };
    Outcome::failed_try(class, u32::try_from(attempt).unwrap_or(1), told, rand::random(), detail)
}

impl Agent {
    /// Runs a task under its lease. The caller settles the outcome, renews the lease meanwhile and cancels `control`.
    ///
    /// # Errors
    /// [`Stopped::Lost`] and [`Stopped::Store`]: there is nothing to settle.
    pub async fn run(&self, lease: &mut Lease<Task>, control: &Control) -> Result<Outcome, Stopped> {
        match self.activate(lease, control).await {
            Err(Stopped::Sandbox(error)) => {
                let detail = std::error::Error::source(&error)
                    .map_or_else(|| error.to_string(), |s| format!("{error}: {s}"));
                tracing::error!("the sandbox failed: {detail}");
                Ok(Outcome::Wait { after: HOST_TROUBLE, reason: StatusReason::SandboxUnavailable, detail })
            }
            // Nothing was sent: it waits until its budget has room, and whoever raises the cap resumes it.
            Err(Stopped::Store(hive_store::Error::OverBudget(reached))) => Ok(Outcome::Wait {
                after: Duration::MAX,
                reason: StatusReason::Budget,
                detail: reached.to_string(),
            }),
            Err(Stopped::Files { detail, class }) => Ok(failed_try(lease, class, None, detail)),
            other => other,
        }
    }

    async fn activate(&self, lease: &mut Lease<Task>, control: &Control) -> Result<Outcome, Stopped> {
        let task = &lease.leased;
        if !is_readable(task.journal_format) {
            let detail = format!(
                "its journal has the format {}, which this worker cannot read",
                task.journal_format.unwrap_or_default()
            );
            return Ok(Outcome::Wait { after: Duration::MAX, reason: StatusReason::JournalFormat, detail });
        }
        let Some(agent) = &task.agent else {
            let detail = "the task names no agent".to_owned();
            return Ok(Outcome::Fail { reason: StatusReason::NoAgent, detail, partial: Box::default() });
        };
        let begins = lease.next_seq() == 1;
        // One that has begun keeps its agent to the end; one that has not finds that it takes no tasks any more.
        if begins && !agent.active {
            let detail = format!("agent {} was deactivated before the task began", agent.name);
            return Ok(Outcome::Fail { reason: StatusReason::NoAgent, detail, partial: Box::default() });
        }
        let definition =
            self.definitions.get(&self.store, agent.id, agent.version).await.map_err(Stopped::Store)?;
        let rules = Rules::read(&self.store, &self.models, task).await.map_err(Stopped::Store)?;
        let opening = conversation::opening(&self.store.opener(task).await.map_err(Stopped::Store)?);
        let (transcript, last_commit) =
            if begins { (Transcript::default(), None) } else { self.replay(task).await? };
        if !begins {
            // The nudge of a message went to the run before this one.
            control.interrupt.notify_one();
        }
        fail_point!("run::replayed", |_| std::process::abort());
        let opened = tokio::select! {
            opened = Files::open(&self.workspaces, &self.workspace_config, task, last_commit.as_deref()) => opened?,
            () = control.lost.cancelled() => return Err(Stopped::Lost),
            () = control.halt.cancelled() => return Ok(Outcome::Yield),
        };
        let spent = transcript.usage();
        let unheard = match lease.epoch() {
            // Nothing was asked before the first run.
            ..=1 => NanoUsd(0),
            _ => self.store.unknown_cost(task.id).await.map_err(Stopped::Store)?,
        };
        let extra = Usage {
            input_tokens: task.usage.input_tokens - spent.input_tokens,
            output_tokens: task.usage.output_tokens - spent.output_tokens,
            cache_read_tokens: task.usage.cache_read_tokens - spent.cache_read_tokens,
            cache_write_tokens: task.usage.cache_write_tokens - spent.cache_write_tokens,
            cache_write_1h_tokens: 0,
            cost: NanoUsd(task.usage.cost.0 - spent.cost.0),
        };
        let mut activation = Activation {
            agent: self,
            control,
            transcript,
            files: opened,
            opening,
            extra_usage: extra,
            unheard,
            halted: false,
            briefing_waits: task.briefing_waits,
            unread: None,
            noted: None,
            gone: Vec::new(),
            tried: Tried::default(),
            limits: task.limits.narrowed_by(&definition.limits),
            offered: tools_of(task, &definition),
            has_checks: !task.acceptance.is_empty(),
            definition,
            rules,
            started: Instant::now(),
            last_step: Instant::now(),
            seconds_before: lease.leased.running_seconds,
            lease,
        };
        let went = match activation.go().await {
            Ok(outcome) => activation.withdraw().await.map(|()| outcome),
            Err(stopped) => Err(stopped),
        };
        match went {
            Ok(outcome) => {
                fail_point!("close::before", |_| std::process::abort());
                activation.close(outcome).await
            }
            Err(stopped) => {
                activation.leave().await;
                Err(stopped)
            }
        }
    }

    async fn replay(&self, task: &Task) -> Result<(Transcript, Option<String>), Stopped> {
        let (mut entries, mut shared, mut commit, mut after) = (Vec::new(), 0, None, 0);
        loop {
            let page = self.store.steps(task.id, after, PAGE).await.map_err(Stopped::Store)?;
            let Some(last) = page.last() else {
                return Ok((Transcript::forked(entries, shared), commit));
            };
            after = last.seq;
            for step in page {
                if step.epoch == 0 {
                    // Its commit is on the original's branch, and is this task's base.
                    shared += 1;
                } else {
                    commit = step.commit.or(commit);
                }
                entries.push(step.entry);
            }
        }
    }
}

impl Activation<'_> {
    async fn go(&mut self) -> Result<Outcome, Stopped> {
        if self.lease.leased.verify_only {
            return self.verify_only().await;
        }
        if self.lease.next_seq() == 1 {
            self.take_what_awaits().await?;
        }
        let left =
            self.limits.max_seconds.map(|max| Duration::from_secs(max.saturating_sub(self.seconds_before)));
        // A limit beyond what an instant can hold is none.
        let until = left.and_then(|left| self.started.checked_add(left));
        loop {
            if self.control.lost.is_cancelled() {
                return Err(Stopped::Lost);
            }
            if self.control.drain.is_cancelled() {
                return Ok(Outcome::Yield);
            }
            let next = self.transcript.next(self.has_checks);
            // A word that came before an end or a sleep is read first.
            let is_edge = matches!(
                next,
                Next::Verify { .. } | Next::Done { .. } | Next::GiveUp { .. } | Next::Sleep { .. }
            );
            if is_edge && self.read_unread().await? {
                continue;
            }
            match next {
                // An end is no edge: what is decided is settled.
                Next::AskModel
                | Next::Compact
                | Next::RunTools(_)
                | Next::Unknown(_)
                | Next::Verify { .. }
                    if self.halted =>
                {
                    return Ok(Outcome::Halt);
                }
                Next::AskModel if self.is_time_for_briefing() => self.tell_briefing().await?,
                Next::AskModel | Next::Compact => {
                    if let Some((reason, detail)) = self.limit_reached() {
                        return Ok(Outcome::Fail { reason, detail, partial: Box::default() });
                    }
                    if let Some(outcome) = self.ask(until).await? {
                        return Ok(outcome);
                    }
                }
                Next::RunTools(calls) => {
                    if let Some(outcome) = self.take_turn(&calls, until).await? {
                        return Ok(outcome);
                    }
                }
                // The whole turn again: what the journal knows of it is not repeated.
                Next::Unknown(_) if self.may_repeat() => {
                    let calls = self.transcript.last_calls();
                    if let Some(outcome) = self.take_turn(&calls, until).await? {
                        return Ok(outcome);
                    }
                }
                Next::Unknown(intent) => {
                    return Ok(outside::unknown(&intent.tool, "a worker died during the call"));
                }
                Next::Sleep { until } => {
                    if let Some(outcome) = self.doze(until).await? {
                        return Ok(outcome);
                    }
                }
                Next::RefuseTools(calls) => self.note(Entry::ToolResults(act::refuse(&calls))).await?,
                Next::Nudge(cause) => {
                    let text = conversation::nudge(cause, self.transcript.wants_room()).to_owned();
                    self.note(Entry::Note(Note { cause, text })).await?;
                }
                Next::Verify { summary } => {
                    let Some(found) = self.check(summary, until).await? else {
                        return Ok(Outcome::Yield);
                    };
                    fail_point!("checks::ran", |_| std::process::abort());
                    self.note(Entry::Checks(found)).await?;
                }
                Next::Done { summary } => {
                    return Ok(Outcome::Done(TaskResult { summary, ..TaskResult::default() }));
                }
                Next::GiveUp { reason, detail } => {
                    return Ok(Outcome::Fail { reason, detail, partial: Box::default() });
                }
            }
        }
    }

    /// The bound that the run has come to.
    pub(crate) fn limit_reached(&self) -> Option<(StatusReason, String)> {
        let used = self.transcript.usage() + self.extra_usage;
        let seconds = self.seconds_before + self.started.elapsed().as_secs();
        self.limits.reached(self.transcript.turns(), seconds, &used, self.unheard)
    }
}
