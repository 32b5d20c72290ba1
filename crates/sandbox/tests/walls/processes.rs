use std::time::{Duration, Instant};

use hive_sandbox::{Exit, Limit};
use tokio_util::sync::CancellationToken;

use crate::fixture::{Place, alive, eventually, marker, run};

/// Row 1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_bomb_is_bounded_and_gone_afterwards() {
    let place = Place::new();
    for sandbox in place.sandboxes().await {
        let marker = marker();
        let mut job = place.job(["bash", "-c", ":(){ :|:& };: ; sleep 100", &marker]);
        job.limits.wall = Duration::from_secs(2);
        job.limits.processes = 32;
        let cancel = CancellationToken::new();
        let bomb = sandbox.run(&job, &cancel);
        let mut most = 0;
        let watching = async {
            loop {
                most = most.max(alive(&marker));
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let output = tokio::select! { output = bomb => output.unwrap(), () = watching => unreachable!() };
        assert!(most <= 40, "{most} processes at once");
        assert!(most > 5, "the bomb did not go off: {most}");
        assert!(matches!(output.ended_by, Some(Limit::WallTime | Limit::Processes)), "{output:?}");
        assert_eq!(alive(&marker), 0);
    }
}

/// Row 9.
#[tokio::test]
async fn a_process_left_behind_in_its_own_session_is_dead() {
    let place = Place::new();
    for sandbox in place.sandboxes().await {
        let marker = marker();
        let script = format!("setsid nohup bash -c 'sleep 1000; : {marker}' >/dev/null 2>&1 & echo left");
        let output = run(&sandbox, &place.shell(&script)).await;
        assert_eq!(output.exit, Exit::Code(0));
        assert_eq!(output.stdout.text(), "left\n");
        assert!(output.wall < Duration::from_secs(10), "the run waited for what it left behind");
        assert_eq!(alive(&marker), 0);
    }
}

/// Row 10.
#[tokio::test]
async fn a_double_fork_that_ignores_signals_is_dead() {
    let place = Place::new();
    let script = "
import os, signal, sys, time
for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(s, signal.SIG_IGN)
r, w = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.write(w, b'x'); time.sleep(1000)
    os._exit(0)
os.read(r, 1)
print('daemon is up')
";
    for sandbox in place.sandboxes().await {
        let marker = marker();
        let mut job = place.python(script);
        job.command.push(marker.clone());
        let output = run(&sandbox, &job).await;
        assert_eq!(output.stdout.text(), "daemon is up\n");
        assert_eq!(alive(&marker), 0);
    }
}

/// Row 11.
#[tokio::test]
async fn orphans_are_reaped_while_the_run_goes_on() {
    let place = Place::new();
    let script = "
import os
for i in range(400):
    if os.fork() == 0:
        if os.fork() == 0: os._exit(0)
        os._exit(0)
    os.wait()
print('done')
";
    for sandbox in place.sandboxes().await {
        let mut job = place.python(script);
        job.limits.processes = 100;
        // Four hundred orphans fit below a hundred only when somebody collects them.
        let patient = script.replace(
            "    if os.fork() == 0:\n",
            "    pid = None\n    while pid is None:\n        try: pid = os.fork()\n\
             \x20       except BlockingIOError: pass\n    if pid == 0:\n",
        );
        job.command[2] = patient.replace(
            "        if os.fork() == 0: os._exit(0)\n",
            "        try: os.fork()\n        except BlockingIOError: pass\n",
        );
        let output = run(&sandbox, &job).await;
        assert_eq!(output.stdout.text(), "done\n");
    }
}

/// Row 12.
#[tokio::test]
async fn stdin_is_empty() {
    let place = Place::new();
    for sandbox in place.sandboxes().await {
        let output = run(&sandbox, &place.shell("cat; echo end")).await;
        assert_eq!(output.stdout.text(), "end\n");
    }
}

#[tokio::test]
async fn cancelling_ends_a_run_within_two_seconds() {
    let place = Place::new();
    for sandbox in place.sandboxes().await {
        let marker = marker();
        let job = place.job(["bash", "-c", "echo begun; trap '' TERM INT; sleep 1000 & sleep 1000", &marker]);
        let cancel = CancellationToken::new();
        let begun = Instant::now();
        let (output, cancelled) = tokio::join!(sandbox.run(&job, &cancel), async {
            eventually("the run has begun", Duration::from_secs(10), || alive(&marker) > 0).await;
            cancel.cancel();
            Instant::now()
        });
        let output = output.unwrap();
        assert!(cancelled.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        assert_eq!(output.ended_by, Some(Limit::Cancelled));
        assert_eq!(alive(&marker), 0);
        assert_eq!(place.leftovers(), 0);
    }
}

/// The word to end it is sent together with the order.
#[tokio::test]
async fn a_run_that_is_cancelled_before_it_begins_ends_at_once() {
    let place = Place::new();
    for sandbox in place.sandboxes().await {
        let marker = marker();
        let job = place.job(["bash", "-c", "sleep 1000; :", &marker]);
        let cancel = CancellationToken::new();
        cancel.cancel();
        let begun = Instant::now();
        let output = sandbox.run(&job, &cancel).await.unwrap();
        assert_eq!(output.ended_by, Some(Limit::Cancelled), "{output:?}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        assert_eq!((alive(&marker), place.leftovers()), (0, 0));
    }
}

#[tokio::test]
async fn dropping_the_run_ends_it() {
    let place = Place::new();
    for sandbox in place.sandboxes().await {
        let marker = marker();
        let job = place.job(["bash", "-c", "setsid sleep 1000 & sleep 1000; :", &marker]);
        let cancel = CancellationToken::new();
        tokio::select! {
            output = sandbox.run(&job, &cancel) => panic!("{output:?}"),
            () = eventually("the run has begun", Duration::from_secs(10), || alive(&marker) > 0) => {}
        }
        eventually("the run is gone", Duration::from_secs(5), || alive(&marker) == 0).await;
        eventually("its files are gone", Duration::from_secs(5), || place.leftovers() == 0).await;
    }
}

#[tokio::test]
async fn the_exit_of_a_command_is_told() {
    let place = Place::new();
    for sandbox in place.sandboxes().await {
        assert_eq!(run(&sandbox, &place.shell("exit 7")).await.exit, Exit::Code(7));
        assert_eq!(run(&sandbox, &place.shell("kill -9 $$")).await.code(), 137);
        let missing = sandbox.run(&place.job(["no-such-program"]), &CancellationToken::new()).await;
        assert!(missing.unwrap_err().to_string().contains("no-such-program"));
    }
}
