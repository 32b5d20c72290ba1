//! Random verbs on a few tasks, against a model of what they mean.

use hive_domain::{
    Lease, PauseMode, TaskId, TaskStatus,
    task::{DependencyPolicy, Task},
};
use hive_store::{Claimant, Error, LimitKind, NewStep, PauseScope};
use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};

use crate::{
    bed::{Bed, isolated, look, note, outcomes},
    model::{KEYS, Model, Wish},
};

const TASKS: usize = 4;

#[derive(Clone, Debug)]
enum Verb {
    Enqueue(Wish),
    /// With the current epoch, or an older one.
    Claim {
        task: usize,
        stale: bool,
        isolated: bool,
    },
    ClaimNext {
        most: usize,
        isolated: bool,
    },
    /// Under any lease that was ever given, counted from the last.
    Append {
        lease: usize,
    },
    Settle {
        lease: usize,
        outcome: usize,
    },
    Renew {
        lease: usize,
    },
    TimePasses {
        task: usize,
    },
    Reconcile {
        room: i64,
    },
    Release {
        parent: usize,
    },
    Admit {
        key: usize,
    },
    Pause(PauseMode),
    Resume,
    Cancel {
        task: usize,
    },
    Complete {
        task: usize,
    },
}

fn verbs() -> impl Strategy<Value = Vec<Verb>> {
    let task = 0..TASKS;
    // The latest leases are the interesting ones.
    let lease = prop_oneof![4 => 0..2_usize, 1 => 0..20_usize];
    let policy = prop::sample::select(DependencyPolicy::ALL);
    let asked = (prop::bool::weighted(0.2), prop::collection::vec(0..TASKS, 0..3), policy, 1..4, 4..6_i64);
    let key = prop::option::of(0..KEYS.len());
    let enqueue = (asked, key).prop_map(|((scheduled, parents, policy, max_attempts, priority), key)| {
        Verb::Enqueue(Wish { scheduled, parents, policy, max_attempts, priority, key })
    });
    let claim = (task.clone(), prop::bool::weighted(0.1), prop::bool::weighted(0.3));
    let mode = prop::sample::select(&[PauseMode::Pause, PauseMode::Drain][..]);
    let verb = prop_oneof![
        4 => enqueue,
        8 => claim.prop_map(|(task, stale, isolated)| Verb::Claim { task, stale, isolated }),
        3 => (1..4_usize, prop::bool::weighted(0.3)).prop_map(|(most, isolated)| Verb::ClaimNext { most, isolated }),
        4 => lease.clone().prop_map(|lease| Verb::Append { lease }),
        6 => (lease.clone(), 0..outcomes().len()).prop_map(|(lease, outcome)| Verb::Settle { lease, outcome }),
        1 => lease.prop_map(|lease| Verb::Renew { lease }),
        6 => task.clone().prop_map(|task| Verb::TimePasses { task }),
        // Which of several gets the room is another test's matter; here there is room for none or for all.
        7 => prop::sample::select(&[0_i64, 100, 100][..]).prop_map(|room| Verb::Reconcile { room }),
        2 => task.clone().prop_map(|parent| Verb::Release { parent }),
        1 => (0..KEYS.len()).prop_map(|key| Verb::Admit { key }),
        1 => mode.prop_map(Verb::Pause),
        2 => Just(Verb::Resume),
        1 => task.clone().prop_map(|task| Verb::Cancel { task }),
        1 => task.prop_map(|task| Verb::Complete { task }),
    ];
    prop::collection::vec(verb, 60)
}

fn key_name(key: usize) -> String {
    format!("key {key}")
}

fn fleet() -> PauseScope {
    PauseScope { kind: "fleet".to_owned(), name: String::new() }
}

fn claimant(alone: bool) -> Claimant {
    if alone { isolated() } else { Claimant::ordinary("worker") }
}

/// The store's tasks beside the model's.
struct World<'a> {
    bed: &'a Bed,
    ids: Vec<TaskId>,
    leases: Vec<(usize, Lease<Task>)>,
    model: Model,
}

