//! Writing the journal.

use hive_domain::{
    Lease, NanoUsd, Usage,
    journal::{Checks, Entry, NoteCause, Reply, Stop, ToolResult, ToolResults},
    task::Task,
};
use hive_store::{Error, NewStep};
use serde_json::{json, value::RawValue};

use crate::bed::{Bed, note};

const USAGE: Usage = Usage {
    input_tokens: 100,
    output_tokens: 20,
    cache_read_tokens: 3,
    cache_write_tokens: 4,
    cache_write_1h_tokens: 0,
    cost: NanoUsd(5_000),
};

/// Content whose spaces, order, escapes and number must come back as they are.
const CONTENT: &str = r#"[ {"type":"text","text":"b\u00e9\u0000"}, {"type":"tool_use","name":"shell","id":"t1","input":{"z":1.0,"a":1e2, "z":2}} ]"#;

pub(crate) fn reply(usage: Usage) -> Entry {
    Entry::Reply(Reply {
        content: RawValue::from_string(CONTENT.to_owned()).unwrap(),
        stop: Stop::ToolUse,
        model: "claude".to_owned(),
        requested_model: None,
        usage,
        broken_inputs: std::collections::BTreeMap::new(),
        request_id: Some("req_9".to_owned()),
        exchange: None,
    })
}

/// The same lease again, as a worker holds it that never heard the answer of its last append.
fn before_last(lease: &Lease<Task>) -> Lease<()> {
    Lease::new((), lease.task(), lease.epoch(), lease.next_seq() - 1)
}

#[tokio::test]
async fn a_step_comes_back_byte_for_byte_with_everything_that_belongs_to_it() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let mut lease = bed.claim(id).await;
    let call = bed.store.begin_call(&lease, "claude", b"hash").await.unwrap().unwrap();
    bed.let_time_pass(id).await;
    let entry = reply(USAGE);
    let step = NewStep {
        call: Some(call),
        commit: Some("c0ffee"),
        sandbox: Some("landlock"),
        ..NewStep::plain(&entry)
    };
    bed.store.append(&mut lease, &step).await.unwrap();
    assert_eq!(lease.next_seq(), 2);

    let steps = bed.store.steps(id, 0, 10).await.unwrap();
    let [stored] = steps.as_slice() else { panic!("{steps:?}") };
    let Entry::Reply(back) = &stored.entry else { panic!("{stored:?}") };
    assert_eq!(back.content.get(), CONTENT);
    assert_eq!((stored.seq, stored.epoch), (1, 1));
    assert_eq!((stored.commit.as_deref(), stored.sandbox.as_deref()), (Some("c0ffee"), Some("landlock")));

    let task = bed.task(id).await;
    assert_eq!((task.usage, task.attempt, task.event_seq), (USAGE, 1, 3));
    assert!(
        bed.row_holds(
            id,
            "lease_until BETWEEN now() + interval '6 s' AND now() + interval '8 s' AND next_seq = 2"
        )
        .await,
        "a step renews the lease"
    );
    let answered = bed
        .number(
            "SELECT count(*) FROM llm_calls WHERE state = 'answered' AND seq = 1 AND request_id = 'req_9'
             AND input_tokens = 100 AND output_tokens = 20 AND cache_read_tokens = 3 AND cache_write_tokens = 4
             AND cost_nano_usd = 5000 AND finished_at IS NOT NULL",
        )
        .await;
    assert_eq!(answered, 1);
    let event = bed.events(id).await.pop().unwrap();
    assert_eq!((event.seq, event.kind.as_str()), (3, "task.step"));
    assert_eq!((&event.data["seq"], &event.data["kind"]), (&json!(1), &json!("reply")));
    assert_eq!(event.data["tools"], json!(["shell"]));
}

