//! Why a task stands where it stands: the one cause, and what clears it.

mod facts;

use chrono::{DateTime, Utc};

use crate::{
    budget::{Budget, BudgetPeriod},
    ids::TaskId,
    money::NanoUsd,
    sleep::SleepState,
    status::{StatusReason, TaskStatus},
    task::Task,
};

pub use facts::{CoveringPause, CoveringSleep, Facts, ProviderFact, ProviderFactKind};

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Why {
    /// A stable code: a status reason, or `key_stopped`, `breaker_open`, `held`, `rate_used_up`, `due`, `paused`,
    /// `no_worker`, `no_isolated_worker`, `queued`, `running`, `lease_ended`, `done`, `proposed`.
    pub cause: &'static str,
    /// One sentence: what holds it.
    pub explanation: String,
    /// One sentence: what clears it.
    pub clears: String,
    /// When it clears by itself, if that is known.
    pub until: Option<DateTime<Utc>>,
    /// Tasks that hold it.
    pub tasks: Vec<TaskId>,
}

impl Why {
    fn new(cause: &'static str, explanation: impl Into<String>, clears: impl Into<String>) -> Self {
        Self { cause, explanation: explanation.into(), clears: clears.into(), until: None, tasks: Vec::new() }
    }
}

/// The one cause that keeps a task from going on, or that ended it.
#[must_use]
pub fn why(task: &Task, facts: &Facts) -> Why {
    match task.status {
        TaskStatus::Proposed => {
            Why::new("proposed", "It is part of a plan that nobody approved yet.", "An approval.")
        }
        TaskStatus::Ready => ready(task, facts),
        TaskStatus::Running => running(facts),
        TaskStatus::Succeeded => Why::new("done", "It has succeeded.", "Nothing is left to do."),
        TaskStatus::Pending
        | TaskStatus::Waiting
        | TaskStatus::Failed
        | TaskStatus::Cancelled
        | TaskStatus::Dead => {
            match task.reason {
                Some(reason) if !task.status.is_end() && has_come(reason, facts) => Why::new(
                    "due",
                    "What it waited for has come, and no scheduler has let it go on so far.",
                    "The next pass of a scheduler, a second away at most while one works (hive doctor).",
                ),
                Some(reason) => for_reason(reason, task, facts),
                // The schema forbids it.
                None => Why::new("unknown", "It names no reason.", "A look at its events."),
            }
        }
    }
}

/// True when nothing but a pass of a scheduler is missing.
fn has_come(reason: StatusReason, facts: &Facts) -> bool {
    match reason {
        StatusReason::Dependencies => facts.open_dependencies.is_empty(),
        // Ten holders are named at most.
        StatusReason::Concurrency => (facts.key_holders.len() as i64) < facts.key_limit.min(10),
        StatusReason::Scheduled
        | StatusReason::Retry
        | StatusReason::RateLimited
        | StatusReason::ProviderUnavailable
        | StatusReason::SandboxUnavailable
        | StatusReason::Timer
        | StatusReason::Answer => facts.late_seconds > 0.0,
        _ => false,
    }
}

fn ready(task: &Task, facts: &Facts) -> Why {
    if let Some(pause) = &facts.pause {
        return paused(pause);
    }
    if let Some(sleep) = &facts.sleep {
        return asleep(sleep);
    }
    if task.isolated && facts.isolated_workers == 0 {
        return Why::new(
            "no_isolated_worker",
            format!(
                "{} workers died over it, so only an isolated worker may run it, and none lives.",
                crate::DEATHS
            ),
            "A worker that is started with HIVE_ISOLATED=true.",
        );
    }
    if !task.isolated && facts.workers == 0 {
        return Why::new("no_worker", "No worker lives that takes tasks.", "A worker that is started.");
    }
    let ahead = match facts.ahead {
        0 => "it is next".to_owned(),
        1_000.. => "at least 1,000 ready tasks go before it".to_owned(),
        1 => "1 ready task goes before it".to_owned(),
        some => format!("{some} ready tasks go before it"),
    };
    if task.isolated {
        return Why::new(
            "queued",
            format!(
                "{} workers died over it, so only an isolated worker may run it, and {ahead}.",
                crate::DEATHS
            ),
            format!("{}, which runs one task at a time.", one_of(facts.isolated_workers, "isolated worker")),
        );
    }
    let clears = format!(
        "A free slot of {}, which {} {}.",
        the(facts.workers, "worker"),
        if facts.workers == 1 { "has" } else { "have" },
        facts.slots
    );
    Why::new("queued", format!("{}{}.", ahead[..1].to_uppercase(), &ahead[1..]), clears)
}

/// `the worker`, `the 3 workers`.
fn the(number: i64, what: &str) -> String {
    if number == 1 { format!("the {what}") } else { format!("the {number} {what}s") }
}

/// `The worker`, `One of the 3 workers`.
fn one_of(number: i64, what: &str) -> String {
    if number == 1 { format!("The {what}") } else { format!("One of the {number} {what}s") }
}

