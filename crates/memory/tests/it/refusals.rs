//! An embedder that does not take every text, or none at all.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use hive_domain::{ContextId, ProjectId, TrustClass};
use hive_embed::{Config, Embedder, Provider};
use hive_local::testing::{TestDatabase, TestStores};
use hive_memory::{Memory, Recall, Settings, fuse::Weights, index::Filter};
use hive_store::{Context, EmbeddingModel, MIGRATOR, NewContext, Search, Store, Vectors};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::bed::{OURS, READER};

const MODEL: &str = "some-model";

/// A service that embeds what this says; how often it was asked.
async fn service(answer: fn(&str) -> u16) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, answer, Arc::clone(&count)));
        }
    });
    (url, asked)
}

async fn serve(stream: TcpStream, answer: fn(&str) -> u16, asked: Arc<AtomicUsize>) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut line, mut length) = (String::new(), 0);
        while stream.read_line(&mut line).await.is_ok_and(|read| read > 2) {
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            line.clear();
        }
        let mut body = vec![0; length];
        if length == 0 || stream.read_exact(&mut body).await.is_err() {
            return;
        }
        asked.fetch_add(1, Ordering::Relaxed);
        let body: Value = serde_json::from_slice(&body).unwrap();
        let texts = body["input"].as_array().unwrap();
        let status = texts.iter().map(|text| answer(text.as_str().unwrap())).max().unwrap();
        let data: Vec<Value> = (0..texts.len())
            .map(|index| json!({ "object": "embedding", "index": index, "embedding": [1, 0, 0] }))
            .collect();
        let text = match status {
            200 => json!({ "object": "list", "data": data, "usage": { "total_tokens": 9 } }).to_string(),
            _ => "this text is not taken".to_owned(),
        };
        let answer = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{text}",
            text.len()
        );
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn recall(text: &str) -> Recall {
    Recall {
        text: text.to_owned(),
        reader: READER,
        as_of: None,
        filter: Filter::default(),
        weights: Weights::default(),
        most: 10,
    }
}

struct Bed {
    store: Store,
    memory: Memory,
    embedder: Embedder,
    asked: Arc<AtomicUsize>,
    // Dropped last.
    database: TestDatabase,
}

impl Bed {
    async fn make(answer: fn(&str) -> u16) -> Self {
        let database = TestStores::get().database(&MIGRATOR).await.unwrap();
        let store = Store::connect_lazy(&hive_store::Config::new(database.url.clone())).unwrap();
        let (url, asked) = service(answer).await;
        let config = Config {
            provider: Provider::Openai,
            url: Some(url.parse().unwrap()),
            model: Some(MODEL.to_owned()),
            dimensions: Some(3),
            ..Config::embedded()
        };
        let embedder = Embedder::open(&config).unwrap();
        let memory = Memory::new(store.clone(), embedder.clone(), Settings::default());
        Self { store, memory, embedder, asked, database }
    }

