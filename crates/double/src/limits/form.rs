//! Rate limits as they are written.

use serde::Deserialize;

use crate::catalogue;

/// Limits that nothing reaches, for models that no group names.
const OTHER: Rates = Rates { requests: 1_000_000, input: 1_000_000_000, output: 1_000_000_000 };
/// Seconds of filling that a full bucket holds, unless the group says otherwise.
const BURST_SECONDS: u64 = 60;

/// Rate limits that cannot be held.
#[derive(Debug, thiserror::Error)]
pub enum LimitsError {
    /// The text is not YAML of the expected form.
    #[error("these are not limits: {0}")]
    Form(#[from] serde_norway::Error),
    /// A group names a model that the double does not know.
    #[error("group {group:?}: {model:?} is not a model that the double knows")]
    Model {
        /// The group.
        group: String,
        /// The model.
        model: String,
    },
    /// A model stands in two groups.
    #[error("{0:?} stands in two groups; a model draws from one")]
    Twice(String),
    /// A limit lets nothing through.
    #[error("group {group:?}: {field} has to be at least 1")]
    Zero {
        /// The group.
        group: String,
        /// The field.
        field: &'static str,
    },
}

/// Limits per group of models, each of which shares one set of buckets. Models that no group names are as good as
/// unlimited.
///
/// ```yaml
/// groups:
///   - name: sonnet
///     models: [claude-sonnet-5-5, claude-sonnet-5]
///     requests_per_minute: 50
///     input_tokens_per_minute: 30000     # cache reads do not count
///     output_tokens_per_minute: 8000
///     burst_seconds: 60                  # how much a full bucket holds
/// ```
#[derive(Clone, Debug, Default)]
pub struct Limits {
    pub(super) groups: Vec<Group>,
}

#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) models: Vec<&'static str>,
    pub(super) rates: Rates,
    pub(super) burst_seconds: u64,
}

/// Units per minute.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates {
    pub(super) requests: u64,
    pub(super) input: u64,
    pub(super) output: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsForm {
    groups: Vec<GroupForm>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupForm {
    name: String,
    models: Vec<String>,
    requests_per_minute: u64,
    input_tokens_per_minute: u64,
    output_tokens_per_minute: u64,
    burst_seconds: Option<u64>,
}

impl Limits {
    /// Reads limits from YAML or JSON.
    ///
    /// # Errors
    ///
    /// The text does not have this form, names an unknown model or one model twice, or limits something to zero.
    pub fn parse(text: &str) -> Result<Self, LimitsError> {
        let form: LimitsForm = serde_norway::from_str(text)?;
        let mut limits = Self::default();
        for group in form.groups {
            let group = Group::of(group)?;
            let taken = |model: &&&str| limits.groups.iter().any(|other| other.models.contains(*model));
            if let Some(twice) = group.models.iter().find(taken) {
                return Err(LimitsError::Twice((*twice).to_owned()));
            }
            limits.groups.push(group);
        }
        Ok(limits)
    }
}

impl Group {
    pub(super) fn other() -> Self {
        Self { name: "other".to_owned(), models: Vec::new(), rates: OTHER, burst_seconds: BURST_SECONDS }
    }

    fn of(form: GroupForm) -> Result<Self, LimitsError> {
        let burst_seconds = form.burst_seconds.unwrap_or(BURST_SECONDS);
        let fields = [
            ("requests_per_minute", form.requests_per_minute),
            ("input_tokens_per_minute", form.input_tokens_per_minute),
            ("output_tokens_per_minute", form.output_tokens_per_minute),
            ("burst_seconds", burst_seconds),
        ];
        if let Some((field, _)) = fields.into_iter().find(|(_, value)| *value == 0) {
            return Err(LimitsError::Zero { group: form.name, field });
        }
        let known =
            |model: &String| catalogue::find(model).map(|found| found.id).ok_or_else(|| model.clone());
        let models: Result<Vec<_>, _> = form.models.iter().map(known).collect();
        let models = models.map_err(|model| LimitsError::Model { group: form.name.clone(), model })?;
        let rates = Rates {
            requests: form.requests_per_minute,
            input: form.input_tokens_per_minute,
            output: form.output_tokens_per_minute,
        };
        Ok(Self { name: form.name, models, rates, burst_seconds })
    }
}
