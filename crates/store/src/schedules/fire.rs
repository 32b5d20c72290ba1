//! A slot and what it makes, in one transaction. Any number of schedulers may try: the row's lock lets one of them at a
//! time, and the key of the slot makes it fire once.

use chrono::{DateTime, Utc};
use hive_domain::{
    CatchUp, Overlap, ScheduleId, SleepTrigger, SlotOutcome, TaskId,
    schedule::{dropped, due},
    task::{NewTask, Task},
};
use sqlx::{Acquire, Postgres, Transaction};
use uuid::Uuid;

use super::{Makes, Row, Schedule, Slot, missing, select_schedules};
use crate::{
    error::{Error, Result},
    housekeeping::place_order,
    pool::Store,
    sleeps,
    tasks::enqueue,
};

/// Slots of one transaction at most; the rest comes with the next tick.
const PORTION: usize = 25;
/// Slots of one schedule of which each has a row: of more that are dropped at once the oldest leave none.
pub(crate) const NOTED: usize = 100;

/// A schedule whose time has come.
#[derive(Clone, Debug)]
pub struct DueSchedule {
    /// Its id.
    pub id: ScheduleId,
    /// Address and base of the repository that its task works on, to be looked up before it fires.
    pub repository: Option<(String, String)>,
}

/// What firing a schedule brought.
#[derive(Clone, Debug, Default)]
pub struct Fired {
    /// The tasks that were made.
    pub tasks: Vec<Task>,
    /// How late each slot that fired was, in seconds.
    pub lags: Vec<f64>,
    /// Slots that did not fire, since the task of an earlier one runs.
    pub skipped: usize,
    /// Slots whose task was refused.
    pub refused: usize,
    /// Slots that were dropped, since nobody was there at their time; the last of them, when they are many.
    pub missed: usize,
}

/// A schedule that is held by its row's lock.
struct Firing<'a, 'c> {
    store: &'a Store,
    tx: &'a mut Transaction<'c, Postgres>,
    schedule: Schedule,
    base_commit: Option<&'a str>,
    fired: Fired,
    last_task: Option<Uuid>,
    last_order: Option<Uuid>,
    error: Option<String>,
}

/// The last slot that fired, and the next one.
type LastAndNext = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

