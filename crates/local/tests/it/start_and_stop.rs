//! Starting, stopping and starting again on the same state directory.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use hive_local::{Error, RedisData, Stores, StoresConfig};

use crate::{
    client::{add_note, get, notes, set, try_get, with_password},
    process::{eventually, is_alive, is_root, kill, passable_dir, socket_inodes},
};

#[tokio::test]
async fn a_second_start_finds_the_data_of_the_first() {
    let directory = passable_dir();
    let config = StoresConfig::new(directory.path().join("state"));

    let stores = Stores::start(&config).unwrap();
    let database = stores.database_url().unwrap().to_owned();
    add_note(&database, "kept").await;
    set(stores.redis_url().unwrap(), "key", "kept").await;
    let pids = stores.pids();
    stores.stop();
    for (name, pid) in pids {
        assert!(!is_alive(pid), "{name} outlived its stop");
    }

    let stores = Stores::start(&config).unwrap();
    assert_eq!(stores.database_url().unwrap(), database, "the password and the socket stay the same");
    assert_eq!(notes(&database).await, ["kept"]);
    assert_eq!(get(stores.redis_url().unwrap(), "key").await.as_deref(), Some("kept"));
}

#[test]
fn a_second_instance_on_one_state_is_refused() {
    let directory = passable_dir();
    let config = StoresConfig { want_postgres: false, ..StoresConfig::new(directory.path()) };

    let first = Stores::start(&config).unwrap();
    let second = Stores::start(&config).unwrap_err();
    assert!(matches!(second, Error::AlreadyRunning(_)), "{second}");
    assert!(second.to_string().contains("already running for"), "{second}");

    drop(first);
    Stores::start(&config).unwrap();
}

#[test]
fn directories_and_secrets_are_closed_to_others() {
    let directory = passable_dir();
    let stores = Stores::start(&StoresConfig::new(directory.path().join("state"))).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;

    // Root lets the user of the stores pass through, but nobody list.
    let passable = if is_root() { 0o711 } else { 0o700 };
    assert_eq!(mode(stores.state()), passable);
    assert_eq!(mode(stores.socket_dir()), 0o700);
    assert_eq!(mode(&stores.state().join("redis")), 0o700);
    for name in ["postgres.password", "redis.password", "postgres.log", "redis.log"] {
        assert_eq!(mode(&stores.state().join(name)), 0o600, "{name}");
    }
    let data: Vec<_> = fs::read_dir(stores.state())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("PG_VERSION").exists())
        .collect();
    let version = fs::read_to_string(data[0].join("PG_VERSION")).unwrap();
    assert_eq!(data, [stores.state().join(format!("pg{}", version.trim()))]);
    assert_eq!(mode(&data[0]), 0o700);
}

#[tokio::test]
async fn a_wrong_password_opens_neither_store() {
    let directory = passable_dir();
    let stores = Stores::start(&StoresConfig::new(directory.path())).unwrap();

    let database = with_password(stores.database_url().unwrap(), "wrong");
    let refused = sqlx::PgPool::connect(&database).await.unwrap_err().to_string();
    assert!(refused.contains("password authentication failed"), "{refused}");

    let (socket, _) = stores.redis_url().unwrap().split_once("?pass=").unwrap();
    for url in [socket.to_owned(), format!("{socket}?pass=wrong")] {
        let refused = try_get(&url, "key").await.unwrap_err().to_string().to_lowercase();
        assert!(refused.contains("auth") || refused.contains("pass"), "{refused}");
    }
}

#[test]
fn the_stores_run_without_root_and_listen_on_no_port() {
    let directory = passable_dir();
    let stores = Stores::start(&StoresConfig::new(directory.path())).unwrap();
    let pids = stores.pids();
    assert_eq!(pids.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["postgres", "redis"]);
    for (name, pid) in pids {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let uids = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
        assert!(uids.split_whitespace().skip(1).all(|uid| uid != "0"), "{name}: {uids}");
        let groups = status.lines().find(|line| line.starts_with("Groups:")).unwrap();
        assert!(!groups.split_whitespace().any(|group| group == "0"), "{name}: {groups}");

        let listening = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap();
        let sockets = socket_inodes(pid);
        // Columns: … 3 = state, 0A is LISTEN; 9 = inode.
        let own = listening.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find(|columns| {
            columns.get(3) == Some(&"0A") && columns.get(9).is_some_and(|inode| sockets.contains(*inode))
        });
        assert_eq!(own, None, "{name} listens on TCP");
    }
}

#[test]
fn a_state_that_the_stores_cannot_reach_names_the_directory_in_the_way() {
    if !is_root() {
        // Only root hands the stores to another user.
        return;
    }
    let directory = passable_dir();
    let closed = directory.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();

    let blocked = Stores::start(&StoresConfig::new(closed.join("state"))).unwrap_err();
    assert!(
        matches!(&blocked, Error::Blocked { directory, .. } if directory.ends_with("closed")),
        "{blocked}"
    );
}

#[tokio::test]
async fn redis_starts_again_with_its_data_or_empty() {
    let directory = passable_dir();
    let config = StoresConfig { want_postgres: false, ..StoresConfig::new(directory.path()) };
    let mut stores = Stores::start(&config).unwrap();
    let url = stores.redis_url().unwrap().to_owned();
    set(&url, "key", "kept").await;

    stores.stop_redis();
    assert_eq!(stores.pids(), []);
    assert!(try_get(&url, "key").await.is_err());
    stores.start_redis(RedisData::Keep).unwrap();
    assert_eq!(get(&url, "key").await.as_deref(), Some("kept"));

    stores.kill_redis();
    stores.start_redis(RedisData::Wipe).unwrap();
    assert_eq!(get(&url, "key").await, None);
}

#[tokio::test]
async fn postgres_recovers_after_a_crash() {
    let directory = passable_dir();
    let config = StoresConfig { want_redis: false, ..StoresConfig::new(directory.path()) };
    let mut stores = Stores::start(&config).unwrap();
    let url = stores.database_url().unwrap().to_owned();
    add_note(&url, "committed").await;

    stores.postgres().unwrap().crash();
    assert!(sqlx::PgPool::connect(&url).await.is_err());
    stores.postgres().unwrap().start().unwrap();
    assert_eq!(notes(&url).await, ["committed"]);
}

#[test]
fn a_store_that_dies_is_noticed() {
    let directory = passable_dir();
    let config = StoresConfig { want_postgres: false, ..StoresConfig::new(directory.path()) };
    let mut stores = Stores::start(&config).unwrap();
    assert_eq!(stores.ended(), None);

    let (_, pid) = stores.pids()[0];
    kill(pid, "KILL");
    let end = eventually("the end of Redis", || stores.ended());
    assert!(end.starts_with("redis ended with signal: 9"), "{end}");
}
