//! Showing and listing tasks.

use std::collections::BTreeMap;

use hive_domain::{ProjectId, StatusReason, TaskId, TaskStatus, task::Performer};
use hive_store::{Error, TaskFilter};

use crate::bed::{Bed, new_agent, outcome};

async fn ids(bed: &Bed, filter: &TaskFilter) -> Vec<TaskId> {
    let page = bed.store.tasks(filter, None, 100).await.unwrap();
    assert_eq!(page.next, None);
    page.items.into_iter().map(|task| task.id).collect()
}

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn a_task_that_does_not_exist_is_not_found() {
    let bed = Bed::make().await;
    let id = TaskId::new();
    let error = bed.store.task(id).await.unwrap_err();
    assert!(
        matches!(&error, Error::NotFound { what: "task", id: named } if *named == id.to_string()),
        "{error:?}"
    );
}

#[tokio::test]
async fn pages_have_neither_gaps_nor_repeats_while_tasks_are_added() {
    let bed = Bed::make().await;
    let mut expected = Vec::new();
    for _ in 0..23 {
        expected.push(bed.enqueue().await);
    }
    expected.sort();
    expected.reverse();
    for limit in [1, 4, 22, 23, 24] {
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = bed.store.tasks(&TaskFilter::default(), cursor, limit).await.unwrap();
            assert!(page.items.len() <= usize::try_from(limit).unwrap());
            seen.extend(page.items.iter().map(|task| task.id));
            assert!(seen.len() <= expected.len(), "limit {limit} repeats");
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
            assert_eq!(cursor, seen.last().copied());
            // A newer task lies before the first page and disturbs none that follow.
            let newer = bed.enqueue().await;
            bed.execute(&format!("DELETE FROM events WHERE task_id = '{newer}'")).await;
            bed.execute(&format!("DELETE FROM tasks WHERE id = '{newer}'")).await;
        }
        assert_eq!(seen, expected, "limit {limit}");
    }
}

#[tokio::test]
async fn each_filter_filters() {
    let bed = Bed::make().await;
    let other_agent = new_agent("tester", "qa");
    bed.store.create_agent(&other_agent).await.unwrap();
    let ready = bed.enqueue().await;
    let limited = bed.enqueue().await;
    bed.settle(limited, &outcome("wait")).await;
    let retried = bed.enqueue().await;
    bed.settle(retried, &outcome("retry")).await;
    let done = bed.enqueue_with(|new| new.performer = Performer::Agent(other_agent.id)).await;
    bed.settle(done, &outcome("done")).await;

    let all = TaskFilter::default;
    let newest_first = |mut ids: Vec<TaskId>| {
        ids.sort();
        ids.reverse();
        ids
    };
    let statuses = |statuses: &[TaskStatus]| TaskFilter { statuses: statuses.to_vec(), ..all() };
    for (filter, expected) in [
        (all(), vec![ready, limited, retried, done]),
        (statuses(&[TaskStatus::Ready]), vec![ready]),
        (statuses(&[TaskStatus::Waiting]), vec![limited, retried]),
        (statuses(&[TaskStatus::Waiting, TaskStatus::Succeeded]), vec![limited, retried, done]),
        (statuses(&[TaskStatus::Dead]), vec![]),
        (TaskFilter { reason: Some(StatusReason::RateLimited), ..all() }, vec![limited]),
        (TaskFilter { agent: Some(other_agent.id), ..all() }, vec![done]),
        (TaskFilter { project: Some(ProjectId::DEFAULT), ..all() }, vec![ready, limited, retried, done]),
        (TaskFilter { project: Some(ProjectId::new()), ..all() }, vec![]),
        (
            TaskFilter {
                agent: Some(bed.agent),
                reason: Some(StatusReason::Retry),
                ..statuses(&[TaskStatus::Waiting])
            },
            vec![retried],
        ),
    ] {
        assert_eq!(ids(&bed, &filter).await, newest_first(expected), "{filter:?}");
    }
    let since = bed.task(retried).await.created_at;
    let recent = TaskFilter { created_since: Some(since), ..all() };
    assert_eq!(
        ids(&bed, &recent).await,
        newest_first(vec![retried, done]),
        "from this moment on, itself included"
    );
}

#[tokio::test]
async fn a_label_filter_wants_all_its_labels() {
    let bed = Bed::make().await;
    let plain = bed.enqueue().await;
    let shop = bed.enqueue_with(|new| new.labels = labels(&[("team", "shop")])).await;
    let both = bed.enqueue_with(|new| new.labels = labels(&[("team", "shop"), ("tier", "1")])).await;
    for (wanted, expected) in [
        (labels(&[]), vec![both, shop, plain]),
        (labels(&[("team", "shop")]), vec![both, shop]),
        (labels(&[("team", "shop"), ("tier", "1")]), vec![both]),
        (labels(&[("tier", "1")]), vec![both]),
        (labels(&[("team", "shops")]), vec![]),
        (labels(&[("shop", "team")]), vec![]),
    ] {
        let filter = TaskFilter { labels: wanted, ..TaskFilter::default() };
        assert_eq!(ids(&bed, &filter).await, expected, "{filter:?}");
    }
}
