//! Scale and upgrade under load: workers come and go, each process is replaced in turn, others are killed meanwhile, and
//! nobody who submits or watches a clock notices.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{
    client::{Client, LABEL},
    figures::Figures,
    fleet::Fleet,
    options::Options,
    process::{Kind, Place},
    run::urls,
    strike::Struck,
    verify,
};

/// Clients that submit one task after the other.
const CLIENTS: usize = 16;
/// What each of them waits between two.
const BETWEEN: Duration = Duration::from_millis(60);
/// Tasks that are submitted at least.
const TASKS: usize = 5_000;
/// Ordinary workers at the height.
const MOST_WORKERS: usize = 8;
/// No-op tasks per second that must be done, and the time within which 95 of 100 submissions are answered.
const LEAST_RATE: f64 = 100.0;
const ANSWERED_WITHIN: f64 = 0.1;
/// Between two replacements, as whoever upgrades looks at the new one before going on.
const BREATH: Duration = Duration::from_secs(1);
/// How long one submission is tried.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two kills.
const KILL_EVERY: Duration = Duration::from_secs(4);

/// What the clients know.
#[derive(Default)]
struct Submitted {
    stop: AtomicBool,
    next: AtomicUsize,
    refused: AtomicUsize,
    // Protects how long each answer took; held for a push.
    seconds: Mutex<Vec<f64>>,
}

pub(crate) async fn run(options: &Options) -> anyhow::Result<Figures> {
    let seed = options.seed();
    println!("SEED={seed}");
    let mut figures = Figures::default();
    figures.note("seed", seed);
    let mut fleet = Fleet::start(options, seed).await?;
    fleet.double.set_faults(None);
    println!("logs are in {}", fleet.directory.path().display());
    fleet.directory.disable_cleanup(options.keep);
    let client = Arc::new(Client::new(urls(&fleet), &seed.to_string())?);
    let ticks = json!({
        "name": "ticks", "cron": "* * * * * *", "time_zone": "UTC", "overlap": "allow", "catch_up": "all",
        "task": { "title": "Tick", "duty": "noop", "labels": { "kind": "tick" } },
    });
    let ticks = client.create("schedules", &ticks).await.context("no schedule could be made")?;

    let submitted = Arc::new(Submitted::default());
    let started = Instant::now();
    let clients: Vec<_> =
        (0..CLIENTS).map(|_| tokio::spawn(submit(Arc::clone(&client), Arc::clone(&submitted)))).collect();
    let mut roll = Roll { struck: Struck::default(), dice: StdRng::seed_from_u64(seed), killed: started };
    let mut rolls = 0;
    while rolls == 0 || started.elapsed() < options.span() || submitted.next.load(Ordering::Relaxed) < TASKS {
        let workers = fleet.of(Kind::Worker).len() - 1;
        for number in workers + 2..=MOST_WORKERS + 1 {
            fleet.add(Kind::Worker, number)?;
        }
        println!("{:>6.1} s  {MOST_WORKERS} workers", started.elapsed().as_secs_f64());
        for index in 0..fleet.places.len() {
            println!("{:>6.1} s  SIGTERM {}", started.elapsed().as_secs_f64(), fleet.places[index].name);
            roll.replace(&mut fleet, index).await?;
        }
        let leaving = fleet.of(Kind::Worker).split_off(crate::fleet::WORKERS + 1);
        for index in leaving.into_iter().rev() {
            roll.retire(&mut fleet, index).await?;
        }
        println!("{:>6.1} s  {} workers", started.elapsed().as_secs_f64(), crate::fleet::WORKERS);
        rolls += 1;
    }
    let seconds = started.elapsed().as_secs_f64();
    submitted.stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await?;
    }
    fleet.all_ready(Duration::from_secs(60)).await?;
    client.disable(&ticks).await.context("the schedule could not be stopped")?;
    let open = drained(&fleet).await?;
    figures.note("rolls", rolls);
    figures.note("kills", roll.struck.kills);
    figures.note_number("seconds", seconds);
    figures.note("open_at_the_end", open);
    figures.must(open == 0, || format!("{open} tasks are open"));
    judge(&mut figures, &fleet, &submitted, seconds).await?;
    figures.must_be_none("unexpected_exits", &roll.struck.unexpected);
    let verified = verify::at_the_end(&fleet).await?;
    figures.note("checks", verified.checks);
    let lines: Vec<String> = verified.violations.into_iter().map(|(_, line)| line).collect();
    figures.must_be_none("violations", &lines);
    let panics: usize = fleet.places.iter().map(Place::panics).sum();
    figures.note("panics", panics);
    figures.must(panics == 0, || format!("{panics} panics are in the logs"));
    Ok(figures)
}

/// One client: a task, a pause, and the next one. What is not answered goes to the other api, under its key, as behind a
/// balancer.
async fn submit(client: Arc<Client>, submitted: Arc<Submitted>) {
    while !submitted.stop.load(Ordering::Relaxed) {
        let number = submitted.next.fetch_add(1, Ordering::Relaxed) + 1;
        let name = number.to_string();
        let task = json!({ "title": "Noop", "duty": "noop", "labels": { LABEL: client.label(&name) } });
        let deadline = Instant::now() + PATIENCE;
        let mut turn = number;
        loop {
            let asked = Instant::now();
            match client.post_to(turn, &name, &task).await {
                Ok(_) => {
                    let mut seconds = submitted.seconds.lock().unwrap_or_else(PoisonError::into_inner);
                    seconds.push(asked.elapsed().as_secs_f64());
                    break;
                }
                Err(_) if asked > deadline => {
                    submitted.refused.fetch_add(1, Ordering::Relaxed);
                    break;
                }
                Err(pause) if (turn - number) % 2 == 1 => sleep(pause).await,
                Err(_) => {}
            }
            turn += 1;
        }
        sleep(BETWEEN).await;
    }
}

