//! Services: what they are asked, and that no answer but the right one is taken.

use std::sync::{Arc, Mutex};

use hive_embed::{Config, Embedder, Error, Kind, Provider};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A request as it crossed the wire.
#[derive(Clone, Debug)]
struct Seen {
    head: String,
    body: Value,
}

/// A service that answers each request with what `answer` makes of it.
async fn service(
    answer: impl Fn(&Value) -> (u16, String) + Send + Sync + 'static,
) -> (String, Arc<Mutex<Vec<Seen>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let Some(request) = request(&mut stream).await else { continue };
            let (status, body) = answer(&request.body);
            noted.lock().unwrap().push(request);
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let answer = [head.as_bytes(), body.as_bytes()].concat();
            drop(stream.write_all(&answer).await);
        }
    });
    (url, seen)
}

async fn request(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    loop {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).await.ok()?;
        if count == 0 {
            return None;
        }
        bytes.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
        if body.len() >= length.parse().ok()? {
            return Some(Seen { head, body: serde_json::from_str(body).ok()? });
        }
    }
}

fn config(provider: Provider, url: &str) -> Config {
    Config {
        provider,
        url: Some(url.parse().unwrap()),
        key: Some("secret-key".to_owned()),
        model: Some("some-model".to_owned()),
        dimensions: Some(3),
        seconds: 2,
        ..Config::embedded()
    }
}

/// For text n the vector (n + 1, 0, 0) or (0, n + 1, 0), in reverse order.
fn vectors(body: &Value) -> (u16, String) {
    let count = body["input"].as_array().unwrap().len();
    let entry = |n: usize| {
        let vector = if n.is_multiple_of(2) { [n + 1, 0, 0] } else { [0, n + 1, 0] };
        json!({ "object": "embedding", "index": n, "embedding": vector })
    };
    let data: Vec<Value> = (0..count).rev().map(entry).collect();
    (200, json!({ "object": "list", "data": data, "usage": { "total_tokens": 9 } }).to_string())
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("text {n}")).collect()
}

#[tokio::test]
async fn each_service_is_asked_in_its_own_words() {
    for (provider, expected) in [
        (
            Provider::Openai,
            json!({ "input": ["text 0", "text 1"], "model": "some-model", "dimensions": 3, "encoding_format": "float" }),
        ),
        (
            Provider::Voyage,
            json!({ "input": ["text 0", "text 1"], "model": "some-model", "output_dimension": 3, "input_type": "query" }),
        ),
    ] {
        let (url, seen) = service(vectors).await;
        let embedder = Embedder::open(&config(provider, &url)).unwrap();
        assert_eq!((embedder.model(), embedder.dimensions()), ("some-model", 3));
        let vectors = embedder.embed(&texts(2), Kind::Query).await.unwrap();
        // In the order of the texts, and of length 1.
        assert_eq!(vectors, [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]);
        let seen = seen.lock().unwrap().clone();
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].body, expected);
        assert!(seen[0].head.starts_with("post /v1/embeddings http/1.1"), "{}", seen[0].head);
        assert!(seen[0].head.contains("authorization: bearer secret-key"), "{}", seen[0].head);
    }
}

#[tokio::test]
async fn many_texts_are_several_calls() {
    let (url, seen) = service(vectors).await;
    let embedder = Embedder::open(&config(Provider::Voyage, &url)).unwrap();
    let vectors = embedder.embed(&texts(300), Kind::Document).await.unwrap();
    assert_eq!(vectors.len(), 300);
    let sizes = |seen: &Seen| seen.body["input"].as_array().unwrap().len();
    let seen = seen.lock().unwrap();
    assert_eq!(seen.iter().map(sizes).collect::<Vec<_>>(), [128, 128, 44]);
    assert!(seen.iter().all(|seen| seen.body["input_type"] == "document"));
}

#[tokio::test]
async fn no_answer_but_the_right_one_is_taken() {
    let one = |embedding: Value| json!({ "data": [{ "index": 0, "embedding": embedding }] }).to_string();
    for (answer, part) in [
        ("{".to_owned(), "EOF"),
        (json!({ "data": [] }).to_string(), "0 vectors for 1 texts"),
        (one(json!([1.0, 2.0])), "a vector of 2 numbers, asked for 3"),
        (one(json!([0.0, 0.0, 0.0])), "no direction"),
        (json!({ "data": [{ "index": 1, "embedding": [1, 0, 0] }] }).to_string(), "a vector for text 1 of 1"),
        (one(json!([1.0, 0.0, 0.0])) + &" ".repeat(1 << 20), "more than"),
    ] {
        let (url, _) = service(move |_| (200, answer.clone())).await;
        let embedder = Embedder::open(&config(Provider::Openai, &url)).unwrap();
        let error = embedder.embed(&texts(1), Kind::Query).await.unwrap_err();
        assert!(matches!(&error, Error::Garbage(what) if what.contains(part)), "{error} has no {part:?}");
        assert!(!error.is_passing());
    }
}

#[tokio::test]
async fn refusals_say_whether_they_pass() {
    for (status, passes) in [(429, true), (503, true), (401, false), (400, false), (302, false)] {
        let (url, _) = service(move |_| (status, "not now".to_owned())).await;
        let embedder = Embedder::open(&config(Provider::Openai, &url)).unwrap();
        let error = embedder.embed(&texts(1), Kind::Query).await.unwrap_err();
        let said = format!("the embedding service answered {status}: not now");
        assert_eq!((error.to_string(), error.is_passing()), (said, passes));
        assert_eq!(error.is_about_texts(), status == 400, "{status}");
    }
}

#[tokio::test]
async fn a_service_that_is_silent_or_away_is_given_up() {
    // Accepts, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/", silent.local_addr().unwrap());
    let embedder = Embedder::open(&config(Provider::Openai, &url)).unwrap();
    let error = embedder.embed(&texts(1), Kind::Query).await.unwrap_err();
    assert!(matches!(error, Error::Timeout(2)) && error.is_passing(), "{error}");
    drop(silent);
    let error = embedder.embed(&texts(1), Kind::Query).await.unwrap_err();
    assert!(error.is_passing(), "{error}");
}

#[test]
fn a_bad_setting_is_named_and_the_key_is_not_shown() {
    let good = config(Provider::Voyage, "https://embed.example/v1");
    good.check().unwrap();
    assert!(!format!("{good:?}").contains("secret-key"));
    for (name, config) in [
        ("HIVE_EMBED_URL", Config { url: None, ..good.clone() }),
        ("HIVE_EMBED_URL", Config { url: Some("file:///etc".parse().unwrap()), ..good.clone() }),
        ("HIVE_EMBED_MODEL", Config { model: Some("it's".to_owned()), ..good.clone() }),
        ("HIVE_EMBED_DIMENSIONS", Config { dimensions: None, ..good.clone() }),
        ("HIVE_EMBED_DIMENSIONS", Config { dimensions: Some(5_000), ..good.clone() }),
        ("HIVE_EMBED_KEY", Config { provider: Provider::Embedded, url: None, model: None, ..good.clone() }),
    ] {
        let line = config.check().unwrap_err().to_string();
        assert!(line.starts_with(name) && !line.contains('\n'), "{line}");
    }
}
