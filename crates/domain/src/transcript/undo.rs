//! What of the journal is still a part of the conversation after people had turns undone, and what undoing means now.

use super::Transcript;
use crate::journal::{Entry, Reply, Rollback, Standing};

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
        let outcomes = self.entries.iter().skip(place).filter_map(|entry| match entry {
            Entry::Outcome(outcome) if outcome.took_place => Some(outcome),
            _ => None,
        });
        let standing = outcomes.map(|outcome| Standing {
            tool: outcome.tool.clone(),
            input: input(&outcome.tool_use_id).unwrap_or_default(),
            answer: outcome.content.clone(),
        });
        standing.collect()
    }

    /// Marks what an entry that is about to be added undoes. What people wrote stays: nobody has answered it yet.
    pub(super) fn leave_out(&mut self, rollback: &Rollback) {
        let from = usize::try_from(rollback.from).map_or(0, |seq| seq.saturating_sub(1));
        for (entry, undone) in self.entries.iter().zip(&mut self.undone).skip(from) {
            *undone |= !matches!(entry, Entry::Message(_));
        }
    }
}

#[cfg(test)]
mod tests;
