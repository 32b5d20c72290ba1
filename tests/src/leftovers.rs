//! What a story must not leave behind.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use sqlx::{Connection, PgConnection};

use crate::{hive::TestHive, log, program::Program};

/// What a process with nothing to do gets to end after SIGTERM.
const END: Duration = Duration::from_secs(12);
/// Lines of each log that a failed story shows.
const SHOWN: usize = 40;

impl TestHive {
    fn programs(&mut self) -> impl Iterator<Item = &mut Program> {
        self.workers.iter_mut().chain(&mut self.schedulers).chain(&mut self.apis)
    }

    fn leftovers(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        for program in self.programs().filter(|program| !program.ended_by_story) {
            if let Some(status) = program.ended() {
                found.push(format!("{} ended by itself with {status}", program.name));
            }
        }
        found.extend(running(&self.database.url()));
        // A worker that was killed cannot tidy up; all others do.
        if self.workers.iter().all(|worker| !worker.ended_by_story) {
            found.extend(trees(&self.path("data")).iter().map(|tree| format!("a tree: {}", tree.display())));
        }
        if !self.expects_unmatched {
            let unmatched = self.double.unmatched();
            found.extend(unmatched.iter().map(|request| format!("no rule matched: {}", request.summary)));
        }
        for program in self.programs().filter(|program| !program.ended_by_story) {
            program.ask_to_end();
            program.ended_by_story = false;
        }
        for program in self.programs().filter(|program| !program.ended_by_story) {
            found.extend(program.finish(END).err());
        }
        found
    }

    fn show_logs(&mut self) {
        for program in self.programs() {
            let text = program.log_text();
            eprintln!("--- {} (pid {}) ---\n{}", program.name, program.pid(), log::tail(&text, SHOWN));
        }
    }
}

impl Drop for TestHive {
    fn drop(&mut self) {
        let failed = thread::panicking();
        let found = if failed { Vec::new() } else { self.leftovers() };
        if failed || !found.is_empty() {
            self.show_logs();
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        assert!(found.is_empty(), "left over: {found:#?}");
    }
}

/// The trees of tasks on every host.
fn trees(data: &Path) -> Vec<PathBuf> {
    let entries = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    entries(data).flat_map(|host| entries(&host.join("workspaces/tasks")).collect::<Vec<_>>()).collect()
}

/// Tasks that somebody still holds, asked on a thread of its own because a runtime may be running on this one.
fn running(url: &str) -> Option<String> {
    let url = url.to_owned();
    let asked = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut connection = PgConnection::connect(&url).await.unwrap();
            let query = "SELECT count(*) FROM tasks WHERE status = 'running'";
            sqlx::query_scalar::<_, i64>(query).fetch_one(&mut connection).await.unwrap()
        })
    });
    match asked.join() {
        Ok(0) => None,
        Ok(count) => Some(format!("{count} tasks are still running")),
        Err(_) => Some("the database did not answer at the end".to_owned()),
    }
}
