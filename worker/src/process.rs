//! The process: connects, probes the sandbox, follows tickets until it is told to stop, drains.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use hive_agent::{Agent, Definitions, Gate, GatePolicy, ModelBook, Notifier, Recollection, Recorder};
use hive_claude::{Claude, RetryPolicy, Secret};
use hive_queue::{Lane, Queue, Ticket, WorkerConfig};
use hive_sandbox::{Mode, Sandbox};
use hive_store::{Claimant, Store, WorkerReport};
use hive_telemetry::Health;
use hive_workspace::Workspaces;
use tokio::time::{Instant, sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    batches::{BatchPolicy, Batches},
    checkpoints::{Checkpoints, Place},
    config::{Config, RecordTasks, SandboxMode},
    flow::Flow,
    housekeeping,
    jobs::run_task::RunTask,
    leases::Leases,
    meter,
    model_list::ModelList,
    nights::Nights,
    poll::poll,
    slots::Slots,
    strays::Strays,
};

/// How long a process waits at its start for Postgres.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// Connections to Postgres, fewest and most. A new one costs some 25 ms of processor until its statements are planned, and
/// the steps of many runs share a statement: 8 carry 3,000 tasks a second, and 24 took a fifth more time for a thousand
/// agents. More than 8 are for a Postgres that is far away.
const CONNECTIONS: (u32, u32) = (8, 16);
/// Calls of a minute that may repeat a failed one in the smallest fleet.
const LEAST_REPEATS: u32 = 10;
/// What runs get, after the drain, to hand their tasks back.
const HAND_BACK: Duration = Duration::from_secs(5);
/// What the last word on the health gets to be written down.
const TELL_WITHIN: Duration = Duration::from_millis(300);

