use std::fmt;
use std::str::FromStr;

/// The name of a commit or tree: 40 lower-case hexadecimal digits (SHA-1 repositories).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommitHash(String);

/// The text is not a full object name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a full commit hash; give all 40 hexadecimal digits")]
pub struct InvalidHash;

impl CommitHash {
    /// Reads a full object name; upper-case digits are accepted and lowered.
    ///
    /// # Errors
    /// Anything but 40 hexadecimal digits, abbreviations included.
    pub fn parse(text: &str) -> Result<Self, InvalidHash> {
        if text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(InvalidHash)
        }
    }

    /// The 40 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CommitHash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for CommitHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for CommitHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "CommitHash({})", self.0)
    }
}
