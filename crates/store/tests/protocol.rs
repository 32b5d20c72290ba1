//! The protocol of lease, fence and ticket, explored in every order of its steps.
//!
//! One task of two steps, two workers, a database and a Redis that may lose, repeat and keep tickets. A worker may die,
//! and may be frozen between any two of its moves and go on later. The model is of the statements in `src/lease.rs`,
//! `src/journal.rs` and `src/reconcile.rs`: each guarded UPDATE is one action, and nothing a worker holds in its memory
//! is younger than its last action.
//!
//! The same model without one of its guards shows that the guard is what keeps the promise.

use stateright::{Checker, Expectation, HasDiscoveries, Model, Property};

/// Steps of the task.
const STEPS: u8 = 2;
const WORKERS: usize = 2;
/// A claim more than the deaths that are explored, so that epochs stay few.
const MOST_CLAIMS: u8 = 3;
/// Tickets in Redis at most.
const MOST_TICKETS: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Status {
    Ready,
    Running,
    Succeeded,
}

/// The row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Row {
    status: Status,
    epoch: u8,
    /// The lease is still good. It ends by itself, whatever its holder does.
    leased: bool,
    /// A ticket was written lately, so that the reconciler writes none.
    announced: bool,
    /// The epochs of the committed steps, in order.
    steps: Vec<u8>,
}

