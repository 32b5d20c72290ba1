//! Which tasks are meant, as options.

use clap::Args;
use serde_json::{Map, Value, json};
use url::form_urlencoded::Serializer;

use crate::{agent::called, client::Client, failure::Failure};

/// All that is given must fit.
#[derive(Args, Default)]
pub(crate) struct Filter {
    /// Only in this state; may be given several times.
    #[arg(long)]
    status: Vec<String>,
    /// Only with this reason.
    #[arg(long)]
    reason: Option<String>,
    /// Only with this label, as name=value; may be given several times.
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// Only in this session.
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Only parts of this task.
    #[arg(long, value_name = "ID")]
    parent: Option<String>,
    /// Only of this agent, by its id or its name.
    #[arg(long, value_name = "AGENT")]
    agent: Option<String>,
    /// Only those whose last failed try was of this class.
    #[arg(long)]
    error_class: Option<String>,
    /// Only accepted at or after this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    created_since: Option<String>,
    /// Only accepted before this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    created_before: Option<String>,
    /// Only ended at or after this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    ended_since: Option<String>,
    /// Only ended before this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    ended_before: Option<String>,
}

impl Filter {
    fn single(&self) -> [(&'static str, Option<&String>); 9] {
        [
            ("reason", self.reason.as_ref()),
            ("session_id", self.session.as_ref()),
            ("parent_id", self.parent.as_ref()),
            ("agent_id", self.agent.as_ref()),
            ("error_class", self.error_class.as_ref()),
            ("created_since", self.created_since.as_ref()),
            ("created_before", self.created_before.as_ref()),
            ("ended_since", self.ended_since.as_ref()),
            ("ended_before", self.ended_before.as_ref()),
        ]
    }

    /// Puts the agent's id in the place of its name.
    pub(crate) async fn resolve(&mut self, client: &Client) -> Result<(), Failure> {
        called::resolve(client, "--agent", &mut self.agent).await
    }

    /// True when every task fits.
    pub(crate) fn is_empty(&self) -> bool {
        self.status.is_empty()
            && self.labels.is_empty()
            && self.single().iter().all(|(_, value)| value.is_none())
    }

    /// As further parameters of a list.
    pub(crate) fn query(&self) -> String {
        let mut pairs = Serializer::new(String::new());
        for status in &self.status {
            pairs.append_pair("status", status);
        }
        for (name, value) in &self.labels {
            pairs.append_pair("label", &format!("{name}:{value}"));
        }
        for (name, value) in self.single() {
            if let Some(value) = value {
                pairs.append_pair(name, value);
            }
        }
        let query = pairs.finish();
        if query.is_empty() { query } else { format!("&{query}") }
    }

    /// As a part of a body.
    pub(crate) fn body(&self) -> Value {
        let mut body = Map::new();
        if !self.status.is_empty() {
            body.insert("status".to_owned(), json!(self.status));
        }
        if !self.labels.is_empty() {
            body.insert("labels".to_owned(), object(&self.labels));
        }
        for (name, value) in self.single() {
            if let Some(value) = value {
                body.insert(name.to_owned(), json!(value));
            }
        }
        Value::Object(body)
    }
}

/// Reads `name=value`.
pub(crate) fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as name=value")?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(crate) fn object(labels: &[(String, String)]) -> Value {
    Value::Object(labels.iter().map(|(name, value)| (name.clone(), json!(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_the_same_as_a_query_and_as_a_body() {
        let filter = Filter {
            status: vec!["ready".to_owned(), "waiting".to_owned()],
            labels: vec![("team".to_owned(), "a&b".to_owned())],
            created_before: Some("2026-01-01T00:00:00+01:00".to_owned()),
            ..Filter::default()
        };
        let query = "&status=ready&status=waiting&label=team%3Aa%26b&created_before=2026-01-01T00%3A00%3A00%2B01%3A00";
        assert_eq!(filter.query(), query);
        let body = json!({
            "status": ["ready", "waiting"], "labels": { "team": "a&b" }, "created_before": "2026-01-01T00:00:00+01:00",
        });
        assert_eq!(filter.body(), body);
        assert!(!filter.is_empty() && Filter::default().is_empty());
        assert_eq!((Filter::default().query(), Filter::default().body()), (String::new(), json!({})));
        assert_eq!(label("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(label("a").is_err());
    }
}
