//! Every fail point with every deed: a small hive of its own for each, whose two tasks must end whole.

mod checkpoints;
mod points;

use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use futures::{StreamExt, stream};
use hive_double::{Double, DoubleConfig, DoubleHandle, Script};
use hive_local::testing::{TestDatabase, TestStores};
use hive_store::{Config, MIGRATOR, Store};
use serde_json::json;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::{
    client::{Client, LABEL, with_files},
    figures::Figures,
    fleet::{TOKEN, free_address},
    ledger,
    options::Options,
    process::{Kind, Place},
    repository::Repository,
    verify::{self, Stores},
};
use points::{Case, Deed};

/// Hives side by side.
const AT_ONCE: usize = 4;
/// A lease, a pass, a pause after a panic, and a busy machine.
const ENDS_WITHIN: Duration = Duration::from_secs(180);

/// For a connection, on a machine that has other things to do.
const PATIENT: Duration = Duration::from_secs(60);

/// What all cases share.
struct Ground {
    directory: TempDir,
    programs: PathBuf,
    repository: Repository,
    double: DoubleHandle,
}

pub(crate) async fn run(options: &Options, programs: &Path) -> anyhow::Result<Figures> {
    let mut directory = crate::fleet::directory()?;
    directory.disable_cleanup(options.keep);
    let script = Script::parse(&include_str!("../failpoints.yaml").replace("BETWEEN", "0"))?;
    let config =
        DoubleConfig { script: Some(script), latency: Duration::from_millis(50), ..DoubleConfig::default() };
    let ground = Arc::new(Ground {
        repository: Repository::create(&directory.path().join("repos/shared"))?,
        double: Double::start(config).await?,
        programs: programs.to_owned(),
        directory,
    });
    let cases = Case::all(&options.only);
    let started = Instant::now();
    let mut figures = Figures::default();
    let outcomes = stream::iter(cases.iter().enumerate()).map(|(number, case)| {
        let ground = Arc::clone(&ground);
        async move { (case, ground.case(number, case).await) }
    });
    let outcomes = outcomes.buffer_unordered(AT_ONCE).inspect(|(case, outcome)| match outcome {
        Ok(took) => println!("ok      {:<28} {:>5.1} s", case.name(), took.as_secs_f64()),
        Err(error) => println!("BROKEN  {:<28} {error:#}", case.name()),
    });
    let outcomes: Vec<_> = outcomes.collect().await;
    let broken: Vec<String> = outcomes
        .iter()
        .filter_map(|(case, outcome)| Some(format!("{}: {:#}", case.name(), outcome.as_ref().err()?)))
        .collect();
    figures.note("cases", outcomes.len());
    figures.note_number("seconds", started.elapsed().as_secs_f64());
    figures.must_be_none("broken", &broken);
    Ok(figures)
}

/// One hive.
struct Small {
    places: Vec<Place>,
    pool: PgPool,
    stores: Stores,
    // Dropped with what is still connected.
    _database: TestDatabase,
}

impl Ground {
    async fn case(&self, number: usize, case: &Case) -> anyhow::Result<Duration> {
        let started = Instant::now();
        let mut small = self.start(number, case).await?;
        let apis = small.places.iter().filter(|place| place.kind == Kind::Api).map(|place| place.url.clone());
        let client = Arc::new(Client::new(apis.collect(), &format!("case-{number}"))?);
        let submitting = tokio::spawn(submit(client, self.repository.json(), *case));
        let outcome = small.until_done(case, submitting).await;
        let judged = match outcome {
            Ok(files) => self.judge(number, &small, case, files).await,
            Err(error) => Err(error),
        };
        // In a thread of its own: a drain blocks.
        tokio::task::spawn_blocking(move || small.places.iter_mut().for_each(Place::end)).await?;
        judged.map(|()| started.elapsed())
    }

