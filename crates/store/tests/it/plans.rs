//! Statements that run all the time find their rows by an index, also when the table is large.
//!
//! The statements are those that the build recorded for its checks, so that the plans are of the code itself.

mod agents;
mod context_outcomes;
mod messages;
mod nights;
mod ready;
mod system_events;

use std::{collections::BTreeSet, fs, path::Path};

use hive_domain::TaskId;

use crate::bed::Bed;

/// The recorded statement that contains all these words.
fn recorded(words: &[&str]) -> String {
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.sqlx");
    let mut found: Vec<String> = fs::read_dir(&recorded)
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .map(|text| {
            serde_json::from_str::<serde_json::Value>(&text).unwrap()["query"].as_str().unwrap().to_owned()
        })
        .filter(|statement| words.iter().all(|word| statement.contains(word)))
        .collect();
    assert_eq!(found.len(), 1, "{words:?} names one statement");
    found.remove(0)
}

/// 20,000 tasks as they are found after a while: most ended, some of each state that is looked for, many that wait
/// for a task that does not end.
async fn large_table() -> Bed {
    let bed = Bed::make().await;
    bed.execute(
        "INSERT INTO tasks (id, project_id, title, duty, created_by, status, status_reason, run_at, worker, lease_until,
                            announced_at, completed_at, labels, concurrency_key, deadline, isolated, priority)
         SELECT (left(replace(first_id_of(now() + n % 5 * interval '168 hours')::text, '-', ''), 12)
                 || right(replace(gen_random_uuid()::text, '-', ''), 20))::uuid,
                '00000000-0000-7000-8000-000000000001', 'task ' || n, 'noop', 'a test',
                status::task_status, reason::status_reason, now() + n * interval '1 ms',
                CASE WHEN status = 'running' THEN 'w' END,
                CASE WHEN status = 'running' THEN now() + interval '10 s' END,
                CASE WHEN status = 'ready' THEN now() END,
                CASE WHEN status IN ('succeeded', 'failed') THEN now() END,
                CASE WHEN n % 1000 = 0 THEN '{\"rare\": \"yes\"}'::jsonb ELSE '{}' END,
                CASE WHEN reason = 'concurrency' OR n % 3 = 0 THEN 'key ' || n % 50 END,
                CASE WHEN n % 4 = 0 THEN now() + n * interval '1 min' END,
                status = 'ready' AND n % 20 = 1, 1 + n % 9
         FROM (SELECT n, CASE WHEN n % 1000 < 5 THEN 'running' WHEN n % 1000 < 12 THEN 'ready'
                              WHEN n % 1000 < 22 THEN 'waiting' WHEN n % 1000 < 132 THEN 'pending'
                              WHEN n % 1000 < 142 THEN 'failed' ELSE 'succeeded' END AS status,
                      CASE WHEN n % 1000 < 12 THEN NULL WHEN n % 1000 < 17 THEN 'retry'
                           WHEN n % 1000 < 22 THEN 'rate_limited' WHEN n % 1000 < 122 THEN 'dependencies'
                           WHEN n % 1000 < 132 THEN 'concurrency'
                           WHEN n % 1000 < 142 THEN 'verification_failed' END AS reason
               FROM generate_series(1, 20000) AS n) AS kinds;
         INSERT INTO task_limits (kind, name, max_running, max_starts, per_seconds)
         SELECT 'key', 'key ' || n, 2, CASE WHEN n % 2 = 0 THEN 30 END, CASE WHEN n % 2 = 0 THEN 60 END
         FROM generate_series(0, 49) AS n;
         INSERT INTO task_dependencies (task_id, depends_on)
         SELECT child.id, parent.id
         FROM (SELECT id, row_number() OVER () % 100 AS n FROM tasks
               WHERE status_reason = 'dependencies') AS child
         JOIN (SELECT id, row_number() OVER () - 1 AS n FROM tasks WHERE status = 'waiting') AS parent USING (n);
         INSERT INTO events (task_id, seq, kind) SELECT id, 1, 'task.created' FROM tasks;
         INSERT INTO steps (task_id, seq, epoch, kind, body) SELECT id, 1, 1, 'note', '{}' FROM tasks;
         INSERT INTO llm_calls (id, task_id, seq, epoch, model, request_sha256)
         SELECT gen_random_uuid(), id, n, 1, 'claude', 'x' FROM tasks CROSS JOIN generate_series(1, 3) AS n;
         ANALYZE;",
    )
    .await;
    bed
}

/// What a worker's session is set to.
const LOOKUPS: &str = "force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_bitmapscan = off";