    async fn put(&self, content: &str) -> Context {
        let new = NewContext {
            id: ContextId::new(),
            owner: OURS,
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
        self.store.put_context(&new, None).await.unwrap()
    }

    async fn tend(&self) {
        while self.memory.tend_once().await.unwrap() > 0 {}
    }

    /// Rows that this picks of those of the service's model that want vectors.
    async fn due(&self, that: &str) -> i64 {
        let pool = self.database.pool().await.unwrap();
        let query = format!("SELECT count(*) FROM context_vectors_due WHERE model = '{MODEL}' AND {that}");
        sqlx::query_scalar(&query).fetch_one(&pool).await.unwrap()
    }

    async fn let_time_pass(&self) {
        let pool = self.database.pool().await.unwrap();
        sqlx::query("UPDATE context_vectors_due SET taken_until = '-infinity'").execute(&pool).await.unwrap();
    }
}

#[tokio::test]
async fn a_text_that_is_refused_holds_no_other_up_and_says_why() {
    let bed = Bed::make(|text| if text.contains("poison") { 400 } else { 200 }).await;
    let bad = bed.put("This one is poison").await;
    for nth in 0..20 {
        bed.put(&format!("Fact number {nth}")).await;
    }
    bed.tend().await;
    assert_eq!(bed.due("true").await, 1, "all others have their vectors");
    assert_eq!(bed.due("refusals = 1 AND taken_until > now() + interval '50 s'").await, 1);
    let asked = bed.asked.load(Ordering::Relaxed);
    bed.tend().await;
    assert_eq!(bed.asked.load(Ordering::Relaxed), asked, "it is not tried before its time");
    // Each refusal holds longer than the one before; after three of them the model no longer waits for this text.
    for refusals in 2..=3 {
        bed.let_time_pass().await;
        bed.tend().await;
        let longer =
            format!("refusals = {refusals} AND taken_until > now() + interval '{} s'", 50 << (refusals - 1));
        assert_eq!(bed.due(&longer).await, 1);
    }
    bed.tend().await;
    assert_eq!(bed.store.active_embedding_model().await.unwrap().unwrap().model, MODEL);
    let why = bed.store.unembedded(bad.id).await.unwrap().unwrap();
    assert_eq!(
        (why.refusals, &*why.reason),
        (3, "the embedding service answered 400: this text is not taken")
    );
    assert_eq!(bed.store.refused_embeddings().await.unwrap(), (1, 0));
    // What is written over is another text.
    bed.store.redact_context(bad.id, &["poison".to_owned()]).await.unwrap();
    assert_eq!(bed.store.unembedded(bad.id).await.unwrap(), None);
    bed.tend().await;
    assert_eq!((bed.due("true").await, bed.store.refused_embeddings().await.unwrap()), (0, (0, 0)));
}

#[tokio::test]
async fn a_service_that_is_away_is_no_fault_of_the_texts() {
    let bed = Bed::make(|_| 503).await;
    for nth in 0..20 {
        bed.put(&format!("Fact number {nth}")).await;
    }
    bed.memory.tend_once().await.unwrap();
    assert_eq!(bed.asked.load(Ordering::Relaxed), 3, "it is left alone after three");
    assert_eq!(bed.due("refusals = 0").await, 20);
    assert_eq!(
        bed.due("taken_until <= now()").await,
        17,
        "what was not tried is not kept from another process"
    );
}

#[tokio::test]
async fn a_service_of_another_length_than_what_is_stored_keeps_no_search_from_an_answer() {
    let bed = Bed::make(|_| 200).await;
    let longer = EmbeddingModel { model: MODEL.to_owned(), dims: 5 };
    bed.store.use_embedding_model(&longer).await.unwrap();
    let entry = bed.put("The port is 6543").await;
    let refused = bed.memory.tend_once().await.unwrap_err();
    assert!(refused.to_string().contains("vectors of some-model have 5 numbers, not 3"), "{refused}");
    assert_eq!(bed.due("true").await, 1, "nothing of the wrong length is stored");
    let mini_lm = "SELECT count(*) FROM context_vectors WHERE model = 'minilm-l6-v2-int8'";
    let pool = bed.database.pool().await.unwrap();
    assert_eq!(
        sqlx::query_scalar::<_, i64>(mini_lm).fetch_one(&pool).await.unwrap(),
        1,
        "searches use these"
    );

    // A process that has the right length makes them.
    let due = bed.store.take_due_contexts(MODEL, 10).await.unwrap();
    let vectors = Vectors { model: MODEL.to_owned(), chunks: vec![vec![1.0, 0.0, 0.0, 0.0, 0.0]] };
    assert!(bed.store.give_vectors(&due[0], &vectors).await.unwrap());
    assert!(bed.store.finish_embedding_model(MODEL).await.unwrap());
    // A process that begins now knows the active model, and its own has the name of it.
    let memory = Memory::new(bed.store.clone(), bed.embedder.clone(), Settings::default());
    assert!(memory.vectors_of("", "The port is 7000").await.is_none());
    let found = memory.recall(&recall("port")).await.unwrap();
    assert_eq!((found.hits[0].context.id, found.model), (entry.id, None), "by its words");
    let search = Search {
        query: "port".to_owned(),
        project: ProjectId::DEFAULT,
        reader: None,
        conversation: None,
        from: None,
        since: None,
        limit: 10,
    };
    assert_eq!(memory.search_messages(&search).await.unwrap().model, None);
}
