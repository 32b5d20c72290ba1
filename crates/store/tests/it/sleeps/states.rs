use chrono::TimeDelta;
use hive_domain::{
    AgentId, Priority, SleepRefusal, SleepState, SleepTrigger, Sleepers, StatusReason, TaskStatus, WakeReason,
};
use hive_store::{Claimant, Error, NewAgentMessage, NewStep, Receivers, Sender};

use super::{asleep, end_cycles, night, only, put_to_sleep, wake_pass};
use crate::bed::{Bed, WORKER, new_agent, note, outcome};

fn urgent() -> Priority {
    Priority::try_from(2).unwrap()
}

#[tokio::test]
async fn a_night_goes_from_one_state_to_the_next_each_with_its_event() {
    let bed = Bed::make().await;
    let put = put_to_sleep(&bed).await;
    assert_eq!((put.begun.len(), put.already.len(), put.refused.len()), (1, 0, 0));
    assert_eq!((put.begun[0].state, put.begun[0].trigger), (SleepState::FallingAsleep, SleepTrigger::Manual));
    assert_eq!(bed.store.agent(bed.agent).await.unwrap().sleep, SleepState::FallingAsleep);
    let again = put_to_sleep(&bed).await;
    assert_eq!((again.begun.len(), again.already[0].id), (0, put.begun[0].id), "one night at a time");

    let fallen = bed.store.fall_asleep().await.unwrap();
    let cycle = fallen[0].cycle.expect("a cycle begins");
    let of_it = bed.store.sleep_cycle(cycle).await.unwrap();
    assert_eq!((of_it.trigger, of_it.asked_by.as_str()), (SleepTrigger::Manual, "ada"));
    assert_eq!(of_it.owner.agent(), Some(bed.agent));
    assert!(wake_pass(&bed).await.is_empty(), "its cycle has not ended");
    assert!(bed.store.fall_asleep().await.unwrap().is_empty(), "it sleeps already");

    end_cycles(&bed, "completed").await;
    assert_eq!(wake_pass(&bed).await, [WakeReason::CycleEnded]);
    assert!(wake_pass(&bed).await.is_empty(), "it is awake");
    let (night, events) = night(&bed).await;
    let states: Vec<_> = events.iter().map(|event| (event.seq, event.state)).collect();
    let expected = [
        (1, SleepState::FallingAsleep),
        (2, SleepState::Asleep),
        (3, SleepState::Waking),
        (4, SleepState::Awake),
    ];
    assert_eq!(states, expected);
    assert_eq!((night.state, night.cycle), (SleepState::Awake, Some(cycle)));
    assert_eq!(night.cycle_state, Some(hive_domain::CycleState::Completed));
    let agent = bed.store.agent(bed.agent).await.unwrap();
    assert_eq!((agent.sleep, agent.wake_by), (SleepState::Awake, None));
    assert_eq!(put_to_sleep(&bed).await.begun.len(), 1, "another night may follow");
}

#[tokio::test]
async fn every_end_of_a_cycle_wakes_and_so_does_the_latest_time_of_one_that_hangs() {
    let bed = Bed::make().await;
    for end in ["completed", "failed", "rejected_by_gate", "cancelled"] {
        asleep(&bed).await;
        end_cycles(&bed, end).await;
        assert_eq!(wake_pass(&bed).await, [WakeReason::CycleEnded], "{end}");
    }
    asleep(&bed).await;
    bed.execute("UPDATE sleeps SET began_at = began_at - interval '9 h', falls_by = falls_by - interval '9 h', wake_by = wake_by - interval '9 h'").await;
    let late = bed.store.verify_sleeps().await.unwrap();
    let found: Vec<_> = late.iter().filter(|check| check.found > 0).map(|check| check.name).collect();
    assert_eq!(found, ["slept_past"]);
    assert_eq!(wake_pass(&bed).await, [WakeReason::WakeBy]);
    assert!(bed.store.verify_sleeps().await.unwrap().iter().all(|check| check.found == 0));
    // The cycle that hangs is still there: the next night goes on with it instead of beginning a second one.
    let before = bed.number("SELECT count(*) FROM sleep_cycles").await;
    asleep(&bed).await;
    assert_eq!(bed.number("SELECT count(*) FROM sleep_cycles").await, before);
}

