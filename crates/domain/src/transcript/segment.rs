//! Segments: what of the conversation the model is still sent, and how often it was begun anew.

use super::Transcript;
use crate::journal::{Compacted, Entry, Reply, Stop};

impl Transcript {
    /// What the current segment begins with; `None` in the first one.
    #[must_use]
    pub fn compacted(&self) -> Option<&Compacted> {
        self.conversation().rev().find_map(|(_, entry)| match entry {
            Entry::Compacted(compacted) => Some(&**compacted),
            _ => None,
        })
    }

    /// The conversation since the current segment began, without the entry that began it.
    pub fn segment(&self) -> impl Iterator<Item = (usize, &Entry)> {
        let begins = self.conversation().rev().find_map(|(place, entry)| match entry {
            Entry::Compacted(_) => Some(place),
            _ => None,
        });
        self.conversation().skip_while(move |(place, _)| begins.is_some_and(|begins| *place <= begins))
    }

    /// The last reply of the current segment.
    #[must_use]
    pub fn segment_reply(&self) -> Option<&Reply> {
        let replies = self.segment().filter_map(|(_, entry)| match entry {
            Entry::Reply(reply) => Some(reply),
            _ => None,
        });
        replies.last()
    }

    /// True when the last reply of the current segment says that the conversation does not fit the model.
    #[must_use]
    pub fn has_overflowed(&self) -> bool {
        self.segment_reply().is_some_and(|reply| reply.stop == Stop::ModelContextWindowExceeded)
    }

    /// Segments that were begun since the model last gave a reply that fits it.
    #[must_use]
    pub fn compactions_in_a_row(&self) -> usize {
        let mut begun = 0;
        for (_, entry) in self.conversation().rev() {
            match entry {
                Entry::Compacted(_) => begun += 1,
                Entry::Reply(reply) if reply.stop != Stop::ModelContextWindowExceeded => break,
                _ => {}
            }
        }
        begun
    }

    /// The id of the last message of the current segment, which the next request names to the provider.
    #[must_use]
    pub fn previous_message(&self) -> Option<&str> {
        self.segment_reply()?.exchange.as_ref().map(|exchange| exchange.message_id.as_str())
    }

    /// True when the last reply was text that was cut at the output limit, and the one before it was not: what is left
    /// is asked for with more room.
    #[must_use]
    pub fn wants_room(&self) -> bool {
        let mut replies = self.replies().rev();
        let is_cut = |reply: &Reply| reply.stop == Stop::MaxTokens;
        replies.next().is_some_and(|last| is_cut(last) && last.calls().is_empty())
            && !replies.next().is_some_and(is_cut)
    }
}

#[cfg(test)]
mod tests;
