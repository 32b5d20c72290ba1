//! The figures of a run, and which of them must hold.

use serde_json::{Map, Value, json};

/// Figures by name, in the order in which they were noted, and what was missed.
#[derive(Default)]
pub(crate) struct Figures {
    values: Map<String, Value>,
    missed: Vec<String>,
}

impl Figures {
    pub(crate) fn note(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        println!("{name:<28} {value}");
        self.values.insert(name.to_owned(), value);
    }

    /// A figure rounded to thousandths.
    pub(crate) fn note_number(&mut self, name: &str, value: f64) {
        self.note(name, json!((value * 1e3).round() / 1e3));
    }

    /// Notes a miss unless it holds.
    pub(crate) fn must(&mut self, holds: bool, miss: impl FnOnce() -> String) {
        if !holds {
            self.missed.push(miss());
        }
    }

    /// A count that must be zero; the first of what was counted are shown.
    pub(crate) fn must_be_none(&mut self, name: &str, found: &[String]) {
        self.note(name, found.len());
        for one in found.iter().take(20) {
            eprintln!("hive-chaos: {name}: {one}");
        }
        self.must(found.is_empty(), || format!("{name} is {} and must be 0", found.len()));
    }

    pub(crate) fn missed(&self) -> Vec<String> {
        self.missed.clone()
    }

    pub(crate) fn line(&self) -> String {
        let mut line = self.values.clone();
        line.insert("held".to_owned(), json!(self.missed.is_empty()));
        Value::Object(line).to_string()
    }
}

/// By nearest rank; 0 of nothing.
pub(crate) fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let sorted: Vec<f64> = (1..=20).map(f64::from).collect();
        assert_eq!([50, 95, 99, 100].map(|percent| percentile(&sorted, percent)), [10.0, 19.0, 20.0, 20.0]);
        assert_eq!((percentile(&sorted[..1], 50), percentile(&[], 50)), (1.0, 0.0));
    }
}
