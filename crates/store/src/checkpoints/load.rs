//! The way back in: an empty database, the schema of the checkpoint, and all rows in one transaction.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use hive_domain::SystemEventKind;
use sqlx::{Connection, PgConnection, migrate::Migrator};
use uuid::Uuid;

use super::{
    ExportedTable, FinishedCheckpoint, LEFT_OUT, SequenceMark, TableLoad,
    schema::{self, MIGRATIONS, quoted},
};
use crate::{
    error::{Error, Result},
    pool::{MIGRATOR, Store, migrate_on},
};

/// Rows that migrations and `hive migrate` make: what else is in such a table was made by somebody. `$1` are the names
/// of the agents that every deployment begins with.
const BEGINNINGS: [(&str, &str); 10] = [
    ("active_routing", "activated_by <> 'migration'"),
    ("agent_versions", "version <> 1"),
    ("agents", "version <> 1 OR name <> ALL ($1)"),
    ("batch_lease", "holder IS NOT NULL"),
    ("embedding_models", "state <> 'active'"),
    ("journal_weeks", "dropped_at IS NOT NULL"),
    ("model_refresh", "false"),
    ("projects", "name <> 'default'"),
    ("routing_rules", "version <> 1"),
    ("system_event_numbers", "last <> 0"),
];

/// The tables whose partitions are weeks.
const IN_WEEKS: [&str; 3] = ["steps", "events", "llm_calls"];

/// A database that a checkpoint is brought into. Nothing of it is seen before [`Landing::commit`].
#[derive(Debug)]
pub struct Landing {
    connection: PgConnection,
    keys: Vec<Key>,
}

/// A foreign key that is taken away while rows come in, in any order.
#[derive(Debug, sqlx::FromRow)]
struct Key {
    table: String,
    name: String,
    definition: String,
}

impl Store {
    /// Opens a database for a restore; nobody else restores into it at the same time.
    ///
    /// # Errors
    /// [`Error::Conflict`] `restore_running` when somebody does.
    pub async fn landing(&self) -> Result<Landing> {
        let mut connection = self.pool.acquire().await?.detach();
        for statement in [
            "SET statement_timeout = 0",
            "SET lock_timeout = '10s'",
            // The repositories are put in place while it is open.
            "SET idle_in_transaction_session_timeout = 0",
            "SET client_min_messages = warning",
        ] {
            sqlx::query(statement).execute(&mut connection).await?;
        }
        let alone: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtext('hive.restore'))")
            .fetch_one(&mut connection)
            .await?;
        if !alone {
            return Err(Error::Conflict {
                code: "restore_running",
                message: "somebody else is restoring into this database".to_owned(),
            });
        }
        Ok(Landing { connection, keys: Vec::new() })
    }
}

impl Landing {
    /// Refuses a database that is in use. `agents` are the names of those that every deployment begins with.
    ///
    /// # Errors
    /// [`Error::Conflict`] `database_not_empty` names what was found.
    pub async fn demand_empty(&mut self, agents: &[String]) -> Result<()> {
        let is_ours = !schema::migrations(&mut self.connection).await?.is_empty();
        for table in schema::tables(&mut self.connection).await? {
            let found = |rows: &str| Error::Conflict {
                code: "database_not_empty",
                message: format!("the database is not empty: table {} {rows}", table.name),
            };
            if table.name == MIGRATIONS {
                continue;
            }
            if !is_ours {
                return Err(found("is none of ours"));
            }
            let begun = BEGINNINGS.iter().find(|(name, _)| *name == table.name);
            let condition = begun.map_or("true", |(_, condition)| condition);
            let look = format!("SELECT count(*) FROM {} WHERE {condition}", quoted(&table.name));
            let look = sqlx::query_scalar(&look);
            let look = if condition.contains("$1") { look.bind(agents) } else { look };
            let rows: i64 = look.fetch_one(&mut self.connection).await?;
            if rows > 0 {
                return Err(found(&format!("has {rows} rows")));
            }
        }
        Ok(())
    }

