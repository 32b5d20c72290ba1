//! Groups without a database: what is sent together, and who gets which answer.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use super::*;

/// What the database would do with a request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ask {
    /// Answered by its own number.
    Number(usize),
    /// Refused, and with it the statement that it is in.
    Poison,
    /// The statement's code panics.
    Panic,
    /// The database is away.
    Away,
}

/// A pool that connects to nothing: the statements of these tests send nothing.
fn pool() -> PgPool {
    PgPool::connect_lazy("postgres://nobody@127.0.0.1:1/none").unwrap()
}

/// What was sent in one test.
#[derive(Debug, Default)]
struct Log {
    requests: AtomicUsize,
    largest: AtomicUsize,
}

impl Log {
    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

type Request = (Ask, Arc<Log>);

fn send(_: &mut Line, asked: Arc<[Request]>) -> BoxFuture<'_, Result<Vec<Result<usize>>>> {
    Box::pin(async move {
        for (_, log) in asked.iter() {
            log.largest.fetch_max(asked.len(), Ordering::SeqCst);
            log.requests.fetch_add(1, Ordering::SeqCst);
        }
        let asked: Vec<Ask> = asked.iter().map(|(ask, _)| *ask).collect();
        // As long as a commit takes, so that others arrive meanwhile.
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(!asked.contains(&Ask::Panic), "as asked");
        if asked.contains(&Ask::Away) {
            return Err(Error::Database(sqlx::Error::PoolTimedOut));
        }
        let answer = |ask: &Ask| match ask {
            Ask::Number(number) => Ok(Ok(*number)),
            _ => Err(Error::Database(sqlx::Error::RowNotFound)),
        };
        asked.iter().map(answer).collect()
    })
}

/// A group with its log.
#[derive(Clone)]
struct Bed {
    group: Arc<Group<Request, usize>>,
    log: Arc<Log>,
}

impl Bed {
    fn make() -> Self {
        Self { group: Arc::new(Group::new(send)), log: Arc::default() }
    }

    async fn ask(&self, ask: Ask) -> Result<usize> {
        self.group.submit(&pool(), (ask, Arc::clone(&self.log))).await
    }

    /// Submits all of these in the order given, and waits for the answers.
    async fn ask_all(&self, asks: Vec<Ask>) -> Vec<Result<usize>> {
        futures::future::join_all(asks.into_iter().map(|ask| self.ask(ask))).await
    }
}

fn numbers(from: usize, to: usize) -> Vec<Ask> {
    (from..to).map(Ask::Number).collect()
}

#[tokio::test]
async fn each_of_many_requests_gets_its_own_answer() {
    let bed = Bed::make();
    let answers = bed.ask_all(numbers(0, 1_000)).await;
    let answers: Vec<usize> = answers.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers, (0..1_000).collect::<Vec<_>>());
    assert_eq!(bed.log.largest.load(Ordering::SeqCst), MOST, "they went together, and no group was larger");
    let state = bed.group.state.lock().unwrap();
    assert_eq!((state.flights, state.waiting.len()), (0, 0));
}

#[tokio::test]
async fn a_request_that_is_refused_fails_alone() {
    let bed = Bed::make();
    let mut asks = numbers(0, 50);
    asks[20] = Ask::Poison;
    asks[40] = Ask::Poison;
    for (at, answer) in bed.ask_all(asks).await.into_iter().enumerate() {
        match answer {
            Ok(number) => assert_eq!(number, at),
            Err(error) => {
                assert!([20, 40].contains(&at), "{at}: {error:?}");
                assert!(!error.is_unavailable(), "asking again would not help");
            }
        }
    }
}

#[tokio::test]
async fn a_panic_costs_one_group_and_no_place() {
    let bed = Bed::make();
    for _ in 0..2 * FLIGHTS {
        let [panicked] = <[_; 1]>::try_from(bed.ask_all(vec![Ask::Panic]).await).unwrap();
        assert!(panicked.unwrap_err().is_unavailable(), "it may be asked again");
    }
    let answers = bed.ask_all(numbers(0, 300)).await;
    assert!(answers.into_iter().enumerate().all(|(at, answer)| answer.unwrap() == at));
    // Behind a panic in the same flight: those that wait are sent with the next group.
    let mut asks = vec![Ask::Panic; FLIGHTS];
    asks.extend(numbers(0, 300));
    let answers = bed.ask_all(asks).await;
    assert!(answers[MOST..].iter().all(Result::is_ok), "only the group of the panic has no answer");
}

#[tokio::test]
async fn a_database_that_is_away_is_so_for_all_and_is_asked_once() {
    let bed = Bed::make();
    let mut asks = numbers(0, 40);
    asks.fill(Ask::Away);
    for answer in bed.ask_all(asks).await {
        assert!(answer.unwrap_err().is_unavailable());
    }
    assert_eq!(bed.log.requests(), 40, "none was tried alone");
    assert!(bed.ask_all(numbers(0, 1)).await.pop().unwrap().is_ok(), "and back for all");
}

#[tokio::test]
async fn who_stops_waiting_is_not_sent_and_harms_nobody() {
    let bed = Bed::make();
    // These fill the flights; what follows waits.
    let first: Vec<_> = (0..FLIGHTS)
        .map(|n| {
            let bed = bed.clone();
            tokio::spawn(async move { bed.ask(Ask::Number(n)).await })
        })
        .collect();
    while bed.log.requests() < FLIGHTS {
        tokio::task::yield_now().await;
    }
    let left = bed.ask(Ask::Number(7));
    let stayed = bed.ask(Ask::Number(8));
    {
        let mut left = std::pin::pin!(left);
        assert!(futures::poll!(left.as_mut()).is_pending(), "it waits for a flight");
    }
    assert_eq!(stayed.await.unwrap(), 8);
    for (at, answer) in first.into_iter().enumerate() {
        assert_eq!(answer.await.unwrap().unwrap(), at);
    }
    assert_eq!(bed.log.requests(), FLIGHTS + 1, "a request that nobody waits for is not sent");
    // And when the caller leaves while its statement is on its way, the place comes back all the same.
    for _ in 0..2 * FLIGHTS {
        let (asking, sent) = (bed.clone(), bed.log.requests());
        let call = tokio::spawn(async move { asking.ask(Ask::Number(1)).await });
        while bed.log.requests() == sent {
            tokio::task::yield_now().await;
        }
        call.abort();
    }
    assert!(bed.ask_all(numbers(0, 300)).await.into_iter().all(|answer| answer.is_ok()));
}

#[test]
fn a_runtime_that_ends_gives_the_places_back() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bed = Bed::make();
    for _ in 0..2 * FLIGHTS {
        let ended = runtime();
        ended.block_on(async {
            let bed = bed.clone();
            drop(tokio::spawn(async move { bed.ask(Ask::Number(1)).await }));
            tokio::task::yield_now().await;
        });
        drop(ended);
    }
    let answer =
        runtime().block_on(async { timeout(Duration::from_secs(10), bed.ask_all(numbers(0, 1))).await });
    assert!(answer.expect("a flight starts").pop().unwrap().is_ok());
}
