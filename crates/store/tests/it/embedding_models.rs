//! Models take turns: one that is never finished stands in nobody's way, and no entry is left without vectors.

use hive_domain::{ContextId, ProjectId};
use hive_store::{EmbeddingModel, Vectors};

use crate::bed::Bed;

const INSERT: &str =
    "INSERT INTO contexts (id, lineage, scope, project_id, kind, content, trust, author, valid_from)
     VALUES ($1, $1, 'project', $2, 'fact', 'slow', 'user', 'test', now())";

fn model(name: &str) -> EmbeddingModel {
    EmbeddingModel { model: name.to_owned(), dims: 3 }
}

async fn active(bed: &Bed) -> String {
    bed.store.active_embedding_model().await.unwrap().unwrap().model
}

#[tokio::test]
async fn a_model_whose_service_never_answers_gives_way_to_the_next() {
    let bed = Bed::make().await;
    bed.store.use_embedding_model(&model("mistyped")).await.unwrap();
    bed.store.use_embedding_model(&model("right")).await.unwrap();
    assert!(!bed.store.finish_embedding_model("mistyped").await.unwrap());
    assert!(bed.store.finish_embedding_model("right").await.unwrap());
    assert_eq!(active(&bed).await, "right");
    // It may come again: what is due of it was kept, or is asked for anew.
    bed.store.use_embedding_model(&model("mistyped")).await.unwrap();
    assert!(bed.store.finish_embedding_model("mistyped").await.unwrap());
    assert_eq!(active(&bed).await, "mistyped");
}

#[tokio::test]
async fn an_entry_that_was_committed_while_a_model_began_gets_its_vectors() {
    let bed = Bed::make().await;
    let id = ContextId::new();
    let mut slow = bed.pool.begin().await.unwrap();
    let insert = sqlx::query(INSERT).bind(id.uuid()).bind(ProjectId::DEFAULT.uuid());
    insert.execute(&mut *slow).await.unwrap();
    bed.store.use_embedding_model(&model("other")).await.unwrap();
    slow.commit().await.unwrap();
    assert!(!bed.store.finish_embedding_model("other").await.unwrap(), "an entry has no vectors of it");
    let due = bed.store.take_due_contexts("other", 10).await.unwrap();
    assert_eq!(due.iter().map(|due| due.id).collect::<Vec<_>>(), [id]);
    let vectors = Vectors { model: "other".to_owned(), chunks: vec![vec![1.0, 0.0, 0.0]] };
    assert!(bed.store.give_vectors(&due[0], &vectors).await.unwrap());
    assert!(bed.store.finish_embedding_model("other").await.unwrap());
}
