//! `kill -9` at any moment: nothing is paid twice, nothing is done twice, and the result is the same.

use std::{collections::VecDeque, time::Duration};

use hive_tests::{Builder, Repo, TestHive, answer, branch, finish, rules, shell, within};
use serde_json::{Value, json};
use uuid::Uuid;

/// Model calls of the task.
const TURNS: usize = 12;

/// Each turn writes a file from what the turn before printed, so that a step that is lost, repeated or reordered
/// changes the tree. The last turn finishes.
fn chain() -> Vec<Value> {
    let mut rules = vec![answer("Chain", 0, json!([shell("echo 1 >> f0; cat f0")]))];
    for turn in 1..TURNS - 1 {
        let command = format!("echo $(( {{{{number}}}} * 3 + {turn} )) >> f{turn}; cat f{turn}");
        rules.push(json!({
            "name": format!("turn {turn}"),
            "when": { "turn": turn, "first_text": "Chain", "last_result": r"--- stdout ---\n(?P<number>\d+)" },
            "tools": [shell(&command)],
        }));
    }
    rules.push(answer("Chain", TURNS - 1, json!([finish("The chain is whole.")])));
    rules
}

/// The rule for tasks of this title alone.
fn titled(mut rule: Value, title: &str) -> Value {
    rule["name"] = json!(format!("{title}: {}", rule["name"].as_str().unwrap()));
    rule["when"]["first_text"] = json!(format!("{title}\n"));
    rule
}

/// The last file of an undisturbed run, reckoned here.
fn last_file() -> String {
    format!("{}\n", (1..TURNS - 1).fold(1, |number, turn| number * 3 + turn))
}

fn builder(rules_of_chain: &[Value]) -> Builder {
    // A pause before each answer, in which a kill is a kill in the model call.
    let builder =
        TestHive::builder().script(rules(json!(rules_of_chain))).latency(Duration::from_millis(150));
    builder.slots(1).hosts_apart()
}

async fn post(hive: &TestHive, repo: &Repo, title: &str) -> Uuid {
    let check = json!({ "name": "last", "command": format!("test -s f{}", TURNS - 2) });
    hive.post_task(json!({ "title": title, "repository": repo.json(), "acceptance": [check] })).await
}

async fn assert_whole(hive: &TestHive, repo: &Repo, id: Uuid) -> String {
    hive.wait_succeeded(id, 90).await;
    let branch = branch(id);
    assert_eq!(repo.file(&branch, &format!("f{}", TURNS - 2)), last_file());
    assert_eq!(repo.commits(&branch).len(), TURNS - 1, "one commit per turn that touched files");
    assert_eq!(hive.step_kinds(id).await, [["reply", "tool_results"].repeat(TURNS), vec!["checks"]].concat());
    hive.assert_whole(id).await;
    repo.tree(&branch)
}

/// Kills the worker that holds the task now.
async fn kill_holder(hive: &mut TestHive, id: Uuid) -> bool {
    let query = "SELECT worker FROM tasks WHERE id = $1 AND status = 'running'";
    let holder: Option<String> = sqlx::query_scalar(query).bind(id).fetch_optional(&hive.pool).await.unwrap();
    let Some(pid) = holder.and_then(|name| name.rsplit('-').next()?.parse::<u32>().ok()) else {
        return false;
    };
    let Some(worker) = hive.workers.iter_mut().find(|worker| worker.pid() == pid) else {
        return false;
    };
    worker.kill9();
    true
}

#[tokio::test]
async fn a_worker_that_is_killed_after_any_turn_costs_nothing() {
    /// Tasks that are killed; each after every fourth turn, together after each of 1 to 11.
    const KILLED: usize = 4;
    let mut script = Vec::new();
    for turn in 1..TURNS {
        // The first try of what follows the turn hangs, so that the kill falls into it for certain: into the call
        // after an odd turn, into the command of an even one.
        let title = format!("Chain {}", (turn - 1) % KILLED + 1);
        if turn % 2 == 1 {
            let mut hangs = chain().remove(turn);
            hangs["delay_ms"] = json!(30_000);
            hangs["times_per_user"] = json!(1);
            script.push(titled(hangs, &title));
        } else {
            let mut sleeps = chain().remove(turn - 1);
            let command = sleeps["tools"][0]["input"]["command"].as_str().unwrap();
            sleeps["tools"][0] = shell(&format!("sleep 1; {command}"));
            script.push(titled(sleeps, &title));
        }
    }
    script.extend(chain());
    let mut hive = builder(&script).workers(KILLED + 1).start().await;
    let repo = hive.repo("chain", &[("README", "A chain.\n")]);
    let undisturbed = post(&hive, &repo, "Chain").await;
    let mut plans = Vec::new();
    for first in 1..=KILLED {
        let turns: VecDeque<usize> = (first..TURNS).step_by(KILLED).collect();
        plans.push((post(&hive, &repo, &format!("Chain {first}")).await, turns));
    }
    let mut kills = 0;
    within(Duration::from_secs(120), "every planned kill", async || {
        for (id, turns) in &mut plans {
            let Some(&turn) = turns.front() else { continue };
            let steps = if turn % 2 == 1 { 2 * turn } else { 2 * turn - 1 };
            if hive.step_count(*id).await >= i64::try_from(steps).unwrap()
                && kill_holder(&mut hive, *id).await
            {
                turns.pop_front();
                kills += 1;
                hive.launch_worker();
            }
        }
        plans.iter().all(|(_, turns)| turns.is_empty()).then_some(())
    })
    .await;
    assert_eq!(kills, TURNS - 1);

    let tree = assert_whole(&hive, &repo, undisturbed).await;
    assert_eq!(hive.calls(undisturbed).len(), TURNS);
    for (id, _) in plans {
        assert_eq!(assert_whole(&hive, &repo, id).await, tree, "the same files as the undisturbed run");
        let turns: Vec<usize> = hive.calls(id).iter().map(|call| call.turn).collect();
        assert_eq!(turns, (0..TURNS).collect::<Vec<_>>(), "each turn was paid for once");
        assert_eq!(hive.booked(id).await, hive.charged(id));
    }
    hive.all_ready().await;
}

#[tokio::test]
async fn a_reply_that_is_cut_by_a_kill_is_the_only_one_paid_twice() {
    let mut rules = chain();
    // Turn 5 is answered slowly, once for each task: its content has begun, and is charged, when the kill comes.
    let mut slow = rules[5].clone();
    slow["name"] = json!("slow turn 5");
    slow["times_per_user"] = json!(1);
    slow["between_events_ms"] = json!(700);
    rules.insert(0, slow);
    let mut hive = builder(&rules).start().await;
    let repo = hive.repo("chain", &[("README", "A chain.\n")]);

    let id = post(&hive, &repo, "Chain").await;
    let charged = async || (hive.calls(id).len() == 6).then_some(());
    within(Duration::from_secs(60), "the sixth call is charged", charged).await;
    assert!(kill_holder(&mut hive, id).await);
    hive.start_worker().await;

    assert_whole(&hive, &repo, id).await;
    let mut turns: Vec<usize> = hive.calls(id).iter().map(|call| call.turn).collect();
    assert_eq!(turns.len(), TURNS + 1);
    turns.dedup();
    assert_eq!(turns, (0..TURNS).collect::<Vec<_>>());
    let unknown = "SELECT count(*) FROM llm_calls WHERE task_id = $1 AND state = 'intent'";
    assert_eq!(hive.count(unknown, id).await, 1, "the call that nobody knows the outcome of is on record");
}
