//! Checkpoints of the whole system: what is restored onto nothing is what was, and what is damaged is refused.

mod crawl;
mod damaged;
mod killed;
mod life;
mod one_machine;
mod restored;
mod retention;

use std::path::{Path, PathBuf};

use hive_tests::TestHive;
use serde_json::Value;

/// Makes a checkpoint by the command line; what it is, and where it lies.
async fn make(hive: &TestHive) -> (Value, PathBuf) {
    let made = hive.says_json(&["checkpoint", "create"]).await;
    assert_eq!(made["status"], "done", "{made:#}");
    let directory = hive.path("checkpoints").join(made["directory"].as_str().unwrap());
    (made, directory)
}

/// The arguments that restore from `directory`.
fn restore(hive: &TestHive, directory: &Path) -> [String; 5] {
    let roots = hive.path("repos");
    ["checkpoint", "restore", directory.to_str().unwrap(), "--repo-roots", roots.to_str().unwrap()]
        .map(str::to_owned)
}

/// How many tables there are.
async fn tables(hive: &TestHive) -> i64 {
    let count = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    sqlx::query_scalar(count).fetch_one(&hive.pool).await.unwrap()
}
