//! Taking the lease of a ready task.

use hive_domain::{
    ProjectId, TaskStatus,
    event::EventKind,
    task::{Awaiting, Performer, Repository},
};
use hive_store::Claimant;

use crate::bed::{Bed, WORKER, definition, new_agent, outcome};

#[tokio::test]
async fn one_of_fifty_claims_of_a_ticket_wins() {
    let bed = Bed::make().await;
    // Four tickets of the same pool, so that a lucky order does not hide a race.
    for _ in 0..4 {
        let id = bed.enqueue().await;
        let mut claims = tokio::task::JoinSet::new();
        for worker in 0..50 {
            let store = bed.store.clone();
            claims.spawn(async move {
                store.claim(id, 0, &Claimant::ordinary(&format!("worker-{worker}"))).await.unwrap()
            });
        }
        let won: Vec<_> = claims.join_all().await.into_iter().flatten().collect();
        assert_eq!(won.len(), 1);
        assert_eq!((won[0].epoch(), won[0].leased.attempt, won[0].next_seq()), (1, 1, 1));
        assert_eq!(bed.event_kinds(id).await, ["task.created", "task.started"]);
    }
}

#[tokio::test]
async fn a_stale_ticket_gets_nothing_and_changes_nothing() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    bed.settle(id, &outcome("yield")).await;
    let before = bed.rows(id).await;
    for epoch in [0, 2, -1] {
        assert!(
            bed.store.claim(id, epoch, &Claimant::ordinary(WORKER)).await.unwrap().is_none(),
            "epoch {epoch}"
        );
        assert_eq!(bed.rows(id).await, before);
    }
    assert!(bed.store.claim(id, 1, &Claimant::ordinary(WORKER)).await.unwrap().is_some());
    assert!(
        bed.store.claim(hive_domain::TaskId::new(), 0, &Claimant::ordinary(WORKER)).await.unwrap().is_none()
    );
}

#[tokio::test]
async fn a_claim_says_what_awaits_a_first_run_that_begins_at_once() {
    let bed = Bed::make().await;
    let other = new_agent("other", "backend");
    bed.store.create_agent(&other).await.unwrap();
    let awaits = async |id| bed.claim(id).await.leased.awaits;
    let nothing = Some(Awaiting::default());
    assert_eq!(awaits(bed.enqueue().await).await, nothing);
    assert_eq!(awaits(bed.enqueue_with(|new| new.performer = Performer::Noop).await).await, None);
    let url = "file:///srv/shop".to_owned();
    let repository = Repository { url, base_ref: "main".to_owned(), base_commit: "base".to_owned() };
    let with_files = bed.enqueue_with(|new| new.repository = Some(repository)).await;
    assert_eq!(awaits(with_files).await, None, "until its files are there, more may come");

    bed.execute(&format!(
        "INSERT INTO contexts (id, lineage, scope, project_id, agent_id, kind, content, trust, author, valid_from)
         SELECT id, id, 'agent', '{}', '{}', 'fact', 'Mine.', 'user', 'a test', now() FROM (SELECT gen_random_uuid() AS id)",
        ProjectId::DEFAULT.uuid(),
        bed.agent.uuid(),
    ))
    .await;
    // Claimed together, each is told of its own agent.
    let (mine, others) =
        (bed.enqueue().await, bed.enqueue_with(|new| new.performer = Performer::Agent(other.id)).await);
    let (mine, others) = tokio::join!(bed.claim(mine), bed.claim(others));
    let memories = Some(Awaiting { memories: true, messages: false });
    assert_eq!((mine.leased.awaits, others.leased.awaits), (memories, nothing));

    let begun = bed.enqueue().await;
    let mut lease = bed.claim(begun).await;
    bed.append_note(&mut lease, "one").await;
    bed.settle_with(&lease, &outcome("yield")).await;
    assert_eq!(awaits(begun).await, None, "it has begun");
}

#[tokio::test]
async fn a_claim_counts_and_tells() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let lease = bed.claim(id).await;
    assert_eq!((lease.task(), lease.epoch(), lease.leased.status), (id, 1, TaskStatus::Running));
    assert!(
        bed.row_holds(
            id,
            "worker = 'worker-1' AND started_at IS NOT NULL AND status_reason IS NULL
             AND lease_until BETWEEN now() + interval '6 s' AND now() + interval '8 s'"
        )
        .await
    );
    let event = bed.events(id).await.pop().unwrap();
    assert_eq!(event.kind, EventKind::Started.as_str());
    assert_eq!(event.data, serde_json::json!({ "worker": WORKER, "epoch": 1, "attempt": 1 }));

    let started = bed.task(id).await.started_at;
    bed.orphan(id).await;
    let again = bed.claim(id).await;
    assert_eq!(
        (again.epoch(), again.leased.attempt, again.leased.deaths),
        (2, 1, 1),
        "a death costs no attempt"
    );
    assert_eq!(bed.task(id).await.started_at, started, "the first claim starts the task");
    bed.settle_with(&again, &outcome("retry")).await;
    bed.let_time_pass(id).await;
    bed.reconcile().await;
    let third = bed.claim(id).await;
    assert_eq!((third.epoch(), third.leased.attempt), (3, 2), "a failed try does");
}

