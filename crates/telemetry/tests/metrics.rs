//! What Prometheus reads.

use hive_telemetry::metrics::{Description, describe, install};

#[test]
fn what_is_counted_is_rendered() {
    let handle = install("test");
    describe(&[
        Description::counter("hive_test_total", "Things"),
        Description::histogram("hive_test_seconds", "Times"),
    ]);
    metrics::counter!("hive_test_total", "kind" => "a\"b").increment(3);
    metrics::histogram!("hive_test_seconds").record(0.03);
    metrics::histogram!("hive_test_tokens").record(300.0);
    // A second call reads the same numbers.
    let text = install("test").render();
    for line in [
        "# HELP hive_test_total Things",
        "# TYPE hive_test_total counter",
        "hive_build_info{process=\"test\",version=\"0.1.0\",revision=\"unknown\"} 1",
        "hive_test_total{kind=\"a\\\"b\"} 3",
        "hive_test_seconds_bucket{le=\"0.025\"} 0",
        "hive_test_seconds_bucket{le=\"0.05\"} 1",
        "hive_test_seconds_bucket{le=\"600\"} 1",
        "hive_test_tokens_bucket{le=\"1000\"} 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
    }
    let rss = |text: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
        line.unwrap().parse().unwrap()
    };
    let before = rss(&text);
    let touched = vec![1_u8; 64 << 20];
    let after = rss(&handle.render());
    assert!(after - before > 48e6, "{before} then {after}, {} touched", touched.len());
}