/// What a worker knows; as old as its last action.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Worker {
    Idle,
    /// Took a ticket of this epoch.
    Holds(u8),
    /// Claimed: epoch, and the number of steps it knows to be committed.
    Runs {
        epoch: u8,
        steps: u8,
    },
    /// Has the next step's result in its memory, paid for.
    Answered {
        epoch: u8,
        steps: u8,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    row: Row,
    /// Epochs of the tickets that lie in Redis.
    tickets: Vec<u8>,
    workers: Vec<Worker>,
    /// A call was begun for a step that was committed before.
    paid_after_commit: bool,
    /// A run wrote a step after another had taken its lease.
    overtaken_wrote: bool,
    deaths: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Action {
    /// Redis forgets a ticket.
    Lose(usize),
    /// … or hands it out twice.
    Repeat(usize),
    Take(usize, usize),
    Claim(usize),
    Ask(usize),
    Append(usize),
    Settle(usize),
    Die(usize),
    LeaseEnds,
    TicketAges,
    /// One pass of the reconciler.
    Expire,
    Announce,
}

/// Which guards the statements have.
#[derive(Clone, Copy, Debug)]
struct Protocol {
    /// `AND epoch = $2` of append and settle.
    fenced: bool,
    /// `AND next_seq = $3` of append.
    counted: bool,
    /// `AND epoch = $2 AND status = 'ready'` of claim.
    claimed_once: bool,
    /// The reconciler writes tickets again.
    reannounces: bool,
    most_deaths: u8,
}

const SOUND: Protocol =
    Protocol { fenced: true, counted: true, claimed_once: true, reannounces: true, most_deaths: 2 };

impl Model for Protocol {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let row = Row { status: Status::Ready, epoch: 0, leased: false, announced: true, steps: Vec::new() };
        let workers = vec![Worker::Idle; WORKERS];
        vec![World {
            row,
            tickets: vec![0],
            workers,
            paid_after_commit: false,
            overtaken_wrote: false,
            deaths: 0,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for ticket in 0..world.tickets.len() {
            actions.push(Action::Lose(ticket));
            if world.tickets.len() < MOST_TICKETS {
                actions.push(Action::Repeat(ticket));
            }
        }
        for (n, worker) in world.workers.iter().enumerate() {
            match worker {
                Worker::Idle => {
                    actions.extend((0..world.tickets.len()).map(|ticket| Action::Take(n, ticket)));
                }
                Worker::Holds(_) => actions.push(Action::Claim(n)),
                Worker::Runs { steps, .. } if *steps < STEPS => actions.push(Action::Ask(n)),
                Worker::Runs { .. } => actions.push(Action::Settle(n)),
                Worker::Answered { .. } => actions.push(Action::Append(n)),
            }
            if *worker != Worker::Idle && world.deaths < self.most_deaths {
                actions.push(Action::Die(n));
            }
        }
        if world.row.status == Status::Running {
            actions.push(if world.row.leased { Action::LeaseEnds } else { Action::Expire });
        }
        if world.row.status == Status::Ready && self.reannounces {
            if world.row.announced {
                actions.push(Action::TicketAges);
            } else if world.tickets.len() < MOST_TICKETS {
                actions.push(Action::Announce);
            }
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        let row = &mut world.row;
        match action {
            Action::Lose(ticket) => {
                world.tickets.remove(ticket);
            }
            Action::Repeat(ticket) => world.tickets.push(world.tickets[ticket]),
            Action::Take(n, ticket) => world.workers[n] = Worker::Holds(world.tickets.remove(ticket)),
            Action::Claim(n) => {
                let Worker::Holds(epoch) = world.workers[n] else { return None };
                let may = row.status == Status::Ready && row.epoch == epoch;
                let may = may || (!self.claimed_once && row.status != Status::Succeeded);
                world.workers[n] = if may {
                    (row.status, row.leased, row.epoch) = (Status::Running, true, row.epoch + 1);
                    Worker::Runs { epoch: row.epoch, steps: row.steps.len() as u8 }
                } else {
                    Worker::Idle
                };
            }
            Action::Ask(n) => {
                let Worker::Runs { epoch, steps } = world.workers[n] else { return None };
                // The intent is noted by the holder alone; whoever is not, stops here.
                if self.fenced && !(row.status == Status::Running && row.epoch == epoch) {
                    world.workers[n] = Worker::Idle;
                } else {
                    world.paid_after_commit |= row.steps.len() > usize::from(steps);
                    world.workers[n] = Worker::Answered { epoch, steps };
                }
            }
            Action::Append(n) => {
                let Worker::Answered { epoch, steps } = world.workers[n] else { return None };
                let held = row.status == Status::Running && (!self.fenced || row.epoch == epoch);
                let next = !self.counted || row.steps.len() == usize::from(steps);
                world.workers[n] = if held && next && row.steps.len() < usize::from(STEPS) + 1 {
                    world.overtaken_wrote |= row.epoch != epoch;
                    row.steps.push(epoch);
                    row.leased = true;
                    Worker::Runs { epoch, steps: steps + 1 }
                } else {
                    Worker::Idle
                };
            }
            Action::Settle(n) => {
                let Worker::Runs { epoch, .. } = world.workers[n] else { return None };
                if row.status == Status::Running && (!self.fenced || row.epoch == epoch) {
                    (row.status, row.leased) = (Status::Succeeded, false);
                }
                world.workers[n] = Worker::Idle;
            }
            Action::Die(n) => {
                world.workers[n] = Worker::Idle;
                world.deaths += 1;
            }
            Action::LeaseEnds => row.leased = false,
            Action::TicketAges => row.announced = false,
            Action::Expire => (row.status, row.announced) = (Status::Ready, false),
            Action::Announce => {
                row.announced = true;
                world.tickets.push(row.epoch);
            }
        }
        // The order in which tickets lie is nobody's concern.
        world.tickets.sort_unstable();
        Some(world)
    }

    fn within_boundary(&self, world: &World) -> bool {
        world.row.epoch <= MOST_CLAIMS
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::<Self>::always("no step is committed twice", |_, world| {
                world.row.steps.len() <= usize::from(STEPS)
            }),
            Property::<Self>::always(
                "no step is written by a run that was overtaken by one that wrote",
                |_, world| world.row.steps.is_sorted(),
            ),
            Property::<Self>::always("no step is written after its lease was taken over", |_, world| {
                !world.overtaken_wrote
            }),
            Property::<Self>::always("no step carries an epoch that the task never had", |_, world| {
                world.row.steps.iter().all(|epoch| (1..=world.row.epoch).contains(epoch))
            }),
            Property::<Self>::always("a task that succeeded has all its steps", |_, world| {
                world.row.status != Status::Succeeded || world.row.steps.len() == usize::from(STEPS)
            }),
            Property::<Self>::always("no call is begun for a step that is committed", |_, world| {
                !world.paid_after_commit
            }),
            Property::<Self>::always("whatever is open can still end", |model, world| {
                world.row.status == Status::Succeeded || can_end(model, world)
            }),
            Property::<Self>::sometimes("a task succeeds after two deaths", |_, world| {
                world.row.status == Status::Succeeded && world.deaths == 2
            }),
            Property::<Self>::sometimes("a frozen worker wakes up beside its successor", |_, world| {
                let running = world.workers.iter().filter(|worker| matches!(worker, Worker::Answered { .. }));
                running.count() == WORKERS
            }),
        ]
    }
}

/// Under fairness: with no more deaths and losses, the moves that always come (leases end, tickets age, the reconciler
/// passes, workers go on) lead to the end from here, in one order in which they may come.
fn can_end(model: &Protocol, from: &World) -> bool {
    let mut world = from.clone();
    for _ in 0..64 {
        if world.row.status == Status::Succeeded {
            return true;
        }
        let mut actions = Vec::new();
        model.actions(&world, &mut actions);
        // Workers first: what they hold is spent before anybody waits for a lease or a ticket to grow old.
        let order = |action: &Action| match action {
            Action::Claim(_) | Action::Ask(_) | Action::Append(_) | Action::Settle(_) => Some(0),
            Action::Take(..) => Some(1),
            Action::Announce => Some(2),
            Action::Expire => Some(3),
            Action::TicketAges | Action::LeaseEnds => Some(4),
            Action::Lose(_) | Action::Repeat(_) | Action::Die(_) => None,
        };
        let next = actions.into_iter().filter(|action| order(action).is_some()).min_by_key(order);
        match next.and_then(|action| model.next_state(&world, action)) {
            Some(next) => world = next,
            None => return false,
        }
    }
    false
}

/// Which promises are broken, once all of `expected` are.
fn broken(model: Protocol, expected: &[&'static str]) -> Vec<&'static str> {
    let expected = HasDiscoveries::AllOf(expected.iter().copied().collect());
    let checker = model.checker().threads(2).finish_when(expected).spawn_bfs().join();
    checker.discoveries().into_keys().collect()
}

#[test]
fn the_protocol_keeps_its_promises_in_every_order() {
    let checker = SOUND.checker().threads(2).spawn_bfs().join();
    println!("{} states", checker.unique_state_count());
    assert!(checker.unique_state_count() > 1_000, "the model explores what it claims to");
    checker.assert_properties();
}

#[test]
fn without_the_fence_an_overtaken_worker_writes() {
    let expected = [
        "no step is written after its lease was taken over",
        "no call is begun for a step that is committed",
    ];
    let found = broken(Protocol { fenced: false, ..SOUND }, &expected);
    assert!(expected.iter().all(|promise| found.contains(promise)), "{found:?}");
}

#[test]
fn without_fence_and_count_a_step_is_committed_twice() {
    let expected = ["no step is committed twice"];
    let found = broken(Protocol { fenced: false, counted: false, ..SOUND }, &expected);
    assert!(found.contains(&expected[0]), "{found:?}");
}

#[test]
fn without_the_reconciler_a_lost_ticket_is_a_lost_task() {
    let expected = ["whatever is open can still end"];
    let found = broken(Protocol { reannounces: false, ..SOUND }, &expected);
    assert!(found.contains(&expected[0]), "{found:?}");
}

/// Each claim takes the next epoch, so that even a claim that nothing guards only wastes the run before it.
#[test]
fn a_claim_without_its_guard_breaks_no_step() {
    let model = Protocol { claimed_once: false, most_deaths: 0, ..SOUND };
    let checker = model.checker().threads(2).spawn_bfs().join();
    for property in model.properties().iter().filter(|property| property.expectation == Expectation::Always) {
        checker.assert_no_discovery(property.name);
    }
}
