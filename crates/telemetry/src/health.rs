//! Whether this process can do its work, and why not.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::log::redact;

mod notices;
pub mod routes;
mod watch;

use notices::Notices;
pub use notices::{Notice, PROCESS};

/// How a component is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It answers.
    Up,
    /// It answers, with the loss that the sentence names.
    Degraded(String),
    /// It does not answer, for this reason.
    Down(String),
}

impl State {
    /// `up`, `degraded` or `down`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded(_) => "degraded",
            Self::Down(_) => "down",
        }
    }

    /// Why it is not up.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Up => None,
            Self::Degraded(why) | Self::Down(why) => Some(why),
        }
    }
}

/// What load balancers and people are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// All is well.
    Ready,
    /// Work goes on without what is named here.
    Degraded(Vec<String>),
    /// No work may be sent here, for these reasons.
    NotReady(Vec<String>),
}

/// The health of a process. Cheap to clone; all clones share it.
#[derive(Clone, Debug)]
pub struct Health(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    process: &'static str,
    started: Instant,
    // Protects the states between the watchers and the page; never held over an await.
    inner: Mutex<Inner>,
    notices: Notices,
}

#[derive(Debug, Default)]
struct Inner {
    components: BTreeMap<&'static str, Component>,
    draining: bool,
    progress: Option<Instant>,
}

#[derive(Debug)]
struct Component {
    essential: bool,
    state: State,
    since: Instant,
}

impl Health {
    /// A process with no components: it is ready.
    #[must_use]
    pub fn new(process: &'static str) -> Self {
        let notices = Notices::default();
        notices.push(PROCESS, State::Up);
        Self(Arc::new(Shared { process, started: Instant::now(), inner: Mutex::default(), notices }))
    }

    /// Registers a component without which no work is possible. It is down until [`Health::set`] says otherwise.
    pub fn essential(&self, component: &'static str) {
        self.register(component, true);
    }

    /// Registers a component without which work goes on with a loss. It is down until [`Health::set`] says otherwise.
    pub fn optional(&self, component: &'static str) {
        self.register(component, false);
    }

    fn register(&self, component: &'static str, essential: bool) {
        let state = State::Down("not checked yet".to_owned());
        let since = Instant::now();
        self.inner().components.insert(component, Component { essential, state, since });
    }

    /// Notes how a component is, and logs it when that changed. One that was never registered counts as essential.
    pub fn set(&self, component: &'static str, state: State) {
        let state = match state {
            State::Up => State::Up,
            State::Degraded(why) => State::Degraded(redact(&why).into_owned()),
            State::Down(why) => State::Down(redact(&why).into_owned()),
        };
        metrics::gauge!("hive_component_up", "component" => component).set(if state == State::Up {
            1.0
        } else {
            0.0
        });
        let mut inner = self.inner();
        let now = Instant::now();
        let known = inner.components.entry(component).or_insert_with(|| Component {
            essential: true,
            state: State::Down("not checked yet".to_owned()),
            since: now,
        });
        let kind_changed = std::mem::discriminant(&known.state) != std::mem::discriminant(&state);
        if kind_changed {
            known.since = now;
        }
        known.state = state.clone();
        drop(inner);
        if kind_changed {
            self.0.notices.push(component, state.clone());
            match state {
                State::Up => tracing::info!(component, "{component} is up"),
                State::Degraded(why) => tracing::warn!(component, "{component} is degraded: {why}"),
                State::Down(why) => tracing::warn!(component, "{component} is down: {why}"),
            }
        }
    }

    /// From now on no work may be sent here: the process is about to end.
    pub fn draining(&self) {
        if !std::mem::replace(&mut self.inner().draining, true) {
            self.0.notices.push(PROCESS, State::Down("the process is shutting down".to_owned()));
        }
    }

    /// Notes that a piece of work was done just now.
    pub fn progress(&self) {
        self.inner().progress = Some(Instant::now());
    }

    /// Whether work may be sent here.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        let inner = self.inner();
        let (mut lost, mut missing) = (Vec::new(), Vec::new());
        if inner.draining {
            missing.push("the process is shutting down".to_owned());
        }
        for (name, component) in &inner.components {
            match &component.state {
                State::Up => {}
                State::Down(why) if component.essential => missing.push(format!("{name} is down: {why}")),
                State::Down(why) => lost.push(format!("{name} is down: {why}")),
                State::Degraded(why) => lost.push(format!("{name} is degraded: {why}")),
            }
        }
        match (missing.is_empty(), lost.is_empty()) {
            (false, _) => {
                missing.extend(lost);
                Readiness::NotReady(missing)
            }
            (true, false) => Readiness::Degraded(lost),
            (true, true) => Readiness::Ready,
        }
    }

    /// Everything that is known, for the detail page. Durations are in seconds.
    #[must_use]
    pub fn detail(&self) -> Value {
        let readiness = self.readiness();
        let inner = self.inner();
        let seconds = |duration: Duration| (duration.as_secs_f64() * 1e3).round() / 1e3;
        let components: BTreeMap<_, _> = inner
            .components
            .iter()
            .map(|(name, component)| {
                let (state, reason) = (component.state.as_str(), component.state.reason());
                let essential = component.essential;
                let since = seconds(component.since.elapsed());
                (
                    *name,
                    json!({ "state": state, "reason": reason, "essential": essential, "for_seconds": since }),
                )
            })
            .collect();
        json!({
            "process": self.0.process,
            "status": readiness.as_str(),
            "draining": inner.draining,
            "uptime_seconds": seconds(self.0.started.elapsed()),
            "last_progress_seconds_ago": inner.progress.map(|at| seconds(at.elapsed())),
            "components": components,
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Readiness {
    /// `ready`, `degraded` or `not_ready`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Degraded(_) => "degraded",
            Self::NotReady(_) => "not_ready",
        }
    }

    /// What is missing, one sentence each.
    #[must_use]
    pub fn reasons(&self) -> &[String] {
        match self {
            Self::Ready => &[],
            Self::Degraded(reasons) | Self::NotReady(reasons) => reasons,
        }
    }
}
