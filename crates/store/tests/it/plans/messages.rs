//! Messages between agents: whoever sends, reads, sweeps or lists finds a few rows of very many.

use hive_domain::ProjectId;

use crate::bed::{Bed, new_agent};

/// 40,000 messages to 50 agents, nearly all of which arrived, and 5,000 tasks of these agents that ended.
async fn full_inboxes() -> Bed {
    let bed = Bed::make().await;
    for number in 1..=50 {
        bed.store.create_agent(&new_agent(&format!("agent {number}"), "many")).await.unwrap();
    }
    bed.execute(
        "INSERT INTO inboxes (agent_id, last_place) SELECT id, 800 FROM agents WHERE type = 'many';
         INSERT INTO tasks (id, project_id, title, created_by, status, status_reason, completed_at, assigned_agent_id)
         SELECT (left(replace(first_id_of(now())::text, '-', ''), 12)
                 || right(replace(gen_random_uuid()::text, '-', ''), 20))::uuid,
                '00000000-0000-7000-8000-000000000001', 'task', 'a test',
                CASE WHEN n % 500 = 0 THEN 'waiting'::task_status ELSE 'succeeded' END,
                CASE WHEN n % 500 = 0 THEN 'timer'::status_reason END,
                CASE WHEN n % 500 <> 0 THEN now() END, a.id
         FROM (SELECT id, row_number() OVER (ORDER BY id) AS k FROM agents WHERE type = 'many') AS a
         JOIN generate_series(1, 5000) AS n ON n % 50 + 1 = a.k;
         INSERT INTO threads (id, project_id, last_number)
         SELECT gen_random_uuid(), '00000000-0000-7000-8000-000000000001', 10 FROM generate_series(1, 4000);
         INSERT INTO conversations (id, project_id, thread_id, number, from_name, to_agent_id, audience, message_type,
                                    content, trust, wakes, created_at, from_task_id, from_agent_id, send_key)
         SELECT gen_random_uuid(), '00000000-0000-7000-8000-000000000001', t.id, n, 'x', a.id, 'direct', 'message',
                'words ' || t.k || ' of ' || n, 'agent', true, now() - n * interval '1 hour', w.id, w.assigned_agent_id,
                t.k || ':' || n
         FROM (SELECT id, row_number() OVER (ORDER BY id) AS k FROM threads) AS t
         CROSS JOIN generate_series(1, 10) AS n
         JOIN (SELECT id, row_number() OVER (ORDER BY id) AS k FROM agents WHERE type = 'many') AS a ON a.k = t.k % 50 + 1
         JOIN (SELECT id, assigned_agent_id, row_number() OVER (ORDER BY id) AS k FROM tasks) AS w ON w.k = t.k;
         INSERT INTO message_deliveries (agent_id, place, message_id, state, task_id, tries, acknowledged_by, acknowledged_at,
                                         died_at, visible_at)
         SELECT to_agent_id, place, id, state::delivery_state,
                CASE WHEN state = 'bound' THEN from_task_id END, 1,
                CASE WHEN state = 'acknowledged' THEN 'ada' END, CASE WHEN state = 'acknowledged' THEN now() END,
                CASE WHEN state = 'dead' THEN now() END, now() - interval '1 day'
         FROM (SELECT *, CASE WHEN place < 796 THEN 'acknowledged' WHEN place = 796 THEN 'dead' WHEN place = 797 THEN 'taken'
                              WHEN place = 798 THEN 'bound' ELSE 'pending' END AS state
               FROM (SELECT *, row_number() OVER (PARTITION BY to_agent_id ORDER BY created_at, id) AS place
                     FROM conversations) AS placed) AS stated;
         INSERT INTO message_vectors_due (model, message_id) SELECT 'minilm-l6-v2-int8', id FROM conversations;
         ANALYZE;",
    )
    .await;
    assert_eq!(bed.number("SELECT count(*) FROM message_deliveries").await, 40_000);
    bed
}

