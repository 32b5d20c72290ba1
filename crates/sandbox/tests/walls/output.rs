use std::time::Duration;

use hive_sandbox::Limit;

use crate::fixture::{Place, resident, run};

const MIB: u64 = 1 << 20;

/// Row 3: what is not kept costs no memory, and a flood ends early.
#[tokio::test]
async fn a_flood_of_output_is_cut_and_ended() {
    let place = Place::new();
    for sandbox in place.sandboxes().await {
        for command in [&["yes"][..], &["cat", "/dev/zero"]] {
            let before = resident();
            let output = run(&sandbox, &place.job(command.iter().copied())).await;
            assert_eq!(output.ended_by, Some(Limit::OutputFlood));
            assert_eq!(output.stdout.bytes.len() as u64, MIB);
            assert!(output.stdout.truncated && output.stdout.total_bytes > 64 * MIB);
            assert!(output.wall < Duration::from_secs(20), "{:?}", output.wall);
            let grown = resident().saturating_sub(before);
            assert!(grown < 50 * MIB, "this process grew by {grown} bytes");
        }
    }
}

/// Row 4.
#[tokio::test]
async fn a_flood_on_both_streams_without_a_newline_is_cut_and_ended() {
    let place = Place::new();
    for sandbox in place.sandboxes().await {
        let before = resident();
        let line = "tr '\\0' x </dev/zero & exec tr '\\0' y </dev/zero >&2";
        let output = run_quietly(&sandbox, &place, line).await;
        assert_eq!(output.ended_by, Some(Limit::OutputFlood));
        assert!(output.stdout.bytes.len() as u64 <= MIB && output.stderr.bytes.len() as u64 <= MIB);
        assert!(output.stdout.total_bytes + output.stderr.total_bytes > 64 * MIB);
        let grown = resident().saturating_sub(before);
        assert!(grown < 50 * MIB, "this process grew by {grown} bytes");
    }
}

#[tokio::test]
async fn long_output_keeps_its_head_and_its_tail() {
    let place = Place::new();
    for sandbox in place.sandboxes().await {
        let output = run(&sandbox, &place.shell("echo first; head -c 3000000 /dev/zero; echo last")).await;
        assert!(output.success());
        assert!(output.stdout.bytes.starts_with(b"first\n") && output.stdout.bytes.ends_with(b"last\n"));
        assert_eq!(output.stdout.total_bytes, 3_000_011);
        assert!(output.stdout.text().contains("bytes left out]"));
    }
}

async fn run_quietly(sandbox: &hive_sandbox::Sandbox, place: &Place, line: &str) -> hive_sandbox::Output {
    sandbox.run(&place.shell(line), &tokio_util::sync::CancellationToken::new()).await.unwrap()
}
