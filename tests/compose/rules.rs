//! What must hold for every service. A breach is a sentence.

use serde_norway::{Mapping, Value};

/// What runs get after the drain to hand their tasks back, as `worker/src/process.rs` has it.
const HAND_BACK_SECONDS: u64 = 5;
/// Services that run once and end.
const ONE_SHOT: [&str; 1] = ["migrate"];
/// They look into the repositories of tasks, on this machine and elsewhere.
const USE_GIT: [&str; 4] = ["api", "worker", "worker-isolated", "scheduler"];
/// Stores: reached by the hive and by nobody else.
const STORES: [&str; 2] = ["postgres", "redis"];

/// Everything that is wrong.
pub(crate) fn breaches(compose: &Value) -> Vec<String> {
    let mut all = Vec::new();
    let services = compose["services"].as_mapping().unwrap();
    for (name, service) in services {
        let name = name.as_str().unwrap();
        let mut found = Vec::new();
        confinement(service, &mut found);
        life(name, service, &mut found);
        secrets(service, &mut found);
        mounts(compose, service, &mut found);
        reach(name, service, &mut found);
        if USE_GIT.contains(&name) {
            git(service, &mut found);
        }
        all.extend(found.into_iter().map(|breach| format!("{name}: {breach}")));
    }
    shape(compose, services, &mut all);
    all
}

fn words(value: &Value) -> Vec<String> {
    let shown = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(yes) => yes.to_string(),
        other => format!("{other:?}"),
    };
    match value {
        Value::Sequence(items) => items.iter().map(shown).collect(),
        Value::Null => Vec::new(),
        one => vec![shown(one)],
    }
}

fn confinement(service: &Value, found: &mut Vec<String>) {
    if service["read_only"] != true {
        found.push("read_only is not set".to_owned());
    }
    if words(&service["cap_drop"]) != ["ALL"] {
        found.push("cap_drop is not [ALL]".to_owned());
    }
    let options = words(&service["security_opt"]);
    if !options.iter().any(|option| option == "no-new-privileges:true") {
        found.push("security_opt has no no-new-privileges:true".to_owned());
    }
    if options.iter().any(|option| option.contains("unconfined")) {
        found.push("security_opt lifts a wall".to_owned());
    }
    for forbidden in
        ["privileged", "cap_add", "devices", "pid", "ipc", "network_mode", "userns_mode", "cgroup"]
    {
        if !service[forbidden].is_null() {
            found.push(format!("{forbidden} is set"));
        }
    }
    let user = words(&service["user"]).concat();
    if user == "root" || user.split(':').next() == Some("0") {
        found.push("user is root".to_owned());
    }
}

fn life(name: &str, service: &Value, found: &mut Vec<String>) {
    let health = &service["healthcheck"];
    if ONE_SHOT.contains(&name) {
        if health["disable"] != true {
            found.push("healthcheck of something that ends is not disabled".to_owned());
        }
    } else if words(&health["test"]).first().is_none_or(|first| first != "CMD") {
        found.push("healthcheck runs no program".to_owned());
    }
    if words(&health["test"]).iter().any(|word| word == "curl") {
        found.push("healthcheck needs curl, which no image has".to_owned());
    }
    let limits = &service["deploy"]["resources"]["limits"];
    for limit in ["cpus", "memory", "pids"] {
        if limits[limit].is_null() {
            found.push(format!("there is no limit of {limit}"));
        }
    }
    let options = &service["logging"]["options"];
    if options["max-size"].is_null() || options["max-file"].is_null() {
        found.push("logging has no bounds".to_owned());
    }
    if service["restart"].is_null() {
        found.push("restart is not said".to_owned());
    }
    let grace = words(&service["stop_grace_period"]).concat();
    let Some(grace) = grace.strip_suffix('s').and_then(|seconds| seconds.parse::<u64>().ok()) else {
        found.push("stop_grace_period is not given in seconds".to_owned());
        return;
    };
    let drain = words(&service["environment"]["HIVE_DRAIN_SECONDS"]).concat();
    if let Some(drain) =
        default_of(&drain).parse::<u64>().ok().filter(|drain| grace <= drain + HAND_BACK_SECONDS)
    {
        found.push(format!(
            "stop_grace_period of {grace} s is no longer than a drain of {drain} s and the hand-back"
        ));
    }
}

/// `default` of `${NAME:-default}`, or the text itself.
fn default_of(text: &str) -> &str {
    let inner = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    inner.and_then(|inner| inner.split_once(":-")).map_or(text, |(_, default)| default)
}

