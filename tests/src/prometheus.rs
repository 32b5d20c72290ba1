//! A real Prometheus that reads the processes of a story.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use hive_local::{BoundChild, spawn_bound};
use serde_json::Value;
use tempfile::TempDir;

use crate::{TestHive, builder::open_directory, program::Program, within};

/// A start on a busy machine.
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// A running Prometheus. It ends with the story.
pub struct Prometheus {
    url: String,
    http: reqwest::Client,
    targets: usize,
    #[expect(dead_code, reason = "ends the process when it is dropped")]
    child: BoundChild,
    #[expect(dead_code, reason = "holds the directory until the process has ended")]
    directory: TempDir,
}

/// One series of an answer: its labels and its value.
pub type Sample = (Value, f64);

impl Prometheus {
    /// The program, from `PATH`. `None` where there is none, which must not be so under `CI=true`.
    ///
    /// # Panics
    /// Without it under `CI=true`.
    #[must_use]
    pub fn find() -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found =
            std::env::split_paths(&path).map(|dir| dir.join("prometheus")).find(|file| file.is_file());
        let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(found.is_some() || !in_ci, "prometheus is not on PATH, and CI=true wants it there");
        found
    }

    /// Starts it on the processes of this hive, with the job names, the rules and the labels of the deployment, a
    /// scrape each second.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(program: &Path, hive: &TestHive) -> Self {
        let directory = open_directory("hive-prometheus-");
        let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../grafana/alerts.yml");
        let mut config = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [{}]\nscrape_configs:\n",
            rules.display()
        );
        let mut targets = 0;
        for (job, programs) in
            [("api", &hive.apis), ("worker", &hive.workers), ("scheduler", &hive.schedulers)]
        {
            let running = programs.iter().filter(|program| !program.ended_by_story).map(Program::url);
            let addresses: Vec<_> = running.map(|url| url.trim_start_matches("http://")).collect();
            targets += addresses.len();
            writeln!(config, "  - {{ job_name: {job}, static_configs: [{{ targets: {addresses:?} }}] }}")
                .unwrap();
        }
        std::fs::write(directory.path().join("prometheus.yml"), config).unwrap();
        let address = free_address();
        let log = std::fs::File::create(hive.path("logs").join("prometheus.log")).unwrap();
        let mut command = Command::new(program);
        command
            .current_dir(directory.path())
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn"])
            .arg(format!("--web.listen-address={address}"))
            .env_clear()
            .env("GOMAXPROCS", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let child = spawn_bound(command).unwrap();
        let url = format!("http://{address}");
        let it = Self { url, http: hive.http.clone(), targets, child, directory };
        within(STARTS_WITHIN, "Prometheus is ready", async || {
            let answer = it.http.get(format!("{}/-/ready", it.url)).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
        it
    }

    /// Waits until every process was read after this moment: what has happened is in the samples then. The first reading
    /// comes some five seconds after the start, and one that takes longer than a second brings nothing.
    ///
    /// # Panics
    /// When that takes more than half a minute.
    pub async fn reads_all(&self) {
        let now = self.query("vector(time())").await.unwrap()[0].1;
        let fresh = format!("count(timestamp(up == 1) > {now})");
        within(Duration::from_secs(30), "every process was read", async || {
            let read = self.query(&fresh).await.ok()?;
            (read.first()?.1 as usize == self.targets).then_some(())
        })
        .await;
    }

    /// Evaluates an expression now.
    ///
    /// # Errors
    /// What Prometheus says about an expression that it cannot read.
    pub async fn query(&self, expression: &str) -> Result<Vec<Sample>, String> {
        let answer = self.get("query", &[("query", expression)]).await?;
        let result = answer["result"].as_array().ok_or("no vector")?;
        let sample = |series: &Value| {
            let value = series["value"][1].as_str().and_then(|value| value.parse().ok());
            Some((series["metric"].clone(), value?))
        };
        Ok(result.iter().filter_map(sample).collect())
    }

    /// The rules, with the health that their last evaluation gave them.
    ///
    /// # Errors
    /// What Prometheus says.
    pub async fn rules(&self) -> Result<Vec<Value>, String> {
        let answer = self.get("rules", &[]).await?;
        let groups = answer["groups"].as_array().cloned().unwrap_or_default();
        Ok(groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default()).collect())
    }

    async fn get(&self, what: &str, query: &[(&str, &str)]) -> Result<Value, String> {
        let request = self.http.get(format!("{}/api/v1/{what}", self.url)).query(query);
        let answer =
            request.timeout(Duration::from_secs(20)).send().await.map_err(|error| error.to_string())?;
        let mut body: Value = answer.json().await.map_err(|error| error.to_string())?;
        if body["status"] != "success" {
            return Err(body["error"].as_str().unwrap_or("no reason was given").to_owned());
        }
        Ok(body["data"].take())
    }
}

/// A port that nobody listens on: bound and closed at once.
fn free_address() -> std::net::SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
