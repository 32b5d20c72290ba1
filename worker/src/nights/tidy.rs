//! The phases between the first and the last: what says the same, what was overtaken, what rises and what fades.

use hive_domain::{CyclePhase, MemoryOwner};
use hive_memory::night::{
    Asked, Flaw, Verdict, ask_about, contradict, dedupe, fade, merge, near, promote, text_of,
};
use hive_store::{NightItem, PhaseEnd};
use serde_json::Value;

use super::{Course, Nights, Step, flawed, request::Answers};

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
            Answers::Lost(why, _) => return Ok(Step::Failed(why, Vec::new())),
            Answers::There(answers) => {
                let verdicts = match verdicts(&answers) {
                    Ok(verdicts) => verdicts,
                    Err(flaw) => return Ok(flawed(PHASE, &flaw, Vec::new())),
                };
                let asked = verdicts.iter().flat_map(|(asked, _)| &asked.facts);
                let read = asked.map(|fact| fact.id.uuid()).collect();
                let items = self.items(course).await?;
                let changes =
                    verdicts.iter().flat_map(|(asked, verdict)| merge(&items, asked, verdict)).collect();
                return self.done(course, PHASE, &PhaseEnd { changes, read, ..PhaseEnd::default() }).await;
            }
            Answers::Unasked => {}
        }
        if course.is_over() {
            return self.out_of_time(course, PHASE).await;
        }
        let items = self.items(course).await?;
        let asked = off_the_runtime(move || {
            let asked = ask_about(&items, &near(&items)).into_iter();
            asked.map(|(wording, asked)| (wording, serde_json::to_value(asked).unwrap_or_default())).collect()
        });
        let mut end = PhaseEnd::default();
        if self
            .ask(course, PHASE, "requests about entries that are near each other", asked.await, &mut end)
            .await?
        {
            return Ok(Step::Later(self.look_again()));
        }
        self.done(course, PHASE, &end).await
    }

    /// By the answers that the phase before has read.
    pub(super) async fn contradict(&self, course: &Course) -> hive_store::Result<Step> {
        const PHASE: CyclePhase = CyclePhase::Contradict;
        let Answers::There(answers) = self.answers(course, CyclePhase::Merge).await? else {
            return self.done(course, PHASE, &PhaseEnd::default()).await;
        };
        let verdicts = match verdicts(&answers) {
            Ok(verdicts) => verdicts,
            Err(flaw) => return Ok(flawed(PHASE, &flaw, Vec::new())),
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

/// All answers, or what is wrong with the first that cannot be taken.
fn verdicts(answers: &[(Value, String)]) -> Result<Vec<(Asked, Verdict)>, Flaw> {
    let read = answers.iter().map(|(given, message)| {
        let asked: Asked =
            serde_json::from_value(given.clone()).map_err(|error| Flaw::Form(error.to_string()))?;
        let verdict = Verdict::read(&text_of(message)?, asked.facts.len())?;
        Ok((asked, verdict))
    });
    read.collect()
}

/// Work of seconds on a large memory, on a thread of its own.
async fn off_the_runtime<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
