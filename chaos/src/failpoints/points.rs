//! The fail points, by the process that meets them, and what is done at each.

use crate::process::Kind;

/// Where each lies: between a foreign call and a commit, before or after it.
pub(crate) const POINTS: &[(&str, Kind)] = &[
    ("enqueue::before", Kind::Api),
    ("enqueue::committed", Kind::Api),
    ("enqueue::announced", Kind::Api),
    ("claim::before", Kind::Worker),
    ("claim::committed", Kind::Worker),
    ("run::replayed", Kind::Worker),
    ("begin_call::before", Kind::Worker),
    ("begin_call::committed", Kind::Worker),
    ("call::sending", Kind::Worker),
    ("call::answered", Kind::Worker),
    ("fail_call::before", Kind::Worker),
    ("fail_call::committed", Kind::Worker),
    ("append::before", Kind::Worker),
    ("append::committed", Kind::Worker),
    ("tools::ran", Kind::Worker),
    ("push::before", Kind::Worker),
    ("files::committed", Kind::Worker),
    ("files::pushed", Kind::Worker),
    ("checks::ran", Kind::Worker),
    ("close::before", Kind::Worker),
    ("close::evidence", Kind::Worker),
    ("settle::before", Kind::Worker),
    ("settle::committed", Kind::Worker),
    ("release::before", Kind::Worker),
    ("release::resolved", Kind::Worker),
    ("release::moved", Kind::Worker),
    ("release::committed", Kind::Worker),
    ("renew::before", Kind::Worker),
    ("renew::committed", Kind::Worker),
    ("segment::before", Kind::Worker),
    ("segment::committed", Kind::Worker),
    ("rollback::restored", Kind::Worker),
    ("rollback::pushed", Kind::Worker),
    ("briefing::told", Kind::Worker),
    ("night::asked", Kind::Worker),
    ("night::extract", Kind::Worker),
    ("night::dedupe", Kind::Worker),
    ("night::merge", Kind::Worker),
    ("night::contradict", Kind::Worker),
    ("night::promote", Kind::Worker),
    ("night::decay", Kind::Worker),
    ("night::marked", Kind::Worker),
    ("night::publish", Kind::Worker),
    ("night::published", Kind::Worker),
    ("checkpoint::begun", Kind::Worker),
    ("checkpoint::exported", Kind::Worker),
    ("checkpoint::bundled", Kind::Worker),
    ("checkpoint::written", Kind::Worker),
    ("checkpoint::placed", Kind::Worker),
    ("reconcile::expired", Kind::Scheduler),
    ("reconcile::released", Kind::Scheduler),
    ("reconcile::woken", Kind::Scheduler),
    ("reconcile::marked", Kind::Scheduler),
    ("reconcile::announced", Kind::Scheduler),
];

/// What happens at the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Panic,
    Kill,
    Delay,
}

/// One point and one deed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) point: &'static str,
    pub(crate) kind: Kind,
    pub(crate) deed: Deed,
}

impl Case {
    /// All of them; with a filter, those whose point or deed contains it.
    pub(crate) fn all(filter: &str) -> Vec<Self> {
        let deeds = [Deed::Kill, Deed::Panic, Deed::Delay];
        let cases =
            POINTS.iter().flat_map(|(point, kind)| deeds.map(|deed| Self { point, kind: *kind, deed }));
        cases.filter(|case| case.name().contains(filter)).collect()
    }

    pub(crate) fn name(&self) -> String {
        format!("{}={:?}", self.point, self.deed).to_lowercase()
    }

    /// The setting of the process. A scheduler meets its points each second: it fails again and again, at random. The
    /// others fail once.
    pub(crate) fn setting(&self) -> String {
        let action = match (self.kind, self.deed) {
            (Kind::Scheduler, Deed::Panic) => "20%panic",
            (Kind::Scheduler, Deed::Kill) => "20%return",
            (Kind::Scheduler, Deed::Delay) => "20%sleep(700)",
            (_, Deed::Panic) => "1*panic",
            (_, Deed::Kill) => "1*return",
            // A renewal must come later than the lease ends, anything else than the reconciler looks.
            (_, Deed::Delay) if self.point.starts_with("renew") => "1*sleep(13000)",
            // Later than a call that was noted may be sent.
            (_, Deed::Delay) if self.point == "call::sending" => "1*sleep(5000)",
            (_, Deed::Delay) => "1*sleep(3000)",
        };
        format!("{}={action}", self.point)
    }

    /// Whether the point is only met when a person has a turn undone.
    pub(crate) fn wants_rollback(&self) -> bool {
        self.point.starts_with("rollback::")
    }

    /// The title of the second task. A renewal is met only by a task that runs longer than it takes to come, a new segment
    /// by one whose conversation fills its window.
    pub(crate) fn words(&self) -> &'static str {
        match self.point.split_once("::") {
            Some(("renew", _)) => "Slow words",
            Some(("segment", _)) => "Grown words",
            _ => "Words",
        }
    }

    /// Whether the point is only met when a conversation goes on in a new segment, in which turns are counted anew.
    pub(crate) fn wants_segment(&self) -> bool {
        self.point.starts_with("segment::")
    }

    /// Whether the point is only met in a night.
    pub(crate) fn wants_night(&self) -> bool {
        self.point.starts_with("night::")
    }

    /// Whether the point is only met when an agent has slept.
    pub(crate) fn wants_morning(&self) -> bool {
        self.point.starts_with("briefing::")
    }

    /// Whether the point is only met when a checkpoint of the whole system is made.
    pub(crate) fn wants_checkpoint(&self) -> bool {
        self.point.starts_with("checkpoint::")
    }

    /// Whether the next life of the process meets the point again.
    pub(crate) fn lasts(&self) -> bool {
        self.kind == Kind::Scheduler
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    /// The names of the fail points below a directory.
    fn met_in(directory: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(directory).expect("a directory of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                met_in(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = fs::read_to_string(&path).expect("a source");
                let calls = source.split("fail_point!(").skip(1);
                found.extend(
                    calls
                        .filter_map(|call| call.trim_start().strip_prefix('"')?.split('"').next())
                        .map(str::to_owned),
                );
            }
        }
    }

    #[test]
    fn every_fail_point_of_the_code_is_in_the_table() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
        let mut code = BTreeSet::new();
        for part in ["crates", "api", "worker", "scheduler"] {
            met_in(&root.join(part), &mut code);
        }
        let table: BTreeSet<String> = POINTS.iter().map(|(point, _)| (*point).to_owned()).collect();
        assert_eq!(table.len(), POINTS.len(), "each once");
        assert_eq!(table, code);
    }
}
