//! Which questions are for tuning and which are held out.

use sha2::{Digest, Sha256};

use super::Question;

/// A part of the questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// To choose weights by.
    Tune,
    /// To report. Nothing may be chosen by it.
    HeldOut,
    /// Both.
    All,
}

impl Split {
    /// Whether a question is in it. The first byte of the SHA-256 of its group decides, which nobody can choose: below
    /// 128 it is for tuning.
    #[must_use]
    pub fn holds(self, question: &Question) -> bool {
        let for_tuning = Sha256::digest(question.group.as_bytes())[0] < 128;
        match self {
            Self::Tune => for_tuning,
            Self::HeldOut => !for_tuning,
            Self::All => true,
        }
    }
}
