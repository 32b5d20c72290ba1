//! What is ready is taken in an order, a few at a time, however much of it there is.

use super::{LOOKUPS, plan, recorded};
use crate::bed::Bed;

/// After thousands of tasks have come and gone, statistics say that nothing is ready and that its indexes are large. What
/// comes then is still taken in the order of an index, a few at a time, and never sorted as a whole.
#[tokio::test]
async fn what_is_ready_is_read_in_order_after_many_came_and_went() {
    let bed = Bed::make().await;
    // It would count those that are ready whenever it came by.
    bed.execute("ALTER TABLE tasks SET (autovacuum_enabled = false)").await;
    let many = |count: i32| {
        format!(
            "INSERT INTO tasks (id, project_id, title, duty, created_by, status)
             SELECT gen_random_uuid(), '00000000-0000-7000-8000-000000000001', 'x', 'noop', 'a test', 'ready'
             FROM generate_series(1, {count})"
        )
    };
    bed.execute(&many(20_000)).await;
    bed.execute("UPDATE tasks SET status = 'running', worker = 'w', lease_until = now()").await;
    bed.execute(
        "UPDATE tasks SET status = 'succeeded', worker = NULL, lease_until = NULL, completed_at = now()",
    )
    .await;
    bed.execute("VACUUM ANALYZE tasks").await;
    bed.execute(&many(2_000)).await;
    let claim = "10, 'task.started', 1::smallint, 'w', false, 16";
    for (what, words, arguments, index) in [
        (
            "claim_next",
            &["attempt = attempt + 1", "ORDER BY t.priority, t.run_at, t.id LIMIT $6"][..],
            claim,
            "tasks_ready_by_urgency",
        ),
        (
            "claim_oldest",
            &["attempt = attempt + 1", "ORDER BY t.run_at LIMIT $6"],
            claim,
            "tasks_ready_by_age",
        ),
        ("aged_tickets", &["WITH aged AS"], "300, 5, 200", "tasks_ready_by_age"),
        ("oldest_ready", &["AS \"seconds!\"", "ORDER BY t.run_at LIMIT 1"], "", "tasks_ready_by_age"),
        (
            "stale_tickets",
            &["WITH stale AS", "room (first"],
            "ARRAY[1], ARRAY[9], ARRAY[100], 5",
            "tasks_ready_by_urgency",
        ),
        ("rated_tickets", &["WITH rated AS"], "5, 100", "tasks_ready_by_urgency"),
    ] {
        for mode in ["force_generic_plan", "force_custom_plan", LOOKUPS] {
            let plan = plan(&bed, &recorded(words), mode, arguments).await;
            let at = plan.lines().position(|line| line.contains(index));
            let scan = at.unwrap_or_else(|| panic!("{what}, {mode} does not use {index}:\n{plan}"));
            // What is above the scan has it inside; only the order of the few that were taken may be a sort.
            let depth = |line: &str| line.len() - line.trim_start().len();
            let inside = depth(plan.lines().nth(scan).unwrap());
            let lock =
                plan.lines().take(scan).filter(|line| line.contains("Limit")).map(depth).max().unwrap();
            let sorted = plan
                .lines()
                .take(scan)
                .filter(|line| line.contains("Sort  ("))
                .any(|line| (lock..inside).contains(&depth(line)));
            assert!(!sorted, "{what}, {mode} sorts all that is ready:\n{plan}");
        }
    }
}