impl Store {
    /// Schedules with a slot that is due, or with one that waited for a task that has now ended; longest due first.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn due_schedules(&self, limit: i64) -> Result<Vec<DueSchedule>> {
        let rows = sqlx::query!(
            r#"SELECT s.id AS "id!", s.task->'repository'->>'url' AS url, s.task->'repository'->>'base_ref' AS base_ref
               FROM (SELECT id, next_slot FROM schedules WHERE enabled AND next_slot <= now()
                     UNION
                     SELECT s.id, w.slot FROM cron_slots w JOIN schedules s ON s.id = w.schedule_id
                     LEFT JOIN tasks t ON t.id = s.last_task_id
                     WHERE w.outcome = 'waiting' AND s.enabled
                       AND (s.last_task_id IS NULL OR t.completed_at IS NOT NULL)) AS due
               JOIN schedules s USING (id)
               ORDER BY due.next_slot LIMIT $1"#,
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| DueSchedule { id: row.id.into(), repository: row.url.zip(row.base_ref) })
            .collect())
    }

    /// Does the slots of a schedule that are due now, by the database's clock, with what they make. Nothing when
    /// another scheduler is at it. `base_commit` is what the base of its repository names now.
    ///
    /// # Errors
    /// When Postgres refuses or takes longer than 2 s: nothing has happened, and the slots are still due.
    pub async fn fire(&self, id: ScheduleId, base_commit: Option<&str>) -> Result<Fired> {
        let mut tx = self.begin_briefly().await?;
        let row = select_schedules!("WHERE id = $1 AND enabled FOR NO KEY UPDATE SKIP LOCKED", id.uuid())
            .fetch_optional(&mut *tx)
            .await?;
        let Some(row) = row else { return Ok(Fired::default()) };
        let work = async {
            let mut firing = Firing::of(self, &mut tx, row, base_commit).await?;
            firing.do_due().await?;
            Ok(firing.fired)
        };
        match work.await {
            Ok(fired) => {
                tx.commit().await?;
                Ok(fired)
            }
            Err(error) => {
                // Not left to the drop, which is done some time later: why it failed is noted in the row that it holds.
                tx.rollback().await.ok();
                Err(error)
            }
        }
    }

    /// Fires a schedule now, whatever its slots, its overlap policy and whether it is enabled.
    ///
    /// # Errors
    /// [`Error::NotFound`]; what the task's own acceptance would say.
    pub async fn fire_now(&self, id: ScheduleId, base_commit: Option<&str>) -> Result<(Slot, Option<Task>)> {
        let mut tx = self.begin_briefly().await?;
        let row =
            select_schedules!("WHERE id = $1 FOR NO KEY UPDATE", id.uuid()).fetch_optional(&mut *tx).await?;
        let mut firing = Firing::of(self, &mut tx, row.ok_or_else(|| missing(id))?, base_commit).await?;
        let now =
            sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#).fetch_one(&mut **firing.tx).await?;
        // It stands beside the slots: while what the last of them made goes on, the next one meets that.
        let goes_on = firing.is_busy().await?.then_some((firing.last_task, firing.last_order));
        firing.note(now, SlotOutcome::Fired, true).await?;
        let made = firing.make(now).await?;
        if let Some(goes_on) = goes_on {
            (firing.last_task, firing.last_order) = goes_on;
        }
        firing.end(None).await?;
        let task = firing.fired.tasks.pop();
        tx.commit().await?;
        made?;
        let slot = self.slots(id, 1).await?.into_iter().next();
        Ok((slot.ok_or_else(|| missing(id))?, task))
    }

    /// Notes why a schedule could not fire; its slots stay due.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn schedule_failed(&self, id: ScheduleId, error: &str) -> Result<()> {
        sqlx::query!(
            "UPDATE schedules SET last_error = $2
             WHERE id = (SELECT id FROM schedules WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED)",
            id.uuid(),
            &*crate::text::storable(error),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// A transaction that a hung neighbour or a frozen process holds up for 2 s at most.
    async fn begin_briefly(&self) -> Result<Transaction<'static, Postgres>> {
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "SELECT set_config('statement_timeout', '2000', true) AS statement,
                    set_config('lock_timeout', '1500', true) AS lock,
                    set_config('idle_in_transaction_session_timeout', '2000', true) AS idle"
        )
        .fetch_one(&mut *tx)
        .await?;
        Ok(tx)
    }
}

impl<'a, 'c> Firing<'a, 'c> {
    async fn of(
        store: &'a Store,
        tx: &'a mut Transaction<'c, Postgres>,
        row: Row,
        base_commit: Option<&'a str>,
    ) -> Result<Self> {
        let schedule = Schedule::try_from(row)?;
        let last = sqlx::query!(
            "SELECT last_task_id, last_order_id FROM schedules WHERE id = $1",
            schedule.id.uuid()
        )
        .fetch_one(&mut **tx)
        .await?;
        let (last_task, last_order) = (last.last_task_id, last.last_order_id);
        let fired = Fired::default();
        Ok(Self { store, tx, schedule, base_commit, fired, last_task, last_order, error: None })
    }

