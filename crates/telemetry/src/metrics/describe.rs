//! What a metric means, shown as its HELP line.

/// One metric: its name and a sentence.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    kind: Kind,
    name: &'static str,
    help: &'static str,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Description {
    /// A number that only grows; its name ends in `_total`.
    #[must_use]
    pub const fn counter(name: &'static str, help: &'static str) -> Self {
        Self { kind: Kind::Counter, name, help }
    }

    /// A number as it stands.
    #[must_use]
    pub const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self { kind: Kind::Gauge, name, help }
    }

    /// Many measured values, in buckets; its name ends in the unit.
    #[must_use]
    pub const fn histogram(name: &'static str, help: &'static str) -> Self {
        Self { kind: Kind::Histogram, name, help }
    }
}

/// Registers a crate's list. Meant to be called after [`install`](super::install), once per list.
pub fn describe(list: &[Description]) {
    for Description { kind, name, help } in list.iter().copied() {
        match kind {
            Kind::Counter => metrics::describe_counter!(name, help),
            Kind::Gauge => metrics::describe_gauge!(name, help),
            Kind::Histogram => metrics::describe_histogram!(name, help),
        }
    }
}
