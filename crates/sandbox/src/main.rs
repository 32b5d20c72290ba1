//! The launcher: started by the library with one order on its standard input, never by hand.

use std::process::ExitCode;

fn main() -> ExitCode {
    hive_sandbox::launcher::main(std::env::args().skip(1))
}
