//! Vectors of messages: each wants some of every model in use, and the nearest of what a reader may read are found.

use hive_domain::{AgentId, MessageId, ProjectId};
use hive_store::{EmbeddingModel, NewAgentMessage, Receivers, Search, Sender, Vectors};

use super::{letter, other, post};
use crate::bed::Bed;

const MINI_LM: &str = "minilm-l6-v2-int8";

/// A vector in the plane of the first two axes, at an angle to the first.
fn at(model: &str, length: usize, degrees: &[f32]) -> Vectors {
    let chunk = |degrees: &f32| {
        let mut vector = vec![0.0; length];
        (vector[1], vector[0]) = degrees.to_radians().sin_cos();
        vector
    };
    Vectors { model: model.to_owned(), chunks: degrees.iter().map(chunk).collect() }
}

fn search(reader: Option<AgentId>, limit: i64) -> Search {
    Search {
        query: String::new(),
        project: ProjectId::DEFAULT,
        reader,
        conversation: None,
        from: None,
        since: None,
        limit,
    }
}

#[tokio::test]
async fn the_nearest_are_found_of_what_a_reader_may_read() {
    let bed = Bed::make().await;
    let [qa, ops] = [other(&bed, "qa").await, other(&bed, "ops").await];
    let write = |from, to, text: &str| {
        let new = NewAgentMessage { from: Sender::InNameOf(from), ..letter(Receivers::Agent(to), text) };
        let bed = &bed;
        async move { bed.store.send_agent_message(&new).await.unwrap().message }
    };
    let near = write(bed.agent, qa, "near").await;
    let long = write(qa, bed.agent, "long").await;
    let secret = write(ops, qa, "secret").await;
    let due = bed.store.take_due_messages(MINI_LM, 10).await.unwrap();
    assert_eq!(due.len(), 3);
    assert!(bed.store.take_due_messages(MINI_LM, 10).await.unwrap().is_empty(), "they are taken");
    for (id, degrees) in [(near.id, &[10.0][..]), (long.id, &[80.0, 20.0]), (secret.id, &[0.0])] {
        assert!(bed.store.give_message_vectors(id, &at(MINI_LM, 384, degrees)).await.unwrap());
    }
    assert!(!bed.store.give_message_vectors(MessageId::new(), &at(MINI_LM, 384, &[0.0])).await.unwrap());
    assert_eq!(bed.number("SELECT count(*) FROM message_vectors_due").await, 0);

    let model = EmbeddingModel { model: MINI_LM.to_owned(), dims: 384 };
    let query = at(MINI_LM, 384, &[0.0]).chunks.remove(0);
    let find = async |search: Search| -> Vec<MessageId> {
        let found = bed.store.near_messages(&search, &model, &query).await.unwrap();
        found.into_iter().map(|near| near.message.id).collect()
    };
    assert_eq!(find(search(None, 10)).await, [secret.id, near.id, long.id], "each once, by its nearest part");
    assert_eq!(find(search(Some(bed.agent), 10)).await, [near.id, long.id]);
    assert_eq!(find(search(Some(bed.agent), 1)).await, [near.id]);
    assert_eq!(find(search(Some(ops), 10)).await, [secret.id]);
    assert_eq!(find(Search { from: Some(qa), ..search(None, 10) }).await, [long.id]);
    assert_eq!(find(Search { conversation: Some(near.conversation), ..search(None, 10) }).await, [near.id]);
    assert!(
        find(Search { since: Some(near.at + chrono::TimeDelta::hours(1)), ..search(None, 10) })
            .await
            .is_empty()
    );
    assert!(find(Search { project: ProjectId::new(), ..search(None, 10) }).await.is_empty());
    let found = bed.store.near_messages(&search(Some(bed.agent), 10), &model, &query).await.unwrap();
    assert!((found[1].cosine - 20_f32.to_radians().cos()).abs() < 0.001, "{}", found[1].cosine);
}

#[tokio::test]
async fn another_model_becomes_active_only_when_messages_have_vectors_of_it() {
    let bed = Bed::make().await;
    let old = post(&bed, "before").await.message;
    let other = EmbeddingModel { model: "other/model:1".to_owned(), dims: 8 };
    bed.store.use_embedding_model(&other).await.unwrap();
    let new = post(&bed, "meanwhile").await.message;
    assert!(!bed.store.finish_embedding_model(&other.model).await.unwrap());
    let due = bed.store.take_due_messages(&other.model, 10).await.unwrap();
    assert_eq!(due.iter().map(|due| due.id).collect::<Vec<_>>(), [old.id, new.id]);
    for due in due {
        bed.store.give_message_vectors(due.id, &at(&other.model, 8, &[0.0])).await.unwrap();
    }
    assert!(bed.store.finish_embedding_model(&other.model).await.unwrap());
    assert_eq!(
        bed.number("SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'message_vectors_%' AND indexdef LIKE '%hnsw%'")
            .await,
        2
    );
    // Spaces are never mixed: what has a vector of another model only is not compared.
    let query = at(&other.model, 8, &[0.0]).chunks.remove(0);
    assert_eq!(bed.store.near_messages(&search(None, 10), &other, &query).await.unwrap().len(), 2);
    let first = EmbeddingModel { model: MINI_LM.to_owned(), dims: 384 };
    let query = at(MINI_LM, 384, &[0.0]).chunks.remove(0);
    assert!(bed.store.near_messages(&search(None, 10), &first, &query).await.unwrap().is_empty());
}
