//! How strongly something is remembered: by what it weighs, how old it is, and whether it was of use.
//!
//! `importance * 2^(-age / h) + 0.1 * ln(1 + recalls) * 2^(-rest / h)`, with `rest` the time since it was last recalled
//! and `h` the half-life of its kind. What is below [`FADED`] is left out of a search that does not ask for it; nothing
//! is deleted by it, and one recall brings it back.

/// Below it an entry has faded.
pub const FADED: f32 = 0.05;
/// Half-lives in days: of what is at hand, and of everything else.
const WORKING_DAYS: f32 = 7.0;
const LASTING_DAYS: f32 = 90.0;
const DAY: f32 = 86_400.0;
/// Microseconds of a second.
const MICROS: f64 = 1e6;

/// The half-life of a kind of entry, in seconds.
#[must_use]
pub fn half_life(kind: &str) -> f32 {
    if matches!(kind, "working" | "episode") { WORKING_DAYS * DAY } else { LASTING_DAYS * DAY }
}

/// The strength of an entry of this importance, age and rest in seconds.
#[must_use]
pub fn strength(importance: f32, age: f32, recalls: u64, rest: f32, half_life: f32) -> f32 {
    let left = |seconds: f32| (-seconds.max(0.0) / half_life).exp2();
    #[expect(clippy::cast_precision_loss, reason = "its logarithm is wanted to three digits")]
    let used = (1.0 + recalls as f32).ln();
    importance * left(age) + 0.1 * used * left(rest)
}

/// When an entry fades, in the unit of its times: as [`strength`] says, solved for the time. Both of its parts decay at the
/// same pace, so they are one.
#[must_use]
pub fn fades_at(importance: f32, recorded_at: i64, recalls: u64, recalled_at: i64, half_life: f32) -> i64 {
    let h = f64::from(half_life) * MICROS;
    #[expect(clippy::cast_precision_loss, reason = "days are wanted, not microseconds")]
    let (recorded, later) = (recorded_at as f64, (recalled_at - recorded_at) as f64);
    #[expect(clippy::cast_precision_loss, reason = "its logarithm is wanted to three digits")]
    let used = (1.0 + recalls as f64).ln();
    let at_first = f64::from(importance) + 0.1 * used * (later / h).exp2();
    let left = (at_first / f64::from(FADED)).log2();
    #[expect(clippy::cast_possible_truncation, reason = "a time beyond the range is the end of it")]
    let fades = (recorded + h * left.max(0.0)) as i64;
    fades
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_weakens_and_use_strengthens() {
        let h = half_life("fact");
        let fresh = strength(0.5, 0.0, 0, 0.0, h);
        assert!((fresh - 0.5).abs() < 1e-6);
        assert!((strength(0.5, h, 0, 0.0, h) - 0.25).abs() < 1e-6);
        let old = strength(0.5, 4.0 * h, 0, 0.0, h);
        assert!(old < FADED, "{old}");
        assert!(strength(0.5, 4.0 * h, 1, 0.0, h) > FADED);
        assert!(strength(0.5, 4.0 * h, 3, h, h) < strength(0.5, 4.0 * h, 3, 0.0, h));
        assert!(half_life("working") < h);
    }

    #[test]
    fn the_time_of_fading_is_where_the_strength_says() {
        let h = half_life("fact");
        for (importance, recalls, rest_days) in [(0.5, 0, 0), (1.0, 3, 40), (0.1, 12, 400), (0.0, 1, 5)] {
            let (recorded, last) =
                (1_700_000_000_000_000_i64, 1_700_000_000_000_000 + rest_days * 86_400_000_000);
            let fades = fades_at(importance, recorded, recalls, last, h);
            let at = |time: i64| {
                let since = |then: i64| (time - then) as f32 / 1e6;
                strength(importance, since(recorded), recalls, since(last), h)
            };
            assert!(at(fades - 86_400_000_000) > FADED && at(fades + 86_400_000_000) < FADED, "{importance}");
        }
        assert_eq!(fades_at(0.01, 5, 0, 5, h), 5, "what never weighed enough is faded from the beginning");
    }
}
