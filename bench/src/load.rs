//! The measurements, one after the other on one fleet.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures::{StreamExt, stream};
use serde_json::{Map, Value, json};

use hive_local::RedisData;

use crate::{disk, fleet::Fleet, limit, options::Options, percentile::Times, scale};

/// Connections that post at the same time.
const SUCCEEDED: &[u8] = b"task.succeeded";
const POSTERS: usize = 64;
/// How long a workload may take before the run counts as failed.
const PATIENCE: Duration = Duration::from_secs(300);

/// Runs everything; the figures by the names of the JSON line.
pub(crate) async fn measure(options: &Options) -> anyhow::Result<Map<String, Value>> {
    let &Options { workers, noops, agent_tasks, backlog, finished, steps: journal, probes } = options;
    let mut figures = Map::new();
    let mut note = |name: &str, value: f64| {
        println!("{name:<24} {value}");
        figures.insert(name.to_owned(), json!(value));
    };
    let mut fleet = Fleet::start(workers).await?;
    note("fdatasync_ms", disk::fdatasync_ms(fleet.directory.path())?);
    let load = Load { client: fleet.client()?, url: format!("{}/api/v1/tasks", fleet.url), fleet: &fleet };

    // A first hundred of each kind warms connections and caches; nobody measures a cold start here.
    load.post_many(100, &noop()).await?;
    load.post_many(100, &three_calls()).await?;
    load.drained().await?;

    let idle = load.idle(probes).await?;
    note("idle_p50_ms", idle.percentile(50));
    note("idle_p99_ms", idle.percentile(99));
    for (name, how) in [("result", See::Watching), ("polled_result", See::Polling)] {
        let results = load.results(probes, how).await?;
        note(&format!("{name}_p50_ms"), results.percentile(50));
        note(&format!("{name}_p99_ms"), results.percentile(99));
    }

    let start = Instant::now();
    load.post_many(noops, &noop()).await?;
    let posted = start.elapsed();
    load.drained().await?;
    let rate = per_second(noops, start.elapsed());
    note("noop_posts_per_second", per_second(noops, posted));
    note("noop_tasks_per_second", rate);
    let postgres = fleet.stores.pids().into_iter().find(|(name, _)| *name == "postgres");
    let (_, postgres) = postgres.context("Postgres is not running")?;
    let limit = limit::tasks_per_second(&fleet.pool, &fleet.database_url, postgres).await?;
    note("noop_limit_per_second", limit.round());
    note("noop_limit_ratio", (rate / limit * 1e3).round() / 1e3);

    let steps_before = load.count("SELECT count(*) FROM steps").await?;
    let seconds = load.agents(agent_tasks, load.post_many(agent_tasks, &three_calls())).await?;
    let steps = load.count("SELECT count(*) FROM steps").await? - steps_before;
    note("llm_workload_seconds", seconds);
    note("steps_per_second", (steps as f64 / seconds).round());
    let together = load.submit(scale::requests(agent_tasks, 100, &three_calls()));
    note("llm_bulk_seconds", load.agents(agent_tasks, together).await?);
    // By itself, since each probe is one more task.
    load.post_many(agent_tasks, &three_calls()).await?;
    let posts = load.posts_while_busy().await?;
    note("post_p50_ms", posts.percentile(50));
    note("post_p95_ms", posts.percentile(95));
    note("post_p99_ms", posts.percentile(99));
    load.all_succeeded().await?;

    fleet.stores.kill_redis();
    let load = Load { client: fleet.client()?, url: format!("{}/api/v1/tasks", fleet.url), fleet: &fleet };
    let start = Instant::now();
    load.post_many(noops, &noop()).await?;
    load.drained().await?;
    let without = per_second(noops, start.elapsed());
    note("without_redis_tasks_per_second", without);
    note("without_redis_share", (without / rate * 1e3).round() / 1e3);
    fleet.stores.start_redis(RedisData::Keep)?;

    fleet.stop_workers();
    let load = Load { client: fleet.client()?, url: format!("{}/api/v1/tasks", fleet.url), fleet: &fleet };
    load.submit(scale::requests(backlog, 1_000, &noop())).await?;
    let start = Instant::now();
    let redis_url = fleet.stores.redis_url().context("no Redis")?.to_owned();
    fleet.start_workers(&redis_url)?;
    let load = Load { client: fleet.client()?, url: format!("{}/api/v1/tasks", fleet.url), fleet: &fleet };
    load.drained_to(backlog * 9 / 10).await?;
    let early = fleet.rss_mib("hive-worker");
    load.drained().await?;
    note("backlog_tasks_per_second", per_second(backlog, start.elapsed()));
    note("backlog_growth_mib", ((fleet.rss_mib("hive-worker") - early) * 10.0).round() / 10.0);
    for (name, process) in [
        ("worker_rss_mib", "hive-worker"),
        ("api_rss_mib", "hive-api"),
        ("scheduler_rss_mib", "hive-scheduler"),
    ] {
        note(name, fleet.rss_mib(process));
    }
    load.all_succeeded().await?;

    fleet.stop_workers();
    let claims = scale::claims(&fleet.pool, &fleet.database_url, finished).await?;
    note("claim_p50_ms", claims.percentile(50));
    note("claim_p99_ms", claims.percentile(99));
    let load = Load { client: fleet.client()?, url: format!("{}/api/v1/tasks", fleet.url), fleet: &fleet };
    let before = load.lists(probes).await?;
    scale::journal(&fleet.pool, finished, journal).await?;
    let after = load.lists(probes).await?;
    note("list_p50_ms", before.percentile(50));
    note("list_beside_steps_p50_ms", after.percentile(50));
    Ok(figures)
}