    async fn start(&self, number: usize, case: &Case) -> anyhow::Result<Small> {
        let stores = tokio::task::spawn_blocking(TestStores::get).await?;
        let database = stores.database(&MIGRATOR).await?;
        let config = Config { acquire_timeout: PATIENT, ..Config::new(database.url.clone()) };
        let store = Store::connect_lazy(&config)?;
        store.seed_agents(&hive_agent::roster().map_err(anyhow::Error::msg)?).await?;
        store.close().await;
        let prefix = TestStores::redis_prefix();
        let mut places = Vec::new();
        for kind in [Kind::Api, Kind::Scheduler, Kind::Worker] {
            let listen = free_address()?;
            let name = format!("case-{number}-{}", kind.program());
            let data = self.directory.path().join("data").join(&name);
            std::fs::create_dir_all(&data)?;
            let mut env = BTreeMap::from([
                ("DATABASE_URL", database.url.clone()),
                ("REDIS_URL", stores.redis_url().to_owned()),
                ("HIVE_REDIS_PREFIX", prefix.clone()),
                ("HIVE_DATA", data.display().to_string()),
                ("HIVE_REPO_ROOTS", self.directory.path().join("repos").display().to_string()),
                ("HIVE_LOG", "warn".to_owned()),
                ("HIVE_LISTEN", listen.clone()),
                ("HIVE_TOKEN", TOKEN.to_owned()),
                ("HIVE_PROVIDER", "double".to_owned()),
                ("HIVE_SCHEDULER_LISTEN", listen.clone()),
                ("HIVE_WORKER_LISTEN", listen.clone()),
                ("HIVE_WORKER_NAME", name.clone()),
                ("HIVE_SLOTS", "2".to_owned()),
                ("HIVE_CHECKPOINTS", self.checkpoints(number).display().to_string()),
                ("HIVE_DRAIN_SECONDS", "2".to_owned()),
                ("HIVE_BATCH_AFTER_SECONDS", "0.2".to_owned()),
                ("HIVE_BATCH_POLL_SECONDS", "0.3".to_owned()),
                ("ANTHROPIC_BASE_URL", self.double.url()),
                ("ANTHROPIC_API_KEY", "no-key-is-set".to_owned()),
            ]);
            if kind == case.kind {
                env.insert("FAILPOINTS", case.setting());
            } else if kind == Kind::Worker && case.kind == Kind::Scheduler {
                // So that there is something to take back.
                env.insert("FAILPOINTS", "append::committed=1*return".to_owned());
            }
            let env = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            let logs = self.directory.path().join("logs");
            places.push(Place::start(kind, &self.programs, name, format!("http://{listen}"), env, &logs)?);
        }
        Ok(Small {
            places,
            pool: PgPoolOptions::new()
                .max_connections(2)
                .acquire_timeout(PATIENT)
                .connect(&database.url)
                .await?,
            stores: Stores {
                database_url: database.url.clone(),
                redis_url: stores.redis_url().to_owned(),
                prefix,
            },
            _database: database,
        })
    }

    fn checkpoints(&self, number: usize) -> PathBuf {
        self.directory.path().join(format!("checkpoints/case-{number}"))
    }

    /// Whole by the checker, by the ledger and by the branch; and the point was met.
    async fn judge(&self, number: usize, small: &Small, case: &Case, files: Uuid) -> anyhow::Result<()> {
        let place = small.places.iter().find(|place| place.kind == case.kind).context("no such place")?;
        if case.wants_checkpoint() {
            checkpoints::whole_or_none(&small.pool, case, &self.checkpoints(number)).await?;
        }
        match case.deed {
            Deed::Kill => ensure!(place.lives > 1, "the point was not met: nothing died"),
            Deed::Panic => ensure!(place.panics() > 0, "the point was not met: nothing panicked"),
            // It lies where the other two deeds found it.
            Deed::Delay => {}
        }
        let verified = verify::verify(&self.programs, &small.stores, 300).await?;
        let verified = verified.context("hive verify did not reach the stores")?;
        let violations: Vec<String> = verified.violations.into_iter().map(|(_, line)| line).collect();
        ensure!(violations.is_empty(), "{}", violations.join("; "));
        // With a rollback: a turn, its undoing and the same turn again, and then the other one.
        let commits = if case.wants_rollback() { 4 } else { 2 };
        if let Some(flaw) = self.repository.flaw(files, commits) {
            bail!("{flaw}");
        }
        let ours: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM tasks").fetch_all(&small.pool).await?;
        let ours: HashSet<String> = ours.into_iter().map(|id| id.to_string()).collect();
        let mut calls = self.double.ledger();
        calls.retain(|call| call.user_id.as_ref().is_some_and(|task| ours.contains(task)));
        let compared = ledger::compare(&small.pool, &calls).await?;
        // Calls are told apart by task and turn, which a new segment begins to count anew.
        let repeated = if case.wants_segment() { "" } else { &compared.repeated.join(", ") };
        ensure!(repeated.is_empty(), "paid again: {repeated}");
        ensure!(compared.invented == 0, "{} answers were never charged", compared.invented);
        Ok(())
    }
}

