//! Whether a run goes in circles: a pure look at its journal, without a model and without a clock.
//!
//! Only repetition without any change counts. A poll whose output changes, tries with edits between them, and a wait
//! that was declared through the `wait` tool are work; so is everything after a person's word. The thresholds are those
//! of the OpenHands SDK's stuck detector: 4 equal actions with equal observations, 3 equal errors, 3 replies to itself,
//! 6 alternating turns.

use std::fmt;

use serde_json::Value;

use crate::{
    journal::{Entry, NoteCause, Reply, Stop, ToolResult},
    tool::ToolName,
};

/// Turns in a row with the same calls and the same results.
pub const SAME_TURNS: usize = 4;
/// Turns in a row with the same calls that fail with the same error.
pub const SAME_FAILED_TURNS: usize = 3;
/// Turns in a row in which the same tools fail with the same error, whatever their input was.
pub const SAME_ERRORS: usize = 4;
/// Turns in which two that differ take turns.
pub const ALTERNATING_TURNS: usize = 6;
/// Replies in a row that call no tool although the checks stayed red.
pub const MONOLOGUE_REPLIES: usize = 3;

/// How a run goes in circles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// The same calls with the same results.
    RepeatedCall,
    /// The same error again and again.
    RepeatedError,
    /// Two turns that take turns.
    PingPong,
    /// Replies to itself.
    Monologue,
}

impl Pattern {
    /// Its name in the task's detail.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RepeatedCall => "repeated_call",
            Self::RepeatedError => "repeated_error",
            Self::PingPong => "ping_pong",
            Self::Monologue => "monologue",
        }
    }

    /// The sentence for a person, beginning with the name.
    #[must_use]
    pub fn detail(self) -> String {
        let what = match self {
            Self::RepeatedCall => {
                format!("the same calls gave the same results in {SAME_TURNS} turns in a row")
            }
            Self::RepeatedError => "the same error came back again and again".to_owned(),
            Self::PingPong => {
                format!("two turns alternated without any change over {ALTERNATING_TURNS} turns")
            }
            Self::Monologue => {
                format!("{MONOLOGUE_REPLIES} replies in a row called no tool while the checks stayed red")
            }
        };
        format!("{self}: {what}")
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The circle that the journal ends with, if it does: to be asked before the model is.
#[must_use]
pub fn detect(entries: &[Entry]) -> Option<Pattern> {
    let turns = last_turns(entries, ALTERNATING_TURNS.max(SAME_TURNS));
    let newest = turns.first()?;
    let in_a_row = |same: &dyn Fn(&Turn) -> bool| turns.iter().take_while(|turn| same(turn)).count();
    let equal = in_a_row(&|turn| turn == newest);
    if newest.has_failed() {
        let same_error =
            in_a_row(&|turn| turn.has_failed() && turn.tools == newest.tools && turn.said == newest.said);
        if equal >= SAME_FAILED_TURNS || same_error >= SAME_ERRORS {
            return Some(Pattern::RepeatedError);
        }
    }
    if equal >= SAME_TURNS {
        return Some(Pattern::RepeatedCall);
    }
    let alternates = turns.len() >= ALTERNATING_TURNS
        && turns[0] != turns[1]
        && turns.iter().zip(turns.iter().skip(2)).all(|(turn, before)| turn == before);
    alternates.then_some(Pattern::PingPong)
}

/// True when the journal ends with replies that call no tool, one after the other, with nothing but red checks between
/// them: to be asked before the checks run once more on a tree that did not change.
#[must_use]
pub fn is_monologue(entries: &[Entry]) -> bool {
    let spoken = entries
        .iter()
        .rev()
        .take_while(|entry| match entry {
            Entry::Reply(reply) => is_speech(reply),
            Entry::Checks(checks) => !checks.passed,
            Entry::Compacted(_) => true,
            _ => false,
        })
        .filter(|entry| matches!(entry, Entry::Reply(_)))
        .count();
    spoken >= MONOLOGUE_REPLIES
}

fn is_speech(reply: &Reply) -> bool {
    matches!(reply.stop, Stop::EndTurn | Stop::StopSequence)
        && reply.calls().is_empty()
        && !reply.text().is_empty()
}

/// What of a turn makes it equal to another: not its words, ids or timings.
#[derive(Debug, PartialEq)]
struct Turn {
    tools: Vec<String>,
    inputs: Vec<Value>,
    said: Vec<String>,
    failed: Vec<bool>,
}

impl Turn {
    fn new(reply: &Reply, results: &[ToolResult]) -> Self {
        let calls = reply.calls();
        Self {
            tools: calls.iter().map(|call| call.name.clone()).collect(),
            inputs: calls
                .iter()
                .map(|call| match &call.input {
                    Ok(input) => serde_json::from_str(input.get()).unwrap_or_default(),
                    Err(text) => Value::String(text.clone()),
                })
                .collect(),
            said: results.iter().map(|result| without_timings(&result.content)).collect(),
            failed: results.iter().map(|result| result.is_error).collect(),
        }
    }

    fn has_failed(&self) -> bool {
        self.failed.iter().all(|failed| *failed) && !self.failed.is_empty()
    }
}

/// The last turns, newest first, up to whatever begins something new: a person's word, a declared wait, a round of
/// checks, a reply of another kind.
fn last_turns(entries: &[Entry], at_most: usize) -> Vec<Turn> {
    let mut turns = Vec::new();
    let mut results: Option<&[ToolResult]> = None;
    for entry in entries.iter().rev() {
        match entry {
            Entry::ToolResults(found) if results.is_none() => results = Some(&found.results),
            Entry::Reply(reply) => {
                let Some(results) = results.take() else { break };
                if reply.calls().iter().any(|call| call.name == ToolName::Wait.as_str()) {
                    break;
                }
                turns.push(Turn::new(reply, results));
            }
            // Between a reply and its results: that an outside call was made, and what it answered.
            Entry::Intent(_) => {}
            // A circle that a new segment falls into is still one.
            Entry::Compacted(_) => {}
            Entry::Outcome(outcome) if outcome.decided_by.is_none() => {}
            Entry::Note(note) if note.cause != NoteCause::Woken => break,
            _ => break,
        }
        if turns.len() == at_most {
            break;
        }
    }
    turns
}

/// The text with every number that has a fraction replaced, as test runners print their times. Whole numbers stay:
/// a counter that rises is a change.
fn without_timings(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        plain.push_str(&rest[..start]);
        let number = &rest[start..];
        let whole = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
        let fraction = number[whole..]
            .strip_prefix('.')
            .map_or(0, |after| after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len()));
        // A version such as 1.2.3 is no timing.
        let is_longer = number[whole..].get(fraction + 1..).is_some_and(|after| {
            after.strip_prefix('.').is_some_and(|after| after.starts_with(|c: char| c.is_ascii_digit()))
        });
        let end = if fraction == 0 { whole } else { whole + 1 + fraction };
        if fraction > 0 && !is_longer && is_time(&number[end..]) {
            plain.push('#');
        } else {
            plain.push_str(&number[..end]);
        }
        rest = &number[end..];
    }
    plain.push_str(rest);
    plain.trim().to_owned()
}

/// True when a unit of time follows the number.
fn is_time(after: &str) -> bool {
    let unit: String = after.trim_start_matches(' ').chars().take_while(|c| c.is_alphabetic()).collect();
    ["s", "ms", "us", "µs", "sec", "secs", "second", "seconds"].contains(&unit.as_str())
}

#[cfg(test)]
mod tests;
