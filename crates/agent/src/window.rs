//! How much of a model's window a conversation may fill, and how much of it is full.

use std::{collections::BTreeMap, str::FromStr};

use hive_claude::{Request, Role};
use hive_domain::{
    journal::{Entry, NoteCause, Trigger},
    transcript::Transcript,
};

/// The name under which the window of all other models is given.
const OTHERS: &str = "default";
/// Tokens, unless something else is set.
const DEFAULT_TOKENS: i64 = 200_000;
/// The least window that can be set: what opens a conversation alone takes a few thousand tokens.
const LEAST_TOKENS: i64 = 8_000;
/// Parts of a hundred from which on a conversation is put aside before the next call.
const FULL: i64 = 80;
/// The same where a person begins something new.
const AT_A_MESSAGE: i64 = 60;
/// The same where a part of the work is over, or the cache has grown cold.
const BETWEEN_PARTS: i64 = 40;

/// Windows that runs keep to, by model, in tokens. Less than models allow: what is long is slow, dear and read badly,
/// and some models cost more beyond a size.
#[derive(Clone, Debug)]
pub struct Windows(BTreeMap<String, i64>);

impl Windows {
    /// The window of a model.
    #[must_use]
    pub fn of(&self, model: &str) -> i64 {
        self.0.get(model).or_else(|| self.0.get(OTHERS)).copied().unwrap_or(DEFAULT_TOKENS)
    }
}

impl FromStr for Windows {
    type Err = String;

    /// Reads `model=tokens,default=tokens`.
    fn from_str(text: &str) -> Result<Self, String> {
        let window = |pair: &str| {
            let refuse = || format!("{pair:?} is not of the form model=tokens");
            let (model, tokens) = pair.split_once('=').ok_or_else(refuse)?;
            let tokens: i64 = tokens.trim().parse().map_err(|_| refuse())?;
            if model.trim().is_empty() {
                return Err(refuse());
            }
            if tokens < LEAST_TOKENS {
                return Err(format!("{pair:?}: a window has {LEAST_TOKENS} tokens at least"));
            }
            Ok((model.trim().to_owned(), tokens))
        };
        Ok(Self(text.split(',').map(window).collect::<Result<_, _>>()?))
    }
}

/// Tokens of so many bytes, where nobody has counted them.
pub(crate) fn tokens(bytes: usize) -> i64 {
    i64::try_from(bytes.saturating_mul(2).div_ceil(7)).unwrap_or(i64::MAX)
}

/// Bytes of so many tokens, the other way round.
pub(crate) fn bytes(tokens: i64) -> usize {
    usize::try_from(tokens).unwrap_or(0).saturating_mul(7) / 2
}

/// The size of a request in tokens: what the service counted for the last reply of its segment, and what was added since.
pub(crate) fn size(request: &Request, transcript: &Transcript) -> i64 {
    let counted =
        transcript.segment_reply().map(|reply| reply.usage.total_tokens()).filter(|tokens| *tokens > 0);
    let Some(counted) = counted else {
        return tokens(request.body().map_or(usize::MAX, |body| body.len()));
    };
    let newer = request.messages.iter().rev().take_while(|message| message.role != Role::Assistant);
    counted.saturating_add(tokens(newer.map(|message| message.content.get().len()).sum()))
}

/// Why a conversation of `used` tokens is to be put aside now, if it is.
pub(crate) fn due(transcript: &Transcript, used: i64, window: i64) -> Option<Trigger> {
    if transcript.has_overflowed() {
        return Some(Trigger::Overflow);
    }
    let fills = |part: i64| used.saturating_mul(100) >= window.saturating_mul(part);
    if fills(FULL) {
        return Some(Trigger::Full);
    }
    // What has just begun is not put aside for the sake of order.
    transcript.segment_reply()?;
    let part = match transcript.entries().last()? {
        Entry::Checks(_) => BETWEEN_PARTS,
        Entry::Note(note) if note.cause == NoteCause::Woken => BETWEEN_PARTS,
        Entry::Message(_) | Entry::AgentMessage(_) | Entry::Briefing(_) => AT_A_MESSAGE,
        _ => return None,
    };
    fills(part).then_some(Trigger::Edge)
}

/// True when a segment is small enough to be worth its beginning: a fifth less than what it stands for.
pub(crate) const fn shrinks(before: i64, after: i64) -> bool {
    after.saturating_mul(5) <= before.saturating_mul(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_read_by_model() {
        let windows: Windows = "default=200000, small=95000".parse().unwrap();
        assert_eq!((windows.of("small"), windows.of("large")), (95_000, 200_000));
        assert_eq!("small=95000".parse::<Windows>().unwrap().of("large"), DEFAULT_TOKENS);
        for wrong in ["", "small", "small=", "=9000", "small=x", "small=7999"] {
            assert!(wrong.parse::<Windows>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_fifth_less_is_worth_it() {
        assert!(shrinks(100, 80) && !shrinks(100, 81) && !shrinks(0, 1));
    }
}
