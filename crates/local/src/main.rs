//! `hive-stores [--state DIR] [--migrations DIR] -- COMMAND…` runs a command beside stores: throw-away ones, or those
//! of DIR, with the schema of the migrations if they are named.

use std::{env, ffi::OsString, process::ExitCode};

use hive_local::testing::run_beside_stores;

fn main() -> ExitCode {
    let mut words = env::args_os().skip(1).peekable();
    let state = words.next_if(|word| word == "--state").and_then(|_| words.next());
    let migrations = words.next_if(|word| word == "--migrations").and_then(|_| words.next());
    let separated = words.next().is_some_and(|word: OsString| word == "--");
    let Some(program) = words.next().filter(|_| separated) else {
        eprintln!("usage: hive-stores [--state DIR] [--migrations DIR] -- COMMAND [ARGUMENT]…");
        return ExitCode::from(2);
    };
    match run_beside_stores(state.map(Into::into), migrations.map(Into::into), program, words) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("hive-stores: {error}");
            ExitCode::FAILURE
        }
    }
}
