//! A hive that goes on elsewhere: with an empty database, an empty Redis and nothing of what its workers had.

use std::{fs, time::Duration};

use hive_local::testing::TestStores;

use crate::{builder, hive::TestHive, stores::Database};

/// What a process that has nothing to do gets to end.
const END: Duration = Duration::from_secs(60);

impl TestHive {
    /// Ends every process that runs, and loses the database, the tickets, the directories of the workers and the
    /// repositories; those are at the path that is returned. Nothing is started: there is not a table.
    ///
    /// # Panics
    /// When a process does not end.
    pub async fn lose_everything(&mut self) -> std::path::PathBuf {
        for program in self.workers.iter_mut().chain(&mut self.schedulers).chain(&mut self.apis) {
            if program.ended().is_none() {
                program.ask_to_end();
                program.ends(END).await;
            }
        }
        self.workers.clear();
        self.schedulers.clear();
        self.apis.clear();
        let lost = self.path("repos-lost");
        fs::rename(self.path("repos"), &lost).unwrap();
        fs::create_dir(self.path("repos")).unwrap();
        // A process is found by the address in its log.
        fs::rename(self.path("logs"), self.path("logs-before")).unwrap();
        fs::remove_dir_all(self.path("data")).unwrap();
        for name in ["data", "logs"] {
            fs::create_dir(self.path(name)).unwrap();
        }
        self.empty_database().await;
        lost
    }

    /// Goes on with a database without a table, and a Redis without a key of ours.
    ///
    /// # Panics
    /// When there is none to be had.
    pub async fn empty_database(&mut self) {
        self.pool.close().await;
        self.database = Database::empty().await;
        self.prefix = TestStores::redis_prefix();
        self.pool = builder::pool(&self.database);
    }
}
