//! Every question of a split is put to a retriever.

use std::{collections::HashSet, future::Future, time::Instant};

use super::{Dataset, Judged, Question, Split, judge};

/// Result of every call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Texts did not become vectors.
    #[error(transparent)]
    Embed(#[from] hive_embed::Error),
    /// A retriever showed what the asker may not see: no figure is worth anything beside that.
    #[error(
        "question {question} was shown turn {turn}, which its asker may not see or which was not said yet"
    )]
    Leak {
        /// The question's id.
        question: String,
        /// The turn's id.
        turn: String,
    },
    /// A retriever showed something twice, so that its ranks mean nothing.
    #[error("question {question} was shown turn {turn} twice")]
    Twice {
        /// The question's id.
        question: String,
        /// The turn's id.
        turn: String,
    },
}

/// Who finds turns for questions.
pub trait Retriever {
    /// How many turns are asked for: enough to fill the budget of tokens.
    const ENOUGH: usize = 200;

    /// The turns that fit best, best first, at most [`Retriever::ENOUGH`].
    fn search(&self, question: &Question) -> impl Future<Output = Result<Vec<usize>>>;
}

/// Asks the questions one after another; what each answer is worth, in their order.
///
/// # Errors
/// When the retriever fails, or shows what it must not.
pub async fn ask<'a>(
    data: &'a Dataset,
    split: Split,
    retriever: &impl Retriever,
) -> Result<Vec<(&'a Question, Judged)>> {
    let mut judged = Vec::new();
    for question in data.questions.iter().filter(|question| split.holds(question)) {
        let started = Instant::now();
        let found = retriever.search(question).await?;
        let took = started.elapsed();
        check(data, question, &found)?;
        judged.push((question, judge(&data.turns, question, &found, took)));
    }
    Ok(judged)
}

fn check(data: &Dataset, question: &Question, found: &[usize]) -> Result<()> {
    let named = |turn: usize| (question.id.clone(), data.turns[turn].id.clone());
    let mut seen = HashSet::new();
    for &turn in found {
        if !data.may_hear(question, turn) {
            let (question, turn) = named(turn);
            return Err(Error::Leak { question, turn });
        }
        if !seen.insert(turn) {
            let (question, turn) = named(turn);
            return Err(Error::Twice { question, turn });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Finds the same for every question.
    struct Fixed(Vec<usize>);

    impl Retriever for Fixed {
        async fn search(&self, _: &Question) -> Result<Vec<usize>> {
            Ok(self.0.clone())
        }
    }

    fn data() -> Dataset {
        let turn = |id: &str, at: &str, scope: &str| {
            format!(
                r#"{{"id":"{id}","session":"{id}","at":"2026-01-0{at}T00:00:00Z","speaker":"a","scope":"{scope}","text":"{id}"}}"#
            )
        };
        let turns =
            [turn("mine", "1", "o/p"), turn("later", "3", "o/p"), turn("theirs", "1", "o/q")].join("\n");
        let question = r#"{"id":"q","text":"?","scope":"o/p","class":"c","as_of":"2026-01-02T00:00:00Z","evidence":["mine"]}"#;
        Dataset::parse(&turns, question).unwrap()
    }

    #[tokio::test]
    async fn what_the_asker_may_not_see_ends_the_measurement() {
        let data = data();
        for (shown, problem) in [
            (
                vec![0, 1],
                "question q was shown turn later, which its asker may not see or which was not said yet",
            ),
            (
                vec![2],
                "question q was shown turn theirs, which its asker may not see or which was not said yet",
            ),
            (vec![0, 0], "question q was shown turn mine twice"),
        ] {
            let error = ask(&data, Split::All, &Fixed(shown)).await.unwrap_err();
            assert_eq!(error.to_string(), problem);
        }
    }

    #[tokio::test]
    async fn only_the_questions_of_the_split_are_asked() {
        let data = data();
        let mut asked = 0;
        for split in [Split::Tune, Split::HeldOut] {
            let judged = ask(&data, split, &Fixed(vec![0])).await.unwrap();
            assert!(
                judged.iter().all(|(question, judged)| split.holds(question) && judged.recall_at_5 == 1.0)
            );
            asked += judged.len();
        }
        assert_eq!((asked, ask(&data, Split::All, &Fixed(vec![])).await.unwrap().len()), (1, 1));
    }
}
