//! One question to the model: an intent in the journal, the call, its outcome. What to do after a failure is decided
//! by `hive_claude::verdict` alone.

use std::{collections::BTreeMap, time::Duration};

use fail::fail_point;
use hive_claude::{Block, Error, Progress, Request, StopReason, ToolInput, Verdict, WaitReason, verdict};
use hive_domain::{
    NanoUsd, Outcome, StatusReason, Usage,
    journal::{CacheMiss, Compacted, Entry, Exchange, Reply, Stop, TaskResult},
};
use hive_store::CallOutcome;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    act::Acted,
    meter::{self, Ended},
    persist::Marks,
    run::{Activation, Stopped},
    segments::{self, Due, Purpose},
    steer::interrupted,
};

/// How long after it was noted a call may still be sent: well within the lease that the note was written under.
const SURE: Duration = Duration::from_secs(2);

/// What the model is asked.
pub(crate) struct Question {
    /// Its id.
    pub(crate) model: String,
    request: Request,
    /// The SHA-256 of the request's bytes.
    pub(crate) digest: [u8; 32],
    /// The SHA-256 of what all requests of the run begin with.
    prefix: [u8; 32],
    /// What its answer is for.
    purpose: Purpose,
}

/// What is due when the model is to be asked.
pub(crate) enum Asking {
    /// Ask it.
    Model(Box<Question>),
    /// Begin a segment without asking anybody, then look again.
    Nobody(Box<Compacted>),
}

