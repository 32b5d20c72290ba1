use std::time::Duration;

use hive_sandbox::{Exit, Limit, Limits, Sandbox};

use crate::fixture::{Place, run};

const MIB: u64 = 1 << 20;

/// Row 2, of one process.
#[tokio::test]
async fn one_allocation_beyond_the_limit_fails() {
    let place = Place::new();
    for sandbox in place.sandboxes().await {
        let mut job = place.python("bytearray(8 << 30)");
        job.limits.memory_bytes = 256 * MIB;
        let output = run(&sandbox, &job).await;
        assert!(!output.success());
        assert!(output.stderr.text().contains("MemoryError"));
    }
}

/// Row 2, of many processes, each below the limit. Without confinement there is no cgroup, so this is the
/// watcher's work alone.
#[tokio::test]
async fn memory_of_the_whole_tree_is_bounded() {
    let place = Place::new();
    let script = "
import os, time
for i in range(8):
    if os.fork() == 0:
        block = bytearray(os.urandom(1 << 20) * 40); time.sleep(1000)
time.sleep(1000)
";
    let mut sandboxes = place.sandboxes().await;
    sandboxes.push(place.unconfined().await);
    for sandbox in sandboxes {
        let mut job = place.python(script);
        job.limits.memory_bytes = 128 * MIB;
        let output = run(&sandbox, &job).await;
        assert_eq!(output.ended_by, Some(Limit::Memory), "{}", output.level);
        assert_eq!(output.code(), 137);
        assert!(output.wall < Duration::from_secs(20));
    }
}

/// Pages that processes share are counted once.
#[tokio::test]
async fn shared_memory_is_not_counted_many_times() {
    let place = Place::new();
    let script = "
import os, time
block = bytearray(b'x' * (60 << 20))
children = []
for i in range(8):
    pid = os.fork()
    if pid == 0: time.sleep(1); os._exit(0)
    children.append(pid)
for pid in children: os.waitpid(pid, 0)
print(len(block) >> 20)
";
    for sandbox in place.sandboxes().await {
        let mut job = place.python(script);
        job.limits.memory_bytes = 256 * MIB;
        let output = run(&sandbox, &job).await;
        assert_eq!(output.stdout.text(), "60\n");
    }
}

/// Row 8.
#[tokio::test]
async fn a_busy_loop_ends_at_its_processor_time() {
    let place = Place::new();
    for sandbox in place.sandboxes().await {
        let mut job = place.shell("while :; do :; done");
        job.limits.cpu_seconds = 1;
        let output = run(&sandbox, &job).await;
        assert_eq!(output.ended_by, Some(Limit::CpuTime));
        assert_eq!(output.code(), 124);
        // The kernel's limit counts whole ticks, the usage counts what was run: under load they differ.
        assert!(output.cpu >= Duration::from_millis(500), "{:?}", output.cpu);
    }
}

/// Row 8: processor time is that of all processes together, also of those that have ended.
#[tokio::test]
async fn processor_time_is_summed_over_processes() {
    let place = Place::new();
    let script = "
import os, time
for i in range(40):
    if os.fork() == 0:
        end = time.process_time() + 0.3
        while time.process_time() < end: pass
        os._exit(0)
    os.wait()
";
    for sandbox in place.sandboxes().await {
        let mut job = place.python(script);
        job.limits.cpu_seconds = 1;
        assert_eq!(run(&sandbox, &job).await.ended_by, Some(Limit::CpuTime));
    }
}

/// Row 8, of waiting instead of working.
#[tokio::test]
async fn a_run_ends_at_its_wall_time() {
    let place = Place::new();
    for sandbox in place.sandboxes().await {
        let mut job = place.shell("echo waiting; sleep 1000");
        job.limits.wall = Duration::from_secs(1);
        let output = run(&sandbox, &job).await;
        assert_eq!(output.ended_by, Some(Limit::WallTime));
        assert_eq!(output.code(), 124);
        assert_eq!(output.stdout.text(), "waiting\n");
        assert!(output.wall < Duration::from_secs(4), "{:?}", output.wall);
    }
}

/// Row 5.
#[tokio::test]
async fn disk_space_is_bounded() {
    let place = Place::new();
    for sandbox in place.sandboxes().await {
        for target in [".", "$TMPDIR"] {
            let line = format!(
                "i=0; while :; do dd if=/dev/zero of={target}/f$i bs=1M count=8 status=none; i=$((i+1)); sleep 0.05; done"
            );
            let mut job = place.shell(&line);
            job.limits.disk_bytes = 64 * MIB;
            let output = run(&sandbox, &job).await;
            assert_eq!(output.ended_by, Some(Limit::Disk), "{target}");
            assert!(used(&place) < 700 * MIB);
            clean(&sandbox, &place).await;
        }
    }
}

