//! The agents that a new deployment starts with, as data.

use hive_domain::{AgentDefinition, AgentId, Limits, ProjectId, ToolName};
use hive_store::NewAgent;
use serde::Deserialize;

const ROSTER: &str = include_str!("../prompts/roster.toml");

const PROMPTS: [(&str, &str); 8] = [
    ("architect.md", include_str!("../prompts/architect.md")),
    ("backend.md", include_str!("../prompts/backend.md")),
    ("devops.md", include_str!("../prompts/devops.md")),
    ("frontend.md", include_str!("../prompts/frontend.md")),
    ("meta.md", include_str!("../prompts/meta.md")),
    ("product_manager.md", include_str!("../prompts/product_manager.md")),
    ("qa.md", include_str!("../prompts/qa.md")),
    ("strategic_partner.md", include_str!("../prompts/strategic_partner.md")),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Roster {
    agent: Vec<Member>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Member {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    role: String,
    prompt: String,
    model: String,
    #[serde(default)]
    fallback_models: Vec<String>,
    tools: Vec<ToolName>,
    capabilities: Vec<String>,
    #[serde(default)]
    limits: Option<Limits>,
}

/// The eight agents of the roster, for the default project.
///
/// # Errors
/// When the embedded roster cannot be read or names a prompt that is not there.
pub fn roster() -> Result<Vec<NewAgent>, String> {
    let roster: Roster = toml::from_str(ROSTER).map_err(|error| format!("roster.toml: {error}"))?;
    roster.agent.into_iter().map(Member::into_agent).collect()
}

impl Member {
    fn into_agent(self) -> Result<NewAgent, String> {
        let prompt = PROMPTS.iter().find(|(file, _)| *file == self.prompt);
        let (_, prompt) =
            prompt.ok_or_else(|| format!("roster.toml names {:?}, which is not embedded", self.prompt))?;
        Ok(NewAgent {
            id: AgentId::new(),
            project: ProjectId::DEFAULT,
            name: self.name,
            kind: self.kind,
            definition: AgentDefinition {
                role: self.role,
                system_prompt: prompt.trim().to_owned(),
                model: self.model,
                fallback_models: self.fallback_models,
                tools: self.tools.into_iter().map(|tool| tool.as_str().to_owned()).collect(),
                capabilities: self.capabilities,
                limits: self.limits.unwrap_or(Limits {
                    max_turns: None,
                    max_cost_usd: None,
                    max_tokens: None,
                    max_seconds: None,
                }),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn eight_agents_with_their_own_words() {
        let roster = roster().unwrap();
        let kinds: BTreeSet<&str> = roster.iter().map(|agent| agent.kind.as_str()).collect();
        let prompts: BTreeSet<&str> =
            roster.iter().map(|agent| agent.definition.system_prompt.as_str()).collect();
        assert_eq!((kinds.len(), prompts.len()), (8, 8));
        assert!(roster.iter().all(|agent| agent.definition.tools.contains(&"finish".to_owned())));
    }

    #[test]
    fn tool_sets_differ_where_the_roles_do() {
        let roster = roster().unwrap();
        let has = |kind: &str, tool: &str| {
            let agent = roster.iter().find(|agent| agent.kind == kind).unwrap();
            agent.definition.tools.iter().any(|name| name == tool)
        };
        assert!(!has("strategic_partner", "write_file") && !has("strategic_partner", "shell"));
        assert!(has("product_manager", "write_file") && !has("product_manager", "edit_file"));
        assert!(has("architect", "edit_file") && !has("architect", "shell"));
        assert!(has("qa", "shell") && !has("qa", "edit_file"));
        assert!(has("meta", "edit_file") && !has("meta", "write_file") && !has("meta", "shell"));
        assert!(has("backend", "shell") && has("backend", "edit_file"));
    }
}
