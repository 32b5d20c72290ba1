//! Taking secrets out of text.

use std::{borrow::Cow, collections::BTreeSet, fmt::Write};

use regex::Regex;

const REDACTED: &str = "[redacted]";

/// Shapes of credentials, whoever they belong to: Anthropic keys, bearer tokens, passwords in URLs.
const SHAPES: &str = r#"(?x)
    sk-ant-[A-Za-z0-9_-]+
  | (?i:\bbearer)\s+[A-Za-z0-9._~+/=-]+
  | (?<before>://[^\s/@:]*:)[^\s/@]+(?<after>@)
  | (?<parameter>[?&]pass(?:word)?=)[^\s&"']+"#;

/// Knows the secrets of this process in all the spellings they take in a log.
#[derive(Debug)]
pub(crate) struct Redactor {
    secrets: Option<Regex>,
    shapes: Regex,
}

impl Redactor {
    /// Empty secrets are left out; all others count, however short: an unreadable line is better than a leak.
    pub(crate) fn new(secrets: &[String]) -> Self {
        let spellings: BTreeSet<String> = secrets
            .iter()
            .flat_map(|secret| secrets_in(secret))
            .flat_map(|secret| spellings(&secret))
            .collect();
        let mut spellings: Vec<_> = spellings.into_iter().filter(|text| !text.is_empty()).collect();
        // Longest first: the alternation takes the first that fits, and a secret may begin with another.
        spellings.sort_by_key(|text| std::cmp::Reverse(text.len()));
        let alternatives: Vec<_> = spellings.iter().map(|text| regex::escape(text)).collect();
        let compile = |pattern: &str| {
            regex::RegexBuilder::new(pattern)
                .size_limit(64 << 20)
                .build()
                .expect("the pattern consists of escaped text and constants, and is far below the size limit")
        };
        Self {
            secrets: (!alternatives.is_empty()).then(|| compile(&alternatives.join("|"))),
            shapes: compile(SHAPES),
        }
    }

    pub(crate) fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        // Secrets go first: a shape may end inside a secret and leave the rest of it.
        let known = match &self.secrets {
            Some(secrets) => secrets.replace_all(text, REDACTED),
            None => Cow::Borrowed(text),
        };
        let replace = format!("${{before}}${{parameter}}{REDACTED}${{after}}");
        match self.shapes.replace_all(&known, replace) {
            Cow::Borrowed(_) => known,
            Cow::Owned(clean) => Cow::Owned(clean),
        }
    }
}

/// The secret itself, or of a URL the passwords in it, as written and decoded.
fn secrets_in(secret: &str) -> Vec<String> {
    let Some((_, rest)) = secret.split_once("://") else {
        return vec![secret.to_owned()];
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let userinfo = authority.rsplit_once('@').map_or("", |(userinfo, _)| userinfo);
    let password = userinfo.split_once(':').map_or("", |(_, password)| password);
    // A URL of a unix socket has no user in front of a host, so its password is a parameter.
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let parameters = query.split('&').filter_map(|parameter| parameter.split_once('='));
    parameters
        .filter(|(name, _)| ["pass", "password"].contains(name))
        .map(|(_, value)| value)
        .chain([password])
        .flat_map(|password| [password.to_owned(), percent_decoded(password)])
        .collect()
}

/// How a secret looks in a log: plain, as Rust's `Debug` writes it, inside JSON, inside a URL, and each of the former
/// once more inside `Debug` or JSON.
fn spellings(secret: &str) -> Vec<String> {
    let quoted = [debugged(secret), in_json(secret)];
    let nested = quoted.iter().flat_map(|text| [debugged(text), in_json(text)]).collect::<Vec<_>>();
    [vec![secret.to_owned(), percent_encoded(secret)], quoted.to_vec(), nested].concat()
}

fn debugged(text: &str) -> String {
    unquoted(&format!("{text:?}"))
}

fn in_json(text: &str) -> String {
    unquoted(&serde_json::Value::from(text).to_string())
}

fn unquoted(text: &str) -> String {
    let text = text.strip_prefix('"').unwrap_or(text);
    text.strip_suffix('"').unwrap_or(text).to_owned()
}

fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a string does not fail");
        }
        encoded
    })
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(secrets: &[&str], text: &str) -> String {
        let secrets: Vec<_> = secrets.iter().map(|&secret| secret.to_owned()).collect();
        Redactor::new(&secrets).redact(text).into_owned()
    }

    #[test]
    fn a_secret_goes_in_every_spelling() {
        let secret = "p\"a\\s\ns w/é";
        let json = serde_json::json!({ "password": secret }).to_string();
        let texts = [
            format!("plain {secret} end"),
            format!("debug {secret:?} end"),
            format!("json {json} end"),
            format!("json in debug {json:?} end"),
            format!("debug in debug {:?} end", format!("{secret:?}")),
            format!("encoded {} end", percent_encoded(secret)),
        ];
        for text in texts {
            let clean = redacted(&[secret], &text);
            assert!(clean.contains(REDACTED) && clean.ends_with("end"), "{clean}");
            for part in ["a\\s", "a\\\\s", "s w", "s%20w", "%22a"] {
                assert!(!clean.contains(part), "{text} became {clean}");
            }
        }
    }

    #[test]
    fn credentials_go_by_their_shape() {
        let clean = |text| redacted(&[], text);
        assert_eq!(clean("key sk-ant-api03-AbC_d-e, next"), "key [redacted], next");
        assert_eq!(clean("authorization: bearer eyJ.a_b-c=; x"), "authorization: [redacted]; x");
        assert_eq!(clean("postgres://hive:s3cret@db:5432/hive"), "postgres://hive:[redacted]@db:5432/hive");
        assert_eq!(
            clean("redis://:s3cret@db and http://db:80/a"),
            "redis://:[redacted]@db and http://db:80/a"
        );
        assert_eq!(
            clean("redis+unix:///run/r.sock?db=1&pass=s3cret&x=1"),
            "redis+unix:///run/r.sock?db=1&pass=[redacted]&x=1"
        );
        assert_eq!(clean("the bear is here"), "the bear is here");
    }

    #[test]
    fn a_url_stands_for_its_password() {
        let clean = redacted(&["postgres://hive:a%40b@db/hive"], "failed for a@b and a%40b on db/hive");
        assert_eq!(clean, "failed for [redacted] and [redacted] on db/hive");
        let clean =
            redacted(&["redis+unix:///run/r.sock?pass=a%2Fb&db=1"], "failed for a/b and a%2Fb on db 1");
        assert_eq!(clean, "failed for [redacted] and [redacted] on db 1");
        assert_eq!(redacted(&["postgres://db/hive", ""], "on db/hive"), "on db/hive");
    }

    #[test]
    fn the_longer_of_two_secrets_goes_whole() {
        assert_eq!(redacted(&["abc", "abcdef"], "x abcdef y"), "x [redacted] y");
        assert_eq!(redacted(&["to!ken"], "Bearer to!ken"), "Bearer [redacted]");
    }
}
