//! A new segment is one write: the entry, its call, the totals and the format of the journal.

use hive_domain::{
    Lease, MessagePolicy, NanoUsd, TaskId, Usage,
    journal::{
        Compacted, Entry, NEWEST_FORMAT, PersonMessage, Rollback, SEGMENT_FORMAT, Trigger, is_readable,
    },
};
use hive_store::{Error, NewMessage, Undo};
use serde_json::json;

use crate::bed::Bed;

const USAGE: Usage = Usage {
    cache_write_1h_tokens: 0,
    input_tokens: 7,
    output_tokens: 20,
    cache_read_tokens: 900,
    cache_write_tokens: 4,
    cost: NanoUsd(5_000),
};

pub(crate) fn compacted(text: &str) -> Compacted {
    Compacted {
        segment: 2,
        trigger: Trigger::Full,
        text: text.to_owned(),
        summary: None,
        block: None,
        tokens_before: 1_000,
        tokens_after: 100,
        model: "claude".to_owned(),
        usage: USAGE,
        request_id: Some("req_9".to_owned()),
    }
}

async fn format(bed: &Bed, id: TaskId) -> i64 {
    let query = format!("SELECT journal_format::bigint FROM tasks WHERE id = '{id}'");
    bed.number(&query).await
}

#[tokio::test]
async fn a_segment_is_written_once_with_its_call_and_raises_the_format() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let mut lease = bed.claim(id).await;
    assert_eq!(format(&bed, id).await, 1);
    let call = bed.store.begin_call(&lease, "claude", b"hash").await.unwrap().unwrap();
    let edge = bed.store.begin_segment(&mut lease, &compacted("before"), Some(call)).await.unwrap();
    assert_eq!((edge.halted, edge.unread, lease.next_seq()), (false, false, 2));
    assert_eq!(format(&bed, id).await, i64::from(SEGMENT_FORMAT));
    assert!(is_readable(Some(SEGMENT_FORMAT)) && !is_readable(Some(NEWEST_FORMAT + 1)));

    let steps = bed.store.steps(id, 0, 10).await.unwrap();
    let [stored] = steps.as_slice() else { panic!("{steps:?}") };
    let Entry::Compacted(back) = &stored.entry else { panic!("{stored:?}") };
    assert_eq!((back.text.as_str(), back.usage, stored.epoch), ("before", USAGE, 1));
    assert_eq!(bed.task(id).await.usage, USAGE);
    let answered =
        "SELECT count(*) FROM llm_calls WHERE state = 'answered' AND seq = 1 AND request_id = 'req_9'
                    AND cache_read_tokens = 900 AND cost_nano_usd = 5000";
    assert_eq!(bed.number(answered).await, 1);
    let event = bed.events(id).await.pop().unwrap();
    assert_eq!((&event.data["kind"], &event.data["segment"]), (&json!("compacted"), &json!(2)));

    // The answer was lost, and the entry is offered again.
    let mut again = Lease::new((), id, lease.epoch(), 1);
    bed.store.begin_segment(&mut again, &compacted("before"), Some(call)).await.unwrap();
    assert_eq!(
        (again.next_seq(), bed.task(id).await.usage),
        (2, USAGE),
        "nothing is written or counted twice"
    );
    assert_eq!(bed.number("SELECT count(*) FROM steps").await, 1);
}

#[tokio::test]
async fn a_run_that_lost_its_lease_begins_no_segment() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let mut lost = bed.claim(id).await;
    bed.orphan(id).await;
    let rows = bed.rows(id).await;
    let refused = bed.store.begin_segment(&mut lost, &compacted("late"), None).await;
    assert!(matches!(refused, Err(Error::Fenced { .. })), "{refused:?}");
    assert_eq!((bed.rows(id).await, lost.next_seq()), (rows, 1), "nothing was written");
}

#[tokio::test]
async fn a_turn_that_is_undone_later_leaves_the_format_as_it_is() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let mut lease = bed.claim(id).await;
    bed.store.begin_segment(&mut lease, &compacted("before"), None).await.unwrap();
    let message = NewMessage { text: "Not so.", policy: MessagePolicy::Rollback, author: "ada" };
    bed.store.send_message(id, &message).await.unwrap();
    let entry = Entry::Rollback(Rollback { from: 1, standing: vec![] });
    bed.store.read_messages(&mut lease, &Undo::Turn { entry: Box::new(entry), commit: None }).await.unwrap();
    let told =
        Entry::Message(PersonMessage { number: 1, author: "ada".to_owned(), text: "Not so.".to_owned() });
    let last = bed.store.steps(id, 2, 1).await.unwrap().pop().unwrap();
    assert_eq!(last.entry.body().unwrap(), told.body().unwrap());
    assert_eq!(format(&bed, id).await, i64::from(SEGMENT_FORMAT));
}
