//! Random verbs on a few tasks, against a model of what they mean that fits on a page.

use std::time::{Duration, Instant};

use hive_domain::{
    Lease, StatusReason, TaskId, TaskStatus,
    task::{DependencyPolicy, Task},
};
use hive_store::{Error, NewStep};
use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};

use crate::bed::{Bed, note, outcomes};

const TASKS: usize = 4;

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
    /// Under any lease that was ever given.
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
    // The latest leases are the interesting ones; an index counts from the last.
    let lease = prop_oneof![6 => 0..2_usize, 1 => 0..20_usize];
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
        7 => prop_oneof![Just(0_i64), Just(1), Just(100)].prop_map(|room| Verb::Reconcile { room }),
        2 => task.clone().prop_map(|parent| Verb::Release { parent }),
        1 => task.clone().prop_map(|task| Verb::Cancel { task }),
        1 => task.prop_map(|task| Verb::Complete { task }),
    ];
    prop::collection::vec(verb, 30)
}

/// What a person who read the documentation would expect of a task.
#[derive(Clone, Debug, PartialEq)]
struct Model {
    status: TaskStatus,
    reason: Option<StatusReason>,
    epoch: i64,
    attempt: i32,
    max_attempts: i32,
    steps: i32,
    events: i64,
    verify_only: bool,
    /// The time before which it does not run has come.
    due: bool,
    /// The lease ran out, and nobody noticed yet.
    lapsed: bool,
    /// A fresh ticket is out.
    announced: bool,
    /// Parents, and whether their end was noted.
    edges: Vec<(usize, bool)>,
    policy: DependencyPolicy,
}

impl Model {
    fn become_(&mut self, status: TaskStatus, reason: Option<StatusReason>) {
        (self.status, self.reason) = (status, reason);
        self.events += 1;
    }

    fn waits_for_parents(&self) -> bool {
        (self.status, self.reason) == (TaskStatus::Pending, Some(StatusReason::Dependencies))
    }

    fn try_failed(&mut self, otherwise: TaskStatus, reason: StatusReason) {
        if self.attempt >= self.max_attempts {
            self.become_(TaskStatus::Dead, Some(StatusReason::AttemptsExhausted));
        } else {
            self.become_(otherwise, Some(reason));
        }
    }

    fn settle(&mut self, outcome: &str) {
        self.verify_only = false;
        self.announced = false;
        self.due = true;
        match outcome {
            "done" => self.become_(TaskStatus::Succeeded, None),
            "fail" => self.become_(TaskStatus::Failed, Some(StatusReason::VerificationFailed)),
            "yield" => {
                self.become_(TaskStatus::Ready, Some(StatusReason::Drained));
                (self.attempt, self.announced) = ((self.attempt - 1).max(0), true);
            }
            "wait" => {
                self.become_(TaskStatus::Waiting, Some(StatusReason::RateLimited));
                (self.attempt, self.due) = ((self.attempt - 1).max(0), false);
            }
            "retry" => {
                self.try_failed(TaskStatus::Waiting, StatusReason::Retry);
                self.due = false;
            }
            other => panic!("no outcome is called {other}"),
        }
    }
}

#[derive(Default)]
struct World {
    ids: Vec<TaskId>,
    tasks: Vec<Model>,
    leases: Vec<(usize, Lease<Task>)>,
}

impl World {
    fn held(&self, task: usize, epoch: i64) -> bool {
        self.tasks[task].status == TaskStatus::Running && self.tasks[task].epoch == epoch
    }

    fn release(&mut self, parent: Option<usize>) {
        let ended: Vec<bool> = self.tasks.iter().map(|task| task.status.is_end()).collect();
        let broken: Vec<bool> = self
            .tasks
            .iter()
            .map(|task| task.status.is_end() && task.status != TaskStatus::Succeeded)
            .collect();
        for task in &mut self.tasks {
            let concerned = |(from, resolved): &(usize, bool)| {
                !resolved && ended[*from] && parent.is_none_or(|parent| parent == *from)
            };
            if !task.edges.iter().any(concerned) {
                continue;
            }
            for (from, resolved) in &mut task.edges {
                *resolved |= ended[*from];
            }
            if !task.waits_for_parents() {
                continue;
            }
            let broken = task.edges.iter().any(|(from, _)| broken[*from]);
            match task.policy {
                DependencyPolicy::Fail if broken => {
                    task.become_(TaskStatus::Failed, Some(StatusReason::DependencyFailed));
                }
                DependencyPolicy::Skip if broken => {
                    task.become_(TaskStatus::Cancelled, Some(StatusReason::DependencySkipped));
                }
                _ if task.edges.iter().all(|(_, resolved)| *resolved) => {
                    task.become_(TaskStatus::Pending, Some(StatusReason::Scheduled));
                }
                _ => {}
            }
        }
    }

