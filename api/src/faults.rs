//! All faults of a body at once, so that a caller mends it in one go.

use chrono::{DateTime, Datelike, Utc};

use crate::error::{ApiError, FieldError, Result};

/// Collects the fields that cannot be accepted.
#[derive(Debug, Default)]
pub struct Faults {
    found: Vec<FieldError>,
    /// What stands before each pointer.
    within: String,
}

impl Faults {
    /// Notes a fault.
    pub fn refuse(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        let pointer = format!("{}{}", self.within, pointer.into());
        self.found.push(FieldError::body(pointer, detail));
    }

    /// The pointers of what is noted from now on lie below this one.
    pub fn within(&mut self, pointer: impl Into<String>) {
        self.within = pointer.into();
    }

    /// How many there are so far.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.found.len()
    }

    /// Notes a fault unless `fine`.
    pub fn demand(&mut self, fine: bool, pointer: &str, detail: &str) {
        if !fine {
            self.refuse(pointer, detail);
        }
    }

    /// A text of 1 to `most` characters that is not all white space.
    pub fn demand_text(&mut self, text: &str, most: usize, pointer: impl Into<String>) {
        if text.trim().is_empty() {
            self.refuse(pointer, "must not be empty");
        } else if text.len() > most && text.chars().count() > most {
            self.refuse(pointer, format!("must have at most {most} characters"));
        }
    }

    /// A text of at most `most` bytes; it may be empty.
    pub fn demand_bytes(&mut self, length: usize, most: usize, pointer: &str) {
        if length > most {
            self.refuse(pointer, format!("must have at most {most} bytes, not {length}"));
        }
    }

    /// A time of the years 1 to 9999, which Postgres keeps and RFC 3339 writes.
    pub fn demand_time(&mut self, time: Option<DateTime<Utc>>, pointer: &str) {
        let storable = time.is_none_or(|time| (1..=9999).contains(&time.year()));
        self.demand(storable, pointer, "must lie between the years 1 and 9999");
    }

    /// A list of at most `most` entries.
    pub fn demand_count(&mut self, count: usize, most: usize, pointer: &str) {
        if count > most {
            self.refuse(pointer, format!("must have at most {most} entries, not {count}"));
        }
    }

    /// Ends the check.
    ///
    /// # Errors
    /// 422 with all faults.
    pub fn finish(self) -> Result<()> {
        if self.found.is_empty() { Ok(()) } else { Err(ApiError::invalid(self.found)) }
    }
}
