//! Waiting for further tasks, never in a circle.

use std::collections::BTreeSet;

use hive_domain::{StatusReason, TaskId, TaskStatus, task::DependencyPolicy::Fail};
use hive_store::{Claimant, Error};
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::bed::{Bed, outcome};

#[tokio::test]
async fn a_ready_task_waits_from_then_on_and_runs_after() {
    let bed = Bed::make().await;
    let (first, second) = (bed.enqueue().await, bed.enqueue().await);
    let task = bed.store.depend(second, &[first, first], "ada").await.unwrap();
    assert_eq!((task.status, task.reason), (TaskStatus::Pending, Some(StatusReason::Dependencies)));
    assert_eq!((&*task.dependencies, bed.task(second).await.dependencies), (&[first][..], vec![first]));
    assert!(
        bed.store.claim(second, 0, &Claimant::ordinary("worker")).await.unwrap().is_none(),
        "its ticket finds nothing"
    );
    let event = bed.events(second).await.pop().unwrap();
    assert_eq!(event.kind, "task.dependencies_added");
    assert_eq!(event.data, serde_json::json!({ "actor": "ada", "depends_on": [first] }));
    bed.store.depend(second, &[first], "ada").await.unwrap();
    bed.settle(first, &outcome("done")).await;
    bed.reconcile().await;
    bed.assert_stands(second, TaskStatus::Ready, None).await;
}

#[tokio::test]
async fn what_has_begun_or_ended_waits_for_nothing_more() {
    let bed = Bed::make().await;
    let other = bed.enqueue().await;
    let running = bed.enqueue().await;
    bed.claim(running).await;
    let waiting = bed.enqueue().await;
    bed.settle(waiting, &outcome("wait")).await;
    let handed_back = bed.enqueue().await;
    bed.settle(handed_back, &outcome("yield")).await;
    let done = bed.enqueue().await;
    bed.settle(done, &outcome("done")).await;
    for id in [running, waiting, handed_back, done] {
        let before = bed.rows(id).await;
        let error = bed.store.depend(id, &[other], "ada").await.unwrap_err();
        assert!(matches!(error, Error::Conflict { code: "task_started", .. }), "{error:?}");
        assert_eq!(bed.rows(id).await, before);
    }
    let missing = bed.store.depend(TaskId::new(), &[other], "ada").await.unwrap_err();
    assert!(matches!(missing, Error::NotFound { .. }), "{missing:?}");
    let error = bed.store.depend(other, &[TaskId::new()], "ada").await.unwrap_err();
    assert!(matches!(error, Error::Invalid { field: "/depends_on", .. }), "{error:?}");
}

#[tokio::test]
async fn one_task_waits_for_a_hundred_at_most() {
    let bed = Bed::make().await;
    let many: Vec<_> = (0..101).map(|_| bed.new_task()).collect();
    let ids: Vec<TaskId> =
        bed.store.enqueue_many(&many).await.unwrap().into_iter().map(|task| task.id).collect();
    let id = bed.enqueue_after(&ids[..60], Fail).await;
    bed.store.depend(id, &ids[50..100], "ada").await.unwrap();
    let error = bed.store.depend(id, &ids[100..], "ada").await.unwrap_err();
    assert!(matches!(error, Error::Invalid { field: "/depends_on", .. }), "{error:?}");
    assert_eq!(bed.task(id).await.dependencies.len(), 100);
}

/// Edges that were accepted, and by definition whether one more would close a circle.
#[derive(Default)]
struct Model(BTreeSet<(usize, usize)>);

impl Model {
    fn leads_to(&self, from: usize, to: usize) -> bool {
        let (mut open, mut seen) = (vec![from], BTreeSet::new());
        while let Some(node) = open.pop() {
            if node == to {
                return true;
            }
            if seen.insert(node) {
                open.extend(self.0.range((node, 0)..=(node, usize::MAX)).map(|(_, next)| *next));
            }
        }
        false
    }
}

