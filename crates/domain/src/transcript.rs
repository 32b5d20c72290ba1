//! The conversation so far, and what comes next. `next` is a pure function of the journal: a resumed run is the
//! same code as a fresh one.

mod segment;
mod undo;

use chrono::{DateTime, Utc};

use crate::{
    journal::{Checks, Entry, ExternalOutcome, Intent, NoteCause, Reply, Stop, ToolCall},
    loops::{self, Pattern},
    status::StatusReason,
    tool::ToolName,
    usage::Usage,
};

/// Replies in a row that may be cut at the output limit before the run ends.
pub const MAX_CUT_REPLIES: usize = 3;
/// Replies in a row that may be empty before the run ends.
pub const MAX_EMPTY_REPLIES: usize = 3;
/// Replies in a row that may pause before the run ends.
pub const MAX_PAUSES: usize = 5;
/// Replies in a row whose every tool call may be unreadable before the run ends.
pub const MAX_BROKEN_REPLIES: usize = 3;
/// Segments that may begin in a row without a usable reply between them.
pub const MAX_COMPACTIONS: usize = 2;
/// Times the checks may be red before the run ends.
pub const MAX_RED_CHECKS: usize = 3;

/// What comes next.
#[derive(Clone, Debug)]
pub enum Next {
    /// Send the conversation to the model.
    AskModel,
    /// The model says that the conversation does not fit it: begin a new segment, then ask.
    Compact,
    /// Run these, in order.
    RunTools(Vec<ToolCall>),
    /// Answer these calls with errors: the reply was cut, its last input may be half.
    RefuseTools(Vec<ToolCall>),
    /// Tell the model why its reply cannot be used.
    Nudge(NoteCause),
    /// The agent asked to be woken then: park, unless that time has come.
    Sleep {
        /// When it goes on.
        until: DateTime<Utc>,
    },
    /// This call with an outside effect was begun, and nobody here knows whether it took place.
    Unknown(Intent),
    /// The agent says it is done: run the checks on the final tree.
    Verify {
        /// What the agent claims.
        summary: String,
    },
    /// The checks agree, or there are none.
    Done {
        /// What the agent claims.
        summary: String,
    },
    /// The run cannot go on.
    GiveUp {
        /// The code.
        reason: StatusReason,
        /// One sentence for a person.
        detail: String,
    },
}

/// The journal of one task, in order.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    entries: Vec<Entry>,
    /// For each entry, whether a person had it undone.
    undone: Vec<bool>,
    shared: usize,
}

impl Transcript {
    /// From the stored journal.
    #[must_use]
    pub fn new(entries: Vec<Entry>) -> Self {
        Self::forked(entries, 0)
    }

    /// From the stored journal of a fork, whose first `shared` entries another task wrote and paid for.
    #[must_use]
    pub fn forked(entries: Vec<Entry>, shared: usize) -> Self {
        let mut transcript = Self { entries: Vec::with_capacity(entries.len()), undone: Vec::new(), shared };
        entries.into_iter().for_each(|entry| transcript.push(entry));
        transcript
    }

    /// How many entries another task wrote.
    #[must_use]
    pub const fn shared(&self) -> usize {
        self.shared
    }

    /// The entries that this task wrote.
    fn own(&self) -> &[Entry] {
        self.entries.get(self.shared..).unwrap_or_default()
    }

    /// All entries.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Adds an entry that was committed, or is committed next: a run whose commit fails ends.
    pub fn push(&mut self, entry: Entry) {
        if let Entry::Rollback(rollback) = &entry {
            self.leave_out(rollback);
        }
        self.entries.push(entry);
        self.undone.push(false);
    }

    /// Model replies so far, without those that another task paid for.
    #[must_use]
    pub fn turns(&self) -> u32 {
        u32::try_from(replies_of(self.own().iter()).count()).unwrap_or(u32::MAX)
    }