#[tokio::test]
async fn a_run_keeps_the_definition_it_started_with() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let update = |role| {
        let definition = definition(role);
        let store = bed.store.clone();
        let agent = bed.agent;
        async move { store.update_agent(agent, None, None, None, Some(&definition)).await.unwrap().version }
    };
    assert_eq!(update("Builds more.").await, 2);
    assert_eq!(bed.task(id).await.agent.unwrap().version, 2, "nothing is pinned before the first claim");
    assert_eq!(bed.claim(id).await.leased.agent.unwrap().version, 2);

    assert_eq!(update("Builds less.").await, 3);
    assert_eq!(bed.task(id).await.agent.unwrap().version, 2);
    bed.orphan(id).await;
    assert_eq!(
        bed.claim(id).await.leased.agent.unwrap().version,
        2,
        "the next activation is of the same run"
    );
    let pinned = bed.store.agent_definition(bed.agent, 2).await.unwrap();
    assert_eq!(pinned, definition("Builds more."));

    let other = bed.enqueue().await;
    assert_eq!(bed.claim(other).await.leased.agent.unwrap().version, 3);
}

#[tokio::test]
async fn renewal_keeps_what_is_held_and_names_only_that() {
    let bed = Bed::make().await;
    let (held, lost, settled, ready) =
        (bed.enqueue().await, bed.enqueue().await, bed.enqueue().await, bed.enqueue().await);
    bed.claim(held).await;
    bed.claim(lost).await;
    bed.orphan(lost).await;
    bed.claim(lost).await;
    bed.settle(settled, &outcome("done")).await;
    bed.let_time_pass(held).await;
    let before = [bed.rows(lost).await, bed.rows(settled).await, bed.rows(ready).await];

    let renewed = bed.store.renew(&[(lost, 1), (held, 1), (settled, 1), (ready, 0)]).await.unwrap();
    assert_eq!(renewed, [held]);
    assert!(
        bed.row_holds(held, "lease_until BETWEEN now() + interval '6 s' AND now() + interval '8 s'").await
    );
    assert_eq!([bed.rows(lost).await, bed.rows(settled).await, bed.rows(ready).await], before);
    assert!(bed.store.renew(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_first_claim_pins_how_the_journal_is_written() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    assert_eq!(bed.task(id).await.journal_format, None);
    assert_eq!(bed.claim(id).await.leased.journal_format, Some(hive_domain::journal::FORMAT));
    bed.orphan(id).await;
    bed.execute(&format!("UPDATE tasks SET journal_format = 99 WHERE id = '{id}'")).await;
    let lease = bed.claim(id).await;
    assert_eq!(lease.leased.journal_format, Some(99), "what is pinned stays");
    assert!(!hive_domain::journal::is_readable(lease.leased.journal_format));
}

#[tokio::test]
async fn what_another_build_wrote_waits_for_a_worker_that_reads_it() {
    let bed = Bed::make().await;
    let [strange, known] = [bed.enqueue().await, bed.enqueue().await];
    for (id, format) in [(strange, 99), (known, hive_domain::journal::FORMAT)] {
        let lease = bed.claim(id).await;
        let wait = hive_domain::Outcome::Wait {
            after: std::time::Duration::MAX,
            reason: hive_domain::StatusReason::JournalFormat,
            detail: "another build wrote it".to_owned(),
        };
        bed.settle_with(&lease, &wait).await;
        bed.execute(&format!("UPDATE tasks SET journal_format = {format} WHERE id = '{id}'")).await;
    }
    assert_eq!(bed.store.wake_readable().await.unwrap(), [known]);
    bed.assert_stands(known, TaskStatus::Ready, None).await;
    bed.assert_stands(strange, TaskStatus::Waiting, Some(hive_domain::StatusReason::JournalFormat)).await;
    assert_eq!(bed.event_kinds(known).await.last().unwrap(), "task.ready");
    assert!(bed.store.wake_readable().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_claim_whose_statement_began_before_the_task_was_made_does_not_precede_it() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    bed.execute("UPDATE tasks SET created_at = now() + interval '3 s'").await;
    bed.claim(id).await;
    assert!(bed.row_holds(id, "started_at = created_at AND claimed_at = created_at").await);
}

#[tokio::test]
async fn what_is_past_its_deadline_does_not_start() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    bed.execute("UPDATE tasks SET deadline = now() - interval '1 ms'").await;
    let worker = Claimant::ordinary(WORKER);
    assert!(bed.store.claim(id, 0, &worker).await.unwrap().is_none());
    for oldest in [false, true] {
        assert!(bed.store.claim_next(&worker, 8, oldest).await.unwrap().is_empty());
    }
    bed.execute("UPDATE tasks SET deadline = now() + interval '1 min'").await;
    assert_eq!(bed.store.claim_next(&worker, 8, false).await.unwrap().len(), 1);
}
