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

/// Tokens that run together at most, unless one text has more: five questions or so, which take some 10 ms. More at a time
/// is no faster, and each would wait for all of them.
const MOST_TOKENS: usize = 96;
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
    let queue = if waiting.queries.is_empty() { &mut waiting.documents } else { &mut waiting.queries };
    let (mut batch, mut longest) = (Vec::new(), 0);
    while let Some(job) = queue.front() {
        // Nobody waits for it any more.
        if job.answer.is_closed() {
            queue.pop_front();
            continue;
        }
        longest = longest.max(job.tokens.len());
        if !batch.is_empty() && longest * (batch.len() + 1) > MOST_TOKENS {
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
