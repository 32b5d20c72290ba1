//! What nobody is shown, and what no night works on, takes the place of nothing else.

use hive_domain::{CyclePhase, MemoryReader, ProjectId};
use hive_store::{ChangeKind, EmbeddingModel, NightChange, PhaseEnd, Vectors};

use super::{OURS, begun, fact, put, slept};
use crate::bed::Bed;

#[tokio::test]
async fn candidates_are_only_what_is_shown() {
    let bed = Bed::make().await;
    let model = EmbeddingModel { model: "minilm-l6-v2-int8".to_owned(), dims: 384 };
    let vector = |first: f32| {
        let mut vector = vec![0.0_f32; 384];
        (vector[0], vector[1]) = (first, 1.0 - first);
        vector
    };
    let mut retired = Vec::new();
    // They fit better than the one that is left.
    for nth in 0..3 {
        retired.push(fact(&bed, &format!("harbour harbour harbour {nth}")).await);
    }
    let left = fact(&bed, "The ships leave from the harbour of the island in the evening").await;
    for context in retired.iter().chain([&left]) {
        let due = bed.store.take_due_contexts(&model.model, 100).await.unwrap();
        let own = due.into_iter().find(|due| due.id == context.id);
        let first = if context.id == left.id { 0.1 } else { 0.9 };
        let vectors = Vectors { model: model.model.clone(), chunks: vec![vector(first)] };
        if let Some(due) = own {
            bed.store.give_vectors(&due, &vectors).await.unwrap();
        }
        bed.execute("UPDATE context_vectors_due SET taken_until = '-infinity'").await;
    }
    let end = PhaseEnd {
        changes: vec![NightChange {
            kind: ChangeKind::Decayed,
            born: None,
            retired: retired.iter().map(|context| (context.id, context.version)).collect(),
            sources: Vec::new(),
            reason: "a test says so".to_owned(),
        }],
        ..PhaseEnd::default()
    };
    let reader = MemoryReader { project: ProjectId::DEFAULT, session: None, agent: None };
    let at = bed.store.now().await.unwrap();
    let by_words = bed.store.propose_by_words(&reader, "harbour", at, 2).await.unwrap();
    assert!(!by_words.contains(&left.id), "it fits less than the others");
    slept(&bed, OURS, CyclePhase::Decay, &end).await;
    let by_words = bed.store.propose_by_words(&reader, "harbour", at, 2).await.unwrap();
    assert_eq!(by_words, [left.id]);
    let by_vector = bed.store.propose_by_vector(&reader, &model, &vector(1.0), at, 2).await.unwrap();
    assert_eq!(by_vector, [left.id]);
}

#[tokio::test]
async fn turns_that_were_read_do_not_count_toward_what_a_night_reads() {
    let bed = Bed::make().await;
    let turns = [
        put(&bed, OURS, "episode", "we talked about the harbour").await,
        put(&bed, OURS, "episode", "and about the island").await,
    ];
    put(&bed, OURS, "working", "half a thought").await;
    let kept = fact(&bed, "The ships leave in the evening").await;
    let lease = begun(&bed, OURS).await;
    let read = bed.store.night_items(&lease, 2).await.unwrap();
    assert_eq!(read.iter().map(|item| item.id).collect::<Vec<_>>(), [turns[0].id, turns[1].id]);
    let end = PhaseEnd { read: turns.iter().map(|turn| turn.id.uuid()).collect(), ..PhaseEnd::default() };
    super::to_the_last(&bed, &lease, CyclePhase::Extract, CyclePhase::Extract, &end).await;
    super::publish(&bed, lease).await;
    let lease = begun(&bed, OURS).await;
    let read = bed.store.night_items(&lease, 2).await.unwrap();
    assert_eq!(read.iter().map(|item| item.id).collect::<Vec<_>>(), [kept.id]);
}
