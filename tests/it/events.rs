//! A watcher that drops and comes back, at any replica, sees each event once and in order.

use std::time::Duration;

use hive_tests::{TestHive, answer, finish, rules, shell};
use serde_json::{Value, json};

#[tokio::test]
async fn a_stream_that_breaks_goes_on_at_another_api() {
    const TURNS: usize = 8;
    let echo = |turn: usize| json!([shell(&format!("echo {turn}"))]);
    let mut script: Vec<Value> = (0..TURNS).map(|turn| answer("Watched", turn, echo(turn))).collect();
    script.push(answer("Watched", TURNS, json!([finish("Seen.")])));
    let hive = TestHive::builder().script(rules(json!(script))).latency(Duration::from_millis(200)).apis(2);
    let hive = hive.start().await;
    let repo = hive.repo("watched", &[("README", "Watch.\n")]);
    let id = hive.post_task(json!({ "title": "Watched", "repository": repo.json() })).await;

    let mut seen: Vec<(i64, String)> = Vec::new();
    for turn in 0.. {
        let last = seen.last().map(|(seq, _)| *seq);
        let Some(mut stream) = hive.watch(turn % 2, id, last).await else {
            break;
        };
        for _ in 0..3 {
            let Some(event) = stream.next().await else { break };
            seen.push(event);
        }
    }
    let numbers: Vec<i64> = seen.iter().map(|(seq, _)| *seq).collect();
    let count = i64::try_from(numbers.len()).unwrap();
    assert_eq!(numbers, (1..=count).collect::<Vec<_>>(), "each once and in order");
    let kinds: Vec<String> = seen.into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(kinds, hive.event_kinds(id).await);
    let ends = (kinds.first().unwrap().as_str(), kinds.last().unwrap().as_str());
    assert_eq!(ends, ("task.created", "task.succeeded"));
}
