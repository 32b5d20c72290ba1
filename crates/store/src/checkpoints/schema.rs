//! What the catalog says: tables, their columns, sequences. Names are quoted by Postgres itself where they go into a
//! statement.

use sqlx::PgConnection;

use super::{ExportedTable, SequenceMark};
use crate::error::Result;

/// Where the migrations that ran are written down.
pub(super) const MIGRATIONS: &str = "_sqlx_migrations";

/// The tables of the schema, by name: partitions are part of the table that they belong to, and what an extension
/// made is its own.
pub(super) async fn tables(connection: &mut PgConnection) -> Result<Vec<ExportedTable>> {
    let rows: Vec<(String, Vec<String>)> = sqlx::query_as(
        "SELECT c.relname::text,
                array(SELECT a.attname::text FROM pg_attribute a
                      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
                      ORDER BY a.attnum)
         FROM pg_class c
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace
           AND NOT EXISTS (SELECT 1 FROM pg_depend d
                           WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
         ORDER BY 1",
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(name, columns)| ExportedTable { name, columns }).collect())
}

/// Where every sequence stands.
pub(super) async fn sequences(connection: &mut PgConnection) -> Result<Vec<SequenceMark>> {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace ORDER BY 1",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut marks = Vec::with_capacity(names.len());
    for name in names {
        let (last, called) = sqlx::query_as(&format!("SELECT last_value, is_called FROM {}", quoted(&name)))
            .fetch_one(&mut *connection)
            .await?;
        marks.push(SequenceMark { name, last, called });
    }
    Ok(marks)
}

/// The migrations that ran, in order; none when the database is empty.
pub(super) async fn migrations(connection: &mut PgConnection) -> Result<Vec<i64>> {
    let known: bool = sqlx::query_scalar("SELECT to_regclass('public._sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !known {
        return Ok(Vec::new());
    }
    let versions = sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success ORDER BY version");
    Ok(versions.fetch_all(connection).await?)
}

/// A name as a statement takes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A table with its columns, as `COPY` takes it.
pub(super) fn with_columns(table: &ExportedTable) -> String {
    let columns: Vec<String> = table.columns.iter().map(|column| quoted(column)).collect();
    format!("{} ({})", quoted(&table.name), columns.join(", "))
}
