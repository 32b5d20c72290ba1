//! Group commit: requests that come while a statement is on its way are sent together with the next one.
//!
//! Nothing lingers. An idle system sends each request at once and alone; under load a statement carries all that
//! arrived while the ones before it ran, so that the cost of a commit is shared. No guarantee changes: a request is
//! answered after the commit that holds it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use futures::future::BoxFuture;
use sqlx::PgPool;
use tokio::sync::oneshot;

use crate::error::{Error, Result};

/// Statements of one kind under way at the same time: the next group is put together while the first commits.
const FLIGHTS: usize = 2;
/// Requests in one statement at most.
const MOST: usize = 128;

/// Sends a group in one statement; the answers in the order of the requests.
type Send<Q, A> = fn(PgPool, Arc<[Q]>) -> BoxFuture<'static, Result<Vec<Result<A>>>>;

/// Where requests of one kind meet.
pub(crate) struct Group<Q, A> {
    send: Send<Q, A>,
    // Protects the waiting requests and the count of flights; held for a few instructions.
    state: Arc<Mutex<State<Q, A>>>,
}

struct State<Q, A> {
    waiting: VecDeque<(Q, oneshot::Sender<Result<A>>)>,
    flights: usize,
}

impl<Q, A> Group<Q, A>
where
    Q: std::marker::Send + Sync + Clone + 'static,
    A: std::marker::Send + 'static,
{
    pub(crate) fn new(send: Send<Q, A>) -> Self {
        let state = State { waiting: VecDeque::new(), flights: 0 };
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
    /// The next requests; `None` ends the flight, under the same lock that a new request takes.
    fn next(&mut self) -> Option<Vec<(Q, oneshot::Sender<Result<A>>)>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // What nobody waits for any more is not sent: a claim would bind a task that nobody runs.
        state.waiting.retain(|(_, sender)| !sender.is_closed());
        if state.waiting.is_empty() {
            state.flights -= 1;
            self.landed = true;
            return None;
        }
        let many = state.waiting.len().min(MOST);
        Some(state.waiting.drain(..many).collect())
    }
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
    while let Some(group) = flight.next() {
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
    match send(pool.clone(), Arc::clone(&requests)).await {
        Ok(answers) => {
            for (sender, answer) in senders.into_iter().zip(answers) {
                // Whoever asked may have stopped waiting.
                let _ = sender.send(answer);
            }
        }
        // One request that the database refuses must not fail its neighbours: each is asked alone.
        Err(error) if requests.len() > 1 && !error.is_unavailable() => {
            for (sender, request) in senders.into_iter().zip(requests.iter()) {
                let alone = send(pool.clone(), Arc::from([request.clone()])).await;
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

fn first<A>(answers: Vec<Result<A>>) -> Result<A> {
    answers.into_iter().next().unwrap_or_else(|| Err(Error::passing()))
}
