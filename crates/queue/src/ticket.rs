//! A ticket: the hint that a task may be runnable.

use crate::Lane;
use uuid::Uuid;

/// "Task X may be runnable as activation E." The row in Postgres decides whether it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// The task.
    pub task_id: Uuid,
    /// The epoch the task had when the ticket was written; with the task it makes the ticket's identity.
    pub epoch: i64,
    /// Where it waits. Not part of its identity.
    pub lane: Lane,
}

impl Ticket {
    /// The ticket of a task with this priority; a suspect goes to the isolated lane.
    #[must_use]
    pub const fn new(task_id: Uuid, epoch: i64, priority: u8, isolated: bool) -> Self {
        let lane = if isolated { Lane::Isolated } else { Lane::from_priority(priority) };
        Self { task_id, epoch, lane }
    }

    /// `task:epoch`. The id apalis knows the ticket by, and also its whole payload.
    pub(crate) fn id(&self) -> String {
        format!("{}:{}", self.task_id, self.epoch)
    }

    /// Reads a payload back; `None` when nobody here wrote it.
    pub(crate) fn read(payload: &[u8], lane: Lane) -> Option<Self> {
        let (task, epoch) = std::str::from_utf8(payload).ok()?.split_once(':')?;
        Some(Self { task_id: task.parse().ok()?, epoch: epoch.parse().ok()?, lane })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_survives_the_way_through_redis() {
        let ticket = Ticket { task_id: Uuid::now_v7(), epoch: 42, lane: Lane::High };
        assert_eq!(Ticket::read(ticket.id().as_bytes(), Lane::High), Some(ticket));
    }

    #[test]
    fn what_is_no_ticket_is_refused() {
        for payload in [&b""[..], b"{}", b"no:1", &[0xff, 0xfe, b':', b'1']] {
            assert_eq!(Ticket::read(payload, Lane::Low), None, "{payload:?}");
        }
        let half = format!("{}:", Uuid::now_v7());
        assert_eq!(Ticket::read(half.as_bytes(), Lane::Low), None);
    }
}
