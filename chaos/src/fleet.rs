//! Three workers and an isolated one, two apis, two schedulers, stores of their own, and the double with its faults: the
//! product as it is run, with a proxy before everything foreign.

use std::{
    collections::BTreeMap, net::TcpListener, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration,
};

use anyhow::{Context, bail};
use hive_double::{Double, DoubleConfig, DoubleHandle, Script, Storm};
use hive_local::{Stores, StoresConfig};
use hive_store::{Config, Store};
use sqlx::{PgPool, postgres::PgPoolOptions};
use tempfile::TempDir;

use crate::{
    options::Options,
    process::{Kind, Place},
    proxy::{Proxy, Upstream},
    repository::Repository,
};

pub(crate) const TOKEN: &str = "chaos-token-of-one-run";
/// Tasks that one worker runs at a time.
pub(crate) const SLOTS: usize = 6;
/// Ordinary workers; one more takes what they died over.
pub(crate) const WORKERS: usize = 3;
/// How many of each.
const FLEET: [(Kind, usize); 3] = [(Kind::Worker, WORKERS + 1), (Kind::Api, 2), (Kind::Scheduler, 2)];

pub(crate) struct Fleet {
    pub(crate) places: Vec<Place>,
    pub(crate) postgres: Proxy,
    pub(crate) redis: Proxy,
    pub(crate) claude: Proxy,
    /// Past the proxy: what is asked here is about the run, not part of it.
    pub(crate) pool: PgPool,
    pub(crate) stores: Stores,
    pub(crate) double: DoubleHandle,
    pub(crate) repository: Repository,
    // Last: the directory goes when everything that uses it is gone.
    pub(crate) directory: TempDir,
}

impl Fleet {
    pub(crate) async fn start(options: &Options, seed: u64) -> anyhow::Result<Self> {
        let directory = directory()?;
        let repository = Repository::create(&directory.path().join("repos/shared"))?;
        let stores = Stores::start(&StoresConfig::new(directory.path().join("state")))?;
        let database_url = stores.database_url().context("no Postgres")?.to_owned();
        prepare(&database_url).await?;
        let (latency, between) = options.latency();
        let script = include_str!("../double.yaml").replace("BETWEEN", &between.to_string());
        let config = DoubleConfig {
            script: Some(Script::parse(&script)?),
            latency,
            faults: Some(storm(seed)?),
            ..DoubleConfig::default()
        };
        let double = Double::start(config).await?;
        let claude = double.url().trim_start_matches("http://").parse()?;
        let sockets = stores.socket_dir().to_owned();
        let redis_socket = redis_socket(stores.redis_url().context("no Redis")?)?;
        let pool = PgPoolOptions::new().max_connections(4).acquire_timeout(Duration::from_secs(30));
        let mut fleet = Self {
            places: Vec::new(),
            postgres: Proxy::start(Upstream::Unix(sockets.join(".s.PGSQL.5432"))).await?,
            redis: Proxy::start(Upstream::Unix(redis_socket)).await?,
            claude: Proxy::start(Upstream::Tcp(claude)).await?,
            pool: pool.connect_lazy(&database_url)?,
            stores,
            double,
            repository,
            directory,
        };
        for (kind, count) in FLEET {
            for number in 1..=count {
                fleet.add(kind, number)?;
            }
        }
        fleet.all_ready(Duration::from_secs(60)).await?;
        Ok(fleet)
    }

