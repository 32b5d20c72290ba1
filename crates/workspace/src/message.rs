use crate::error::Error;

/// What a commit says.
#[derive(Debug, Clone, Default)]
pub struct CommitMessage {
    /// The first line; line breaks become spaces.
    pub subject: String,
    /// Free text, may be empty.
    pub body: String,
    /// `Hive-Task: …` and the like, in this order, as the last paragraph.
    pub trailers: Vec<(String, String)>,
}

impl CommitMessage {
    /// Subject, body and trailers as one text. The trailers are a paragraph of their own at the end, the only
    /// place where git reads trailers, so nothing in the body can pass for one.
    pub(crate) fn render(&self) -> Result<String, Error> {
        let subject = self.subject.split_whitespace().collect::<Vec<_>>().join(" ").replace('\0', "");
        if subject.is_empty() {
            return Err(Error::InvalidMessage("the subject is empty".to_owned()));
        }
        let mut text = subject + "\n";
        let body = self.body.replace('\0', "");
        if !body.trim().is_empty() {
            text.push('\n');
            text.push_str(body.trim());
            text.push('\n');
        }
        if !self.trailers.is_empty() {
            text.push('\n');
        }
        for (key, value) in &self.trailers {
            let plain = key.starts_with(|c: char| c.is_ascii_alphabetic())
                && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            if !plain || value.trim().is_empty() || value.chars().any(char::is_control) {
                return Err(Error::InvalidMessage(format!(
                    "the trailer '{key}' needs a plain name and one line"
                )));
            }
            text.push_str(&format!("{key}: {}\n", value.trim()));
        }
        Ok(text)
    }
}
