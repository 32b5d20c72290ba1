//! Group commit: requests that come while a statement is on its way are sent together with the next one.
//!
//! An idle system sends each request at once and alone. Under load statements of one kind leave at a pace, and each
//! carries all that arrived meanwhile, so that the cost of a statement and its commit is shared: a statement for 16 tasks
//! costs Postgres about twice what one for a single task does. No guarantee changes: a request is answered after the
//! commit that holds it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::BoxFuture;
use sqlx::PgPool;
use tokio::{sync::oneshot, time::Instant};

use crate::error::{Error, Result};

/// Statements of one kind under way at the same time: the next group is put together while the first commits.
const FLIGHTS: usize = 2;
/// Requests in one statement at most.
const MOST: usize = 128;

/// The least time between two statements of one kind. A request that comes within it lingers, and no other.
const PACE: Duration = Duration::from_millis(8);

/// How long an answer is waited for: a little longer than Postgres lets a statement run. What takes longer waits on a
/// connection that is no more, and may be asked again.
const ANSWER_WITHIN: Duration = Duration::from_secs(7);

/// Sends a group in one statement; the answers in the order of the requests.
type Send<Q, A> = fn(PgPool, Arc<[Q]>) -> BoxFuture<'static, Result<Vec<Result<A>>>>;

/// Where requests of one kind meet.
pub(crate) struct Group<Q, A> {
    send: Send<Q, A>,
    // Protects the waiting requests, the count of flights and the time; held for a few instructions.
    state: Arc<Mutex<State<Q, A>>>,
}

struct State<Q, A> {
    waiting: VecDeque<(Q, oneshot::Sender<Result<A>>)>,
    flights: usize,
    /// When the next statement may leave.
    next: Instant,
}

impl<Q, A> Group<Q, A>
where
    Q: std::marker::Send + Sync + Clone + 'static,
    A: std::marker::Send + 'static,
{
    pub(crate) fn new(send: Send<Q, A>) -> Self {
        let state = State { waiting: VecDeque::new(), flights: 0, next: Instant::now() };
        Self { send, state: Arc::new(Mutex::new(state)) }
    }

    /// Answers after the commit that holds the request.
    pub(crate) async fn submit(&self, pool: &PgPool, request: Q) -> Result<A> {
        let (sender, answer) = oneshot::channel();
        let starts = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.waiting.push_back((request, sender));
            let starts = state.flights < FLIGHTS;
            state.flights += usize::from(starts);
            starts
        };
        if starts {
            // A task of its own: whoever asked first may stop waiting, and the others still get their answer.
            tokio::spawn(fly(Arc::clone(&self.state), self.send, pool.clone()));
        }
        // The sender is dropped unanswered only when the runtime ends or the statement's code panics.
        answer.await.unwrap_or(Err(Error::Database(sqlx::Error::WorkerCrashed)))
    }
}

impl<Q, A> std::fmt::Debug for Group<Q, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Group")
    }
}

/// A place among the flights. It is given back by the last look at who waits, or, when the flight is cut off with its
/// runtime, by the drop.
struct Flight<Q, A> {
    state: Arc<Mutex<State<Q, A>>>,
    landed: bool,
}

impl<Q, A> Flight<Q, A> {
    /// What the flight does next, decided under the same lock that a new request takes.
    fn next(&mut self) -> Step<Q, A> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // What nobody waits for any more is not sent: a claim would bind a task that nobody runs.
        state.waiting.retain(|(_, sender)| !sender.is_closed());
        if state.waiting.is_empty() {
            state.flights -= 1;
            self.landed = true;
            return Step::Land;
        }
        let now = Instant::now();
        if now < state.next && state.waiting.len() < MOST {
            return Step::Linger(state.next);
        }
        state.next = now + PACE;
        let many = state.waiting.len().min(MOST);
        Step::Send(state.waiting.drain(..many).collect())
    }
}

/// What a flight does next.
enum Step<Q, A> {
    Send(Vec<(Q, oneshot::Sender<Result<A>>)>),
    Linger(Instant),
    Land,
}

impl<Q, A> Drop for Flight<Q, A> {
    fn drop(&mut self) {
        if !self.landed {
            self.state.lock().unwrap_or_else(PoisonError::into_inner).flights -= 1;
        }
    }
}

async fn fly<Q, A>(state: Arc<Mutex<State<Q, A>>>, send: Send<Q, A>, pool: PgPool)
where
    Q: std::marker::Send + Sync + Clone + 'static,
    A: std::marker::Send + 'static,
{
    let mut flight = Flight { state, landed: false };
    loop {
        let group = match flight.next() {
            Step::Send(group) => group,
            Step::Linger(until) => {
                tokio::time::sleep_until(until).await;
                continue;
            }
            Step::Land => return,
        };
        // In a task of its own, so that a panic costs this group its answers and not the place.
        let sent = tokio::spawn(send_group(send, pool.clone(), group)).await;
        if let Err(error) = sent {
            tracing::error!("a group of requests to the database got no answer: {error}");
        }
    }
}

async fn send_group<Q, A>(send: Send<Q, A>, pool: PgPool, group: Vec<(Q, oneshot::Sender<Result<A>>)>)
where
    Q: Clone,
{
    metrics::histogram!("hive_group_size").record(group.len() as f64);
    let (requests, senders): (Vec<Q>, Vec<_>) = group.into_iter().unzip();
    let requests: Arc<[Q]> = requests.into();
    match answered(send(pool.clone(), Arc::clone(&requests))).await {
        Ok(answers) => {
            for (sender, answer) in senders.into_iter().zip(answers) {
                // Whoever asked may have stopped waiting.
                let _ = sender.send(answer);
            }
        }
        // One request that the database refuses must not fail its neighbours: each is asked alone.
        Err(error) if requests.len() > 1 && !error.is_unavailable() => {
            for (sender, request) in senders.into_iter().zip(requests.iter()) {
                let alone = answered(send(pool.clone(), Arc::from([request.clone()]))).await;
                let _ = sender.send(alone.and_then(first));
            }
        }
        Err(error) => {
            let mut error = Some(error);
            for sender in senders {
                let _ = sender.send(Err(error.take().unwrap_or_else(Error::passing)));
            }
        }
    }
}

/// The answer, or an error that passes when none comes: a connection that is no more must not hold up who waits.
pub(crate) async fn answered<T>(sent: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(ANSWER_WITHIN, sent).await.unwrap_or_else(|_| Err(Error::passing()))
}

fn first<A>(answers: Vec<Result<A>>) -> Result<A> {
    answers.into_iter().next().unwrap_or_else(|| Err(Error::passing()))
}

#[cfg(test)]
mod tests;
