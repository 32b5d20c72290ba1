//! The duties, once: everything that knows them reads this list.

use super::{
    Done, Order, Retention,
    prune::{Keep, Prune},
};
use crate::{error::Result, pool::Store};

/// The duty that each host with workspaces does for itself.
pub const WORKSPACES: &str = "workspaces";

/// The duty of each host that keeps checkpoints.
pub const CHECKPOINTS: &str = "checkpoints";

/// One duty.
#[derive(Debug)]
pub struct Duty {
    /// Its name, stored in orders and schedules.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub what: &'static str,
    /// When the schedule of the system orders it, UTC.
    pub cron: &'static str,
    work: Work,
}

#[derive(Debug)]
enum Work {
    /// Rows that a condition finds.
    Prune(&'static [Prune]),
    /// Weeks of the journal.
    Journal,
    /// Weeks of the journal to come.
    WeeksAhead,
    /// Model calls that stayed open.
    Calls,
    /// What nights left behind.
    Nights,
    /// Files, which only their host can see.
    Hosts,
}

/// Every duty. A duty that only removes rows is one entry here.
pub const DUTIES: &[Duty] = &[
    Duty {
        name: "artifacts_retention",
        what: "removes stored texts that no task shows any more",
        cron: "40 3 * * *",
        work: Work::Prune(&[Prune {
            table: "artifacts",
            // The hour protects a text that is being shown for the first time.
            over: "created_at < now() - interval '1 hour' AND $1 >= 0 AND NOT EXISTS (SELECT 1 FROM task_artifacts t \
                   WHERE t.sha256 = artifacts.sha256)",
            bytes: "bytes",
            keep: Keep::Nothing,
        }]),
    },
    Duty {
        name: "batches_retention",
        what: "removes batches that ended long ago, their requests and results; the sums of each day stay",
        cron: "35 3 * * *",
        work: Work::Prune(&[
            Prune {
                table: "batch_calls",
                // With the journal of its time, of which it is the like for what has no run.
                over: "finished_at < now() - make_interval(days => $1) AND EXISTS (
                           SELECT 1 FROM journal_weeks w WHERE w.dropped_at IS NOT NULL
                             AND (task_id IS NULL OR task_id >= w.first_id AND task_id < w.past_id))",
                bytes: "0",
                keep: Keep::Journal,
            },
            Prune {
                table: "batch_requests",
                over: "completed_at < now() - make_interval(days => $1)
                       AND NOT EXISTS (SELECT 1 FROM batch_calls c WHERE c.request_id = batch_requests.id)",
                bytes: "octet_length(body) + coalesce(octet_length(result), 0)",
                keep: Keep::Journal,
            },
            Prune {
                table: "batches",
                over: "ended_at < now() - make_interval(days => $1)
                       AND NOT EXISTS (SELECT 1 FROM batch_calls c WHERE c.batch_id = batches.id)
                       AND NOT EXISTS (SELECT 1 FROM batch_requests r WHERE r.batch_id = batches.id)",
                bytes: "0",
                keep: Keep::Journal,
            },
        ]),
    },
    Duty {
        name: CHECKPOINTS,
        what: "reads the newest checkpoint of each host and compares every file with its manifest; removes those beyond \
               the retention, and what is left of some that were never whole",
        cron: "10 4 * * *",
        work: Work::Hosts,
    },
    Duty {
        name: "conversations_retention",
        what: "removes old messages between agents that arrived or are dead, once the journals that name them are gone",
        cron: "45 3 * * *",
        work: Work::Prune(&[
            // Of an inbox and of a conversation the oldest go first, so that places and numbers have no gaps.
            Prune {
                table: "message_deliveries",
                over: "EXISTS (SELECT 1 FROM conversations m
                               WHERE m.id = message_id AND m.created_at < now() - make_interval(days => $1))
                       AND place < (SELECT coalesce(min(o.place), 9223372036854775807)
                                    FROM message_deliveries o JOIN conversations n ON n.id = o.message_id
                                    LEFT JOIN tasks t ON t.id = o.task_id
                                    WHERE o.agent_id = message_deliveries.agent_id
                                      AND (o.state IN ('pending', 'bound', 'taken')
                                           OR n.created_at >= now() - make_interval(days => $1)
                                           OR o.step IS NOT NULL AND NOT EXISTS (
                                               SELECT 1 FROM journal_weeks w
                                               WHERE w.dropped_at IS NOT NULL AND t.id >= w.first_id
                                                 AND t.id < w.past_id)))",
                bytes: "0",
                keep: Keep::Journal,
            },
            Prune {
                table: "conversations",
                over: "created_at < now() - make_interval(days => $1)
                       AND number < (SELECT coalesce(min(o.number), 9223372036854775807) FROM conversations o
                                     WHERE o.thread_id = conversations.thread_id
                                       AND (o.created_at >= now() - make_interval(days => $1)
                                            OR EXISTS (SELECT 1 FROM message_deliveries d WHERE d.message_id = o.id)))",
                bytes: "octet_length(content)",
                keep: Keep::Journal,
            },
            Prune {
                table: "threads",
                over: "created_at < now() - make_interval(days => $1)
                       AND NOT EXISTS (SELECT 1 FROM conversations m WHERE m.thread_id = threads.id)",
                bytes: "0",
                keep: Keep::Journal,
            },
        ]),
    },
    Duty {
        name: "ended_pauses",
        what: "removes pauses whose time has passed",
        cron: "*/10 * * * *",
        work: Work::Prune(&[Prune {
            table: "pauses",
            over: "until < now() AND $1 >= 0",
            bytes: "0",
            keep: Keep::Nothing,
        }]),
    },
    Duty {
        name: "idempotency_keys",
        what: "removes the answers that are kept for requests sent again, after 48 hours",
        cron: "20 * * * *",
        work: Work::Prune(&[Prune {
            table: "idempotency_keys",
            over: "created_at < now() - interval '48 hours' AND $1 >= 0",
            bytes: "coalesce(length(body), 0)",
            keep: Keep::Nothing,
        }]),
    },
    Duty {
        name: "memory_retention",
        what: "removes what nights retired long ago, which then cannot be taken back, texts of memories that others replaced, \
               and the marks of what was deleted",
        cron: "25 4 * * *",
        work: Work::Nights,
    },
    Duty {
        name: "messages_retention",
        what: "removes messages, read or missed, of tasks that ended long ago and whose journal is gone",
        cron: "30 3 * * *",
        work: Work::Prune(&[Prune {
            table: "task_messages",
            // While the journal is kept, its entries name them.
            over: "EXISTS (
                       SELECT 1 FROM tasks t JOIN journal_weeks w ON t.id >= w.first_id AND t.id < w.past_id
                       WHERE t.id = task_messages.task_id AND w.dropped_at IS NOT NULL
                         AND t.completed_at < now() - make_interval(days => $1))",
            bytes: "octet_length(text)",
            keep: Keep::Journal,
        }]),
    },
    Duty {
        name: "partitions_ahead",
        what: "makes the weeks of the journal four weeks ahead, and empties the nets",
        cron: "10 0 * * *",
        work: Work::WeeksAhead,
    },
    Duty {
        name: "records",
        what: "removes old slots of schedules, old orders of housekeeping, old nights of agents, what is known of checkpoints that are gone, old events of the system, receipts of deleted entries, and old actions on many tasks",
        cron: "50 3 * * *",
        work: Work::Prune(&[
            Prune {
                table: "cron_slots",
                over: "created_at < now() - make_interval(days => $1) AND outcome <> 'waiting'",
                bytes: "0",
                keep: Keep::Records,
            },
            Prune {
                table: "workers",
                over: "seen_at < now() - make_interval(days => $1)",
                bytes: "0",
                keep: Keep::Records,
            },
            // What an action that failed did not come to.
            Prune {
                table: "task_action_items",
                over: "EXISTS (SELECT 1 FROM task_actions a WHERE a.id = action_id AND a.status = 'failed' \
                       AND a.finished_at < now() - make_interval(days => $1))",
                bytes: "0",
                keep: Keep::Records,
            },
            Prune {
                table: "task_actions",
                over: "finished_at < now() - make_interval(days => $1) \
                       AND NOT EXISTS (SELECT 1 FROM task_action_items i WHERE i.action_id = task_actions.id)",
                bytes: "0",
                keep: Keep::Records,
            },
            // What is told in the morning is told since the last night that was told: that one stays.
            Prune {
                table: "sleeps",
                over: "woken_at < now() - make_interval(days => $1) AND NOT briefing_due
                       AND EXISTS (SELECT 1 FROM sleeps o
                                   WHERE o.agent_id = sleeps.agent_id AND o.began_at > sleeps.began_at
                                     AND o.briefed_at IS NOT NULL)",
                bytes: "0",
                keep: Keep::Records,
            },
            Prune {
                table: "system_checkpoints",
                over: "coalesce(removed_at, finished_at) < now() - make_interval(days => $1)
                       AND (status = 'failed' OR removed_at IS NOT NULL)",
                bytes: "0",
                keep: Keep::Records,
            },
            // What was given is deleted: nobody asks any more.
            Prune {
                table: "context_receipts",
                over: "$1 >= 0 AND NOT EXISTS (SELECT 1 FROM contexts c WHERE c.id = context_id)",
                bytes: "0",
                keep: Keep::Nothing,
            },
            // The oldest go first, so that the numbers of those that stay have no gaps.
            Prune {
                table: "system_events",
                over: "at < now() - make_interval(days => $1)
                       AND seq < (SELECT coalesce(min(o.seq), 9223372036854775807) FROM system_events o
                                  WHERE o.at >= now() - make_interval(days => $1))",
                bytes: "length(data::text)",
                keep: Keep::Records,
            },
            Prune {
                table: "housekeeping_orders",
                over: "created_at < now() - make_interval(days => $1)",
                bytes: "0",
                keep: Keep::Records,
            },
        ]),
    },
    Duty {
        name: "stale_intents",
        what: "closes model calls whose run is over and that were never answered",
        cron: "*/15 * * * *",
        work: Work::Calls,
    },
    Duty {
        name: "steps_retention",
        what: "drops weeks of the journal whose tasks have all ended long ago; the tasks and their results stay",
        cron: "20 3 * * *",
        work: Work::Journal,
    },
    Duty {
        name: WORKSPACES,
        what: "removes trees and mirrors of ended tasks on each host; what is not pushed is put into quarantine",
        cron: "*/30 * * * *",
        work: Work::Hosts,
    },
];