#[tokio::test]
async fn steps_are_numbered_without_gaps_over_many_runs() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    for run in 0..3 {
        let mut lease = bed.claim(id).await;
        assert_eq!(lease.next_seq(), run * 2 + 1, "a run goes on where the last one stopped");
        bed.append_note(&mut lease, "one").await;
        bed.append_note(&mut lease, "two").await;
        bed.orphan(id).await;
    }
    let steps = bed.store.steps(id, 0, 100).await.unwrap();
    assert_eq!(steps.iter().map(|step| step.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(steps.iter().map(|step| step.epoch).collect::<Vec<_>>(), [1, 1, 2, 2, 3, 3]);
    let part: Vec<i32> = bed.store.steps(id, 2, 3).await.unwrap().iter().map(|step| step.seq).collect();
    assert_eq!(part, [3, 4, 5]);
}

#[tokio::test]
async fn a_step_whose_answer_was_lost_is_not_written_twice() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let mut lease = bed.claim(id).await;
    let call = bed.store.begin_call(&lease, "claude", b"hash").await.unwrap().unwrap();
    let entry = reply(USAGE);
    let step = NewStep { call: Some(call), ..NewStep::plain(&entry) };
    bed.store.append(&mut lease, &step).await.unwrap();
    let before = bed.rows(id).await;

    let mut unsure = before_last(&lease);
    bed.store.append(&mut unsure, &step).await.unwrap();
    assert_eq!(unsure.next_seq(), lease.next_seq());
    assert_eq!(bed.rows(id).await, before);
    assert_eq!(bed.store.steps(id, 0, 10).await.unwrap().len(), 1);

    bed.append_note(&mut lease, "the next one").await;
    let mut far_behind = Lease::new((), id, lease.epoch(), 1);
    let error = bed.store.append(&mut far_behind, &step).await.unwrap_err();
    assert!(
        matches!(error, Error::Fenced { .. }),
        "a lease that missed more than its last step is not ours: {error:?}"
    );
}

#[tokio::test]
async fn a_step_is_written_whole_or_not_at_all() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let mut lease = bed.claim(id).await;
    bed.append_note(&mut lease, "before").await;
    let call = bed.store.begin_call(&lease, "claude", b"hash").await.unwrap().unwrap();
    let entry = reply(USAGE);
    let step = NewStep { call: Some(call), ..NewStep::plain(&entry) };
    bed.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused by the test'; END $$",
    )
    .await;
    let before = bed.rows(id).await;
    for table in ["tasks", "steps", "llm_calls", "events"] {
        bed.execute(&format!(
            "CREATE TRIGGER refuse AFTER INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()"
        ))
        .await;
        let error = bed.store.append(&mut lease, &step).await.unwrap_err();
        assert!(matches!(error, Error::Database(_)), "{table}: {error:?}");
        bed.execute(&format!("DROP TRIGGER refuse ON {table}")).await;
        assert_eq!(bed.rows(id).await, before, "{table}");
        assert_eq!(lease.next_seq(), 2, "{table}");
    }
    bed.store.append(&mut lease, &step).await.unwrap();
}

#[tokio::test]
async fn every_kind_of_step_is_read_back() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let mut lease = bed.claim(id).await;
    let results = ToolResults {
        results: vec![ToolResult {
            tool_use_id: "t1".to_owned(),
            tool: "shell".to_owned(),
            content: "first line\nsecond line".to_owned(),
            is_error: true,
            artifact: Some("step-2-t1".to_owned()),
            recalled: None,
        }],
        finished: Some("all of it".to_owned()),
        wake_at: None,
    };
    let checks =
        Checks { summary: "s".to_owned(), results: vec![], tree: None, passed: true, message: String::new() };
    for entry in
        [reply(USAGE), Entry::ToolResults(results.clone()), note("go on"), Entry::Checks(checks.clone())]
    {
        bed.store.append(&mut lease, &NewStep::plain(&entry)).await.unwrap();
    }
    let steps = bed.store.steps(id, 0, 10).await.unwrap();
    let [_, two, three, four] = steps.as_slice() else { panic!("{steps:?}") };
    assert!(matches!(&two.entry, Entry::ToolResults(back) if *back == results));
    assert!(
        matches!(&three.entry, Entry::Note(back) if back.cause == NoteCause::Empty && back.text == "go on")
    );
    assert!(matches!(&four.entry, Entry::Checks(back) if *back == checks));
    let shown: Vec<_> = bed.events(id).await.into_iter().skip(2).map(|event| event.data).collect();
    assert_eq!(shown[1]["results"], json!([{ "tool": "shell", "is_error": true, "text": "first line" }]));
    assert_eq!(shown[2]["cause"], "empty");
    assert_eq!(shown[3]["passed"], true);
}

#[tokio::test]
async fn a_null_character_in_what_a_tool_prints_does_not_stop_the_task() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let mut lease = bed.claim(id).await;
    let results = ToolResults {
        results: vec![ToolResult {
            tool_use_id: "t1".to_owned(),
            tool: "she\0ll".to_owned(),
            content: "a\0b".to_owned(),
            is_error: false,
            artifact: None,
            recalled: None,
        }],
        finished: None,
        wake_at: None,
    };
    bed.store.append(&mut lease, &NewStep::plain(&Entry::ToolResults(results.clone()))).await.unwrap();
    let steps = bed.store.steps(id, 0, 10).await.unwrap();
    assert!(matches!(&steps[0].entry, Entry::ToolResults(back) if *back == results), "the journal keeps it");
    let shown = bed.events(id).await.pop().unwrap().data;
    assert_eq!(shown["results"][0]["text"], "a\u{fffd}b", "a watcher is shown a mark in its place");
}
