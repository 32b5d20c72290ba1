//! The pages as a load balancer sees them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use hive_telemetry::{Health, State, metrics, serve};
use tokio_util::sync::CancellationToken;

struct Page {
    address: SocketAddr,
    stop: CancellationToken,
}

impl Page {
    async fn of(health: &Health) -> Self {
        let stop = CancellationToken::new();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = serve(any, metrics::install("worker"), health.clone(), stop.clone()).await.unwrap();
        Self { address: server.address, stop }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let reply = reqwest::get(format!("http://{}{path}", self.address)).await.unwrap();
        (reply.status().as_u16(), reply.text().await.unwrap())
    }

    async fn ready(&self) -> (u16, serde_json::Value) {
        let (code, body) = self.get("/health/ready").await;
        (code, serde_json::from_str(&body).unwrap())
    }
}

#[tokio::test]
async fn readiness_follows_the_components() {
    let health = Health::new("worker");
    health.essential("postgres");
    health.optional("redis");
    let page = Page::of(&health).await;

    let (code, body) = page.ready().await;
    assert_eq!((code, &body["status"]), (503, &"not_ready".into()), "nothing was checked yet: {body}");

    health.set("postgres", State::Up);
    let (code, body) = page.ready().await;
    assert_eq!((code, &body["status"]), (200, &"degraded".into()));
    assert_eq!(body["reasons"], serde_json::json!(["redis is down: not checked yet"]));

    health.set("redis", State::Up);
    assert_eq!(page.ready().await, (200, serde_json::json!({ "status": "ready", "reasons": [] })));

    health.set("postgres", State::Degraded("slow at postgres://hive:pw12@db".to_owned()));
    let (code, body) = page.ready().await;
    assert_eq!(code, 200);
    assert_eq!(body["reasons"][0], "postgres is degraded: slow at postgres://hive:[redacted]@db");

    health.set("postgres", State::Down("refused by redis://:pw12@db".to_owned()));
    let (code, body) = page.ready().await;
    assert_eq!(code, 503);
    assert_eq!(body["reasons"][0], "postgres is down: refused by redis://:[redacted]@db");
    assert_eq!(page.get("/health/live").await.0, 200);

    health.set("postgres", State::Up);
    health.draining();
    let (code, body) = page.ready().await;
    assert_eq!((code, &body["reasons"]), (503, &serde_json::json!(["the process is shutting down"])));
    assert_eq!(page.get("/health/live").await.0, 200);
    page.stop.cancel();
}

#[tokio::test]
async fn the_detail_page_tells_all() {
    let health = Health::new("scheduler");
    health.essential("postgres");
    let page = Page::of(&health).await;
    let (code, before) = page.get("/health").await;
    let before: serde_json::Value = serde_json::from_str(&before).unwrap();
    assert_eq!((code, &before["last_progress_seconds_ago"]), (503, &serde_json::Value::Null));

    health.set("postgres", State::Up);
    health.progress();
    let (code, body) = page.get("/health").await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((code, &body["process"], &body["status"]), (200, &"scheduler".into(), &"ready".into()));
    assert_eq!(body["components"]["postgres"]["state"], "up");
    assert_eq!(body["components"]["postgres"]["essential"], true);
    assert!(body["last_progress_seconds_ago"].as_f64().unwrap() < 60.0, "{body}");
}

#[tokio::test]
async fn a_component_nobody_registered_counts() {
    let health = Health::new("worker");
    let page = Page::of(&health).await;
    assert_eq!(page.ready().await.0, 200);
    health.set("disk", State::Down("full".to_owned()));
    assert_eq!(page.ready().await.0, 503);
}

#[tokio::test]
async fn a_watched_component_goes_down_and_comes_back() {
    let health = Health::new("worker");
    health.optional("redis");
    let answers = Arc::new(AtomicBool::new(true));
    let watching = tokio::spawn({
        let (health, answers) = (health.clone(), Arc::clone(&answers));
        async move {
            let probe = || async {
                if answers.load(Ordering::SeqCst) { Ok(()) } else { Err(std::io::Error::other("refused")) }
            };
            health.watch("redis", Duration::from_millis(10), probe).await;
        }
    });
    until(&health, &[]).await;
    answers.store(false, Ordering::SeqCst);
    until(&health, &["redis is down: refused"]).await;
    answers.store(true, Ordering::SeqCst);
    until(&health, &[]).await;
    watching.abort();
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_hangs_is_cut() {
    let health = Health::new("worker");
    health.optional("redis");
    let watching = tokio::spawn({
        let health = health.clone();
        async move {
            let hangs = || std::future::pending::<Result<(), std::io::Error>>();
            health.watch("redis", Duration::from_millis(10), hangs).await;
        }
    });
    until(&health, &["redis is down: no answer within 2 s"]).await;
    watching.abort();
}

async fn until(health: &Health, reasons: &[&str]) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while health.readiness().reasons() != reasons {
        assert!(Instant::now() < deadline, "{:?}", health.readiness());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_stops_in_spite_of_an_open_connection() {
    let health = Health::new("worker");
    let stop = CancellationToken::new();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = serve(any, metrics::install("worker"), health, stop.clone()).await.unwrap();
    let address = server.address;
    // Half a request, never finished.
    let mut open = tokio::net::TcpStream::connect(address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut open, b"GET /health HTTP/1.1\r\n").await.unwrap();
    assert_eq!(reqwest::get(format!("http://{address}/health/live")).await.unwrap().status(), 200);
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), server.ended()).await.unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = serve(address, metrics::install("worker"), Health::new("worker"), CancellationToken::new())
        .await
        .unwrap_err();
    assert!(format!("{error:#}").contains(&address.to_string()), "{error:#}");
}
