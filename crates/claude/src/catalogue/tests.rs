use chrono::TimeZone;
use hive_domain::{Lifecycle, ModelUse, ModelUser};
use serde_json::{json, value::RawValue};

use super::*;
use crate::wire::request::{Effort, OutputConfig, Request, RequestMessage, Role, Thinking, ToolChoice};

fn day(year: i32, month: u32, day: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(year, month, day, 0, 0, 0).unwrap()
}

fn today() -> DateTime<Utc> {
    day(2026, 11, 23)
}

fn reported(id: &str) -> ReportedModel {
    ReportedModel { id: id.to_owned(), refreshed_at: today(), ..ReportedModel::default() }
}

fn request(model: &str, change: impl FnOnce(&mut Request)) -> Request {
    let mut request = Request::new(model, 2_000);
    request.messages.push(RequestMessage::user(RawValue::from_string("\"Hello\"".to_owned()).unwrap()));
    change(&mut request);
    request
}

fn effort(effort: Effort) -> Option<OutputConfig> {
    Some(OutputConfig { effort: Some(effort), format: None })
}

#[test]
fn each_model_takes_what_its_page_says_and_nothing_else() {
    // adaptive, enabled, disabled, between_tools, disabled at effort max, forced tool, prefill, system turn
    let rows = [
        ("claude-fable-5-1", [true, false, false, false, false, false, false, true]),
        ("claude-mythos-5", [true, false, false, false, false, false, false, true]),
        ("claude-opus-5-5", [true, false, false, false, false, false, false, true]),
        ("claude-opus-5", [true, false, true, false, false, true, false, true]),
        ("claude-opus-4-8", [true, false, true, false, true, true, false, true]),
        ("claude-opus-4-7", [true, false, true, false, true, true, false, false]),
        ("claude-opus-4-6", [true, true, true, false, true, true, false, false]),
        ("claude-opus-4-5", [false, true, true, false, false, true, true, false]),
        ("claude-opus-4-5-20251101", [false, true, true, false, false, true, true, false]),
        ("claude-sonnet-5-5", [true, false, false, true, false, false, false, true]),
        ("claude-sonnet-5", [true, false, true, false, true, true, false, true]),
        ("claude-sonnet-4-6", [true, true, true, false, true, true, false, false]),
        ("claude-sonnet-4-5", [false, true, true, false, false, true, true, false]),
        ("claude-haiku-5-5", [true, false, true, false, false, true, false, true]),
        ("claude-haiku-4-5-20251001", [false, true, true, false, false, true, true, false]),
    ];
    let text = || RawValue::from_string("\"{\"".to_owned()).unwrap();
    let catalogue = Catalogue::new(&[], today());
    for (model, expected) in rows {
        let sent = [
            request(model, |r| r.thinking = Some(Thinking::Adaptive { display: None })),
            request(model, |r| r.thinking = Some(Thinking::Enabled { budget_tokens: 1_024 })),
            request(model, |r| r.thinking = Some(Thinking::Disabled)),
            request(model, |r| r.thinking = Some(Thinking::BetweenTools)),
            request(model, |r| {
                r.thinking = Some(Thinking::Disabled);
                r.output_config = effort(Effort::Max);
            }),
            request(model, |r| r.tool_choice = Some(ToolChoice::Tool { name: "finish".to_owned() })),
            request(model, |r| r.messages.push(RequestMessage::assistant(text()))),
            request(model, |r| {
                let content = text();
                r.messages.push(RequestMessage { role: Role::System, content });
            }),
        ];
        let taken = sent.map(|request| catalogue.check(&request).is_ok());
        assert_eq!(taken, expected, "{model}");
        catalogue.check(&request(model, |_| {})).unwrap();
    }
}

