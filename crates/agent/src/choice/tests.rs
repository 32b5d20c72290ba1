use chrono::{DateTime, Utc};
use hive_domain::{Lifecycle, ReportedModel};

use super::*;

fn version(version: i32, rules: &[(&str, &str, &str)]) -> Arc<RoutingVersion> {
    let rule = |(role, step, model): &(&str, &str, &str)| RoutingRule {
        role: (*role).to_owned(),
        step: (*step).to_owned(),
        model: (*model).to_owned(),
        effort: Some(Effort::High),
        max_tokens: Some(900_000),
        fallback: vec!["light".to_owned()],
    };
    Arc::new(RoutingVersion {
        version,
        rules: rules.iter().map(rule).collect(),
        note: String::new(),
        created_by: "test".to_owned(),
        created_at: DateTime::UNIX_EPOCH,
        active: true,
    })
}

fn classes() -> Models {
    "work=claude-sonnet-5-5,hard=claude-opus-5-5,light=claude-haiku-5-5".parse().unwrap()
}

fn catalogue(retired: &[&str]) -> Catalogue {
    let ended = |id: &&str| ReportedModel {
        id: (*id).to_owned(),
        lifecycle: Some(Lifecycle::Retired),
        ..ReportedModel::default()
    };
    let now: DateTime<Utc> = "2026-11-23T00:00:00Z".parse().unwrap();
    Catalogue::new(&retired.iter().map(ended).collect::<Vec<_>>(), now)
}

#[test]
fn the_task_goes_before_the_agent_and_the_agent_before_the_rules() {
    let rules =
        Rules { pinned: version(3, &[("qa", "*", "hard"), ("*", "check_repair", "light")]), instead: None };
    let chosen = |of_task, of_agent, role, kind| {
        let choice = rules.choose(&Asked { of_task, of_agent, role }, kind, &classes(), &catalogue(&[]));
        (choice.model, choice.route.reason, choice.route.version)
    };
    let rows = [
        ((Some("hard"), "work", "backend", CallKind::Work), ("claude-opus-5-5", RouteReason::Task)),
        ((None, "claude-opus-5", "qa", CallKind::Work), ("claude-opus-5", RouteReason::Agent)),
        ((None, "work", "qa", CallKind::Work), ("claude-opus-5-5", RouteReason::Rule)),
        ((None, "work", "backend", CallKind::CheckRepair), ("claude-haiku-5-5", RouteReason::Rule)),
        ((None, "work", "backend", CallKind::Work), ("claude-sonnet-5-5", RouteReason::Default)),
    ];
    for ((task, agent, role, kind), (model, reason)) in rows {
        assert_eq!(chosen(task, agent, role, kind), (model.to_owned(), reason, 3), "{role} {kind}");
    }
}

#[test]
fn a_rule_says_how_the_model_is_asked_within_what_it_can() {
    let rules = Rules { pinned: version(2, &[("*", "*", "hard")]), instead: None };
    let asked = Asked { of_task: None, of_agent: "work", role: "backend" };
    let choice = rules.choose(&asked, CallKind::Work, &classes(), &catalogue(&[]));
    assert_eq!(choice.fallback, ["claude-haiku-5-5"], "classes are ids by then");
    let mut request = Request::new(&choice.model, choice.room(16_000));
    choice.apply(&mut request, &catalogue(&[]));
    assert_eq!(request.max_tokens, 128_000, "as many as the model can");
    assert_eq!(request.output_config.unwrap().effort, Some(hive_claude::Effort::High));
}

#[test]
fn a_run_leaves_its_version_only_for_a_model_that_answers() {
    let asked = Asked { of_task: None, of_agent: "work", role: "backend" };
    let (old, new) = (version(2, &[("*", "*", "claude-opus-5")]), version(5, &[("*", "*", "hard")]));
    let rules = Rules { pinned: old, instead: Some(new) };
    let choose = |retired: &[&str]| {
        rules.choose(&asked, CallKind::Work, &classes(), &catalogue(retired)).route.version
    };
    assert_eq!((choose(&[]), choose(&["claude-opus-5"])), (2, 5));
}
