//! The counters of all processes, summed over all their lives: what a dead one had counted is not forgotten.

use std::{collections::BTreeMap, time::Duration};

use futures::future::join_all;

use crate::fleet::Fleet;

/// Counters that must have moved: a recovery that nobody can see is a failed one.
pub(crate) const MUST_MOVE: [&str; 5] = [
    "hive_tasks_orphaned_total",
    "hive_tickets_reannounced_total",
    "hive_leases_lost_total",
    "hive_llm_calls_total, not ok",
    "hive_queue_announce_failed_total",
];

#[derive(Default)]
pub(crate) struct Counters {
    /// By place and life, then by name.
    lives: BTreeMap<(String, usize), BTreeMap<String, f64>>,
}

impl Counters {
    /// Asks every process that answers.
    pub(crate) async fn scrape(&mut self, fleet: &Fleet, client: &reqwest::Client) {
        let pages = fleet.places.iter().filter(|place| !place.frozen).map(|place| {
            let url = format!("{}/metrics", place.url);
            let key = (place.name.clone(), place.lives);
            async move {
                let page = client.get(url).timeout(Duration::from_millis(500)).send().await.ok()?;
                Some((key, page.error_for_status().ok()?.text().await.ok()?))
            }
        });
        for (key, page) in join_all(pages).await.into_iter().flatten() {
            self.lives.insert(key, read(&page));
        }
    }

    pub(crate) fn sum(&self, name: &str) -> f64 {
        self.lives.values().filter_map(|counters| counters.get(name)).fold(0.0, |sum, more| sum + more)
    }
}

/// The counters of a page, summed over their labels.
fn read(page: &str) -> BTreeMap<String, f64> {
    let mut counters = BTreeMap::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        if let Some((series, value)) = line.rsplit_once(' ')
            && let Ok(value) = value.parse::<f64>()
        {
            let name = series.split('{').next().unwrap_or(series);
            *counters.entry(name.to_owned()).or_insert(0.0) += value;
            if series.contains("outcome=\"") && !series.contains("outcome=\"ok\"") {
                *counters.entry(format!("{name}, not ok")).or_insert(0.0) += value;
            }
        }
    }
    counters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_summed_and_lives_are_kept() {
        let page = "# HELP a b\n# TYPE a counter\na{lane=\"x y\"} 2\na{lane=\"z\"} 3\nb 1.5\n\
                    d{outcome=\"ok\"} 7\nd{outcome=\"late\"} 2\n";
        let mut counters = Counters::default();
        counters.lives.insert(("worker-1".to_owned(), 1), read(page));
        counters.lives.insert(("worker-1".to_owned(), 2), read("a 4\n"));
        assert_eq!((counters.sum("d"), counters.sum("d, not ok")), (9.0, 2.0));
        assert_eq!((counters.sum("a"), counters.sum("b"), counters.sum("c")), (9.0, 1.5, 0.0));
    }
}
