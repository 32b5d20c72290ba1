//! What may be spent, and what was.

pub mod budgets;
pub mod remove_budget;
pub mod set_budget;
pub mod usage;
