//! `POST /api/v1/tasks/bulk`

use std::{collections::HashMap, sync::Arc};

use axum::{extract::State, http::StatusCode, response::Response};
use hive_domain::{
    TaskId,
    cycle::find_cycle,
    task::{NewTask, Repository, Task},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::submission::{Base, Refs, Submission};
use crate::{
    app::App,
    error::{ApiError, Result, circle},
    faults::Faults,
    idempotency::{self, Keyed, Turn},
};

/// Tasks of one body.
const MAX_TASKS: usize = 1_000;
/// Bytes of one body.
const MAX_BYTES: usize = 8 << 20;
/// Bases that are looked up for one body: each is a call of git, and all of them must end before the request does.
const MAX_BASES: usize = 20;
/// Faults that are named at once; a caller who has that many mends one and sees the others.
const MAX_FAULTS: usize = 100;

/// Tasks to be accepted together.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTasks {
    /// 1 to 1,000. They may name each other in `dependencies` by their `ref`.
    #[schema(min_items = 1, max_items = 1000)]
    #[serde(deserialize_with = "crate::body::object::each")]
    tasks: Vec<Submission>,
}

/// Tasks that were accepted together.
#[derive(Debug, Serialize, ToSchema)]
pub struct AcceptedTasks {
    /// In the order of the request.
    items: Vec<AcceptedTask>,
}

/// One of them.
#[derive(Debug, Serialize, ToSchema)]
struct AcceptedTask {
    /// Its id.
    id: Uuid,
    /// What the request called it.
    #[serde(rename = "ref")]
    reference: Option<String>,
    /// Where it stands.
    status: String,
}

/// Accepts up to 1,000 tasks, all or none. A body has at most 8 MiB.
#[utoipa::path(
    post,
    path = "/api/v1/tasks/bulk",
    operation_id = "create_tasks",
    tag = "tasks",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes it safe to send again for 48 hours.")),
    request_body = NewTasks,
    responses((status = 201, body = AcceptedTasks, description = "All accepted and stored."))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Keyed { body, key, .. }: Keyed<NewTasks, MAX_BYTES>,
) -> Result<Response> {
    let Batch { references, mut new, bases } = Batch::check(body)?;
    // All or none: the least urgent decides.
    if let Some(priority) = new.iter().map(|new| new.priority).max()
        && let Some(answer) = idempotency::admitted(&app, key.as_ref(), priority).await?
    {
        return Ok(answer);
    }
    if bases.iter().any(Option::is_some) {
        if let Some(answer) = idempotency::earlier(&app, key.as_ref()).await? {
            return Ok(answer);
        }
        look_up(&app, &mut new, bases).await?;
    }
    app.store.share_limits(&new.iter().filter_map(|new| new.parent).collect::<Vec<_>>()).await?;
    let mut once = match idempotency::begin(&app, key.as_ref()).await? {
        Turn::Ours(once) => once,
        Turn::Over(answer) => return Ok(answer),
    };
    let tasks = once.enqueue_many(&new).await?;
    let view = AcceptedTasks { items: tasks.iter().zip(references).map(shown).collect() };
    let answer = idempotency::finish(once, StatusCode::CREATED, None, &view).await?;
    app.announce_all(&tasks).await;
    Ok(answer)
}

fn shown((task, reference): (&Task, Option<String>)) -> AcceptedTask {
    AcceptedTask { id: task.id.uuid(), reference, status: task.status.to_string() }
}

/// Everything of a body that needed no store.
struct Batch {
    references: Vec<Option<String>>,
    new: Vec<NewTask>,
    bases: Vec<Option<Base>>,
}

impl Batch {
    fn check(body: NewTasks) -> Result<Self> {
        let mut faults = Faults::default();
        faults.demand(!body.tasks.is_empty(), "/tasks", "must not be empty");
        faults.demand_count(body.tasks.len(), MAX_TASKS, "/tasks");
        faults.finish()?;
        let mut faults = Faults::default();
        let ids: Vec<TaskId> = body.tasks.iter().map(|_| TaskId::new()).collect();
        let references: Vec<Option<String>> =
            body.tasks.iter().map(|task| task.reference().map(str::to_owned)).collect();
        let refs = name(&references, &ids, &mut faults);
        let (mut new, mut bases) = (Vec::with_capacity(ids.len()), Vec::with_capacity(ids.len()));
        for (index, (task, id)) in body.tasks.into_iter().zip(&ids).enumerate() {
            faults.within(format!("/tasks/{index}"));
            let (task, base) = task.check_as(*id, &refs, &mut faults);
            new.push(task);
            bases.push(base);
            if faults.count() >= MAX_FAULTS {
                break;
            }
        }
        faults.finish()?;
        refuse_circles(&new, &references)?;
        Ok(Self { references, new, bases })
    }
}

/// The tasks by their refs.
fn name(references: &[Option<String>], ids: &[TaskId], faults: &mut Faults) -> Refs {
    let mut refs = Refs::new();
    for (index, (reference, id)) in references.iter().zip(ids).enumerate() {
        let Some(reference) = reference else { continue };
        faults.within(format!("/tasks/{index}"));
        faults.demand_text(reference, 100, "/ref");
        faults.demand(reference.parse::<Uuid>().is_err(), "/ref", "must not look like the id of a task");
        if refs.insert(reference.clone(), *id).is_some() {
            faults.refuse("/ref", format!("{reference:?} is the ref of another task of this body"));
        }
    }
    refs
}

/// Tasks of one body wait for each other or for older ones; only among themselves can they wait in a circle.
fn refuse_circles(new: &[NewTask], references: &[Option<String>]) -> Result<()> {
    let places: HashMap<TaskId, usize> =
        new.iter().enumerate().map(|(place, task)| (task.id, place)).collect();
    let waits_for: Vec<Vec<usize>> = new
        .iter()
        .map(|task| task.dependencies.iter().filter_map(|id| places.get(id).copied()).collect())
        .collect();
    let Some(cycle) = find_cycle(&waits_for) else { return Ok(()) };
    let first = cycle.first().copied().unwrap_or_default();
    let members: Vec<String> =
        cycle.iter().map(|place| references[*place].clone().unwrap_or_else(|| place.to_string())).collect();
    let detail = format!("these tasks would wait for each other: {}", circle(&members));
    Err(ApiError::field(format!("/tasks/{first}/dependencies"), detail).with_cycle(members))
}

/// Looks up each base once, however many tasks name it.
async fn look_up(app: &App, new: &mut [NewTask], bases: Vec<Option<Base>>) -> Result<()> {
    let mut known: HashMap<(String, Option<String>), Repository> = HashMap::new();
    for (index, (task, base)) in new.iter_mut().zip(bases).enumerate() {
        let Some(Base { url, base_ref }) = base else { continue };
        let named = (url, base_ref);
        if !known.contains_key(&named) {
            if known.len() >= MAX_BASES {
                let detail = format!("one body names at most {MAX_BASES} different repositories and refs");
                return Err(ApiError::field(format!("/tasks/{index}/repository"), detail));
            }
            let found = app.bases.look_up(&named.0, named.1.as_deref()).await;
            known.insert(named.clone(), found.map_err(|error| error.within(&format!("/tasks/{index}")))?);
        }
        task.repository = known.get(&named).cloned();
    }
    Ok(())
}
