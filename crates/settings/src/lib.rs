//! How a process reads its settings: options, variables, and files for secrets.
//!
//! Every setting has a variable. One that is marked as a secret (`hide_env_values`) may instead be read from the file
//! that `<VARIABLE>_FILE` names, so that it stands in no environment block and no list of processes.

mod line;
mod secret_file;

use std::ffi::OsString;

use anyhow::anyhow;
use clap::{Command, Parser};

pub use secret_file::secret_of;

/// Reads the settings of a process from its command line, its environment and the files of its secrets. Help and
/// version are printed, and end the process.
///
/// # Errors
/// One line that names the setting that is missing or cannot be used. Secrets are not in it.
pub fn read<T: Parser>() -> anyhow::Result<T> {
    parse(std::env::args_os())
}

/// The same with these arguments, the name of the program first.
///
/// # Errors
/// See [`read`].
pub fn parse<T: Parser>(arguments: impl IntoIterator<Item = OsString>) -> anyhow::Result<T> {
    read_from(arguments, |name| std::env::var_os(name))
}

fn read_from<T: Parser>(
    arguments: impl IntoIterator<Item = OsString>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> anyhow::Result<T> {
    let mut command = T::command();
    command.build();
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    for (option, secret) in secrets(&command, &arguments, &variable)? {
        let mut argument = OsString::from(format!("--{option}="));
        argument.push(secret);
        arguments.push(argument);
    }
    match T::try_parse_from(arguments) {
        Ok(settings) => Ok(settings),
        Err(answer) if !answer.use_stderr() => answer.exit(),
        Err(error) => Err(anyhow!("{}", line::of(&command, &error))),
    }
}

/// The options whose secrets lie in files, with what the files hold. An option that is given by hand wins.
fn secrets(
    command: &Command,
    given: &[OsString],
    variable: &impl Fn(&str) -> Option<OsString>,
) -> anyhow::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for argument in command.get_arguments().filter(|argument| argument.is_hide_env_values_set()) {
        let (Some(option), Some(name)) = (argument.get_long(), argument.get_env()) else { continue };
        let name = name.to_string_lossy();
        let by_hand = format!("--{option}");
        let is_given = given.iter().any(|word| {
            word.to_str().is_some_and(|word| word == by_hand || word.starts_with(&format!("{by_hand}=")))
        });
        if !is_given && let Some(secret) = secret_file::read(&name, variable)? {
            found.push((option.to_owned(), secret));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