/// The upgrade, and who is killed meanwhile.
struct Roll {
    struck: Struck,
    dice: StdRng,
    killed: Instant,
}

impl Roll {
    /// SIGTERM, its end in order, and its next life, ready.
    async fn replace(&mut self, fleet: &mut Fleet, index: usize) -> anyhow::Result<()> {
        // A process that was killed a moment ago may not listen for signals yet.
        fleet.ready(index, Duration::from_secs(60)).await?;
        let lives = fleet.places[index].lives;
        fleet.places[index].ask_to_end();
        let deadline = Instant::now() + Duration::from_secs(60);
        while fleet.places[index].lives == lives {
            ensure!(Instant::now() < deadline, "{} did not end", fleet.places[index].name);
            if let Some(how) = fleet.places[index].revive()?
                && how != "exit status: 0"
            {
                self.struck.unexpected.push(format!("{} drained with {how}", fleet.places[index].name));
            }
            self.meanwhile(fleet, index)?;
            sleep(Duration::from_millis(20)).await;
        }
        fleet.ready(index, Duration::from_secs(60)).await?;
        let breath = Instant::now();
        while breath.elapsed() < BREATH {
            self.meanwhile(fleet, index)?;
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// SIGTERM, and no next life.
    async fn retire(&mut self, fleet: &mut Fleet, index: usize) -> anyhow::Result<()> {
        fleet.ready(index, Duration::from_secs(60)).await?;
        fleet.places[index].ask_to_end();
        let mut place = fleet.places.remove(index);
        tokio::task::spawn_blocking(move || place.end()).await?;
        self.struck.revive(fleet)
    }

    /// Now and then `kill -9` of somebody who is not being replaced.
    fn meanwhile(&mut self, fleet: &mut Fleet, replaced: usize) -> anyhow::Result<()> {
        for index in (0..fleet.places.len()).filter(|index| *index != replaced) {
            if let Some(how) = fleet.places[index].revive()? {
                self.struck.unexpected.push(format!("{} ended with {how}", fleet.places[index].name));
            }
        }
        if self.killed.elapsed() > KILL_EVERY {
            let index = self.dice.random_range(0..fleet.places.len());
            if index != replaced {
                self.struck.kills += 1;
                self.killed = Instant::now();
                println!("          kill -9 {}", fleet.places[index].name);
                fleet.places[index].kill9()?;
            }
        }
        Ok(())
    }
}

/// Waits until nothing is open; how much is, when the time is up.
async fn drained(fleet: &Fleet) -> anyhow::Result<i64> {
    let open = "SELECT count(*) FROM tasks WHERE status IN ('pending', 'ready', 'running', 'waiting')";
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let open: i64 = sqlx::query_scalar(open).fetch_one(&fleet.pool).await?;
        if open == 0 || Instant::now() > deadline {
            return Ok(open);
        }
        sleep(Duration::from_millis(100)).await;
    }
}

async fn judge(
    figures: &mut Figures,
    fleet: &Fleet,
    submitted: &Submitted,
    seconds: f64,
) -> anyhow::Result<()> {
    let mut times = submitted.seconds.lock().unwrap_or_else(PoisonError::into_inner).clone();
    times.sort_by(f64::total_cmp);
    let (accepted, refused) = (times.len(), submitted.refused.load(Ordering::Relaxed));
    figures.note("accepted", accepted);
    figures.must(accepted >= TASKS, || format!("{accepted} of {TASKS} tasks were accepted"));
    figures.note("given_up", refused);
    figures.must(refused == 0, || format!("{refused} submissions were given up"));
    let (labels, done, failed): (i64, i64, i64) = sqlx::query_as(
        "SELECT count(DISTINCT labels ->> $1) FILTER (WHERE labels ? $1),
                count(*) FILTER (WHERE labels ? $1 AND status = 'succeeded'),
                count(*) FILTER (WHERE status <> 'succeeded')
         FROM tasks",
    )
    .bind(LABEL)
    .fetch_one(&fleet.pool)
    .await?;
    figures.note("succeeded", done);
    figures.must(labels == i64::try_from(accepted)?, || {
        format!("{accepted} were accepted, and {labels} are there")
    });
    figures.must(done == labels, || format!("{done} tasks for {labels} submissions succeeded"));
    figures.note("not_succeeded", failed);
    figures.must(failed == 0, || format!("{failed} tasks did not succeed"));
    let rate = done as f64 / seconds;
    figures.note_number("tasks_per_second", rate);
    figures.must(rate >= LEAST_RATE, || format!("{rate:.0} tasks were done each second"));
    let p95 = times.get((times.len() * 95).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default();
    figures.note_number("answered_p95_s", p95);
    figures.must(p95 <= ANSWERED_WITHIN, || format!("95 of 100 submissions were answered within {p95:.3} s"));

    let (first, last, slots, fired, tasks): (DateTime<Utc>, DateTime<Utc>, i64, i64, i64) = sqlx::query_as(
        "SELECT min(slot), max(slot), count(*), count(*) FILTER (WHERE outcome = 'fired'),
                (SELECT count(*) FROM tasks WHERE labels ->> 'kind' = 'tick')
         FROM cron_slots JOIN schedules s ON s.id = schedule_id WHERE s.name = 'ticks'",
    )
    .fetch_one(&fleet.pool)
    .await?;
    let expected = (last - first).num_seconds() + 1;
    figures.note("ticks", expected);
    figures.note("ticks_fired", fired);
    figures.must(slots == expected && fired == expected && tasks == expected, || {
        format!("of {expected} seconds {slots} have a slot, {fired} fired, and {tasks} tasks were made")
    });
    Ok(())
}
