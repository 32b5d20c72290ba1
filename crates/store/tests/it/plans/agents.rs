//! Agents: whoever is called by a name is found by it, also among very many.

use crate::bed::Bed;

#[tokio::test]
async fn who_is_called_by_a_name_is_found_by_it() {
    let bed = Bed::make().await;
    bed.execute(
        "INSERT INTO agents (id, project_id, name, type)
         SELECT gen_random_uuid(), '00000000-0000-7000-8000-000000000001', 'Agent ' || n, 'many'
         FROM generate_series(1, 20000) AS n;
         INSERT INTO agent_versions (agent_id, version, role, system_prompt, model, tools)
         SELECT id, 1, 'one of many', 'Work.', 'work', '{}' FROM agents WHERE type = 'many';
         ANALYZE;",
    )
    .await;
    let project = "'00000000-0000-7000-8000-000000000001'";
    let called = super::recorded(&["SELECT id FROM agents WHERE project_id", "lower(name)"]);
    let listed = super::recorded(&["FROM agents a JOIN agent_versions v", "lower(a.name)"]);
    for (mode, statement, arguments) in [
        (super::LOOKUPS, &called, format!("{project}, 'AGENT 77'")),
        ("force_custom_plan", &called, format!("{project}, 'AGENT 77'")),
        ("force_custom_plan", &listed, "NULL, NULL, 50, 'AGENT 77'".to_owned()),
    ] {
        let plan = super::plan(&bed, statement, mode, &arguments).await;
        assert!(plan.contains("agents_by_name"), "{statement}:\n{plan}");
        assert!(!plan.contains("Seq Scan on agents"), "{statement}:\n{plan}");
    }
}
