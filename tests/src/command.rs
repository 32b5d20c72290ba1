//! The command line beside a story's hive.

use std::process::{Output, Stdio};

use crate::{hive::TestHive, program::binary};

impl TestHive {
    /// Runs `hive` with these arguments and the addresses of the story's stores.
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
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command.output().await.unwrap()
    }
}
