//! Faults at random over all calls, drawn by seed.

use std::sync::{Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Deserialize;

use crate::fault::{Fault, FaultError, FaultForm};

/// Faults that strike a share of all calls. The n-th call draws the same fault for the same seed.
#[derive(Debug)]
pub struct Storm {
    rate: f64,
    kinds: Vec<Fault>,
    // Calls come in parallel; each takes the next draw.
    dice: Mutex<StdRng>,
}

/// A storm as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StormForm {
    #[serde(default)]
    seed: u64,
    rate: f64,
    #[serde(default)]
    kinds: Vec<FaultForm>,
}

impl Storm {
    /// Reads a storm from YAML or JSON: `{seed: 7, rate: 0.2, kinds: [429, 529, cut, {delay_ms: 200}]}`.
    ///
    /// # Errors
    ///
    /// The text is not a storm, or a fault in it is not one.
    pub fn parse(text: &str) -> Result<Self, crate::ScriptError> {
        let form: StormForm = serde_norway::from_str(text)?;
        Ok(Self::try_from(form)?)
    }

    /// The fault of the next call, if one strikes.
    pub(crate) fn draw(&self) -> Option<Fault> {
        let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        // Both are drawn each time, so that a changed rate does not shift which fault comes.
        let strikes = dice.random::<f64>() < self.rate;
        let pick = dice.random_range(0..self.kinds.len().max(1));
        self.kinds.get(pick).filter(|_| strikes).cloned()
    }
}

impl TryFrom<StormForm> for Storm {
    type Error = FaultError;

    fn try_from(form: StormForm) -> Result<Self, FaultError> {
        let kinds = form.kinds.into_iter().map(Fault::try_from).collect::<Result<_, _>>()?;
        Ok(Self { rate: form.rate, kinds, dice: Mutex::new(StdRng::seed_from_u64(form.seed)) })
    }
}
