//! Numbers for Prometheus. The names are written by hand where they are counted; here is only where they go.

use std::{fmt, sync::OnceLock, thread, time::Duration};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

mod describe;
mod memory;

pub use describe::{Description, describe};
pub use memory::resident_bytes;

/// Seconds: from one Redis call to one long answer of a model.
const SECONDS: [f64; 18] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0,
    600.0,
];
/// Shares, in percent.
const PERCENTS: [f64; 11] = [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0];
/// Everything else that is measured: counts, tokens, bytes.
const AMOUNTS: [f64; 13] = [1.0, 4.0, 16.0, 64.0, 256.0, 1e3, 4e3, 16e3, 64e3, 256e3, 1e6, 4e6, 16e6];
/// How often measured values are moved into their buckets, so that an unscraped process does not keep them all.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

const OWN: [Description; 4] = [
    Description::gauge("process_resident_memory_bytes", "Memory of this process that is in RAM, in bytes"),
    Description::gauge(
        "hive_build_info",
        "1; the labels say which process of which version and revision this is",
    ),
    Description::gauge("hive_component_up", "1 while the component answers, else 0"),
    Description::counter("hive_log_dropped_total", "Log lines dropped because stderr was too slow or closed"),
];

static INSTALLED: OnceLock<MetricsHandle> = OnceLock::new();

/// Reads what was counted. Cheap to clone.
#[derive(Clone)]
pub struct MetricsHandle(PrometheusHandle);

impl fmt::Debug for MetricsHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetricsHandle")
    }
}

impl MetricsHandle {
    /// All metrics in Prometheus' text format, with the memory of this moment.
    #[must_use]
    pub fn render(&self) -> String {
        if let Some(bytes) = resident_bytes() {
            ::metrics::gauge!("process_resident_memory_bytes").set(bytes as f64);
        }
        self.0.render()
    }
}

/// Makes the `metrics` macros of this process count, and returns what reads them. Called again it returns the same.
/// The revision is what `HIVE_REVISION` held when this was built.
/// Histograms whose name ends in `_seconds` get buckets from 1 ms to 10 min, those in `_percent` steps of ten,
/// all others from 1 to 16 million.
pub fn install(process: &'static str) -> MetricsHandle {
    let handle = INSTALLED.get_or_init(start).clone();
    let (version, revision) = (env!("CARGO_PKG_VERSION"), option_env!("HIVE_REVISION").unwrap_or("unknown"));
    ::metrics::gauge!("hive_build_info", "process" => process, "version" => version, "revision" => revision)
        .set(1.0);
    handle
}

fn start() -> MetricsHandle {
    let recorder = PrometheusBuilder::new()
        .set_buckets(&AMOUNTS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS))
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_percent".to_owned()), &PERCENTS))
        .expect("only an empty list of buckets is refused")
        .build_recorder();
    let handle = MetricsHandle(recorder.handle());
    if ::metrics::set_global_recorder(recorder).is_err() {
        tracing::error!("Metrics are counted by another recorder of this process; /metrics stays empty");
    }
    describe(&OWN);
    // Shown from the start, so that the first one is a rise.
    ::metrics::counter!("hive_log_dropped_total").absolute(0);
    // A thread, because it must outlive any one runtime of the process.
    let upkeep = handle.0.clone();
    let spawned = thread::Builder::new().name("metrics".to_owned()).spawn(move || {
        loop {
            thread::sleep(UPKEEP_EVERY);
            upkeep.run_upkeep();
        }
    });
    if let Err(error) = spawned {
        tracing::error!(%error, "The upkeep of the metrics did not start; memory grows until they are read");
    }
    handle
}
