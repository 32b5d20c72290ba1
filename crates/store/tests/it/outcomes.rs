//! A person says what came of a call whose outcome nobody knows.

use std::time::Duration;

use hive_domain::{
    Outcome, StatusReason, TaskId, TaskStatus,
    journal::{Entry, Intent},
};
use hive_store::{Decision, Error, NewStep};

use crate::bed::Bed;

/// A task that waits for a person's word about a call.
async fn unknown(bed: &Bed) -> TaskId {
    let id = bed.enqueue().await;
    let mut lease = bed.claim(id).await;
    let intent = Intent { tool_use_id: "toolu_1".to_owned(), tool: "notify_person".to_owned() };
    bed.store.append(&mut lease, &NewStep::plain(&Entry::Intent(intent))).await.unwrap();
    let wait = Outcome::Wait {
        after: Duration::MAX,
        reason: StatusReason::OutcomeUnknown,
        detail: "nobody knows".to_owned(),
    };
    bed.settle_with(&lease, &wait).await;
    id
}

#[tokio::test]
async fn the_word_of_a_person_becomes_a_journal_entry_and_the_task_goes_on() {
    let bed = Bed::make().await;
    for (decision, took_place, content) in
        [(Decision::Done("it arrived".to_owned()), true, "it arrived"), (Decision::NotDone, false, "")]
    {
        let id = unknown(&bed).await;
        let task = bed.store.decide_outcome(id, &decision, "ada").await.unwrap();
        assert_eq!((task.status, task.reason), (TaskStatus::Ready, None));
        let steps = bed.store.steps(id, 0, 10).await.unwrap();
        let Entry::Outcome(outcome) = &steps[1].entry else { panic!("{steps:?}") };
        assert_eq!((outcome.tool_use_id.as_str(), outcome.took_place), ("toolu_1", took_place));
        assert_eq!((outcome.content.as_str(), outcome.decided_by.as_deref()), (content, Some("ada")));
        let event = bed.events(id).await.pop().unwrap();
        assert_eq!(event.kind, "task.outcome_decided");
        assert_eq!((&event.data["actor"], &event.data["took_place"]), (&"ada".into(), &took_place.into()));
        assert_eq!(bed.claim(id).await.next_seq(), 3);
    }
}

#[tokio::test]
async fn it_is_said_once() {
    let bed = Bed::make().await;
    let id = unknown(&bed).await;
    let mut words = tokio::task::JoinSet::new();
    for n in 0..8 {
        let store = bed.store.clone();
        words.spawn(async move {
            loop {
                match store.decide_outcome(id, &Decision::Done(n.to_string()), "ada").await {
                    Err(error) if error.is_unavailable() => {}
                    said => return said,
                }
            }
        });
    }
    let (heard, refused): (Vec<_>, Vec<_>) = words.join_all().await.into_iter().partition(Result::is_ok);
    assert_eq!((heard.len(), refused.len()), (1, 7));
    for refusal in refused {
        assert!(matches!(refusal, Err(Error::Conflict { code: "no_outcome_asked", .. })), "{refusal:?}");
    }
    assert_eq!(bed.store.steps(id, 0, 10).await.unwrap().len(), 2);
}
