//! Whether the provider refuses the key, or one request that it always refuses.

use std::collections::HashMap;

use hive_domain::TaskId;
use tokio::time::Instant;

/// Tasks that are remembered; the one that was refused longest ago is forgotten first.
const MOST: usize = 1_000;

/// What this process has seen of its key: one task that is refused again and again, while others are answered, would stop
/// the key for all of them each time that it came back.
#[derive(Default)]
pub(super) struct Refusals {
    answered: Option<Instant>,
    of: HashMap<TaskId, Instant>,
}

impl Refusals {
    /// A call of `task` was answered.
    pub(super) fn answered(&mut self, task: TaskId) {
        self.answered = Some(Instant::now());
        self.of.remove(&task);
    }

    /// A call of `task` was refused for what the key may do. True when it was refused before, and others were answered since:
    /// then it is the request, and not the key.
    pub(super) fn refused(&mut self, task: TaskId) -> bool {
        let before = self.of.insert(task, Instant::now());
        if self.of.len() > MOST
            && let Some(oldest) = self.of.iter().min_by_key(|(_, at)| **at).map(|(task, _)| *task)
        {
            self.of.remove(&oldest);
        }
        before.is_some_and(|before| self.answered.is_some_and(|answered| answered > before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_task_that_is_refused_again_while_others_are_answered_is_to_blame() {
        let (mut refusals, [bad, good]) = (Refusals::default(), [TaskId::new(), TaskId::new()]);
        refusals.answered(good);
        assert!(!refusals.refused(bad), "the first time it may be the key");
        assert!(!refusals.refused(bad), "nobody was answered since");
        assert!(!refusals.refused(good), "the key is refused to all");
        refusals.answered(good);
        assert!(refusals.refused(bad));
        refusals.answered(bad);
        refusals.answered(good);
        assert!(!refusals.refused(bad), "it was answered itself since");
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let mut refusals = Refusals::default();
        for _ in 0..MOST + 5 {
            refusals.refused(TaskId::new());
        }
        assert_eq!(refusals.of.len(), MOST);
    }
}
