//! Group commit: requests that come while a statement is on its way are sent together with the next one.
//!
//! An idle system sends each request at once and alone. Under load statements of one kind leave at a pace, and each
//! carries all that arrived meanwhile, so that the cost of a statement and its commit is shared: a statement for 16 tasks
//! costs Postgres about twice what one for a single task does. No guarantee changes: a request is answered after the
//! commit that holds it.
//!
//! A connection that goes back to the pool is tested by a round trip, which costs about what a small statement does, and
//! comes out again for a statement that it has not planned yet. So a kind of statement keeps its connection while more
//! requests come and others find one.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::BoxFuture;
use sqlx::PgPool;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

use crate::{
    error::{Error, Result},
    line::Line,
};

/// Statements of one kind under way at the same time: the next group is put together while the first commits.
const FLIGHTS: usize = 2;
/// Requests in one statement at most.
const MOST: usize = 128;

/// The least time between two statements of one kind. A request that comes within it lingers, and no other.
const PACE: Duration = Duration::from_millis(8);

/// How long a connection is kept for a next request.
const REST: Duration = Duration::from_millis(100);

/// How long an answer is waited for: a little longer than Postgres lets a statement run. What takes longer waits on a
/// connection that is no more, and may be asked again.
const ANSWER_WITHIN: Duration = Duration::from_secs(7);

/// Sends a group in one statement; the answers in the order of the requests.
type Send<Q, A> = for<'l> fn(&'l mut Line, Arc<[Q]>) -> BoxFuture<'l, Result<Vec<Result<A>>>>;

/// Where requests of one kind meet.
pub(crate) struct Group<Q, A> {
    send: Send<Q, A>,
    // Protects the waiting requests, the count of flights and the time; held for a few instructions.
    state: Arc<Mutex<State<Q, A>>>,
}

struct State<Q, A> {
    waiting: VecDeque<(Q, oneshot::Sender<Result<A>>)>,
    flights: usize,
    /// Flights that wait for a next request.
    resting: Vec<oneshot::Sender<()>>,
    /// When the next statement may leave.
    next: Instant,
}

impl<Q, A> Group<Q, A>
where
    Q: std::marker::Send + Sync + Clone + 'static,
    A: std::marker::Send + 'static,
{
    pub(crate) fn new(send: Send<Q, A>) -> Self {
        let state = State { waiting: VecDeque::new(), flights: 0, resting: Vec::new(), next: Instant::now() };
        Self { send, state: Arc::new(Mutex::new(state)) }
    }

    /// Answers after the commit that holds the request.
    pub(crate) async fn submit(&self, pool: &PgPool, request: Q) -> Result<A> {
        let (sender, answer) = oneshot::channel();
        let starts = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.waiting.push_back((request, sender));
            let starts = !state.wake() && state.flights < FLIGHTS;
            state.flights += usize::from(starts);
            starts
        };
        if starts {
            // A task of its own: whoever asked first may stop waiting, and the others still get their answer.
            tokio::spawn(fly(Arc::clone(&self.state), self.send, Line::new(pool.clone())));
        }
        // The sender is dropped unanswered only when the runtime ends or the statement's code panics.
        answer.await.unwrap_or(Err(Error::Database(sqlx::Error::WorkerCrashed)))
    }
}

impl<Q, A> State<Q, A> {
    /// Calls a flight that rests, if there is one.
    fn wake(&mut self) -> bool {
        // One that has stopped waiting hears nothing; before it ends it looks once more at who waits.
        while let Some(resting) = self.resting.pop() {
            if resting.send(()).is_ok() {
                return true;
            }
        }
        false
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
    /// What the flight does next, decided under the same lock that a new request takes. One that has a connection to
    /// keep rests before it lands.
    fn next(&mut self, rests: bool) -> Step<Q, A> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // What nobody waits for any more is not sent: a claim would bind a task that nobody runs.
        state.waiting.retain(|(_, sender)| !sender.is_closed());
        if state.waiting.is_empty() && rests {
            let (sender, called) = oneshot::channel();
            state.resting.retain(|resting| !resting.is_closed());
            state.resting.push(sender);
            return Step::Rest(called);
        }
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
    Rest(oneshot::Receiver<()>),
    Land,
}

impl<Q, A> Drop for Flight<Q, A> {
    fn drop(&mut self) {
        if !self.landed {
            self.state.lock().unwrap_or_else(PoisonError::into_inner).flights -= 1;
        }
    }
}

async fn fly<Q, A>(state: Arc<Mutex<State<Q, A>>>, send: Send<Q, A>, mut line: Line)
where
    Q: std::marker::Send + Sync + Clone + 'static,
    A: std::marker::Send + 'static,
{
    let mut flight = Flight { state, landed: false };
    let mut rested = false;
    loop {
        let group = match flight.next(!rested && line.is_held()) {
            Step::Send(group) => group,
            Step::Linger(until) => {
                tokio::time::sleep_until(until).await;
                continue;
            }
            Step::Rest(called) => {
                rested = timeout(REST, called).await.is_err();
                continue;
            }
            Step::Land => return,
        };
        rested = false;
        // In a task of its own, so that a panic costs this group its answers and not the place.
        let pool = line.pool().clone();
        let sent = tokio::spawn(send_group(send, line, group)).await;
        line = sent.unwrap_or_else(|error| {
            tracing::error!("a group of requests to the database got no answer: {error}");
            Line::new(pool)
        });
        line.spare();
    }
}

/// Answers a group; returns the line, which holds its connection when all went well.
async fn send_group<Q, A>(
    send: Send<Q, A>,
    mut line: Line,
    group: Vec<(Q, oneshot::Sender<Result<A>>)>,
) -> Line
where
    Q: Clone,
{
    metrics::histogram!("hive_group_size").record(group.len() as f64);
    let (requests, senders): (Vec<Q>, Vec<_>) = group.into_iter().unzip();
    let requests: Arc<[Q]> = requests.into();
    match ask(send, &mut line, Arc::clone(&requests)).await {
        Ok(answers) => {
            for (sender, answer) in senders.into_iter().zip(answers) {
                // Whoever asked may have stopped waiting.
                let _ = sender.send(answer);
            }
        }
        // One request that the database refuses must not fail its neighbours: each is asked alone.
        Err(error) if requests.len() > 1 && !error.is_unavailable() => {
            for (sender, request) in senders.into_iter().zip(requests.iter()) {
                let alone = ask(send, &mut line, Arc::from([request.clone()])).await;
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
    line
}

/// Sends one statement. After an error the pool gets the connection, and tests it.
async fn ask<Q, A>(send: Send<Q, A>, line: &mut Line, requests: Arc<[Q]>) -> Result<Vec<Result<A>>> {
    let outcome = answered(send(line, requests)).await;
    if outcome.is_err() {
        line.release();
    }
    outcome
}

/// The answer, or an error that passes when none comes: a connection that is no more must not hold up who waits.
pub(crate) async fn answered<T>(sent: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(ANSWER_WITHIN, sent).await.unwrap_or_else(|_| Err(Error::passing()))
}

fn first<A>(answers: Vec<Result<A>>) -> Result<A> {
    answers.into_iter().next().unwrap_or_else(|| Err(Error::passing()))
}

#[cfg(test)]
mod tests;
