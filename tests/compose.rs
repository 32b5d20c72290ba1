//! The deployment is as hard as it says: each rule over docker-compose.yml, and each rule shown to find its breach.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "compose/rules.rs"]
mod rules;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use regex::Regex;
use serde_norway::Value;

use rules::breaches;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn text(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}

fn compose() -> Value {
    parsed(&text("docker-compose.yml"))
}

fn parsed(yaml: &str) -> Value {
    let mut compose: Value = serde_norway::from_str(yaml).unwrap();
    // One pass for each level of anchors that refer to anchors.
    for _ in 0..3 {
        compose.apply_merge().unwrap();
    }
    compose
}

#[test]
fn every_service_is_confined() {
    let breaches = breaches(&compose());
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

/// Each line of a sound service that is changed or left out is found, by the word that the breach names.
#[test]
fn every_rule_finds_its_breach() {
    let sound = text("docker-compose.yml");
    assert!(breaches(&parsed(&sound)).is_empty());
    for (line, with, found) in [
        ("  read_only: true\n", "", "read_only"),
        ("  cap_drop: [ALL]\n", "", "cap_drop"),
        ("  cap_drop: [ALL]\n", "  cap_drop: [ALL]\n  cap_add: [SYS_ADMIN]\n", "cap_add"),
        ("[\"no-new-privileges:true\"]", "[\"seccomp:unconfined\"]", "no-new-privileges"),
        ("  init: true\n", "  init: true\n  privileged: true\n", "privileged"),
        ("  init: true\n", "  init: true\n  pid: host\n", "pid"),
        ("  init: true\n", "  init: true\n  user: \"0\"\n", "user"),
        ("options: { max-size: 20m, max-file: \"5\" }", "options: {}", "logging"),
        ("\"git:/srv/git:ro\"", "\"/var/run/docker.sock:/var/run/docker.sock\"", "docker.sock"),
        ("\"git:/srv/git:ro\"", "\"/etc:/srv/git\"", "/etc"),
        ("  stop_grace_period: 45s\n", "  stop_grace_period: 20s\n", "stop_grace_period"),
        ("memory: \"${HIVE_API_MEMORY:-1g}\", ", "", "memory"),
        (", pids: 1024 }", " }", "pids"),
        (
            "    healthcheck: { disable: true }\n    stop_grace_period: 30s\n",
            "    stop_grace_period: 30s\n",
            "healthcheck",
        ),
        ("test: [CMD, hive, probe]", "test: [CMD, curl, localhost]", "curl"),
        (
            "      HIVE_TOKEN_FILE: /run/secrets/hive_token\n",
            "      HIVE_TOKEN: secret-in-plain-sight\n",
            "HIVE_TOKEN",
        ),
        ("DATABASE_URL_FILE: /run/secrets/database_url", "DATABASE: postgres://a:b@c/d", "DATABASE"),
        (
            "secrets: [database_url, redis_url, hive_token]",
            "secrets: [database_url, redis_url]",
            "HIVE_TOKEN_FILE",
        ),
        ("\"${HIVE_BIND:-127.0.0.1}:", "\"0.0.0.0:", "published"),
        ("  stores: { internal: true }", "  stores: {}", "stores"),
        (
            "    networks: [stores]\n    secrets: [redis_password]",
            "    networks: [outside]\n    secrets: [redis_password]",
            "redis",
        ),
        ("    profiles: [demo]\n", "", "double"),
        (":-https://api.anthropic.com}", ":-http://double:7703}", "ANTHROPIC_BASE_URL"),
        ("HIVE_PROVIDER: ${HIVE_PROVIDER:-claude}", "HIVE_PROVIDER: double", "HIVE_PROVIDER"),
        ("      HIVE_SLOTS: \"1\"\n", "", "worker-isolated"),
        ("      replicas: 2\n", "", "scheduler"),
        ("      HIVE_REPO_ROOTS: /srv/git\n", "", "HIVE_REPO_ROOTS"),
        ("    networks: [stores, outside, watch]\n", "    networks: [stores, watch]\n", "outside"),
        (", \"/var/lib/hive:mode=0700,uid=10001,gid=10001,size=64m\"", "", "/var/lib/hive"),
    ] {
        assert!(sound.contains(line), "{line:?} is not there any more; change this test with it");
        let breaches = breaches(&parsed(&sound.replacen(line, with, 1)));
        assert!(
            breaches.iter().any(|breach| breach.contains(found)),
            "{line:?} → {with:?} is not found: {breaches:?}"
        );
    }
}

/// `${NAME:-default}` in the compose file, and the same in the example.
#[test]
fn the_example_of_settings_lists_what_is_read() {
    let found = Regex::new(r"\$\{([A-Z_]+):-([^}]*)\}").unwrap();
    let compose = text("docker-compose.yml");
    let read: BTreeMap<&str, &str> = found
        .captures_iter(&compose)
        .map(|c| (c.get(1).unwrap().as_str(), c.get(2).unwrap().as_str()))
        .collect();
    let example = text(".env.example");
    let listed: BTreeMap<&str, &str> = example
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .collect();
    assert_eq!(read, listed);
    let without = Regex::new(r"\$\{?[A-Z_]+\}?").unwrap();
    let bare: Vec<&str> =
        without.find_iter(&compose).map(|m| m.as_str()).filter(|m| m.ends_with('}')).collect();
    assert!(bare.is_empty(), "without a default: {bare:?}");
    for line in text("demo.env").lines().filter(|line| !line.starts_with('#')) {
        let name = line.split('=').next().unwrap();
        assert!(
            name == "COMPOSE_PROFILES" || read.contains_key(name),
            "{name} of demo.env is read by nobody"
        );
    }
}

#[test]
fn images_end_as_users_without_rights_and_bring_their_own_probe() {
    let dockerfile = text("Dockerfile");
    let last = dockerfile.rsplit("\nFROM ").next().unwrap();
    assert!(last.contains("\nUSER 10001:10001\n") && last.contains("\nHEALTHCHECK "), "{last}");
    assert!(!dockerfile.contains("curl") && !dockerfile.contains("wget"));
    let stores = text("containers/stores.Dockerfile");
    let stages: Vec<&str> = stores.split("\nFROM ").skip(2).collect();
    assert_eq!(stages.len(), 3);
    for stage in stages {
        let user = stage.lines().filter_map(|line| line.strip_prefix("USER ")).next_back();
        assert!(user.is_some_and(|user| user != "root" && user != "0"), "{stage}");
        assert!(stage.contains("HEALTHCHECK "), "{stage}");
    }
}

#[test]
fn the_hives_user_of_redis_cannot_flush_it() {
    let users = text("containers/redis/users.acl");
    let rules: BTreeMap<&str, &str> =
        users.lines().filter_map(|line| line.strip_prefix("user ")?.split_once(' ')).collect();
    assert_eq!(rules["default"], "off");
    let words: BTreeSet<&str> = rules["hive"].split(' ').collect();
    for word in ["-@dangerous", "-@admin", "~hive:*", "~{hive:*", "&hive:*"] {
        assert!(words.contains(word), "{word}: {users}");
    }
    assert!(!words.contains("nopass") && !words.contains("~*") && !words.contains("allkeys"));
    let settings = text("containers/redis/redis.conf");
    for line in ["maxmemory-policy noeviction", "appendonly yes", "aclfile /run/store/users.acl"] {
        assert!(settings.lines().any(|found| found == line), "{line}");
    }
}

/// What Compose itself says, where it is there.
#[test]
fn compose_reads_the_file() {
    let Some(program) = ["docker-compose", "docker"].into_iter().find(|name| {
        let arguments: &[&str] = if *name == "docker" { &["compose", "version"] } else { &["version"] };
        Command::new(name).args(arguments).output().is_ok_and(|output| {
            output.status.success() && !String::from_utf8_lossy(&output.stdout).contains("version 1.")
        })
    }) else {
        eprintln!("skipped: neither docker-compose 2 nor the plugin of docker is here");
        return;
    };
    for settings in [None, Some("demo.env")] {
        let mut command = Command::new(program);
        command.current_dir(root()).env_remove("COMPOSE_PROFILES");
        if program == "docker" {
            command.arg("compose");
        }
        if let Some(file) = settings {
            command.args(["--env-file", file]);
        }
        let output = command.args(["config", "--services"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let services = String::from_utf8_lossy(&output.stdout).into_owned();
        let has_double = services.lines().any(|service| service == "double");
        assert_eq!(has_double, settings.is_some(), "only a demo has the double: {services}");
    }
}
