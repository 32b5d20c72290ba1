//! The first phase: facts from what the owner lived through since its last night.

use hive_domain::CyclePhase;
use hive_memory::night::{
    Excerpt, ask_for_facts, excerpts_of_entry, excerpts_of_steps, extract, probes, text_of,
};
use hive_store::{NightItem, PhaseEnd};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Course, Nights, Step, flawed, request::Answers};

const PHASE: CyclePhase = CyclePhase::Extract;
/// Tasks whose journals one night reads.
const MOST_TASKS: i64 = 50;
/// Journal entries of a task that are read.
const MOST_STEPS: i64 = 1_000;
/// Bytes of excerpts that one task brings.
const MOST_BYTES: usize = 48_000;

impl Nights {
    pub(super) async fn extract(&self, course: &Course) -> hive_store::Result<Step> {
        match self.answers(course, PHASE).await? {
            Answers::Waiting => return Ok(Step::Later(self.look_again())),
            Answers::TooLate => return self.out_of_time(course, PHASE).await,
            Answers::Lost(why) => return Ok(Step::Failed(why)),
            Answers::There(answers) => return self.take_facts(course, &answers).await,
            Answers::Unasked => {}
        }
        let items = self.store.night_items(&course.lease, super::MOST_ITEMS + 1).await?;
        // Before anything changes, and kept from the model.
        self.store.keep_probes(&course.lease, &probes(&items)).await?;
        let mut end = PhaseEnd::default();
        if i64::try_from(items.len()).is_ok_and(|count| count > super::MOST_ITEMS) {
            end.skipped
                .push(json!({ "phase": PHASE, "what": "entries beyond the first of a memory", "count": 1,
                                     "why": "there are too many" }));
        }
        if course.is_over() {
            return self.out_of_time(course, PHASE).await;
        }
        let (excerpts, read) = self.lived_through(course, &items, &mut end).await?;
        let requests = ask_for_facts(excerpts);
        if requests.is_empty() {
            end.read = read;
            return self.done(course, PHASE, &end).await;
        }
        let of = requests.len();
        let given = |excerpts: Vec<Excerpt>| json!({ "excerpts": excerpts, "of": of, "tasks": read });
        let asked = requests.into_iter().map(|(wording, excerpts)| (wording, given(excerpts)));
        if self.ask(course, PHASE, "requests for facts", asked.collect(), &mut end).await? {
            return Ok(Step::Later(self.look_again()));
        }
        self.done(course, PHASE, &end).await
    }

    /// The excerpts, and the tasks that they are all of.
    async fn lived_through(
        &self,
        course: &Course,
        items: &[NightItem],
        end: &mut PhaseEnd,
    ) -> hive_store::Result<(Vec<Excerpt>, Vec<Uuid>)> {
        let mut tasks = self.store.unread_tasks(&course.lease, MOST_TASKS + 1).await?;
        if i64::try_from(tasks.len()).is_ok_and(|count| count > MOST_TASKS) {
            tasks.pop();
            end.skipped.push(json!({ "phase": PHASE, "what": "journals of later tasks", "count": 1,
                                     "why": "another night reads them" }));
        }
        let (mut excerpts, mut read) = (Vec::new(), Vec::new());
        for task in tasks {
            let steps = self.store.steps(task, 0, MOST_STEPS).await?;
            let mut bytes = 0;
            excerpts.extend(excerpts_of_steps(task, &steps).into_iter().take_while(|excerpt| {
                bytes += excerpt.text.len();
                bytes <= MOST_BYTES
            }));
            read.push(task.uuid());
        }
        let raw = items.iter().filter(|item| item.kind == "episode" && item.is_new);
        excerpts.extend(raw.filter_map(excerpts_of_entry));
        Ok((excerpts, read))
    }

    async fn take_facts(&self, course: &Course, answers: &[(Value, String)]) -> hive_store::Result<Step> {
        let mut end = PhaseEnd::default();
        for (given, message) in answers {
            let Ok(excerpts) = serde_json::from_value::<Vec<Excerpt>>(given["excerpts"].clone()) else {
                return Ok(Step::Failed(format!("{PHASE}: what was asked cannot be read")));
            };
            let text = match text_of(message) {
                Ok(text) => text,
                Err(flaw) => return Ok(flawed(PHASE, &flaw)),
            };
            match extract(course.lease.cycle.owner, &excerpts, &text) {
                Ok(changes) => end.changes.extend(changes),
                Err(flaw) => return Ok(flawed(PHASE, &flaw)),
            }
        }
        // Where a request was skipped, its tasks are read again another night; facts that are there already are found so.
        if answers.first().is_some_and(|(given, _)| given["of"] == answers.len()) {
            end.read = serde_json::from_value(answers[0].0["tasks"].clone()).unwrap_or_default();
        }
        self.done(course, PHASE, &end).await
    }
}