fn secrets(service: &Value, found: &mut Vec<String>) {
    const SECRET: [&str; 4] = ["PASSWORD", "TOKEN", "KEY", "SECRET"];
    let given = words(&service["secrets"]);
    let empty = Mapping::new();
    for (name, value) in service["environment"].as_mapping().unwrap_or(&empty) {
        let (name, value) = (name.as_str().unwrap(), words(value).concat());
        let in_file = name.ends_with("_FILE");
        if in_file {
            let secret = value.strip_prefix("/run/secrets/").unwrap_or_default();
            if !given.iter().any(|given| given == secret) {
                found.push(format!("{name} names no secret of this service"));
            }
        } else if SECRET.iter().any(|word| name.contains(word)) {
            found.push(format!("{name} stands in the environment; give it as a file"));
        }
        let carries_password = value.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
        if carries_password || ["DATABASE_URL", "REDIS_URL"].contains(&name) {
            found.push(format!("{name} carries a password"));
        }
    }
}

fn mounts(compose: &Value, service: &Value, found: &mut Vec<String>) {
    let named = compose["volumes"].as_mapping().unwrap();
    for mount in words(&service["volumes"]) {
        let source = mount.split(':').next().unwrap();
        if mount.contains("docker.sock") {
            found.push("docker.sock is mounted".to_owned());
        }
        let ours_to_read = source.starts_with("./grafana/") && mount.ends_with(":ro");
        if !named.contains_key(source) && !ours_to_read {
            found.push(format!("{source} is neither a named volume nor a file of ours that is only read"));
        }
    }
}

fn reach(name: &str, service: &Value, found: &mut Vec<String>) {
    for port in words(&service["ports"]) {
        if !port.starts_with("127.0.0.1:") && !port.starts_with("${HIVE_BIND:-127.0.0.1}:") {
            found.push(format!("{port} is published beyond this machine"));
        }
    }
    if STORES.contains(&name) && (words(&service["networks"]) != ["stores"] || !service["ports"].is_null()) {
        found.push("is reached from outside of the network of the stores".to_owned());
    }
    let claude = words(&service["environment"]["ANTHROPIC_BASE_URL"]).concat();
    if !claude.is_empty() && default_of(&claude) != "https://api.anthropic.com" {
        found.push("ANTHROPIC_BASE_URL does not lead to Claude by default".to_owned());
    }
    let provider = words(&service["environment"]["HIVE_PROVIDER"]).concat();
    if !provider.is_empty() && default_of(&provider) != "claude" {
        found.push("HIVE_PROVIDER is not claude by default".to_owned());
    }
}

/// What git needs: the repositories, the way to those elsewhere, and a place to write.
fn git(service: &Value, found: &mut Vec<String>) {
    let volumes = words(&service["volumes"]);
    let roots = words(&service["environment"]["HIVE_REPO_ROOTS"]).concat();
    if roots.is_empty() || !volumes.iter().any(|mount| mount.split(':').nth(1) == Some(&roots)) {
        found.push("HIVE_REPO_ROOTS is not where repositories are mounted".to_owned());
    }
    if !words(&service["networks"]).iter().any(|network| network == "outside") {
        found.push("no repository elsewhere is reached without the network outside".to_owned());
    }
    let mut mounts =
        volumes.iter().filter(|mount| !mount.ends_with(":ro")).map(|mount| mount.split(':').nth(1));
    let tmpfs = words(&service["tmpfs"]);
    let in_memory = tmpfs.iter().any(|mount| mount.split(':').next() == Some("/var/lib/hive"));
    if !in_memory && !mounts.any(|place| place == Some("/var/lib/hive")) {
        found.push("git has nowhere to write: /var/lib/hive is read-only".to_owned());
    }
}

/// What the whole must be.
fn shape(compose: &Value, services: &Mapping, all: &mut Vec<String>) {
    for network in ["stores", "watch"] {
        if compose["networks"][network]["internal"] != true {
            all.push(format!("the network {network} leads outside"));
        }
    }
    let double = &services["double"];
    if words(&double["profiles"]) != ["demo"] {
        all.push("double: starts without the profile demo".to_owned());
    }
    let needs_double = services.values().any(|service| match &service["depends_on"] {
        Value::Mapping(needed) => needed.contains_key("double"),
        other => words(other).iter().any(|needed| needed == "double"),
    });
    if needs_double {
        all.push("double: something depends on it".to_owned());
    }
    let isolated = &services["worker-isolated"]["environment"];
    if isolated["HIVE_ISOLATED"] != "true" || isolated["HIVE_SLOTS"] != "1" {
        all.push("worker-isolated: is not isolated, or has more than one place".to_owned());
    }
    if services["scheduler"]["deploy"]["replicas"].as_u64().unwrap_or(1) < 2 {
        all.push("scheduler: there are not two".to_owned());
    }
    for scaled in ["worker", "scheduler"] {
        if !services[scaled]["container_name"].is_null() || !services[scaled]["ports"].is_null() {
            all.push(format!("{scaled}: cannot be scaled"));
        }
    }
}