impl Duty {
    /// The duty of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        DUTIES.iter().find(|duty| duty.name == name)
    }

    /// True when each host does it for itself.
    #[must_use]
    pub const fn is_of_hosts(&self) -> bool {
        matches!(self.work, Work::Hosts)
    }

    /// True when `keep_days` means something to it.
    #[must_use]
    pub fn keeps_days(&self) -> bool {
        match &self.work {
            Work::Journal | Work::Nights => true,
            Work::Prune(prunes) => prunes.iter().any(|prune| !matches!(prune.keep, Keep::Nothing)),
            Work::WeeksAhead | Work::Calls | Work::Hosts => false,
        }
    }
}

impl Store {
    /// Does what an order asks for. Doing it twice, or at two places at once, does no harm.
    ///
    /// # Errors
    /// When Postgres refuses; what was removed until then stays removed, and the next order does the rest.
    pub async fn keep_house(&self, order: &Order, retention: &Retention) -> Result<Done> {
        let Some(duty) = Duty::named(&order.duty) else {
            return Ok(Done { report: serde_json::json!({ "unknown": order.duty }), ..Done::default() });
        };
        match &duty.work {
            Work::Prune(prunes) => self.prune(prunes, order, retention).await,
            Work::Journal => self.drop_weeks(order, order.keep_days.unwrap_or(retention.journal_days)).await,
            Work::Nights => self.prune_nights(order, order.keep_days.unwrap_or(retention.memory_days)).await,
            Work::WeeksAhead => self.make_weeks(order.dry_run).await,
            Work::Calls => self.close_calls(order.dry_run).await,
            Work::Hosts => Ok(Done::default()),
        }
    }
}
