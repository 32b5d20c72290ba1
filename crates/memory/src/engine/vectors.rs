//! Vectors for entries and messages that have none yet. What the embedder does not take is noted with the reason and
//! holds nothing else up.

use hive_embed::Embedder;
use hive_store::{FailedEmbedding, Vectors};
use tokio::time::Instant;

use super::{Memory, Result, tend::EVERY, write::embed};

/// Entries or messages that are taken at once.
const TAKEN: i64 = 16;
/// Failures in a row after which it is the embedder that is away or out of order, whatever it says of the texts.
const AWAY: usize = 3;

/// How a turn has gone so far.
struct Turn<'a> {
    embedder: &'a Embedder,
    begun: Instant,
    given: usize,
    failed_in_a_row: usize,
}

impl<'a> Turn<'a> {
    fn begin(embedder: &'a Embedder) -> Self {
        Self { embedder, begun: Instant::now(), given: 0, failed_in_a_row: 0 }
    }

    /// Not for ever: there is more to tend.
    fn goes_on(&self) -> bool {
        self.begun.elapsed() < EVERY && !self.is_away()
    }

    const fn is_away(&self) -> bool {
        self.failed_in_a_row >= AWAY
    }

    /// The vectors of a text, or why there are none and whether that is the text's fault.
    async fn embed(&mut self, title: &str, content: &str) -> std::result::Result<Vectors, (String, bool)> {
        match embed(self.embedder, title, content).await {
            Ok(vectors) => {
                self.failed_in_a_row = 0;
                Ok(vectors)
            }
            Err(error) => {
                self.failed_in_a_row += 1;
                Err((error.to_string(), error.is_about_texts()))
            }
        }
    }

    fn failed<'b>(&'b self, (reason, is_refusal): &'b (String, bool)) -> FailedEmbedding<'b> {
        FailedEmbedding { model: self.embedder.model(), reason, is_refusal: *is_refusal }
    }
}

impl Memory {
    /// Gives entries their vectors, for a while; how many got some.
    pub(super) async fn give_vectors(&self, embedder: &Embedder) -> Result<usize> {
        let (store, mut turn) = (&self.inner.store, Turn::begin(embedder));
        while turn.goes_on() {
            let due = store.take_due_contexts(embedder.model(), TAKEN).await?;
            if due.is_empty() {
                break;
            }
            let mut untried = Vec::new();
            for entry in due {
                if turn.is_away() {
                    untried.push(entry.id);
                    continue;
                }
                match turn.embed(&entry.title, &entry.content).await {
                    Ok(vectors) => turn.given += usize::from(store.give_vectors(&entry, &vectors).await?),
                    Err(why) => {
                        tracing::warn!(context.id = %entry.id, "An entry was not embedded; it is tried again: {}", why.0);
                        store.note_unembedded_context(entry.id, &turn.failed(&why)).await?;
                    }
                }
            }
            if !untried.is_empty() {
                store.untake_due_contexts(embedder.model(), &untried).await?;
            }
        }
        Ok(turn.given)
    }

    /// Gives messages their vectors, for a while; how many got some.
    pub(super) async fn give_message_vectors(&self, embedder: &Embedder) -> Result<usize> {
        let (store, mut turn) = (&self.inner.store, Turn::begin(embedder));
        while turn.goes_on() {
            let due = store.take_due_messages(embedder.model(), TAKEN).await?;
            if due.is_empty() {
                break;
            }
            let mut untried = Vec::new();
            for message in due {
                if turn.is_away() {
                    untried.push(message.id);
                    continue;
                }
                match turn.embed("", &message.content).await {
                    Ok(vectors) => {
                        turn.given += usize::from(store.give_message_vectors(message.id, &vectors).await?);
                    }
                    Err(why) => {
                        tracing::warn!(message.id = %message.id, "A message was not embedded; it is tried again: {}", why.0);
                        store.note_unembedded_message(message.id, &turn.failed(&why)).await?;
                    }
                }
            }
            if !untried.is_empty() {
                store.untake_due_messages(embedder.model(), &untried).await?;
            }
        }
        Ok(turn.given)
    }
}
