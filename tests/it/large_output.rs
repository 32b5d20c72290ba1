//! What tools and checks print may be large. The journal keeps the ends that the model read; the whole lies apart, once.

use std::process::Command;

use hive_tests::{TestHive, answer, finish, rules, say, shell};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

/// Ten megabytes that no compressor shrinks, the same each time.
const PRINT: &str = "python3 -c \"import random; random.seed(7); \
                     [print('%0100x' % random.getrandbits(400)) for _ in range(100000)]\"";

/// No row of the task grows with what was printed.
async fn assert_small_rows(hive: &TestHive, id: Uuid) {
    for (what, query) in [
        ("task", "SELECT sum(octet_length(concat(result, status_detail))) FROM tasks WHERE id = $1"),
        ("step", "SELECT max(octet_length(body::text)) FROM steps WHERE task_id = $1"),
        ("event", "SELECT max(octet_length(data::text)) FROM events WHERE task_id = $1"),
        ("task's row", "SELECT max(pg_column_size(t)) FROM tasks t WHERE id = $1"),
        ("step's row", "SELECT max(pg_column_size(s)) FROM steps s WHERE task_id = $1"),
        ("event's row", "SELECT max(pg_column_size(e)) FROM events e WHERE task_id = $1"),
    ] {
        let bytes = hive.count(&query.replace(" FROM", "::bigint FROM"), id).await;
        assert!(bytes < 16_000, "a {what} has {bytes} bytes");
    }
}

async fn artifact(hive: &TestHive, id: Uuid, name: &str) -> String {
    let path = format!("/api/v1/tasks/{id}/artifacts/{name}");
    let answer = hive.send(0, Method::GET, &path, None).await;
    assert_eq!(answer.status(), 200, "{path}");
    assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
    answer.text().await.unwrap()
}

#[tokio::test]
async fn ten_megabytes_of_output_stay_out_of_rows_and_lists() {
    // One alone, three that share an entry, and one whose text doubles in JSON; then a sleep, after which another run
    // reads all of it from the journal.
    let quotes = "python3 -c \"print('\\\"' * 20000)\"";
    let nap = json!({ "name": "wait", "input": { "seconds": 1 } });
    let script = rules(json!([
        answer("Print", 0, json!([shell(PRINT)])),
        answer("Print", 1, json!([shell(PRINT), shell(quotes), shell("echo short"), shell("seq 3000")])),
        answer("Print", 2, json!([nap])),
        answer("Print", 3, json!([finish("Printed.")])),
    ]));
    let hive = TestHive::builder().script(script).start().await;
    let repo = hive.repo("loud", &[("README", "Loud.\n")]);
    let id = hive.post_task(json!({ "title": "Print", "repository": repo.json() })).await;
    hive.wait_succeeded(id, 120).await;
    assert_small_rows(&hive, id).await;

    // The text is there once, whoever names it, and is what was printed.
    let printed = Command::new("bash").args(["-c", PRINT]).output().unwrap().stdout;
    let expected = format!("exit code: 0\n--- stdout ---\n{}", String::from_utf8(printed).unwrap());
    assert!(expected.len() > 10_000_000);
    let stored = "SELECT count(*) FROM artifacts WHERE bytes > 1000000 AND $1 = $1";
    assert_eq!(hive.count(stored, id).await, 1);
    let steps = hive.steps(id).await;
    let results: Vec<&Value> =
        steps.iter().filter_map(|step| step["content"]["results"].as_array()).flatten().collect();
    let name = |index: usize| results[index]["artifact"].as_str().unwrap();
    for index in [0, 1] {
        assert!(artifact(&hive, id, name(index)).await == expected, "the whole output of result {index}");
        let content = results[index]["content"].as_str().unwrap();
        let (head, rest) = content.split_once("\n[").unwrap();
        let (left_out, tail) = rest.split_once(" bytes left out]\n").unwrap();
        assert!(head.len() > 1_000 && expected.starts_with(head) && expected.ends_with(tail));
        assert_eq!(head.len() + tail.len() + left_out.parse::<usize>().unwrap(), expected.len());
    }
    assert_eq!(artifact(&hive, id, name(2)).await.matches('"').count(), 20_000);
    assert_eq!(results[3]["content"], "exit code: 0\n--- stdout ---\nshort\n", "what is short is whole");
    assert_eq!(results[3]["artifact"], Value::Null);
    assert!(artifact(&hive, id, name(4)).await.contains("\n1500\n"), "cut by its neighbours, and kept whole");
    assert!(!results[4]["content"].as_str().unwrap().contains("\n1500\n"));

    let listed: Value = hive.get(&format!("/api/v1/tasks/{id}/artifacts")).await;
    let listed = listed["items"].as_array().unwrap();
    let large: Vec<&Value> = listed.iter().filter(|one| one["bytes"] == expected.len()).collect();
    assert_eq!((large.len(), &large[0]["sha256"]), (2, &large[1]["sha256"]), "{listed:#?}");

    for (path, most) in [
        ("/api/v1/tasks?limit=200".to_owned(), 16_000),
        (format!("/api/v1/tasks/{id}"), 16_000),
        (format!("/api/v1/tasks/{id}/steps?limit=200"), 64_000),
        (format!("/api/v1/tasks/{id}/events"), 16_000),
        (format!("/api/v1/tasks/{id}/artifacts"), 4_000),
    ] {
        let answer = hive.send(0, Method::GET, &path, None).await.text().await.unwrap();
        assert!(!answer.is_empty() && answer.len() < most, "{path} answers {} bytes", answer.len());
    }

    // The run that woke up has nothing but the journal, and says the same.
    let asked: Vec<Value> = hive.double.requests().into_iter().map(|request| request.body).collect();
    assert_eq!(asked.len(), 4);
    let messages = |index: usize| asked[index]["messages"].as_array().unwrap();
    let (before, after) = (messages(2), messages(3));
    assert_eq!(before[..], after[..before.len()]);
    let told = before.last().unwrap()["content"].as_array().unwrap();
    let told: Vec<&Value> = told.iter().map(|block| &block["content"]).collect();
    let shown: Vec<&Value> = results[1..=4].iter().map(|result| &result["content"]).collect();
    assert_eq!(told, shown, "the journal holds what the model read");
    hive.assert_whole(id).await;
}

