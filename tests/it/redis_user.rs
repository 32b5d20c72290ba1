//! The user that the deployment gives the hive in Redis: it may do all that the hive does, and nothing that flushes.

use std::{fs, path::Path};

use hive_tests::{TestHive, rules, say};
use serde_json::json;

/// The rules of `containers/redis/users.acl` for the user `hive`, with this prefix and password.
fn rules_of_deployment(prefix: &str, password: &str) -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../containers/redis/users.acl");
    let text = fs::read_to_string(file).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("user hive ")).unwrap();
    let line = line.replace("#HASH_OF_THE_PASSWORD", &format!(">{password}"));
    line.replace("hive:*", &format!("{prefix}:*")).split(' ').map(str::to_owned).collect()
}

#[tokio::test]
async fn the_user_of_the_deployment_works_and_cannot_flush() {
    let script = rules(json!([say("Talk", 0, "Done.")]));
    let hive = TestHive::builder().script(script).redis_user(rules_of_deployment).start().await;
    let talk = hive.post_task(json!({ "title": "Talk" })).await;
    hive.wait_succeeded(talk, 30).await;
    // Through Redis, and not by the reconciler alone: the ticket was sent, taken and handled.
    let page = hive.page(hive.workers[0].url(), "/metrics").await;
    assert!(page.contains("hive_queue_taken_total{lane=\"normal\"} 1"), "{page}");
    assert!(!page.contains("hive_queue_worker_restarts_total"), "no lane of the worker was started again");

    let [_, url] = hive.store_urls();
    assert!(url.contains("user=hive"), "the hive is not the default user");
    let mut connection = redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap();
    for (command, arguments) in [
        ("FLUSHALL", &[][..]),
        ("FLUSHDB", &[]),
        ("KEYS", &["x"]),
        ("CONFIG", &["GET", "maxmemory"]),
        ("ACL", &["LIST"]),
        ("SHUTDOWN", &["NOSAVE"]),
        ("GET", &["foreign"]),
        ("PUBLISH", &["foreign", "x"]),
    ] {
        let answer = redis::cmd(command).arg(arguments).query_async::<redis::Value>(&mut connection).await;
        let error = answer.expect_err(command);
        assert_eq!(error.code(), Some("NOPERM"), "{command}: {error}");
    }
}
