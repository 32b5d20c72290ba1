//! One order out of several lists, whose scores have nothing in common but that more is better.
//!
//! Each list is brought to 0 to 1 between its least and its best, and the results are added by weight. Ranks alone were
//! measured to lose against the best single list: they make a weak list as strong as a strong one.

/// How much each list counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// Words of the entry.
    pub text: f32,
    /// Words of the entry and the one before it.
    pub text_window: f32,
    /// Meaning of the entry.
    pub vector: f32,
    /// Meaning of the entry and the one before it.
    pub vector_window: f32,
    /// Ids, codes and paths of the query that stand in the entry.
    pub exact: f32,
    /// How strongly it is remembered: enough to decide between entries that fit alike.
    pub strength: f32,
}

impl Default for Weights {
    fn default() -> Self {
        Self { text: 0.35, text_window: 0.15, vector: 0.35, vector_window: 0.15, exact: 0.5, strength: 0.02 }
    }
}

/// What one entry has in each list: raw scores at first, then 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Parts {
    /// BM25 of the entry.
    pub text: f32,
    /// BM25 of the entry and the one before it.
    pub text_window: f32,
    /// Cosine of the entry; `NAN` when it has no vector.
    pub vector: f32,
    /// Cosine of the entry and the one before it; `NAN` when it has no vector.
    pub vector_window: f32,
    /// Which share of the exact terms of the query it holds.
    pub exact: f32,
    /// How strongly it is remembered; see [`crate::strength`].
    pub strength: f32,
}

impl Parts {
    /// The sum by weight.
    #[must_use]
    pub fn sum(&self, weights: &Weights) -> f32 {
        weights.text * self.text
            + weights.text_window * self.text_window
            + weights.vector * self.vector
            + weights.vector_window * self.vector_window
            + weights.exact * self.exact
            + weights.strength * self.strength
    }
}

/// Brings the parts of all candidates of a query to 0 to 1. Words begin at 0, which means none in common; meaning begins
/// at the least of the candidates, since no two texts have nothing in common there.
pub fn normalise(candidates: &mut [Parts]) {
    from_zero(candidates, |parts| &mut parts.text);
    from_zero(candidates, |parts| &mut parts.text_window);
    from_least(candidates, |parts| &mut parts.vector);
    from_least(candidates, |parts| &mut parts.vector_window);
}

fn from_zero(candidates: &mut [Parts], part: impl Fn(&mut Parts) -> &mut f32) {
    let best = candidates.iter_mut().map(|parts| *part(parts)).fold(0.0, f32::max);
    if best > 0.0 {
        for parts in candidates {
            *part(parts) /= best;
        }
    }
}

fn from_least(candidates: &mut [Parts], part: impl Fn(&mut Parts) -> &mut f32) {
    let known = |parts: &mut Parts| Some(*part(parts)).filter(|score| !score.is_nan());
    let least = candidates.iter_mut().filter_map(known).fold(f32::INFINITY, f32::min);
    let best = candidates.iter_mut().filter_map(known).fold(f32::NEG_INFINITY, f32::max);
    for parts in candidates {
        let score = part(parts);
        *score = match (score.is_nan(), best > least) {
            (true, _) => 0.0,
            (false, true) => (*score - least) / (best - least),
            (false, false) => 1.0,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_list_is_brought_to_its_own_range() {
        let mut all = [
            Parts { text: 8.0, vector: 0.9, ..Parts::default() },
            Parts { text: 2.0, vector: 0.5, ..Parts::default() },
            Parts { text: 0.0, vector: f32::NAN, ..Parts::default() },
        ];
        normalise(&mut all);
        let found = all.map(|parts| (parts.text, parts.vector));
        assert_eq!(found, [(1.0, 1.0), (0.25, 0.0), (0.0, 0.0)]);
    }

    #[test]
    fn one_candidate_alone_is_the_best_and_none_is_nothing() {
        let mut one = [Parts { vector: 0.3, ..Parts::default() }];
        normalise(&mut one);
        assert_eq!((one[0].vector, one[0].text), (1.0, 0.0));
        normalise(&mut []);
    }
}
