//! What a database is made of, as lines that can be compared: everything that a migration makes.

use std::collections::BTreeSet;

use sqlx::PgPool;

/// What `c`, a row of `pg_class`, has to be: ours, and no week of the journal, since those go with the time of the look.
macro_rules! ours {
    () => {
        "c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE '\\_sqlx%'
         AND (NOT c.relispartition OR pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT'
              OR c.relkind IN ('i', 'I') AND EXISTS (SELECT FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid
                                                     WHERE x.indexrelid = c.oid AND t.relname LIKE '%\\_default'))
         AND c.relname !~ '_[0-9]{4}w[0-9]{2}'"
    };
}

const PARTS: &[&str] = &[
    concat!(
        "SELECT format('relation %s %s %s %s by %s: %s', c.relname, c.relkind, c.relpersistence, c.reloptions,
                       CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END, obj_description(c.oid, 'pg_class'))
         FROM pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND ",
        ours!()
    ),
    concat!(
        "SELECT format('column %s.%s number %s: %s %s default %s %s %s %s: %s', c.relname, a.attname,
                       row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), format_type(a.atttypid, a.atttypmod),
                       a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attgenerated, a.attidentity, a.attstorage,
                       col_description(c.oid, a.attnum))
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
         LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
         WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND ",
        ours!()
    ),
    concat!(
        "SELECT format('constraint %s of %s: %s valid %s', k.conname, c.relname, pg_get_constraintdef(k.oid),
                       k.convalidated)
         -- Which columns are never null stands with the columns.
         FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid WHERE k.contype <> 'n' AND ",
        ours!()
    ),
    concat!(
        "SELECT format('index %s: %s valid %s replica %s clustered %s', c.relname, pg_get_indexdef(c.oid), i.indisvalid,
                       i.indisreplident, i.indisclustered)
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE ",
        ours!()
    ),
    concat!(
        "SELECT format('view %s: %s', c.relname, pg_get_viewdef(c.oid)) FROM pg_class c
         WHERE c.relkind IN ('v', 'm') AND ",
        ours!()
    ),
    concat!(
        "SELECT format('trigger on %s: %s %s', c.relname, pg_get_triggerdef(t.oid), t.tgenabled)
         FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal AND ",
        ours!()
    ),
    "SELECT format('function %s: %s', p.oid::regprocedure, pg_get_functiondef(p.oid)) FROM pg_proc p
     WHERE p.pronamespace = 'public'::regnamespace
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')",
    "SELECT format('type %s %s: %s', t.typname, t.typtype,
                   (SELECT string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid))
     FROM pg_type t WHERE t.typnamespace = 'public'::regnamespace AND t.typtype IN ('e', 'd', 'r')",
    "SELECT format('extension %s', extname) FROM pg_extension",
];

/// Every relation, column, constraint, index, view, trigger, function, type and extension.
pub(crate) async fn catalog(pool: &PgPool) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for part in PARTS {
        let found: Vec<String> = sqlx::query_scalar(part).fetch_all(pool).await.unwrap();
        lines.extend(found);
    }
    lines
}

#[tokio::test]
async fn a_difference_of_any_kind_is_seen() {
    let bed = crate::bed::Bed::make().await;
    let before = catalog(&bed.pool).await;
    for change in [
        "ALTER TABLE tasks ADD COLUMN extra text",
        "ALTER TABLE tasks ALTER COLUMN description DROP DEFAULT",
        "ALTER TABLE tasks ALTER COLUMN created_by DROP NOT NULL",
        "ALTER TABLE tasks DROP CONSTRAINT tasks_title_length",
        "ALTER TABLE tasks SET (fillfactor = 70)",
        "DROP INDEX tasks_by_key",
        "DROP TRIGGER tasks_are_kept ON tasks",
        "ALTER VIEW open_pauses RENAME COLUMN fleet TO whole",
        "CREATE OR REPLACE FUNCTION first_id_of(at timestamptz) RETURNS uuid LANGUAGE sql STABLE STRICT AS 'SELECT NULL::uuid'",
        "ALTER TYPE pause_mode ADD VALUE 'halt'",
        "COMMENT ON COLUMN steps.epoch IS 'another'",
        "DROP INDEX llm_calls_open",
    ] {
        let mut tx = bed.pool.begin().await.unwrap();
        sqlx::raw_sql(change).execute(&mut *tx).await.unwrap();
        let mut after = BTreeSet::new();
        for part in PARTS {
            let found: Vec<String> =
                sqlx::query_scalar(part).persistent(false).fetch_all(&mut *tx).await.unwrap();
            after.extend(found);
        }
        tx.rollback().await.unwrap();
        assert_ne!(after, before, "{change}");
    }
    assert_eq!(catalog(&bed.pool).await, before);
}
