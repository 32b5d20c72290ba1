//! What a branch or tag may be called, by the rules of `git check-ref-format`.

/// Says why `name` cannot be a branch or tag.
pub(crate) fn check(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("it is empty");
    }
    if name.len() > 255 {
        return Err("it is longer than 255 bytes");
    }
    if name.starts_with('-') {
        return Err("it begins with '-'");
    }
    if name == "@" || name.contains("@{") {
        return Err("'@' alone and '@{' have a meaning of their own");
    }
    if name.contains("..") || name.ends_with('.') {
        return Err("it contains '..' or ends with '.'");
    }
    if name.chars().any(|c| c.is_control() || " ~^:?*[\\".contains(c)) {
        return Err("it contains a space, a control character or one of ~ ^ : ? * [ \\");
    }
    for part in name.split('/') {
        if part.is_empty() || part.starts_with('.') || part.ends_with(".lock") {
            return Err("a part between '/' is empty, begins with '.' or ends with '.lock'");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn names_follow_gits_rules() {
        for name in ["main", "feature/a-b", "v1.2", "refs/heads/main", "ü", "hive/0", "a@b"] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        for name in [
            "",
            "-x",
            "--upload-pack=touch x",
            "a..b",
            "a b",
            "a~1",
            "a^",
            "a:b",
            "a?",
            "a*",
            "a[",
            "a\\b",
            "/a",
            "a/",
            "a//b",
            ".a",
            "a/.b",
            "a.lock",
            "a/b.lock/c",
            "a.",
            "@",
            "a@{1}",
            "a\nb",
            "a\0b",
            "a\x7f",
        ] {
            assert!(check(name).is_err(), "{name:?}");
        }
    }
}
