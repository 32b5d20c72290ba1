//! One run: strikes under load, quiet, the phase without Redis, and then the books.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    client::{Accepted, Books, Client, Work},
    figures::{Figures, percentile},
    fire::{Fire, LEAST_KILLS},
    fleet::{Fleet, SLOTS},
    ledger,
    metrics::MUST_MOVE,
    options::Options,
    process::Kind,
    recovery, redis_down, verify,
};

/// An orphan is claimed again within this, for 99 of 100.
const RECOVERS_WITHIN: f64 = 15.0;
/// After Redis forgot everything, claims go on within this.
const FLOWS_WITHIN: f64 = 10.0;
/// What has not ended this long after the deadline is lost.
const LATE: Duration = Duration::from_secs(120);

pub(crate) async fn run(options: &Options) -> anyhow::Result<Figures> {
    let seed = options.seed();
    println!("SEED={seed}");
    let mut figures = Figures::default();
    figures.note("seed", seed);
    let mut fleet = Fleet::start(options, seed).await?;
    println!("logs are in {}", fleet.directory.path().display());
    if options.keep {
        fleet.directory.disable_cleanup(true);
    }
    let client = Arc::new(Client::new(urls(&fleet), &seed.to_string())?);
    let books = Arc::new(Books::default());
    let work = Work {
        tasks: options.tasks(),
        // A kill leaves a worker's tasks waiting for the end of their leases: as many again keep the places busy.
        open: SLOTS * 3 * 2,
        files_every: options.files_every,
        repository: fleet.repository.json(),
    };
    let started = Instant::now();
    let submitting =
        tokio::spawn(Arc::clone(&client).submit_all(work, fleet.pool.clone(), Arc::clone(&books)));

    let mut fire = Fire::new(options, seed)?;
    fire.burn(&mut fleet).await?;
    books.enough.store(true, Ordering::Relaxed);
    println!("{:>6.1} s  the strikes are over", started.elapsed().as_secs_f64());
    fire.watch_until(&mut fleet, started + options.within(), submitting).await?;
    // What is late is not lost yet: it gets its time, and the time that it took is judged by itself.
    let open = fire.drain(&mut fleet, started + options.within() + LATE).await?;
    let seconds = started.elapsed().as_secs_f64();

    let accepted = books.accepted();
    figures.note("tasks", accepted.len());
    figures.note_number("seconds", seconds);
    figures.must(accepted.len() >= options.tasks(), || {
        format!("{} of {} tasks were accepted", accepted.len(), options.tasks())
    });
    figures.must(seconds <= options.within().as_secs_f64(), || {
        format!("it took {seconds:.0} s, and {} are allowed", options.within().as_secs())
    });
    figures.note("submission_tries", client.tries.load(Ordering::Relaxed));
    figures.note("submissions_given_up", books.given_up.load(Ordering::Relaxed));
    figures.note("open_at_the_end", open);
    judge_tasks(&mut figures, &fleet, &accepted, options).await?;
    judge_money(&mut figures, &fleet, &fire, accepted.len(), options).await?;
    judge_recovery(&mut figures, &fleet, &fire, &accepted, options).await?;

    fleet.double.set_faults(None);
    let (with, without) = redis_down::rates(&mut fleet, &client).await?;
    figures.note_number("noops_per_second", with);
    figures.note_number("noops_per_second_without_redis", without);
    let share = without / with.max(f64::MIN_POSITIVE);
    figures.note_number("share_without_redis", share);
    figures.must(share >= options.least_without_redis, || {
        format!("{share:.2} of the rate goes on without Redis, and {} must", options.least_without_redis)
    });
    fire.drain(&mut fleet, Instant::now() + Duration::from_secs(90)).await?;

    let verified = verify::at_the_end(&fleet).await?;
    figures.note("checks", verified.checks);
    let lines: Vec<String> = verified.violations.into_iter().map(|(_, line)| line).collect();
    figures.must_be_none("violations", &lines);
    figures.must_be_none("violations_under_fire", &fire.violations);
    figures.note("verified_under_fire", fire.verified);
    let panics: usize = fleet.places.iter().map(crate::process::Place::panics).sum();
    figures.note("panics", panics);
    figures.must(panics == 0, || format!("{panics} panics are in the logs"));
    Ok(figures)
}

pub(crate) fn urls(fleet: &Fleet) -> Vec<String> {
    fleet.of(Kind::Api).into_iter().map(|index| fleet.places[index].url.clone()).collect()
}