    async fn do_due(&mut self) -> Result<()> {
        let plan = &self.schedule.plan;
        let (cadence, overlap, catch_up, now) =
            (plan.cadence()?, plan.overlap, plan.catch_up, self.schedule.now);
        let bound = usize::try_from(plan.catch_up_limit).unwrap_or(1);
        let mut slots = match self.schedule.next_slot {
            Some(next) => due(&cadence, catch_up, bound, next, now),
            None => Vec::new(),
        };
        if let Some(next) = self.schedule.next_slot {
            let missed = dropped(&cadence, &slots, next, now, NOTED);
            self.note_missed(&missed).await?;
        }
        let mut next = cadence.after(now);
        if slots.len() > PORTION && catch_up == CatchUp::All {
            next = Some(slots[PORTION]);
            slots.truncate(PORTION);
        }
        let mut busy = overlap != Overlap::Allow && self.is_busy().await?;
        let mut waiting = self.waiting().await?;
        if let Some(slot) = waiting
            && !busy
        {
            sqlx::query!(
                "UPDATE cron_slots SET outcome = 'fired', fired_at = clock_timestamp()
                 WHERE schedule_id = $1 AND slot = $2",
                self.schedule.id.uuid(),
                slot,
            )
            .execute(&mut **self.tx)
            .await?;
            waiting = None;
            busy = self.make(slot).await?.is_ok() && overlap != Overlap::Allow;
        }
        for slot in &slots {
            if !busy {
                if self.note(*slot, SlotOutcome::Fired, false).await? {
                    busy = self.make(*slot).await?.is_ok() && overlap != Overlap::Allow;
                }
            } else if overlap == Overlap::Queue && waiting.is_none() {
                self.note(*slot, SlotOutcome::Waiting, false).await?;
                waiting = Some(*slot);
            } else {
                self.note(*slot, SlotOutcome::Skipped, false).await?;
                self.fired.skipped += 1;
            }
        }
        self.end(Some((slots.last().copied(), next))).await
    }

