//! What happens to the system, beside its tasks.

pub mod list;
pub mod watch;

use hive_domain::{Channel, SystemEventKind};
use hive_store::SystemEventFilter;

use crate::{
    error::{ApiError, Result},
    query::Query,
};

/// Characters of a subject at most.
const MAX_SUBJECT: usize = 300;

/// The filters that the list and the stream have in common.
fn filter(query: &mut Query) -> Result<SystemEventFilter> {
    let channels = query.many::<Channel>("channel")?;
    let kinds = query.many::<SystemEventKind>("kind")?;
    let subject = query.one::<String>("subject")?;
    if subject.as_ref().is_some_and(|subject| subject.is_empty() || subject.chars().count() > MAX_SUBJECT) {
        return Err(ApiError::parameter("subject", format!("is 1 to {MAX_SUBJECT} characters")));
    }
    Ok(SystemEventFilter { channels, kinds, subject })
}
