//! Reading query parameters: each by name, unknown ones refused.

use std::{fmt::Display, str::FromStr};

use axum::{extract::FromRequestParts, http::request::Parts};
use chrono::{DateTime, Datelike, Utc};
use url::form_urlencoded;

use crate::error::{ApiError, Result};

/// Entries of a page unless the caller says otherwise.
const DEFAULT_LIMIT: i64 = 50;
/// Entries of a page at most.
const MAX_LIMIT: i64 = 200;

/// The parameters that nobody has asked for yet.
#[derive(Debug)]
pub struct Query(Vec<(String, String)>);

/// Which part of a list is asked for.
#[derive(Debug)]
pub struct Page<C> {
    /// Where it begins.
    pub cursor: Option<C>,
    /// How many entries it has at most.
    pub limit: i64,
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let raw = parts.uri.query().unwrap_or_default();
        let pairs: Vec<_> = form_urlencoded::parse(raw.as_bytes()).into_owned().collect();
        match pairs.iter().find(|(name, value)| name.contains('\0') || value.contains('\0')) {
            Some((name, _)) => {
                Err(ApiError::parameter(&name.replace('\0', ""), "must not contain the character U+0000"))
            }
            None => Ok(Self(pairs)),
        }
    }
}

impl Query {
    /// All values of a parameter, as they came.
    pub fn texts(&mut self, name: &str) -> Vec<String> {
        self.0.extract_if(.., |(key, _)| key == name).map(|(_, value)| value).collect()
    }

    /// The value of a parameter that may be given once.
    ///
    /// # Errors
    /// 400 when it is given twice or cannot be read.
    pub fn one<T>(&mut self, name: &str) -> Result<Option<T>>
    where
        T: FromStr<Err: Display>,
    {
        match self.texts(name).as_slice() {
            [] => Ok(None),
            [value] => {
                value.parse().map(Some).map_err(|error: T::Err| ApiError::parameter(name, error.to_string()))
            }
            _ => Err(ApiError::parameter(name, "is given more than once")),
        }
    }

    /// The values of a parameter that may be given several times, or once with commas.
    ///
    /// # Errors
    /// 400 when one of them cannot be read.
    pub fn many<T>(&mut self, name: &str) -> Result<Vec<T>>
    where
        T: FromStr<Err: Display>,
    {
        let texts = self.texts(name);
        let pieces = texts.iter().flat_map(|text| text.split(',')).map(str::trim);
        pieces
            .filter(|piece| !piece.is_empty())
            .map(|piece| piece.parse().map_err(|error: T::Err| ApiError::parameter(name, error.to_string())))
            .collect()
    }

    /// A time that Postgres can hold.
    ///
    /// # Errors
    /// 400 for anything but RFC 3339 between the years 1 and 9999.
    pub fn time(&mut self, name: &str) -> Result<Option<DateTime<Utc>>> {
        let Some(text) = self.one::<String>(name)? else {
            return Ok(None);
        };
        // An unescaped plus of a time zone arrives as a space.
        match DateTime::parse_from_rfc3339(&text.replace(' ', "+")).map(|time| time.to_utc()) {
            Ok(time) if (1..=9999).contains(&time.year()) => Ok(Some(time)),
            _ => Err(ApiError::parameter(name, "is not a time of RFC 3339, such as 2026-01-31T09:30:00Z")),
        }
    }

    /// `limit` and `cursor`, and nothing else that was not asked for before.
    ///
    /// # Errors
    /// 400 when they cannot be read or a parameter is not known.
    pub fn page<C: FromStr>(mut self) -> Result<Page<C>> {
        let limit = self.one("limit")?.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(ApiError::parameter("limit", format!("is 1 to {MAX_LIMIT}")));
        }
        let cursor = match self.one::<String>("cursor")? {
            None => None,
            Some(text) => {
                let foreign = |_| ApiError::parameter("cursor", "is not a next_cursor of this list");
                Some(text.parse().map_err(foreign)?)
            }
        };
        self.finish()?;
        Ok(Page { cursor, limit })
    }

    /// Nothing is left that was not asked for.
    ///
    /// # Errors
    /// 400 that names the first parameter nobody knows.
    pub fn finish(self) -> Result<()> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(ApiError::parameter(name, "is not a parameter of this path")),
        }
    }
}