    /// True while what the last slot made has not ended. An order that nobody took in an hour counts as ended.
    async fn is_busy(&mut self) -> Result<bool> {
        let busy = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT 1 FROM tasks WHERE id = $1 AND completed_at IS NULL)
                   OR EXISTS (SELECT 1 FROM housekeeping_orders o
                              WHERE o.id = $2 AND o.created_at > now() - interval '1 hour'
                                AND NOT EXISTS (SELECT 1 FROM housekeeping_runs r
                                                WHERE r.order_id = o.id AND r.state <> 'running')) AS "busy!""#,
            self.last_task,
            self.last_order,
        );
        Ok(busy.fetch_one(&mut **self.tx).await?)
    }

    async fn waiting(&mut self) -> Result<Option<DateTime<Utc>>> {
        let waiting = sqlx::query_scalar!(
            "SELECT slot FROM cron_slots WHERE schedule_id = $1 AND outcome = 'waiting'",
            self.schedule.id.uuid(),
        );
        Ok(waiting.fetch_optional(&mut **self.tx).await?)
    }

    /// Takes a slot. False when it was taken before.
    async fn note(&mut self, slot: DateTime<Utc>, outcome: SlotOutcome, manual: bool) -> Result<bool> {
        let noted = sqlx::query!(
            "INSERT INTO cron_slots (schedule_id, slot, manual, outcome, fired_at)
             VALUES ($1, $2, $3, $4::text::slot_outcome, CASE WHEN $4::text = 'fired' THEN clock_timestamp() END)
             ON CONFLICT DO NOTHING",
            self.schedule.id.uuid(),
            slot,
            manual,
            outcome.as_str(),
        )
        .execute(&mut **self.tx)
        .await?;
        Ok(noted.rows_affected() == 1)
    }

    /// Says of slots that the catch-up policy drops that it did.
    async fn note_missed(&mut self, slots: &[DateTime<Utc>]) -> Result<()> {
        if slots.is_empty() {
            return Ok(());
        }
        let noted = sqlx::query!(
            "INSERT INTO cron_slots (schedule_id, slot, outcome)
             SELECT $1, slot, 'missed' FROM unnest($2::timestamptz[]) AS slot ON CONFLICT DO NOTHING",
            self.schedule.id.uuid(),
            slots,
        )
        .execute(&mut **self.tx)
        .await?;
        self.fired.missed += usize::try_from(noted.rows_affected()).unwrap_or(usize::MAX);
        Ok(())
    }

    /// Makes what the schedule makes, for a slot that was taken. The inner error says that it was refused, and the slot
    /// then says so too.
    async fn make(&mut self, slot: DateTime<Utc>) -> Result<Result<()>> {
        let (id, actor) = (self.schedule.id.uuid(), format!("schedule {}", self.schedule.plan.name));
        let made: Result<Made> = match &self.schedule.plan.makes {
            Makes::Duty(duty, options) => place_order(self.tx, duty, options, &actor).await.map(Made::Order),
            Makes::Sleep(whom) => match sleeps::begin::begin(self.tx, whom, SleepTrigger::Cron, &actor).await
            {
                Ok(put) if put.begun.is_empty() && put.already.is_empty() => Err(Error::Conflict {
                    code: "nobody_sleeps",
                    message: "every agent that is meant has work that cannot wait, or is inactive".to_owned(),
                }),
                Ok(_) => Ok(Made::Night),
                Err(error) => Err(error),
            },
            Makes::Task(template) => {
                let mut new = NewTask { id: TaskId::new(), created_by: actor, ..(**template).clone() };
                if let (Some(repository), Some(commit)) = (&mut new.repository, self.base_commit) {
                    commit.clone_into(&mut repository.base_commit);
                }
                self.enqueue(&new).await?.map(|task| Made::Task(Box::new(task)))
            }
        };
        let (task, order) = match made {
            Ok(Made::Task(task)) => {
                let id = task.id.uuid();
                self.fired.tasks.push(*task);
                (Some(id), None)
            }
            Ok(Made::Order(order)) => (None, Some(order)),
            Ok(Made::Night) => (None, None),
            Err(error) => {
                self.fired.refused += 1;
                let detail = error.to_string();
                sqlx::query!(
                    "UPDATE cron_slots SET outcome = 'refused', detail = $3, fired_at = NULL
                     WHERE schedule_id = $1 AND slot = $2",
                    id,
                    slot,
                    detail,
                )
                .execute(&mut **self.tx)
                .await?;
                self.error = Some(detail);
                return Ok(Err(error));
            }
        };
        let lag = sqlx::query_scalar!(
            r#"UPDATE cron_slots SET task_id = $3, order_id = $4 WHERE schedule_id = $1 AND slot = $2
               RETURNING extract(epoch FROM fired_at - slot)::double precision AS "lag!""#,
            id,
            slot,
            task,
            order,
        )
        .fetch_one(&mut **self.tx)
        .await?;
        self.fired.lags.push(lag);
        (self.last_task, self.last_order) = (task, order);
        Ok(Ok(()))
    }

    /// The task itself, in a part of the transaction that can be given up. The outer error is Postgres', the inner one
    /// the task's.
    async fn enqueue(&mut self, new: &NewTask) -> Result<Result<Task>> {
        let mut part = self.tx.begin().await?;
        match enqueue::insert(&mut part, new).await {
            Ok(task) => {
                part.commit().await?;
                Ok(Ok(task))
            }
            Err(Error::Database(error)) => {
                part.rollback().await?;
                match self.store.refused(error, new).await {
                    error @ Error::Database(_) => Err(error),
                    refusal => Ok(Err(refusal)),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Writes down where the schedule stands: the last slot it was at, and the next.
    async fn end(&mut self, slots: Option<LastAndNext>) -> Result<()> {
        let (last, next) = slots.unwrap_or((None, self.schedule.next_slot));
        sqlx::query!(
            "UPDATE schedules
             SET last_slot = coalesce($2, last_slot), next_slot = $3, last_task_id = $4, last_order_id = $5,
                 last_error = $6
             WHERE id = $1",
            self.schedule.id.uuid(),
            last,
            next,
            self.last_task,
            self.last_order,
            self.error,
        )
        .execute(&mut **self.tx)
        .await?;
        Ok(())
    }
}

/// What a slot made.
enum Made {
    Task(Box<Task>),
    Order(Uuid),
    Night,
}
