//! The figures as a table and as JSON.

use std::collections::BTreeSet;

use hive_memory::eval::{Dataset, Judged, Measures, Question, Split};
use serde_json::{Map, Value, json};

use crate::output;

/// Who was asked, as it stands in JSON and in the table.
const NAMES: [(&str, &str); 3] = [("bm25", "words alone"), ("vector", "vectors alone"), ("engine", "engine")];

/// A figure's name in JSON, its heading, its decimals, and where it is.
type Figure = (&'static str, &'static str, usize, fn(&Measures) -> Option<f64>);

const FIGURES: [Figure; 8] = [
    ("recall_at_5", "recall@5", 3, |measures| Some(measures.recall_at_5)),
    ("recall_at_10", "recall@10", 3, |measures| Some(measures.recall_at_10)),
    ("evidence_4k", "evidence 4k", 3, |measures| Some(measures.evidence_4k)),
    ("mrr", "MRR", 3, |measures| Some(measures.mrr)),
    ("stale_rate", "stale", 3, |measures| measures.stale_rate),
    ("junk_rate", "junk", 3, |measures| Some(measures.junk_rate)),
    ("latency_p50_ms", "p50 ms", 1, |measures| Some(measures.latency_p50_ms)),
    ("latency_p95_ms", "p95 ms", 1, |measures| Some(measures.latency_p95_ms)),
];

/// What was measured.
pub(super) struct Report {
    turns: usize,
    /// All that the set has.
    questions: usize,
    /// Of them, those that could not be asked.
    without_evidence: usize,
    split: Split,
    /// Over all questions first.
    parts: Vec<Part>,
}

/// The figures over some of the questions, in the order of [`NAMES`].
struct Part {
    kind: Kind,
    name: String,
    measures: [Measures; 3],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    All,
    Split,
    Class,
}

impl Report {
    /// Of the answers of each, in the order of [`NAMES`]; there is at least one question.
    pub(super) fn new(data: &Dataset, split: Split, asked: &[Vec<(&Question, Judged)>; 3]) -> Self {
        let mut report = Self {
            turns: data.turns.len(),
            questions: data.questions.len() + data.without_evidence,
            without_evidence: data.without_evidence,
            split,
            parts: Vec::new(),
        };
        report.add(Kind::All, "all", asked, |_| true);
        if split == Split::All {
            report.add(Kind::Split, "tune", asked, |question| Split::Tune.holds(question));
            report.add(Kind::Split, "held-out", asked, |question| Split::HeldOut.holds(question));
        }
        let classes: BTreeSet<&String> = asked[0].iter().map(|(question, _)| &question.class).collect();
        for class in classes {
            report.add(Kind::Class, class, asked, |question| question.class == *class);
        }
        report
    }

    fn add(
        &mut self,
        kind: Kind,
        name: &str,
        asked: &[Vec<(&Question, Judged)>; 3],
        of: impl Fn(&Question) -> bool,
    ) {
        let measures = asked.each_ref().map(|judged| {
            let those: Vec<Judged> =
                judged.iter().filter(|(question, _)| of(question)).map(|(_, judged)| *judged).collect();
            Measures::of(&those)
        });
        if let [Some(words), Some(vectors), Some(engine)] = measures {
            self.parts.push(Part { kind, name: name.to_owned(), measures: [words, vectors, engine] });
        }
    }

    pub(super) fn print(&self) {
        let mut headings = vec!["", "questions", "by"];
        headings.extend(FIGURES.map(|(_, heading, ..)| heading));
        let rows = self.parts.iter().flat_map(|part| {
            NAMES.iter().zip(&part.measures).enumerate().map(|(at, ((_, name), measures))| {
                let first = |text: String| if at == 0 { text } else { String::new() };
                let figures = FIGURES.iter().map(|(_, _, decimals, figure)| match figure(measures) {
                    Some(figure) => format!("{figure:.decimals$}"),
                    None => "-".to_owned(),
                });
                [first(output::plain(&part.name)), first(measures.questions.to_string()), (*name).to_owned()]
                    .into_iter()
                    .chain(figures)
                    .collect()
            })
        });
        output::table(&headings, &rows.collect::<Vec<Vec<String>>>());
        let asked = self.parts.first().map_or(0, |all| all.measures[0].questions);
        println!("{asked} of {} questions were asked ({})", self.questions, name(self.split));
        if self.without_evidence > 0 {
            println!("{} name no evidence and were skipped", self.without_evidence);
        }
    }

    /// One line: the figures over all, and below them those of each split and class.
    pub(super) fn json(&self) -> Value {
        let of = |kind: Kind| -> Map<String, Value> {
            let parts = self.parts.iter().filter(|part| part.kind == kind);
            parts.map(|part| (part.name.clone(), Value::Object(part.json()))).collect()
        };
        let mut line = Map::new();
        line.insert("turns".to_owned(), json!(self.turns));
        line.insert("of_questions".to_owned(), json!(self.questions));
        line.insert("without_evidence".to_owned(), json!(self.without_evidence));
        line.insert("split".to_owned(), json!(name(self.split)));
        for part in self.parts.iter().filter(|part| part.kind == Kind::All) {
            line.extend(part.json());
        }
        line.insert("splits".to_owned(), Value::Object(of(Kind::Split)));
        line.insert("classes".to_owned(), Value::Object(of(Kind::Class)));
        Value::Object(line)
    }
}

impl Part {
    fn json(&self) -> Map<String, Value> {
        let mut figures = Map::new();
        figures.insert("questions".to_owned(), json!(self.measures[0].questions));
        for (key, _, _, figure) in FIGURES {
            let by = NAMES.iter().zip(&self.measures).map(|((name, _), measures)| {
                // A thousandth of a millisecond is below what a clock can tell.
                let rounded = figure(measures).map(|figure| (figure * 1e4).round() / 1e4);
                ((*name).to_owned(), json!(rounded))
            });
            figures.insert(key.to_owned(), Value::Object(by.collect()));
        }
        figures
    }
}

const fn name(split: Split) -> &'static str {
    match split {
        Split::Tune => "tune",
        Split::HeldOut => "held-out",
        Split::All => "all",
    }
}