impl Activation<'_> {
    /// What the transcript stands for; why it cannot be asked, when it cannot.
    pub(crate) fn asking(&self) -> Result<Asking, (StatusReason, String)> {
        let task = &self.lease.leased;
        let model = task.model.as_deref().unwrap_or(&self.definition.model);
        let model = self.agent.models.resolve(model).to_owned();
        if hive_claude::cost(&model, &hive_claude::Usage::default()).is_none() {
            let detail = format!("no price is known for model {model}, so its cost could not be counted");
            return Err((StatusReason::ModelNotFound, detail));
        }
        let refused = |error: serde_json::Error| (StatusReason::InvalidRequest, error.to_string());
        let request = self.turn_request(&model).map_err(refused)?;
        let (request, purpose) = match self.put_aside(&model, &request)? {
            Due::Turn => (request, Purpose::Turn),
            Due::Summary(request, draft) => (*request, Purpose::Summary(draft)),
            Due::Segment(compacted) => return Ok(Asking::Nobody(compacted)),
        };
        let body = request.body().map_err(refused)?;
        let prefix = segments::prefix_digest(&request).map_err(refused)?;
        let digest = Sha256::digest(&body).into();
        Ok(Asking::Model(Box::new(Question { model, digest, prefix, purpose, request })))
    }

    /// Asks and appends the reply; `Some` when the run ends or parks instead.
    pub(crate) async fn ask(&mut self, until: Option<Instant>) -> Result<Option<Outcome>, Stopped> {
        let (mut noted, question) = match self.noted.take() {
            Some((call, asked, question)) => (Some((call, asked)), question),
            None => match self.asking() {
                Ok(Asking::Model(question)) => (None, *question),
                Ok(Asking::Nobody(compacted)) => {
                    self.begin_segment(*compacted, None).await?;
                    return Ok(None);
                }
                Err((reason, detail)) => return Ok(Some(failed(reason, detail))),
            },
        };
        let Question { model, request, digest, prefix, purpose } = question;
        for attempt in 1.. {
            let call = loop {
                let (call, asked) = match noted.take() {
                    Some(noted) => noted,
                    None => {
                        fail_point!("begin_call::before", |_| std::process::abort());
                        // Chosen here, so that an intent whose answer was lost is the same one when it is offered again.
                        let (call, asked) = (Uuid::now_v7(), Instant::now());
                        let begun = self
                            .persist(|| self.agent.store.note_call(self.lease, call, &model, &digest))
                            .await?;
                        fail_point!("begin_call::committed", |_| std::process::abort());
                        if !begun {
                            // An earlier offer of it may have been noted before they wrote, its answer lost.
                            self.noted_but_not_sent(call).await?;
                            // A person wrote before the call was sent: the model is asked with what they wrote.
                            self.read_messages().await?;
                            return Ok(None);
                        }
                        (call, asked)
                    }
                };
                if asked.elapsed() < SURE {
                    break call;
                }
                // Frozen since: another run may have asked, and been answered. The database knows.
                self.noted_but_not_sent(call).await?;
            };
            let started = Instant::now();
            let mut seen = hive_claude::Partial::default();
            let heard = |progress: Progress<'_>| match progress {
                Progress::Accepted { request_id } => seen.request_id = Some(request_id.to_owned()),
                Progress::Usage(usage) => seen.usage = Some(usage),
                _ => {}
            };
            let answer = tokio::select! {
                answer = self.agent.claude.create(&request, heard) => Ok(answer),
                () = self.control.lost.cancelled() => Err(Cut::Lost),
                () = self.control.halt.cancelled() => Err(Cut::Halt),
                () = elapsed(until) => Err(Cut::Time),
                () = interrupted(self.agent, self.control, self.lease.task()) => Err(Cut::Person),
            };
            let answer = match answer {
                Ok(answer) => answer,
                Err(cut) => {
                    // What was streamed before is charged, whoever cut it.
                    let usage = seen.usage.map_or_else(Usage::default, |usage| usage_of(&model, &usage));
                    meter::call(&model, &Ended::Cut, started.elapsed());
                    meter::charged(&model, &usage);
                    let outcome = CallOutcome { error: cut.to_string(), request_id: seen.request_id, usage };
                    self.persist(|| self.agent.store.fail_call(self.lease, call, &outcome)).await?;
                    return match cut {
                        Cut::Lost => Err(Stopped::Lost),
                        Cut::Halt => Ok(Some(Outcome::Yield)),
                        Cut::Person => {
                            self.extra_usage = self.extra_usage + usage;
                            Ok(None)
                        }
                        Cut::Time => Ok(Some(failed(StatusReason::TimeLimit, cut.to_string()))),
                    };
                }
            };
            let error = match answer {
                Ok(reply) => {
                    meter::call(&model, &Ended::Ok, started.elapsed());
                    meter::charged(&model, &usage_of(&model, &reply.usage));
                    meter::cached(&model, &reply.usage, reply.message.cache_miss.as_ref());
                    fail_point!("call::answered", |_| std::process::abort());
                    if let Purpose::Summary(draft) = purpose {
                        self.take_summary(&draft, &model, call, &reply).await?;
                        return Ok(None);
                    }
                    let reply = journal_reply(&model, reply, &prefix, &digest);
                    let answers = self.answer_here(&reply).await?;
                    let entries = [Some(Entry::Reply(reply)), answers].into_iter().flatten().collect();
                    let level = self.files.as_ref().map(|_| self.agent.sandbox.level().to_string());
                    let marks = Marks { call: Some(call), sandbox: level.as_deref(), ..Marks::default() };
                    self.write(entries, &marks).await?;
                    return Ok(None);
                }
                Err(error) => error,
            };
            meter::call(&model, &Ended::Failed(&error), started.elapsed());
            let charged = error.partial_usage().map_or_else(Usage::default, |usage| usage_of(&model, usage));
            let outcome = CallOutcome {
                error: chain(&error),
                request_id: error.request_id().map(str::to_owned),
                usage: charged,
            };
            fail_point!("fail_call::before", |_| std::process::abort());
            self.persist(|| self.agent.store.fail_call(self.lease, call, &outcome)).await?;
            fail_point!("fail_call::committed", |_| std::process::abort());
            self.extra_usage = self.extra_usage + charged;
            meter::charged(&model, &charged);
            match verdict(&error, attempt, &self.agent.retry, rand::random()) {
                Verdict::Again { after } => {
                    tracing::warn!(attempt, "a model call failed and is made again: {}", outcome.error);
                    tokio::select! {
                        () = tokio::time::sleep(after) => {}
                        () = self.control.lost.cancelled() => return Err(Stopped::Lost),
                        () = self.control.drain.cancelled() => return Ok(Some(Outcome::Yield)),
                    }
                }
                Verdict::Later { after, reason } => {
                    return Ok(Some(Outcome::Wait { after, reason: waiting(reason), detail: outcome.error }));
                }
                Verdict::End { reason } if self.makes_room(&purpose, reason) => return Ok(None),
                Verdict::End { reason } => return Ok(Some(failed(ending(reason), outcome.error))),
            }
        }
        unreachable!("the attempts are not bounded here but by the verdict")
    }

    /// The results of a reply's calls, when nothing needs to be run for them.
    async fn answer_here(&mut self, reply: &Reply) -> Result<Option<Entry>, Stopped> {
        let calls = reply.calls();
        let is_whole = matches!(reply.stop, Stop::ToolUse | Stop::EndTurn | Stop::StopSequence);
        if !is_whole || calls.is_empty() || !self.is_answered_here(&calls) {
            return Ok(None);
        }
        match self.run_tools(&calls, None).await? {
            Acted::Results(results) => Ok(Some(Entry::ToolResults(results))),
            Acted::Park(_) => Ok(None),
        }
    }
}

