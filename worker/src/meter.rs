//! What is counted of leases, runs and their ends.

use std::time::Duration;

use hive_domain::{Lease, Outcome, StatusReason, TaskStatus, task::Task};
use hive_queue::Lane;
use hive_sandbox::Level;
use hive_telemetry::metrics::{Description, describe};

const METRICS: [Description; 20] = [
    Description::gauge("hive_worker_slots", "Tasks that this worker can run at the same time"),
    Description::gauge("hive_worker_running", "Tasks that this worker holds a lease of"),
    Description::gauge(
        "hive_sandbox_info",
        "1; the label says which walls stand around commands of this worker",
    ),
    Description::counter(
        "hive_tickets_stale_total",
        "Tickets whose task was not there to be claimed any more",
    ),
    Description::counter(
        "hive_polled_claims_total",
        "Tasks claimed without a ticket, while none or very many came",
    ),
    Description::histogram("hive_claim_seconds", "How long Postgres took to grant a claim"),
    Description::histogram(
        "hive_task_wait_seconds",
        "From a task being ready to its first claim, by lane, by the clock of the database; tasks that wait for others \
         are left out",
    ),
    Description::histogram("hive_run_seconds", "How long runs took from claim to settlement"),
    Description::histogram("hive_settle_seconds", "How long Postgres took to settle a run, outages included"),
    Description::counter(
        "hive_tasks_settled_total",
        "Runs that were settled, by what the task became and why",
    ),
    Description::gauge(
        "hive_model_findings",
        "Places that name a model which does not stand well, by how it stands: ending, vanished, retired, unpriced, unknown",
    ),
    Description::counter(
        "hive_model_lists_total",
        "Times that this worker asked the service for its models, by outcome",
    ),
    Description::counter(
        "hive_batches_total",
        "Batches of this worker, by what happened: created, adopted, ended, unsent, lost",
    ),
    Description::counter(
        "hive_nights_total",
        "Nights that this worker brought to their end, by how they ended",
    ),
    Description::counter(
        "hive_checkpoints_total",
        "Checkpoints of the whole system that this worker made, by how they ended: done, failed",
    ),
    Description::histogram("hive_checkpoint_seconds", "How long a checkpoint of the whole system took"),
    Description::gauge("hive_checkpoint_bytes", "The size of the checkpoint that this worker made last"),
    Description::gauge(
        "hive_checkpoint_last_success_timestamp",
        "When this worker last made a checkpoint, in seconds since 1970",
    ),
    Description::counter(
        "hive_leases_lost_total",
        "Runs that were stopped because their lease was lost or the task cancelled",
    ),
    Description::counter(
        "hive_claims_handed_back_total",
        "Claims whose answer got lost, so that their tasks were handed back without a run",
    ),
];

/// Once, after the recorder is there.
pub(crate) fn describe_all() {
    describe(&METRICS);
    describe(&hive_agent::METRICS);
    hive_queue::describe_metrics();
    hive_store::describe_metrics();
    // From the start, so that the first one is a rise.
    metrics::counter!("hive_leases_lost_total").absolute(0);
    metrics::counter!("hive_tickets_stale_total").absolute(0);
    running(0);
}

pub(crate) fn slots(count: u16) {
    metrics::gauge!("hive_worker_slots").set(f64::from(count));
}

pub(crate) fn running(count: usize) {
    metrics::gauge!("hive_worker_running").set(count as f64);
}

pub(crate) fn sandbox(level: &Level) {
    metrics::gauge!("hive_sandbox_info", "level" => level.to_string()).set(1.0);
}

pub(crate) fn model_findings(standing: &'static str, count: usize) {
    metrics::gauge!("hive_model_findings", "standing" => standing).set(count as f64);
}

pub(crate) fn models_listed(is_listed: bool) {
    let outcome = if is_listed { "ok" } else { "failed" };
    metrics::counter!("hive_model_lists_total", "outcome" => outcome).increment(1);
}

/// A night that came to its end.
pub(crate) fn night(state: &str) {
    metrics::counter!("hive_nights_total", "state" => state.to_owned()).increment(1);
}

/// A checkpoint that came to its end.
pub(crate) fn checkpoint(outcome: &'static str) {
    metrics::counter!("hive_checkpoints_total", "outcome" => outcome).increment(1);
}

pub(crate) fn checkpoint_made(took: Duration, bytes: i64, at: i64) {
    metrics::histogram!("hive_checkpoint_seconds").record(took.as_secs_f64());
    metrics::gauge!("hive_checkpoint_bytes").set(bytes as f64);
    metrics::gauge!("hive_checkpoint_last_success_timestamp").set(at as f64);
}

pub(crate) fn batch(event: &'static str) {
    metrics::counter!("hive_batches_total", "event" => event).increment(1);
}

pub(crate) fn stale() {
    metrics::counter!("hive_tickets_stale_total").increment(1);
}

pub(crate) fn polled(tasks: usize) {
    metrics::counter!("hive_polled_claims_total").increment(tasks as u64);
}

pub(crate) fn lease_lost() {
    metrics::counter!("hive_leases_lost_total").increment(1);
}

pub(crate) fn strays(tasks: usize) {
    metrics::counter!("hive_claims_handed_back_total").increment(tasks as u64);
}

pub(crate) fn claim(took: Duration) {
    metrics::histogram!("hive_claim_seconds").record(took.as_secs_f64());
}

pub(crate) fn waited(lease: &Lease<Task>) {
    let task = &lease.leased;
    // Both times are the database's. A task that waits for others is ready later than any time in its row says.
    if lease.epoch() == 1
        && task.dependencies.is_empty()
        && let Some(started) = task.started_at
    {
        let waited = (started - task.run_at.max(task.created_at)).to_std().unwrap_or_default();
        let lane = Lane::from_priority(task.priority.into());
        metrics::histogram!("hive_task_wait_seconds", "lane" => lane.as_str()).record(waited.as_secs_f64());
    }
}

pub(crate) fn ran(took: Duration) {
    metrics::histogram!("hive_run_seconds").record(took.as_secs_f64());
}

pub(crate) fn settled(outcome: &Outcome, status: TaskStatus, took: Duration) {
    metrics::histogram!("hive_settle_seconds").record(took.as_secs_f64());
    let reason = match (outcome, status) {
        (_, TaskStatus::Dead) => StatusReason::AttemptsExhausted.as_str(),
        (Outcome::Done(_), _) => "",
        (Outcome::Wait { reason, .. } | Outcome::Fail { reason, .. }, _) => reason.as_str(),
        (Outcome::Retry { .. }, _) => StatusReason::Retry.as_str(),
        (Outcome::Yield, _) => StatusReason::Drained.as_str(),
        (Outcome::Halt, _) => StatusReason::Paused.as_str(),
    };
    metrics::counter!("hive_tasks_settled_total", "status" => status.as_str(), "reason" => reason)
        .increment(1);
}
