//! The figures. They are made of what was found and of what should have been, and of nothing else.

use std::{collections::HashSet, time::Duration};

use super::{Question, Turn};

/// Tokens of context in which the evidence shall stand.
pub const BUDGET: usize = 4_000;
/// Ranks in which a stale fact or junk does harm, since they are read first.
const READ: usize = 5;

/// What one answer is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// The share of the evidence among the first five.
    pub recall_at_5: f64,
    /// The share of the evidence among the first ten.
    pub recall_at_10: f64,
    /// The share of the evidence that stands within the first [`BUDGET`] tokens.
    pub evidence_4k: f64,
    /// One divided by the rank of the first piece of evidence; 0 if none was found.
    pub reciprocal_rank: f64,
    /// Whether something that holds no more stands among the first five and above all evidence; `None` if nothing is
    /// stale.
    pub stale: Option<bool>,
    /// How many of the first five are junk: marked as such, or word for word what stands above.
    pub junk: usize,
    /// How many of the first five there are.
    pub read: usize,
    /// How long the answer took.
    pub took: Duration,
}

/// Judges the turns that were found, best first.
#[must_use]
pub fn judge(turns: &[Turn], question: &Question, found: &[usize], took: Duration) -> Judged {
    let rank = |turn: &usize| found.iter().position(|found| found == turn);
    let ranks: Vec<Option<usize>> = question.evidence.iter().map(rank).collect();
    let share_within = |most: usize| share(&ranks, |rank| rank < most);
    let within_budget = fitting(turns, found);
    let first = ranks.iter().flatten().min().copied();
    let first_stale = question.stale.iter().filter_map(rank).min();
    let above = |stale: usize| stale < READ && first.is_none_or(|first| stale < first);
    let read = &found[..found.len().min(READ)];
    let mut texts = HashSet::new();
    let junk = read.iter().filter(|turn| {
        let turn = &turns[**turn];
        !texts.insert(&turn.text) || turn.junk
    });
    #[expect(clippy::cast_precision_loss, reason = "a rank")]
    let reciprocal_rank = first.map_or(0.0, |first| 1.0 / (first + 1) as f64);
    Judged {
        recall_at_5: share_within(5),
        recall_at_10: share_within(10),
        evidence_4k: share_within(within_budget),
        reciprocal_rank,
        stale: (!question.stale.is_empty()).then(|| first_stale.is_some_and(above)),
        junk: junk.count(),
        read: read.len(),
        took,
    }
}

/// How many of the found fit into the budget, taken in their order until one does not.
fn fitting(turns: &[Turn], found: &[usize]) -> usize {
    let mut left = BUDGET;
    let fits = |turn: &&usize| match left.checked_sub(tokens(&turns[**turn].text)) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    found.iter().take_while(fits).count()
}

/// How many tokens a text counts for: one for each 3.5 bytes, begun ones whole. An estimate, the same for everybody.
#[must_use]
pub const fn tokens(text: &str) -> usize {
    (2 * text.len()).div_ceil(7)
}

fn share(ranks: &[Option<usize>], within: impl Fn(usize) -> bool) -> f64 {
    mean(ranks.iter().map(|rank| f64::from(u8::from(rank.is_some_and(&within)))))
}

/// The figures over many answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measures {
    /// How many.
    pub questions: usize,
    /// Mean of [`Judged::recall_at_5`].
    pub recall_at_5: f64,
    /// Mean of [`Judged::recall_at_10`].
    pub recall_at_10: f64,
    /// Mean of [`Judged::evidence_4k`].
    pub evidence_4k: f64,
    /// Mean of [`Judged::reciprocal_rank`].
    pub mrr: f64,
    /// The share of the questions that have something stale in which it was ranked above the evidence; `None` if there
    /// is no such question.
    pub stale_rate: Option<f64>,
    /// The share of junk among all that was read.
    pub junk_rate: f64,
    /// Half of the answers took at most so many milliseconds.
    pub latency_p50_ms: f64,
    /// Nineteen of twenty took at most so many.
    pub latency_p95_ms: f64,
}

impl Measures {
    /// Of these answers; `None` of none.
    #[must_use]
    pub fn of(judged: &[Judged]) -> Option<Self> {
        if judged.is_empty() {
            return None;
        }
        let over = |figure: fn(&Judged) -> f64| mean(judged.iter().map(figure));
        let stale: Vec<bool> = judged.iter().filter_map(|one| one.stale).collect();
        let (junk, read) = judged.iter().fold((0, 0), |sum, one| (sum.0 + one.junk, sum.1 + one.read));
        let times: Vec<Duration> = judged.iter().map(|one| one.took).collect();
        let millis = |of: Duration| of.as_secs_f64() * 1e3;
        #[expect(clippy::cast_precision_loss, reason = "counts of turns")]
        let junk_rate = if read == 0 { 0.0 } else { junk as f64 / read as f64 };
        Some(Self {
            questions: judged.len(),
            recall_at_5: over(|one| one.recall_at_5),
            recall_at_10: over(|one| one.recall_at_10),
            evidence_4k: over(|one| one.evidence_4k),
            mrr: over(|one| one.reciprocal_rank),
            stale_rate: (!stale.is_empty())
                .then(|| mean(stale.iter().map(|stale| f64::from(u8::from(*stale))))),
            junk_rate,
            latency_p50_ms: millis(percentile(&times, 50)),
            latency_p95_ms: millis(percentile(&times, 95)),
        })
    }
}

/// The least of the values that so many of a hundred do not exceed; zero of none.
#[must_use]
pub fn percentile(values: &[Duration], of_hundred: usize) -> Duration {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * of_hundred).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a count of questions")]
    let count = values.len() as f64;
    values.sum::<f64>() / count
}

#[cfg(test)]
mod tests;
