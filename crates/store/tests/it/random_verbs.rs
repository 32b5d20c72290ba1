//! Random verbs on a few tasks, against a model of what they mean.

use hive_domain::{
    Lease, TaskId,
    task::{DependencyPolicy, Task},
};
use hive_store::{Claimant, Error, NewStep};
use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};

use crate::{
    bed::{Bed, look, note, outcomes},
    model::Model,
};

const TASKS: usize = 3;

#[derive(Clone, Debug)]
enum Verb {
    Enqueue {
        scheduled: bool,
        parents: Vec<usize>,
        policy: DependencyPolicy,
        max_attempts: i32,
    },
    /// With the current epoch, or an older one.
    Claim {
        task: usize,
        stale: bool,
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
    let enqueue = (prop::bool::weighted(0.2), prop::collection::vec(0..TASKS, 0..3), policy, 1..4).prop_map(
        |(scheduled, parents, policy, max_attempts)| Verb::Enqueue {
            scheduled,
            parents,
            policy,
            max_attempts,
        },
    );
    let verb = prop_oneof![
        3 => enqueue,
        8 => (task.clone(), prop::bool::weighted(0.1)).prop_map(|(task, stale)| Verb::Claim { task, stale }),
        4 => lease.clone().prop_map(|lease| Verb::Append { lease }),
        6 => (lease.clone(), 0..outcomes().len()).prop_map(|(lease, outcome)| Verb::Settle { lease, outcome }),
        1 => lease.prop_map(|lease| Verb::Renew { lease }),
        6 => task.clone().prop_map(|task| Verb::TimePasses { task }),
        // Which of several gets the room is another test's matter; here there is room for none or for all.
        7 => prop::sample::select(&[0_i64, 100, 100][..]).prop_map(|room| Verb::Reconcile { room }),
        2 => task.clone().prop_map(|parent| Verb::Release { parent }),
        1 => task.clone().prop_map(|task| Verb::Cancel { task }),
        1 => task.prop_map(|task| Verb::Complete { task }),
    ];
    prop::collection::vec(verb, 60)
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
            Verb::Enqueue { scheduled, ref parents, policy, max_attempts } => {
                if self.ids.len() < TASKS {
                    self.enqueue(scheduled, parents, policy, max_attempts).await;
                }
            }
            Verb::Claim { task, .. }
            | Verb::TimePasses { task }
            | Verb::Release { parent: task }
            | Verb::Cancel { task }
            | Verb::Complete { task }
                if task >= self.ids.len() => {}
            Verb::Claim { task, stale } => {
                let epoch = self.model.tasks[task].epoch - i64::from(stale);
                let claimed =
                    store.claim(self.ids[task], epoch, &Claimant::ordinary("worker")).await.unwrap();
                prop_assert_eq!(claimed.is_some(), self.model.tasks[task].claim(epoch));
                if let Some(lease) = claimed {
                    let model = &self.model.tasks[task];
                    prop_assert_eq!((lease.epoch(), lease.next_seq()), (model.epoch, model.steps + 1));
                    self.leases.push((task, lease));
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
            Verb::Cancel { task } => {
                let answer = store.cancel(self.ids[task], "ada").await;
                prop_assert_eq!(answer.is_ok(), self.model.tasks[task].cancel());
            }
            Verb::Complete { task } => {
                let answer = store.request_completion(self.ids[task], "ada").await;
                prop_assert_eq!(answer.is_ok(), self.model.tasks[task].complete());
            }
        }
        Ok(())
    }

    async fn enqueue(
        &mut self,
        scheduled: bool,
        parents: &[usize],
        policy: DependencyPolicy,
        max_attempts: i32,
    ) {
        let mut parents: Vec<usize> =
            parents.iter().copied().filter(|parent| *parent < self.ids.len()).collect();
        parents.sort_unstable();
        parents.dedup();
        // Half an hour ahead: the hour that passes is enough for it.
        let soon = "SELECT CASE WHEN $1 THEN now() + interval '30 min' END";
        let run_at = sqlx::query_scalar(soon).bind(scheduled).fetch_one(&self.bed.pool).await.unwrap();
        let id = self
            .bed
            .enqueue_with(|new| {
                new.dependencies = parents.iter().map(|parent| self.ids[*parent]).collect();
                new.on_dependency_failure = policy;
                new.max_attempts = max_attempts;
                new.run_at = run_at;
            })
            .await;
        self.ids.push(id);
        self.model.enqueue(scheduled, &parents, policy, max_attempts);
    }

    async fn under_lease(&mut self, at: usize, verb: &Verb) -> Result<(), TestCaseError> {
        let store = &self.bed.store;
        let (task, ref mut lease) = self.leases[at];
        let epoch = lease.epoch();
        let model = &mut self.model.tasks[task];
        let (answer, allowed) = match *verb {
            Verb::Append { .. } => {
                (store.append(lease, &NewStep::plain(&note("a step"))).await.map(drop), model.append(epoch))
            }
            Verb::Settle { outcome, .. } => {
                let (name, outcome) = &outcomes()[outcome];
                (store.settle(lease, outcome).await.map(drop), model.settle(epoch, name))
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
        type Row = (uuid::Uuid, String, Option<String>, i64, i32, i32, i64, bool, i64, i64, Vec<bool>);
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, status::text, status_reason::text, epoch, attempt, next_seq - 1, event_seq, verify_only,
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
                    task.attempt,
                    task.steps,
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
    bed.execute("DELETE FROM events; DELETE FROM steps; DELETE FROM task_dependencies; DELETE FROM tasks")
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
    let config =
        Config { cases: 60, failure_persistence: None, max_shrink_time: 30_000, ..Config::default() };
    let outcome = TestRunner::new(config).run(&verbs(), |verbs| runtime.block_on(run(&bed, &verbs)));
    runtime.block_on(async { drop(bed) });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
