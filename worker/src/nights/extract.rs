//! The first phase: facts from what the owner lived through since its last night.

use std::collections::HashMap;

use hive_domain::{ContextId, CyclePhase, TrustClass};
use hive_memory::night::{
    Excerpt, Flaw, Wording, ask_for_facts, excerpts_of_entry, excerpts_of_steps, extract, probes, text_of,
};
use hive_store::{GIVEN_UP_AFTER, NightItem, PhaseEnd};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Course, Nights, Step, flawed,
    request::{Answers, leave_out},
};

const PHASE: CyclePhase = CyclePhase::Extract;
/// What is asked, for people.
const ASKED: &str = "requests for facts";
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
            Answers::Lost(why, given) => {
                let over = given.as_ref().and_then(excerpts_in).map(|excerpts| subjects_of(&excerpts));
                return Ok(Step::Failed(why, over.unwrap_or_default()));
            }
            Answers::There(answers, unpaid) => return self.take_facts(course, &answers, unpaid).await,
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
        let (excerpts, subjects) = self.lived_through(course, &items, &mut end).await?;
        let requests = self.requests(course, excerpts, &mut end).await?;
        // What brings nothing to ask about is read.
        end.read = read_to_the_end(&subjects, &[]);
        let given = |excerpts: Vec<Excerpt>| json!({ "excerpts": excerpts, "subjects": subjects });
        let asked: Vec<_> =
            requests.into_iter().map(|(wording, excerpts)| (wording, given(excerpts))).collect();
        if !asked.is_empty() && self.ask(course, PHASE, ASKED, asked, &mut end).await? {
            return Ok(Step::Later(self.look_again()));
        }
        self.done(course, PHASE, &end).await
    }

    /// The excerpts, and the tasks and entries that they are all of, each with the number of its excerpts.
    async fn lived_through(
        &self,
        course: &Course,
        items: &[NightItem],
        end: &mut PhaseEnd,
    ) -> hive_store::Result<(Vec<Excerpt>, Vec<(Uuid, usize)>)> {
        let mut tasks = self.store.unread_tasks(&course.lease, MOST_TASKS + 1).await?;
        if i64::try_from(tasks.len()).is_ok_and(|count| count > MOST_TASKS) {
            tasks.pop();
            end.skipped.push(json!({ "phase": PHASE, "what": "journals of later tasks", "count": 1,
                                     "why": "another night reads them" }));
        }
        let (mut excerpts, mut subjects, mut cut) = (Vec::new(), Vec::new(), 0);
        for task in tasks {
            let mut steps = self.store.steps(task, 0, MOST_STEPS + 1).await?;
            let is_longer = i64::try_from(steps.len()).is_ok_and(|count| count > MOST_STEPS);
            if is_longer {
                steps.pop();
            }
            let (kept, left) = within(excerpts_of_steps(task, &steps), MOST_BYTES);
            cut += i32::from(left > 0 || is_longer);
            subjects.push((task.uuid(), kept.len()));
            excerpts.extend(kept);
        }
        if cut > 0 {
            end.skipped.push(json!({ "phase": PHASE, "what": "parts of journals", "count": cut,
                                     "why": "they are too long" }));
        }
        let raw = items.iter().filter(|item| item.kind == "episode" && item.is_new);
        for excerpt in raw.filter_map(excerpts_of_entry) {
            subjects.extend(subject_of(&excerpt).map(|subject| (subject, 1)));
            excerpts.push(excerpt);
        }
        Ok((excerpts, subjects))
    }

    /// The requests about these excerpts. What a night failed over is asked about by itself, so that it is known which of
    /// them was to blame.
    async fn requests(
        &self,
        course: &Course,
        excerpts: Vec<Excerpt>,
        end: &mut PhaseEnd,
    ) -> hive_store::Result<Vec<(Wording, Vec<Excerpt>)>> {
        let failed = self.store.failed_over(&course.lease, super::MOST_FAILED).await?;
        let given_up = failed.iter().filter(|(_, nights)| *nights >= GIVEN_UP_AFTER).count();
        if given_up > 0 {
            end.skipped.push(json!({ "phase": PHASE, "what": "journals and entries", "count": given_up,
                                     "why": "two nights failed over them" }));
        }
        let suspect = |excerpt: &Excerpt| {
            subject_of(excerpt).filter(|subject| failed.iter().any(|(failed, _)| failed == subject))
        };
        let (suspects, others): (Vec<Excerpt>, Vec<Excerpt>) =
            excerpts.into_iter().partition(|excerpt| suspect(excerpt).is_some());
        let mut requests = ask_for_facts(others);
        for of_one in suspects.chunk_by(|a, b| subject_of(a) == subject_of(b)) {
            requests.extend(ask_for_facts(of_one.to_vec()));
        }
        Ok(requests)
    }

    async fn take_facts(
        &self,
        course: &Course,
        answers: &[(Value, String)],
        unpaid: usize,
    ) -> hive_store::Result<Step> {
        let (mut end, mut asked) = (PhaseEnd::default(), Vec::new());
        leave_out(&mut end, PHASE, ASKED, (unpaid, "money"));
        // An agent may say in one request what its tools printed in another.
        let printed: Vec<Excerpt> =
            answers.iter().filter_map(|(given, _)| excerpts_in(given)).flatten().collect();
        let printed = printed.iter().filter(|excerpt| excerpt.trust == TrustClass::External);
        let outside: Vec<&str> = printed.map(|excerpt| &*excerpt.text).collect();
        let mut failed: Option<(Flaw, Vec<Uuid>)> = None;
        for (given, message) in answers {
            let Some(excerpts) = excerpts_in(given) else {
                return Ok(Step::Failed(format!("{PHASE}: what was asked cannot be read"), Vec::new()));
            };
            let drawn = text_of(message)
                .and_then(|text| extract(course.lease.cycle.owner, &excerpts, &outside, &text));
            match drawn {
                Ok(changes) => end.changes.extend(changes),
                // All that cannot be taken are noted at once, or each costs nights of its own.
                Err(flaw) => failed.get_or_insert((flaw, Vec::new())).1.extend(subjects_of(&excerpts)),
            }
            asked.extend(excerpts);
        }
        if let Some((flaw, over)) = failed {
            return Ok(flawed(PHASE, &flaw, over));
        }
        // What a request was about that is not among them is read another night.
        let subjects = answers.first().map(|(given, _)| given["subjects"].clone());
        let subjects: Vec<(Uuid, usize)> =
            subjects.and_then(|subjects| serde_json::from_value(subjects).ok()).unwrap_or_default();
        end.read = read_to_the_end(&subjects, &asked);
        self.done(course, PHASE, &end).await
    }
}