/// The plan of a statement for these arguments, as it is chosen once (`force_generic_plan`) or each time.
async fn plan(bed: &Bed, statement: &str, mode: &str, arguments: &str) -> String {
    let mut connection = bed.pool.acquire().await.unwrap();
    sqlx::raw_sql(&format!("SET plan_cache_mode = {mode}; PREPARE looked_at AS {statement}"))
        .execute(&mut *connection)
        .await
        .unwrap();
    let arguments = if arguments.is_empty() { String::new() } else { format!("({arguments})") };
    let lines: Vec<String> = sqlx::query_scalar(&format!("EXPLAIN EXECUTE looked_at {arguments}"))
        .persistent(false)
        .fetch_all(&mut *connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    lines.join("\n")
}

fn assert_uses(plan: &str, what: &str, indexes: &[&str]) {
    // The nets are empty.
    let plan: String = plan
        .lines()
        .filter(|line| !line.contains("Seq Scan on") || !line.contains("_default "))
        .collect::<Vec<_>>()
        .join("\n");
    let plan = plan.as_str();
    for table in ["tasks", "events", "steps", "llm_calls", "task_dependencies"] {
        assert!(!plan.contains(&format!("Seq Scan on {table}")), "{what}:\n{plan}");
    }
    // Over a group of tasks a plan names all weeks, and looks for each task into its own.
    let by_row =
        plan.contains("Index Cond: ((task_id = task") || plan.contains("Index Cond: (task_id = task");
    for journal in ["events", "steps", "llm_calls"].into_iter().filter(|_| !by_row) {
        let weeks: BTreeSet<&str> = plan
            .split_whitespace()
            .filter_map(|word| word.strip_prefix(journal)?.strip_prefix('_')?.get(..7))
            .filter(|week| week.as_bytes()[4] == b'w' || *week == "default")
            .collect();
        assert!(weeks.len() <= 1, "{what} looks into several weeks of {journal}: {weeks:?}\n{plan}");
    }
    // The index of a week has the week in its name.
    let plan = without_weeks(plan);
    for index in indexes {
        assert!(plan.contains(index), "{what} does not use {index}:\n{plan}");
    }
}

/// An index that is read from end to end is a table that is.
fn assert_bounded(plan: &str, what: &str) {
    let lines: Vec<&str> = plan.lines().collect();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.contains("tasks_pkey")) {
        let bounded = lines.iter().skip(at + 1).take(2).any(|line| line.contains("Index Cond"));
        assert!(bounded, "{what} reads all of tasks: {line}\n{plan}");
    }
}

fn without_weeks(plan: &str) -> String {
    let words = plan.split_inclusive(char::is_whitespace).map(|word| {
        let week = ["events_", "steps_", "llm_calls_"].iter().find_map(|journal| {
            let week = word.strip_prefix(journal)?.get(..7)?;
            (week.as_bytes()[4] == b'w').then_some(week)
        });
        week.map_or_else(|| word.to_owned(), |week| word.replacen(&format!("{week}_"), "", 1))
    });
    words.collect()
}

