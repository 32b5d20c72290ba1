//! Who receives a message, and whether their inboxes take it.

use std::collections::HashMap;

use hive_domain::{AgentId, ProjectId, conversation::MOST_OPEN};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Receivers, RefusedReceiver};
use crate::error::{Error, Result};

/// Agents that one message is sent to at most.
const MOST_RECEIVERS: i64 = 1_000;
/// Names that are told to a sender who named nobody.
const NAMES: i64 = 20;

/// Agents that receive a message.
pub(super) struct Chosen {
    /// In the order of their ids.
    pub agents: Vec<Uuid>,
    /// The one of a direct message.
    pub direct: Option<Uuid>,
    /// It is for a person.
    pub to_person: bool,
}

/// Finds the agents.
pub(super) async fn choose(
    connection: &mut PgConnection,
    project: ProjectId,
    to: &Receivers,
    author: Option<Uuid>,
    sender: Option<Uuid>,
) -> Result<Chosen> {
    let one = |id: Uuid| Chosen { agents: vec![id], direct: Some(id), to_person: false };
    let ids: Vec<Uuid> = match to {
        Receivers::Author => match author {
            Some(author) => return active(connection, project, author, sender).await.map(one),
            // A person has no inbox, and reads the conversation.
            None => return Ok(Chosen { agents: Vec::new(), direct: None, to_person: true }),
        },
        Receivers::Agent(id) => return active(connection, project, id.uuid(), sender).await.map(one),
        Receivers::Called(name) => {
            let id = called(connection, project, name).await?;
            return active(connection, project, id, sender).await.map(one);
        }
        Receivers::Agents(ids) => ids.iter().map(|id| id.uuid()).collect(),
        Receivers::Kind(_) | Receivers::Session(_) | Receivers::All => Vec::new(),
    };
    let (kind, session, all) = match to {
        Receivers::Kind(kind) => (Some(kind.as_str()), None, false),
        Receivers::Session(id) => (None, Some(id.uuid()), false),
        Receivers::All => (None, None, true),
        _ => (None, None, false),
    };
    let agents = sqlx::query_scalar!(
        "SELECT a.id FROM agents a
         WHERE a.project_id = $1 AND a.status = 'active' AND a.id IS DISTINCT FROM $6
           AND (a.id = ANY ($2) OR a.type = $3 OR $4
                OR a.id IN (SELECT t.assigned_agent_id FROM tasks t
                            WHERE t.session_id = $5 AND t.status IN ('pending', 'ready', 'running', 'waiting')))
         ORDER BY a.id LIMIT $7",
        project.uuid(),
        &ids,
        kind,
        all,
        session,
        sender,
        MOST_RECEIVERS + 1,
    );
    let agents = agents.fetch_all(&mut *connection).await?;
    if let Some(unknown) = ids.iter().find(|id| !agents.contains(id) && Some(**id) != sender) {
        return Err(Error::Invalid {
            field: "/to_agent_ids",
            message: format!("agent {unknown} does not exist in this project or is inactive"),
        });
    }
    if agents.is_empty() {
        let message = "no active agent fits, other than the sender".to_owned();
        return Err(Error::Conflict { code: "no_receivers", message });
    }
    if agents.len() > usize::try_from(MOST_RECEIVERS).unwrap_or(usize::MAX) {
        let message = format!("more than {MOST_RECEIVERS} agents fit");
        return Err(Error::Conflict { code: "too_many_receivers", message });
    }
    Ok(Chosen { agents, direct: None, to_person: false })
}

/// The agent, when it may be written to.
async fn active(
    connection: &mut PgConnection,
    project: ProjectId,
    id: Uuid,
    sender: Option<Uuid>,
) -> Result<Uuid> {
    let field = "/to_agent_id";
    if sender == Some(id) {
        return Err(Error::Invalid { field, message: "an agent does not write to itself".to_owned() });
    }
    let status = sqlx::query_scalar!(
        r#"SELECT status::text AS "status!" FROM agents WHERE id = $1 AND project_id = $2"#,
        id,
        project.uuid(),
    );
    match status.fetch_optional(connection).await?.as_deref() {
        Some("active") => Ok(id),
        Some(_) => {
            let message = format!("agent {id} is inactive and reads no messages");
            Err(Error::Conflict { code: "receiver_inactive", message })
        }
        None => {
            let message = format!("agent {id} does not exist in this project");
            Err(Error::Invalid { field, message })
        }
    }
}

