//! `hive eval memory`: questions with known evidence are put to words alone, to vectors alone, and to the engine.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use hive_embed::{Config, Embedder};
use hive_memory::eval::{
    Bm25, Dataset, Engine, Error, Judged, Nearest, Question, Split, Vectors, ask, shipped,
};

use super::report::Report;
use crate::failure::Failure;

/// What stands below the options.
const FORMAT: &str = "\
A data set is a directory with two files of JSON, one object on each line.

turns.jsonl, in the order in which it was said:
  id        Names the turn
  session   The conversation that it belongs to
  at        When, as 2026-03-01T09:30:00Z; within a session never before the turn above it
  speaker   Who says it
  scope     Who may hear it: org, org/project or org/project/agent. An asker hears its own scope and those around it
  text      The words, and all that is searched
  origin    said (the default), or recalled for what an agent read back from its memory
  junk      true if it answers nothing. For the score; no retriever sees it

questions.jsonl:
  id        Names the question
  text      The words
  scope     Who asks
  class     Figures are printed for each class
  evidence  Ids of the turns that hold the answer. A question with an empty list is skipped, and counted
  as_of     What held then is wanted, and what was said later is not there; optional
  stale     Ids of turns that say what held before that; optional
  group     Questions of one group are in the same split; the id, unless given

The split: the first byte of the SHA-256 of the group; below 128 it is tune, else held-out. Of a \
set of your own all questions are asked, of the one in this program the held-out ones, unless --split says otherwise.

The figures: recall@5 and recall@10 are the share of the evidence among the first hits; evidence 4k is its share among the \
hits that fit into 4,000 tokens of 3.5 bytes; MRR is one divided by the rank of the first piece of evidence. Stale is how \
often something that holds no more stands among the first five and above the evidence, of the questions that name any. Junk \
is the share of the first five hits that is marked as such or repeats a hit above it. Latency includes the embedding of the \
question. All of these are means over the questions, so are 0 to 1, except the latency.

With --json the last line is one object: recall_at_5, recall_at_10, evidence_4k, mrr, stale_rate, junk_rate, \
latency_p50_ms and latency_p95_ms, each with engine, bm25 and vector, and the same for each class and split; questions says \
how many were asked, of_questions of how many, without_evidence how many of these were skipped.";

#[derive(Args)]
#[command(after_long_help = FORMAT)]
pub(crate) struct Options {
    /// A directory in the format below; without it, the set that is part of this program.
    #[arg(long, value_name = "DIR")]
    dataset: Option<PathBuf>,
    /// Which questions; all of a set of your own unless given, else `held-out`. What is tuned on `tune` is reported on
    /// `held-out`.
    #[arg(long, value_enum)]
    split: Option<Part>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Part {
    Tune,
    HeldOut,
    All,
}

impl Part {
    const fn split(self) -> Split {
        match self {
            Self::Tune => Split::Tune,
            Self::HeldOut => Split::HeldOut,
            Self::All => Split::All,
        }
    }
}

pub(crate) async fn run(options: &Options, as_json: bool) -> Result<(), Failure> {
    let data = match &options.dataset {
        Some(directory) => Dataset::read(directory),
        None => shipped(),
    };
    let data = data.map_err(|error| Failure::Usage(error.to_string()))?;
    let usual = if options.dataset.is_some() { Part::All } else { Part::HeldOut };
    let split = options.split.unwrap_or(usual).split();
    if !data.questions.iter().any(|question| split.holds(question)) {
        let without = data.without_evidence;
        return Err(Failure::Usage(format!("no question is in this split ({without} name no evidence)")));
    }
    eprintln!("{} turns are embedded, which takes a while.", data.turns.len());
    let embedder = Embedder::open(&Config::embedded()).map_err(|error| failed(&error.into()))?;
    let vectors = Vectors::make(&data, embedder).await.map_err(|error| failed(&error))?;

    let asked: [Vec<(&Question, Judged)>; 3] = [
        ask(&data, split, &Bm25::new(&data)).await.map_err(|error| failed(&error))?,
        ask(&data, split, &Nearest::new(&data, &vectors)).await.map_err(|error| failed(&error))?,
        ask(&data, split, &Engine::new(&data, &vectors)).await.map_err(|error| failed(&error))?,
    ];
    let report = Report::new(&data, split, &asked);
    if as_json {
        println!("{}", report.json());
    } else {
        report.print();
    }
    Ok(())
}

fn failed(error: &Error) -> Failure {
    Failure::Failed(format!("nothing was measured: {error}"))
}
