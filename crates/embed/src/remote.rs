//! Services that embed, over HTTP. Their two interfaces differ in three fields.

use std::time::Duration;

use reqwest::{
    StatusCode,
    header::{AUTHORIZATION, HeaderMap, HeaderValue},
};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};
use url::Url;

use crate::{
    config::{Config, Provider},
    embedder::Kind,
    error::{Error, Result},
};

/// Texts of one call; each service takes more.
const MOST_TEXTS: usize = 128;
/// Bytes of an answer for each number in it: `-0.012345678901,` and some room.
const BYTES_PER_NUMBER: usize = 32;
/// What an answer may have beyond its numbers, and what is read of a refusal.
const BYTES_BESIDE: usize = 64 << 10;
/// How much of a refusal is shown, in characters.
const SHOWN: usize = 300;

#[derive(Debug)]
pub(crate) struct Remote {
    http: reqwest::Client,
    url: Url,
    provider: Provider,
    model: String,
    dimensions: usize,
    seconds: u64,
}

#[derive(Serialize)]
struct Request<'a> {
    input: &'a [String],
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimension: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding_format: Option<&'static str>,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    index: usize,
    embedding: Vec<f32>,
}

impl Remote {
    /// Proxies from the environment are not used and redirects are not followed: both would carry texts and key to a
    /// host that the configuration does not name.
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let missing = |name: &str| Error::Config(format!("{name} is missing"));
        let mut headers = HeaderMap::new();
        if let Some(key) = &config.key {
            let mut value = HeaderValue::from_str(&format!("Bearer {key}"))
                .map_err(|_| Error::Config("HIVE_EMBED_KEY does not fit into a header".to_owned()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(5))
            .pool_idle_timeout(Duration::from_secs(60))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| Error::Config(format!("cannot build the HTTP client: {error}")))?;
        let mut url = config.url.clone().ok_or_else(|| missing("HIVE_EMBED_URL"))?;
        url.path_segments_mut()
            .map_err(|()| Error::Config("HIVE_EMBED_URL has no path".to_owned()))?
            .pop_if_empty()
            .push("embeddings");
        Ok(Self {
            http,
            url,
            provider: config.provider,
            model: config.model.clone().ok_or_else(|| missing("HIVE_EMBED_MODEL"))?,
            dimensions: config.dimensions.ok_or_else(|| missing("HIVE_EMBED_DIMENSIONS"))?,
            seconds: config.seconds,
        })
    }

    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    pub(crate) const fn dimensions(&self) -> usize {
        self.dimensions
    }

    pub(crate) async fn embed(&self, texts: &[String], kind: Kind) -> Result<Vec<Vec<f32>>> {
        let deadline = Instant::now() + Duration::from_secs(self.seconds);
        let mut vectors = Vec::with_capacity(texts.len());
        for part in texts.chunks(MOST_TEXTS) {
            let call = timeout_at(deadline, self.call(part, kind)).await;
            vectors.extend(call.map_err(|_| Error::Timeout(self.seconds))??);
        }
        Ok(vectors)
    }

    async fn call(&self, texts: &[String], kind: Kind) -> Result<Vec<Vec<f32>>> {
        let is_voyage = self.provider == Provider::Voyage;
        let request = Request {
            input: texts,
            model: &self.model,
            dimensions: (!is_voyage).then_some(self.dimensions),
            output_dimension: is_voyage.then_some(self.dimensions),
            input_type: is_voyage.then_some(match kind {
                Kind::Query => "query",
                Kind::Document => "document",
            }),
            encoding_format: (!is_voyage).then_some("float"),
        };
        let response =
            self.http.post(self.url.clone()).json(&request).send().await.map_err(Error::Connect)?;
        let status = response.status();
        if status != StatusCode::OK {
            let text = read(response, BYTES_BESIDE).await.unwrap_or_default();
            let message = String::from_utf8_lossy(&text).chars().take(SHOWN).collect();
            return Err(Error::Refused { status: status.as_u16(), message });
        }
        let most = BYTES_BESIDE + texts.len() * self.dimensions * BYTES_PER_NUMBER;
        let answer: Answer = serde_json::from_slice(&read(response, most).await?)
            .map_err(|error| Error::Garbage(error.to_string()))?;
        self.in_order(answer, texts.len())
    }

    /// Exactly one vector of the right length for each text.
    fn in_order(&self, answer: Answer, texts: usize) -> Result<Vec<Vec<f32>>> {
        let garbage = |what: String| Err(Error::Garbage(what));
        if answer.data.len() != texts {
            return garbage(format!("{} vectors for {texts} texts", answer.data.len()));
        }
        let mut vectors: Vec<Option<Vec<f32>>> = vec![None; texts];
        for Entry { index, embedding } in answer.data {
            if embedding.len() != self.dimensions {
                let (found, asked) = (embedding.len(), self.dimensions);
                return garbage(format!("a vector of {found} numbers, asked for {asked}"));
            }
            let Some(unit) = unit(embedding) else {
                return garbage(format!("vector {index} has no direction"));
            };
            match vectors.get_mut(index) {
                Some(place @ None) => *place = Some(unit),
                Some(_) => return garbage(format!("two vectors for text {index}")),
                None => return garbage(format!("a vector for text {index} of {texts}")),
            }
        }
        Ok(vectors.into_iter().flatten().collect())
    }
}

/// The same direction with length 1; `None` for what has none.
fn unit(mut vector: Vec<f32>) -> Option<Vec<f32>> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if !length.is_finite() || length <= f32::MIN_POSITIVE {
        return None;
    }
    for x in &mut vector {
        *x /= length;
    }
    Some(vector)
}

async fn read(mut response: reqwest::Response, most: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(Error::Connect)? {
        if bytes.len() + chunk.len() > most {
            return Err(Error::Garbage(format!("more than {most} bytes")));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
