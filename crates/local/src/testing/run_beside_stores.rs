//! A command with stores beside it.

use std::{
    ffi::OsString,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::Duration,
};

use sqlx::{PgPool, migrate::Migrator};
use tokio::signal::unix::{Signal as SignalStream, SignalKind, signal};

use super::{DATABASE_URL, REDIS_URL};
use crate::{
    Error, Signal, Stores, StoresConfig, ThrowAway,
    account::Account,
    bound_child::{self, Bond, BoundChild},
    error::io_error,
};

/// How often the command and the stores are looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Starts throw-away stores (or durable ones in `state`, when it is given), brings their schema up to `migrations`, runs a command in the foreground
/// with `HIVE_TEST_DATABASE_URL` and `HIVE_TEST_REDIS_URL` set, stops the stores, and returns the command's
/// exit code (128 and its number for a signal).
///
/// # Errors
/// When the stores or the command cannot be started.
pub fn run_beside_stores(
    state: Option<PathBuf>,
    migrations: Option<PathBuf>,
    program: OsString,
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<u8, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(io_error("start a runtime for", &program))?;
    runtime.block_on(async {
        // Before anything is started, so that a Ctrl-C always finds somebody who cleans up.
        let interrupt = signal(SignalKind::interrupt()).map_err(io_error("watch signals for", &program))?;
        let terminate = signal(SignalKind::terminate()).map_err(io_error("watch signals for", &program))?;
        let mut beside = match state {
            Some(state) => Beside::Kept(Stores::start(&StoresConfig::new(state))?),
            None => Beside::ThrowAway(ThrowAway::start(true, true)?),
        };
        let stores = beside.stores();
        if let Some(migrations) = migrations {
            let url = stores.database_url().unwrap_or_default().to_owned();
            migrate(&url, &migrations).await?;
        }
        let mut command = Command::new(program);
        command.args(arguments);
        command.env(DATABASE_URL, stores.database_url().unwrap_or_default());
        command.env(REDIS_URL, stores.redis_url().unwrap_or_default());
        // In our own group, where the terminal's keys reach it.
        let bond = Bond { death: Signal::Terminate, account: Account::Ours, hold: None, own_group: false };
        let child = bound_child::spawn(command, &bond)?;
        let status = watch(child, stores, interrupt, terminate).await?;
        Ok(exit_code(status))
    })
}

/// From the files, not from what was compiled in: a schema that changes must stand before the statements on it can be
/// compiled.
async fn migrate(url: &str, migrations: &Path) -> Result<(), sqlx::migrate::MigrateError> {
    let migrator = Migrator::new(migrations).await?;
    let pool = PgPool::connect(url).await?;
    migrator.run(&pool).await
}

enum Beside {
    Kept(Stores),
    ThrowAway(ThrowAway),
}

impl Beside {
    fn stores(&mut self) -> &mut Stores {
        match self {
            Self::Kept(stores) => stores,
            Self::ThrowAway(stores) => stores,
        }
    }
}

async fn watch(
    mut child: BoundChild,
    stores: &mut Stores,
    mut interrupt: SignalStream,
    mut terminate: SignalStream,
) -> Result<ExitStatus, Error> {
    let mut told = false;
    loop {
        if let Some(status) = child.try_wait().map_err(io_error("wait for", "the command"))? {
            return Ok(status);
        }
        if !told && let Some(end) = stores.ended() {
            told = true;
            eprintln!("hive-stores: {end}");
        }
        tokio::select! {
            // The terminal has sent it to the command, too.
            _ = interrupt.recv() => {}
            _ = terminate.recv() => child.signal(Signal::Terminate),
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|number| 128 + number));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
