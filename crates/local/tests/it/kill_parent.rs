//! A `kill -9` of the process that started the stores.

use std::{fs, process::Command};

use hive_local::{Stores, StoresConfig, spawn_bound};

use crate::{
    client::{add_note, get, notes, set},
    process::{Parent, eventually, hive_stores, is_alive, kill, passable_dir, store_pids},
};

#[tokio::test]
async fn leaves_no_process_and_loses_no_row() {
    let directory = passable_dir();
    let state = directory.path().join("state");
    let mut parent = Parent::start(&state);
    add_note(&parent.database, "committed").await;
    set(&parent.redis, "key", "told").await;
    let [postgres, redis] = store_pids(&state);
    let command = parent.command;
    assert!([postgres, redis, command].into_iter().all(is_alive));

    parent.kill();
    for pid in [postgres, redis, command] {
        eventually("the end of every child", || (!is_alive(pid)).then_some(()));
    }

    let stores = Stores::start(&StoresConfig::new(&state)).unwrap();
    assert_eq!(notes(stores.database_url().unwrap()).await, ["committed"]);
    assert_eq!(get(stores.redis_url().unwrap(), "key").await.as_deref(), Some("told"));
}

#[tokio::test]
async fn the_next_start_waits_for_stores_that_still_shut_down() {
    let directory = passable_dir();
    let state = directory.path().join("state");
    for round in ["1", "2", "3"] {
        let mut parent = Parent::start(&state);
        add_note(&parent.database, round).await;
        set(&parent.redis, round, "told").await;
        // At once, without waiting for the children.
        parent.kill();
    }
    let stores = Stores::start(&StoresConfig::new(&state)).unwrap();
    assert_eq!(notes(stores.database_url().unwrap()).await, ["1", "2", "3"]);
    for round in ["1", "2", "3"] {
        assert_eq!(get(stores.redis_url().unwrap(), round).await.as_deref(), Some("told"));
    }
}

#[tokio::test]
async fn a_frozen_orphan_is_found_and_stopped_by_the_next_start() {
    let directory = passable_dir();
    let state = directory.path().join("state");
    let mut parent = Parent::start(&state);
    set(&parent.redis, "key", "told").await;
    let [_, redis] = store_pids(&state);
    kill(redis, "STOP");
    parent.kill();
    assert!(is_alive(redis), "a frozen process takes no signal");

    let config = StoresConfig { want_postgres: false, ..StoresConfig::new(&state) };
    let stores = Stores::start(&config).unwrap();
    assert!(!is_alive(redis));
    assert_eq!(get(stores.redis_url().unwrap(), "key").await.as_deref(), Some("told"));
}

#[tokio::test]
async fn stores_that_were_killed_too_start_again_over_their_leftovers() {
    let directory = passable_dir();
    let state = directory.path().join("state");
    let mut parent = Parent::start(&state);
    add_note(&parent.database, "committed").await;
    let [postgres, redis] = store_pids(&state);
    for pid in [postgres, redis, parent.child.id()] {
        kill(pid, "KILL");
    }
    parent.kill();
    eventually("the end of both", || (!is_alive(postgres) && !is_alive(redis)).then_some(()));

    // The pid in the file that Postgres left behind belongs to somebody else by now: to us.
    let data = fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().path());
    let pid_file = data.map(|path| path.join("postmaster.pid")).find(|path| path.exists()).unwrap();
    let text = fs::read_to_string(&pid_file).unwrap();
    let ours = text.replacen(&postgres.to_string(), &std::process::id().to_string(), 1);
    fs::write(&pid_file, ours).unwrap();

    let stores = Stores::start(&StoresConfig::new(&state)).unwrap();
    assert_eq!(notes(stores.database_url().unwrap()).await, ["committed"]);
}

#[test]
fn a_bound_child_lives_on_when_the_thread_that_asked_for_it_ends() {
    let mut sleep = Command::new("sleep");
    sleep.arg("600");
    let mut child = std::thread::spawn(move || spawn_bound(sleep).unwrap()).join().unwrap();
    // The signal of a thread's end is sent before the join returns; give it no excuse by asking twice.
    assert!(is_alive(child.id()));
    assert_eq!(child.wait_within(std::time::Duration::from_millis(100)), None);

    let pid = child.id();
    drop(child);
    assert!(!is_alive(pid), "a dropped child is killed");
}

#[test]
fn hive_stores_passes_on_the_exit_code_and_removes_its_directory() {
    let directory = passable_dir();
    let script = r#"echo "$HIVE_TEST_DATABASE_URL"; ls "$TMPDIR"; exit 7"#;
    let output = hive_stores(&["--", "sh", "-c", script]).env("TMPDIR", directory.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(7));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("hive-stores-"), "the command saw its stores' directory: {said}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    let sockets = said.lines().next().unwrap().split_once("host=").unwrap().1;
    assert!(!fs::exists(sockets).unwrap());
}
