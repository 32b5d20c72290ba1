//! What the service says of its models, the one refresh of it in the fleet, and where models are named.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use hive_domain::{ModelUse, ReportedModel};

use crate::{
    error::{Error, Result},
    pool::Store,
    text::{storable, storable_json},
};

/// How long a worker that asks the service keeps the others from asking, and how long after a failure nobody asks.
const HELD_SECONDS: f64 = 60.0;
/// Places that are looked through at most.
const MOST_USES: i64 = 5_000;

/// How the refresh stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelRefresh {
    /// When a person last asked for a newer list.
    pub requested_at: Option<DateTime<Utc>>,
    /// When the list was last taken over.
    pub refreshed_at: Option<DateTime<Utc>>,
    /// By which worker.
    pub refreshed_by: Option<String>,
    /// Why the last try failed.
    pub error: Option<String>,
}

/// What is known of models beyond what a build knows.
#[derive(Clone, Debug)]
pub struct KnownModels {
    /// What the service said, by id.
    pub reported: Vec<ReportedModel>,
    /// Model ids by class.
    pub classes: BTreeMap<String, String>,
    /// How the refresh stands.
    pub refresh: ModelRefresh,
    /// The time, by the database's clock: ends of models are measured against it.
    pub now: DateTime<Utc>,
}

struct Row {
    id: String,
    display_name: Option<String>,
    line: Option<String>,
    lifecycle: Option<String>,
    deprecated_at: Option<DateTime<Utc>>,
    retires_at: Option<DateTime<Utc>>,
    max_input_tokens: Option<i64>,
    max_output_tokens: Option<i64>,
    capabilities: Option<serde_json::Value>,
    refreshed_at: DateTime<Utc>,
    vanished_at: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for ReportedModel {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let lifecycle = row.lifecycle.map(|lifecycle| lifecycle.parse()).transpose();
        Ok(Self {
            lifecycle: lifecycle.map_err(|e| Error::inconsistent("models", "lifecycle", &row.id, e))?,
            id: row.id,
            display_name: row.display_name,
            line: row.line,
            deprecated_at: row.deprecated_at,
            retires_at: row.retires_at,
            max_input_tokens: row.max_input_tokens,
            max_output_tokens: row.max_output_tokens,
            capabilities: row.capabilities,
            refreshed_at: row.refreshed_at,
            vanished_at: row.vanished_at,
        })
    }
}