/// Each accepted task is there, succeeded, and did what it was to do, once.
async fn judge_tasks(
    figures: &mut Figures,
    fleet: &Fleet,
    accepted: &[Accepted],
    options: &Options,
) -> anyhow::Result<()> {
    let rows: Vec<(Uuid, String, Option<String>, Option<String>)> =
        sqlx::query_as("SELECT id, status::text, status_reason::text, labels ->> 'chaos' FROM tasks")
            .fetch_all(&fleet.pool)
            .await?;
    let stands: HashMap<Uuid, (&str, Option<&str>)> =
        rows.iter().map(|(id, status, reason, _)| (*id, (status.as_str(), reason.as_deref()))).collect();
    let (mut lost, mut unwell, mut flaws, mut files) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for task in accepted {
        match stands.get(&task.id) {
            None => lost.push(format!("task {} ({}) was accepted and is not there", task.id, task.number)),
            Some(("succeeded", _)) if task.has_files => {
                files += 1;
                flaws.extend(fleet.repository.flaw(task.id, 2));
            }
            Some(("succeeded", _)) => {}
            Some((status @ ("failed" | "cancelled" | "dead"), reason)) => {
                unwell.push(format!("task {} ({}) is {status}: {reason:?}", task.id, task.number));
            }
            Some((status, reason)) => {
                lost.push(format!("task {} ({}) is still {status}: {reason:?}", task.id, task.number));
            }
        }
    }
    figures.must_be_none("lost", &lost);
    figures.must_be_none("not_succeeded", &unwell);
    figures.note("tasks_with_files", files);
    figures.must_be_none("branches_not_whole", &flaws);
    let mut labels: BTreeMap<&str, usize> = BTreeMap::new();
    for label in rows.iter().filter_map(|(.., label)| label.as_deref()) {
        *labels.entry(label).or_default() += 1;
    }
    let twice = labels.values().filter(|count| **count > 1).count();
    figures.note("submissions_doubled", twice);
    figures.must(!options.submissions_once || twice == 0, || format!("{twice} submissions became two tasks"));
    let double = "SELECT count(*) FROM (
            SELECT 1 FROM steps GROUP BY task_id, seq HAVING count(*) > 1
            UNION ALL
            SELECT 1 FROM llm_calls WHERE state = 'answered' GROUP BY task_id, seq HAVING count(*) > 1
            UNION ALL
            SELECT 1 FROM (SELECT epoch, lag(epoch) OVER (PARTITION BY task_id ORDER BY seq) AS before FROM steps) s
            WHERE epoch < before) AS doubled";
    let double: i64 = sqlx::query_scalar(double).fetch_one(&fleet.pool).await?;
    figures.note("double_committed", double);
    figures.must(double == 0, || format!("{double} steps were committed twice"));
    Ok(())
}

/// What was paid for, and how often.
async fn judge_money(
    figures: &mut Figures,
    fleet: &Fleet,
    fire: &Fire,
    tasks: usize,
    options: &Options,
) -> anyhow::Result<()> {
    let compared = ledger::compare(&fleet.pool, &fleet.double.ledger()).await?;
    let steps: i64 = sqlx::query_scalar("SELECT count(*) FROM steps").fetch_one(&fleet.pool).await?;
    figures.note("journal_steps", steps);
    figures.note("charged_calls", compared.charged);
    figures.note("answered_calls", compared.answered);
    figures.note("cut_by_the_provider", compared.cut_and_known);
    figures.note("duplicate_charges", compared.duplicates);
    // A run whose lease went to another without a strike, as on a machine that is too busy, was in flight as well.
    let in_flight = fire.struck.in_flight() + fire.counters.sum("hive_leases_lost_total") as usize;
    figures.note("in_flight_at_strikes", in_flight);
    let ratio = compared.duplicates as f64 / (tasks * 3).max(1) as f64;
    figures.note("duplicate_charge_ratio", (ratio * 1e5).round() / 1e5);
    figures.must(ratio <= options.most_duplicates(), || {
        format!("{ratio:.4} of the steps were paid for twice, and {} may", options.most_duplicates())
    });
    figures.must(compared.duplicates <= in_flight, || {
        format!("{} charges are unknown, and {in_flight} runs were in flight at strikes", compared.duplicates)
    });
    figures.must_be_none("repeated_calls", &compared.repeated);
    figures.note("answers_nobody_charged", compared.invented);
    figures.must(compared.invented == 0, || format!("{} answers were never charged", compared.invented));
    Ok(())
}

/// How long it took, and whether it can be seen.
async fn judge_recovery(
    figures: &mut Figures,
    fleet: &Fleet,
    fire: &Fire,
    accepted: &[Accepted],
    options: &Options,
) -> anyhow::Result<()> {
    let (recovers, flows) = (RECOVERS_WITHIN * options.patience, FLOWS_WITHIN * options.patience);
    let struck = &fire.struck;
    figures.note("kills", struck.kills);
    figures.note("kills_in_flight", struck.kills_in_flight());
    figures.must(accepted.len() < 2_000 || struck.kills_in_flight() >= LEAST_KILLS, || {
        format!("{} kills hit a task in flight, and {LEAST_KILLS} must", struck.kills_in_flight())
    });
    let recovered = recovery::after_kills(&fleet.pool, struck, "task.started").await?;
    figures.note("recoveries", recovered.len());
    let times = recovery::seconds(&recovered);
    figures.note_number("recovery_p50_s", percentile(&times, 50));
    for slow in recovered.iter().rev().take(5) {
        println!("  {}", recovery::story(&fleet.pool, slow).await?);
    }
    let taken_back = recovery::after_kills(&fleet.pool, struck, "task.orphaned").await?;
    figures.note_number("taken_back_p99_s", percentile(&recovery::seconds(&taken_back), 99));
    let p99 = percentile(&times, 99);
    figures.note_number("recovery_p99_s", p99);
    figures.must(p99 <= recovers, || {
        format!("an orphan is claimed again after {p99:.1} s, and {recovers} s are allowed")
    });
    figures.note("redis_forgot", struck.forgot.len());
    let gap = recovery::after_forgetting(&fleet.pool, struck).await?;
    figures.note_number("flow_gap_s", gap);
    figures.must(gap <= flows, || {
        format!(
            "after Redis forgot everything, nothing was claimed for {gap:.1} s, and {flows} s are allowed"
        )
    });
    for name in MUST_MOVE {
        let sum = fire.counters.sum(name);
        figures.note(name, sum);
        figures.must(sum > 0.0, || format!("{name} did not move: a recovery that nobody can see"));
    }
    figures.must_be_none("unexpected_exits", &struck.unexpected);
    Ok(())
}