    fn reconcile(&mut self, room: i64) {
        for task in self.tasks.iter_mut().filter(|task| task.status == TaskStatus::Running && task.lapsed) {
            task.try_failed(TaskStatus::Ready, StatusReason::Orphaned);
            (task.announced, task.due) = (false, true);
        }
        loop {
            let before = self.tasks.clone();
            self.release(None);
            if self.tasks == before {
                break;
            }
        }
        for task in self.tasks.iter_mut().filter(|task| task.due && !task.waits_for_parents()) {
            if matches!(task.status, TaskStatus::Pending | TaskStatus::Waiting) {
                task.become_(TaskStatus::Ready, None);
                task.announced = false;
            }
        }
        // Which of several gets the room is another test's matter; here there is room for none or for all.
        assert!(room == 0 || room == 100);
        for task in self.tasks.iter_mut().filter(|task| task.status == TaskStatus::Ready && room > 0) {
            task.announced = true;
        }
    }

    /// Does the verb to both, and compares what the store answers with what the model allows.
    async fn act(&mut self, bed: &Bed, verb: &Verb) -> Result<(), TestCaseError> {
        match verb {
            Verb::Enqueue { .. } if self.ids.len() == TASKS => {}
            Verb::Enqueue { scheduled, parents, policy, max_attempts } => {
                self.enqueue(bed, *scheduled, parents, *policy, *max_attempts).await;
            }
            Verb::Claim { task, .. }
            | Verb::TimePasses { task }
            | Verb::Cancel { task }
            | Verb::Complete { task }
                if *task >= self.ids.len() => {}
            Verb::Claim { task, stale } => {
                let epoch = self.tasks[*task].epoch - i64::from(*stale);
                let claimed = bed.store.claim(self.ids[*task], epoch, "worker").await.unwrap();
                let model = &mut self.tasks[*task];
                let allowed = model.status == TaskStatus::Ready && !stale;
                prop_assert_eq!(claimed.is_some(), allowed);
                if let Some(lease) = claimed {
                    model.become_(TaskStatus::Running, None);
                    (model.epoch, model.attempt, model.lapsed) = (model.epoch + 1, model.attempt + 1, false);
                    prop_assert_eq!((lease.epoch(), lease.next_seq()), (model.epoch, model.steps + 1));
                    self.leases.push((*task, lease));
                }
            }
            Verb::Append { lease } | Verb::Settle { lease, .. } | Verb::Renew { lease } => {
                if let Some(at) = self.leases.len().checked_sub(lease + 1) {
                    self.under_lease(bed, at, verb).await?;
                }
            }
            Verb::TimePasses { task } => {
                bed.let_time_pass(self.ids[*task]).await;
                let model = &mut self.tasks[*task];
                (model.due, model.announced) = (true, false);
                model.lapsed = model.status == TaskStatus::Running;
            }
            Verb::Reconcile { room } => {
                // A room of one would make the model guess: it stands for none there.
                let room = if *room == 1 { 0 } else { *room };
                let stale: Vec<bool> = {
                    self.reconcile(0);
                    self.tasks
                        .iter()
                        .map(|task| task.status == TaskStatus::Ready && !task.announced)
                        .collect()
                };
                self.reconcile(room);
                let pass = bed.store.reconcile(room).await.unwrap();
                for (task, id) in self.ids.iter().enumerate() {
                    let announced =
                        pass.announce.iter().filter(|announcement| announcement.task == *id).count();
                    prop_assert_eq!(announced, usize::from(room > 0 && stale[task]), "task {}", task);
                }
            }
            Verb::Release { parent } if *parent < self.ids.len() => {
                bed.store.release_dependents(Some(self.ids[*parent])).await.unwrap();
                self.release(Some(*parent));
            }
            Verb::Release { .. } => {}
            Verb::Cancel { task } => {
                let model = &mut self.tasks[*task];
                let again =
                    (model.status, model.reason) == (TaskStatus::Cancelled, Some(StatusReason::Requested));
                let allowed = !model.status.is_end();
                let answer = bed.store.cancel(self.ids[*task], "ada").await;
                prop_assert_eq!(answer.is_ok(), allowed || again);
                if allowed {
                    model.become_(TaskStatus::Cancelled, Some(StatusReason::Requested));
                    model.epoch += 1;
                }
            }
            Verb::Complete { task } => {
                let model = &mut self.tasks[*task];
                use TaskStatus::{Failed, Pending, Ready, Waiting};
                let allowed = matches!(model.status, Pending | Ready | Waiting | Failed);
                let answer = bed.store.request_completion(self.ids[*task], "ada").await;
                prop_assert_eq!(answer.is_ok(), allowed);
                if allowed {
                    model.become_(Ready, None);
                    (model.attempt, model.verify_only, model.due, model.announced) = (0, true, true, true);
                }
            }
        }
        Ok(())
    }