impl Small {
    /// Keeps the processes alive until both tasks have ended; the one with files.
    async fn until_done(
        &mut self,
        case: &Case,
        submitting: tokio::task::JoinHandle<anyhow::Result<(Uuid, Uuid)>>,
    ) -> anyhow::Result<Uuid> {
        let deadline = Instant::now() + ENDS_WITHIN;
        let mut submitting = Some(submitting);
        let mut tasks = None;
        loop {
            for place in &mut self.places {
                if !(case.lasts() && place.kind == case.kind) {
                    place.forget("FAILPOINTS");
                }
                place.revive()?;
            }
            if let Some(done) = submitting.take_if(|submitting| submitting.is_finished()) {
                tasks = Some(done.await??);
            }
            if let Some((files, words)) = tasks {
                let open = "SELECT (SELECT count(*) FROM tasks WHERE completed_at IS NULL)
                                 + (SELECT count(*) FROM sleep_cycles WHERE finished_at IS NULL)
                                 + (SELECT count(*) FROM system_checkpoints WHERE finished_at IS NULL)";
                let open: i64 = sqlx::query_scalar(open).fetch_one(&self.pool).await?;
                if open == 0 {
                    let well = "SELECT count(*) FROM tasks WHERE id IN ($1, $2) AND status = 'succeeded'";
                    let well: i64 =
                        sqlx::query_scalar(well).bind(files).bind(words).fetch_one(&self.pool).await?;
                    ensure!(well == 2, "{well} of 2 tasks succeeded: {:?}", self.stand().await?);
                    if case.wants_night() {
                        self.night_is_whole().await?;
                    }
                    return Ok(files);
                }
            }
            ensure!(Instant::now() < deadline, "not done in time: {:?}", self.stand().await?);
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// It ended well, once: one entry stands for the two that say the same.
    async fn night_is_whole(&self) -> anyhow::Result<()> {
        let state = "SELECT state::text || coalesce(': ' || failure, '') FROM sleep_cycles";
        let states: Vec<String> = sqlx::query_scalar(state).fetch_all(&self.pool).await?;
        ensure!(states == ["completed"], "the night ended as {states:?}");
        let visible = "SELECT count(*) FROM contexts c
                       WHERE NOT EXISTS (SELECT FROM memory_versions v WHERE v.id = c.died_version AND v.state = 'active')";
        let visible: i64 = sqlx::query_scalar(visible).fetch_one(&self.pool).await?;
        ensure!(visible == 1, "{visible} entries are visible after the night, not 1");
        Ok(())
    }

    async fn stand(&self) -> anyhow::Result<Vec<(String, Option<String>, Option<String>)>> {
        let stand = "SELECT status::text, status_reason::text, status_detail FROM tasks ORDER BY id";
        Ok(sqlx::query_as(stand).fetch_all(&self.pool).await?)
    }
}

/// A task with files, and one that waits for it. Where the point asks for it, the first turn of the files is undone.
async fn submit(
    client: Arc<Client>,
    repository: serde_json::Value,
    case: Case,
) -> anyhow::Result<(Uuid, Uuid)> {
    if case.wants_morning() {
        client.create("system/sleep", &json!({ "all": true })).await?;
    }
    let mut task = with_files("Files of a case", &repository);
    task["labels"] = json!({ LABEL: client.label("files") });
    let files = client.submit_task("files", 0, &task).await.context("a task was not accepted")?;
    let words = json!({
        "title": case.words(), "agent_type": "strategic_partner", "dependencies": [files], "max_attempts": 100,
        "labels": { LABEL: client.label("words") },
    });
    let words = client.submit_task("words", 0, &words).await.context("a task was not accepted")?;
    if case.wants_morning() {
        client.create("system/wake", &json!({ "all": true })).await?;
    }
    if case.wants_checkpoint() {
        client.create("system/checkpoint", &json!({})).await?;
    }
    if case.wants_rollback() {
        roll_back(&client, files).await?;
    }
    if case.wants_night() {
        for content in ["Load tests use the hammer profile", "The hammer profile is used by load tests"] {
            client.create("context/store", &json!({ "content": content })).await?;
        }
        client.create("sleep-cycles", &json!({})).await?;
    }
    Ok((files, words))
}

/// Has the first turn undone as soon as it is over. The second call is refused once, so that there is time.
async fn roll_back(client: &Client, task: Uuid) -> anyhow::Result<()> {
    let deadline = Instant::now() + ENDS_WITHIN;
    loop {
        let steps = client.get(&format!("tasks/{task}/steps")).await?;
        let steps = steps["items"].as_array().map_or(0, Vec::len);
        // The reply, and the results of its tools.
        if steps >= 2 {
            break;
        }
        ensure!(Instant::now() < deadline, "the first turn never ended");
        sleep(Duration::from_millis(20)).await;
    }
    let wish = json!({ "text": "Once more.", "policy": "rollback" });
    client.create(&format!("tasks/{task}/messages"), &wish).await?;
    Ok(())
}
