//! The charge of one answer: entered with its first content, closed with its last event or its cut.

use std::sync::Arc;

use crate::ledger::{Call, Ledger};
use crate::tokens::tokens;

/// Follows one answer to its end. Dropped before [`Charge::finish`], it closes the call as cut.
#[derive(Debug)]
pub(crate) struct Charge {
    ledger: Arc<Ledger>,
    /// The call as it stands in the ledger when the answer reaches its end.
    whole: Call,
    sent_bytes: u64,
    state: State,
}

#[derive(Debug, PartialEq)]
enum State {
    /// No content was sent; nothing is charged.
    Free,
    Charged,
    Closed,
}

impl Charge {
    pub(crate) fn new(ledger: Arc<Ledger>, whole: Call) -> Self {
        Self { ledger, whole, sent_bytes: 0, state: State::Free }
    }

    /// Content of so many bytes goes out.
    pub(crate) fn content(&mut self, bytes: u64) {
        self.sent_bytes += bytes;
        if self.state == State::Free {
            self.state = State::Charged;
            self.whole.seq = self.ledger.enter(self.torn());
        }
    }

    /// The answer reached its end. An answer without content is charged all the same.
    pub(crate) fn finish(&mut self) {
        self.content(0);
        if self.state == State::Charged {
            self.state = State::Closed;
            self.ledger.close(Call { cut: false, ..self.whole.clone() });
        }
    }

    /// The call as it is when nothing more is sent.
    fn torn(&self) -> Call {
        let mut call = self.whole.clone();
        call.cut = true;
        call.stop_reason = None;
        call.usage.output_tokens = tokens(self.sent_bytes).min(self.whole.usage.output_tokens);
        call
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if self.state == State::Charged {
            self.ledger.close(self.torn());
        }
    }
}
