//! What the verbs mean, without a database: a few tasks in memory.

use hive_domain::{
    PauseMode, StatusReason,
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
    pub(crate) deaths: i32,
    pub(crate) isolated: bool,
    pub(crate) priority: i64,
    /// Which of the keys it has, if any.
    pub(crate) key: Option<usize>,
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

    fn claim(&mut self) {
        self.stands(Running, None);
        (self.epoch, self.attempt, self.lapsed) = (self.epoch + 1, self.attempt + 1, false);
    }

    /// Its worker dies without a word, and somebody notices.
    fn lose_its_worker(&mut self) {
        let suspect = self.deaths + 1 >= 2;
        let (status, reason) = match (suspect, self.isolated) {
            (true, true) => (Dead, StatusReason::Poison),
            (false, false) => (Ready, StatusReason::Orphaned),
            _ => (Ready, StatusReason::Isolated),
        };
        self.deaths = if suspect && !self.isolated { 0 } else { self.deaths + 1 };
        self.isolated |= suspect;
        self.attempt = (self.attempt - 1).max(0);
        (self.announced, self.due) = (false, true);
        self.stands(status, Some(reason));
    }

    /// Its time came, or a person wants it to run: with a key it waits for a place first.
    fn comes_due(&mut self) {
        match self.key {
            None => self.stands(Ready, None),
            Some(_) => self.stands(Pending, Some(StatusReason::Concurrency)),
        }
    }

    fn waits_at_key(&self, key: usize) -> bool {
        self.key == Some(key) && (self.status, self.reason) == (Pending, Some(StatusReason::Concurrency))
    }

    pub(crate) fn append(&mut self, epoch: i64) -> bool {
        let allowed = self.held(epoch);
        if allowed {
            (self.steps, self.events) = (self.steps + 1, self.events + 1);
            (self.attempt, self.deaths, self.lapsed) = (1, 0, false);
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
        self.verify_only &= matches!(outcome, "yield" | "halt" | "wait" | "retry");
        match outcome {
            "done" => self.stands(Succeeded, None),
            "fail" => self.stands(Failed, Some(StatusReason::VerificationFailed)),
            "yield" | "halt" => {
                let reason = if outcome == "yield" { StatusReason::Drained } else { StatusReason::Paused };
                self.stands(Ready, Some(reason));
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

    fn complete(&mut self) -> bool {
        let allowed = matches!(self.status, Pending | Ready | Waiting | Failed)
            && !self.waits_for_parents()
            && self.reason != Some(StatusReason::DependencyFailed);
        if allowed {
            self.comes_due();
            (self.attempt, self.verify_only, self.due, self.announced) = (0, true, true, true);
            // Somebody vouches for it: what its workers died of counts anew.
            (self.deaths, self.isolated) = (0, false);
        }
        allowed
    }

    pub(crate) fn let_time_pass(&mut self) {
        (self.due, self.announced, self.lapsed) = (true, false, self.status == Running);
    }
}

/// How many tasks of each key may be ready or running.
pub(crate) const KEYS: [usize; 2] = [1, 2];

/// What a new task asks for.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) scheduled: bool,
    pub(crate) parents: Vec<usize>,
    pub(crate) policy: DependencyPolicy,
    pub(crate) max_attempts: i32,
    pub(crate) priority: i64,
    pub(crate) key: Option<usize>,
}

/// Tasks by the order in which they were accepted.
#[derive(Default)]
pub(crate) struct Model {
    pub(crate) tasks: Vec<ModelTask>,
    /// How the fleet is paused, if it is.
    pub(crate) pause: Option<PauseMode>,
}

impl Model {
    pub(crate) fn enqueue(&mut self, wish: &Wish) {
        let Wish { scheduled, ref parents, policy, max_attempts, priority, key } = *wish;
        let (status, reason) = match (&parents[..], scheduled) {
            ([], false) if key.is_some() => (Pending, Some(StatusReason::Concurrency)),
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
            deaths: 0,
            isolated: false,
            priority,
            key,
            due: !scheduled,
            lapsed: false,
            announced: status == Ready,
            edges: parents.iter().map(|parent| (*parent, false)).collect(),
            policy,
        });
        if let (Some(StatusReason::Concurrency), Some(key)) = (reason, key) {
            self.admit(key);
        }
    }

    pub(crate) fn claim(&mut self, task: usize, epoch: i64, isolated: bool) -> bool {
        let paused = self.pause.is_some();
        let task = &mut self.tasks[task];
        let allowed = task.status == Ready && task.epoch == epoch && task.isolated == isolated && !paused;
        if allowed {
            task.claim();
        }
        allowed
    }

    /// Claims in the order of urgency; `times` says since when each task could run. Those that are claimed.
    pub(crate) fn claim_next<T: Ord>(&mut self, times: &[T], isolated: bool, most: usize) -> Vec<usize> {
        if self.pause.is_some() {
            return Vec::new();
        }
        let ready = |at: &usize| self.tasks[*at].status == Ready && self.tasks[*at].isolated == isolated;
        let mut next: Vec<usize> = (0..self.tasks.len()).filter(ready).collect();
        next.sort_by_key(|at| (self.tasks[*at].priority, &times[*at], *at));
        next.truncate(most);
        for at in &next {
            self.tasks[*at].claim();
        }
        next
    }

    /// True when a run stops at its next edge.
    pub(crate) fn halts(&self) -> bool {
        self.pause == Some(PauseMode::Pause)
    }

    pub(crate) fn complete(&mut self, task: usize) -> bool {
        let allowed = self.tasks[task].complete();
        if let (true, Some(key)) = (allowed, self.tasks[task].key) {
            self.admit(key);
        }
        allowed
    }

    /// Gives away the free places of a key: the most urgent first, of those the oldest.
    pub(crate) fn admit(&mut self, key: usize) {
        let holds = |task: &&ModelTask| task.key == Some(key) && matches!(task.status, Ready | Running);
        let free = KEYS[key].saturating_sub(self.tasks.iter().filter(holds).count());
        let mut next: Vec<usize> =
            (0..self.tasks.len()).filter(|at| self.tasks[*at].waits_at_key(key)).collect();
        next.sort_by_key(|at| (self.tasks[*at].priority, *at));
        for at in next.into_iter().take(free) {
            self.tasks[at].stands(Ready, None);
            (self.tasks[at].announced, self.tasks[at].due) = (false, true);
        }
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
            task.lose_its_worker();
        }
        while self.release(None) {}
        for task in self.tasks.iter_mut().filter(|task| task.due && !task.waits_for_parents()) {
            if matches!(task.status, Pending | Waiting) && task.reason != Some(StatusReason::Concurrency) {
                task.comes_due();
                task.announced = false;
            }
        }
        for key in 0..KEYS.len() {
            self.admit(key);
        }
    }

    /// The tasks that get a ticket now.
    pub(crate) fn announce(&mut self) -> Vec<usize> {
        if self.pause.is_some() {
            return Vec::new();
        }
        let stale = |(at, task): (usize, &mut ModelTask)| {
            let stale = task.status == Ready && !task.announced;
            task.announced |= stale;
            stale.then_some(at)
        };
        self.tasks.iter_mut().enumerate().filter_map(stale).collect()
    }
}
