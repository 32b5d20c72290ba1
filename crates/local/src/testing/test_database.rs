//! A database for one test.

use std::{thread, time::Duration};

use sha2::{Digest, Sha256};
use sqlx::{Connection, Executor, PgConnection, PgPool, migrate::Migrator, postgres::PgPoolOptions};

use crate::{Error, secret::random_hex};

/// The limit for dropping a database at the end of a test.
const DROP: Duration = Duration::from_secs(10);

/// A database of a test's own; dropped with this, with whoever is still connected.
#[derive(Debug)]
pub struct TestDatabase {
    /// Its URL, for a program under test.
    pub url: String,
    name: String,
    server: String,
}

impl TestDatabase {
    pub(crate) async fn create(server: &str, migrator: &Migrator) -> Result<Self, Error> {
        let template = template_name(migrator);
        let mut admin = PgConnection::connect(server).await?;
        prepare_template(&mut admin, server, &template, migrator).await?;
        let name = format!("t_{}", random_hex(8)?);
        execute(&mut admin, format!("CREATE DATABASE {name} TEMPLATE {template}")).await?;
        admin.close().await?;
        Ok(Self { url: with_database(server, &name)?, name, server: server.to_owned() })
    }

    /// A pool of at most ten connections to it.
    ///
    /// # Errors
    /// When Postgres does not answer.
    pub async fn pool(&self) -> Result<PgPool, Error> {
        let pool = PgPoolOptions::new().max_connections(10).acquire_timeout(Duration::from_secs(10));
        Ok(pool.connect(&self.url).await?)
    }

    /// The name of the database.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Drops the database and says when that fails; dropping the value does the same and cannot say so.
    ///
    /// # Errors
    /// When Postgres does not answer.
    pub async fn close(mut self) -> Result<(), Error> {
        let name = std::mem::take(&mut self.name);
        drop_database(&self.server, &name).await
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if self.name.is_empty() {
            return;
        }
        let (server, name) = (self.server.clone(), std::mem::take(&mut self.name));
        // A thread of its own: a runtime may be running on this one.
        let dropper = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let dropped = runtime.map(|runtime| {
                runtime.block_on(async { tokio::time::timeout(DROP, drop_database(&server, &name)).await })
            });
            if !matches!(dropped, Ok(Ok(Ok(())))) {
                tracing::warn!("The test database {name} was not dropped: {dropped:?}");
            }
        });
        if dropper.join().is_err() {
            tracing::warn!("Dropping a test database panicked");
        }
    }
}

async fn drop_database(server: &str, name: &str) -> Result<(), Error> {
    let mut admin = PgConnection::connect(server).await?;
    execute(&mut admin, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
    Ok(admin.close().await?)
}

/// Migrates a template once per cluster and set of migrations. The advisory lock keeps parallel tests and
/// test processes apart; the rename makes a half-migrated one invisible.
async fn prepare_template(
    admin: &mut PgConnection,
    server: &str,
    template: &str,
    migrator: &Migrator,
) -> Result<(), Error> {
    let exists = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)";
    if sqlx::query_scalar(exists).bind(template).fetch_one(&mut *admin).await? {
        return Ok(());
    }
    sqlx::query("SELECT pg_advisory_lock(hashtext($1))").bind(template).execute(&mut *admin).await?;
    if !sqlx::query_scalar::<_, bool>(exists).bind(template).fetch_one(&mut *admin).await? {
        let fresh = format!("{template}_fresh");
        execute(admin, format!("DROP DATABASE IF EXISTS {fresh} WITH (FORCE)")).await?;
        execute(admin, format!("CREATE DATABASE {fresh}")).await?;
        if let Err(error) = migrate(&with_database(server, &fresh)?, migrator).await {
            execute(admin, format!("DROP DATABASE IF EXISTS {fresh} WITH (FORCE)")).await?;
            return Err(error);
        }
        // Nobody may connect to a template: CREATE DATABASE refuses to copy one that is in use.
        execute(admin, format!("ALTER DATABASE {fresh} ALLOW_CONNECTIONS false")).await?;
        execute(admin, format!("ALTER DATABASE {fresh} RENAME TO {template}")).await?;
    }
    sqlx::query("SELECT pg_advisory_unlock(hashtext($1))").bind(template).execute(admin).await?;
    Ok(())
}

async fn migrate(database: &str, migrator: &Migrator) -> Result<(), Error> {
    let mut connection = PgConnection::connect(database).await?;
    migrator.run(&mut connection).await?;
    Ok(connection.close().await?)
}

/// A name that changes with any migration.
fn template_name(migrator: &Migrator) -> String {
    let mut hash = Sha256::new();
    for migration in migrator.iter() {
        hash.update(migration.version.to_be_bytes());
        hash.update(&migration.checksum);
    }
    format!("template_{}", hex::encode(&hash.finalize()[..8]))
}

fn with_database(server: &str, name: &str) -> Result<String, Error> {
    let mut url = url::Url::parse(server).map_err(|error| Error::Failed {
        what: "reading the URL of the test database".into(),
        reason: error.to_string(),
    })?;
    url.set_path(name);
    Ok(url.into())
}

/// Runs a statement whose names are ours: letters, digits and underscores.
async fn execute(connection: &mut PgConnection, statement: String) -> Result<(), Error> {
    connection.execute(statement.as_str()).await?;
    Ok(())
}