impl World<'_> {
    /// Does the verb to both, and compares what the store answers with what the model allows.
    async fn act(&mut self, verb: &Verb) -> Result<(), TestCaseError> {
        let store = &self.bed.store;
        match *verb {
            Verb::Enqueue(ref wish) => {
                if self.ids.len() < TASKS {
                    self.enqueue(wish.clone()).await;
                }
            }
            Verb::Claim { task, .. }
            | Verb::TimePasses { task }
            | Verb::Release { parent: task }
            | Verb::Cancel { task }
            | Verb::Complete { task }
                if task >= self.ids.len() => {}
            Verb::Claim { task, stale, isolated } => {
                let epoch = self.model.tasks[task].epoch - i64::from(stale);
                let claimed = store.claim(self.ids[task], epoch, &claimant(isolated)).await.unwrap();
                prop_assert_eq!(claimed.is_some(), self.model.claim(task, epoch, isolated));
                if let Some(lease) = claimed {
                    self.takes(task, lease)?;
                }
            }
            Verb::ClaimNext { most, isolated } => {
                let times: Vec<chrono::DateTime<chrono::Utc>> =
                    sqlx::query_scalar("SELECT run_at FROM tasks ORDER BY id")
                        .fetch_all(&self.bed.pool)
                        .await
                        .unwrap();
                let mut claimed = store.claim_next(&claimant(isolated), most, false).await.unwrap();
                claimed.sort_by_key(Lease::task);
                let mut expected = self.model.claim_next(&times, isolated, most);
                expected.sort_unstable();
                let tasks: Vec<TaskId> = claimed.iter().map(Lease::task).collect();
                prop_assert_eq!(tasks, expected.iter().map(|at| self.ids[*at]).collect::<Vec<_>>());
                for (task, lease) in expected.into_iter().zip(claimed) {
                    self.takes(task, lease)?;
                }
            }
            Verb::Append { lease } | Verb::Settle { lease, .. } | Verb::Renew { lease } => {
                if let Some(at) = self.leases.len().checked_sub(lease + 1) {
                    self.under_lease(at, verb).await?;
                }
            }
            Verb::TimePasses { task } => {
                self.bed.let_time_pass(self.ids[task]).await;
                self.model.tasks[task].let_time_pass();
            }
            Verb::Reconcile { room } => {
                let pass = store.reconcile(&look(room)).await.unwrap();
                self.model.reconcile();
                let expected = if room > 0 { self.model.announce() } else { Vec::new() };
                let mut announced: Vec<TaskId> = pass.announce.iter().map(|ticket| ticket.task).collect();
                announced.sort();
                let expected: Vec<TaskId> = expected.into_iter().map(|task| self.ids[task]).collect();
                prop_assert_eq!(announced, expected);
            }
            Verb::Release { parent } => {
                store.release_dependents(Some(self.ids[parent])).await.unwrap();
                self.model.release(Some(parent));
            }
            Verb::Admit { key } => {
                store.admit(&[key_name(key)]).await.unwrap();
                self.model.admit(key);
            }
            Verb::Pause(mode) => {
                store.pause(&fleet(), mode, "", None, "ada").await.unwrap();
                self.model.pause = Some(mode);
            }
            Verb::Resume => {
                prop_assert_eq!(store.resume(&fleet()).await.unwrap(), self.model.pause.take().is_some());
            }
            Verb::Cancel { task } => {
                let answer = store.cancel(self.ids[task], "ada").await;
                prop_assert_eq!(answer.is_ok(), self.model.tasks[task].cancel());
            }
            Verb::Complete { task } => {
                let answer = store.request_completion(self.ids[task], "ada").await;
                prop_assert_eq!(answer.is_ok(), self.model.complete(task));
            }
        }
        Ok(())
    }

    /// Keeps a lease that was given, and compares what it says.
    fn takes(&mut self, task: usize, lease: Lease<Task>) -> Result<(), TestCaseError> {
        let model = &self.model.tasks[task];
        prop_assert_eq!((lease.epoch(), lease.next_seq()), (model.epoch, model.steps + 1));
        self.leases.push((task, lease));
        Ok(())
    }

    async fn enqueue(&mut self, mut wish: Wish) {
        wish.parents.retain(|parent| *parent < self.ids.len());
        wish.parents.sort_unstable();
        wish.parents.dedup();
        // Half an hour ahead: the hour that passes is enough for it.
        let soon = "SELECT CASE WHEN $1 THEN now() + interval '30 min' END";
        let run_at = sqlx::query_scalar(soon).bind(wish.scheduled).fetch_one(&self.bed.pool).await.unwrap();
        let id = self
            .bed
            .enqueue_with(|new| {
                new.dependencies = wish.parents.iter().map(|parent| self.ids[*parent]).collect();
                new.on_dependency_failure = wish.policy;
                new.max_attempts = wish.max_attempts;
                new.priority = wish.priority.try_into().unwrap();
                new.concurrency_key = wish.key.map(key_name);
                new.run_at = run_at;
            })
            .await;
        self.ids.push(id);
        self.model.enqueue(&wish);
    }

    async fn under_lease(&mut self, at: usize, verb: &Verb) -> Result<(), TestCaseError> {
        let store = &self.bed.store;
        let (task, ref mut lease) = self.leases[at];
        let epoch = lease.epoch();
        let halts = self.model.halts();
        let model = &mut self.model.tasks[task];
        let (answer, allowed) = match *verb {
            Verb::Append { .. } => {
                let edge = store.append(lease, &NewStep::plain(&note("a step"))).await;
                if let Ok(edge) = &edge {
                    prop_assert_eq!(edge.halted, halts);
                }
                (edge.map(drop), model.append(epoch))
            }
            Verb::Settle { outcome, .. } => {
                let (name, outcome) = &outcomes()[outcome];
                let settled = store.settle(lease, outcome).await;
                let allowed = model.settle(epoch, name);
                if let Ok(settled) = &settled {
                    let again = model.status == TaskStatus::Ready;
                    prop_assert_eq!(settled.status, model.status);
                    prop_assert_eq!(settled.again.map(|ticket| ticket.epoch), again.then_some(model.epoch));
                    let freed = model.key.map(key_name).filter(|_| !again);
                    prop_assert_eq!(&settled.freed_key, &freed);
                }
                (settled.map(drop), allowed)
            }
            _ => {
                let renewed = store.renew(&[(self.ids[task], epoch)]).await.unwrap();
                prop_assert_eq!(renewed.len(), usize::from(model.renew(epoch)));
                return Ok(());
            }
        };
        match answer {
            Ok(()) => prop_assert!(allowed, "a lost lease wrote"),
            Err(Error::Fenced { .. }) => prop_assert!(!allowed, "a held lease was refused"),
            Err(other) => prop_assert!(false, "{:?}", other),
        }
        Ok(())
    }

    /// All rows against the model, in one look.
    async fn compare(&self) -> Result<(), TestCaseError> {
        type Row = (uuid::Uuid, String, Option<String>, i64, Vec<i32>, i64, bool, i64, i64, Vec<bool>);
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, status::text, status_reason::text, epoch,
                    ARRAY[attempt, next_seq - 1, deaths, isolated::integer], event_seq, verify_only,
                    (SELECT count(*) FROM events e WHERE e.task_id = t.id),
                    (SELECT count(*) FROM steps s WHERE s.task_id = t.id),
                    ARRAY(SELECT resolved FROM task_dependencies d WHERE d.task_id = t.id ORDER BY depends_on)
             FROM tasks t ORDER BY id",
        )
        .fetch_all(&self.bed.pool)
        .await
        .unwrap();
        let expected: Vec<Row> = self
            .ids
            .iter()
            .zip(&self.model.tasks)
            .map(|(id, task)| {
                (
                    id.uuid(),
                    task.status.to_string(),
                    task.reason.map(|reason| reason.to_string()),
                    task.epoch,
                    vec![task.attempt, task.steps, task.deaths, task.isolated.into()],
                    task.events,
                    task.verify_only,
                    task.events,
                    i64::from(task.steps),
                    task.edges.iter().map(|(_, noted)| *noted).collect(),
                )
            })
            .collect();
        prop_assert_eq!(rows, expected);
        Ok(())
    }
}

