//! When, never what: duties that take no input, do no harm when they run twice, and may run in any number of
//! schedulers at once.

mod bases;
mod config;
mod doors;
pub mod duties;
mod duty;
mod run;

pub use bases::Bases;
pub use config::Config;
pub use doors::Doors;
pub use run::run;