#[tokio::test]
async fn hot_statements_use_their_indexes() {
    let bed = large_table().await;
    let id = format!("'{}'", TaskId::new());
    let usage = "1, 0, 0, 0, 0";
    let ids = format!("ARRAY[{id}]::uuid[]");
    let claim = "10, 'task.started', 1::smallint";
    let counts = "ARRAY[0], ARRAY[0], ARRAY[0], ARRAY[0], ARRAY[0]";
    for (what, words, arguments, indexes) in [
        (
            "claims in a group",
            &["attempt = attempt + 1", "AS w (id, epoch"][..],
            format!("{claim}, {ids}, ARRAY[0], ARRAY['w'], ARRAY[false]"),
            &["tasks_pkey"][..],
        ),
        (
            "claim_next",
            &["attempt = attempt + 1", "ORDER BY t.priority, t.run_at, t.id LIMIT $6"],
            format!("{claim}, 'w', false, 16"),
            &["tasks_ready_by_urgency", "tasks_pkey"],
        ),
        (
            "claim_oldest",
            &["attempt = attempt + 1", "ORDER BY t.run_at LIMIT $6"],
            format!("{claim}, 'w', false, 1"),
            &["tasks_ready_by_age", "tasks_pkey"],
        ),
        (
            "a claim with a rate",
            &["attempt = attempt + 1", "WHERE id = $5"],
            format!("{claim}, 'w', {id}, 0"),
            &["(id = "],
        ),
        (
            "the limits of a claim",
            &["AS one", "FOR UPDATE OF l"],
            format!("{id}, 0, false"),
            &["(id = "],
        ),
        (
            "the gates of a claim",
            &["l.starts,", "clock_timestamp() AS"],
            format!("{id}, 0, false"),
            &["(id = "],
        ),
        (
            "the line of a gate",
            &["SELECT run_at FROM tasks"],
            "'key', 'key 1', 10000".to_owned(),
            &["tasks_parked"],
        ),
        (
            "hasten",
            &["WITH parked AS MATERIALIZED"],
            "'key key 1 may start ', 10000, 3, 60".to_owned(),
            &["tasks_parked", "tasks_pkey"],
        ),
        (
            "park",
            &["SET status = 'waiting', status_reason = 'rate_limited'"],
            format!("{id}, 0, 'd', now(), 'task.waiting', 'rate_limited'"),
            &["(id = "],
        ),
        ("admit", &["WITH room AS"], "ARRAY['key 1'], 'task.ready'".to_owned(), &["tasks_by_key", "tasks_pkey"]),
        (
            "the keys with a free place",
            &["WITH RECURSIVE k (key)"],
            "500".to_owned(),
            &["tasks_at_key", "tasks_by_key"],
        ),
        ("renew", &["AS held (id, epoch)"], format!("{ids}, ARRAY[1], 10"), &["tasks_pkey"]),
        (
            "claims that were not renewed",
            &["AND lease_until <= claimed_at"],
            "'w', now(), 8".to_owned(),
            &["tasks_by_status"],
        ),
        (
            "strays that are handed back",
            &["AS stray (id, epoch)"],
            format!("{ids}, ARRAY[1], 'w', 'drained', 'task.ready'"),
            &["tasks_pkey"],
        ),
        (
            "append",
            &["next_seq = t.next_seq + g.steps", "deaths = 0"],
            format!(
                "{ids}, ARRAY[1], ARRAY[1], ARRAY[1], {ids}, ARRAY[NULL], {counts}, {ids}, ARRAY['m'],
                 ARRAY['x'::bytea], ARRAY[1], ARRAY[1], ARRAY['note'], ARRAY['{{}}'], ARRAY[NULL], ARRAY[NULL],
                 ARRAY['{{}}'::jsonb], 10, 'task.step', {id}, {id}, ARRAY['rule'], ARRAY[1], ARRAY[1], ARRAY[0]"
            ),
            &["tasks_pkey", "llm_calls_"],
        ),
        (
            "settle",
            &["AS \"has_dependents!\""],
            format!(
                "{ids}, ARRAY[1], ARRAY['waiting'], ARRAY['retry'], ARRAY['d'], ARRAY[60], ARRAY[NULL]::jsonb[],
                 ARRAY[true], ARRAY['task.waiting'], ARRAY['{{}}'::jsonb], ARRAY[NULL]"
            ),
            &["tasks_pkey", "task_dependencies_open"],
        ),
        (
            "expire_leases",
            &["stopped renewing its lease"],
            "1000, 'task.orphaned', 'task.dead', 2".to_owned(),
            &["tasks_by_status", "tasks_pkey"],
        ),
        (
            "expire_deadlines",
            &["WITH late AS"],
            "1000, 'task.failed'".to_owned(),
            &["tasks_by_deadline", "tasks_pkey"],
        ),
        ("wake_due", &["WITH due AS", "concurrency_key IS NULL THEN 'ready'"], "1000, 'task.ready', 'task.waiting'".to_owned(), &["tasks_parked"]),
        (
            "stale_tickets",
            &["AS room (first, last, places)"],
            "ARRAY[1, 3, 5, 7], ARRAY[2, 4, 6, 9], ARRAY[100, 100, 100, 100], 5".to_owned(),
            &["tasks_ready_by_urgency", "tasks_pkey"],
        ),
        ("aged_tickets", &["WITH aged AS"], "300, 5, 200".to_owned(), &["tasks_ready_by_age", "tasks_pkey"]),
        (
            "isolated_tickets",
            &["ORDER BY t.id LIMIT greatest($1"],
            "100, 5".to_owned(),
            &["tasks_isolated", "tasks_pkey"],
        ),
        ("oldest_ready", &["AS \"seconds!\"", "ORDER BY t.run_at LIMIT 1"], "".to_owned(), &["tasks_ready_by_age"]),
        ("census", &["AS \"lapsed!\""], String::new(), &["tasks_by_status"]),
        (
            "the dependents of one",
            &["d.depends_on = $1", "FOR NO KEY UPDATE"],
            format!("{id}, 1000"),
            &["task_dependencies_open"],
        ),
        (
            "begin_call",
            &["SELECT id, task_id, seq, epoch, model, request_sha256, route::route_reason, routing_version, worst_case"],
            format!("{ids}, {ids}, ARRAY[1], ARRAY[1], ARRAY['claude'], ARRAY['x'::bytea], ARRAY['rule'], ARRAY[1], ARRAY[1]"),
            &["tasks_pkey"],
        ),
        (
            "fail_call",
            &["WITH failed AS"],
            format!("{id}, 'cut', NULL, {usage}, {id}, 0, true"),
            &["llm_calls_", "id = failed.task_id"],
        ),
        ("events_after", &["FROM events", "LIMIT $3"], format!("{id}, 0, 100"), &["events_pkey"]),
        ("steps", &["FROM steps", "LIMIT $3"], format!("{id}, 0, 100"), &["steps_pkey"]),
    ] {
        let statement = recorded(words);
        for mode in ["force_generic_plan", "force_custom_plan", LOOKUPS] {
            let plan = plan(&bed, &statement, mode, &arguments).await;
            let what = format!("{what}, {mode}");
            assert_uses(&plan, &what, indexes);
            assert_bounded(&plan, &what);
        }
    }
}