fn excerpts_in(given: &Value) -> Option<Vec<Excerpt>> {
    serde_json::from_value(given["excerpts"].clone()).ok()
}

/// The task or the entry that an excerpt is of.
fn subject_of(excerpt: &Excerpt) -> Option<Uuid> {
    excerpt.origin.map(|(task, ..)| task.uuid()).or(excerpt.entry.map(ContextId::uuid))
}

fn subjects_of(excerpts: &[Excerpt]) -> Vec<Uuid> {
    excerpts.iter().filter_map(subject_of).collect()
}

/// Those of which all excerpts were asked about.
fn read_to_the_end(subjects: &[(Uuid, usize)], asked: &[Excerpt]) -> Vec<Uuid> {
    let mut counts: HashMap<Uuid, usize> = HashMap::new();
    for subject in subjects_of(asked) {
        *counts.entry(subject).or_default() += 1;
    }
    let whole = |(subject, count): &&(Uuid, usize)| counts.get(subject).copied().unwrap_or(0) == *count;
    subjects.iter().filter(whole).map(|(subject, _)| *subject).collect()
}

/// As many as fit into so many bytes, in their order, and how many do not: what people and the agent said comes before what
/// its tools printed.
fn within(excerpts: Vec<Excerpt>, most: usize) -> (Vec<Excerpt>, usize) {
    let (mut fits, mut bytes) = (vec![false; excerpts.len()], 0);
    for of_tools in [false, true] {
        for (fits, excerpt) in fits.iter_mut().zip(&excerpts) {
            if (excerpt.trust == TrustClass::External) == of_tools && bytes + excerpt.text.len() <= most {
                bytes += excerpt.text.len();
                *fits = true;
            }
        }
    }
    let all = excerpts.len();
    let kept: Vec<Excerpt> =
        excerpts.into_iter().zip(fits).filter_map(|(excerpt, fits)| fits.then_some(excerpt)).collect();
    let left = all - kept.len();
    (kept, left)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use hive_domain::TaskId;

    use super::*;

    fn excerpt(task: TaskId, step: i32, trust: TrustClass, text: &str) -> Excerpt {
        Excerpt {
            by: "agent".to_owned(),
            trust,
            text: text.to_owned(),
            at: DateTime::UNIX_EPOCH,
            origin: Some((task, 1, step)),
            entry: None,
            version: 0,
        }
    }

    #[test]
    fn what_was_asked_about_in_part_is_not_read() {
        let (one, two, none) = (TaskId::new(), TaskId::new(), TaskId::new());
        let asked = [
            excerpt(one, 1, TrustClass::Agent, "a"),
            excerpt(one, 2, TrustClass::Agent, "b"),
            excerpt(two, 1, TrustClass::Agent, "c"),
        ];
        let subjects = [(one.uuid(), 2), (two.uuid(), 2), (none.uuid(), 0)];
        assert_eq!(read_to_the_end(&subjects, &asked), [one.uuid(), none.uuid()]);
        assert_eq!(read_to_the_end(&subjects, &[]), [none.uuid()]);
    }

    #[test]
    fn of_a_long_journal_what_was_said_is_kept_before_what_was_printed() {
        let task = TaskId::new();
        let journal = vec![
            excerpt(task, 1, TrustClass::External, "printed first"),
            excerpt(task, 2, TrustClass::Agent, "a reply"),
            excerpt(task, 3, TrustClass::External, "short"),
            excerpt(task, 4, TrustClass::User, "a wish"),
        ];
        let (kept, left) = within(journal, 18);
        let texts: Vec<&str> = kept.iter().map(|excerpt| &*excerpt.text).collect();
        assert_eq!((&texts[..], left), (&["a reply", "short", "a wish"][..], 1));
    }
}