#[tokio::test]
async fn a_workspace_that_is_too_full_can_be_cleaned_up() {
    let place = Place::new();
    std::fs::write(place.workspace.join("big"), vec![1; 40 << 20]).unwrap();
    for sandbox in place.sandboxes().await {
        let mut job = place.shell("sleep 0.7; ls big");
        job.limits.disk_bytes = 16 * MIB;
        let output = run(&sandbox, &job).await;
        assert!(output.success(), "{output:?}");
    }
}

/// Files without a name occupy space too.
#[tokio::test]
async fn space_of_deleted_files_is_counted() {
    let place = Place::new();
    let script = "
import os, time
held = []
for i in range(100):
    f = open('f', 'wb'); os.unlink('f'); f.write(os.urandom(1 << 20) * 4); f.flush(); held.append(f); time.sleep(0.05)
";
    for sandbox in place.sandboxes().await {
        let mut job = place.python(script);
        job.limits.disk_bytes = 32 * MIB;
        assert_eq!(run(&sandbox, &job).await.ended_by, Some(Limit::Disk));
    }
}

/// What is nested deeply or made inaccessible in the temporary directory is removed all the same.
#[tokio::test]
async fn temporary_files_are_removed_however_they_were_left() {
    let place = Place::new();
    let script = "
import os
os.chdir(os.environ['TMPDIR'])
os.mkdir('closed'); open('closed/f', 'w').close(); os.chmod('closed', 0)
for i in range(3000): os.mkdir('d'); os.chdir('d')
";
    for sandbox in place.sandboxes().await {
        assert!(run(&sandbox, &place.python(script)).await.success());
        assert_eq!(place.leftovers(), 0);
    }
}

/// Row 6.
#[tokio::test]
async fn the_number_of_files_is_bounded() {
    let place = Place::new();
    let script = "
import os, time
for i in range(10**6):
    open(f'd/{i}', 'w').close()
    if i % 100 == 0: time.sleep(0.01)
";
    for sandbox in place.sandboxes().await {
        let mut job = place.python(&format!("import os\nos.makedirs('d', exist_ok=True)\n{script}"));
        job.limits.inodes = 2_000;
        let output = run(&sandbox, &job).await;
        assert_eq!(output.ended_by, Some(Limit::Inodes));
        clean(&sandbox, &place).await;
    }
}

/// Files cannot be hidden from the count in a tree that is deeper than a path can be long.
#[tokio::test]
async fn files_in_a_very_deep_tree_are_counted_and_removed() {
    let place = Place::new();
    for sandbox in place.sandboxes().await {
        let script = "
import os, time
for i in range(1500): os.mkdir('d'); os.chdir('d')
for i in range(1000): open(str(i), 'w').close()
time.sleep(20)";
        let mut job = place.python(script);
        job.limits.inodes = 2_000;
        let output = run(&sandbox, &job).await;
        assert_eq!(output.ended_by, Some(Limit::Inodes));
        clean(&sandbox, &place).await;
    }
}

#[tokio::test]
async fn a_file_is_bounded() {
    let place = Place::new();
    for sandbox in place.sandboxes().await {
        let mut job = place.job(["dd", "if=/dev/zero", "of=f", "bs=1M", "count=64"]);
        job.limits.file_size = 4 * MIB;
        let output = run(&sandbox, &job).await;
        assert_eq!(output.ended_by, Some(Limit::FileSize));
        assert_eq!(std::fs::metadata(place.workspace.join("f")).unwrap().len(), 4 * MIB);
    }
}

/// Limits and the rebuilt environment hold without walls too, and the output says that there were none.
#[tokio::test]
async fn limits_hold_when_the_sandbox_is_off() {
    let place = Place::new();
    let sandbox = place.unconfined().await;
    let mut job = place.shell("echo on; while :; do :; done");
    job.limits = Limits { cpu_seconds: 1, ..job.limits };
    let output = run(&sandbox, &job).await;
    assert_eq!((output.ended_by, output.level.as_str()), (Some(Limit::CpuTime), "off"));
    let output = run(&sandbox, &place.shell("echo $HOME; env | grep CARGO; exit 3")).await;
    assert_eq!(output.exit, Exit::Code(3));
    assert!(output.stdout.text().starts_with(place.path().to_str().unwrap()), "HOME is private");
    assert!(!output.stdout.text().contains("CARGO"));
}

fn used(place: &Place) -> u64 {
    use std::os::unix::fs::MetadataExt;
    std::fs::read_dir(&place.workspace)
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().blocks() * 512)
        .sum()
}

async fn clean(sandbox: &Sandbox, place: &Place) {
    let removed = run(
        sandbox,
        &place.python("import shutil,os\nfor n in os.listdir('.'):\n  d=n\n  os.system('rm -rf -- '+d)"),
    )
    .await;
    assert!(removed.success());
    assert_eq!(std::fs::read_dir(&place.workspace).unwrap().count(), 0);
}
