//! The command line beside a story's hive.

use std::process::{Output, Stdio};

use crate::{hive::TestHive, program::binary};

impl TestHive {
    /// Runs `hive` with these arguments, the addresses of the story's stores, and those of its first api.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn command(&self, arguments: &[&str]) -> Output {
        let [database_url, redis_url] = self.store_urls();
        let mut command = tokio::process::Command::new(binary("hive"));
        command
            .args(arguments)
            .env("DATABASE_URL", database_url)
            .env("REDIS_URL", redis_url)
            .env("HIVE_REDIS_PREFIX", &self.prefix)
            .envs(self.apis.first().map(|api| ("HIVE_URL", api.url())))
            .env("HIVE_TOKEN", self.token())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command.output().await.unwrap()
    }

    /// What a command prints that has to end well.
    ///
    /// # Panics
    /// When it does not.
    pub async fn says(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).await;
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "hive {arguments:?}: {complaint}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same with `--json`, read.
    ///
    /// # Panics
    /// When it ends badly or prints something else.
    pub async fn says_json(&self, arguments: &[&str]) -> serde_json::Value {
        let text = self.says(&[&["--json"], arguments].concat()).await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("hive {arguments:?}: {error}: {text}"))
    }

    /// The complaint of a command that has to end with this exit code, in one line.
    ///
    /// # Panics
    /// When it ends otherwise.
    pub async fn complains(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.command(arguments).await;
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "hive {arguments:?}: {complaint}");
        complaint
    }
}
