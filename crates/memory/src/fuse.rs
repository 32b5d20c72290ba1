//! One order out of several lists, whose scores have nothing in common but that more is better.
//!
//! Each list is brought to 0 to 1, and the results are added by weight. Ranks alone were measured to lose against the best
//! single list: they make a weak list as strong as a strong one. For the same reason words are measured by what the question
//! could have got, and not by the best entry: where the best has one common word of eight, words have little to say, and
//! meaning decides; where a rare code is met, they say nearly all.

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
        Self { text: 0.3, text_window: 0.05, vector: 0.5, vector_window: 0.15, exact: 0.5, strength: 0.02 }
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

/// How much of a question that fits passes on to what was said next: most likely its answer.
const ANSWER: f32 = 0.8;
/// What is left of a question by itself, which answers nothing.
const QUESTION: f32 = 0.9;

/// An entry that may be found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Candidate {
    /// What it has itself.
    pub own: Parts,
    /// What the question has that it follows, if it follows one.
    pub asked: Option<Parts>,
    /// Whether it is a question.
    pub asks: bool,
}

impl Candidate {
    /// What it comes to, of parts that are 0 to 1: its own, or what it has from the question before it.
    #[must_use]
    pub fn parts(&self) -> Parts {
        let Self { own, asked, asks } = *self;
        let Some(asked) = asked.filter(|_| !asks) else { return own };
        Parts {
            text: own.text.max(ANSWER * asked.text),
            vector: own.vector.max(ANSWER * asked.vector),
            exact: own.exact.max(ANSWER * asked.exact),
            ..own
        }
    }

    /// How well it fits, of parts that are 0 to 1.
    #[must_use]
    pub fn score(&self, weights: &Weights) -> f32 {
        let factor = if self.asks { QUESTION } else { 1.0 };
        factor * self.parts().sum(weights)
    }
}

/// Brings the parts of all candidates of a query to 0 to 1. Words are measured by `possible`, which is what an entry of mean
/// length gets that holds each term of the query once. Meaning begins at the least of the candidates, since no two texts
/// have nothing in common there.
pub fn normalise(candidates: &mut [Candidate], possible: f32) {
    let share = |score: f32| if possible > 0.0 { (score / possible).min(1.0) } else { 0.0 };
    for parts in candidates.iter_mut().flat_map(each) {
        parts.text = share(parts.text);
        parts.text_window = share(parts.text_window);
    }
    from_least(candidates, |parts| &mut parts.vector);
    from_least(candidates, |parts| &mut parts.vector_window);
}

fn each(candidate: &mut Candidate) -> impl Iterator<Item = &mut Parts> {
    std::iter::once(&mut candidate.own).chain(&mut candidate.asked)
}

fn from_least(candidates: &mut [Candidate], part: impl Fn(&mut Parts) -> &mut f32) {
    let own = |candidate: &mut Candidate| Some(*part(&mut candidate.own)).filter(|score| !score.is_nan());
    let least = candidates.iter_mut().filter_map(own).fold(f32::INFINITY, f32::min);
    let best = candidates.iter_mut().filter_map(own).fold(f32::NEG_INFINITY, f32::max);
    for parts in candidates.iter_mut().flat_map(each) {
        let score = part(parts);
        *score = match (score.is_nan(), best > least) {
            (true, _) => 0.0,
            // A question need not be a candidate itself.
            (false, true) => ((*score - least) / (best - least)).clamp(0.0, 1.0),
            (false, false) => 1.0,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(text: f32, vector: f32) -> Candidate {
        Candidate { own: Parts { text, vector, ..Parts::default() }, ..Candidate::default() }
    }

    #[test]
    fn words_are_measured_by_what_could_be_and_meaning_by_what_is() {
        let mut all = [own(8.0, 0.9), own(2.0, 0.5), own(0.0, f32::NAN)];
        normalise(&mut all, 16.0);
        let found = all.map(|one| (one.own.text, one.own.vector));
        assert_eq!(found, [(0.5, 1.0), (0.125, 0.0), (0.0, 0.0)]);
        // What holds a term many times may get more than that, and is cut.
        let mut all = [own(8.0, 0.9)];
        normalise(&mut all, 4.0);
        assert_eq!(all[0].own.text, 1.0);
    }

    #[test]
    fn one_candidate_alone_is_the_best_and_none_is_nothing() {
        let mut one = [own(0.0, 0.3)];
        normalise(&mut one, 0.0);
        assert_eq!((one[0].own.vector, one[0].own.text), (1.0, 0.0));
        normalise(&mut [], 1.0);
    }

    #[test]
    fn an_answer_has_most_of_what_its_question_has_and_stands_above_it() {
        let weights = Weights::default();
        let question = Candidate { asks: true, ..own(10.0, 0.9) };
        let answer = Candidate { asked: Some(question.own), ..own(0.0, 0.2) };
        let mut all = [question, answer, own(1.0, 0.4), own(10.0, 0.9)];
        normalise(&mut all, 10.0);
        let scores = all.map(|one| one.score(&weights));
        assert!((all[1].parts().text - 0.8).abs() < 1e-6 && (all[1].parts().vector - 0.8).abs() < 1e-6);
        assert!(scores[1] > scores[2] && scores[3] > scores[0], "{scores:?}");
        // A question that follows a question has nothing of it.
        assert_eq!(Candidate { asks: true, ..all[1] }.parts(), all[1].own);
    }
}
