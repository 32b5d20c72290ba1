//! The usage line of every command names what it cannot do without.

use std::process::Command;

use hive_domain::{Channel, SystemEventKind};
use hive_tests::binary;

/// What `hive … --help` prints.
fn help(command: &[String]) -> String {
    let output = Command::new(binary("hive")).args(command).arg("--help").output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The usage lines of a command and all below it, without what every command has.
fn usages(command: &[String], found: &mut Vec<String>) {
    let text = help(command);
    let below: Vec<&str> = text
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    if below.is_empty() {
        let usage = text.lines().find_map(|line| line.strip_prefix("Usage: hive ")).unwrap();
        let (words, rest) = usage.split_once(" [OPTIONS]").unwrap();
        assert_eq!(words, command.join(" "));
        found.push(format!("{words}{rest}"));
    }
    for name in below {
        usages(&[command, &[name.to_owned()]].concat(), found);
    }
}

#[test]
fn every_usage_line_names_what_the_command_needs() {
    let mut found = Vec::new();
    usages(&[], &mut found);
    let all = [
        "dev",
        "migrate",
        "doctor",
        "verify",
        "probe [URL]",
        "task submit <TITLE>",
        "task list",
        "task show <ID>",
        "task steps <ID>",
        "task events <ID>",
        "task diff <ID>",
        "task why <ID>",
        "task bulk <FILE>",
        "task cancel <ID|FILTER|--all>",
        "task action <ID>",
        "task priority <PRIORITY> <ID|FILTER|--all>",
        "task retry <ID>",
        "task tell <ID> <TEXT>",
        "task messages <ID>",
        "task fork --from-step <FROM_STEP> <ID>",
        "task recording --from <DIRECTORY> <ID>",
        "task outcome <ID> <OUTCOME>",
        "queue pause",
        "queue drain",
        "queue resume",
        "queue list",
        "queue limits",
        "queue limit <--key <KEY>|--agent <AGENT>>",
        "queue drop-limit <--key <KEY>|--agent <AGENT>>",
        "budget list",
        "budget set <CAP>",
        "budget remove",
        "batch list",
        "usage",
        "events",
        "provider show",
        "provider resume",
        "dead list",
        "dead redrive <ID|FILTER|--all>",
        "message send <CONTENT>",
        "message list <AGENT>",
        "message conversation <ID>",
        "message search <QUERY>",
        "message ack <AGENT> <MESSAGES>...",
        "message dead",
        "message inbox <AGENT>",
        "memory search <QUERY>",
        "memory show <ID>",
        "memory store <CONTENT>",
        "memory edit <--content <CONTENT>|--title <TITLE>|--importance <IMPORTANCE>> <ID>",
        "memory pin <ID>",
        "memory unpin <ID>",
        "memory lock <ID>",
        "memory unlock <ID>",
        "memory history <ID>",
        "memory redact <ID> <TEXTS>...",
        "memory delete <ID>",
        "session create <NAME>",
        "session list",
        "session show <ID>",
        "sleep <AGENT|--type <TYPE>|--role <ROLE>|--all>",
        "wake <AGENT|--type <TYPE>|--role <ROLE>|--all>",
        "agent list",
        "agent show <ID>",
        "agent sleeps <ID>",
        "agent sleep-settings <ID>",
        "models list",
        "models refresh",
        "routing show [VERSION]",
        "routing set <FILE>",
        "routing activate <VERSION>",
        "schedule create --cron <CRON> <--title <TITLE>|--task <JSON>|--duty <DUTY>|--sleep-type <TYPE>|\
         --sleep-agent <AGENT>...|--sleep-all> <NAME>",
        "schedule list",
        "schedule show <ID>",
        "schedule enable <ID>",
        "schedule disable <ID>",
        "schedule delete <ID>",
        "schedule run <ID>",
        "cycle begin",
        "cycle list",
        "cycle show <ID>",
        "cycle diff <ID>",
        "cycle cancel <ID>",
        "cycle rollback <ID>",
        "checkpoint create",
        "checkpoint list",
        "checkpoint show <ID>",
        "checkpoint verify <DIRECTORY>",
        "checkpoint restore <DIRECTORY>",
        "eval memory",
        "housekeeping list",
        "housekeeping run <DUTY>",
    ];
    assert_eq!(found, all);
}

/// A command that its usage line calls whole is not refused as incomplete, and one that lacks a part is.
#[test]
fn a_command_without_what_its_usage_line_names_is_refused() {
    let mut found = Vec::new();
    usages(&[], &mut found);
    for usage in found.iter().filter(|usage| usage.contains('<')) {
        let words = usage
            .split_whitespace()
            .take_while(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-'));
        let words: Vec<&str> = words.take_while(|word| !word.starts_with('-')).collect();
        let mut command = Command::new(binary("hive"));
        // Nobody listens on port 1, so that what is not refused fails otherwise.
        command
            .args(&words)
            .env("HIVE_URL", "http://127.0.0.1:1")
            .env("HIVE_TOKEN", "a-token-of-some-length");
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "hive {words:?}: {output:?}");
    }
}

#[test]
fn the_kinds_of_events_are_listed_and_others_refused() {
    let text = help(&["events".to_owned()]);
    for kind in SystemEventKind::ALL {
        assert!(text.contains(kind.as_str()), "{kind} is not in the help:\n{text}");
    }
    for channel in Channel::ALL {
        assert!(text.contains(channel.as_str()), "{channel} is not in the help:\n{text}");
    }
    for (option, odd) in [("--kind", "queue.pausd"), ("--channel", "events")] {
        let output = Command::new(binary("hive")).args(["events", option, odd]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert!(complaint.contains(option) && complaint.contains(odd), "{complaint}");
        assert!(option != "--kind" || complaint.contains("queue.paused"), "{complaint}");
    }
}
