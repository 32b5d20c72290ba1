//! `hive task recording`: what workers recorded of a task, held against its journal.

use std::{
    collections::{HashMap, HashSet},
    fs::OpenOptions,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};

use clap::Args;
use hive_agent::{RecordedCall, Recording};
use hive_domain::TaskId;
use serde_json::{Value, json};

use crate::{client::Client, failure::Failure, output};

#[derive(Args)]
pub(crate) struct Options {
    /// Its id.
    id: TaskId,
    /// Where a worker records (its HIVE_RECORD), or a copy of it; given once for each host that worked on the task.
    #[arg(long = "from", value_name = "DIRECTORY", required = true)]
    from: Vec<PathBuf>,
    /// A file to write, which is not there yet; else the recording is printed.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// An answer that the journal holds.
struct Answer {
    seq: i64,
    /// Of the request, where the journal has it.
    request_sha256: Option<String>,
    request_id: Option<String>,
}

pub(crate) async fn run(client: &Client, options: &Options, as_json: bool) -> Result<(), Failure> {
    let (mut calls, mut torn) = (Vec::new(), 0);
    for directory in &options.from {
        let failed = |error: std::io::Error| Failure::Failed(error.to_string());
        let Some(read) = Recording::read(directory, options.id).map_err(failed)? else { continue };
        if read.incomplete {
            return Err(Failure::Failed(format!(
                "the recording in {} is incomplete: a worker could not write to it",
                directory.display()
            )));
        }
        torn += usize::from(read.torn);
        calls.extend(read.calls);
    }
    if calls.is_empty() {
        let places: Vec<_> = options.from.iter().map(|place| place.display().to_string()).collect();
        return Err(Failure::Failed(format!(
            "no call of task {} is recorded in {}; workers record where HIVE_RECORD names a directory",
            options.id,
            places.join(", ")
        )));
    }
    let answers = answers(&super::all_steps(client, &options.id.to_string()).await?);
    let missing: Vec<_> =
        answers.iter().filter(|answer| !answer.is_in(&calls)).map(|answer| answer.seq.to_string()).collect();
    if !missing.is_empty() {
        return Err(Failure::Failed(format!(
            "the recording is incomplete: it lacks the calls of step {}; name the directory of each host with --from",
            missing.join(", ")
        )));
    }
    let found = calls.len();
    let calls = as_it_went(calls, &answers);
    let text: String = calls.iter().map(|call| format!("{}\n", call.line)).collect();
    let Some(path) = &options.output else {
        print!("{text}");
        return Ok(());
    };
    let failed = |error| Failure::Failed(format!("{}: {error}", path.display()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    let (repeated, steps) = (found - calls.len(), answers.len());
    if as_json {
        return output::json(&json!({
            "calls": calls.len(), "answers": steps, "repeated": repeated, "torn": torn, "file": path,
        }));
    }
    println!("{} calls, with the answers of all {steps} steps that the model wrote", calls.len());
    if torn > 0 {
        println!("{torn} half lines were left out: a worker was killed while it wrote");
    }
    if repeated > 0 {
        println!("{repeated} answers were left out: a worker was killed before they were in the journal");
    }
    Ok(())
}

/// The answers in the journal that the task's own runs asked for; a fork shares others with its original.
fn answers(steps: &[Value]) -> Vec<Answer> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let own = steps.iter().filter(|step| !step["run"].as_str().is_some_and(|run| run.ends_with(".0")));
    let answers = own.map(|step| Answer {
        seq: step["seq"].as_i64().unwrap_or_default(),
        request_sha256: text(&step["content"]["exchange"]["request_sha256"]),
        request_id: text(&step["content"]["request_id"]),
    });
    answers.filter(|answer| answer.request_sha256.is_some() || answer.request_id.is_some()).collect()
}

impl Answer {
    fn is(&self, call: &RecordedCall) -> bool {
        let may_be =
            |known: &Option<String>, is: Option<&str>| known.as_deref().is_none_or(|known| is == Some(known));
        may_be(&self.request_sha256, Some(&call.request_sha256))
            && may_be(&self.request_id, call.request_id.as_deref())
    }

    fn is_in(&self, calls: &[RecordedCall]) -> bool {
        calls.iter().any(|call| call.is_whole && self.is(call))
    }
}

/// Calls as the journal knows them: of equal requests those that failed come first. A whole answer that the journal
/// does not hold was lost with its worker; the run went on with the answer to the same request that came later.
fn as_it_went(calls: Vec<RecordedCall>, answers: &[Answer]) -> Vec<RecordedCall> {
    let is_kept = |call: &RecordedCall| call.is_whole && answers.iter().any(|answer| answer.is(call));
    let answered: HashSet<_> =
        calls.iter().filter(|call| is_kept(call)).map(|call| call.request_sha256.clone()).collect();
    let mut first: HashMap<String, usize> = HashMap::new();
    for (place, call) in calls.iter().enumerate() {
        first.entry(call.request_sha256.clone()).or_insert(place);
    }
    let mut calls: Vec<_> = calls
        .into_iter()
        .map(|call| (first[&call.request_sha256], is_kept(&call), call))
        .filter(|(_, is_kept, call)| *is_kept || !call.is_whole || !answered.contains(&call.request_sha256))
        .collect();
    calls.sort_by_key(|(first, is_kept, _)| (*first, *is_kept));
    calls.into_iter().map(|(.., call)| call).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(request: &str, id: &str, is_whole: bool) -> RecordedCall {
        RecordedCall {
            line: format!("{request} {id}"),
            request_sha256: request.to_owned(),
            request_id: Some(id.to_owned()),
            is_whole,
        }
    }

    fn steps() -> Vec<Value> {
        let reply = |seq: u32, run: &str, request: &str, id: &str| {
            json!({ "seq": seq, "run": run,
                    "content": { "exchange": { "request_sha256": request }, "request_id": id } })
        };
        vec![
            reply(1, "t.0", "shared", "r0"),
            reply(2, "t.1", "one", "r1"),
            json!({ "seq": 3, "run": "t.1", "content": { "results": [] } }),
            reply(4, "t.2", "two", "r3"),
        ]
    }

    #[test]
    fn what_was_lost_with_its_worker_is_left_out_and_what_failed_stays() {
        let answers = answers(&steps());
        assert_eq!(answers.iter().map(|answer| answer.seq).collect::<Vec<_>>(), [2, 4]);
        let calls = vec![
            // The directory of the second host is named first.
            call("two", "r3", true),
            call("one", "cut", false),
            call("one", "r1", true),
            call("two", "lost", true),
            call("two", "overloaded", false),
            call("bad summary", "r9", true),
        ];
        assert!(answers.iter().all(|answer| answer.is_in(&calls)));
        let lines: Vec<_> = as_it_went(calls, &answers).into_iter().map(|call| call.line).collect();
        assert_eq!(lines, ["two overloaded", "two r3", "one cut", "one r1", "bad summary r9"]);
    }

    #[test]
    fn an_answer_that_was_not_recorded_is_missed() {
        let answers = answers(&steps());
        let calls = [call("one", "r1", true), call("two", "r3", false), call("two", "other", true)];
        assert!(answers[0].is_in(&calls) && !answers[1].is_in(&calls));
    }
}
