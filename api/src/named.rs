//! Ids in a search that name nothing are told to whoever searches, instead of an empty answer.

use hive_store::Named;

use crate::{app::App, error::Result, faults::Faults};

/// Demands that what a search names is there; `within` is where in the body the search stands.
///
/// # Errors
/// 422 with every id at fault.
pub async fn demand(app: &App, named: &Named, within: &str) -> Result<()> {
    let missing = app.store.missing(named).await?;
    let mut faults = Faults::default();
    faults.within(within);
    for (is_missing, pointer) in [
        (missing.project, "/project_id"),
        (missing.session, "/session_id"),
        (missing.agent, "/agent_id"),
        (missing.sender, "/from_agent_id"),
        (missing.conversation, "/conversation_id"),
        (missing.parent, "/parent_id"),
    ] {
        faults.demand(!is_missing, pointer, "does not exist");
    }
    faults.finish()
}
