//! Texts that must not be read any more: whatever order they are named in, nothing of them stands.

use hive_domain::ContextId;
use hive_store::Error;

use crate::{bed::Bed, contexts};

async fn redacted(bed: &Bed, content: &str, texts: &[&str]) -> String {
    let new = contexts::new(content);
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