#[tokio::test]
async fn messages_are_found_by_their_indexes() {
    let bed = full_inboxes().await;
    let one = async |sql: &str| -> String { sqlx::query_scalar(sql).fetch_one(&bed.pool).await.unwrap() };
    let agent = one("SELECT agent_id::text FROM inboxes LIMIT 1").await;
    let message = one("SELECT id::text FROM conversations LIMIT 1").await;
    let task = one("SELECT from_task_id::text FROM conversations LIMIT 1").await;
    let project = ProjectId::DEFAULT;
    let agents = format!("ARRAY['{agent}']::uuid[]");
    for (what, words, arguments, indexes) in [
        (
            "what waits to be bound",
            &["d.begins AS \"begins!\""][..],
            format!("{agents}, 20, false, 5"),
            &["message_deliveries_open", "message_deliveries_pending"][..],
        ),
        (
            "the first that begins a task",
            &["d.begins AS \"begins!\""],
            format!("{agents}, 1, true, 5"),
            &["message_deliveries_open", "message_deliveries_pending"],
        ),
        (
            "what awaits a run that begins",
            &["WITH ORDINALITY r (project, session, agent, place)"],
            format!("ARRAY['{project}'::uuid], ARRAY[NULL::uuid], {agents}"),
            &["message_deliveries_open", "message_deliveries_pending"],
        ),
        (
            "the tasks that may read",
            &["t.mail < $4 DESC"],
            format!("{agents}, ARRAY[]::uuid[], ARRAY[]::uuid[], 20"),
            &["tasks_at_work"],
        ),
        (
            "binding",
            &["SET state = 'bound'"],
            format!("{agents}, ARRAY[399::bigint], ARRAY['{task}'::uuid]"),
            &["message_deliveries_pkey", "message_deliveries_open", "message_deliveries_pending"],
        ),
        (
            "whether an inbox takes a message",
            &["AS failing", "FROM inboxes"],
            agents.clone(),
            &["message_deliveries_open"],
        ),
        ("sent before", &["WHERE send_key = $1"], "'1:1'".to_owned(), &["conversations_sent_once"]),
        (
            "what a run reads",
            &["d.task_id = $1 AND d.state = 'bound' ORDER BY d.place"],
            format!("'{task}', 20"),
            &["message_deliveries_bound"],
        ),
        (
            "what a task did not read",
            &["did not read it"],
            "500".to_owned(),
            &["message_deliveries_bound", "message_deliveries_open"],
        ),
        (
            "what was not acknowledged",
            &["acknowledge it in time"],
            "500".to_owned(),
            &["message_deliveries_taken"],
        ),
        (
            "agents for which something waits",
            &["SELECT DISTINCT d.agent_id", "m.hops < $2"],
            "100, 5".to_owned(),
            &["message_deliveries_pending", "message_deliveries_open"],
        ),
        (
            "what Redis lists",
            &["ORDER BY i.agent_id LIMIT $1"],
            "2000, 1000".to_owned(),
            &["message_deliveries_open"],
        ),
        (
            "a receiver takes",
            &["SET state = 'taken'"],
            format!("'{agent}', 10, NULL"),
            &["message_deliveries_open", "message_deliveries_pending"],
        ),
        (
            "a page of an inbox",
            &["d.place > $2 AND (NOT $3"],
            format!("'{agent}', 10, false, NULL, NULL, 50"),
            &["message_deliveries_pkey"],
        ),
        (
            "a conversation",
            &["thread_id = $1 AND number > $2"],
            format!("'{message}', 0, 50"),
            &["conversations_in_order"],
        ),
        (
            "questions without an answer",
            &["m.message_type = 'question' AND m.answer_by <= now()"],
            format!("'{task}'"),
            &["conversations_of_task"],
        ),
        (
            "whether questions were answered",
            &["LEFT JOIN LATERAL", "WHERE reply_to = m.id"],
            format!("ARRAY['{message}']::uuid[]"),
            &["conversations_replies"],
        ),
        (
            "messages that want vectors",
            &["FROM message_vectors_due", "SKIP LOCKED"],
            "'minilm-l6-v2-int8', 16, 60".to_owned(),
            &["message_vectors_due"],
        ),
    ] {
        let statement = super::recorded(words);
        // Without the number the planner takes a batch for a tenth of the table; the plan that it then makes costs more than
        // those made with it, so that it is never kept.
        let is_batch = what == "messages that want vectors";
        for mode in ["force_generic_plan", "force_custom_plan"].iter().skip(usize::from(is_batch)) {
            let plan = super::plan(&bed, &statement, mode, &arguments).await;
            for table in ["tasks", "conversations", "message_deliveries", "message_vectors_due"] {
                let whole = format!("Seq Scan on {table} ");
                assert!(!plan.contains(&whole), "{what}, {mode}:\n{plan}");
            }
            assert!(indexes.iter().any(|index| plan.contains(index)), "{what}, {mode}:\n{plan}");
        }
    }
}
