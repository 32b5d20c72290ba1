//! A panic is one line in the log.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    panic, thread,
};

/// Replaces the hook that prints several raw lines to stderr.
pub(crate) fn log() {
    panic::set_hook(Box::new(|info| {
        let thread = thread::current();
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
        tracing::error!(
            panic.message = info.payload_as_str().unwrap_or("no message"),
            panic.location = info.location().map(tracing::field::display),
            panic.thread = thread.name().unwrap_or("unnamed"),
            panic.backtrace = backtrace,
            "A panic: this is a defect",
        );
    }));
}
