//! Which model answers: classes of the configuration, never ids in code.

use std::{collections::BTreeMap, str::FromStr};

/// Model ids by class. An agent or a task names a class or an id.
#[derive(Clone, Debug)]
pub struct Models {
    classes: BTreeMap<String, String>,
}

impl Models {
    /// The id for a class, or the name itself when it is no class.
    #[must_use]
    pub fn resolve<'a>(&'a self, name: &'a str) -> &'a str {
        self.classes.get(name).map_or(name, String::as_str)
    }

    /// Whether a name is a class.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.classes.contains_key(name)
    }

    /// Model ids by class.
    #[must_use]
    pub const fn all(&self) -> &BTreeMap<String, String> {
        &self.classes
    }
}

impl FromStr for Models {
    type Err = String;

    /// Reads `class=id,class=id`.
    fn from_str(text: &str) -> Result<Self, String> {
        let class = |pair: &str| match pair.split_once('=') {
            Some((class, id)) if !class.trim().is_empty() && !id.trim().is_empty() => {
                Ok((class.trim().to_owned(), id.trim().to_owned()))
            }
            _ => Err(format!("{pair:?} is not of the form class=model-id")),
        };
        Ok(Self { classes: text.split(',').map(class).collect::<Result<_, _>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_resolve_and_ids_stay() {
        let models: Models = "work=model-a, hard=model-b".parse().unwrap();
        assert_eq!(models.resolve("work"), "model-a");
        assert_eq!(models.resolve("hard"), "model-b");
        assert_eq!(models.resolve("model-c"), "model-c");
        assert!("work".parse::<Models>().is_err());
        assert!("=x".parse::<Models>().is_err());
    }
}