fn paused(pause: &CoveringPause) -> Why {
    let what = if pause.name.is_empty() {
        format!("the {}", pause.scope)
    } else {
        format!("{} {}", pause.scope, pause.name)
    };
    let said = if pause.reason.is_empty() { String::new() } else { format!(": {}", pause.reason) };
    let explanation = format!("A pause of {what} by {} covers it{said}.", pause.created_by);
    let clears = match pause.until {
        Some(_) => "The end of the pause, or a resume before.",
        None => "A resume.",
    };
    Why { until: pause.until, ..Why::new("paused", explanation, clears) }
}

fn asleep(sleep: &CoveringSleep) -> Why {
    let state = match sleep.state {
        SleepState::FallingAsleep => "falls asleep",
        SleepState::Asleep => "sleeps",
        SleepState::Waking | SleepState::Awake => "wakes up",
    };
    let explanation = format!("Its agent {:?} {state} ({}).", sleep.agent, sleep.trigger);
    let clears = "The end of the night's work, this time at the latest, a wake (hive wake), priority 1 or 2, or a deadline before it.";
    Why { until: Some(sleep.wake_by), ..Why::new(StatusReason::Asleep.as_str(), explanation, clears) }
}

fn running(facts: &Facts) -> Why {
    let worker = facts.worker.as_deref().unwrap_or("a worker");
    match facts.lease_seconds {
        Some(left) if left < 0.0 => Why::new(
            "lease_ended",
            format!("Worker {worker} stopped renewing its lease {:.0} s ago.", -left),
            "The next pass of a scheduler, which gives the task to another worker.",
        ),
        _ => Why::new("running", format!("Worker {worker} runs it."), "Its end, or a cancel."),
    }
}

fn short_of_money(budget: &Budget, need: NanoUsd) -> Why {
    let explanation = format!(
        "Its next call may cost ${} at most, nearly all of it the tokens that a reply may have. {} has a cap of ${}, of which \
         ${} is spent and ${} reserved for calls in progress.",
        need.exact(),
        budget,
        budget.cap.exact(),
        budget.spent.exact(),
        budget.reserved.exact(),
    );
    let enough = NanoUsd(need.0.saturating_add(budget.spent.0).saturating_add(budget.reserved.0));
    let day = if budget.period == BudgetPeriod::Day { ", the next day (UTC)" } else { "" };
    let calls =
        if budget.reserved.0 > 0 { ", or calls in progress that cost less than was reserved" } else { "" };
    let clears = format!("A cap of ${} or more: hive budget set{day}{calls}.", enough.exact());
    Why::new(StatusReason::Budget.as_str(), explanation, clears)
}

/// What turns the task's calls away, by the words that it was parked with: they name the key or the model.
fn provider(task: &Task, detail: &str, facts: &Facts) -> Option<Why> {
    let mut named: Vec<&ProviderFact> = facts
        .provider
        .iter()
        .filter(|fact| detail.split([' ', ':', ',']).any(|word| word == fact.of))
        .collect();
    named.sort_by_key(|fact| fact.kind);
    let Some(fact) = named.first() else {
        return detail.starts_with("the rate of model ").then(|| Why {
            until: Some(task.run_at),
            ..Why::new(
                "rate_used_up",
                format!("Its turn comes later: {detail}."),
                "Its time, then a place in the fleet's rate.",
            )
        });
    };
    let said = if fact.detail.is_empty() {
        String::new()
    } else {
        format!(": {}", fact.detail.trim_end_matches('.'))
    };
    let (cause, explanation, clears) = match fact.kind {
        ProviderFactKind::KeyStopped => (
            "key_stopped",
            format!("No worker calls with key {}{said}.", fact.of),
            "A mended key, account or right, then a resume (hive provider resume); another key for the workers; or one call \
             that tries it at this time.",
        ),
        ProviderFactKind::BreakerOpen => (
            "breaker_open",
            format!("The breaker of model {} is open, since too many calls failed{said}.", fact.of),
            "One call that tries from this time on and is answered; a model that may stand in.",
        ),
        ProviderFactKind::Held => (
            "held",
            format!("The provider said not to ask model {} before this time.", fact.of),
            "That time, or a resume before (hive provider resume).",
        ),
    };
    Some(Why { until: Some(fact.until), ..Why::new(cause, explanation, clears) })
}

