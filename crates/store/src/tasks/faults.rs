//! Which fields of new tasks refer to something that is not there or cannot be used.

use hive_domain::{
    TaskId,
    task::{NewTask, Performer},
};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::accepted::duty;
use crate::error::{Fault, Result};

/// How many tasks may stand above one by `parent_id`; the schema bounds it too.
pub const MAX_DEPTH: i16 = 5;

/// Looks up everything that the tasks refer to, in one statement. Tasks may depend on each other.
pub(super) async fn find_faults(connection: &mut PgConnection, new: &[NewTask]) -> Result<Vec<Fault>> {
    let rows = new.iter().enumerate().map(|(index, new)| {
        let (agent, kind) = match &new.performer {
            Performer::Agent(id) => (Some(id), None),
            Performer::Type(kind) => (None, Some(kind)),
            Performer::Noop => (None, None),
        };
        json!({
            "index": index, "project_id": new.project, "agent_id": agent, "agent_type": kind, "duty": duty(new),
            "session_id": new.session, "parent_id": new.parent, "dependencies": new.dependencies,
        })
    });
    let ids: Vec<Uuid> = new.iter().map(|new| new.id.uuid()).collect();
    let found = sqlx::query!(
        r#"SELECT n.index AS "index!",
                  NOT EXISTS (SELECT 1 FROM projects p WHERE p.id = n.project_id) AS "no_project!",
                  n.duty IS NULL
                      AND NOT EXISTS (SELECT 1 FROM agents a
                                      WHERE a.project_id = n.project_id AND a.status = 'active'
                                        AND (a.id = n.agent_id OR a.type = n.agent_type)) AS "no_agent!",
                  n.session_id IS NOT NULL
                      AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = n.session_id) AS "no_session!",
                  n.parent_id IS NOT NULL AND p.id IS NULL AS "no_parent!",
                  coalesce(p.project_id <> n.project_id, false) AS "foreign_parent!",
                  coalesce(p.status = 'cancelled', false) AS "cancelled_parent!",
                  coalesce(p.depth >= $3, false) AS "deep_parent!",
                  ARRAY(SELECT awaited FROM unnest(n.dependencies) AS awaited
                        WHERE NOT EXISTS (SELECT 1 FROM tasks t WHERE t.id = awaited)
                          AND awaited <> ALL ($2::uuid[])) AS "missing!: Vec<Uuid>"
           FROM jsonb_to_recordset($1) AS n (index integer, project_id uuid, agent_id uuid, agent_type text, duty text,
                                             session_id uuid, parent_id uuid, dependencies uuid[])
           LEFT JOIN tasks p ON p.id = n.parent_id
           ORDER BY n.index"#,
        serde_json::Value::Array(rows.collect()),
        &ids,
        MAX_DEPTH,
    )
    .fetch_all(connection)
    .await?;
    let mut faults = Vec::new();
    for row in found {
        let index = usize::try_from(row.index).unwrap_or(0);
        let mut refuse = |field, message: String| faults.push(Fault { index, field, message });
        if row.no_project {
            // It has no agents either, and is the cause.
            refuse("/project_id", "this project does not exist".to_owned());
        } else if row.no_agent {
            match new.get(index).map(|new| &new.performer) {
                Some(Performer::Type(kind)) => {
                    refuse("/agent_type", format!("this project has no active agent of type {kind:?}"));
                }
                Some(Performer::Agent(id)) => {
                    refuse("/agent_id", format!("agent {id} does not exist in this project or is inactive"));
                }
                Some(Performer::Noop) | None => {}
            }
        }
        if row.no_session {
            refuse("/session_id", "this session does not exist".to_owned());
        }
        for (wrong, message) in [
            (row.no_parent, "this task does not exist".to_owned()),
            (row.foreign_parent, "this task belongs to another project".to_owned()),
            (row.cancelled_parent, "this task was cancelled, and all that belongs to it".to_owned()),
            (row.deep_parent, format!("{MAX_DEPTH} tasks stand above this one; none may stand below it")),
        ] {
            if wrong {
                refuse("/parent_id", message);
            }
        }
        if let Some(missing) = row.missing.first() {
            refuse("/dependencies", format!("task {} does not exist", TaskId::from(*missing)));
        }
    }
    let alone = new.iter().enumerate().filter(|(_, new)| new.dependencies.contains(&new.id));
    faults.extend(alone.map(|(index, _)| Fault {
        index,
        field: "/dependencies",
        message: "a task cannot wait for itself".to_owned(),
    }));
    Ok(faults)
}
