//! The phases between the first and the last: what says the same, what was overtaken, what rises and what fades.

use std::collections::HashSet;

use hive_domain::{ContextId, CyclePhase, MemoryOwner};
use hive_memory::night::{
    Asked, Flaw, Verdict, ask_about, contradict, dedupe, fade, merge, near, promote, text_of,
};
use hive_store::{GIVEN_UP_AFTER, NightItem, PhaseEnd};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Course, Nights, Step, flawed,
    request::{Answers, leave_out},
};

/// What is asked, for people.
const ASKED: &str = "requests about entries that are near each other";
/// Lessons of one project that are compared.
const MOST_LESSONS: i64 = 5_000;

impl Nights {
    pub(super) async fn dedupe(&self, course: &Course) -> hive_store::Result<Step> {
        const PHASE: CyclePhase = CyclePhase::Dedupe;
        if course.is_over() {
            return self.out_of_time(course, PHASE).await;
        }
        let items = self.items(course).await?;
        let changes = off_the_runtime(move || dedupe(&items)).await;
        self.done(course, PHASE, &PhaseEnd { changes, ..PhaseEnd::default() }).await
    }

    pub(super) async fn merge(&self, course: &Course) -> hive_store::Result<Step> {
        const PHASE: CyclePhase = CyclePhase::Merge;
        match self.answers(course, PHASE).await? {
            Answers::Waiting => return Ok(Step::Later(self.look_again())),
            Answers::TooLate => return self.out_of_time(course, PHASE).await,
            Answers::Lost(why, given) => {
                let over = given.and_then(|given| serde_json::from_value(given).ok());
                return Ok(Step::Failed(why, over.as_ref().map(subjects).unwrap_or_default()));
            }
            Answers::There(answers, unpaid) => {
                let verdicts = match verdicts(&answers) {
                    Ok(verdicts) => verdicts,
                    Err((flaw, over)) => return Ok(flawed(PHASE, &flaw, over)),
                };
                let asked = verdicts.iter().flat_map(|(asked, _)| &asked.facts);
                let read = asked.map(|fact| fact.id.uuid()).collect();
                let items = self.items(course).await?;
                let changes =
                    verdicts.iter().flat_map(|(asked, verdict)| merge(&items, asked, verdict)).collect();
                let mut end = PhaseEnd { changes, read, ..PhaseEnd::default() };
                leave_out(&mut end, PHASE, ASKED, (unpaid, "money"));
                return self.done(course, PHASE, &end).await;
            }
            Answers::Unasked => {}
        }
        if course.is_over() {
            return self.out_of_time(course, PHASE).await;
        }
        let items = self.items(course).await?;
        let mut end = PhaseEnd::default();
        let failed = self.store.failed_over(&course.lease, super::MOST_FAILED).await?;
        let over = |least: i64| -> HashSet<ContextId> {
            let over = failed.iter().filter(|(_, nights)| *nights >= least).map(|(id, _)| (*id).into());
            let over: HashSet<ContextId> = over.collect();
            items.iter().map(|item| item.id).filter(|id| over.contains(id)).collect()
        };
        let (failed, given_up) = (over(1), over(GIVEN_UP_AFTER));
        if !given_up.is_empty() {
            end.skipped.push(json!({ "phase": PHASE, "what": "entries", "count": given_up.len(),
                                     "why": "two nights failed over them" }));
        }
        let asked = off_the_runtime(move || {
            let asked = ask_about(&items, &near(&items, &given_up), &failed).into_iter();
            asked.map(|(wording, asked)| (wording, serde_json::to_value(asked).unwrap_or_default())).collect()
        });
        if self.ask(course, PHASE, ASKED, asked.await, &mut end).await? {
            return Ok(Step::Later(self.look_again()));
        }
        self.done(course, PHASE, &end).await
    }

    /// By the answers that the phase before has read.
    pub(super) async fn contradict(&self, course: &Course) -> hive_store::Result<Step> {
        const PHASE: CyclePhase = CyclePhase::Contradict;
        let Answers::There(answers, _) = self.answers(course, CyclePhase::Merge).await? else {
            return self.done(course, PHASE, &PhaseEnd::default()).await;
        };
        let verdicts = match verdicts(&answers) {
            Ok(verdicts) => verdicts,
            Err((flaw, over)) => return Ok(flawed(PHASE, &flaw, over)),
        };
        let (items, heirs) = (self.items(course).await?, self.store.night_heirs(&course.lease).await?);
        let changes =
            verdicts.iter().flat_map(|(asked, verdict)| contradict(&items, &heirs, asked, verdict)).collect();
        self.done(course, PHASE, &PhaseEnd { changes, ..PhaseEnd::default() }).await
    }

    pub(super) async fn promote(&self, course: &Course) -> hive_store::Result<Step> {
        const PHASE: CyclePhase = CyclePhase::Promote;
        if course.is_over() {
            return self.out_of_time(course, PHASE).await;
        }
        let owner = course.lease.cycle.owner;
        let (MemoryOwner::Project(project) | MemoryOwner::Agent(project, _)) = owner else {
            return self.done(course, PHASE, &PhaseEnd::default()).await;
        };
        let lessons = self.store.night_lessons(&course.lease, MOST_LESSONS).await?;
        let changes = off_the_runtime(move || {
            let own = |id| lessons.iter().any(|lesson| lesson.id == id && lesson.owner == owner);
            let mut changes = promote(&lessons, project);
            // An agent's night is about what that agent knows, too.
            changes.retain(|change| {
                owner.agent().is_none() || change.sources.iter().any(|(source, _)| own(*source))
            });
            changes
        });
        let changes = changes.await;
        self.done(course, PHASE, &PhaseEnd { changes, ..PhaseEnd::default() }).await
    }

    pub(super) async fn decay(&self, course: &Course) -> hive_store::Result<Step> {
        const PHASE: CyclePhase = CyclePhase::Decay;
        if course.is_over() {
            return self.out_of_time(course, PHASE).await;
        }
        let changes = fade(&self.items(course).await?, self.store.now().await?);
        self.done(course, PHASE, &PhaseEnd { changes, ..PhaseEnd::default() }).await
    }

    async fn items(&self, course: &Course) -> hive_store::Result<Vec<NightItem>> {
        self.store.night_items(&course.lease, super::MOST_ITEMS).await
    }
}

/// What is wrong with an answer, and the entries that it is about.
type Blame = (Flaw, Vec<Uuid>);

/// All answers, or what is wrong with the first that cannot be taken, and the entries that all such ones are about.
fn verdicts(answers: &[(Value, String)]) -> Result<Vec<(Asked, Verdict)>, Blame> {
    let (mut read, mut failed): (Vec<_>, Option<Blame>) = (Vec::new(), None);
    for (given, message) in answers {
        let asked: Asked = serde_json::from_value(given.clone())
            .map_err(|error| (Flaw::Form(error.to_string()), Vec::new()))?;
        match text_of(message).and_then(|text| Verdict::read(&text, asked.facts.len())) {
            Ok(verdict) => read.push((asked, verdict)),
            Err(flaw) => {
                let over = subjects(&asked);
                failed.get_or_insert((flaw, Vec::new())).1.extend(over);
            }
        }
    }
    failed.map_or(Ok(read), Err)
}

fn subjects(asked: &Asked) -> Vec<Uuid> {
    asked.facts.iter().map(|fact| fact.id.uuid()).collect()
}

/// Work of seconds on a large memory, on a thread of its own.
async fn off_the_runtime<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
