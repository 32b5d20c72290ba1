//! Places where a process can be made to panic, to die or to wait, for the tests of its recovery.
//!
//! In an ordinary build the points compile to nothing. `make chaos FAILPOINTS=1` builds with the feature
//! `fail/failpoints`; then `FAILPOINTS` says which points do what, as in `append::before=1*return`: `return` ends the
//! process at once, `panic` panics, `sleep(2000)` waits for two seconds.

/// Reads `FAILPOINTS`. Does nothing in an ordinary build, whatever the variable says.
pub(crate) fn arm() {
    if fail::has_failpoints() {
        // For as long as the process lives.
        std::mem::forget(fail::FailScenario::setup());
    }
}
