//! Reading a stream of events as a browser does.

use std::time::Duration;

use reqwest::Response;
use serde_json::Value;
use uuid::Uuid;

use crate::{builder::TOKEN, hive::TestHive};

/// An open stream.
pub struct Stream {
    answer: Response,
    text: String,
}

impl TestHive {
    /// Watches a task at the api process `api`, from after the event `last` on. `None`: nothing more will come.
    ///
    /// # Panics
    /// When the api refuses.
    pub async fn watch(&self, api: usize, task: Uuid, last: Option<i64>) -> Option<Stream> {
        self.watch_path(api, &format!("/api/v1/tasks/{task}/events"), last).await
    }

    /// Watches the stream of a path at the api process `api`, from after the event `last` on. `None`: nothing more will come.
    ///
    /// # Panics
    /// When the api refuses.
    pub async fn watch_path(&self, api: usize, path: &str, last: Option<i64>) -> Option<Stream> {
        let url = format!("{}{path}", self.apis[api].url());
        let mut request = self.http.get(url).bearer_auth(TOKEN);
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last.to_string());
        }
        let answer = request.send().await.unwrap();
        match answer.status().as_u16() {
            204 => None,
            200 => Some(Stream { answer, text: String::new() }),
            other => panic!("the stream answered {other}"),
        }
    }
}

impl Stream {
    /// The number and the kind of the next event; `None` at the end of the stream.
    ///
    /// # Panics
    /// When nothing comes for 30 s, or what comes is no event stream.
    pub async fn next(&mut self) -> Option<(i64, String)> {
        let event = self.next_whole().await?;
        Some((event["seq"].as_i64().unwrap(), event["kind"].as_str().unwrap().to_owned()))
    }

    /// The next event; `None` at the end of the stream.
    ///
    /// # Panics
    /// When nothing comes for 30 s, or what comes is no event stream.
    pub async fn next_whole(&mut self) -> Option<Value> {
        loop {
            while let Some(end) = self.text.find("\n\n") {
                let block: String = self.text.drain(..end + 2).collect();
                let field =
                    |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                if let (Some(id), Some(kind), Some(data)) = (field("id:"), field("event:"), field("data:")) {
                    let event: Value = serde_json::from_str(data).unwrap();
                    assert_eq!((event["seq"].to_string().as_str(), event["kind"].as_str()), (id, Some(kind)));
                    return Some(event);
                }
            }
            let chunk = tokio::time::timeout(Duration::from_secs(30), self.answer.chunk());
            match chunk.await.unwrap().unwrap() {
                Some(bytes) => self.text.push_str(std::str::from_utf8(&bytes).unwrap()),
                None => return None,
            }
        }
    }
}