/// The agent of this id or name.
async fn called(connection: &mut PgConnection, project: ProjectId, name: &str) -> Result<Uuid> {
    if let Ok(id) = name.parse::<Uuid>() {
        return Ok(id);
    }
    let id = sqlx::query_scalar!(
        "SELECT id FROM agents WHERE project_id = $1 AND lower(name) = lower($2) ORDER BY name = $2 DESC LIMIT 1",
        project.uuid(),
        name,
    );
    if let Some(id) = id.fetch_optional(&mut *connection).await? {
        return Ok(id);
    }
    let names = sqlx::query_scalar!(
        "SELECT name FROM agents WHERE project_id = $1 AND status = 'active' ORDER BY name LIMIT $2",
        project.uuid(),
        NAMES,
    );
    let names = names.fetch_all(connection).await?.join(", ");
    Err(Error::Invalid {
        field: "/to_agent_id",
        message: format!("no agent is called {name:?}; there are {names}"),
    })
}

/// An inbox that is locked.
struct Held {
    last_place: i64,
    /// Seconds that its breaker stays open.
    failing: Option<f64>,
    open: i64,
}

/// Locks the inboxes, makes those that are missing, and gives each that takes a message its next place. A direct
/// receiver that does not take it is an error; of several, those are named that do not.
pub(super) async fn admit(
    connection: &mut PgConnection,
    chosen: &Chosen,
) -> Result<(Vec<(Uuid, i64)>, Vec<RefusedReceiver>)> {
    if chosen.to_person {
        return Ok((Vec::new(), Vec::new()));
    }
    sqlx::query!(
        "INSERT INTO inboxes (agent_id) SELECT id FROM unnest($1::uuid[]) AS id ORDER BY id ON CONFLICT DO NOTHING",
        &chosen.agents,
    )
    .execute(&mut *connection)
    .await?;
    let rows = sqlx::query!(
        "SELECT agent_id FROM inboxes WHERE agent_id = ANY ($1) ORDER BY agent_id FOR NO KEY UPDATE",
        &chosen.agents,
    );
    rows.fetch_all(&mut *connection).await?;
    // A statement of its own: it sees what was committed while the locks were waited for.
    let rows = sqlx::query!(
        r#"SELECT agent_id, last_place,
                  CASE WHEN open_until > now() THEN extract(epoch FROM open_until - now())::float8 END AS failing,
                  (SELECT count(*) FROM message_deliveries d
                   WHERE d.agent_id = inboxes.agent_id AND d.state IN ('pending', 'bound', 'taken')) AS "open!"
           FROM inboxes WHERE agent_id = ANY ($1)"#,
        &chosen.agents,
    );
    let held: HashMap<Uuid, Held> = rows
        .fetch_all(&mut *connection)
        .await?
        .into_iter()
        .map(|row| {
            let held = Held { last_place: row.last_place, failing: row.failing, open: row.open };
            (row.agent_id, held)
        })
        .collect();
    let (mut places, mut refused) = (Vec::new(), Vec::new());
    for agent in &chosen.agents {
        let Some(inbox) = held.get(agent) else { continue };
        let code = match inbox {
            Held { failing: Some(seconds), .. } if chosen.direct.is_some() => {
                let seconds = seconds.ceil() as u32;
                return Err(Error::ReceiverFailing { agent: AgentId::from(*agent), seconds });
            }
            Held { failing: Some(_), .. } => "receiver_failing",
            Held { open, .. } if *open >= MOST_OPEN => "inbox_full",
            _ => {
                places.push((*agent, inbox.last_place + 1));
                continue;
            }
        };
        refused.push(RefusedReceiver { agent: AgentId::from(*agent), code });
    }
    if places.is_empty() {
        let full = refused.iter().any(|refused| refused.code == "inbox_full");
        let (code, message) = if full {
            ("inbox_full", format!("{MOST_OPEN} messages wait to be read there"))
        } else {
            ("receivers_failing", "none of the receivers takes messages now".to_owned())
        };
        return Err(Error::Conflict { code, message });
    }
    let (agents, last): (Vec<Uuid>, Vec<i64>) = places.iter().copied().unzip();
    sqlx::query!(
        "UPDATE inboxes SET last_place = g.place
         FROM unnest($1::uuid[], $2::bigint[]) AS g (agent_id, place) WHERE inboxes.agent_id = g.agent_id",
        &agents,
        &last,
    )
    .execute(connection)
    .await?;
    Ok((places, refused))
}
