//! Texts that must not be read any more: whatever order they are named in, nothing of them stands.

use hive_domain::{ContextId, MemoryOwner, ProjectId, TrustClass};
use hive_store::{Error, NewContext};

use crate::bed::Bed;

async fn redacted(bed: &Bed, content: &str, texts: &[&str]) -> String {
    let new = NewContext {
        id: ContextId::new(),
        owner: MemoryOwner::Project(ProjectId::DEFAULT),
        parent: None,
        follows: None,
        kind: "fact".to_owned(),
        title: String::new(),
        content: content.to_owned(),
        trust: TrustClass::User,
        author: "test".to_owned(),
        origin: None,
        sources: Vec::new(),
        valid_from: None,
        valid_to: None,
        importance: 0.5,
        pinned: false,
    };
    bed.store.put_context(&new, None).await.unwrap();
    let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    bed.store.redact_context(new.id, &texts).await.unwrap().content
}

#[tokio::test]
async fn texts_that_share_letters_leave_nothing_of_each_other() {
    let bed = Bed::make().await;
    for (content, texts, left) in [
        ("the token is secret-key-123 now", ["secret", "secret-key-123"], "the token is [redacted] now"),
        ("the token is secret-key-123 now", ["secret-key-123", "secret"], "the token is [redacted] now"),
        ("pin abcdefgh.", ["abcdef", "defgh"], "pin [redacted]."),
        ("pin abababa.", ["aba", "bab"], "pin [redacted]."),
        ("a key, then red.", ["key", "red"], "a [redacted], then [redacted]."),
    ] {
        assert_eq!(redacted(&bed, content, &texts).await, left, "{texts:?}");
    }
    let unmet = bed.store.redact_context(ContextId::new(), &["abc".to_owned()]).await;
    assert!(matches!(unmet, Err(Error::NotFound { .. })), "{unmet:?}");
}
