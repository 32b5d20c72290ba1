//! What clap says in several lines, in one.

use clap::{
    Command, Error,
    error::{ContextKind, ContextValue},
};

/// One line that begins with the variables of the settings that are meant.
pub(crate) fn of(command: &Command, error: &Error) -> String {
    let text = error.to_string();
    // The usage after the first paragraph is for `--help`.
    let first = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = first.split_whitespace().collect();
    let line = words.join(" ").trim_start_matches("error: ").to_owned();
    let variables: Vec<String> = meant(error).iter().filter_map(|option| variable(command, option)).collect();
    if variables.is_empty() { line } else { format!("{}: {line}", variables.join(", ")) }
}

/// The options that the error is about, as clap shows them: `--name <NAME>`.
fn meant(error: &Error) -> Vec<String> {
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(one)) => vec![one.clone()],
        Some(ContextValue::Strings(several)) => several.clone(),
        _ => Vec::new(),
    }
}

fn variable(command: &Command, shown: &str) -> Option<String> {
    let option = shown.strip_prefix("--")?.split([' ', '=']).next()?;
    let mut arguments = command.get_arguments();
    let argument = arguments.find(|argument| argument.get_long() == Some(option))?;
    Some(argument.get_env()?.to_string_lossy().into_owned())
}