fn failed(reason: StatusReason, detail: String) -> Outcome {
    Outcome::Fail { reason, detail, partial: Box::new(TaskResult::default()) }
}

/// Why a call in flight was given up here.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum Cut {
    #[error("the lease was lost during the call")]
    Lost,
    #[error("the worker stopped during the call")]
    Halt,
    #[error("a person interrupted the call")]
    Person,
    #[error("max_seconds was reached during a model call")]
    Time,
}

async fn elapsed(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

fn journal_reply(asked: &str, reply: hive_claude::Reply, prefix: &[u8], request: &[u8]) -> Reply {
    let broken = reply.message.content.iter().filter_map(|block| match block {
        Block::ToolUse { id, input: ToolInput::Invalid(text), .. } => Some((id.clone(), text.clone())),
        Block::ToolUse { .. } | Block::Text { .. } | Block::Thinking { .. } | Block::Other { .. } => None,
    });
    let broken_inputs: BTreeMap<String, String> = broken.collect();
    // The provider may answer under a more exact name; its price is that of the model we asked for.
    let usage = usage_of(asked, &reply.usage);
    let cache_miss = reply.message.cache_miss.map(|miss| CacheMiss {
        reason: miss.reason,
        missed_tokens: miss.cache_missed_input_tokens.and_then(|tokens| i64::try_from(tokens).ok()),
    });
    let exchange = Exchange {
        message_id: reply.message.id,
        prefix_sha256: hex(prefix),
        request_sha256: hex(request),
        cache_miss,
    };
    Reply {
        content: RawValue::from_string(reply.content_json).unwrap_or_else(|_| RawValue::NULL.to_owned()),
        stop: stop_of(&reply.message.stop_reason),
        model: reply.message.model,
        usage,
        broken_inputs,
        request_id: reply.request_id,
        exchange: Some(Box::new(exchange)),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn stop_of(reason: &StopReason) -> Stop {
    match reason {
        StopReason::EndTurn => Stop::EndTurn,
        StopReason::StopSequence => Stop::StopSequence,
        StopReason::ToolUse => Stop::ToolUse,
        StopReason::MaxTokens => Stop::MaxTokens,
        StopReason::PauseTurn => Stop::PauseTurn,
        StopReason::Refusal => Stop::Refusal,
        StopReason::ModelContextWindowExceeded => Stop::ModelContextWindowExceeded,
        StopReason::Compaction | StopReason::Unknown(_) => Stop::Other(reason.as_str().to_owned()),
    }
}

pub(crate) fn usage_of(model: &str, usage: &hive_claude::Usage) -> Usage {
    /// No call has more; what a confused server reports beyond it must not overflow a sum.
    const MOST: i64 = 1 << 40;
    let count = |tokens: u64| i64::try_from(tokens).unwrap_or(MOST).min(MOST);
    Usage {
        input_tokens: count(usage.input_tokens),
        output_tokens: count(usage.output_tokens),
        cache_read_tokens: count(usage.cache_read_input_tokens),
        cache_write_tokens: count(usage.cache_creation_input_tokens),
        cost: NanoUsd(hive_claude::cost(model, usage).map_or(0, |cost| cost.0.clamp(0, MOST * 100))),
    }
}

/// The error and its causes in one line, for the task. Without secrets: a provider may repeat what it was sent.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    hive_telemetry::redact(&text).chars().take(500).collect()
}

const fn waiting(reason: WaitReason) -> StatusReason {
    match reason {
        WaitReason::RateLimited => StatusReason::RateLimited,
        WaitReason::ProviderUnavailable => StatusReason::ProviderUnavailable,
    }
}

const fn ending(reason: hive_claude::EndReason) -> StatusReason {
    use hive_claude::EndReason as End;
    match reason {
        End::Authentication => StatusReason::Authentication,
        End::Permission => StatusReason::Permission,
        End::Billing | End::SpendLimit => StatusReason::Billing,
        End::PromptTooLong => StatusReason::ContextWindow,
        End::ModelNotFound => StatusReason::ModelNotFound,
        End::TooLarge => StatusReason::RequestTooLarge,
        End::InvalidRequest | End::RetryRefused | End::Rejected | End::Protocol | End::Configuration => {
            StatusReason::InvalidRequest
        }
    }
}

/// How long a run that met a passing trouble of its own host stays away.
pub(crate) const HOST_TROUBLE: Duration = Duration::from_secs(15);
