//! Rows that cannot be are refused by a constraint that has a name.

use crate::bed::{Bed, outcome};

async fn assert_refused(bed: &Bed, statement: &str, constraint: &str) {
    let error = sqlx::raw_sql(statement).execute(&bed.pool).await.expect_err(statement);
    let error = error.as_database_error().expect("the database refuses").to_owned();
    // A week of the journal has its name in the names of its keys.
    let named = error.constraint().map(|name| match name.split_once("_20") {
        Some((journal, rest)) => format!("{journal}{}", &rest[5..]),
        None => name.to_owned(),
    });
    assert_eq!(named.as_deref(), Some(constraint), "{statement}: {error}");
}

#[tokio::test]
async fn a_task_that_cannot_be_is_refused() {
    let bed = Bed::make().await;
    let ready = bed.enqueue().await;
    let running = bed.enqueue().await;
    bed.claim(running).await;
    let done = bed.enqueue().await;
    bed.settle(done, &outcome("done")).await;
    for (id, change, constraint) in [
        (ready, "status = 'running'", "tasks_lease_only_while_running"),
        (ready, "status = 'running', worker = 'w'", "tasks_lease_only_while_running"),
        (ready, "status = 'running', lease_until = now()", "tasks_lease_only_while_running"),
        (ready, "worker = 'w'", "tasks_lease_only_while_running"),
        (ready, "lease_until = now()", "tasks_lease_only_while_running"),
        (running, "status = 'ready'", "tasks_lease_only_while_running"),
        (running, "worker = NULL", "tasks_lease_only_while_running"),
        (ready, "status = 'succeeded'", "tasks_completed_only_at_end"),
        (ready, "completed_at = now()", "tasks_completed_only_at_end"),
        (done, "completed_at = NULL", "tasks_completed_only_at_end"),
        (done, "status = 'ready'", "tasks_completed_only_at_end"),
        (ready, "status = 'waiting'", "tasks_reason_where_needed"),
        (ready, "status = 'pending'", "tasks_reason_where_needed"),
        (done, "status = 'failed'", "tasks_reason_where_needed"),
        (done, "status = 'cancelled'", "tasks_reason_where_needed"),
        (done, "status = 'dead'", "tasks_reason_where_needed"),
        (ready, "assigned_agent_id = NULL", "tasks_agent_or_duty"),
        (ready, "duty = 'noop'", "tasks_agent_or_duty"),
        (ready, "assigned_agent_id = NULL, duty = 'dance'", "tasks_duty_known"),
        (ready, "agent_version = 99", "tasks_pinned_version"),
        (ready, "priority = 0", "tasks_priority_range"),
        (ready, "priority = 10", "tasks_priority_range"),
        (ready, "max_attempts = 0", "tasks_max_attempts_range"),
        (ready, "title = ''", "tasks_title_length"),
        (ready, "title = repeat('x', 256)", "tasks_title_length"),
        (ready, "repository_url = 'file:///x'", "tasks_repository_whole"),
        (ready, "repository_url = 'file:///x', base_commit = 'c'", "tasks_repository_whole"),
        (ready, "base_ref = 'main'", "tasks_repository_whole"),
    ] {
        assert_refused(&bed, &format!("UPDATE tasks SET {change} WHERE id = '{id}'"), constraint).await;
    }
}

#[tokio::test]
async fn the_rest_of_the_schema_refuses_too() {
    let bed = Bed::make().await;
    let (one, other) = (bed.enqueue().await, bed.enqueue().await);
    let mut lease = bed.claim(one).await;
    bed.append_note(&mut lease, "a step").await;
    let call = bed.store.begin_call(&lease, "claude", b"hash").await.unwrap();
    let agent = bed.agent;
    for (statement, constraint) in [
        (format!("INSERT INTO task_dependencies VALUES ('{one}', '{one}')"), "task_dependencies_not_itself"),
        (
            format!("INSERT INTO task_dependencies VALUES ('{one}', '{agent}')"),
            "task_dependencies_depends_on_fkey",
        ),
        (
            format!(
                "INSERT INTO steps (task_id, seq, epoch, kind, body) VALUES ('{one}', 1, 1, 'note', '{{}}')"
            ),
            "steps_pkey",
        ),
        (
            format!(
                "INSERT INTO steps (task_id, seq, epoch, kind, body) VALUES ('{other}', 0, 1, 'note', '{{}}')"
            ),
            "steps_seq_positive",
        ),
        (format!("INSERT INTO events (task_id, seq, kind) VALUES ('{one}', 1, 'x')"), "events_pkey"),
        (format!("UPDATE llm_calls SET state = 'answered' WHERE id = '{call}'"), "llm_calls_finished"),
        (format!("UPDATE llm_calls SET finished_at = now() WHERE id = '{call}'"), "llm_calls_finished"),
        (format!("UPDATE agents SET version = 2 WHERE id = '{agent}'"), "agents_version_exists"),
        (format!("UPDATE agents SET name = '' WHERE id = '{agent}'"), "agents_name_length"),
        (
            "INSERT INTO artifacts (sha256, bytes, body) VALUES ('x', 1, 'y')".to_owned(),
            "artifacts_sha256_length",
        ),
        (format!("DELETE FROM tasks WHERE id = '{one}'"), "tasks_are_kept"),
    ] {
        assert_refused(&bed, &statement, constraint).await;
    }
}

#[tokio::test]
async fn a_stored_row_that_this_version_cannot_read_is_named() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    bed.execute(&format!("UPDATE tasks SET limits = '{{\"max_dances\": 1}}' WHERE id = '{id}'")).await;
    let error = bed.store.task(id).await.unwrap_err();
    assert_eq!(error.to_string(), format!("tasks.limits of {id} cannot be read"));
}
