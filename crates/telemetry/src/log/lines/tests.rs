use std::{
    io::{self, Write},
    sync::Mutex,
};

use serde_json::json;
use tracing_subscriber::layer::SubscriberExt;

use super::*;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged(format: LogFormat, secrets: &[&str], log: impl FnOnce()) -> String {
    let written = Written::default();
    let sink = Sink::spawn(written.clone()).unwrap();
    let secrets: Vec<_> = secrets.iter().map(|&secret| secret.to_owned()).collect();
    let lines = Lines::new("worker", format, Arc::new(Redactor::new(&secrets)), sink.clone());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), log);
    sink.flush();
    let bytes = written.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

fn logged_json(secrets: &[&str], log: impl FnOnce()) -> Value {
    let text = logged(LogFormat::Json, secrets, log);
    assert_eq!(text.matches('\n').count(), 1, "{text}");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_line_is_flat_and_carries_the_spans() {
    let mut line = logged_json(&[], || {
        let outer = tracing::info_span!("run", task.id = "t-1", step = tracing::field::Empty);
        let _outer = outer.enter();
        outer.record("step", 7);
        let _inner = tracing::info_span!("tool", run.id = "r-1", step = 8, level = "mine").entered();
        tracing::warn!(target: "hive", seconds = 0.5, again = true, "Ran {}", "ls");
    });
    let timestamp = line["timestamp"].take();
    assert!(timestamp.as_str().unwrap().ends_with('Z'), "{timestamp}");
    assert_eq!(
        line,
        json!({
            "timestamp": null, "level": "WARN", "target": "hive", "message": "Ran ls", "process": "worker",
            "task.id": "t-1", "step": 8, "run.id": "r-1", "field.level": "mine",
            "seconds": 0.5, "again": true,
        })
    );
}

#[test]
fn planted_secrets_are_nowhere_in_a_line() {
    #[derive(Debug)]
    #[expect(dead_code, reason = "only its Debug form matters")]
    struct Settings {
        password: &'static str,
    }
    let secret = "se\"c\\ret\n1";
    let number = "8675309";
    for format in [LogFormat::Json, LogFormat::Text] {
        let line = logged(format, &[secret, number], || {
            let _span =
                tracing::info_span!("open", url = format!("redis://:{secret}@h"), pin = 8_675_309).entered();
            let error = anyhow::Error::new(io::Error::other(format!("refused {secret}"))).context("connect");
            tracing::error!(
                settings = ?Settings { password: secret },
                error = AsRef::<dyn std::error::Error>::as_ref(&error),
                header = "Bearer abc.def",
                "Sent {secret} and sk-ant-api03-xyz",
            );
        });
        for part in ["se\"c", "ret\\n1", "c\\ret", "c\\\\ret", "8675309", "abc.def", "api03"] {
            assert!(!line.contains(part), "{part} in {line}");
        }
        assert_eq!(line.matches("[redacted]").count(), 7, "{line}");
        assert!(line.contains("connect: refused [redacted]"), "{line}");
    }
}

#[test]
fn untrusted_text_cannot_leave_its_line_or_drive_the_terminal() {
    for format in [LogFormat::Json, LogFormat::Text] {
        let line = logged(format, &[], || {
            tracing::info!(
                output = "\u{1b}[2J\u{9b}31m\r\n{\"level\":\"ERROR\"}",
                "Said \u{1b}]0;x\u{7} \u{7f}"
            );
        });
        let line = line.strip_suffix('\n').unwrap();
        assert!(!line.chars().any(char::is_control), "{line:?}");
        assert!(line.contains("[2J"), "{line}");
        if format == LogFormat::Json {
            let value: Value = serde_json::from_str(line).unwrap();
            assert_eq!(value["output"], "\u{1b}[2J\u{9b}31m\r\n{\"level\":\"ERROR\"}");
        }
    }
}

#[test]
fn a_long_value_is_cut_after_its_secrets_are_gone() {
    let secret = "S".repeat(64);
    let text = format!("{}{secret}{}", "x".repeat((8 << 10) - 5), "é".repeat(9_000));
    let line = logged_json(&[&secret], || tracing::info!(text, "Long"));
    let kept = line["text"].as_str().unwrap();
    assert!(kept.len() < (8 << 10) + 50 && kept.ends_with("bytes left out)"), "{}", kept.len());
    assert!(!kept.contains("SS"), "{kept}");
}

#[test]
fn text_reads_like_a_sentence() {
    let line = logged(LogFormat::Text, &[], || {
        tracing::info!(target: "hive", task = "t-1", worker = "a b", "Claimed");
    });
    let (_, rest) = line.split_once("Z ").unwrap();
    assert_eq!(rest, " INFO worker hive: Claimed task=t-1 worker=\"a b\"\n");
}
