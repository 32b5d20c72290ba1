//! An outage by the clock: phases with a fault each, and then all is well again.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use crate::ScriptError;
use crate::catalogue;
use crate::fault::{Fault, FaultForm};

/// Phases, one after the other, from the moment the outage starts. Within one, every call breaks in its way.
///
/// ```yaml
/// models: [claude-sonnet-5-5]                 # none: all
/// phases:
///   - { seconds: 30, fault: { status: 429, retry_after: 7 } }
///   - { seconds: 90, fault: 529 }
/// ```
#[derive(Debug)]
pub struct Outage {
    models: Vec<&'static str>,
    phases: Vec<(Duration, Option<Fault>)>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OutageForm {
    #[serde(default)]
    models: Vec<String>,
    phases: Vec<PhaseForm>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PhaseForm {
    seconds: u64,
    /// None: a quiet phase.
    #[serde(default)]
    fault: Option<FaultForm>,
}

impl Outage {
    /// Reads an outage from YAML or JSON.
    ///
    /// # Errors
    ///
    /// The text does not have this form, names an unknown model or an unknown fault.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let form: OutageForm = serde_norway::from_str(text)?;
        let known = |id: String| match catalogue::find(&id) {
            Some(model) => Ok(model.id),
            None => Err(ScriptError::UnknownModel(id)),
        };
        let phase = |phase: PhaseForm| -> Result<_, ScriptError> {
            let fault = phase.fault.map(Fault::try_from).transpose()?;
            Ok((Duration::from_secs(phase.seconds), fault))
        };
        Ok(Self {
            models: form.models.into_iter().map(known).collect::<Result<_, _>>()?,
            phases: form.phases.into_iter().map(phase).collect::<Result<_, _>>()?,
        })
    }
}

/// An outage that began.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) outage: Outage,
    pub(crate) at: DateTime<Utc>,
}

impl Begun {
    /// The phase at a time, from 1, if one is on.
    pub(crate) fn phase(&self, now: DateTime<Utc>) -> Option<usize> {
        let mut end = self.at;
        for (place, (length, _)) in self.outage.phases.iter().enumerate() {
            end += TimeDelta::from_std(*length).unwrap_or(TimeDelta::MAX / 4);
            if now < end {
                return Some(place + 1);
            }
        }
        None
    }

    /// The fault that a call for this model meets.
    pub(crate) fn fault(&self, model: &str, now: DateTime<Utc>) -> Option<Fault> {
        if !self.outage.models.is_empty() && !self.outage.models.contains(&model) {
            return None;
        }
        let (_, fault) = self.outage.phases.get(self.phase(now)? - 1)?;
        fault.clone()
    }
}
