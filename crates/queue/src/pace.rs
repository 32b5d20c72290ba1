//! At most one log line a second for a failure that may happen thousands of times a second.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

const GAP: Duration = Duration::from_secs(1);

/// Says when it is time to log again, and how many were kept quiet since.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    // Protects the moment of the last line and the count since; held for a few instructions.
    state: Mutex<(Option<Instant>, u64)>,
}

impl Pace {
    /// `Some(n)`: log now, `n` more have happened since the last line. `None`: keep quiet.
    pub(crate) fn due(&self) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, quiet) = &mut *state;
        if last.is_some_and(|at| at.elapsed() < GAP) {
            *quiet += 1;
            return None;
        }
        *last = Some(Instant::now());
        Some(std::mem::take(quiet))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_of_two_is_quiet() {
        let pace = Pace::default();
        assert_eq!(pace.due(), Some(0));
        assert_eq!(pace.due(), None);
        assert_eq!(pace.due(), None);
        if let Ok(mut state) = pace.state.lock() {
            state.0 = None;
        }
        assert_eq!(pace.due(), Some(2));
    }
}
