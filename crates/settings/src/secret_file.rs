//! A secret in a file of its own.

use std::{ffi::OsString, fs, path::Path};

use anyhow::{Context, ensure};

/// No password, key or URL is longer; a file that is was named by mistake.
const LONGEST: u64 = 64 << 10;

/// The secret of the variable `name`: its own value, or what the file holds that `<name>_FILE` names. `None` when
/// neither is set.
///
/// # Errors
/// One line that names the variable: both are set, or the file cannot be used.
pub fn secret_of(name: &str) -> anyhow::Result<Option<String>> {
    let variable = |name: &str| std::env::var_os(name);
    if let Some(secret) = read(name, &variable)? {
        return Ok(Some(secret));
    }
    Ok(std::env::var(name).ok())
}

/// What the file holds that `<name>_FILE` names, without the end of its last line; `None` when no file is named.
pub(crate) fn read(
    name: &str,
    variable: &impl Fn(&str) -> Option<OsString>,
) -> anyhow::Result<Option<String>> {
    let named = format!("{name}_FILE");
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let Some(path) = set(&named) else { return Ok(None) };
    ensure!(set(name).is_none(), "{name} and {named} are both set; keep one of them");
    let path = Path::new(&path);
    let meta = fs::metadata(path).with_context(|| format!("{named}: {} cannot be read", path.display()))?;
    ensure!(
        meta.is_file() && meta.len() <= LONGEST,
        "{named}: {} is not a file of at most {LONGEST} bytes",
        path.display()
    );
    let text =
        fs::read_to_string(path).with_context(|| format!("{named}: {} cannot be read", path.display()))?;
    let secret = text.strip_suffix('\n').map_or(&*text, |line| line.strip_suffix('\r').unwrap_or(line));
    ensure!(!secret.is_empty(), "{named}: {} is empty", path.display());
    ensure!(!secret.contains(['\n', '\0']), "{named}: {} holds more than one line", path.display());
    Ok(Some(secret.to_owned()))
}
