//! A receiver of notifications on loopback, over a real socket: it keeps what arrives, and answers as it is told.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What arrived.
#[derive(Clone, Debug)]
pub struct Notification {
    /// Its `Idempotency-Key`.
    pub key: String,
    /// Its body.
    pub body: Value,
}

/// How the receiver answers.
#[derive(Clone, Copy, Debug)]
pub enum Reception {
    /// 202.
    Take,
    /// Not at all: the connection stays open.
    Hold,
    /// With this status and these seconds of `Retry-After`.
    Later(u16, u64),
    /// With this status.
    Status(u16),
}

#[derive(Default)]
struct State {
    seen: Vec<Notification>,
    plan: VecDeque<Reception>,
}

/// A receiver; it ends with the story's runtime.
pub struct Receiver {
    /// Where it listens.
    pub url: String,
    // Protects what arrived and what comes next; never held over an await.
    state: Arc<Mutex<State>>,
}

impl Receiver {
    /// Starts one that answers by `plan`, and takes what comes after it.
    ///
    /// # Panics
    /// When it cannot listen.
    pub async fn start(plan: &[Reception]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/notices", listener.local_addr().unwrap());
        let state = State { plan: plan.iter().copied().collect(), ..State::default() };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(receive(stream, Arc::clone(&shared)));
            }
        });
        Self { url, state }
    }

    /// What arrived so far, in order.
    #[must_use]
    pub fn seen(&self) -> Vec<Notification> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).seen.clone()
    }
}

async fn receive(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut bytes = Vec::new();
    let (head, body) = loop {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).await.unwrap_or(0);
        if read == 0 {
            return;
        }
        bytes.extend_from_slice(&part[..read]);
        if let Some(whole) = whole(&bytes) {
            break whole;
        }
    };
    let key = header(&head, "idempotency-key").unwrap_or_default();
    let reception = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.seen.push(Notification { key, body: serde_json::from_slice(&body).unwrap_or_default() });
        state.plan.pop_front().unwrap_or(Reception::Take)
    };
    let (status, more) = match reception {
        Reception::Take => (202, String::new()),
        Reception::Status(status) => (status, String::new()),
        Reception::Later(status, seconds) => (status, format!("retry-after: {seconds}\r\n")),
        Reception::Hold => return std::future::pending().await,
    };
    let answer = format!("HTTP/1.1 {status} -\r\n{more}content-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.unwrap_or_default();
}

/// Head and body, once both have arrived.
fn whole(bytes: &[u8]) -> Option<(String, Vec<u8>)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length: usize = header(&head, "content-length")?.parse().ok()?;
    let body = bytes.get(end + 4..end + 4 + length)?;
    Some((head, body.to_vec()))
}

fn header(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}