/// A worker's statements are planned once, maybe when nothing was there. The plans must be good for what comes later.
#[tokio::test]
async fn a_worker_that_planned_on_empty_tables_looks_rows_up() {
    let bed = Bed::make().await;
    bed.execute("ANALYZE").await;
    for (what, words, arguments) in [
        (
            "claim",
            vec!["Of two tickets for one task"],
            "10, 'e', 1, ARRAY[]::uuid[], ARRAY[]::bigint[], ARRAY[]::text[], ARRAY[]::boolean[]",
        ),
        ("renew", vec!["AS held (id, epoch)"], "ARRAY[]::uuid[], ARRAY[]::bigint[], 10"),
        (
            "settle",
            vec!["Of two ends of one run"],
            "ARRAY[]::uuid[], ARRAY[]::bigint[], ARRAY[]::text[], ARRAY[]::text[], ARRAY[]::text[], ARRAY[]::float8[], ARRAY[]::jsonb[], ARRAY[]::boolean[], ARRAY[]::text[], ARRAY[]::jsonb[], ARRAY[]::text[]",
        ),
        (
            "append",
            vec!["Of two tries of one step"],
            "ARRAY[]::uuid[], ARRAY[]::bigint[], ARRAY[]::integer[], ARRAY[]::integer[], ARRAY[]::uuid[], ARRAY[]::text[], ARRAY[]::bigint[], ARRAY[]::bigint[], ARRAY[]::bigint[], ARRAY[]::bigint[], ARRAY[]::bigint[], ARRAY[]::uuid[], ARRAY[]::text[], ARRAY[]::bytea[], ARRAY[]::bigint[], ARRAY[]::integer[], ARRAY[]::text[], ARRAY[]::text[], ARRAY[]::text[], ARRAY[]::text[], ARRAY[]::jsonb[], 10, 'e', NULL, NULL, ARRAY[]::text[], ARRAY[]::integer[], ARRAY[]::bigint[], ARRAY[]::bigint[]",
        ),
        (
            "begin_call",
            vec![
                "SELECT id, task_id, seq, epoch, model, request_sha256, route::route_reason, routing_version, worst_case",
            ],
            "ARRAY[]::uuid[], ARRAY[]::uuid[], ARRAY[]::bigint[], ARRAY[]::integer[], ARRAY[]::text[], ARRAY[]::bytea[], ARRAY[]::text[], ARRAY[]::integer[], ARRAY[]::bigint[]",
        ),
    ] {
        let plan = plan(&bed, &recorded(&words), LOOKUPS, arguments).await;
        let lines: Vec<&str> = plan.lines().collect();
        let of_tasks =
            lines.iter().enumerate().filter(|(_, line)| line.contains(" on tasks") && line.contains("Scan"));
        for (at, scan) in of_tasks {
            assert!(
                scan.contains("tasks_pkey") && lines[at + 1].contains("Index Cond: (id = "),
                "{what}:\n{plan}"
            );
        }
    }
}