/// How a client sees a result.
#[derive(Clone, Copy)]
enum See {
    /// It reads the task's events until they end, as `hive task submit --wait` does.
    Watching,
    /// It asks for the task, takes a breath of a millisecond, and asks again.
    Polling,
}

struct Load<'a> {
    client: reqwest::Client,
    url: String,
    fleet: &'a Fleet,
}

impl Load<'_> {
    async fn post(&self, body: &Value) -> anyhow::Result<Value> {
        let answer = self.client.post(&self.url).json(body).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    async fn post_many(&self, count: usize, body: &Value) -> anyhow::Result<()> {
        let mut posts = stream::iter(0..count).map(|_| self.post(body)).buffer_unordered(POSTERS);
        while let Some(posted) = posts.next().await {
            posted?;
        }
        Ok(())
    }

    /// Submits many tasks with each request.
    async fn submit(&self, requests: Vec<Value>) -> anyhow::Result<()> {
        let url = format!("{}/bulk", self.url);
        let posts = requests.iter().map(|body| self.client.post(&url).json(body).send());
        let mut posts = stream::iter(posts).buffer_unordered(4);
        while let Some(posted) = posts.next().await {
            posted?.error_for_status()?;
        }
        Ok(())
    }

    /// From the first request of these tasks of three calls until the last one is done, in seconds.
    async fn agents(
        &self,
        tasks: usize,
        submitted: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<f64> {
        let before = self.fleet.charged_calls();
        let start = Instant::now();
        submitted.await?;
        self.drained().await?;
        let took = start.elapsed();
        let calls = self.fleet.charged_calls() - before;
        if calls != tasks * 3 {
            bail!("{calls} calls were charged for {tasks} tasks of three calls");
        }
        Ok((took.as_secs_f64() * 1e3).round() / 1e3)
    }

    async fn count(&self, sql: &'static str) -> anyhow::Result<i64> {
        Ok(sqlx::query_scalar(sql).fetch_one(&self.fleet.pool).await?)
    }

    async fn drained(&self) -> anyhow::Result<()> {
        self.drained_to(0).await
    }

    /// Waits until at most so many tasks are open.
    async fn drained_to(&self, most: usize) -> anyhow::Result<()> {
        let open = "SELECT count(*) FROM tasks WHERE status IN ('pending', 'ready', 'running', 'waiting')";
        let deadline = Instant::now() + PATIENCE;
        loop {
            let more = u64::try_from(self.count(open).await?)?.saturating_sub(most as u64);
            if more == 0 {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("the work is not done after {} s", PATIENCE.as_secs());
            }
            // Counting many costs what is measured: it is done more often near the end.
            tokio::time::sleep(Duration::from_millis((10 + more / 10).min(500))).await;
        }
    }

    async fn all_succeeded(&self) -> anyhow::Result<()> {
        match self.count("SELECT count(*) FROM tasks WHERE status <> 'succeeded'").await? {
            0 => Ok(()),
            some => bail!("{some} tasks did not succeed"),
        }
    }

    /// From the commit of a POST to the claim, on an idle system, by the database's clock.
    async fn idle(&self, probes: usize) -> anyhow::Result<Times> {
        let mut ids = Vec::with_capacity(probes);
        for _ in 0..probes {
            let task = self.post(&noop()).await?;
            ids.push(task["id"].as_str().context("a task has an id")?.to_owned());
            tokio::time::sleep(Duration::from_millis(rand::random_range(10..40))).await;
        }
        self.drained().await?;
        let seconds: Vec<f64> = sqlx::query_scalar(
            "SELECT extract(epoch FROM started.created_at - created.created_at)::float8
             FROM events created JOIN events started ON started.task_id = created.task_id
             WHERE created.kind = 'task.created' AND started.kind = 'task.started'
               AND created.task_id = ANY ($1::text[]::uuid[])",
        )
        .bind(&ids)
        .fetch_all(&self.fleet.pool)
        .await?;
        Ok(Times::new(seconds.into_iter().map(|s| Duration::from_secs_f64(s.max(0.0))).collect()))
    }

    /// The first page of the list of tasks, as a client sees it.
    async fn lists(&self, probes: usize) -> anyhow::Result<Times> {
        let mut times = Vec::with_capacity(probes);
        for _ in 0..probes {
            let start = Instant::now();
            let page: Value = self.client.get(&self.url).send().await?.error_for_status()?.json().await?;
            times.push(start.elapsed());
            page["items"].as_array().context("a page has items")?;
        }
        Ok(Times::new(times))
    }

    /// From sending a POST to seeing the result, on an idle system, as a client sees it.
    async fn results(&self, probes: usize, how: See) -> anyhow::Result<Times> {
        let mut times = Vec::with_capacity(probes);
        for _ in 0..probes {
            let start = Instant::now();
            let task = self.post(&noop()).await?;
            let url = format!("{}/{}", self.url, task["id"].as_str().context("a task has an id")?);
            tokio::time::timeout(Duration::from_secs(30), self.see(&url, how))
                .await
                .context("a probe has no result after 30 s")??;
            times.push(start.elapsed());
            tokio::time::sleep(Duration::from_millis(rand::random_range(5..20))).await;
        }
        Ok(Times::new(times))
    }

    async fn see(&self, url: &str, how: See) -> anyhow::Result<()> {
        loop {
            match how {
                See::Watching => {
                    let mut events =
                        self.client.get(format!("{url}/events")).send().await?.error_for_status()?;
                    if events.status() == reqwest::StatusCode::NO_CONTENT {
                        return Ok(());
                    }
                    // It is seen when it arrives, not when the server closes the stream behind it.
                    let mut seen = Vec::new();
                    while let Some(bytes) = events.chunk().await? {
                        seen.extend_from_slice(&bytes);
                        if seen.windows(SUCCEEDED.len()).any(|part| part == SUCCEEDED) {
                            return Ok(());
                        }
                    }
                }
                See::Polling => {
                    let task: Value = self.client.get(url).send().await?.error_for_status()?.json().await?;
                    if task["status"] == "succeeded" {
                        return Ok(());
                    }
                    // Who asks without a breath takes one of two cores from what is measured.
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        }
    }

    /// Posts a probe every 10 ms until the agents are done; how long each POST took.
    async fn posts_while_busy(&self) -> anyhow::Result<Times> {
        let busy =
            "SELECT count(*) FROM tasks WHERE status IN ('ready', 'running', 'waiting') AND duty IS NULL";
        let deadline = Instant::now() + PATIENCE;
        let mut times = Vec::new();
        while self.count(busy).await? > 0 {
            if Instant::now() > deadline {
                bail!("the agents are not done after {} s", PATIENCE.as_secs());
            }
            let start = Instant::now();
            self.post(&noop()).await?;
            times.push(start.elapsed());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.drained().await?;
        Ok(Times::new(times))
    }
}

fn noop() -> Value {
    json!({ "title": "probe", "duty": "noop" })
}

fn three_calls() -> Value {
    json!({ "title": "Three calls", "agent_type": "strategic_partner" })
}

fn per_second(count: usize, time: Duration) -> f64 {
    (count as f64 / time.as_secs_f64() * 10.0).round() / 10.0
}
