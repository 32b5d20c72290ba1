//! A database with one agent, short ways to make and move tasks, and looks behind the store's door.

use std::time::Duration;

use hive_domain::{
    AgentDefinition, AgentId, ErrorClass, Lease, Limits, Outcome, ProjectId, StatusReason, TaskId,
    TaskStatus,
    journal::{Entry, Note, NoteCause, TaskResult},
    task::{AcceptanceCheck, DependencyPolicy, NewTask, Performer, Task},
};
use hive_local::testing::{TestDatabase, TestStores};
use hive_store::{Claimant, Config, Event, Look, MIGRATOR, NewAgent, NewStep, Room, Store};
use serde_json::Value;
use sqlx::PgPool;

pub(crate) const WORKER: &str = "worker-1";

pub(crate) struct Bed {
    pub(crate) store: Store,
    /// Behind the door: to move time, and to look at whole rows.
    pub(crate) pool: PgPool,
    pub(crate) agent: AgentId,
    pub(crate) database: TestDatabase,
}

impl Bed {
    pub(crate) async fn make() -> Self {
        let database = TestStores::get().database(&MIGRATOR).await.expect("a database");
        let store = connect(&database);
        let agent = new_agent("builder", "backend");
        store.create_agent(&agent).await.expect("an agent");
        Self { store, pool: database.pool().await.expect("a pool"), agent: agent.id, database }
    }

    /// A task for the agent with nothing but a title.
    pub(crate) fn new_task(&self) -> NewTask {
        let tests =
            AcceptanceCheck { name: "tests".to_owned(), command: "true".to_owned(), timeout_seconds: 1 };
        NewTask { acceptance: vec![tests], ..new_task(Performer::Agent(self.agent)) }
    }

    pub(crate) async fn enqueue(&self) -> TaskId {
        self.enqueue_with(|_| {}).await
    }

    pub(crate) async fn enqueue_with(&self, change: impl FnOnce(&mut NewTask)) -> TaskId {
        let mut new = self.new_task();
        change(&mut new);
        self.store.enqueue(&new).await.expect("the task is accepted").id
    }

    /// A task that waits for these.
    pub(crate) async fn enqueue_after(&self, parents: &[TaskId], policy: DependencyPolicy) -> TaskId {
        self.enqueue_with(|new| {
            new.dependencies = parents.to_vec();
            new.on_dependency_failure = policy;
        })
        .await
    }

    pub(crate) async fn task(&self, id: TaskId) -> Task {
        self.store.task(id).await.expect("the task exists")
    }

    /// Claims a ready task with its current epoch.
    pub(crate) async fn claim(&self, id: TaskId) -> Lease<Task> {
        let epoch = self.task(id).await.epoch;
        let lease =
            self.store.claim(id, epoch, &Claimant::ordinary(WORKER)).await.expect("the claim is answered");
        lease.expect("the task was ready")
    }

    /// Claims a ready suspect with its current epoch, as an isolated worker.
    pub(crate) async fn claim_isolated(&self, id: TaskId) -> Lease<Task> {
        let epoch = self.task(id).await.epoch;
        let lease = self.store.claim(id, epoch, &isolated()).await.expect("the claim is answered");
        lease.expect("the task was a ready suspect")
    }

    pub(crate) async fn append_note(&self, lease: &mut Lease<Task>, text: &str) {
        self.store.append(lease, &NewStep::plain(&note(text))).await.expect("the lease is held");
    }

    pub(crate) async fn settle(&self, id: TaskId, outcome: &Outcome) {
        let lease = self.claim(id).await;
        self.store.settle(&lease, outcome).await.expect("the lease is held");
    }

    pub(crate) async fn settle_with(&self, lease: &Lease<Task>, outcome: &Outcome) {
        self.store.settle(lease, outcome).await.expect("the lease is held");
    }

    pub(crate) async fn reconcile(&self) -> hive_store::Reconciled {
        self.store.reconcile(&look(1_000)).await.expect("the pass ends")
    }

    /// Lets an hour pass for this task: its lease, its time and its ticket grow old.
    pub(crate) async fn let_time_pass(&self, id: TaskId) {
        let moved = sqlx::query(
            "UPDATE tasks SET lease_until = lease_until - interval '1 hour', run_at = run_at - interval '1 hour',
                              announced_at = announced_at - interval '1 hour'
             WHERE id = $1",
        )
        .bind(id.uuid())
        .execute(&self.pool)
        .await
        .expect("time moves");
        assert_eq!(moved.rows_affected(), 1);
    }

    /// A try fails and the next one is due; the last one is the end.
    pub(crate) async fn fail_a_try(&self, id: TaskId) {
        self.settle(id, &outcome("retry")).await;
        if self.task(id).await.status == TaskStatus::Waiting {
            self.let_time_pass(id).await;
            self.store.reconcile(&look(0)).await.expect("the pass ends");
        }
    }

    /// The worker dies, and a pass without room for tickets notices.
    pub(crate) async fn orphan(&self, id: TaskId) {
        self.let_time_pass(id).await;
        let pass = self.store.reconcile(&look(0)).await.expect("the pass ends");
        assert!(pass.orphaned.contains(&id), "the lease had run out");
    }