    async fn enqueue(
        &mut self,
        bed: &Bed,
        scheduled: bool,
        parents: &[usize],
        policy: DependencyPolicy,
        max_attempts: i32,
    ) {
        let mut parents: Vec<usize> =
            parents.iter().copied().filter(|parent| *parent < self.ids.len()).collect();
        parents.sort_unstable();
        parents.dedup();
        // Half an hour ahead: an hour of passing time is enough for it.
        let run_at = if scheduled {
            sqlx::query_scalar("SELECT now() + interval '30 min'").fetch_one(&bed.pool).await.unwrap()
        } else {
            None
        };
        let id = bed
            .enqueue_with(|new| {
                new.dependencies = parents.iter().map(|parent| self.ids[*parent]).collect();
                new.on_dependency_failure = policy;
                new.max_attempts = max_attempts;
                new.run_at = run_at;
            })
            .await;
        let (status, reason) = match (parents.is_empty(), scheduled) {
            (false, _) => (TaskStatus::Pending, Some(StatusReason::Dependencies)),
            (true, true) => (TaskStatus::Pending, Some(StatusReason::Scheduled)),
            (true, false) => (TaskStatus::Ready, None),
        };
        self.ids.push(id);
        self.tasks.push(Model {
            status,
            reason,
            epoch: 0,
            attempt: 0,
            max_attempts,
            steps: 0,
            events: 1,
            verify_only: false,
            due: !scheduled,
            lapsed: false,
            announced: status == TaskStatus::Ready,
            edges: parents.into_iter().map(|parent| (parent, false)).collect(),
            policy,
        });
    }

    async fn under_lease(&mut self, bed: &Bed, at: usize, verb: &Verb) -> Result<(), TestCaseError> {
        let (task, epoch) = (self.leases[at].0, self.leases[at].1.epoch());
        let allowed = self.held(task, epoch);
        let lease = &mut self.leases[at].1;
        let model = &mut self.tasks[task];
        let answer = match verb {
            Verb::Append { .. } => bed.store.append(lease, &NewStep::plain(&note("a step"))).await,
            Verb::Settle { outcome, .. } => bed.store.settle(lease, &outcomes()[*outcome].1).await.map(drop),
            _ => {
                let renewed = bed.store.renew(&[(self.ids[task], epoch)]).await.unwrap();
                prop_assert_eq!(renewed.len(), usize::from(allowed));
                model.lapsed &= !allowed;
                return Ok(());
            }
        };
        match answer {
            Ok(()) => prop_assert!(allowed, "a lost lease wrote"),
            Err(Error::Fenced { .. }) => prop_assert!(!allowed, "a held lease was refused"),
            Err(other) => prop_assert!(false, "{:?}", other),
        }
        match verb {
            _ if !allowed => {}
            Verb::Settle { outcome, .. } => model.settle(outcomes()[*outcome].0),
            _ => {
                model.steps += 1;
                model.events += 1;
                (model.attempt, model.lapsed) = (1, false);
            }
        }
        Ok(())
    }

    /// All rows against the model, in one look.
    async fn compare(&self, bed: &Bed) -> Result<(), TestCaseError> {
        type Row = (uuid::Uuid, String, Option<String>, i64, i32, i32, i64, bool, i64, i64, Vec<bool>);
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, status::text, status_reason::text, epoch, attempt, next_seq - 1, event_seq, verify_only,
                    (SELECT count(*) FROM events e WHERE e.task_id = t.id),
                    (SELECT count(*) FROM steps s WHERE s.task_id = t.id),
                    ARRAY(SELECT resolved FROM task_dependencies d WHERE d.task_id = t.id ORDER BY depends_on)
             FROM tasks t ORDER BY id",
        )
        .fetch_all(&bed.pool)
        .await
        .unwrap();
        let expected: Vec<Row> = self
            .ids
            .iter()
            .zip(&self.tasks)
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
                    task.edges.iter().map(|(_, resolved)| *resolved).collect(),
                )
            })
            .collect();
        prop_assert_eq!(rows, expected);
        Ok(())
    }
}

#[test]
fn random_verbs_do_what_the_model_says() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bed = runtime.block_on(Bed::make());
    let started = Instant::now();
    let config =
        Config { cases: 60, failure_persistence: None, max_shrink_time: 30_000, ..Config::default() };
    let outcome = TestRunner::new(config).run(&verbs(), |verbs| {
        runtime.block_on(async {
            bed.execute("TRUNCATE tasks CASCADE").await;
            let mut world = World::default();
            for (at, verb) in verbs.iter().enumerate() {
                let place = |error| match error {
                    TestCaseError::Fail(why) => TestCaseError::fail(format!("verb {at}, {verb:?}: {why}")),
                    other => other,
                };
                world.act(&bed, verb).await.map_err(place)?;
                world.compare(&bed).await.map_err(place)?;
            }
            Ok(())
        })
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    runtime.block_on(async { drop(bed) });
}
