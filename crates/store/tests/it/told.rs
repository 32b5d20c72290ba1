//! What agents were told of an entry goes with it, where a journal need not stay as it is.

use hive_domain::{
    SleepId, TaskId, TrustClass,
    journal::{Briefing, Entry, Recalled, ToolResult, ToolResults},
};
use hive_store::{Context, NewContext, NewStep};

use crate::{
    bed::{Bed, outcome},
    contexts,
    remembering::recalled,
};

async fn fact(bed: &Bed, content: &str) -> Context {
    let new = NewContext { trust: TrustClass::Agent, ..contexts::new(content) };
    bed.store.put_context(&new, None).await.unwrap()
}

fn piece(entry: &Context) -> String {
    let (id, content) = (entry.id, &entry.content);
    format!("<recalled id=\"{id}\" kind=\"fact\" trust=\"agent\" since=\"2026\">{content}</recalled>\n")
}

/// A briefing that an agent was told by this task, as nights write it down.
async fn briefed(bed: &Bed, task: Option<TaskId>, text: &str) {
    let briefing = Briefing { sleep: SleepId::new(), text: text.to_owned() };
    let step = task.map_or("NULL".to_owned(), |_| "1".to_owned());
    let told = task.map_or("NULL".to_owned(), |task| format!("'{task}'"));
    sqlx::query(&format!(
        "INSERT INTO sleeps (id, agent_id, trigger, requested_by, falls_by, wake_by, state, waking_at, wake_reason, woken_at,
                             briefing, briefed_task, briefed_step, briefed_at)
         VALUES ('{}', '{}', 'manual', 'ada', now(), now() + interval '1 min', 'awake', now(), 'no_cycle', now(),
                 $1, {told}::uuid, {step}::integer, CASE WHEN {step} = 1 THEN now() END)",
        briefing.sleep, bed.agent
    ))
    .bind(serde_json::to_value(&briefing).unwrap())
    .execute(&bed.pool)
    .await
    .unwrap();
}

/// A task that was told of both entries in every way; it is over unless it is to go on.
async fn told(bed: &Bed, gone: &Context, stays: &Context, goes_on: bool) -> TaskId {
    let id = bed.enqueue().await;
    let mut lease = bed.claim(id).await;
    let text = format!(
        "You slept.\n\n> new (agent) {}\n> retired (agent) {}\n> priority 5: \"x\"",
        gone.content, stays.content
    );
    let mut first = recalled(&format!("Material.\n\n{}{}", piece(gone), piece(stays)));
    first.receipt.included = [gone, stays]
        .map(|entry| hive_domain::journal::IncludedEntry { id: entry.id, tokens: 9, score: 0.5 })
        .into();
    let sought: Recalled = first.clone();
    let result = ToolResult {
        tool_use_id: "call".to_owned(),
        tool: "recall".to_owned(),
        // As much of it as was shown.
        content: format!("{}{}", piece(stays), piece(gone).trim_end().trim_end_matches("</recalled>")),
        is_error: false,
        artifact: None,
        recalled: Some(Box::new(sought.receipt)),
    };
    let results = ToolResults { results: vec![result], finished: None, wake_at: None };
    let briefing = Briefing { sleep: SleepId::new(), text: text.clone() };
    for entry in [Entry::Briefing(briefing), Entry::Recalled(Box::new(first)), Entry::ToolResults(results)] {
        bed.store.append(&mut lease, &NewStep::plain(&entry)).await.unwrap();
    }
    briefed(bed, Some(id), &text).await;
    if !goes_on {
        bed.settle_with(&lease, &outcome("done")).await;
    }
    id
}

async fn holding(bed: &Bed, task: TaskId, text: &str) -> (i64, i64) {
    let steps = format!("SELECT count(*) FROM steps WHERE task_id = '{task}' AND body::text LIKE '%{text}%'");
    let sleeps = format!(
        "SELECT count(*) FROM sleeps WHERE briefed_task = '{task}' AND briefing::text LIKE '%{text}%'"
    );
    (bed.number(&steps).await, bed.number(&sleeps).await)
}

#[tokio::test]
async fn journals_that_are_over_and_briefings_forget_what_is_deleted_or_written_over() {
    for way in ["deleted", "written over"] {
        let bed = Bed::make().await;
        let gone = fact(&bed, "hunter2 opens the door").await;
        let stays = fact(&bed, "tulips bloom in April").await;
        let (over, goes_on) = (told(&bed, &gone, &stays, false).await, told(&bed, &gone, &stays, true).await);
        briefed(&bed, None, "You slept.\n\n> new (agent) hunter2 opens the door").await;
        let waiting =
            "SELECT count(*) FROM sleeps WHERE briefed_task IS NULL AND briefing::text LIKE '%hunter2%'";
        assert_eq!((holding(&bed, over, "hunter2").await, bed.number(waiting).await), ((3, 1), 1));
        match way {
            "deleted" => drop(bed.store.delete_context(gone.id, "ada").await.unwrap()),
            _ => drop(bed.store.redact_context(gone.id, &["hunter2".to_owned()]).await.unwrap()),
        }
        assert_eq!(holding(&bed, over, "hunter2").await, (0, 0), "{way}");
        assert_eq!(bed.number(waiting).await, 0, "{way}: what nobody was told yet nobody is told");
        assert_eq!(holding(&bed, over, "tulips bloom").await, (3, 1), "{way}: what is said of others stays");
        assert_eq!(holding(&bed, over, "redacted").await, (3, 1), "{way}");
        assert_eq!(holding(&bed, over, "priority 5").await, (1, 1), "{way}");
        // What goes on repeats its words to the byte.
        assert_eq!(holding(&bed, goes_on, "hunter2").await, (3, 1), "{way}");
        let receipts = format!("SELECT count(*) FROM context_receipts WHERE context_id = '{}'", gone.id);
        assert_eq!(bed.number(&receipts).await, 2, "{way}: that it was given stays known");
        for step in bed.store.steps(over, 0, 10).await.unwrap() {
            assert!(step.entry.body().is_ok(), "{way}: it is read as ever");
        }
    }
}