/// Every reason has its sentence: one that is added does not compile until it has.
fn for_reason(reason: StatusReason, task: &Task, facts: &Facts) -> Why {
    let detail = task.detail.as_deref().unwrap_or_default();
    let told = |general: &str| match detail {
        "" => general.to_owned(),
        detail => format!("{}: {detail}", general.trim_end_matches('.')),
    };
    let new = |explanation: String, clears: &str| Why::new(reason.as_str(), explanation, clears);
    let at_its_time =
        |explanation: String, clears: &str| Why { until: Some(task.run_at), ..new(explanation, clears) };
    match reason {
        StatusReason::Scheduled => at_its_time("Its time lies ahead.".to_owned(), "Its time."),
        StatusReason::Dependencies => Why {
            tasks: facts.open_dependencies.clone(),
            ..new("Tasks that it depends on have not ended.".to_owned(), "Their end.")
        },
        StatusReason::Concurrency => {
            let key = task.concurrency_key.as_deref().unwrap_or_default();
            let all = match facts.key_limit {
                1 => format!("The one place of the concurrency key {key:?} is taken."),
                places => format!("All {places} places of the concurrency key {key:?} are taken."),
            };
            Why {
                tasks: facts.key_holders.clone(),
                ..new(all, "The end of one of them, or a higher limit of the key.")
            }
        }
        StatusReason::Retry => {
            at_its_time(told("A try failed; the next one is timed."), "Its time, then another try.")
        }
        StatusReason::RateLimited | StatusReason::ProviderUnavailable
            if let Some(why) = provider(task, detail, facts) =>
        {
            why
        }
        StatusReason::RateLimited => at_its_time(
            told("A rate is used up."),
            if detail.contains(" may start ") {
                "Its time, or a higher rate (hive queue limit)."
            } else {
                "Its time."
            },
        ),
        StatusReason::ProviderUnavailable => {
            at_its_time(told("The provider is overloaded or unreachable."), "Its time, then another try.")
        }
        StatusReason::SandboxUnavailable => at_its_time(
            told("The sandbox of the worker's host failed."),
            "Its time, then another try; a mended host.",
        ),
        StatusReason::Timer => {
            at_its_time("Its agent asked to be woken later.".to_owned(), "Its time, or a message.")
        }
        StatusReason::Answer => at_its_time(
            told("Its agent asked another one and waits for the answer."),
            "The answer, another message, or its time.",
        ),
        StatusReason::OutcomeUnknown => new(
            told("An effect outside was cut between its start and its record."),
            "A person who says what came of it.",
        ),
        StatusReason::JournalFormat => new(
            told("Its journal was written in a format that the workers cannot read."),
            "Workers of a newer build.",
        ),
        StatusReason::Budget => match &facts.budget {
            Some(budget) => Why { until: budget.renews_at(), ..short_of_money(budget, facts.budget_need) },
            None => {
                new("The budget that it waited for was removed.".to_owned(), "The next pass of a scheduler.")
            }
        },
        // Reasons of ready tasks; the row has left them behind by the time it is parked or ended.
        StatusReason::Drained | StatusReason::Orphaned | StatusReason::Paused | StatusReason::Isolated => {
            new(told("It was handed back."), "A worker.")
        }
        StatusReason::Asleep => new(told("Its agent fell asleep."), "The end of the night."),
        StatusReason::VerificationFailed => new(
            told("The acceptance commands are red on the final tree."),
            "A mended branch and a completion, or a retry.",
        ),
        StatusReason::TurnLimit
        | StatusReason::TimeLimit
        | StatusReason::TokenLimit
        | StatusReason::CostLimit => {
            new(told("One of its limits was reached."), "A new task with other limits.")
        }
        StatusReason::MaxTokens | StatusReason::ContextWindow | StatusReason::RequestTooLarge => {
            new(told("The task is too large for its model."), "A smaller task.")
        }
        StatusReason::Refused => new(told("The model declined."), "A person who looks at the task."),
        StatusReason::EmptyReply | StatusReason::BadToolInput | StatusReason::UnexpectedReply => {
            new(told("The model's replies could not be used."), "A retry, or another model.")
        }
        StatusReason::Authentication | StatusReason::Billing | StatusReason::Permission => {
            new(told("The provider refused the credential or its account."), "The operator, then a retry.")
        }
        StatusReason::ModelNotFound => {
            new(told("The provider does not know the model."), "Another model, then a retry.")
        }
        StatusReason::InvalidRequest => new(
            told("The provider refused the request."),
            "A mended request, model or setting, then a retry.",
        ),
        StatusReason::Repository => {
            new(told("The repository could not be read or pushed to."), "Its owner, then a retry.")
        }
        StatusReason::DependencyFailed | StatusReason::DependencySkipped => {
            new("A task that it depends on did not succeed.".to_owned(), "A retry of both.")
        }
        StatusReason::NoAgent => new(told("Its agent was deactivated before it began."), "Another agent."),
        StatusReason::Deadline => new(
            told("Its deadline passed."),
            "A retry, which has no deadline, or a new task with a later one.",
        ),
        StatusReason::LoopDetected => {
            new(told("Its agent repeated itself without progress."), "A clearer task, then a retry.")
        }
        StatusReason::AttemptsExhausted => {
            new(told("All its attempts failed."), "A mended cause, then a retry.")
        }
        StatusReason::Poison => {
            new(told("Workers died over it, isolated ones as well."), "A mended cause, then a retry.")
        }
        StatusReason::Requested => new(told("It was cancelled."), "A retry."),
        StatusReason::ParentCancelled => new(told("It was cancelled."), "A retry."),
    }
}
