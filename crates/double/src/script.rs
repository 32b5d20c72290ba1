//! Scripts: rules that say what is answered to what.

mod form;
mod mode;
mod rule;
mod template;
mod when;

use std::path::{Path, PathBuf};

use crate::answer::Answer;
use crate::conversation::Conversation;
use crate::fault::FaultError;
use form::ScriptForm;
use rule::Rule;

/// A script that cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The file cannot be read.
    #[error("the script {path} cannot be read: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The text is not YAML of the expected form.
    #[error("this is not a script: {0}")]
    Form(#[from] serde_norway::Error),
    /// A pattern is not a regular expression.
    #[error("rule {rule:?}: the pattern for {field} is not a regular expression: {source}")]
    Pattern {
        /// The rule.
        rule: String,
        /// The condition it stands in.
        field: String,
        /// Why not.
        #[source]
        source: Box<regex::Error>,
    },
    /// An answer uses a name that nothing captures.
    #[error("rule {rule:?}: {{{{{name}}}}} is captured by none of its patterns; name a group (?P<{name}>…)")]
    Uncaptured {
        /// The rule.
        rule: String,
        /// The name.
        name: String,
    },
    /// A filter is not one of those that exist.
    #[error("rule {rule:?}: {filter:?} is not a filter; use unnumbered, trim or int")]
    Filter {
        /// The rule.
        rule: String,
        /// The filter.
        filter: String,
    },
    /// A fault is written wrongly.
    #[error("{0}")]
    Fault(#[from] FaultError),
    /// A fault of a rule is written wrongly.
    #[error("rule {rule:?}: {source}")]
    RuleFault {
        /// The rule.
        rule: String,
        /// Why not.
        #[source]
        source: FaultError,
    },
    /// A model is not one of those that the double knows.
    #[error("{0:?} is not a model that the double knows")]
    UnknownModel(String),
    /// The script has no rules.
    #[error("the script has no rules; write at least one")]
    Empty,
}

/// Rules, tried in order; the first that matches answers.
///
/// ```yaml
/// rules:
///   - name: read what failed            # shown in the ledger
///     when:                             # all of these hold; none: always
///       turn: 1                         # assistant messages so far; or { at_least: 1, at_most: 3 }
///       night: true                     # the request is one of a night; without this or a mode of nights (below) no
///                                       #   rule answers nights, which quote tasks: built-in ones over the text do
///       tool: shell                     # a result of this tool is in the last message
///       last_result: 'FAIL: (?P<test>\w+)'   # patterns: system, model, first_text, last_text, last_result,
///       result_of: { list_files: 'src' } #   result_of (newest result of a tool), request (all texts)
///       not: { system: 'reviewer' }
///     thinking: Something fails.
///     say: "{{test}} fails."            # groups by name; also turn, user_id, model, first_text, last_text,
///     tools:                            #   last_result; filters: unnumbered, trim, int
///       - { name: read_file, input: { path: "tests/{{test}}.py" } }
///     stop_reason: tool_use             # overrides what follows from the content; so does usage: {…}
///     times: 2                          # calls in all; times_per_user: for each metadata.user_id
///     delay_ms: 100                     # between_events_ms, chunk_bytes: how the stream comes
///     broken_json: true                 # streamed tool input does not parse
///     open_tool_call: true              # cut by max_tokens in the middle of the last tool's input
///     refusal: { category: cyber, explanation: No. }   # what explains stop_reason: refusal
///     strange: [event, field, delta, block]   # what no client can know yet
///     mode: obedient                    # or hijacked, looping, refusing, slow, cutting: fills in what the rule
///                                       #   leaves open; orders are `call NAME {…}` in texts of users or results;
///                                       #   or night, night_schema_invalid, night_truncated, night_empty,
///                                       #   night_half_lost, night_wrong_merges, night_wrong_updates, night_flood: how
///                                       #   a memory is consolidated
///     fault: 529                        # or spend_limit, { status, error_type, error_code, message, retry_after,
///                                       #   should_retry, headers }, { cut_after_events: 3 }, { cut_in_event: 3 },
///                                       #   cut_before_headers, { error_event: {…} }, { stall_after_events: 3 },
///                                       #   { pings_ms: 500 }, { garbled_json_after: 3 }, { invalid_utf8_after: 3 },
///                                       #   { delay_ms: 100 }, { first_byte_ms: 100 }, garbage
/// ```
#[derive(Debug)]
pub struct Script {
    rules: Vec<Rule>,
}

impl Script {
    /// Reads a script from YAML.
    ///
    /// # Errors
    ///
    /// The text is not a script, or one of its rules cannot be played.
    pub fn parse(yaml: &str) -> Result<Self, ScriptError> {
        let form: ScriptForm = serde_norway::from_str(yaml)?;
        let rules: Vec<_> = form
            .rules
            .into_iter()
            .enumerate()
            .map(|(index, rule)| Rule::compile(index, rule))
            .collect::<Result<_, _>>()?;
        if rules.is_empty() {
            return Err(ScriptError::Empty);
        }
        Ok(Self { rules })
    }

    /// Reads a script from a file.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or holds no script.
    pub fn load(path: &Path) -> Result<Self, ScriptError> {
        let yaml = std::fs::read_to_string(path)
            .map_err(|source| ScriptError::File { path: path.to_owned(), source })?;
        Self::parse(&yaml)
    }

    /// This script, with the rules of another tried after its own.
    #[must_use]
    pub fn then(mut self, other: Self) -> Self {
        self.rules.extend(other.rules);
        self
    }

    /// The answer of the first rule that matches.
    pub(crate) fn answer(&self, conversation: &Conversation<'_>) -> Option<Answer> {
        self.rules.iter().find_map(|rule| rule.answer(conversation))
    }
}