#[test]
fn a_refusal_names_the_model_the_place_and_the_rule() {
    let catalogue = Catalogue::new(&[], today());
    let forced = request("claude-opus-5-5", |r| r.tool_choice = Some(ToolChoice::Any));
    let error = catalogue.check(&forced).unwrap_err();
    assert!(matches!(&error, Unsendable::Rule { pointer: "/tool_choice", .. }), "{error}");
    assert!(error.to_string().contains("claude-opus-5-5"), "{error}");
    for (pointer, broken) in [
        ("/max_tokens", request("claude-opus-4-5", |r| r.max_tokens = 64_001)),
        (
            "/thinking/budget_tokens",
            request("claude-opus-4-6", |r| r.thinking = Some(Thinking::Enabled { budget_tokens: 2_000 })),
        ),
        ("/output_config/effort", request("claude-opus-4-5", |r| r.output_config = effort(Effort::Xhigh))),
    ] {
        let error = catalogue.check(&broken).unwrap_err();
        assert!(
            matches!(&error, Unsendable::Rule { pointer: found, .. } if *found == pointer),
            "{pointer}: {error}"
        );
    }
}

#[test]
fn limits_bound_what_is_wanted() {
    let catalogue = Catalogue::new(&[], today());
    assert_eq!(catalogue.model("claude-opus-4-5").unwrap().clamp(100_000), 64_000);
    assert_eq!(catalogue.model("claude-opus-5-5").unwrap().clamp(100_000), 100_000);
}

#[test]
fn what_the_service_says_goes_before_what_the_build_knows_field_by_field() {
    let said = ReportedModel {
        max_output_tokens: Some(32_000),
        capabilities: Some(json!({ "thinking": { "types": { "adaptive": { "supported": true },
            "disabled": { "supported": true }, "enabled": { "supported": false } } },
            "effort": { "supported": true, "low": { "supported": true }, "max": { "supported": false } } })),
        ..reported("claude-opus-5-5")
    };
    let catalogue = Catalogue::new(&[said], today());
    let facts = catalogue.model("claude-opus-5-5").unwrap();
    assert_eq!(facts.thinking, ["adaptive", "disabled"]);
    assert_eq!(facts.effort, [hive_domain::Effort::Low]);
    assert_eq!((facts.max_output_tokens, facts.max_input_tokens), (Some(32_000), Some(1_000_000)));
    let source = |field| facts.sources[field];
    assert_eq!((source("thinking"), source("max_output_tokens")), (Source::Service, Source::Service));
    assert_eq!((source("forced_tool"), source("max_input_tokens")), (Source::Seed, Source::Seed));
    assert_eq!(facts.refreshed_at, Some(today()));
}

#[test]
fn what_is_said_of_a_model_holds_under_its_dated_id() {
    let retired = ReportedModel { lifecycle: Some(Lifecycle::Retired), ..reported("claude-haiku-4-5") };
    let catalogue = Catalogue::new(&[retired], today());
    assert_eq!(catalogue.standing("claude-haiku-4-5-20251001").as_str(), "retired");
}

#[test]
fn ends_are_told_before_and_after_they_come() {
    let standing = |reported: &[ReportedModel], id: &str, now| Catalogue::new(reported, now).standing(id);
    let rows = [
        ("claude-sonnet-5-5", today(), "good"),
        ("claude-sonnet-4-5", day(2026, 10, 1), "ending"),
        ("claude-sonnet-4-5", day(2026, 11, 29), "ending"),
        ("claude-sonnet-4-5", day(2026, 11, 30), "retired"),
        ("claude-opus-5", day(2027, 6, 23), "good"),
        ("claude-opus-5", day(2027, 6, 24), "ending"),
        ("claude-3-5-sonnet-20241022", today(), "retired"),
        ("claude-fable-5-2", today(), "unpriced"),
        ("gpt", today(), "unknown"),
    ];
    for (id, now, expected) in rows {
        assert_eq!(standing(&[], id, now).as_str(), expected, "{id} on {now}");
    }
    let retired = standing(&[], "claude-3-5-sonnet-20241022", today());
    assert!(retired.refusal().unwrap().contains("use claude-sonnet-5-5"), "{retired:?}");
    assert_eq!(standing(&[], "claude-sonnet-4-5", today()).refusal(), None, "it answers still");

    // A service that lists it as one that answers knows better than the day in the file.
    let listed = ReportedModel { lifecycle: Some(Lifecycle::Active), ..reported("claude-opus-5") };
    assert_eq!(standing(std::slice::from_ref(&listed), "claude-opus-5", day(2028, 1, 1)).as_str(), "ending");
    let ended = ReportedModel { retires_at: Some(day(2026, 11, 1)), ..listed.clone() };
    assert_eq!(standing(&[ended], "claude-opus-5", today()).as_str(), "retired");
    let gone = ReportedModel { vanished_at: Some(today()), ..listed };
    let catalogue = Catalogue::new(&[gone], today());
    assert_eq!(catalogue.standing("claude-opus-5").as_str(), "vanished");
    catalogue.check(&request("claude-opus-5", |_| {})).expect("one list without it does not stop runs");
}

