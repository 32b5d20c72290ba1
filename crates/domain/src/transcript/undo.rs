//! What of the journal is still a part of the conversation after people had turns undone, and what undoing means now.

use super::Transcript;
use crate::{
    journal::{Entry, Reply, Rollback, Standing},
    tool::ToolName,
};

impl Transcript {
    /// The entries that were not undone, with their places in the journal from 0. A turn that was undone is paid for and
    /// counted, but neither sent to the model nor looked at to decide what comes next.
    pub fn conversation(&self) -> impl DoubleEndedIterator<Item = (usize, &Entry)> {
        let entries = self.entries.iter().zip(&self.undone).enumerate();
        entries.filter_map(|(place, (entry, undone))| (!undone).then_some((place, entry)))
    }

    /// The entry that undoes the last turn: the last reply and all that came of it. `None`: there is nothing to undo,
    /// because the model has not answered since the beginning, since the fork, or since a turn was undone. So two wishes
    /// in a row undo one turn.
    #[must_use]
    pub fn undo(&self) -> Option<Rollback> {
        let mut last = self.conversation().rev().filter_map(|(place, entry)| match entry {
            Entry::Reply(reply) => Some((place, Some(reply))),
            Entry::Rollback(_) => Some((place, None)),
            _ => None,
        });
        let (place, reply) = last.next().filter(|(place, _)| *place >= self.shared)?;
        let standing = self.took_place_since(place, reply?);
        Some(Rollback { from: i32::try_from(place + 1).ok()?, standing })
    }

    fn took_place_since(&self, place: usize, reply: &Reply) -> Vec<Standing> {
        let calls = reply.calls();
        let input = |id: &str| {
            let call = calls.iter().find(|call| call.id == id)?;
            Some(call.input.as_ref().map_or_else(Clone::clone, |input| input.get().to_owned()))
        };
        let standing = |tool: &str, tool_use_id: &str, answer: &str| Standing {
            tool: tool.to_owned(),
            input: input(tool_use_id).unwrap_or_default(),
            answer: answer.to_owned(),
        };
        let mut all = Vec::new();
        for entry in self.entries.iter().skip(place) {
            match entry {
                Entry::Outcome(outcome) if outcome.took_place => {
                    all.push(standing(&outcome.tool, &outcome.tool_use_id, &outcome.content));
                }
                // What was sent to other agents is sent, and what was remembered is remembered.
                Entry::ToolResults(results) => {
                    let sent =
                        results.results.iter().filter(|result| !result.is_error && is_sent(&result.tool));
                    all.extend(sent.map(|sent| standing(&sent.tool, &sent.tool_use_id, &sent.content)));
                }
                _ => {}
            }
        }
        all
    }

    /// Marks what an entry that is about to be added undoes. What people and other agents wrote stays, and what
    /// was told of the night: nobody has answered it yet.
    pub(super) fn leave_out(&mut self, rollback: &Rollback) {
        let from = usize::try_from(rollback.from).map_or(0, |seq| seq.saturating_sub(1));
        for (entry, undone) in self.entries.iter().zip(&mut self.undone).skip(from) {
            *undone |= !matches!(entry, Entry::Message(_) | Entry::AgentMessage(_) | Entry::Briefing(_));
        }
    }
}

fn is_sent(tool: &str) -> bool {
    [ToolName::SendMessage, ToolName::AskAgent, ToolName::Remember].iter().any(|sends| sends.as_str() == tool)
}

#[cfg(test)]
mod tests;
