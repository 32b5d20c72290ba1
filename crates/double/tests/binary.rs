//! `claude-double` as a process.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn claude_double() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_claude-double"));
    command.stdin(Stdio::null());
    command
}

#[tokio::test]
async fn it_says_where_it_listens_plays_its_scripts_and_ends_when_asked_to() {
    let mut first = tempfile::NamedTempFile::new().expect("a file is made");
    first.write_all(b"rules: [{ times: 1, say: from the first }]").expect("the file can be written");
    let mut second = tempfile::NamedTempFile::new().expect("a file is made");
    second.write_all(b"rules: [{ say: from the second }]").expect("the file can be written");
    let mut double = claude_double()
        .args(["--port", "0", "--latency-ms", "1", "--key", "good", "--script"])
        .arg(first.path())
        .arg("--script")
        .arg(second.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the double starts");
    let mut line = String::new();
    let output = double.stdout.take().expect("its output is piped");
    BufReader::new(output).read_line(&mut line).expect("it prints a line");
    let url = line.trim().strip_prefix("claude-double listening on ").expect("the line has the address");

    let http =
        reqwest::Client::builder().timeout(Duration::from_secs(10)).build().expect("a client is built");
    for said in ["from the first", "from the second"] {
        let body =
            r#"{"model":"claude-sonnet-5-5","max_tokens":100,"messages":[{"role":"user","content":"hi"}]}"#;
        let request = http.post(format!("{url}/v1/messages")).header("x-api-key", "good").body(body);
        let response = request.header("anthropic-version", "2026-10-21").send().await;
        let answer = response.expect("an answer comes").text().await.expect("the answer is whole");
        assert!(answer.contains(said), "{answer}");
    }

    let asked = Command::new("kill").arg(double.id().to_string()).status().expect("kill runs");
    assert!(asked.success());
    let deadline = Instant::now() + Duration::from_secs(10);
    let status = loop {
        if let Some(status) = double.try_wait().expect("its state can be asked") {
            break status;
        }
        if Instant::now() > deadline {
            double.kill().expect("it can be killed");
            panic!("it did not end within 10 s");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert!(status.success(), "{status}");
}

#[test]
fn a_script_that_cannot_be_played_is_named_and_nothing_starts() {
    let mut script = tempfile::NamedTempFile::new().expect("a file is made");
    script.write_all(b"rules: [{ say: '{{nobody}}' }]").expect("the file can be written");
    let output = claude_double().arg("--script").arg(script.path()).output().expect("the double runs");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    let path = script.path().display().to_string();
    assert!(said.contains(&path) && said.contains("{{nobody}} is captured by none"), "{said}");
}

#[test]
fn limits_and_recordings_that_cannot_be_used_are_named_too() {
    let mut file = tempfile::NamedTempFile::new().expect("a file is made");
    file.write_all(b"groups: [{ name: a, models: [claude-2] }]").expect("the file can be written");
    for option in ["--limits", "--recording"] {
        let output = claude_double().arg(option).arg(file.path()).output().expect("the double runs");
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(&file.path().display().to_string()), "{option}: {said}");
    }
    let both = claude_double().arg("--recording").arg(file.path()).arg("--default-part").output();
    assert!(!both.expect("the double runs").status.success(), "a recording is played alone");
}