#[test]
fn what_does_not_answer_is_not_asked() {
    let catalogue = Catalogue::new(&[], today());
    for id in ["claude-3-opus-20240229", "claude-fable-5-2", "gpt"] {
        let refused = catalogue.check(&request(id, |_| {}));
        assert!(matches!(refused, Err(Unsendable::Model(_))), "{id}: {refused:?}");
    }
    // Of a model that only the service knows nothing is taken for granted.
    let new = Catalogue::new(&[reported("claude-opus-9")], today());
    assert_eq!(new.standing("claude-opus-9").as_str(), "unpriced");
    assert!(!new.model("claude-opus-9").unwrap().forced_tool);
}

#[test]
fn places_that_name_what_ends_are_found() {
    let named = |name: &str, model: &str| ModelUse {
        user: ModelUser::Agent,
        name: name.to_owned(),
        model: model.to_owned(),
    };
    let uses = [
        named("Well", "work"),
        named("Old", "claude-opus-4-1"),
        named("Through", "old"),
        named("Odd", "wrok"),
    ];
    let classes = BTreeMap::from([
        ("work".to_owned(), "claude-sonnet-5-5".to_owned()),
        ("old".to_owned(), "claude-sonnet-4-5".to_owned()),
    ]);
    let findings = Catalogue::new(&[], today()).findings(&uses, &classes);
    let found: Vec<_> = findings.iter().map(|f| (f.used.name.as_str(), f.standing.as_str())).collect();
    assert_eq!(found, [("Old", "retired"), ("Through", "ending"), ("Odd", "unknown")]);
    assert_eq!(findings[0].sentence(), "agent Old: claude-opus-4-1 is retired; use claude-opus-5-5");
}

#[test]
fn every_priced_model_is_in_the_list_and_a_strange_field_is_refused() {
    let catalogue = Catalogue::new(&[], today());
    for model in catalogue.models().filter(|model| model.lifecycle == Lifecycle::Active) {
        let is_priced = !matches!(model.id.as_str(), "claude-fable-5-2" | "claude-mythos-5-2");
        assert_eq!(crate::cost(&model.id, &crate::Usage::default()).is_some(), is_priced, "{}", model.id);
        if let Some(successor) = &model.successor {
            assert_eq!(catalogue.standing(successor).as_str(), "good", "the successor of {}", model.id);
        }
    }
    assert!(seed::parse("as_of = \"2026-01-01\"\n[[model]]\nids = [\"m\"]\nprize = 1\n").is_err());
}

#[test]
fn a_dated_id_shares_the_limits_of_the_id_without_its_day() {
    let dated = seed::embedded().aliases.keys().next().expect("the list has dated ids");
    assert_eq!(limit_name(dated), dated.rsplit_once('-').unwrap().0);
    for own in ["claude-haiku-5-5", "claude-nobody-knows-20991231"] {
        assert_eq!(limit_name(own), own);
    }
}