    /// Brings the database to the schema of the checkpoint.
    ///
    /// # Errors
    /// [`Error::Schema`] names both versions when the checkpoint's is newer than ours, or the database's newer than the
    /// checkpoint's.
    pub async fn migrate_to(&mut self, wanted: &[i64]) -> Result<()> {
        let newest = |versions: &mut dyn Iterator<Item = i64>| versions.max().unwrap_or_default();
        let theirs = newest(&mut wanted.iter().copied());
        if wanted.iter().any(|version| !MIGRATOR.version_exists(*version)) {
            let ours = newest(&mut MIGRATOR.iter().map(|migration| migration.version));
            return Err(Error::Schema(format!(
                "the checkpoint's is {theirs}, this version knows {ours} at most"
            )));
        }
        let applied = schema::migrations(&mut self.connection).await?;
        if let Some(beyond) = applied.iter().find(|version| !wanted.contains(version)) {
            return Err(Error::Schema(format!(
                "the database's has {beyond}, the checkpoint's is {theirs}; restore into a database without tables"
            )));
        }
        let chosen = MIGRATOR.iter().filter(|migration| wanted.contains(&migration.version)).cloned();
        let migrator = Migrator { migrations: Cow::Owned(chosen.collect()), ..Migrator::DEFAULT };
        let migrated = migrate_on(&migrator, &mut self.connection).await;
        sqlx::query("SET lock_timeout = '10s'").execute(&mut self.connection).await?;
        migrated
    }

    /// Begins the transaction that everything comes in with: all tables are locked, empty, and take rows in any order.
    ///
    /// # Errors
    /// [`Error::Conflict`] as of [`Landing::demand_empty`]; [`Error::Schema`] when the tables are not those of the
    /// checkpoint.
    pub async fn begin(&mut self, tables: &[ExportedTable], agents: &[String]) -> Result<()> {
        sqlx::query("BEGIN").execute(&mut self.connection).await?;
        let mut there = schema::tables(&mut self.connection).await?;
        there.retain(|table| table.name != MIGRATIONS);
        let names: Vec<String> = there.iter().map(|table| quoted(&table.name)).collect();
        let lock = format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", names.join(", "));
        sqlx::query(&lock).execute(&mut self.connection).await?;
        self.demand_empty(agents).await?;
        there.retain(|table| LEFT_OUT.iter().all(|(left_out, _)| table.name != *left_out));
        let differs = there.iter().map(shape).find(|here| tables.iter().all(|table| shape(table) != *here));
        if let Some((table, _)) = differs {
            return Err(Error::Schema(format!("its table {table} is not as the checkpoint has it")));
        }
        if let Some(table) = tables.iter().find(|table| there.iter().all(|here| here.name != table.name)) {
            return Err(Error::Schema(format!("it has no table {}", table.name)));
        }
        self.take_keys_away().await?;
        self.switch_triggers("DISABLE", "O").await?;
        let truncated: Vec<String> = there.iter().map(|table| quoted(&table.name)).collect();
        let truncate = format!("TRUNCATE {}", truncated.join(", "));
        sqlx::query(&truncate).execute(&mut self.connection).await?;
        Ok(())
    }

    async fn take_keys_away(&mut self) -> Result<()> {
        self.keys = sqlx::query_as(
            r#"SELECT conrelid::regclass::text AS "table", quote_ident(conname) AS name,
                      pg_get_constraintdef(oid) AS definition
               FROM pg_constraint
               WHERE contype = 'f' AND conparentid = 0 AND connamespace = 'public'::regnamespace
               ORDER BY 1, 2"#,
        )
        .fetch_all(&mut self.connection)
        .await?;
        for key in &self.keys {
            let drop = format!("ALTER TABLE {} DROP CONSTRAINT {}", key.table, key.name);
            sqlx::query(&drop).execute(&mut self.connection).await?;
        }
        Ok(())
    }

    /// What triggers do was done when the rows were written for the first time.
    async fn switch_triggers(&mut self, switch: &str, from: &str) -> Result<()> {
        let triggers: Vec<(String, String)> = sqlx::query_as(
            "SELECT tgrelid::regclass::text, quote_ident(tgname) FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid
             WHERE NOT tgisinternal AND tgparentid = 0 AND tgenabled = $1::text::\"char\"
               AND c.relnamespace = 'public'::regnamespace ORDER BY 1, 2",
        )
        .bind(from)
        .fetch_all(&mut self.connection)
        .await?;
        for (table, trigger) in triggers {
            let change = format!("ALTER TABLE {table} {switch} TRIGGER {trigger}");
            sqlx::query(&change).execute(&mut self.connection).await?;
        }
        Ok(())
    }

