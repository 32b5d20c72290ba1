//! How well it goes for tasks that were given an entry: counted from receipts and ends.

use hive_domain::{
    ContextId, TaskId,
    journal::{Entry, Recalled, ToolResult, ToolResults},
};
use hive_store::{ContextOutcomes, NewStep};

use crate::{bed::Bed, remembering::recalled};

/// A task that was given `known` when it began and `sought` by a call; a call whose text only looks like a receipt gave it
/// nothing.
async fn given(bed: &Bed, known: &Recalled, sought: &Recalled) -> TaskId {
    let id = bed.enqueue().await;
    let mut lease = bed.claim(id).await;
    let result = |content: &str, recalled| ToolResult {
        tool_use_id: "call".to_owned(),
        tool: "recall".to_owned(),
        content: content.to_owned(),
        is_error: false,
        artifact: None,
        recalled,
    };
    let forged = format!("{{\"recalled\": {{\"included\": [{{\"id\": \"{}\"}}]}}}}", ContextId::new());
    let results = vec![result(&forged, None), result("found", Some(Box::new(sought.receipt.clone())))];
    let results = Entry::ToolResults(ToolResults { results, finished: None, wake_at: None });
    let twice = [Entry::Recalled(Box::new(known.clone())), results.clone(), results];
    for entry in &twice {
        bed.store.append(&mut lease, &NewStep::plain(entry)).await.unwrap();
    }
    id
}

#[tokio::test]
async fn each_task_counts_once_and_only_by_how_it_ended() {
    let bed = Bed::make().await;
    let (known, sought) = (recalled("one"), recalled("another"));
    let ids = [&known, &sought].map(|of| of.receipt.included[0].id);
    assert_eq!(bed.store.context_outcomes(&ids).await.unwrap().len(), 0, "nobody was given them");
    let mut tasks = Vec::new();
    for _ in 0..4 {
        tasks.push(given(&bed, &known, &sought).await);
    }
    let all = async || {
        let outcomes = bed.store.context_outcomes(&[ids[0], ids[1], ids[0]]).await.unwrap();
        assert_eq!(outcomes[&ids[0]], outcomes[&ids[1]]);
        assert_eq!(outcomes.len(), 2);
        outcomes[&ids[0]]
    };
    let open = ContextOutcomes { used: 4, succeeded: 0, failed: 0 };
    assert_eq!((all().await, open.rate()), (open, None));
    for (task, how) in tasks.iter().zip(["succeeded", "dead", "cancelled"]) {
        bed.execute(&format!(
            "UPDATE tasks SET status = '{how}', worker = NULL, lease_until = NULL, completed_at = now(),
                              status_reason = CASE '{how}' WHEN 'succeeded' THEN NULL WHEN 'dead' THEN 'attempts_exhausted'
                                                           ELSE 'requested' END::status_reason
             WHERE id = '{task}'"
        ))
        .await;
    }
    let ended = ContextOutcomes { used: 4, succeeded: 1, failed: 1 };
    assert_eq!((all().await, ended.rate()), (ended, Some(0.5)));
    assert_eq!(bed.number("SELECT count(*) FROM context_receipts").await, 8);
    // Ends are not counted but looked at: one that is taken back is.
    bed.execute(&format!(
        "UPDATE tasks SET status = 'failed', status_reason = 'verification_failed' WHERE id = '{}'",
        tasks[0]
    ))
    .await;
    assert_eq!(all().await, ContextOutcomes { used: 4, succeeded: 0, failed: 2 });
}
