use hive_domain::{Priority, SleepTrigger, Sleepers, WakeReason};

use super::{asleep, end_cycles, night, only, put_to_sleep};
use crate::bed::{Bed, connect, new_agent};

/// Other processes with doors of their own.
fn others(bed: &Bed) -> Vec<hive_store::Store> {
    (0..4).map(|_| connect(&bed.database)).collect()
}

#[tokio::test]
async fn whoever_asks_at_the_same_moment_begins_one_night_and_one_cycle() {
    let bed = Bed::make().await;
    let more: Vec<_> = (0..5).map(|n| new_agent(&format!("more-{n}"), "qa")).collect();
    for agent in &more {
        bed.store.create_agent(agent).await.unwrap();
    }
    let others = others(&bed);
    let triggers = [SleepTrigger::Cron, SleepTrigger::Idle, SleepTrigger::Pressure, SleepTrigger::Manual];
    let asked = others.iter().zip(triggers).map(|(store, trigger)| async move {
        // Overlapping groups, in different orders of naming.
        let whom = if trigger == SleepTrigger::Manual {
            Sleepers::All
        } else {
            Sleepers::AgentType("qa".to_owned())
        };
        store.sleep(&whom, trigger, trigger.as_str()).await.unwrap()
    });
    let put = futures::future::join_all(asked).await;
    assert_eq!(put.iter().map(|put| put.begun.len()).sum::<usize>(), 6, "each agent fell asleep once");
    assert!(put.iter().all(|put| put.refused.is_empty()));
    let passes = others.iter().map(|store| async move { store.fall_asleep().await.unwrap() });
    let fallen: usize = futures::future::join_all(passes).await.iter().map(Vec::len).sum();
    assert_eq!(fallen, 6);
    assert_eq!(bed.number("SELECT count(*) FROM sleep_cycles").await, 6);
    let distinct = "SELECT count(DISTINCT c.agent_id) FROM sleep_cycles c JOIN sleeps s ON s.cycle_id = c.id
                    WHERE c.trigger = s.trigger";
    assert_eq!(bed.number(distinct).await, 6, "each cycle names the trigger of its night");
}

#[tokio::test]
async fn many_who_wake_end_a_night_once() {
    let bed = Bed::make().await;
    for _ in 0..5 {
        asleep(&bed).await;
        end_cycles(&bed, "completed").await;
        let passes = others(&bed).into_iter().map(|store| async move {
            let begun = store.begin_to_wake().await.unwrap().len();
            (begun, store.end_nights().await.unwrap().len())
        });
        let asked = async { bed.store.wake(&only(bed.agent), "ada").await.unwrap() };
        let (passes, _) = tokio::join!(futures::future::join_all(passes), asked);
        let mut woken: usize = passes.iter().map(|(_, woken)| woken).sum();
        // Who was asked last may be left for the next pass.
        woken += bed.store.end_nights().await.unwrap().len();
        assert_eq!(woken, 1);
        let (sleep, events) = night(&bed).await;
        assert_eq!(events.len(), 4, "{events:?}");
        assert!(matches!(sleep.wake_reason, Some(WakeReason::CycleEnded | WakeReason::Requested)));
    }
    assert_eq!(
        bed.number("SELECT count(*) FROM sleeps WHERE briefing_due").await,
        1,
        "the last one tells all"
    );
}

#[tokio::test]
async fn an_urgent_task_that_races_with_falling_asleep_runs() {
    let bed = Bed::make().await;
    for _ in 0..10 {
        put_to_sleep(&bed).await;
        let other = connect(&bed.database);
        let task = async { bed.enqueue_with(|new| new.priority = Priority::try_from(1).unwrap()).await };
        let fall = async { other.fall_asleep().await.unwrap() };
        let (task, _) = tokio::join!(task, fall);
        // Whichever was first: the next pass wakes it.
        bed.store.begin_to_wake().await.unwrap();
        let woke = bed.store.end_nights().await.unwrap();
        assert_eq!(woke.iter().map(|woke| woke.reason).collect::<Vec<_>>(), [WakeReason::Urgent]);
        assert_eq!(woke[0].announce.iter().map(|ticket| ticket.task).collect::<Vec<_>>(), [task]);
        bed.settle(task, &crate::bed::outcome("done")).await;
        end_cycles(&bed, "completed").await;
    }
}
