//! What is told of one night: what it waits for, and what its gate missed.

use hive_domain::{CyclePhase, CycleState};
use hive_store::{GateFinding, NightProbe, NightRequest, PhaseEnd};
use serde_json::json;

use super::{OURS, begun, fact, to_the_last};
use crate::bed::Bed;

#[tokio::test]
async fn a_night_waits_from_its_oldest_open_request_on() {
    let bed = Bed::make().await;
    let lease = begun(&bed, OURS).await;
    let id = lease.cycle.id;
    assert_eq!(bed.store.cycle_wait(id).await.unwrap(), None);
    for phase in [CyclePhase::Extract, CyclePhase::Dedupe] {
        bed.store.finish_phase(&lease, phase, &PhaseEnd::default()).await.unwrap();
    }
    let request = NightRequest {
        model: "claude-haiku-5-5".to_owned(),
        body: json!({ "max_tokens": 10 }).to_string(),
        given: json!({ "facts": [] }),
    };
    let requests = [request.clone(), request];
    bed.store.ask_for_cycle(&lease, CyclePhase::Merge, &requests, &PhaseEnd::default()).await.unwrap();
    bed.execute(
        "UPDATE batch_requests SET created_at = now() - interval '5 minutes'
         WHERE id = (SELECT request_id FROM sleep_requests ORDER BY number LIMIT 1)",
    )
    .await;
    let wait = bed.store.cycle_wait(id).await.unwrap().unwrap();
    assert_eq!((wait.queued, wait.sent), (2, 0));
    let oldest = "SELECT min(created_at) FROM batch_requests";
    let oldest: chrono::DateTime<chrono::Utc> =
        sqlx::query_scalar(oldest).fetch_one(&bed.pool).await.unwrap();
    assert_eq!(wait.since, oldest);

    bed.execute(
        "WITH batch AS (
             INSERT INTO batches (id, model, key_id, requests)
             SELECT gen_random_uuid(), 'claude-haiku-5-5', 'a key', 2 RETURNING id
         )
         UPDATE batch_requests SET state = 'sent', batch_id = batch.id FROM batch",
    )
    .await;
    let wait = bed.store.cycle_wait(id).await.unwrap().unwrap();
    assert_eq!((wait.queued, wait.sent), (0, 2));
    bed.store.cancel_cycle(id, "ada").await.unwrap();
    assert_eq!(bed.store.cycle_wait(id).await.unwrap(), None, "what is over waits for nothing");
}

#[tokio::test]
async fn a_rejected_night_names_what_would_be_answered_no_more() {
    let bed = Bed::make().await;
    let (gone, stays) =
        (fact(&bed, "hunter2 opens the door").await, fact(&bed, "tulips bloom in April").await);
    let lease = begun(&bed, OURS).await;
    let id = lease.cycle.id;
    let asked = [("tulips", &stays), ("hunter2 door", &gone), ("bloom in April", &stays), ("door", &gone)];
    let probe = |(question, entry): (&str, &hive_store::Context)| NightProbe {
        question: question.to_owned(),
        evidence: entry.id,
    };
    bed.store.keep_probes(&lease, &asked.map(probe)).await.unwrap();
    to_the_last(&bed, &lease, CyclePhase::Extract, CyclePhase::Publish, &PhaseEnd::default()).await;
    let found = vec![(true, true), (true, false), (true, false), (false, false)];
    let ended = bed.store.publish_cycle(lease, &GateFinding { probes: found, kept: 2 }).await.unwrap();
    assert_eq!(ended.state, CycleState::RejectedByGate);

    let lost = bed.store.lost_probes(id, 20).await.unwrap();
    let expected = vec![("hunter2 door".to_owned(), gone.id), ("bloom in April".to_owned(), stays.id)];
    assert_eq!((lost.count, lost.first), (2, expected));
    let bounded = bed.store.lost_probes(id, 1).await.unwrap();
    assert_eq!((bounded.count, bounded.first.len()), (2, 1));

    bed.store.delete_context(gone.id, "ada").await.unwrap();
    let lost = bed.store.lost_probes(id, 20).await.unwrap();
    assert_eq!(lost.first[0], ("[redacted]".to_owned(), gone.id), "its words went with it");
    assert_eq!(lost.first[1].0, "bloom in April");
}
