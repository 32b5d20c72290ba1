//! What the store counts.

use hive_domain::Audience;
use metrics::{describe_counter, describe_histogram};

use crate::conversations::Swept;

/// Registers the meaning of every counter of this crate. Meant to be called once, after a recorder is installed.
pub fn describe_metrics() {
    describe_counter!("hive_tasks_created_total", "Tasks accepted into Postgres");
    describe_counter!("hive_messages_sent_total", "Messages between agents that were accepted, by audience");
    describe_counter!("hive_messages_deliveries_total", "Deliveries that they were accepted for");
    describe_counter!(
        "hive_messages_acknowledged_total",
        "Deliveries that arrived: in the journal of a task, or by the word of a receiver"
    );
    describe_counter!("hive_messages_redelivered_total", "Deliveries that go on their way again");
    describe_counter!("hive_messages_dead_total", "Deliveries whose tries were used up");
    describe_counter!(
        "hive_messages_breakers_opened_total",
        "Times that a receiver failed so often that nobody may write to it for a while"
    );
    describe_histogram!(
        "hive_group_size",
        "Claims, steps and ends that were written in one statement together"
    );
}

pub(crate) fn created(tasks: u64) {
    metrics::counter!("hive_tasks_created_total").increment(tasks);
}

pub(crate) fn sent(audience: Audience, receivers: usize) {
    metrics::counter!("hive_messages_sent_total", "audience" => audience.as_str()).increment(1);
    metrics::counter!("hive_messages_deliveries_total").increment(receivers as u64);
}

/// `by`: a task or a receiver.
pub(crate) fn acknowledged(by: &'static str, deliveries: usize) {
    metrics::counter!("hive_messages_acknowledged_total", "by" => by).increment(deliveries as u64);
}

/// Also when nothing was found: a counter that begins at zero shows its first rise.
pub(crate) fn swept(swept: &Swept) {
    metrics::counter!("hive_messages_redelivered_total").increment(swept.again as u64);
    metrics::counter!("hive_messages_dead_total").increment(swept.dead.len() as u64);
    metrics::counter!("hive_messages_breakers_opened_total").increment(swept.opened.len() as u64);
}