/// Runs until SIGTERM or SIGINT, then drains.
///
/// # Errors
/// When a setting cannot be used, Postgres stays away or its schema does not fit, or the sandbox floor is missing.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let own = [&config.database_url, &config.redis_url, &config.claude_key].map(String::clone);
    let secrets: Vec<String> = own.into_iter().chain(config.embed.key.clone()).collect();
    let _log = hive_telemetry::init("worker", &config.log, &secrets)?;
    let stop = hive_telemetry::stop_on_signal();
    let metrics = hive_telemetry::metrics::install("worker");
    meter::describe_all();
    let health = Health::new("worker");
    health.essential("postgres");
    health.optional("redis");
    let serving = CancellationToken::new();
    let server = hive_telemetry::serve(config.listen, metrics, health.clone(), serving.clone())
        .await
        .context("HIVE_WORKER_LISTEN")?;

    let mut pool = hive_store::Config::new(config.database_url.clone());
    pool.max_connections = u32::from(config.slots).clamp(CONNECTIONS.0, CONNECTIONS.1);
    pool.lookups = true;
    let store = Store::connect_lazy(&pool).context("DATABASE_URL cannot be used")?;
    let queue = hive_queue::Config {
        prefix: config.redis_prefix.clone(),
        ..hive_queue::Config::new(&config.redis_url)
    };
    let queue = Queue::connect(queue).context("REDIS_URL or HIVE_REDIS_PREFIX cannot be used")?;
    let patient_until = Instant::now() + START_PATIENCE;
    store.wait_ready(START_PATIENCE).await?;
    // The reconciler announces them.
    let readable = loop {
        match store.wake_readable().await {
            Err(error) if error.is_unavailable() && Instant::now() < patient_until => {
                sleep(Duration::from_millis(200)).await;
            }
            outcome => break outcome.context("tasks that wait for this build cannot be looked for")?,
        }
    };
    if !readable.is_empty() {
        tracing::info!("{} tasks waited for a build that reads their journal", readable.len());
    }
    watch(&health, &store, &queue);
    tokio::spawn(health.clone().tell({
        let store = store.clone();
        move |process, notice| {
            let store = store.clone();
            async move {
                let (state, reason) = (notice.state.as_str(), notice.state.reason());
                store.note_health(&process, notice.component, state, reason, notice.at.into()).await
            }
        }
    }));

    // A number of the process alone is not enough: in containers each worker has the same one.
    let name = format!("{}-{:06x}-{}", config.name, rand::random::<u32>() >> 8, std::process::id());
    let claude = hive_claude::Config {
        idle_timeout: config.claude_idle,
        total_timeout: config.claude_total,
        ..hive_claude::Config::new(config.claude_url.clone(), Secret::new(config.claude_key.clone()))
    };
    let claude = Claude::new(claude).context("ANTHROPIC_BASE_URL or ANTHROPIC_API_KEY cannot be used")?;
    let models = loop {
        let (store, claude, health) = (store.clone(), claude.clone(), health.clone());
        let key = hive_agent::fingerprint(&config.claude_key, config.claude_url.as_str());
        match ModelList::open(store, claude, key, name.clone(), &config.models, health).await {
            Err(error) if error.is_unavailable() && Instant::now() < patient_until => {
                sleep(Duration::from_millis(200)).await;
            }
            outcome => break outcome.context("what is known of models cannot be read")?,
        }
    };
    let agent = agent(&config, &store, &queue, claude.clone(), models.book()).await?;
    let (drain, finished) = (CancellationToken::new(), CancellationToken::new());
    let leases = Leases::default();
    let since = loop {
        match store.now().await {
            Err(error) if error.is_unavailable() && Instant::now() < patient_until => {
                sleep(Duration::from_millis(200)).await;
            }
            outcome => break outcome.context("Postgres does not say what time it is")?,
        }
    };
    let strays = Strays::new(Arc::from(name.as_str()), since);
    let claimant = Claimant { name: Arc::from(name.as_str()), isolated: config.isolated };
    // Alone with a suspect: nothing else dies with it.
    let slots = if config.isolated { 1 } else { config.slots };
    let report = WorkerReport {
        claimant: claimant.clone(),
        host: host(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        slots: slots.into(),
        draining: false,
    };
    tokio::spawn(leases.clone().keep_renewed(store.clone(), report, drain.clone(), finished.clone()));
    tokio::spawn(leases.clone().listen(queue.clone()));
    let looking = strays.clone();
    tokio::spawn(looking.keep_handing_back(store.clone(), queue.clone(), leases.clone(), finished.clone()));
    tokio::spawn(models.keep(drain.clone()));
    tokio::spawn(agent.gate.clone().watch(finished.clone()));
    // Beside the runs, and without a slot: what can wait never holds up what cannot.
    if !config.isolated {
        let policy =
            BatchPolicy { size: config.batch_size, after: config.batch_after, poll: config.batch_poll };
        let (worker, key) = (name.clone(), agent.gate.key().to_owned());
        let batches = Batches::new(store.clone(), claude, worker, key, policy);
        tokio::spawn(Arc::new(batches).keep(drain.clone()));
        let nights = Nights::new(store.clone(), Arc::clone(&agent.models), name.clone(), config.batch_poll);
        tokio::spawn(Arc::new(nights).keep(drain.clone()));
        let place = config.checkpoints.clone();
        let place = place.map(|root| Place { root, keep: config.checkpoints_keep.into() });
        let files = agent.workspace_config.clone();
        let checkpoints = Checkpoints::new(store.clone(), files, place, name.clone()).await?;
        tokio::spawn(checkpoints.keep(drain.clone()));
    }
    tokio::spawn(housekeeping::keep_house(
        store.clone(),
        agent.workspaces.clone(),
        agent.workspace_config.clone(),
        drain.clone(),
    ));
    let job = RunTask {
        store: store.clone(),
        queue: queue.clone(),
        agent: Arc::new(agent),
        leases: leases.clone(),
        strays: strays.clone(),
        drain: drain.clone(),
        claimant,
    };
    meter::slots(slots);
    let (slots, runs, flow) = (Slots::new(slots.into()), TaskTracker::new(), Flow::new());
    let polling = poll(job.clone(), slots.clone(), runs.clone(), flow.clone(), stop.clone());
    let polling = tokio::spawn(polling);
    let handler = {
        let runs = runs.clone();
        move |ticket: Ticket| {
            flow.came();
            let (slots, runs, job, flow) = (slots.clone(), runs.clone(), job.clone(), flow.clone());
            async move {
                flow.passes().await;
                let slot = slots.acquire(ticket.lane).await;
                // Detached: the ticket is spent at once, and nothing that happens to Redis touches the run.
                runs.spawn(async move {
                    job.follow(ticket).await;
                    drop(slot);
                });
            }
        }
    };
    tracing::info!(slots = config.slots, isolated = config.isolated, "Worker {name} takes tickets");
    let lanes = if config.isolated { Lane::ISOLATED } else { Lane::ORDINARY };
    queue.run(WorkerConfig { name: name.clone(), lanes }, handler, stop).await?;
    health.draining();
    tracing::info!(running = leases.count(), "Draining");
    drain.cancel();
    // A claim that is on its way when the worker stops still gets its run, which hands the task back.
    polling.await.context("the search for tasks ended in a panic")?;
    runs.close();
    if tokio::time::timeout(Duration::from_secs(config.drain_seconds), runs.wait()).await.is_err() {
        tracing::warn!(
            running = leases.count(),
            "The drain deadline has come; calls and commands in flight are ended"
        );
        leases.halt_all();
        // Until every run has handed its task back; what does not, loses its lease and is taken over.
        let deadline = Instant::now() + HAND_BACK;
        while !runs.is_empty() && Instant::now() < deadline {
            sleep(Duration::from_millis(20)).await;
        }
    }
    finished.cancel();
    strays.leave(&store, &queue, &leases).await;
    if let Err(error) = store.forget_worker(&name).await {
        tracing::debug!("the worker is forgotten when it has been silent: {error}");
    }
    health.told(TELL_WITHIN).await;
    serving.cancel();
    server.ended().await;
    Ok(())
}