    pub(crate) async fn events(&self, id: TaskId) -> Vec<Event> {
        self.store.events_after(id, 0, 10_000).await.expect("the events are read")
    }

    pub(crate) async fn event_kinds(&self, id: TaskId) -> Vec<String> {
        self.events(id).await.into_iter().map(|event| event.kind).collect()
    }

    /// Everything stored about a task: whole rows, as Postgres prints them.
    pub(crate) async fn rows(&self, id: TaskId) -> Value {
        sqlx::query_scalar(
            "SELECT jsonb_build_object(
                 'task', (SELECT to_jsonb(t) FROM tasks t WHERE t.id = $1),
                 -- As text: jsonb cannot hold every body that json can.
                 'steps', (SELECT jsonb_agg(s::text ORDER BY s.seq) FROM steps s WHERE s.task_id = $1),
                 'calls', (SELECT jsonb_agg(to_jsonb(c) ORDER BY c.id) FROM llm_calls c WHERE c.task_id = $1),
                 'events', (SELECT jsonb_agg(to_jsonb(e) ORDER BY e.seq) FROM events e WHERE e.task_id = $1),
                 'edges', (SELECT jsonb_agg(to_jsonb(d) ORDER BY d.task_id, d.depends_on) FROM task_dependencies d
                           WHERE $1 IN (d.task_id, d.depends_on)))",
        )
        .bind(id.uuid())
        .fetch_one(&self.pool)
        .await
        .expect("the rows are read")
    }

    /// One yes-or-no question about a task's row, answered by the database with its own clock.
    pub(crate) async fn row_holds(&self, id: TaskId, condition: &str) -> bool {
        sqlx::query_scalar(&format!("SELECT coalesce(({condition}), false) FROM tasks WHERE id = $1"))
            .bind(id.uuid())
            .fetch_one(&self.pool)
            .await
            .expect("the condition is SQL")
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.expect("a number")
    }

    pub(crate) async fn execute(&self, sql: &str) {
        sqlx::raw_sql(sql).execute(&self.pool).await.expect("the statement runs");
    }

    pub(crate) async fn assert_stands(&self, id: TaskId, status: TaskStatus, reason: Option<StatusReason>) {
        let task = self.task(id).await;
        assert_eq!((task.status, task.reason), (status, reason), "{:?}", self.event_kinds(id).await);
    }
}

pub(crate) fn connect(database: &TestDatabase) -> Store {
    // Tests crowd a pool more than a process does, on a machine that has other things to do.
    let config = Config { acquire_timeout: Duration::from_secs(30), ..Config::new(database.url.clone()) };
    Store::connect_lazy(&config).expect("the URL is one")
}

pub(crate) fn new_agent(name: &str, kind: &str) -> NewAgent {
    NewAgent {
        id: AgentId::new(),
        project: ProjectId::DEFAULT,
        name: name.to_owned(),
        kind: kind.to_owned(),
        definition: definition("Builds things."),
    }
}

pub(crate) fn definition(role: &str) -> AgentDefinition {
    AgentDefinition {
        role: role.to_owned(),
        system_prompt: "You build.".to_owned(),
        model: "work".to_owned(),
        fallback_models: Vec::new(),
        tools: vec!["shell".to_owned(), "finish".to_owned()],
        capabilities: vec!["rust".to_owned()],
        limits: Limits::default(),
    }
}

/// A worker for suspects.
pub(crate) fn isolated() -> Claimant {
    Claimant { name: "isolated-1".into(), isolated: true }
}

pub(crate) fn note(text: &str) -> Entry {
    Entry::Note(Note { cause: NoteCause::Empty, text: text.to_owned() })
}

/// Every kind of outcome by name, each with a minute of patience where it has one.
pub(crate) fn outcomes() -> [(&'static str, Outcome); 6] {
    let after = Duration::from_secs(60);
    let detail = || "a sentence".to_owned();
    [
        ("done", Outcome::Done(TaskResult { summary: "it is done".to_owned(), ..TaskResult::default() })),
        ("wait", Outcome::Wait { after, reason: StatusReason::RateLimited, detail: detail() }),
        ("retry", Outcome::Retry { after, class: ErrorClass::Repository, detail: detail() }),
        ("yield", Outcome::Yield),
        ("halt", Outcome::Halt),
        (
            "fail",
            Outcome::Fail {
                reason: StatusReason::VerificationFailed,
                detail: detail(),
                partial: Box::new(TaskResult { summary: "half of it".to_owned(), ..TaskResult::default() }),
            },
        ),
    ]
}

pub(crate) fn outcome(name: &str) -> Outcome {
    let found = outcomes().into_iter().find(|(known, _)| *known == name);
    found.expect("the outcome has this name").1
}

/// A pass over one wide lane that takes this many tickets, in which an hour does not age a task.
pub(crate) fn look(places: i64) -> Look {
    let rooms = vec![Room { from: 1, to: 9, places }];
    Look { rooms, heads: places > 0, isolated: places, ageing: Duration::from_secs(24 * 3600) }
}

/// Asks until it holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "it never came: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A task with nothing but a title and somebody who does it.
pub(crate) fn new_task(performer: Performer) -> NewTask {
    NewTask::titled("a task", performer, "a test")
}
