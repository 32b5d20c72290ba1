//! Nothing but health answers without the token.

use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

use crate::hive::{Answer, Api, Hive, TOKEN};

/// Every route of the description, with its method.
fn routes() -> Vec<(Method, String)> {
    let document: Value = serde_json::from_str(&hive_api::document()).unwrap();
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let method = method.to_uppercase().parse().unwrap();
            routes.push((method, path.replace("{id}", &Uuid::now_v7().to_string())));
        }
    }
    routes
}

#[tokio::test]
async fn every_route_but_health_wants_the_token() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let unknown = ["/", "/api/v1/nothing", "/health", "/docs"].map(|path| (Method::GET, path.to_owned()));
    let (mut refused, known) = (0, routes());
    let guarded = known.iter().filter(|(_, path)| !path.starts_with("/health/")).count() + unknown.len();
    for (method, path) in known.into_iter().chain(unknown) {
        let open = path.starts_with("/health/");
        for header in [
            None,
            Some("Bearer not-the-token-at-all"),
            Some("Bearer "),
            Some(TOKEN),
            Some(&*format!("Basic {TOKEN}")),
            Some(&*format!("Bearer {TOKEN}x")),
            Some(&*format!("Bearer {}", &TOKEN[1..])),
        ] {
            let mut request = api.bare(method.clone(), &path).body("{}");
            if let Some(header) = header {
                request = request.header("authorization", header);
            }
            let answer = Answer::of(request).await;
            if open {
                assert_ne!(answer.status, 401, "{method} {path} with {header:?}");
            } else {
                answer.problem(401, "unauthorized");
                assert!(answer.header("www-authenticate").starts_with("Bearer"));
                refused += 1;
            }
        }
        // The status alone: a stream has no end.
        let answer = api.request(method.clone(), &path).send().await.unwrap();
        assert_ne!(answer.status(), 401, "{method} {path} with the token");
    }
    assert_eq!(refused, guarded * 7);
    assert!(hive.tasks().await.is_empty());
}

#[tokio::test]
async fn the_scheme_may_be_written_in_any_case() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    for scheme in ["bearer", "BEARER"] {
        let request =
            api.bare(Method::GET, "/api/v1/tasks").header("authorization", format!("{scheme} {TOKEN}"));
        assert_eq!(Answer::of(request).await.status, 200);
    }
}

#[tokio::test]
async fn metrics_are_open_when_the_setting_says_so() {
    let hive = Hive::start().await;
    let mut config = hive.config.clone();
    config.metrics_open = true;
    let api = Api::start(config).await;
    let answer = Answer::of(api.bare(Method::GET, "/metrics")).await;
    assert_eq!(answer.status, 200);
    Answer::of(api.bare(Method::GET, "/openapi.json")).await.problem(401, "unauthorized");
}
