//! One line per event on stderr, without secrets.

use std::{
    borrow::Cow,
    io::IsTerminal,
    process::ExitCode,
    sync::{Arc, LazyLock, OnceLock},
};

use anyhow::Context;
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

mod fields;
mod lines;
mod panics;
mod redactor;
mod sink;

use lines::Lines;
use redactor::Redactor;
use sink::Sink;

/// What [`init`] set up, for those who have no handle: the exit of the process and the health page.
static ACTIVE: OnceLock<(Arc<Redactor>, Sink)> = OnceLock::new();
/// What is known without any secret: the shapes of credentials.
static SHAPES: LazyLock<Redactor> = LazyLock::new(|| Redactor::new(&[]));

/// What is logged, and in which shape.
#[derive(Clone, Debug, clap::Args)]
pub struct LogConfig {
    /// What to log: a level, or a list such as `info,hive_queue=debug`
    #[arg(long = "log", env = "HIVE_LOG", default_value = "info", value_name = "FILTER")]
    pub filter: String,
    /// json or text; without it json, but text on a terminal
    #[arg(long = "log-format", env = "HIVE_LOG_FORMAT", value_name = "FORMAT")]
    pub format: Option<LogFormat>,
}

/// The shape of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One flat JSON object.
    Json,
    /// For people.
    Text,
}

/// Writes out what still waits when it is dropped; keep it until the end of `main`.
#[derive(Debug)]
#[must_use = "lines that still wait when the process ends are lost without it"]
pub struct Guard(());

impl Drop for Guard {
    fn drop(&mut self) {
        flush();
    }
}

/// Starts logging to stderr, and logs panics. Every line carries `process`; each of `secrets` is left out of every
/// line. A secret that is a URL stands for the password in it.
///
/// # Errors
/// The filter cannot be read, or logging was already set up in this process.
pub fn init(process: &'static str, config: &LogConfig, secrets: &[String]) -> anyhow::Result<Guard> {
    let filter = EnvFilter::try_new(&config.filter).with_context(|| {
        format!("HIVE_LOG: {:?} is not a filter; write for example `info`", config.filter)
    })?;
    let format = config
        .format
        .unwrap_or_else(|| if std::io::stderr().is_terminal() { LogFormat::Text } else { LogFormat::Json });
    let redactor = Arc::new(Redactor::new(secrets));
    let sink = Sink::spawn(std::io::stderr()).context("the log writer could not be started")?;
    let lines = Lines::new(process, format, Arc::clone(&redactor), sink.clone());
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init()
        .context("logging is already set up in this process")?;
    ACTIVE.get_or_init(|| (redactor, sink));
    panics::log();
    crate::fail_points::arm();
    Ok(Guard(()))
}

/// The text without secrets: those given to [`init`], and everything that has the shape of a credential.
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    match ACTIVE.get() {
        Some((redactor, _)) => redactor.redact(text),
        None => SHAPES.redact(text),
    }
}

/// Ends `main`: logs the error that ended it as one line, since what `main` returns is printed with secrets and all.
#[must_use]
pub fn exit(outcome: anyhow::Result<()>) -> ExitCode {
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    if ACTIVE.get().is_some() {
        tracing::error!("{error:#}");
        flush();
    } else {
        eprintln!("{}", redact(&format!("{error:#}")));
    }
    ExitCode::FAILURE
}

/// Waits a moment until the lines logged so far are written.
pub(crate) fn flush() {
    if let Some((_, sink)) = ACTIVE.get() {
        sink.flush();
    }
}
