//! The vendor's own Python SDK as a client: the judge of the double's wire.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use hive_double::{Double, DoubleConfig, Script};
use tokio::process::Command;

const SDK: &str = "anthropic==2.12.0";
const INSTALL_TIMEOUT: Duration = Duration::from_secs(300);
const RUN_TIMEOUT: Duration = Duration::from_secs(120);

/// What the Python file asks for, by the text of its messages.
const SCRIPT: &str = r#"
rules:
  - { when: { last_text: '^fault (?P<kind>429)$' }, fault: { status: 429, retry_after: 1 } }
  - { when: { last_text: '^fault 500$' }, fault: 500 }
  - { when: { last_text: '^fault 529$' }, fault: 529 }
  - { when: { last_text: '^fault 403$' }, fault: 403 }
  - { when: { last_text: '^fault 409$' }, fault: 409 }
  - { when: { last_text: '^fault 413$' }, fault: 413 }
  - { when: { last_text: '^fault 503$' }, fault: 503 }
  - { when: { last_text: '^fault 504$' }, fault: 504 }
  - { when: { last_text: '^fault spend$' }, fault: spend_limit }
  - { when: { last_text: '^strange$' }, say: hello all the same, strange: [event, field, delta, block] }
  - { when: { last_text: '^refuse$' }, mode: refusing, refusal: { category: bio } }
  - { when: { last_text: '^fault error event$' }, say: torn, fault: error_event }
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
async fn the_python_sdk_is_content() {
    let packages = packages().await;
    let double = Double::start(DoubleConfig {
        script: Some(Script::parse(SCRIPT).expect("the test's script is one")),
        keys: vec!["key".to_owned()],
        ..DoubleConfig::default()
    })
    .await
    .expect("the double starts");

    let mut python = Command::new("python3");
    python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python_sdk.py")).arg(double.url());
    if let Some(folder) = &packages {
        python.env("PYTHONPATH", folder);
    }
    python.env_remove("ANTHROPIC_API_KEY").env_remove("ANTHROPIC_BASE_URL");
    let output = run(&mut python, RUN_TIMEOUT).await;
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).ends_with("all of it holds\n"), "{}", text(&output.stdout));
    assert!(double.unmatched().is_empty(), "{:?}", double.unmatched());
}

/// The folder that holds the SDK; `None` where Python has it already.
async fn packages() -> Option<PathBuf> {
    let wanted = SDK.trim_start_matches("anthropic==");
    let check = format!("import anthropic; assert anthropic.__version__ == '{wanted}'");
    let has_it = async |folder: Option<&Path>| {
        let mut python = Command::new("python3");
        python.args(["-c", &check]);
        if let Some(folder) = folder {
            python.env("PYTHONPATH", folder);
        }
        run(&mut python, RUN_TIMEOUT).await.status.success()
    };
    if has_it(None).await {
        return None;
    }
    let cache = match std::env::var_os("HIVE_TEST_PYTHON_CACHE") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("python"),
    };
    let folder = cache.join(SDK.replace("==", "-"));
    if !has_it(Some(&folder)).await {
        install(&cache, &folder).await;
        assert!(has_it(Some(&folder)).await, "{SDK} was installed and cannot be imported");
    }
    Some(folder)
}

/// Installs beside and renames, so that a folder with the final name is always whole.
async fn install(cache: &Path, folder: &Path) {
    std::fs::create_dir_all(cache).expect("the cache for Python packages can be written");
    let fresh = tempfile::tempdir_in(cache).expect("a folder is made").keep();
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]);
    let output = run(pip.arg(&fresh).arg(SDK), INSTALL_TIMEOUT).await;
    let missing = "the Python SDK test needs python3 with pip, and a package index that has";
    assert!(output.status.success(), "{missing} {SDK}: {}", text(&output.stderr));
    if std::fs::rename(&fresh, folder).is_err() {
        // A broken or a parallel install stands there.
        let aside = cache.join(format!("replaced-{}", std::process::id()));
        std::fs::rename(folder, &aside).expect("the old folder can be moved");
        std::fs::rename(&fresh, folder).expect("the new folder can take its place");
        std::fs::remove_dir_all(&aside).expect("the old folder can be removed");
    }
}

async fn run(command: &mut Command, timeout: Duration) -> std::process::Output {
    let command = command.stdin(Stdio::null()).kill_on_drop(true);
    let output = match tokio::time::timeout(timeout, command.output()).await {
        Ok(output) => output,
        Err(_) => panic!("a Python process did not end within {} s", timeout.as_secs()),
    };
    output.expect("the Python SDK test needs python3 with pip in PATH, and there is none")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
