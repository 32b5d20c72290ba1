//! How well it went for an entry is found by its own receipts, among those of very many.

#[tokio::test]
async fn what_became_of_those_who_were_given_an_entry_is_found_by_its_receipts() {
    let bed = super::large_table().await;
    bed.execute(
        "INSERT INTO context_receipts (context_id, task_id)
         SELECT first_id_of('2026-01-01Z'::timestamptz + n * interval '1 day'), t.id
         FROM generate_series(1, 300) AS n
         CROSS JOIN LATERAL (SELECT id FROM (SELECT id, row_number() OVER () AS k FROM tasks) AS k WHERE k.k % 300 < 2 + n % 2) AS t;
         ANALYZE context_receipts;",
    )
    .await;
    let entry: String = sqlx::query_scalar("SELECT context_id::text FROM context_receipts LIMIT 1")
        .fetch_one(&bed.pool)
        .await
        .unwrap();
    let statement = super::recorded(&["FROM context_receipts r WHERE r.context_id = asked.id"]);
    let plan =
        super::plan(&bed, &statement, "force_custom_plan", &format!("ARRAY['{entry}']::uuid[], 1000")).await;
    // Of the indexes of tasks any that has the id: after a vacuum one that need not read the row.
    super::assert_uses(
        &plan,
        "outcomes of an entry",
        &["context_receipts_pkey", "Index Cond: (id = r.task_id)"],
    );
    assert!(!plan.contains("Seq Scan"), "{plan}");
}