async fn run(bed: &Bed, verbs: &[Verb]) -> Result<(), TestCaseError> {
    bed.execute("DELETE FROM events; DELETE FROM steps; DELETE FROM task_dependencies; DELETE FROM tasks; DELETE FROM pauses")
        .await;
    let mut world = World { bed, ids: Vec::new(), leases: Vec::new(), model: Model::default() };
    for (at, verb) in verbs.iter().enumerate() {
        let place = |error| match error {
            TestCaseError::Fail(why) => TestCaseError::fail(format!("verb {at}, {verb:?}: {why}")),
            TestCaseError::Reject(why) => TestCaseError::Reject(why),
        };
        world.act(verb).await.map_err(place)?;
        world.compare().await.map_err(place)?;
    }
    Ok(())
}

#[test]
fn random_verbs_do_what_the_model_says() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bed = runtime.block_on(Bed::make());
    for (key, limit) in KEYS.into_iter().enumerate().filter(|(_, limit)| *limit > 1) {
        let (name, limit) = (key_name(key), i32::try_from(limit).ok());
        runtime.block_on(bed.store.set_task_limit(LimitKind::Key, &name, limit, None)).unwrap();
    }
    let config =
        Config { cases: 60, failure_persistence: None, max_shrink_time: 30_000, ..Config::default() };
    let outcome = TestRunner::new(config).run(&verbs(), |verbs| runtime.block_on(run(&bed, &verbs)));
    runtime.block_on(async { drop(bed) });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