    pub(crate) fn add(&mut self, kind: Kind, number: usize) -> anyhow::Result<()> {
        let listen = free_address()?;
        let name = format!("{}-{number}", kind.program().trim_start_matches("hive-"));
        // Each as on a host of its own: a task that moves to another finds its files at the repository.
        let data = self.directory.path().join("data").join(&name);
        std::fs::create_dir_all(&data)?;
        let (database_url, redis_url) = self.urls()?;
        let mut env = BTreeMap::from([
            ("DATABASE_URL", database_url),
            ("REDIS_URL", redis_url),
            ("HIVE_DATA", data.display().to_string()),
            ("HIVE_REPO_ROOTS", self.directory.path().join("repos").display().to_string()),
            ("HIVE_LOG", "warn".to_owned()),
            ("HIVE_LOG_FORMAT", "json".to_owned()),
        ]);
        match kind {
            Kind::Worker => env.extend([
                ("HIVE_WORKER_LISTEN", listen.clone()),
                ("HIVE_WORKER_NAME", name.clone()),
                ("HIVE_SLOTS", SLOTS.to_string()),
                // One call in five fails for as long as the run lasts: tasks shall not wait for the fleet's bound of repeats.
                ("HIVE_REPEATS_PERCENT", "100".to_owned()),
                ("HIVE_ISOLATED", (number == WORKERS + 1).to_string()),
                ("HIVE_DRAIN_SECONDS", "10".to_owned()),
                ("ANTHROPIC_BASE_URL", format!("http://{}", self.claude.address)),
                ("ANTHROPIC_API_KEY", "no-key-is-set".to_owned()),
            ]),
            Kind::Api => env.extend([
                ("HIVE_LISTEN", listen.clone()),
                ("HIVE_TOKEN", TOKEN.to_owned()),
                ("HIVE_PROVIDER", "double".to_owned()),
                ("HIVE_METRICS_OPEN", "true".to_owned()),
            ]),
            Kind::Scheduler => env.extend([("HIVE_SCHEDULER_LISTEN", listen.clone())]),
        }
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let logs = self.directory.path().join("logs");
        let programs = programs()?;
        self.places.push(Place::start(kind, &programs, name, format!("http://{listen}"), env, &logs)?);
        Ok(())
    }

    /// The addresses of the stores through the proxies.
    pub(crate) fn urls(&self) -> anyhow::Result<(String, String)> {
        let direct = self.stores.database_url().context("no Postgres")?;
        let (account, _) = direct.split_once("@localhost").context("an unusual address of Postgres")?;
        let password =
            self.stores.redis_url().and_then(|url| url.split_once("pass=")).context("no password")?.1;
        Ok((
            format!("{account}@{}/postgres?sslmode=disable", self.postgres.address),
            format!("redis://:{password}@{}/0", self.redis.address),
        ))
    }

    /// Indexes of the places of a kind.
    pub(crate) fn of(&self, kind: Kind) -> Vec<usize> {
        (0..self.places.len()).filter(|index| self.places[*index].kind == kind).collect()
    }

    /// Starts what has ended, and waits until everything answers that it is ready.
    pub(crate) async fn all_ready(&mut self, patience: Duration) -> anyhow::Result<()> {
        for index in 0..self.places.len() {
            self.ready(index, patience).await?;
        }
        Ok(())
    }

    /// Starts it when it has ended, and waits until it answers that it is ready.
    pub(crate) async fn ready(&mut self, index: usize, patience: Duration) -> anyhow::Result<()> {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build()?;
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            self.places[index].revive()?;
            let ready = client.get(format!("{}/health/ready", self.places[index].url)).send().await;
            if ready.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            if tokio::time::Instant::now() > deadline {
                bail!("{} is not ready after {} s", self.places[index].name, patience.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for place in &mut self.places {
            place.end();
        }
    }
}

/// A directory for logs, data and repositories that the sandbox's users may pass through.
pub(crate) fn directory() -> anyhow::Result<TempDir> {
    let directory = tempfile::Builder::new().prefix("hive-chaos-").tempdir()?;
    std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755))?;
    for name in ["logs", "repos", "data"] {
        std::fs::create_dir(directory.path().join(name))?;
    }
    Ok(directory)
}

/// Where the programs lie: beside this one.
pub(crate) fn programs() -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe()?;
    Ok(here.parent().context("this program lies nowhere")?.to_owned())
}

/// An address that was free a moment ago.
pub(crate) fn free_address() -> anyhow::Result<String> {
    Ok(format!("127.0.0.1:{}", TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port()))
}

async fn prepare(url: &str) -> anyhow::Result<()> {
    let store = Store::connect_lazy(&Config::new(url.to_owned()))?;
    store.migrate().await?;
    store.seed_agents(&hive_agent::roster().map_err(anyhow::Error::msg)?).await?;
    store.close().await;
    Ok(())
}

/// One call in five is refused, overloaded, broken or cut after it was charged.
pub(crate) fn storm(seed: u64) -> anyhow::Result<Storm> {
    let kinds = "[429, 429, 429, 429, 529, 529, 500, 500, cut, cut, cut_before_headers, error_event]";
    Ok(Storm::parse(&format!("{{seed: {seed}, rate: 0.2, kinds: {kinds}}}"))?)
}

fn redis_socket(url: &str) -> anyhow::Result<PathBuf> {
    let path = url.strip_prefix("redis+unix://").and_then(|rest| rest.split_once('?'));
    Ok(path.context("an unusual address of Redis")?.0.into())
}