async fn agent(
    config: &Config,
    store: &Store,
    queue: &Queue,
    claude: Claude,
    models: Arc<ModelBook>,
) -> anyhow::Result<Agent> {
    let sandbox = hive_sandbox::Config {
        read_only: config.sandbox_paths.clone(),
        path: config.sandbox_path.clone(),
        mode: match config.sandbox {
            SandboxMode::Auto => Mode::Auto,
            SandboxMode::Off => Mode::Off,
        },
        scratch: config.data.join("scratch"),
        // The locks on uids stay where the sandbox puts them: all workers of a machine share one range of uids,
        // whatever hive and data directory they belong to.
        ..hive_sandbox::Config::default()
    };
    std::fs::create_dir_all(&sandbox.scratch)
        .with_context(|| format!("HIVE_DATA: {} cannot be made", sandbox.scratch.display()))?;
    let sandbox = Sandbox::probe(sandbox).await.context("the sandbox is not available")?;
    meter::sandbox(sandbox.level());
    match config.sandbox {
        SandboxMode::Auto => tracing::info!("Commands run under {}", sandbox.level()),
        SandboxMode::Off => tracing::warn!("HIVE_SANDBOX=off: commands run unconfined"),
    }
    let files = hive_workspace::Config {
        file_roots: config.repo_roots.clone(),
        ..hive_workspace::Config::new(config.data.join("workspaces"))
    };
    let notifier =
        config.notify_url.clone().map(|url| Notifier::new(url, config.notify_idempotent)).transpose();
    let policy = GatePolicy {
        limits: config.claude_limits.clone(),
        breaker_pause: config.breaker_pause,
        failures_in_a_row: config.breaker_failures,
        ends_looked_at: config.breaker_failures * 2,
        repeats_allowed: (config.repeats_percent, LEAST_REPEATS),
        key_probe_every: config.key_probe,
        unnamed_hold: config.claude_park,
        ..GatePolicy::default()
    };
    let only_labelled = config.record_tasks == RecordTasks::Labelled;
    let recorder = config.record.as_deref().map(|directory| {
        Recorder::new(directory, only_labelled)
            .with_context(|| format!("HIVE_RECORD: {} cannot be written to", directory.display()))
    });
    let gate =
        Gate::new(store.clone(), queue.clone(), &config.claude_key, config.claude_url.as_str(), policy);
    let recollection = Recollection::new(
        store.clone(),
        config.embed.clone(),
        (config.memory_mib as usize) << 20,
        config.recall_tokens,
    )?;
    Ok(Agent {
        recollection,
        store: store.clone(),
        queue: queue.clone(),
        claude,
        workspaces: Workspaces::new(files.clone()).await.context("HIVE_DATA cannot be used")?,
        workspace_config: files,
        sandbox,
        models,
        max_output_tokens: config.max_output_tokens,
        gate,
        retry: RetryPolicy { park: config.claude_park, base: config.claude_retry, ..RetryPolicy::default() },
        notifier: notifier.map_err(|error| anyhow::anyhow!("HIVE_NOTIFY_URL cannot be used: {error}"))?,
        definitions: Definitions::default(),
        windows: config.windows.clone(),
        server_compaction: config.server_compaction,
        recorder: recorder.transpose()?,
    })
}

fn watch(health: &Health, store: &Store, queue: &Queue) {
    let (watched, store) = (health.clone(), store.clone());
    tokio::spawn(async move { watched.watch("postgres", Duration::from_secs(2), || store.ping()).await });
    let (watched, queue) = (health.clone(), queue.clone());
    tokio::spawn(async move { watched.watch("redis", Duration::from_secs(2), || queue.ping()).await });
}

/// The machine, for people who look for a worker.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    name.map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}
