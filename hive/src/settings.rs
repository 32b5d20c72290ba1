//! Where the server is: options, then variables, then what `hive dev` wrote.

use std::{collections::HashMap, fs, path::PathBuf};

use clap::Args;
use url::Url;

use crate::failure::Failure;

/// How to reach the server.
#[derive(Args)]
pub(crate) struct Connection {
    /// Address of the server; without it, what `hive dev` wrote into its state directory.
    #[arg(long, env = "HIVE_URL", global = true)]
    url: Option<Url>,
    /// The bearer token; without it what `HIVE_TOKEN` holds, or the file that `HIVE_TOKEN_FILE` names.
    #[arg(long, global = true)]
    token: Option<String>,
    /// The state directory of `hive dev`.
    #[arg(long, env = "HIVE_STATE", global = true)]
    state: Option<PathBuf>,
}

impl Connection {
    /// The address and the token.
    pub(crate) fn resolve(&self) -> Result<(Url, String), Failure> {
        let state = self.state.clone().unwrap_or_else(hive_local::default_state_dir);
        let written = fs::read_to_string(state.join("env")).map(|text| variables(&text)).unwrap_or_default();
        let missing = |what: &str| {
            Failure::Unreachable(format!(
                "no server is known: {} is not there, as it is while `hive dev` runs; start it, name its state \
                 directory with --state or HIVE_STATE, or set {what}",
                state.join("env").display()
            ))
        };
        let url = match (&self.url, written.get("HIVE_URL")) {
            (Some(url), _) => url.clone(),
            (None, Some(text)) => text.parse().map_err(|_| missing("HIVE_URL"))?,
            (None, None) => return Err(missing("HIVE_URL")),
        };
        let token = match &self.token {
            Some(token) => Some(token.clone()),
            None => secret("HIVE_TOKEN")?.or_else(|| written.get("HIVE_TOKEN").cloned()),
        };
        Ok((url, token.ok_or_else(|| missing("HIVE_TOKEN"))?))
    }
}

/// A secret from its variable or from the file that is named for it.
pub(crate) fn secret(name: &str) -> Result<Option<String>, Failure> {
    hive_settings::secret_of(name).map_err(|error| Failure::Usage(format!("{error:#}")))
}

/// Reads lines of the form `export NAME='value'`.
pub(crate) fn variables(text: &str) -> HashMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.trim_start_matches("export ").split_once('='));
    pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().trim_matches('\'').to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_shell_reads() {
        let read = variables("export HIVE_URL='http://127.0.0.1:7700'\nexport HIVE_TOKEN='a=b'\n");
        assert_eq!(read["HIVE_URL"], "http://127.0.0.1:7700");
        assert_eq!(read["HIVE_TOKEN"], "a=b");
    }
}