impl Store {
    /// Everything that is known of models here.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn known_models(&self) -> Result<KnownModels> {
        let reported = sqlx::query_as!(
            Row,
            r#"SELECT id, display_name, line, lifecycle::text, deprecated_at, retires_at, max_input_tokens,
                      max_output_tokens, capabilities, refreshed_at, vanished_at
               FROM models ORDER BY id"#,
        );
        let reported = reported.fetch_all(&self.pool).await?;
        let classes = sqlx::query!("SELECT name, model FROM model_classes").fetch_all(&self.pool).await?;
        let refresh = sqlx::query!(
            r#"SELECT requested_at, refreshed_at, refreshed_by, error, now() AS "now!" FROM model_refresh"#
        );
        let refresh = refresh.fetch_one(&self.pool).await?;
        Ok(KnownModels {
            reported: reported.into_iter().map(ReportedModel::try_from).collect::<Result<_>>()?,
            classes: classes.into_iter().map(|class| (class.name, class.model)).collect(),
            now: refresh.now,
            refresh: ModelRefresh {
                requested_at: refresh.requested_at,
                refreshed_at: refresh.refreshed_at,
                refreshed_by: refresh.refreshed_by,
                error: refresh.error,
            },
        })
    }

    /// When the list was last taken over.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn models_refreshed_at(&self) -> Result<Option<DateTime<Utc>>> {
        let at = sqlx::query_scalar!("SELECT refreshed_at FROM model_refresh");
        Ok(at.fetch_one(&self.pool).await?)
    }

    /// Asks for a list that is newer than the one that is there; a worker fetches it within seconds. Returns when that
    /// was.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn request_model_refresh(&self) -> Result<DateTime<Utc>> {
        let at = sqlx::query_scalar!(
            r#"UPDATE model_refresh SET requested_at = now(),
                      -- What failed a moment ago is tried again at once, unless somebody is at it.
                      free_at = CASE WHEN holder IS NULL THEN NULL ELSE free_at END
               RETURNING requested_at AS "at!""#
        );
        Ok(at.fetch_one(&self.pool).await?)
    }

    /// Whether `worker` is the one to ask the service now: the list is older than `age` or somebody wants a newer one, and
    /// nobody else is at it. Who is told so reports with [`Store::finish_model_refresh`] within a minute.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn take_model_refresh(&self, worker: &str, age: Duration) -> Result<bool> {
        let taken = sqlx::query!(
            "UPDATE model_refresh SET holder = $1, free_at = now() + make_interval(secs => $3)
             WHERE (free_at IS NULL OR free_at <= now())
               AND (refreshed_at IS NULL OR refreshed_at <= now() - make_interval(secs => $2)
                    OR requested_at > refreshed_at)",
            worker,
            age.as_secs_f64(),
            HELD_SECONDS,
        );
        Ok(taken.execute(&self.pool).await?.rows_affected() == 1)
    }

    /// Takes over what the service listed, marks what it no longer lists, or notes why there is no list. Does nothing
    /// when `worker` took longer than it may and another one is at it.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn finish_model_refresh(
        &self,
        worker: &str,
        listed: std::result::Result<&[ReportedModel], &str>,
    ) -> Result<bool> {
        let listed = match listed {
            Ok(listed) => listed,
            Err(error) => return self.fail_model_refresh(worker, error).await,
        };
        let of = |field: fn(&ReportedModel) -> Option<&String>| {
            listed
                .iter()
                .map(|model| field(model).map(|text| storable(text).into_owned()))
                .collect::<Vec<_>>()
        };
        let capabilities =
            listed.iter().map(|model| model.capabilities.clone().map(storable_json)).collect::<Vec<_>>();
        let done = sqlx::query_scalar!(
            r#"WITH done AS (
                   UPDATE model_refresh
                   SET holder = NULL, free_at = NULL, refreshed_at = now(), refreshed_by = $1, error = NULL
                   WHERE holder = $1
                   RETURNING refreshed_at
               ), listed AS (
                   INSERT INTO models (id, display_name, line, lifecycle, deprecated_at, retires_at, max_input_tokens,
                                       max_output_tokens, capabilities, refreshed_at)
                   SELECT DISTINCT ON (g.id) g.id, g.display_name, g.line, g.lifecycle::model_lifecycle, g.deprecated_at,
                          g.retires_at, g.max_input_tokens, g.max_output_tokens, g.capabilities, done.refreshed_at
                   FROM done
                   CROSS JOIN unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
                                     $7::timestamptz[], $8::bigint[], $9::bigint[], $10::jsonb[])
                       AS g (id, display_name, line, lifecycle, deprecated_at, retires_at, max_input_tokens,
                             max_output_tokens, capabilities)
                   ORDER BY g.id
                   ON CONFLICT (id) DO UPDATE
                   SET display_name = excluded.display_name, line = excluded.line, lifecycle = excluded.lifecycle,
                       deprecated_at = excluded.deprecated_at, retires_at = excluded.retires_at,
                       max_input_tokens = excluded.max_input_tokens, max_output_tokens = excluded.max_output_tokens,
                       capabilities = excluded.capabilities, refreshed_at = excluded.refreshed_at, vanished_at = NULL
               ), vanished AS (
                   UPDATE models SET vanished_at = done.refreshed_at
                   FROM done WHERE models.id <> ALL ($2) AND models.vanished_at IS NULL
               )
               SELECT true AS "done!" FROM done"#,
            worker,
            &listed.iter().map(|model| storable(&model.id).into_owned()).collect::<Vec<_>>(),
            &of(|model| model.display_name.as_ref()) as &[Option<String>],
            &of(|model| model.line.as_ref()) as &[Option<String>],
            &listed.iter().map(|model| model.lifecycle.map(|l| l.to_string())).collect::<Vec<_>>()
                as &[Option<String>],
            &listed.iter().map(|model| model.deprecated_at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
            &listed.iter().map(|model| model.retires_at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
            &listed.iter().map(|model| model.max_input_tokens.filter(|n| *n > 0)).collect::<Vec<_>>()
                as &[Option<i64>],
            &listed.iter().map(|model| model.max_output_tokens.filter(|n| *n > 0)).collect::<Vec<_>>()
                as &[Option<i64>],
            &capabilities as &[Option<serde_json::Value>],
        );
        Ok(done.fetch_optional(&self.pool).await?.is_some())
    }

    async fn fail_model_refresh(&self, worker: &str, error: &str) -> Result<bool> {
        let failed = sqlx::query!(
            "UPDATE model_refresh SET holder = NULL, error = $2, free_at = now() + make_interval(secs => $3)
             WHERE holder = $1",
            worker,
            &*storable(error),
            HELD_SECONDS,
        );
        Ok(failed.execute(&self.pool).await?.rows_affected() == 1)
    }

    /// Notes the classes that a worker is configured with; the worker that started last is right.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn report_model_classes(&self, worker: &str, classes: &BTreeMap<String, String>) -> Result<()> {
        let (names, models): (Vec<String>, Vec<String>) = classes.clone().into_iter().unzip();
        sqlx::query!(
            "WITH given AS (SELECT * FROM unnest($2::text[], $3::text[]) AS g (name, model)), gone AS (
                 DELETE FROM model_classes WHERE name <> ALL ($2)
             )
             INSERT INTO model_classes (name, model, reported_by)
             SELECT name, model, $1 FROM given ORDER BY name
             ON CONFLICT (name) DO UPDATE
             SET model = excluded.model, reported_by = excluded.reported_by, reported_at = now()",
            worker,
            &names,
            &models,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Where models are named that may be asked from now on: by agents that take tasks, rules of the active version,
    /// schedules that are enabled, and classes. At most 5,000 places.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn model_uses(&self) -> Result<Vec<ModelUse>> {
        let rows = sqlx::query!(
            r#"SELECT kind AS "kind!", name AS "name!", model AS "model!" FROM (
                   SELECT 'class' AS kind, c.name, c.model FROM model_classes c
                   UNION ALL
                   SELECT 'agent', a.name, m.model
                   FROM agents a JOIN agent_versions v ON v.agent_id = a.id AND v.version = a.version
                   CROSS JOIN unnest(v.model || v.fallback_models) AS m (model)
                   WHERE a.status = 'active'
                   UNION ALL
                   SELECT 'rule', format('%s × %s', r.rule->>'role', r.rule->>'step'), r.rule->>'model'
                   FROM active_routing JOIN routing_rules USING (version)
                   CROSS JOIN jsonb_array_elements(rules) AS r (rule)
                   UNION ALL
                   SELECT 'fallback', format('%s × %s', r.rule->>'role', r.rule->>'step'), f.model
                   FROM active_routing JOIN routing_rules USING (version)
                   CROSS JOIN jsonb_array_elements(rules) AS r (rule)
                   CROSS JOIN jsonb_array_elements_text(coalesce(r.rule->'fallback', '[]')) AS f (model)
                   UNION ALL
                   SELECT 'schedule', s.name, s.task->>'model'
                   FROM schedules s WHERE s.enabled AND s.task->>'model' IS NOT NULL
               ) AS uses
               ORDER BY kind, name, model LIMIT $1"#,
            MOST_USES,
        );
        let named = |kind: String, name: String, model| {
            let user = kind.parse().map_err(|e| Error::inconsistent("models", "kind", &name, e))?;
            Ok(ModelUse { user, name, model })
        };
        rows.fetch_all(&self.pool)
            .await?
            .into_iter()
            .map(|row| named(row.kind, row.name, row.model))
            .collect()
    }
}
