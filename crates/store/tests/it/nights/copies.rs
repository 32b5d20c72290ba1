//! Words of an entry that were written down beside the memory go with it.

use hive_domain::CyclePhase;
use hive_store::{ChangeKind, NightProbe, NightRequest, PhaseEnd};
use serde_json::json;

use super::{OURS, begun, did, fact, publish, to_the_last};
use crate::bed::Bed;

/// Everything beside the memory that holds this, by where it stands.
async fn beside(bed: &Bed, text: &str) -> Vec<String> {
    let query = format!(
        "SELECT 'reason' FROM sleep_changes WHERE reason ILIKE '%{text}%'
         UNION ALL SELECT 'question' FROM sleep_probes WHERE question ILIKE '%{text}%'
         UNION ALL SELECT 'given' FROM sleep_requests WHERE given::text ILIKE '%{text}%'
         UNION ALL SELECT 'asked' FROM batch_requests WHERE body ILIKE '%{text}%'
         UNION ALL SELECT 'answered' FROM batch_requests WHERE result ILIKE '%{text}%'
         UNION ALL SELECT 'kept answer' FROM idempotency_keys WHERE body ILIKE '%{text}%'"
    );
    sqlx::query_scalar(&query).fetch_all(&bed.pool).await.unwrap()
}

/// A night that asked about two entries and has its answers; what it does with them is for the caller to say.
async fn asked(bed: &Bed, about: &[(&hive_store::Context, &str)]) -> hive_store::CycleLease {
    let lease = begun(bed, OURS).await;
    let probes: Vec<NightProbe> = about
        .iter()
        .map(|(entry, word)| NightProbe { question: format!("what of {word}"), evidence: entry.id })
        .collect();
    bed.store.keep_probes(&lease, &probes).await.unwrap();
    for phase in [CyclePhase::Extract, CyclePhase::Dedupe] {
        bed.store.finish_phase(&lease, phase, &PhaseEnd::default()).await.unwrap();
    }
    let requests: Vec<NightRequest> = about
        .iter()
        .map(|(entry, word)| NightRequest {
            model: "claude-haiku-5-5".to_owned(),
            body: json!({ "max_tokens": 10, "text": word }).to_string(),
            given: json!({ "facts": [{ "id": entry.id, "version": entry.version }], "near": [] }),
        })
        .collect();
    bed.store.ask_for_cycle(&lease, CyclePhase::Merge, &requests, &PhaseEnd::default()).await.unwrap();
    bed.execute(
        "WITH batch AS (
             INSERT INTO batches (id, model, key_id, requests, state, ended_at)
             SELECT gen_random_uuid(), 'claude-haiku-5-5', 'a key', 2, 'ended', now() RETURNING id
         )
         UPDATE batch_requests SET state = 'succeeded', batch_id = batch.id, result = body, completed_at = now() FROM batch",
    )
    .await;
    lease
}

async fn keep_answer(bed: &Bed, entry: &hive_store::Context) {
    bed.execute(&format!(
        "INSERT INTO idempotency_keys (owner, key, fingerprint, status, location, body)
         VALUES ('ada', '{0}', sha256('x'), 201, '/api/v1/context/{0}', '{{\"id\": \"{0}\", \"content\": \"{1}\"}}')",
        entry.id, entry.content,
    ))
    .await;
}

#[tokio::test]
async fn what_nights_and_kept_answers_say_of_an_entry_is_written_over_with_it() {
    for way in ["deleted", "written over"] {
        let bed = Bed::make().await;
        let (gone, stays) =
            (fact(&bed, "hunter2 opens the door").await, fact(&bed, "tulips bloom in April").await);
        for entry in [&gone, &stays] {
            keep_answer(&bed, entry).await;
        }
        let lease = asked(&bed, &[(&gone, "hunter2"), (&stays, "tulips")]).await;
        let mut end = did(ChangeKind::Kept, None, &[], &[&gone]);
        end.changes[0].reason = "it alone speaks of hunter2".to_owned();
        end.changes.extend(did(ChangeKind::Kept, None, &[], &[&stays]).changes);
        end.changes[1].reason = "it alone speaks of tulips".to_owned();
        to_the_last(&bed, &lease, CyclePhase::Merge, CyclePhase::Merge, &end).await;
        publish(&bed, lease).await;
        let all = ["reason", "question", "asked", "answered", "kept answer"];
        assert_eq!(beside(&bed, "hunter2").await, all);
        match way {
            "deleted" => drop(bed.store.delete_context(gone.id, "ada").await.unwrap()),
            _ => drop(bed.store.redact_context(gone.id, &["hunter2".to_owned()]).await.unwrap()),
        }
        assert!(beside(&bed, "hunter2").await.is_empty(), "{way}: {:?}", beside(&bed, "hunter2").await);
        assert_eq!(beside(&bed, "tulips").await, all, "what is said of others stays");
    }
}

#[tokio::test]
async fn what_a_night_under_way_was_answered_is_written_over_at_its_end() {
    let bed = Bed::make().await;
    let gone = fact(&bed, "hunter2 opens the door").await;
    let lease = asked(&bed, &[(&gone, "hunter2")]).await;
    bed.store.delete_context(gone.id, "ada").await.unwrap();
    assert_eq!(beside(&bed, "hunter2").await, ["asked", "answered"], "the night still reads its answer");
    to_the_last(&bed, &lease, CyclePhase::Merge, CyclePhase::Merge, &PhaseEnd::default()).await;
    publish(&bed, lease).await;
    assert!(beside(&bed, "hunter2").await.is_empty());
}