#[tokio::test]
async fn what_runs_stops_at_its_edge_and_what_comes_waits() {
    let bed = Bed::make().await;
    let task = bed.enqueue().await;
    let mut lease = bed.claim(task).await;
    put_to_sleep(&bed).await;
    assert!(bed.store.fall_asleep().await.unwrap().is_empty(), "something runs");
    assert!(bed.store.append(&mut lease, &NewStep::plain(&note("an edge"))).await.unwrap().halted);
    bed.settle_with(&lease, &outcome("halt")).await;
    bed.assert_stands(task, TaskStatus::Ready, Some(StatusReason::Asleep)).await;
    assert_eq!(bed.store.fall_asleep().await.unwrap().len(), 1);

    let later = bed.enqueue().await;
    let worker = Claimant::ordinary(WORKER);
    for id in [task, later] {
        let epoch = bed.task(id).await.epoch;
        assert!(bed.store.claim(id, epoch, &worker).await.unwrap().is_none(), "it sleeps");
        let (_, why) = bed.store.why(id).await.unwrap();
        assert_eq!(why.cause, "asleep");
        assert!(why.until.is_some() && why.explanation.contains("builder"), "{why:?}");
    }
    assert!(bed.store.claim_next(&worker, 10, false).await.unwrap().is_empty());
    bed.let_time_pass(later).await;
    assert!(bed.reconcile().await.announce.is_empty(), "no ticket leads to it");

    end_cycles(&bed, "completed").await;
    bed.store.begin_to_wake().await.unwrap();
    let woke = bed.store.end_nights().await.unwrap();
    let mut announced: Vec<_> = woke[0].announce.iter().map(|ticket| ticket.task).collect();
    announced.sort_unstable();
    assert_eq!(announced, [task, later]);
    assert_eq!(bed.store.claim_next(&worker, 10, false).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_step_that_takes_too_long_does_not_keep_the_agent_awake() {
    let bed = Bed::make().await;
    let task = bed.enqueue().await;
    let mut lease = bed.claim(task).await;
    put_to_sleep(&bed).await;
    bed.execute(
        "UPDATE sleeps SET began_at = began_at - interval '1 h', falls_by = falls_by - interval '1 h'",
    )
    .await;
    assert_eq!(bed.store.fall_asleep().await.unwrap().len(), 1);
    let (_, events) = night(&bed).await;
    assert_eq!(events[1].data["still_running"], 1);
    let edge = bed.store.append(&mut lease, &NewStep::plain(&note("late"))).await.unwrap();
    assert!(edge.halted, "the step was kept, and its task stops here");
}

#[tokio::test]
async fn work_that_cannot_wait_keeps_awake_and_wakes() {
    let bed = Bed::make().await;
    let before = bed.enqueue_with(|new| new.priority = urgent()).await;
    let put = put_to_sleep(&bed).await;
    assert_eq!(put.refused, [(bed.agent, SleepRefusal::UrgentWork)]);
    bed.settle(before, &outcome("done")).await;

    put_to_sleep(&bed).await;
    let while_falling = bed.enqueue_with(|new| new.priority = urgent()).await;
    assert_eq!(wake_pass(&bed).await, [WakeReason::Urgent]);
    assert_eq!(bed.number("SELECT count(*) FROM sleep_cycles").await, 0, "it did not come to that");
    bed.settle(while_falling, &outcome("done")).await;

    asleep(&bed).await;
    let task = bed.enqueue().await;
    assert!(wake_pass(&bed).await.is_empty());
    bed.execute(&format!("UPDATE tasks SET priority = 1 WHERE id = '{task}'")).await;
    assert_eq!(wake_pass(&bed).await, [WakeReason::Urgent], "also when it becomes urgent");
    bed.claim(task).await;
}

#[tokio::test]
async fn no_task_misses_its_deadline_since_its_agent_sleeps() {
    let bed = Bed::make().await;
    let now = bed.store.now().await.unwrap();
    let within_the_night = Some(now + TimeDelta::minutes(90));
    let before = bed.enqueue_with(|new| new.deadline = within_the_night).await;
    assert_eq!(put_to_sleep(&bed).await.refused, [(bed.agent, SleepRefusal::UrgentWork)]);
    bed.settle(before, &outcome("done")).await;

    let far = bed.enqueue_with(|new| new.deadline = Some(now + TimeDelta::days(2))).await;
    let night = asleep(&bed).await;
    assert!(wake_pass(&bed).await.is_empty(), "it can be done in the morning");
    let task = bed.enqueue_with(|new| new.deadline = Some(night.wake_by)).await;
    assert_eq!(wake_pass(&bed).await, [WakeReason::Urgent]);
    bed.claim(task).await;
    bed.claim(far).await;
}

#[tokio::test]
async fn messages_wait_for_the_morning_unless_they_cannot() {
    let bed = Bed::make().await;
    let send = async |priority: i64| {
        let letter = NewAgentMessage {
            id: hive_domain::MessageId::new(),
            from: Sender::Person("ada".to_owned()),
            to: Receivers::Agent(bed.agent),
            content: "Look at it.".to_owned(),
            context_refs: Vec::new(),
            conversation: None,
            reply_to: None,
            answer_within: None,
            session: None,
            wakes: None,
            priority: Priority::try_from(priority).unwrap(),
        };
        bed.store.send_agent_message(&letter).await.unwrap()
    };
    asleep(&bed).await;
    let sent = send(5).await;
    assert!(sent.bound.tasks.is_empty(), "no task reads it");
    bed.store.sweep_messages().await.unwrap();
    assert_eq!(bed.number("SELECT count(*) FROM message_deliveries WHERE state = 'pending'").await, 1);
    assert_eq!(bed.number("SELECT count(*) FROM tasks").await, 0);
    assert!(wake_pass(&bed).await.is_empty());
    send(2).await;
    assert_eq!(wake_pass(&bed).await, [WakeReason::Urgent]);
    let swept = bed.store.sweep_messages().await.unwrap();
    assert_eq!(swept.bound.tasks.iter().map(|(_, number)| number).sum::<i32>(), 2, "both are read now");
    let told = night(&bed).await.0.briefing.expect("a briefing").text;
    assert!(told.contains("Unread messages: 2.\n> 2 from \"ada\""), "{told}");
}

#[tokio::test]
async fn a_person_wakes_whom_they_want() {
    let bed = Bed::make().await;
    let other = new_agent("tester", "qa");
    bed.store.create_agent(&other).await.unwrap();
    let awake = bed.store.wake(&Sleepers::All, "ada").await.unwrap();
    assert_eq!((awake.waking.len(), awake.awake.len()), (0, 2));
    let put = bed.store.sleep(&Sleepers::All, SleepTrigger::Cron, "schedule nightly").await.unwrap();
    assert_eq!(put.begun.len(), 2);
    let awakened = bed.store.wake(&Sleepers::AgentType("qa".to_owned()), "ada").await.unwrap();
    assert_eq!(awakened.waking.iter().map(|sleep| sleep.agent).collect::<Vec<_>>(), [other.id]);
    assert_eq!(awakened.waking[0].state, SleepState::Waking);
    let again = bed.store.wake(&only(other.id), "ada").await.unwrap();
    assert_eq!((again.waking.len(), again.awake), (0, vec![other.id]), "it wakes already");
    assert_eq!(wake_pass(&bed).await, [WakeReason::Requested]);
    assert_eq!(bed.store.agent(bed.agent).await.unwrap().sleep, SleepState::FallingAsleep);
}

#[tokio::test]
async fn groups_are_found_and_what_does_not_exist_is_named() {
    let bed = Bed::make().await;
    let field = |refused: hive_store::Result<_>| match refused {
        Err(Error::Invalid { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    let sleep = async |whom: Sleepers| bed.store.sleep(&whom, SleepTrigger::Manual, "ada").await;
    assert_eq!(field(sleep(only(AgentId::new())).await), "/agent_ids");
    assert_eq!(field(sleep(Sleepers::AgentType("none".to_owned())).await), "/agent_type");
    assert_eq!(field(sleep(Sleepers::Role("none".to_owned())).await), "/role");
    assert_eq!(bed.number("SELECT count(*) FROM sleeps").await, 0);
    assert_eq!(sleep(Sleepers::Role("Builds things.".to_owned())).await.unwrap().begun.len(), 1);
    bed.execute("UPDATE sleeps SET state = 'waking', waking_at = now(), wake_reason = 'requested'").await;
    bed.store.end_nights().await.unwrap();
    bed.store
        .update_agent(bed.agent, None, None, Some(hive_domain::AgentStatus::Inactive), None)
        .await
        .unwrap();
    assert_eq!(sleep(only(bed.agent)).await.unwrap().refused, [(bed.agent, SleepRefusal::Inactive)]);
}
