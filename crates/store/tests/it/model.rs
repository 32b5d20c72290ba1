//! What the verbs mean, without a database: a few tasks in memory.

use hive_domain::{
    StatusReason,
    TaskStatus::{self, Cancelled, Dead, Failed, Pending, Ready, Running, Succeeded, Waiting},
    task::DependencyPolicy,
};

/// What a person who read the documentation would expect of a task.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ModelTask {
    pub(crate) status: TaskStatus,
    pub(crate) reason: Option<StatusReason>,
    pub(crate) epoch: i64,
    pub(crate) attempt: i32,
    pub(crate) max_attempts: i32,
    pub(crate) steps: i32,
    pub(crate) events: i64,
    pub(crate) verify_only: bool,
    /// The time before which it does not run has come.
    due: bool,
    /// The lease ran out, and nobody noticed yet.
    lapsed: bool,
    /// A fresh ticket is out.
    announced: bool,
    /// Parents, and whether their end was noted.
    pub(crate) edges: Vec<(usize, bool)>,
    policy: DependencyPolicy,
}

impl ModelTask {
    fn stands(&mut self, status: TaskStatus, reason: Option<StatusReason>) {
        (self.status, self.reason) = (status, reason);
        self.events += 1;
    }

    fn waits_for_parents(&self) -> bool {
        (self.status, self.reason) == (Pending, Some(StatusReason::Dependencies))
    }

    pub(crate) fn held(&self, epoch: i64) -> bool {
        self.status == Running && self.epoch == epoch
    }

    fn try_failed(&mut self, otherwise: TaskStatus, reason: StatusReason) {
        if self.attempt >= self.max_attempts {
            self.stands(Dead, Some(StatusReason::AttemptsExhausted));
        } else {
            self.stands(otherwise, Some(reason));
        }
    }

    pub(crate) fn claim(&mut self, epoch: i64) -> bool {
        let allowed = self.status == Ready && self.epoch == epoch;
        if allowed {
            self.stands(Running, None);
            (self.epoch, self.attempt, self.lapsed) = (self.epoch + 1, self.attempt + 1, false);
        }
        allowed
    }

    pub(crate) fn append(&mut self, epoch: i64) -> bool {
        let allowed = self.held(epoch);
        if allowed {
            (self.steps, self.events) = (self.steps + 1, self.events + 1);
            (self.attempt, self.lapsed) = (1, false);
        }
        allowed
    }

    pub(crate) fn renew(&mut self, epoch: i64) -> bool {
        let allowed = self.held(epoch);
        self.lapsed &= !allowed;
        allowed
    }

    pub(crate) fn settle(&mut self, epoch: i64, outcome: &str) -> bool {
        if !self.held(epoch) {
            return false;
        }
        (self.announced, self.due) = (false, true);
        self.verify_only &= matches!(outcome, "yield" | "wait" | "retry");
        match outcome {
            "done" => self.stands(Succeeded, None),
            "fail" => self.stands(Failed, Some(StatusReason::VerificationFailed)),
            "yield" => {
                self.stands(Ready, Some(StatusReason::Drained));
                (self.attempt, self.announced) = ((self.attempt - 1).max(0), true);
            }
            "wait" => {
                self.stands(Waiting, Some(StatusReason::RateLimited));
                (self.attempt, self.due) = ((self.attempt - 1).max(0), false);
            }
            "retry" => {
                self.try_failed(Waiting, StatusReason::Retry);
                self.due = false;
            }
            other => panic!("no outcome is called {other}"),
        }
        true
    }

    /// True when the caller is told that it is cancelled, by this call or by one before.
    pub(crate) fn cancel(&mut self) -> bool {
        if self.status.is_end() {
            return (self.status, self.reason) == (Cancelled, Some(StatusReason::Requested));
        }
        self.stands(Cancelled, Some(StatusReason::Requested));
        self.epoch += 1;
        true
    }

    pub(crate) fn complete(&mut self) -> bool {
        let allowed = matches!(self.status, Pending | Ready | Waiting | Failed)
            && !self.waits_for_parents()
            && self.reason != Some(StatusReason::DependencyFailed);
        if allowed {
            self.stands(Ready, None);
            (self.attempt, self.verify_only, self.due, self.announced) = (0, true, true, true);
        }
        allowed
    }

    pub(crate) fn let_time_pass(&mut self) {
        (self.due, self.announced, self.lapsed) = (true, false, self.status == Running);
    }
}

/// Tasks by the order in which they were accepted.
#[derive(Default)]
pub(crate) struct Model {
    pub(crate) tasks: Vec<ModelTask>,
}

impl Model {
    pub(crate) fn enqueue(
        &mut self,
        scheduled: bool,
        parents: &[usize],
        policy: DependencyPolicy,
        max_attempts: i32,
    ) {
        let (status, reason) = match (parents, scheduled) {
            ([], false) => (Ready, None),
            ([], true) => (Pending, Some(StatusReason::Scheduled)),
            _ => (Pending, Some(StatusReason::Dependencies)),
        };
        self.tasks.push(ModelTask {
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
            announced: status == Ready,
            edges: parents.iter().map(|parent| (*parent, false)).collect(),
            policy,
        });
    }

    /// Tells the tasks that wait for `parent`, or for anything, what ended. True when one moved.
    pub(crate) fn release(&mut self, parent: Option<usize>) -> bool {
        let ended: Vec<bool> = self.tasks.iter().map(|task| task.status.is_end()).collect();
        let broken: Vec<bool> =
            self.tasks.iter().map(|task| task.status.is_end() && task.status != Succeeded).collect();
        let mut moved = false;
        for task in &mut self.tasks {
            let news = |(from, noted): &(usize, bool)| {
                !noted && ended[*from] && parent.is_none_or(|parent| parent == *from)
            };
            if !task.edges.iter().any(news) {
                continue;
            }
            for (from, noted) in &mut task.edges {
                *noted |= ended[*from];
            }
            if !task.waits_for_parents() {
                continue;
            }
            let broken = task.edges.iter().any(|(from, _)| broken[*from]);
            let free = task.edges.iter().all(|(_, noted)| *noted);
            match task.policy {
                DependencyPolicy::Fail if broken => {
                    task.stands(Failed, Some(StatusReason::DependencyFailed));
                }
                DependencyPolicy::Skip if broken => {
                    task.stands(Cancelled, Some(StatusReason::DependencySkipped));
                }
                _ if free => task.stands(Pending, Some(StatusReason::Scheduled)),
                _ => continue,
            }
            moved = true;
        }
        moved
    }

    /// All of a pass but the tickets.
    pub(crate) fn reconcile(&mut self) {
        for task in self.tasks.iter_mut().filter(|task| task.status == Running && task.lapsed) {
            task.try_failed(Ready, StatusReason::Orphaned);
            (task.announced, task.due) = (false, true);
        }
        while self.release(None) {}
        for task in self.tasks.iter_mut().filter(|task| task.due && !task.waits_for_parents()) {
            if matches!(task.status, Pending | Waiting) {
                task.stands(Ready, None);
                task.announced = false;
            }
        }
    }

    /// The tasks that get a ticket now.
    pub(crate) fn announce(&mut self) -> Vec<usize> {
        let stale = |(at, task): (usize, &mut ModelTask)| {
            let stale = task.status == Ready && !task.announced;
            task.announced |= stale;
            stale.then_some(at)
        };
        self.tasks.iter_mut().enumerate().filter_map(stale).collect()
    }
}