    /// What all replies and summaries used up, without those that another task paid for.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let used = self.own().iter().filter_map(|entry| match entry {
            Entry::Reply(reply) => Some(reply.usage),
            Entry::Compacted(compacted) => Some(compacted.usage),
            _ => None,
        });
        used.sum()
    }

    /// The number of the step that holds the last reply, from 1; 0 when there is none.
    #[must_use]
    pub fn reply_seq(&self) -> usize {
        self.entries.iter().rposition(|entry| matches!(entry, Entry::Reply(_))).map_or(0, |index| index + 1)
    }

    /// The tool calls of the last reply.
    #[must_use]
    pub fn last_calls(&self) -> Vec<ToolCall> {
        self.replies().next_back().map(Reply::calls).unwrap_or_default()
    }

    /// True when the turn that ended last asked another agent.
    #[must_use]
    pub fn has_asked(&self) -> bool {
        let Some(Entry::ToolResults(results)) = self.entries.last() else { return false };
        results.results.iter().any(|result| result.tool == ToolName::AskAgent.as_str() && !result.is_error)
    }

    /// What the journal says about a call of the last reply that has an outside effect: the last word counts.
    #[must_use]
    pub fn outcome_of(&self, tool_use_id: &str) -> Option<&ExternalOutcome> {
        self.since_reply().iter().rev().find_map(|entry| match entry {
            Entry::Outcome(outcome) if outcome.tool_use_id == tool_use_id => Some(outcome),
            _ => None,
        })
    }

    /// True when the last reply's call was begun and nothing is known of its end.
    #[must_use]
    pub fn is_open(&self, tool_use_id: &str) -> bool {
        matches!(self.since_reply().last(), Some(Entry::Intent(intent)) if intent.tool_use_id == tool_use_id)
    }

    fn since_reply(&self) -> &[Entry] {
        self.entries.get(self.reply_seq()..).unwrap_or_default()
    }

    /// The last checks the harness ran on what still stands.
    #[must_use]
    pub fn last_checks(&self) -> Option<&Checks> {
        self.conversation().rev().find_map(|(_, entry)| match entry {
            Entry::Checks(checks) => Some(checks),
            _ => None,
        })
    }

    fn replies(&self) -> impl DoubleEndedIterator<Item = &Reply> {
        replies_of(self.conversation().map(|(_, entry)| entry))
    }

    /// Decides what comes next. `has_checks` says whether the task names acceptance commands.
    #[must_use]
    pub fn next(&self, has_checks: bool) -> Next {
        match self.entries.last() {
            None
            | Some(
                Entry::Note(_)
                | Entry::Message(_)
                | Entry::AgentMessage(_)
                | Entry::Briefing(_)
                | Entry::Rollback(_)
                | Entry::Compacted(_)
                | Entry::Recalled(_),
            ) => Next::AskModel,
            Some(Entry::Checks(checks)) => self.after_checks(checks),
            Some(Entry::ToolResults(results)) => match (&results.finished, results.wake_at) {
                (Some(summary), _) => claimed(summary.clone(), has_checks),
                (None, Some(until)) => Next::Sleep { until },
                (None, None) => self.after_tools(),
            },
            Some(Entry::Intent(intent)) => Next::Unknown(intent.clone()),
            Some(Entry::Outcome(_)) => Next::RunTools(self.last_calls()),
            Some(Entry::Reply(reply)) => self.after_reply(reply, has_checks),
        }
    }

    fn after_checks(&self, checks: &Checks) -> Next {
        if checks.passed {
            return Next::Done { summary: checks.summary.clone() };
        }
        let is_red = |entry: &Entry| matches!(entry, Entry::Checks(c) if !c.passed);
        let red = self.conversation().filter(|(_, entry)| is_red(entry)).count();
        if red < MAX_RED_CHECKS {
            return Next::AskModel;
        }
        let names: Vec<&str> =
            checks.results.iter().filter(|check| !check.passed).map(|check| check.name.as_str()).collect();
        Next::GiveUp {
            reason: StatusReason::VerificationFailed,
            detail: format!("red after {red} rounds of checks: {}", names.join(", ")),
        }
    }

    fn after_tools(&self) -> Next {
        let unreadable = |reply: &&Reply| {
            let calls = reply.calls();
            !calls.is_empty() && calls.iter().all(|call| call.input.is_err())
        };
        if self.replies().rev().take_while(unreadable).count() >= MAX_BROKEN_REPLIES {
            return Next::GiveUp {
                reason: StatusReason::BadToolInput,
                detail: format!("{MAX_BROKEN_REPLIES} replies in a row held no readable tool call"),
            };
        }
        // What another task did before the fork is no circle of this one.
        match loops::detect(self.own()) {
            Some(pattern) => circle(pattern),
            None => Next::AskModel,
        }
    }

    fn after_reply(&self, reply: &Reply, has_checks: bool) -> Next {
        match &reply.stop {
            Stop::ToolUse | Stop::EndTurn | Stop::StopSequence => {
                let (calls, text) = (reply.calls(), reply.text());
                if !calls.is_empty() {
                    Next::RunTools(calls)
                } else if has_checks && loops::is_monologue(self.own()) {
                    circle(Pattern::Monologue)
                } else if !text.is_empty() {
                    claimed(text, has_checks)
                } else {
                    self.nudge(NoteCause::Empty, MAX_EMPTY_REPLIES, StatusReason::EmptyReply)
                }
            }
            Stop::MaxTokens => match self.nudge(NoteCause::Cut, MAX_CUT_REPLIES, StatusReason::MaxTokens) {
                Next::Nudge(_) if !reply.calls().is_empty() => Next::RefuseTools(reply.calls()),
                next => next,
            },
            Stop::PauseTurn if self.in_a_row(&reply.stop) <= MAX_PAUSES => Next::AskModel,
            Stop::PauseTurn => give_up(StatusReason::UnexpectedReply, "the reply kept pausing"),
            Stop::Refusal => give_up(StatusReason::Refused, "the model declined to go on"),
            Stop::ModelContextWindowExceeded if self.compactions_in_a_row() < MAX_COMPACTIONS => {
                Next::Compact
            }
            Stop::ModelContextWindowExceeded => give_up(
                StatusReason::ContextWindow,
                "the conversation no longer fits the model, however much of it is put aside",
            ),
            Stop::Other(name) => {
                give_up(StatusReason::UnexpectedReply, &format!("unknown stop reason {name:?}"))
            }
        }
    }

    fn nudge(&self, cause: NoteCause, at_most: usize, reason: StatusReason) -> Next {
        let same = |reply: &&Reply| match cause {
            NoteCause::Cut => reply.stop == Stop::MaxTokens,
            NoteCause::Empty => {
                reply.stop != Stop::MaxTokens && reply.calls().is_empty() && reply.text().is_empty()
            }
            NoteCause::Woken | NoteCause::Unanswered => false,
        };
        let count = self.replies().rev().take_while(same).count();
        if count < at_most {
            return Next::Nudge(cause);
        }
        let what = match cause {
            NoteCause::Cut => "were cut at the output limit",
            NoteCause::Empty => "were empty",
            NoteCause::Woken | NoteCause::Unanswered => "followed a wait",
        };
        give_up(reason, &format!("{count} replies in a row {what}"))
    }

    fn in_a_row(&self, stop: &Stop) -> usize {
        self.replies().rev().take_while(|reply| reply.stop == *stop).count()
    }
}

fn claimed(summary: String, has_checks: bool) -> Next {
    if has_checks { Next::Verify { summary } } else { Next::Done { summary } }
}

fn circle(pattern: Pattern) -> Next {
    give_up(StatusReason::LoopDetected, &pattern.detail())
}

fn replies_of<'a>(
    entries: impl DoubleEndedIterator<Item = &'a Entry>,
) -> impl DoubleEndedIterator<Item = &'a Reply> {
    entries.filter_map(|entry| match entry {
        Entry::Reply(reply) => Some(reply),
        _ => None,
    })
}

fn give_up(reason: StatusReason, detail: &str) -> Next {
    Next::GiveUp { reason, detail: detail.to_owned() }
}

#[cfg(test)]
mod tests;
