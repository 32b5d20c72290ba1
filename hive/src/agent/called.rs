//! Agents as people call them: by id, or by name.

use serde_json::Value;
use uuid::Uuid;

use crate::{
    client::Client,
    failure::Failure,
    output::{escaped, plain, text},
};

/// Puts the agent's id in the place of each of these that is a name. `field` is what the person wrote it for.
///
/// # Errors
/// When no agent has that name, or several have.
pub(crate) async fn resolve(
    client: &Client,
    field: &str,
    called: impl IntoIterator<Item = &mut String>,
) -> Result<(), Failure> {
    for one in called {
        if one.parse::<Uuid>().is_err() {
            *one = id_of(client, field, one).await?;
        }
    }
    Ok(())
}

async fn id_of(client: &Client, field: &str, name: &str) -> Result<String, Failure> {
    let page = client.get(&format!("/api/v1/agents?limit=200&name={}", escaped(name))).await?;
    let named = page["items"].as_array().cloned().unwrap_or_default();
    let to_the_letter: Vec<&Value> = named.iter().filter(|agent| agent["name"] == name).collect();
    let fitting = if to_the_letter.is_empty() { named.iter().collect() } else { to_the_letter };
    match fitting.as_slice() {
        [one] => Ok(text(&one["id"])),
        [] => Err(Failure::Failed(format!("{field}: no agent has the id or the name {}", plain(name)))),
        several => {
            let one = |agent: &&Value| {
                let [id, name, project] = ["id", "name", "project_id"].map(|field| text(&agent[field]));
                format!("{id} ({}, in project {project})", plain(&name))
            };
            let several: Vec<String> = several.iter().map(one).collect();
            let message = format!("{field}: several agents are called so; name one by its id");
            Err(Failure::Failed(format!("{message}: {}", several.join(", "))))
        }
    }
}