/// A thousand random graphs: what the store accepts and refuses is what a model does that knows only the definition.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_graphs_are_refused_exactly_at_the_edge_that_closes_a_circle() {
    let bed = std::sync::Arc::new(Bed::make().await);
    let mut lanes = tokio::task::JoinSet::new();
    for lane in 0..4_u64 {
        let bed = std::sync::Arc::clone(&bed);
        lanes.spawn(async move {
            let mut refused = 0;
            for graph in 0..250 {
                refused += random_graph(&bed, lane * 1_000 + graph).await;
            }
            refused
        });
    }
    let refused: usize = lanes.join_all().await.into_iter().sum();
    assert!(refused > 300, "only {refused} circles were tried: the graphs are too thin to mean much");
}

async fn random_graph(bed: &Bed, seed: u64) -> usize {
    let mut random = StdRng::seed_from_u64(seed);
    let nodes = random.random_range(2..7);
    let new: Vec<_> = (0..nodes).map(|_| bed.new_task()).collect();
    let ids: Vec<TaskId> =
        bed.store.enqueue_many(&new).await.unwrap().into_iter().map(|task| task.id).collect();
    let (mut model, mut refused) = (Model::default(), 0);
    for _ in 0..nodes {
        let from = random.random_range(0..nodes);
        let to: BTreeSet<usize> =
            (0..random.random_range(1..3)).map(|_| random.random_range(0..nodes)).collect();
        let awaited: Vec<TaskId> = to.iter().map(|to| ids[*to]).collect();
        match bed.store.depend(ids[from], &awaited, "ada").await {
            Ok(_) => {
                assert!(
                    !to.iter().any(|to| model.leads_to(*to, from)),
                    "graph {seed}: a circle was accepted"
                );
                model.0.extend(to.into_iter().map(|to| (from, to)));
            }
            Err(Error::Cycle(cycle)) => {
                assert!(
                    to.iter().any(|to| model.leads_to(*to, from)),
                    "graph {seed}: refused without a circle"
                );
                assert!(cycle.contains(&ids[from]));
                let place = |id: &TaskId| ids.iter().position(|known| known == id).unwrap();
                for (n, id) in cycle.iter().enumerate() {
                    let (one, next) = (place(id), place(&cycle[(n + 1) % cycle.len()]));
                    let new = one == from && to.contains(&next);
                    assert!(new || model.0.contains(&(one, next)), "graph {seed}: {cycle:?} is no circle");
                }
                refused += 1;
            }
            Err(error) => panic!("graph {seed}: {error:?}"),
        }
    }
    refused
}

/// Each edge is fine alone; all of them together are a ring. Exactly one must be refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edges_that_close_a_circle_only_together_are_not_all_accepted() {
    let bed = Bed::make().await;
    for round in 0..15 {
        let size = 2 + round % 7;
        let new: Vec<_> = (0..size).map(|_| bed.new_task()).collect();
        let ids: Vec<TaskId> =
            bed.store.enqueue_many(&new).await.unwrap().into_iter().map(|task| task.id).collect();
        let start = std::sync::Arc::new(tokio::sync::Barrier::new(size));
        let mut edges = tokio::task::JoinSet::new();
        for n in 0..size {
            let (store, start) = (bed.store.clone(), std::sync::Arc::clone(&start));
            let (from, to) = (ids[n], ids[(n + 1) % size]);
            edges.spawn(async move {
                start.wait().await;
                store.depend(from, &[to], "ada").await
            });
        }
        let mut refused = 0;
        for answer in edges.join_all().await {
            match answer {
                Ok(_) => {}
                Err(Error::Cycle(cycle)) => {
                    assert_eq!(cycle.len(), size);
                    refused += 1;
                }
                Err(error) => panic!("{error:?}"),
            }
        }
        assert_eq!(refused, 1, "round {round}");
    }
}