    /// Begins to fill a table.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn load(&mut self, table: &ExportedTable) -> Result<TableLoad<'_>> {
        let copy = format!("COPY {} FROM STDIN", schema::with_columns(table));
        Ok(TableLoad::new(self.connection.copy_in_raw(&copy).await?))
    }

    /// Makes the weeks of the journal as the rows of `journal_weeks` say, in place of those that are there. Before the
    /// rows of the journal come in.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn make_weeks(&mut self) -> Result<()> {
        let weeks: Vec<String> = sqlx::query_scalar(
            "SELECT inhrelid::regclass::text FROM pg_inherits
             WHERE inhparent = ANY (SELECT to_regclass(name) FROM unnest($1::text[]) AS name)
               AND inhrelid::regclass::text NOT LIKE '%\\_default' ORDER BY 1",
        )
        .bind(IN_WEEKS)
        .fetch_all(&mut self.connection)
        .await?;
        for week in weeks {
            sqlx::query(&format!("DROP TABLE {week}")).execute(&mut self.connection).await?;
        }
        // The function writes the row of a week as it makes the tables, and does nothing when there is a row.
        let live: Vec<DateTime<Utc>> =
            sqlx::query_scalar("DELETE FROM journal_weeks WHERE dropped_at IS NULL RETURNING monday")
                .fetch_all(&mut self.connection)
                .await?;
        for monday in live {
            sqlx::query("SELECT make_journal_week($1)").bind(monday).execute(&mut self.connection).await?;
        }
        Ok(())
    }

    /// Sets the sequences, notes the checkpoint as whole as it is, demands every key again, and commits.
    ///
    /// # Errors
    /// [`Error::Database`] when a row refers to one that is not there; nothing is left then.
    pub async fn commit(
        mut self,
        sequences: &[SequenceMark],
        id: Uuid,
        done: &FinishedCheckpoint,
    ) -> Result<()> {
        for sequence in sequences {
            sqlx::query("SELECT setval(to_regclass($1), $2, $3)")
                .bind(quoted(&sequence.name))
                .bind(sequence.last)
                .bind(sequence.called)
                .execute(&mut self.connection)
                .await?;
        }
        // It was under way when its own rows were read.
        sqlx::query(
            "UPDATE system_checkpoints
             SET status = 'done', lease_until = NULL, finished_at = $2, directory = $3, manifest_sha256 = $4, bytes = $5,
                 state = $6
             WHERE id = $1",
        )
        .bind(id)
        .bind(done.finished_at)
        .bind(&done.directory)
        .bind(&done.manifest_sha256)
        .bind(done.bytes)
        .bind(&done.state)
        .execute(&mut self.connection)
        .await?;
        for key in &self.keys {
            let add = format!("ALTER TABLE {} ADD CONSTRAINT {} {}", key.table, key.name, key.definition);
            sqlx::query(&add).execute(&mut self.connection).await?;
        }
        self.switch_triggers("ENABLE", "D").await?;
        self.tell_restored(id).await?;
        sqlx::query("COMMIT").execute(&mut self.connection).await?;
        Ok(self.connection.close().await?)
    }

    async fn tell_restored(&mut self, id: Uuid) -> Result<()> {
        let told =
            sqlx::query_scalar("SELECT to_regprocedure('tell_system(text, text, text, jsonb)') IS NOT NULL");
        // A checkpoint of an older schema has no place for it.
        if !told.fetch_one(&mut self.connection).await? {
            return Ok(());
        }
        sqlx::query(
            "SELECT tell_system('system_events', $2, id::text,
                                jsonb_build_object('directory', directory, 'manifest_sha256', manifest_sha256))
             FROM system_checkpoints WHERE id = $1",
        )
        .bind(id)
        .bind(SystemEventKind::CheckpointRestored.as_str())
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }
}

/// What has to be the same. Migrations that ran in another order leave columns in another order.
fn shape(table: &ExportedTable) -> (&str, Vec<&str>) {
    let mut columns: Vec<&str> = table.columns.iter().map(String::as_str).collect();
    columns.sort_unstable();
    (&table.name, columns)
}