#[tokio::test]
async fn loud_checks_share_the_room_of_a_row() {
    let script = rules(json!([
        answer("Loud", 0, json!([finish("Done.")])),
        answer("Loud", 1, json!([finish("Done again.")])),
        answer("Loud", 2, json!([finish("Done at last.")])),
    ]));
    let hive = TestHive::builder().script(script).start().await;
    let repo = hive.repo("checked", &[("README", "Loud.\n")]);
    let check = |exit: u8| json!({ "command": format!("yes '\"loud\"' | head -c 70000; exit {exit}") });
    let acceptance = json!([check(1), check(0), check(1), check(0), check(1), check(1)]);
    let task = json!({ "title": "Loud", "repository": repo.json(), "acceptance": acceptance });
    let id = hive.post_task(task).await;
    let task = hive.wait_end(id, 120).await;
    assert_eq!(task["status_reason"], "verification_failed", "{task:#}");
    assert_small_rows(&hive, id).await;
    let steps = hive.steps(id).await;
    let checks: Vec<&Value> = steps.iter().filter(|step| step["kind"] == "checks").collect();
    for check in checks[0]["content"]["results"].as_array().unwrap() {
        let output = check["output"].as_str().unwrap();
        assert!(output.starts_with("exit code: ") && output.ends_with("\"loud\"\n"), "{output}");
        assert!((500..4_096).contains(&output.len()), "{}", output.len());
        if check["passed"] == false {
            let message = checks[0]["content"]["message"].as_str().unwrap();
            assert!(message.contains(output.trim_end()), "the model reads it");
        }
    }
    hive.assert_whole(id).await;
}

#[tokio::test]
async fn a_long_answer_is_kept_whole_beside_the_task() {
    let answer = format!("It begins.\n{}It ends.", "\"Quoted\" and long.\n".repeat(1_200));
    let script = rules(json!([say("Talk", 0, &answer), say("Chat", 0, &answer[..4_000])]));
    let hive = TestHive::builder().script(script).start().await;
    let (id, short) =
        (hive.post_task(json!({ "title": "Talk" })).await, hive.post_task(json!({ "title": "Chat" })).await);
    let task = hive.wait_succeeded(id, 60).await;
    let summary = task["result"]["summary"].as_str().unwrap();
    assert!((7_000..15_900).contains(&summary.len()), "{}", summary.len());
    assert!(summary.starts_with("It begins.\n\"Quoted") && summary.ends_with("long.\nIt ends."));
    assert_eq!(artifact(&hive, id, "summary").await, answer);
    let result = "SELECT octet_length(result::text)::bigint FROM tasks WHERE id = $1";
    assert!(hive.count(result, id).await < 16_000);
    let event = "SELECT max(octet_length(data::text))::bigint FROM events WHERE task_id = $1";
    assert!(hive.count(event, id).await < 16_000);

    let task = hive.wait_succeeded(short, 60).await;
    assert_eq!(task["result"]["summary"], answer[..4_000].trim(), "what fits is not touched");
    assert_eq!(hive.get(&format!("/api/v1/tasks/{short}/artifacts")).await["items"], json!([]));
    hive.assert_whole(id).await;
}
