//! Runs one command confined, as a worker would: `confine [--no-bubblewrap] <workspace> <program> [argument]…`
//!
//! Prints what the command printed, then on stderr how it ended and which walls stood.

use std::io::Write;
use std::process::ExitCode;

use hive_sandbox::{Bubblewrap, Config, Job, Sandbox};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> ExitCode {
    let mut config =
        Config { launcher: std::env::var_os("HIVE_LAUNCHER").map(Into::into), ..Config::default() };
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "--no-bubblewrap") {
        arguments.remove(0);
        config.bubblewrap = Bubblewrap::Never;
    }
    let [workspace, command @ ..] = &arguments[..] else {
        eprintln!("usage: confine [--no-bubblewrap] <workspace> <program> [argument]…");
        return ExitCode::from(2);
    };
    match run(config, workspace, command).await {
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(125)
        }
    }
}

async fn run(config: Config, workspace: &str, command: &[String]) -> Result<i32, Box<dyn std::error::Error>> {
    let sandbox = Sandbox::probe(config).await?;
    let job = Job::new(workspace, command.iter().cloned());
    let output = sandbox.run(&job, &CancellationToken::new()).await?;
    std::io::stdout().write_all(&output.stdout.bytes)?;
    std::io::stderr().write_all(&output.stderr.bytes)?;
    eprintln!("{:?}, ended by {:?}, behind {}", output.exit, output.ended_by, output.level);
    Ok(output.code())
}
