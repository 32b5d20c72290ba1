//! The threads that run the embedded model: a bounded number of them, each with texts of several callers at once.
//!
//! A query goes before documents, because somebody waits for it. Texts that wait at the same time run together, those of
//! one call by length, so that little is filled up; a lane takes what is there and waits for nothing.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use rten::ThreadPool;
use tokio::sync::oneshot;

use crate::{
    embedder::Kind,
    error::{Error, Result},
    mini_lm::MiniLm,
};

/// Texts that run together at most.
const MOST_TEXTS: usize = 32;
/// Tokens of queries that run together at most: five questions or so, which take some 10 ms. More at a time is no faster,
/// and each would wait for all of them.
const MOST_TOKENS_OF_QUERIES: usize = 96;
/// Tokens of documents that run together at most: some 30 ms, and a query behind them does not wait longer.
const MOST_TOKENS_OF_DOCUMENTS: usize = 512;
/// Texts that wait at most.
const MOST_WAITING: usize = 4_096;

type Answer = oneshot::Sender<Result<Vec<f32>>>;

struct Job {
    tokens: Vec<i32>,
    answer: Answer,
}

#[derive(Default)]
struct Waiting {
    queries: VecDeque<Job>,
    documents: VecDeque<Job>,
    ended: bool,
}

struct Shared {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    model: MiniLm,
}

/// A handle on the lanes; they end when it is dropped.
pub(crate) struct Lanes {
    shared: Arc<Shared>,
}

impl Lanes {
    /// Starts as many lanes as the model shall keep cores busy.
    pub(crate) fn start(count: usize) -> Result<Self> {
        let shared =
            Arc::new(Shared { waiting: Mutex::default(), arrived: Condvar::new(), model: MiniLm::load()? });
        let lanes = Self { shared };
        for number in 0..count.max(1) {
            let shared = Arc::clone(&lanes.shared);
            // A pool of one: two small batches on a core each finish sooner than one batch spread over two.
            let threads = Arc::new(ThreadPool::with_num_threads(1));
            thread::Builder::new()
                .name(format!("embed-{number}"))
                .spawn(move || serve(&shared, &threads))
                .map_err(|error| Error::Model(format!("a thread could not be started: {error}")))?;
        }
        Ok(lanes)
    }

    pub(crate) fn model(&self) -> &MiniLm {
        &self.shared.model
    }

    /// The vectors of `texts`, in their order.
    pub(crate) async fn embed(&self, texts: &[String], kind: Kind) -> Result<Vec<Vec<f32>>> {
        let mut answers = Vec::with_capacity(texts.len());
        let mut jobs: Vec<Job> = texts
            .iter()
            .map(|text| {
                let (answer, answered) = oneshot::channel();
                answers.push(answered);
                Job { tokens: self.shared.model.tokens(text), answer }
            })
            .collect();
        jobs.sort_by_key(|job| job.tokens.len());
        {
            let mut waiting = lock(&self.shared.waiting);
            let queue = match kind {
                Kind::Query => &mut waiting.queries,
                Kind::Document => &mut waiting.documents,
            };
            if queue.len() + jobs.len() > MOST_WAITING {
                return Err(Error::Busy);
            }
            queue.extend(jobs);
        }
        self.shared.arrived.notify_all();
        let mut vectors = Vec::with_capacity(answers.len());
        for answer in answers {
            vectors.push(answer.await.map_err(|_| Error::Ended)??);
        }
        Ok(vectors)
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        lock(&self.shared.waiting).ended = true;
        self.shared.arrived.notify_all();
    }
}

impl std::fmt::Debug for Lanes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lanes").finish_non_exhaustive()
    }
}

/// What it guards is whole between any two statements that hold it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(shared: &Shared, threads: &Arc<ThreadPool>) {
    while let Some(batch) = next(shared) {
        run(&shared.model, batch, threads);
    }
}

/// The next texts to run together; `None` when the embedder ended.
fn next(shared: &Shared) -> Option<Vec<Job>> {
    let mut waiting = lock(&shared.waiting);
    loop {
        if waiting.ended {
            return None;
        }
        let batch = take(&mut waiting);
        if !batch.is_empty() {
            return Some(batch);
        }
        waiting = shared.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
    }
}

fn take(waiting: &mut Waiting) -> Vec<Job> {
    let (queue, most_tokens) = if waiting.queries.is_empty() {
        (&mut waiting.documents, MOST_TOKENS_OF_DOCUMENTS)
    } else {
        (&mut waiting.queries, MOST_TOKENS_OF_QUERIES)
    };
    let (mut batch, mut longest) = (Vec::new(), 0);
    while let Some(job) = queue.front() {
        // Nobody waits for it any more.
        if job.answer.is_closed() {
            queue.pop_front();
            continue;
        }
        longest = longest.max(job.tokens.len());
        let full = batch.len() == MOST_TEXTS || longest * (batch.len() + 1) > most_tokens;
        if full && !batch.is_empty() {
            break;
        }
        batch.extend(queue.pop_front());
    }
    batch
}

fn run(model: &MiniLm, batch: Vec<Job>, threads: &Arc<ThreadPool>) {
    let tokens: Vec<&[i32]> = batch.iter().map(|job| &*job.tokens).collect();
    // A lane that died of one text would leave all later ones waiting.
    let outcome = catch_unwind(AssertUnwindSafe(|| model.run(&tokens, threads)))
        .unwrap_or_else(|_| Err(Error::Model("it panicked".to_owned())));
    match outcome {
        Ok(vectors) => {
            for (job, vector) in batch.into_iter().zip(vectors) {
                // Whoever asked may have gone.
                drop(job.answer.send(Ok(vector)));
            }
        }
        Err(error) => {
            tracing::error!(%error, "A batch of {} texts was not embedded", batch.len());
            for job in batch {
                drop(job.answer.send(Err(Error::Model(error.to_string()))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What somebody waits for.
    type Awaited = oneshot::Receiver<Result<Vec<f32>>>;

    fn jobs(lengths: &[usize]) -> (VecDeque<Job>, Vec<Awaited>) {
        let job = |length: &usize| {
            let (answer, answered) = oneshot::channel();
            (Job { tokens: vec![0; *length], answer }, answered)
        };
        lengths.iter().map(job).unzip()
    }

    fn taken(waiting: &mut Waiting) -> Vec<usize> {
        take(waiting).iter().map(|job| job.tokens.len()).collect()
    }

    #[test]
    fn questions_run_a_handful_at_a_time_in_their_order_and_before_documents() {
        let (queries, _asking) = jobs(&[17, 20, 18, 19, 21, 17, 90, 120, 3]);
        let (documents, _storing) = jobs(&[100; 6]);
        let mut waiting = Waiting { queries, documents, ended: false };
        assert_eq!(taken(&mut waiting), [17, 20, 18, 19], "a fifth one would make it five times 21");
        assert_eq!(taken(&mut waiting), [21, 17]);
        assert_eq!(taken(&mut waiting), [90]);
        assert_eq!(taken(&mut waiting), [120], "one that is longer than the bound runs alone");
        assert_eq!(taken(&mut waiting), [3]);
        assert_eq!(taken(&mut waiting), [100; 5]);
        assert_eq!(taken(&mut waiting), [100]);
        assert!(taken(&mut waiting).is_empty());
    }
}
