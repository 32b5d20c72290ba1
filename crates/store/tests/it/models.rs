//! The list of models: refreshed by one at a time, laid over row by row, and what names models.

use std::{collections::BTreeMap, time::Duration};

use hive_domain::{Lifecycle, ModelUser, ReportedModel, RoutingRule};
use serde_json::json;

use crate::bed::Bed;

const HOUR: Duration = Duration::from_secs(3_600);

fn listed(id: &str) -> ReportedModel {
    ReportedModel {
        id: id.to_owned(),
        lifecycle: Some(Lifecycle::Active),
        max_output_tokens: Some(64_000),
        capabilities: Some(json!({ "batch": { "supported": true } })),
        ..ReportedModel::default()
    }
}

#[tokio::test]
async fn one_worker_at_a_time_asks_and_only_for_what_is_old_or_wanted() {
    let bed = Bed::make().await;
    let (one, two) =
        tokio::join!(bed.store.take_model_refresh("one", HOUR), bed.store.take_model_refresh("two", HOUR));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert!(one ^ two, "exactly one asks");
    let (holder, other) = if one { ("one", "two") } else { ("two", "one") };
    assert!(!bed.store.finish_model_refresh(other, Ok(&[listed("x")])).await.unwrap(), "it did not ask");
    assert!(bed.store.finish_model_refresh(holder, Ok(&[listed("a"), listed("b")])).await.unwrap());
    assert!(!bed.store.take_model_refresh(other, HOUR).await.unwrap(), "the list is new");
    bed.store.request_model_refresh().await.unwrap();
    assert!(bed.store.take_model_refresh(other, HOUR).await.unwrap(), "a newer one is wanted");
    assert!(bed.store.finish_model_refresh(other, Err("no answer")).await.unwrap());
    assert!(!bed.store.take_model_refresh(holder, HOUR).await.unwrap(), "not again at once");
    bed.execute("UPDATE model_refresh SET free_at = now() - interval '1 s'").await;
    assert!(bed.store.take_model_refresh(holder, HOUR).await.unwrap());
    // It dies; after its minute the next one asks, and what the first brings then is too late.
    bed.execute("UPDATE model_refresh SET free_at = now() - interval '1 s'").await;
    assert!(bed.store.take_model_refresh(other, HOUR).await.unwrap());
    assert!(!bed.store.finish_model_refresh(holder, Ok(&[])).await.unwrap());
    let known = bed.store.known_models().await.unwrap();
    assert_eq!(known.refresh.error.as_deref(), Some("no answer"));
    assert!(known.reported.iter().all(|model| model.vanished_at.is_none()), "{known:?}");
}

#[tokio::test]
async fn a_list_replaces_what_was_said_and_marks_what_is_gone() {
    let bed = Bed::make().await;
    let refresh = async |models: &[ReportedModel]| {
        assert!(bed.store.take_model_refresh("w", Duration::ZERO).await.unwrap());
        assert!(bed.store.finish_model_refresh("w", Ok(models)).await.unwrap());
        bed.store.known_models().await.unwrap().reported
    };
    let first = refresh(&[listed("a"), listed("b")]).await;
    assert_eq!(first[0], ReportedModel { refreshed_at: first[0].refreshed_at, ..listed("a") });
    let ended = ReportedModel { lifecycle: Some(Lifecycle::Retired), max_output_tokens: None, ..listed("a") };
    let second = refresh(&[ended]).await;
    assert_eq!((second[0].lifecycle, second[0].max_output_tokens), (Some(Lifecycle::Retired), None));
    assert!(second[1].id == "b" && second[1].vanished_at.is_some(), "{second:?}");
    assert_eq!(refresh(&[listed("b")]).await[1].vanished_at, None, "it came back");
}

#[tokio::test]
async fn everything_that_names_a_model_for_calls_to_come_is_found() {
    let bed = Bed::make().await;
    let rule = RoutingRule {
        role: "qa".to_owned(),
        step: "*".to_owned(),
        model: "of-rule".to_owned(),
        effort: None,
        max_tokens: None,
        fallback: vec!["of-fallback".to_owned()],
    };
    let classes = BTreeMap::from([("work".to_owned(), "of-class".to_owned())]);
    bed.store.report_model_classes("w", &classes).await.unwrap();
    let version = bed.store.add_routing(&[rule], "", "test").await.unwrap().version;
    let names = async || {
        let uses = bed.store.model_uses().await.unwrap();
        uses.into_iter().map(|used| (used.user, used.model)).collect::<Vec<_>>()
    };
    assert!(names().await.iter().all(|(user, _)| !matches!(user, ModelUser::Rule | ModelUser::Fallback)));
    bed.store.activate_routing(version, Some(1), "test").await.unwrap();
    bed.execute(
        "INSERT INTO schedules (id, project_id, created_by, name, cron, time_zone, overlap, catch_up, catch_up_limit,
                                enabled, task)
         SELECT gen_random_uuid(), id, 'test', 'nightly', '0 3 * * *', 'UTC', 'skip', 'none', 1, true,
                '{\"model\": \"of-schedule\"}'
         FROM projects LIMIT 1",
    )
    .await;
    let found = names().await;
    for expected in [
        (ModelUser::Class, "of-class"),
        (ModelUser::Rule, "of-rule"),
        (ModelUser::Fallback, "of-fallback"),
        (ModelUser::Schedule, "of-schedule"),
    ] {
        assert!(found.contains(&(expected.0, expected.1.to_owned())), "{expected:?} in {found:?}");
    }
    assert!(found.iter().any(|(user, _)| *user == ModelUser::Agent), "{found:?}");
    bed.execute("UPDATE agents SET status = 'inactive'").await;
    bed.execute("UPDATE schedules SET enabled = false").await;
    assert!(names().await.iter().all(|(user, _)| !matches!(user, ModelUser::Agent | ModelUser::Schedule)));
}

#[tokio::test]
async fn versions_added_at_the_same_time_have_numbers_without_gaps() {
    let bed = Bed::make().await;
    let add = || bed.store.add_routing(&[], "", "test");
    let (a, b, c, d) = tokio::join!(add(), add(), add(), add());
    let mut numbers: Vec<i32> = [a, b, c, d].into_iter().map(|added| added.unwrap().version).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3, 4, 5]);
}
