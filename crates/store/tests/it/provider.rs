//! What the fleet knows of its keys and models: who closes a breaker, how holds grow and end, whose turn it is to try.

use std::time::Duration;

use uuid::Uuid;

use crate::bed::Bed;

const NOW: Duration = Duration::ZERO;
const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn an_answer_to_a_call_that_was_sent_since_closes_the_breaker_whoever_tries_by_now() {
    let bed = Bed::make().await;
    let store = &bed.store;
    let (first, second) = (Uuid::now_v7(), Uuid::now_v7());
    assert!(store.open_breaker("k", "m", "down", NOW).await.unwrap());
    assert!(!store.close_breaker("k", "m", None, MINUTE).await.unwrap(), "sent before it opened");
    assert!(store.take_probe("k", "m", first, NOW).await.unwrap());
    bed.execute("UPDATE provider_models SET opened_at = now() - interval '3 minutes'").await;
    // It takes longer than it is waited for, and another one tries.
    assert!(store.take_probe("k", "m", second, MINUTE).await.unwrap());
    assert!(store.close_breaker("k", "m", Some(first), 2 * MINUTE).await.unwrap());
    assert!(!store.close_breaker("k", "m", Some(second), NOW).await.unwrap(), "it is closed");
    // Opened anew: what was sent before says nothing of it.
    assert!(store.open_breaker("k", "m", "down again", NOW).await.unwrap());
    assert!(!store.close_breaker("k", "m", Some(second), MINUTE).await.unwrap());
}

#[tokio::test]
async fn refusals_without_a_time_double_the_hold_until_an_answer() {
    let bed = Bed::make().await;
    let hold = async || bed.store.hold_model_unnamed("k", "m", MINUTE, 15 * MINUTE).await.unwrap();
    let pass = async || bed.execute("UPDATE provider_models SET hold_until = now() - interval '1 s'").await;
    assert_eq!(hold().await, Some(MINUTE));
    assert_eq!(hold().await, None, "a hold stands: this one was sent before it");
    for minutes in [2, 4, 8, 15, 15] {
        pass().await;
        assert_eq!(hold().await, Some(minutes * MINUTE));
    }
    assert!(bed.store.provider(None).await.unwrap().models[0].is_limited_unnamed);
    bed.store.forget_unnamed_limits("k", "m").await.unwrap();
    pass().await;
    assert_eq!(hold().await, Some(MINUTE));
}

#[tokio::test]
async fn a_hold_is_lifted_for_one_key_or_for_all_and_noted() {
    let bed = Bed::make().await;
    for (key, model) in [("a", "m"), ("a", "n"), ("b", "m")] {
        bed.store.hold_model(key, model, MINUTE).await.unwrap();
    }
    bed.store.hold_model("b", "past", NOW).await.unwrap();
    let pair = |key: &str, model: &str| (key.to_owned(), model.to_owned());
    assert_eq!(bed.store.lift_holds(Some("a"), "me").await.unwrap(), [pair("a", "m"), pair("a", "n")]);
    assert_eq!(bed.store.held_for("a", "m").await.unwrap(), NOW);
    assert!(bed.store.held_for("b", "m").await.unwrap() > NOW);
    assert_eq!(bed.store.lift_holds(None, "me").await.unwrap(), [pair("b", "m")]);
    assert!(bed.store.lift_holds(None, "me").await.unwrap().is_empty());
    let events = bed.store.provider_events().await.unwrap();
    assert!(events.iter().all(|event| event.kind == "hold_lifted" && event.detail == "by me"));
    assert_eq!(events.len(), 3);
}

#[tokio::test]
async fn a_try_of_a_key_that_was_not_made_is_given_back() {
    let bed = Bed::make().await;
    let store = &bed.store;
    assert!(!store.is_key_stopped("k").await.unwrap());
    assert!(store.stop_key("k", "authentication", "no", NOW, NOW).await.unwrap());
    assert!(store.is_key_stopped("k").await.unwrap() && !store.is_key_stopped("other").await.unwrap());
    assert!(store.probe_key("k", MINUTE).await.unwrap());
    assert!(!store.probe_key("k", MINUTE).await.unwrap(), "one tries");
    store.give_back_key_probe("k").await.unwrap();
    assert!(store.probe_key("k", MINUTE).await.unwrap());
    store.resume_keys(None, "me").await.unwrap();
    store.give_back_key_probe("k").await.unwrap();
    assert!(!store.is_key_stopped("k").await.unwrap());
}

#[tokio::test]
async fn what_was_refused_before_a_key_was_given_back_does_not_stop_it_again() {
    let bed = Bed::make().await;
    let store = &bed.store;
    assert!(store.stop_key("k", "authentication", "no", MINUTE, NOW).await.unwrap());
    store.resume_keys(None, "me").await.unwrap();
    assert!(!store.stop_key("k", "authentication", "sent a minute ago", MINUTE, MINUTE).await.unwrap());
    assert!(!store.is_key_stopped("k").await.unwrap());
    assert!(store.stop_key("k", "authentication", "sent since", MINUTE, NOW).await.unwrap());
}

#[tokio::test]
async fn a_person_closes_breakers_whatever_the_clock_says() {
    let bed = Bed::make().await;
    let store = &bed.store;
    for key in ["k", "other"] {
        assert!(store.open_breaker(key, "m", "529", NOW).await.unwrap());
    }
    // The clock of the database was a day ahead.
    bed.execute("UPDATE provider_models SET opened_at = opened_at + interval '1 day', probe_at = probe_at + interval '1 day'")
        .await;
    assert!(!store.take_probe("k", "m", Uuid::now_v7(), MINUTE).await.unwrap());
    assert_eq!(store.close_breakers(Some("k"), "me").await.unwrap(), [("k".to_owned(), "m".to_owned())]);
    assert!(store.close_breakers(Some("k"), "me").await.unwrap().is_empty());
    let open =
        |state: hive_store::ProviderState| state.models.iter().filter(|model| model.open.is_some()).count();
    assert_eq!(open(store.provider(None).await.unwrap()), 1, "that of the other key stays");
    let events = store.provider_events().await.unwrap();
    assert!(
        events.iter().any(|event| event.kind == "breaker_closed" && event.detail == "by me"),
        "{events:?}"
    );
}
