//! The product as it is run: durable stores, one api, workers, one scheduler, and the Claude double.

use std::{
    fs::File,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail};
use hive_double::{Double, DoubleConfig, DoubleHandle, Script};
use hive_local::{BoundChild, Stores, StoresConfig, spawn_bound};
use hive_store::{Config, Store};
use sqlx::PgPool;
use tempfile::TempDir;

const TOKEN: &str = "bench-token-of-one-run";
/// Tasks that run at the same time, on all workers together.
const SLOTS: usize = 100;
const DOUBLE_LATENCY: Duration = Duration::from_millis(50);

pub(crate) struct Fleet {
    pub(crate) pool: PgPool,
    pub(crate) url: String,
    pub(crate) database_url: String,
    pub(crate) stores: Stores,
    workers: usize,
    processes: Vec<(&'static str, BoundChild)>,
    double: DoubleHandle,
    // Last: the directory goes when everything that uses it is gone.
    pub(crate) directory: TempDir,
}

impl Fleet {
    pub(crate) async fn start(workers: usize) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755))?;
        let stores = Stores::start(&StoresConfig::new(directory.path().join("state")))?;
        let database_url = stores.database_url().context("no Postgres")?.to_owned();
        let redis_url = stores.redis_url().context("no Redis")?.to_owned();
        let store = Store::connect_lazy(&Config::new(database_url.clone()))?;
        store.migrate().await?;
        store.seed_agents(&hive_agent::roster().map_err(anyhow::Error::msg)?).await?;
        store.close().await;
        let script = Script::parse(include_str!("../three-calls.yaml"))?;
        let config =
            DoubleConfig { script: Some(script), latency: DOUBLE_LATENCY, ..DoubleConfig::default() };
        let double = Double::start(config).await?;
        let port = free_port()?;
        let mut fleet = Self {
            pool: PgPool::connect(&database_url).await?,
            url: format!("http://127.0.0.1:{port}"),
            database_url,
            stores,
            processes: Vec::new(),
            workers,
            double,
            directory,
        };
        fleet.spawn("hive-api", &redis_url, &[("HIVE_LISTEN", format!("127.0.0.1:{port}")), token()])?;
        fleet.spawn("hive-scheduler", &redis_url, &[("HIVE_SCHEDULER_LISTEN", local()?)])?;
        fleet.start_workers(&redis_url)?;
        fleet.wait_ready().await?;
        Ok(fleet)
    }

    /// Starts the workers.
    pub(crate) fn start_workers(&mut self, redis_url: &str) -> anyhow::Result<()> {
        for _ in 0..self.workers {
            let settings = [
                ("HIVE_WORKER_LISTEN", local()?),
                ("HIVE_SLOTS", (SLOTS / self.workers).to_string()),
                ("ANTHROPIC_BASE_URL", self.double.url()),
                ("ANTHROPIC_API_KEY", "no-key-is-set".to_owned()),
            ];
            self.spawn("hive-worker", redis_url, &settings)?;
        }
        Ok(())
    }

    /// Ends the workers in the orderly way.
    pub(crate) fn stop_workers(&mut self) {
        let all = std::mem::take(&mut self.processes);
        let (workers, others): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(name, _)| *name == "hive-worker");
        self.processes = others;
        for (_, mut worker) in workers {
            worker.terminate(Duration::from_secs(30));
        }
    }

    fn spawn(
        &mut self,
        name: &'static str,
        redis_url: &str,
        settings: &[(&str, String)],
    ) -> anyhow::Result<()> {
        let program = std::env::current_exe()?.with_file_name(name);
        let log = self.directory.path().join(format!("{name}-{}.log", self.processes.len()));
        let log = File::create(log)?;
        let mut command = Command::new(&program);
        command
            .env("DATABASE_URL", &self.database_url)
            .env("REDIS_URL", redis_url)
            .env("HIVE_DATA", self.data()?)
            .env("HIVE_LOG", "warn")
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let child =
            spawn_bound(command).with_context(|| format!("{} cannot be started", program.display()))?;
        self.processes.push((name, child));
        Ok(())
    }

    fn data(&self) -> anyhow::Result<PathBuf> {
        let data = self.directory.path().join("data");
        std::fs::create_dir_all(&data)?;
        Ok(data)
    }

    async fn wait_ready(&mut self) -> anyhow::Result<()> {
        let client = self.client()?;
        for _ in 0..600 {
            let ready = client.get(format!("{}/health/ready", self.url)).send().await;
            let workers: Vec<_> =
                self.processes.iter_mut().map(|(name, child)| (*name, child.try_wait())).collect();
            if let Some((name, _)) = workers.iter().find(|(_, ended)| !matches!(ended, Ok(None))) {
                bail!("{name} ended; see {}", self.directory.path().display());
            }
            if ready.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("the api is not ready after 30 s")
    }

    /// A client with the token.
    pub(crate) fn client(&self) -> anyhow::Result<reqwest::Client> {
        let mut headers = reqwest::header::HeaderMap::new();
        headers.insert(reqwest::header::AUTHORIZATION, format!("Bearer {TOKEN}").parse()?);
        let builder = reqwest::Client::builder().default_headers(headers).no_proxy();
        Ok(builder.timeout(Duration::from_secs(30)).tcp_nodelay(true).build()?)
    }

    /// The largest resident set that a running process of this name ever had, in MiB.
    pub(crate) fn rss_mib(&self, name: &str) -> f64 {
        let sizes = self.processes.iter().filter(|(other, _)| *other == name).filter_map(|(_, child)| {
            let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
            line.split_whitespace().next()?.parse::<f64>().ok()
        });
        (sizes.fold(0.0, f64::max) / 1024.0 * 10.0).round() / 10.0
    }

    /// Model calls that were charged.
    pub(crate) fn charged_calls(&self) -> usize {
        self.double.ledger().len()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for (_, child) in &mut self.processes {
            child.terminate(Duration::from_secs(10));
        }
    }
}

fn token() -> (&'static str, String) {
    ("HIVE_TOKEN", TOKEN.to_owned())
}

fn local() -> anyhow::Result<String> {
    Ok(format!("127.0.0.1:{}", free_port()?))
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