/// Tasks that wait for a task have a time long past; they must not stand in the way of those whose time came.
#[tokio::test]
async fn what_waits_for_a_task_is_not_looked_at_for_its_time() {
    let bed = large_table().await;
    let filtered = "SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                    WHERE c.relname = 'tasks_parked' AND c.reltuples BETWEEN 150 AND 250";
    assert_eq!(bed.number(filtered).await, 1, "the 200 that wait, and not the 2,000 that depend");
}

#[tokio::test]
async fn lists_use_an_index_for_what_they_filter_by() {
    let bed = large_table().await;
    let statement = recorded(&["t.labels @>", "LIMIT $15"]);
    let some = "'00000000-0000-7000-8000-000000000001'";
    let list = |statuses: &str, agent: &str, labels: &str, session: &str, cursor: &str| {
        format!(
            "NULL, '{{{statuses}}}', NULL, {agent}, '{labels}', NULL, NULL, {session}, NULL, NULL, NULL, NULL, NULL, \
             {cursor}, 51"
        )
    };
    for (what, arguments, index) in [
        ("everything", list("", "NULL", "{}", "NULL", "NULL"), "tasks_pkey"),
        ("a page", list("", "NULL", "{}", "NULL", some), "tasks_pkey"),
        ("failed ones", list("failed", "NULL", "{}", "NULL", "NULL"), "tasks_by_status"),
        ("an agent's", list("", &format!("'{}'", bed.agent), "{}", "NULL", "NULL"), "tasks_by_agent"),
        ("a label", list("", "NULL", r#"{"rare": "yes"}"#, "NULL", "NULL"), "tasks_by_label"),
        ("a session's", list("", "NULL", "{}", some, "NULL"), "tasks_by_session"),
    ] {
        let plan = plan(&bed, &statement, "force_custom_plan", &arguments).await;
        assert_uses(&plan, what, &[index]);
    }
}

/// Postgres then writes the new row beside the old one, and none of the indexes (a heap-only tuple).
#[tokio::test]
async fn steps_and_renewals_write_no_index_of_tasks() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let mut lease = bed.claim(id).await;
    let indexed: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT a.attname::text FROM pg_index i
         JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
         WHERE i.indrelid = 'tasks'::regclass ORDER BY 1",
    )
    .fetch_all(&bed.pool)
    .await
    .unwrap();
    let row = async || bed.rows(id).await["task"].as_object().cloned().unwrap();
    let before = row().await;
    bed.append_note(&mut lease, "a step").await;
    bed.store.renew(&[(id, lease.epoch())]).await.unwrap();
    let after = row().await;
    let changed: Vec<&String> = after.keys().filter(|name| before[*name] != after[*name]).collect();
    assert!(changed.iter().any(|name| *name == "lease_until"), "{changed:?}");
    for name in changed {
        assert!(!indexed.contains(name), "{name} changes with each step and is indexed");
    }
}

/// Looking for violations is safe beside a million of tasks: a page is found by the ids of its tasks.
#[tokio::test]
async fn every_check_reads_its_page_by_index() {
    let bed = large_table().await;
    let page: Vec<String> = sqlx::query_scalar("SELECT id::text FROM tasks ORDER BY id LIMIT 50")
        .fetch_all(&bed.pool)
        .await
        .unwrap();
    let page = format!("'{{{}}}'", page.join(","));
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.sqlx");
    let mut checks = 0;
    for entry in fs::read_dir(recorded).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let text: serde_json::Value = serde_json::from_str(&text).unwrap();
        let statement = text["query"].as_str().unwrap();
        if statement.contains("AS \"evidence!\"") && statement.contains("= ANY ($1)") {
            for mode in ["force_generic_plan", "force_custom_plan"] {
                let plan = plan(&bed, statement, mode, &page).await;
                // A page may span weeks; one that holds nothing costs nothing, however it is read.
                let read_whole = |line: &&str| {
                    ["tasks", "events", "steps", "llm_calls", "task_dependencies"]
                        .iter()
                        .any(|table| line.contains(&format!("Seq Scan on {table}")))
                        && !line.contains("(cost=0.00..0.00 ")
                };
                assert_eq!(plan.lines().find(read_whole), None, "{statement}:\n{plan}");
            }
            checks += 1;
        }
    }
    assert_eq!(checks, hive_store::verify::checks().count(), "every check was looked at");
    let by_status = recorded_page("status = $1");
    let arguments = "'succeeded', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 500";
    assert_uses(&plan(&bed, &by_status, "force_custom_plan", arguments).await, "pages", &["tasks_by_status"]);
}

fn recorded_page(word: &str) -> String {
    recorded(&["SELECT id FROM tasks", "ORDER BY id DESC", word])
}
