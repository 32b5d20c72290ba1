//! A server that reads one request per connection and answers with the bytes it was given.

use std::time::Duration;

use hive_claude::{Claude, Config, Request, RequestMessage, Secret};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub const WEATHER: &str = include_str!("../fixtures/weather.sse");
pub const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
    request-id: req_head\r\nanthropic-ratelimit-requests-limit: 50\r\n\
    anthropic-ratelimit-requests-remaining: 49\r\n";

/// What the server does after it has read a request.
pub enum Act {
    /// Writes the bytes.
    Send(Vec<u8>),
    /// Writes the bytes over and over, with a pause between, until the client is gone.
    Repeat(Vec<u8>, Duration),
    /// Does nothing until the client is gone.
    Hold,
}

pub struct Server {
    pub url: String,
    task: JoinHandle<Vec<String>>,
}

impl Server {
    /// Serves one connection per script, one after the other.
    pub async fn start(scripts: Vec<Vec<Act>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            let mut requests = Vec::new();
            for script in scripts {
                let (mut connection, _) = listener.accept().await.unwrap();
                requests.push(read_request(&mut connection).await);
                for act in script {
                    perform(act, &mut connection).await;
                }
            }
            requests
        });
        Self { url, task }
    }

    /// One connection that gets these bytes.
    pub async fn answering(bytes: impl Into<Vec<u8>>) -> Self {
        Self::start(vec![vec![Act::Send(bytes.into())]]).await
    }

    /// The requests that came, head and body, once all scripts have been played.
    pub async fn requests(self) -> Vec<String> {
        tokio::time::timeout(Duration::from_secs(10), self.task)
            .await
            .expect("the server still waits for a request, or for the client to go")
            .unwrap()
    }

    pub fn client(&self) -> Claude {
        client(&self.url, |_| ())
    }
}

pub fn client(url: &str, change: impl FnOnce(&mut Config)) -> Claude {
    let mut config = Config::new(url.parse().unwrap(), Secret::new("sk-test"));
    config.total_timeout = Duration::from_secs(10);
    change(&mut config);
    Claude::new(config).unwrap()
}

pub fn request() -> Request {
    let mut request = Request::new("claude-sonnet-5-5", 100);
    let content = serde_json::value::to_raw_value("What is the weather in Paris?").unwrap();
    request.messages.push(RequestMessage::user(content));
    request
}

/// A streamed answer that ends with the connection.
pub fn streamed(body: impl AsRef<[u8]>) -> Vec<u8> {
    [STREAM_HEAD.as_bytes(), b"connection: close\r\n\r\n", body.as_ref()].concat()
}

/// A streamed answer in HTTP chunks of `size` bytes.
pub fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = [STREAM_HEAD.as_bytes(), b"transfer-encoding: chunked\r\n\r\n"].concat();
    for piece in body.chunks(size) {
        bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        bytes.extend_from_slice(piece);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

/// A whole answer with extra header lines.
pub fn answer(status: &str, headers: &[&str], body: &str) -> Vec<u8> {
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes()
}

async fn perform(act: Act, connection: &mut TcpStream) {
    match act {
        // The client may hang up at any moment, which is not the server's concern.
        Act::Send(bytes) => connection.write_all(&bytes).await.unwrap_or_default(),
        Act::Repeat(bytes, pause) => {
            while connection.write_all(&bytes).await.is_ok() {
                tokio::time::sleep(pause).await;
            }
        }
        Act::Hold => while connection.read(&mut [0]).await.is_ok_and(|read| read > 0) {},
    }
}

async fn read_request(connection: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok())
                .unwrap_or(0);
            if body.len() >= length {
                return text;
            }
        }
        let mut piece = [0; 4096];
        let read = connection.read(&mut piece).await.unwrap_or(0);
        if read == 0 {
            return text;
        }
        bytes.extend_from_slice(&piece[..read]);
    }
}
