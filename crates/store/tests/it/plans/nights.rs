//! Nights: what a deletion, a redaction, a rollback or the next night looks for is found among very many changes.

use crate::bed::Bed;

/// 20,000 entries, 400 nights that are over and one that is open, 20,000 changes and as many readings.
async fn many_nights() -> Bed {
    let bed = Bed::make().await;
    bed.execute(
        "INSERT INTO memory_versions (id, scope, project_id, number, state)
         SELECT gen_random_uuid(), 'project', '00000000-0000-7000-8000-000000000001', n,
                CASE WHEN n > 400 THEN 'building'::memory_version_state ELSE 'active' END
         FROM generate_series(1, 401) AS n;
         INSERT INTO sleep_cycles (id, scope, project_id, trigger, asked_by, budget_minutes, version_id, state, phase,
                                   finished_at)
         SELECT first_id_of(now() + number * interval '1 minute'), 'project', project_id, 'cron', 'a test', 60, id,
                CASE WHEN number > 400 THEN 'running'::sleep_cycle_state ELSE 'completed' END, 'publish',
                CASE WHEN number > 400 THEN NULL ELSE now() END
         FROM memory_versions;
         INSERT INTO contexts (id, lineage, scope, project_id, kind, content, trust, author, valid_from)
         SELECT id, id, 'project', '00000000-0000-7000-8000-000000000001', 'fact', 'entry ' || n, 'agent', 'a test', now()
         FROM (SELECT gen_random_uuid() AS id, n FROM generate_series(1, 20000) AS n) AS entries;
         INSERT INTO sleep_changes (id, cycle_id, phase, kind, born, retired, versions, sources, source_versions, reason)
         SELECT gen_random_uuid(), n.id, 'merge', 'merged', CASE WHEN c.k % 2 = 0 THEN c.id END, ARRAY[c.id], '{1}',
                ARRAY[c.id], '{1}', 'a test'
         FROM (SELECT id, row_number() OVER (ORDER BY id) AS k FROM contexts) AS c
         JOIN (SELECT id, row_number() OVER (ORDER BY id) AS k FROM sleep_cycles) AS n ON n.k = c.k % 401 + 1 ORDER BY n.id;
         INSERT INTO context_sources (context_id, source_id)
         SELECT a.id, b.id FROM (SELECT id, row_number() OVER (ORDER BY id) AS k FROM contexts) AS a
         JOIN (SELECT id, row_number() OVER (ORDER BY id) AS k FROM contexts) AS b ON b.k = a.k + 1;
         INSERT INTO sleep_readings (cycle_id, subject_id, failed)
         SELECT cycle_id, unnest(sources), false FROM sleep_changes;
         INSERT INTO context_renewals (context_id, version_id, renewed_at)
         SELECT s.sources[1], c.version_id, now() FROM sleep_changes s JOIN sleep_cycles c ON c.id = s.cycle_id
         WHERE s.born IS NULL;
         ANALYZE;",
    )
    .await;
    assert_eq!(bed.number("SELECT count(*) FROM sleep_changes").await, 20_000);
    bed
}

#[tokio::test]
async fn what_nights_changed_is_found_by_its_indexes() {
    let bed = many_nights().await;
    let one = async |sql: &str| -> String { sqlx::query_scalar(sql).fetch_one(&bed.pool).await.unwrap() };
    let entry = one("SELECT id::text FROM contexts LIMIT 1").await;
    let cycle = one("SELECT cycle_id::text FROM sleep_changes LIMIT 1").await;
    let version = one("SELECT version_id::text FROM sleep_cycles LIMIT 1").await;
    let entries = format!("ARRAY['{entry}']::uuid[]");
    for (what, words, arguments, indexes) in [
        (
            "what was built on a night",
            &["WITH RECURSIVE built"][..],
            format!("'{cycle}'"),
            &[
                "sleep_changes_by_cycle",
                "sleep_changes_by_retired",
                "sleep_changes_by_source",
                "sleep_changes_by_born",
            ][..],
        ),
        (
            "what goes with a deleted entry",
            &["d.died_version = n.version_id"],
            entries.clone(),
            &["sleep_changes_by_source", "sleep_changes_by_born", "contexts_by_lineage"],
        ),
        (
            "where a text to be written over stands",
            &["WITH RECURSIVE said"],
            format!("'{entry}', ARRAY['entry']"),
            &[
                "sleep_changes_by_source",
                "sleep_changes_by_retired",
                "sleep_changes_by_born",
                "context_sources_by_source",
            ],
        ),
        (
            "what a night touched",
            &["UNION SELECT unnest(sources)"],
            format!("'{version}', '{cycle}'"),
            &["contexts_by_died", "contexts_by_born", "sleep_changes_by_cycle", "contexts_pkey"],
        ),
        (
            "what is left out of a night",
            &["WITH RECURSIVE stale"],
            format!("'{cycle}', '{version}'"),
            &["sleep_changes_by_cycle", "contexts_pkey"],
        ),
        (
            "a night that is under way on what was changed",
            &["WITH touched AS", "JOIN sleep_cycles o"],
            format!("ARRAY['{cycle}']::uuid[]"),
            &["sleep_changes_by_cycle", "contexts_pkey"],
        ),
        (
            "the freshest of them",
            &["WITH fresh AS"],
            format!("{entries}, {entries}, '{version}'"),
            &["contexts_pkey"],
        ),
        (
            "what a night retired and renewed",
            &["nullif(c.died_version"],
            format!("'{version}'"),
            &["contexts_by_died", "context_renewals_by_version", "contexts_pkey"],
        ),
        (
            "what a night renewed",
            &["SET changed_tx", "SELECT context_id FROM context_renewals"],
            format!("'{version}'"),
            &["context_renewals_by_version", "contexts_pkey"],
        ),
    ] {
        let plan = super::plan(&bed, &super::recorded(words), "force_custom_plan", &arguments).await;
        for table in ["contexts", "sleep_changes", "sleep_readings", "context_sources", "context_renewals"] {
            assert!(!plan.contains(&format!("Seq Scan on {table}")), "{what}:\n{plan}");
        }
        for index in indexes {
            assert!(plan.contains(index), "{what} does not use {index}:\n{plan}");
        }
    }
}

#[tokio::test]
async fn what_searches_found_is_read_by_its_ids() {
    let bed = many_nights().await;
    let statement = super::recorded(&["JOIN unnest($1::bigint[], $2::uuid[]) AS w (nth, id)"]);
    let entry: String =
        sqlx::query_scalar("SELECT id::text FROM contexts LIMIT 1").fetch_one(&bed.pool).await.unwrap();
    let arguments = format!(
        "ARRAY[1], ARRAY['{entry}']::uuid[], ARRAY['{entry}']::uuid[], ARRAY[NULL]::uuid[], ARRAY[NULL]::uuid[],
         ARRAY[NULL]::timestamptz[]"
    );
    let plan = super::plan(&bed, &statement, super::LOOKUPS, &arguments).await;
    super::assert_uses(
        &plan,
        "hits of searches",
        &["contexts_pkey", "context_uses_pkey", "context_sources_pkey"],
    );
    assert!(!plan.contains("Seq Scan on contexts"), "{plan}");
}
