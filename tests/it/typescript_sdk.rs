//! The vendor's own TypeScript SDK as a client: a second judge of the double's wire.

use std::fs;
use std::path::Path;
use std::time::Duration;

use hive_double::{Double, DoubleConfig, Script};
use hive_tests::{NpmPackage, run};
use tokio::process::Command;

const NAME: &str = "@anthropic-ai/sdk";
const VERSION: &str = "1.12.0";
const RUN_WITHIN: Duration = Duration::from_secs(120);

/// What the script asks for, by the text of its messages.
const SCRIPT: &str = r#"
rules:
  - { when: { last_text: '^fault (?P<kind>429)$' }, fault: { status: 429, retry_after: 1 } }
  - { when: { last_text: '^fault spend$' }, fault: spend_limit }
  - { when: { last_text: '^fault 403$' }, fault: 403 }
  - { when: { last_text: '^fault 409$' }, fault: 409 }
  - { when: { last_text: '^fault 500$' }, fault: 500 }
  - { when: { last_text: '^fault 529$' }, fault: 529 }
  - { when: { last_text: '^fault error event$' }, say: torn, fault: error_event }
  - { when: { last_text: '^cut$' }, say: a text that is cut somewhere, fault: cut_in_event }
  - { when: { last_text: '^strange$' }, say: hello all the same, strange: [event, field, delta, block] }
  - { when: { last_text: '^refuse$' }, mode: refusing, refusal: { category: bio } }
  - { when: { last_text: '^retry$' }, times: 2, fault: 529 }
  - { when: { last_text: '^retry$' }, say: third time }
  - when: { turn: 0, last_text: 'weather in (?P<city>\w+)' }
    thinking: I need the weather.
    say: I look.
    tools: [{ name: get_weather, input: { city: "{{city}}" } }]
  - when: { tool: get_weather, last_result: '(?P<degrees>\d+) degrees' }
    say: It is {{degrees}} degrees.
  - { when: { last_text: 'hello' }, say: Hello to you. }
"#;

#[tokio::test]
async fn the_typescript_sdk_is_content() {
    let Some(package) = NpmPackage::find(NAME, VERSION, Path::new(env!("CARGO_TARGET_TMPDIR"))).await else {
        return;
    };
    let double = Double::start(DoubleConfig {
        script: Some(Script::parse(SCRIPT).unwrap()),
        keys: vec!["key".to_owned()],
        ..DoubleConfig::default()
    })
    .await
    .unwrap();
    // A script finds its packages beside itself.
    let script = package.folder.join(format!("judge-{}.mjs", std::process::id()));
    fs::write(&script, include_str!("typescript_sdk.mjs")).unwrap();
    let mut node = Command::new("node");
    node.arg(&script).arg(double.url()).env_remove("ANTHROPIC_API_KEY").env_remove("ANTHROPIC_BASE_URL");
    let output = run(&mut node, RUN_WITHIN).await;
    fs::remove_file(&script).unwrap();
    let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{failed}");
    assert!(said.ends_with("all of it holds\n"), "{said}");
    assert!(double.unmatched().is_empty(), "{:?}", double.unmatched());
}
