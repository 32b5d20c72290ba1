//! One question to the model: the gate, an intent in the journal, the call, its outcome. What to do after a failure is
//! decided by `Tries::after` alone, with the verdict of `hive_claude`.

use std::{collections::BTreeMap, time::Duration};

use fail::fail_point;
use hive_claude::{Block, Error, Progress, Request, StopReason, ToolInput, Verdict, WaitReason};
use hive_domain::{
    NanoUsd, Outcome, StatusReason, Usage,
    journal::{Entry, Reply, Stop, TaskResult},
};
use hive_store::CallOutcome;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    act::Acted,
    conversation, gate,
    meter::{self, Ended},
    persist::Marks,
    run::{Activation, Stopped},
    steer::interrupted,
    tries::{self, Tries},
};

/// How long after it was noted a call may still be sent: well within the lease that the note was written under.
const SURE: Duration = Duration::from_secs(2);

/// What the model is asked.
pub(crate) struct Question {
    /// Its id.
    pub(crate) model: String,
    request: Request,
    /// Of the request, in bytes.
    size: usize,
    /// The SHA-256 of the request's bytes.
    pub(crate) digest: [u8; 32],
}

/// How a call ended that was not cut by us.
type Answer = Result<hive_claude::Reply, Error>;

impl Activation<'_> {
    /// What the transcript stands for; why it cannot be asked, when it cannot.
    pub(crate) fn question(&self) -> Result<Question, (StatusReason, String)> {
        self.question_to(&self.wished_model(), false)
    }

    /// The model that the task, or else its agent, names.
    fn wished_model(&self) -> String {
        let named = self.lease.leased.model.as_deref().unwrap_or(&self.definition.model);
        self.agent.models.resolve(named).to_owned()
    }

    /// The tries of the next question: whom to ask, in which order.
    fn tries(&self) -> Tries {
        let wished = self.wished_model();
        let is_known = |model: &String| {
            *model != wished
                && !self.gone.contains(model)
                && hive_claude::cost(model, &hive_claude::Usage::default()).is_some()
        };
        let named = self.definition.fallback_models.iter();
        let stand_ins =
            named.map(|name| self.agent.models.resolve(name).to_owned()).filter(is_known).collect();
        let mut tries = Tries::new(wished.clone(), stand_ins);
        if self.gone.contains(&wished) {
            tries.stand_in();
        }
        tries
    }

    fn question_to(&self, model: &str, stands_in: bool) -> Result<Question, (StatusReason, String)> {
        let task = &self.lease.leased;
        if hive_claude::cost(model, &hive_claude::Usage::default()).is_none() {
            let detail = format!("no price is known for model {model}, so its cost could not be counted");
            return Err((StatusReason::ModelNotFound, detail));
        }
        let request = conversation::request(
            &self.opening,
            task,
            &self.definition,
            &self.transcript,
            model,
            stands_in,
            self.agent.max_output_tokens,
        );
        let refused = |error: serde_json::Error| (StatusReason::InvalidRequest, error.to_string());
        let request = request.map_err(refused)?;
        let body = request.body().map_err(|error| (StatusReason::InvalidRequest, error.to_string()))?;
        let (digest, size) = (Sha256::digest(&body).into(), body.len());
        Ok(Question { model: model.to_owned(), request, size, digest })
    }

    /// Asks and appends the reply; `Some` when the run ends or parks instead.
    pub(crate) async fn ask(&mut self, until: Option<Instant>) -> Result<Option<Outcome>, Stopped> {
        let mut tries = self.tries();
        loop {
            let (noted, question) = match self.noted.take() {
                Some((call, asked, question)) if question.model == tries.model() => {
                    (Some((call, asked)), question)
                }
                noted => {
                    if let Some((call, ..)) = noted {
                        self.noted_but_not_sent(call).await?;
                    }
                    match self.question_to(tries.model(), tries.stands_in_for().is_some()) {
                        Ok(question) => (None, question),
                        Err((reason, detail)) => return Ok(Some(failed(reason, detail))),
                    }
                }
            };
            let (gate, most) = (self.agent.gate.clone(), self.agent.max_output_tokens);
            let entry = gate.enter(&question.model, question.size, most, tries.is_repeat(), self.control);
            let permit = match entry.await {
                gate::Entry::Go(permit) => permit,
                turned_away => {
                    // The run closes it when it ends, or the next round does.
                    self.noted = noted.map(|(call, asked)| (call, asked, question));
                    match turned_away {
                        gate::Entry::Wait(hindrance) if hindrance.is_outage() && tries.stand_in() => continue,
                        gate::Entry::Wait(hindrance) => return Ok(Some(hindrance.outcome())),
                        gate::Entry::Lost => return Err(Stopped::Lost),
                        gate::Entry::Go(_) | gate::Entry::Drain => return Ok(Some(Outcome::Yield)),
                    }
                }
            };
            let call = match self.note_call(noted, &question).await {
                Ok(Some(call)) => call,
                other => {
                    gate.cut(permit, Some(&hive_claude::Usage::default())).await;
                    return other.map(|_| None);
                }
            };
            tokio::time::sleep_until(permit.place()).await;
            if !gate.is_still_good(&permit).await {
                gate.cut(permit, Some(&hive_claude::Usage::default())).await;
                self.noted_but_not_sent(call).await?;
                continue;
            }
            if tries.is_repeat() {
                meter::repeat(&question.model);
            }
            let error = match self.send(&question, call, permit, until).await? {
                Sent::Answered(reply) => {
                    self.keep(call, &question.model, tries.stands_in_for(), *reply).await?;
                    return Ok(None);
                }
                Sent::Cut(outcome) => return Ok(outcome),
                Sent::Failed(error) => error,
            };
            let detail = chain(&error);
            let after = match tries.after(&error, &self.agent.retry, rand::random()) {
                tries::Next::StandIn { is_gone } => {
                    if is_gone {
                        self.gone.push(question.model.clone());
                    }
                    tracing::warn!("model {} is out, {} stands in: {detail}", question.model, tries.model());
                    continue;
                }
                tries::Next::Verdict(Verdict::Again { after }) => after,
                tries::Next::Verdict(verdict) => return Ok(Some(self.settled(verdict, detail))),
            };
            let took = tries.elapsed();
            tracing::warn!(?took, "a model call failed and is made again: {detail}");
            tokio::select! {
                () = tokio::time::sleep(after) => {}
                () = self.control.lost.cancelled() => return Err(Stopped::Lost),
                () = self.control.drain.cancelled() => return Ok(Some(Outcome::Yield)),
            }
        }
    }

    /// Writes the intent of a call, unless it stands in the journal. `None`: a person wrote before it was sent, and the
    /// model is asked with what they wrote.
    async fn note_call(
        &mut self,
        mut noted: Option<(Uuid, Instant)>,
        question: &Question,
    ) -> Result<Option<Uuid>, Stopped> {
        loop {
            let (call, asked) = match noted.take() {
                Some(noted) => noted,
                None => {
                    fail_point!("begin_call::before", |_| std::process::abort());
                    // Chosen here, so that an intent whose answer was lost is the same one when it is offered again.
                    let (call, asked) = (Uuid::now_v7(), Instant::now());
                    let begun = self
                        .persist(|| {
                            self.agent.store.note_call(self.lease, call, &question.model, &question.digest)
                        })
                        .await?;
                    fail_point!("begin_call::committed", |_| std::process::abort());
                    if !begun {
                        // An earlier offer of it may have been noted before they wrote, its answer lost.
                        self.noted_but_not_sent(call).await?;
                        self.read_messages().await?;
                        return Ok(None);
                    }
                    (call, asked)
                }
            };
            if asked.elapsed() < SURE {
                return Ok(Some(call));
            }
            // Frozen since: another run may have asked, and been answered. The database knows.
            self.noted_but_not_sent(call).await?;
        }
    }

    /// Makes one call and writes down how it ended, but for a reply.
    async fn send(
        &mut self,
        question: &Question,
        call: Uuid,
        permit: gate::Permit,
        until: Option<Instant>,
    ) -> Result<Sent, Stopped> {
        let (model, started) = (&question.model, Instant::now());
        let mut seen = hive_claude::Partial::default();
        let heard = |progress: Progress<'_>| match progress {
            Progress::Accepted { request_id } => seen.request_id = Some(request_id.to_owned()),
            Progress::Usage(usage) => seen.usage = Some(usage),
            _ => {}
        };
        let answer: Result<Answer, Cut> = tokio::select! {
            answer = self.agent.claude.create(&question.request, heard) => Ok(answer),
            () = self.control.lost.cancelled() => Err(Cut::Lost),
            () = self.control.halt.cancelled() => Err(Cut::Halt),
            () = elapsed(until) => Err(Cut::Time),
            () = interrupted(self.agent, self.control, self.lease.task()) => Err(Cut::Person),
        };
        let error = match answer {
            Ok(Ok(reply)) => {
                meter::call(model, &Ended::Ok, started.elapsed());
                meter::charged(model, &usage_of(model, &reply.usage));
                fail_point!("call::answered", |_| std::process::abort());
                self.agent.gate.answered(permit, &reply).await;
                return Ok(Sent::Answered(Box::new(reply)));
            }
            Ok(Err(error)) => error,
            Err(cut) => {
                // What was streamed before is charged, whoever cut it.
                let usage = seen.usage.map_or_else(Usage::default, |usage| usage_of(model, &usage));
                meter::call(model, &Ended::Cut, started.elapsed());
                meter::charged(model, &usage);
                self.agent.gate.cut(permit, seen.usage.as_ref()).await;
                let outcome = CallOutcome { error: cut.to_string(), request_id: seen.request_id, usage };
                self.persist(|| self.agent.store.fail_call(self.lease, call, &outcome)).await?;
                return match cut {
                    Cut::Lost => Err(Stopped::Lost),
                    Cut::Halt => Ok(Sent::Cut(Some(Outcome::Yield))),
                    Cut::Person => {
                        self.extra_usage = self.extra_usage + usage;
                        Ok(Sent::Cut(None))
                    }
                    Cut::Time => Ok(Sent::Cut(Some(failed(StatusReason::TimeLimit, cut.to_string())))),
                };
            }
        };
        meter::call(model, &Ended::Failed(&error), started.elapsed());
        let detail = chain(&error);
        // First of all: what it says about the others must reach them before they call.
        self.agent.gate.failed(permit, &error, &detail).await;
        let charged = error.partial_usage().map_or_else(Usage::default, |usage| usage_of(model, usage));
        let outcome =
            CallOutcome { error: detail, request_id: error.request_id().map(str::to_owned), usage: charged };
        fail_point!("fail_call::before", |_| std::process::abort());
        self.persist(|| self.agent.store.fail_call(self.lease, call, &outcome)).await?;
        fail_point!("fail_call::committed", |_| std::process::abort());
        self.extra_usage = self.extra_usage + charged;
        meter::charged(model, &charged);
        Ok(Sent::Failed(error))
    }

    /// Appends a reply, with the answers to its calls where nothing needs to be run for them.
    async fn keep(
        &mut self,
        call: Uuid,
        model: &str,
        wished: Option<&str>,
        reply: hive_claude::Reply,
    ) -> Result<(), Stopped> {
        if let Some(wished) = wished {
            meter::fallback(wished, model);
        }
        let reply = Reply { requested_model: wished.map(str::to_owned), ..journal_reply(model, reply) };
        let answers = self.answer_here(&reply).await?;
        let entries = [Some(Entry::Reply(reply)), answers].into_iter().flatten().collect();
        let level = self.files.as_ref().map(|_| self.agent.sandbox.level().to_string());
        let marks = Marks { call: Some(call), sandbox: level.as_deref(), ..Marks::default() };
        self.write(entries, &marks).await
    }

    /// What a verdict that makes no further try means for the task.
    fn settled(&self, verdict: Verdict, detail: String) -> Outcome {
        match verdict {
            Verdict::Again { after } => {
                Outcome::Wait { after, reason: StatusReason::ProviderUnavailable, detail }
            }
            Verdict::Later { after, reason } => Outcome::Wait { after, reason: waiting(reason), detail },
            Verdict::StopKey { reason } => {
                let after = self.agent.gate.stopped_for();
                let detail =
                    format!("key {} is stopped ({}): {detail}", self.agent.gate.key(), reason.as_str());
                Outcome::Wait { after, reason: StatusReason::ProviderUnavailable, detail }
            }
            Verdict::TooLong => failed(StatusReason::ContextWindow, detail),
            Verdict::End { reason } => failed(ending(reason), detail),
        }
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

/// What came of a call that was sent.
enum Sent {
    Answered(Box<hive_claude::Reply>),
    /// We gave it up; the run ends or parks, or goes on with what a person wrote.
    Cut(Option<Outcome>),
    Failed(Error),
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

fn journal_reply(asked: &str, reply: hive_claude::Reply) -> Reply {
    let broken = reply.message.content.iter().filter_map(|block| match block {
        Block::ToolUse { id, input: ToolInput::Invalid(text), .. } => Some((id.clone(), text.clone())),
        Block::ToolUse { .. } | Block::Text { .. } | Block::Thinking { .. } | Block::Other { .. } => None,
    });
    let broken_inputs: BTreeMap<String, String> = broken.collect();
    // The provider may answer under a more exact name; its price is that of the model we asked for.
    let usage = usage_of(asked, &reply.usage);
    Reply {
        content: RawValue::from_string(reply.content_json).unwrap_or_else(|_| RawValue::NULL.to_owned()),
        stop: stop_of(&reply.message.stop_reason),
        model: reply.message.model,
        requested_model: None,
        usage,
        broken_inputs,
        request_id: reply.request_id,
    }
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
        StopReason::Unknown(name) => Stop::Other(name.clone()),
    }
}

fn usage_of(model: &str, usage: &hive_claude::Usage) -> Usage {
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
        End::ModelNotFound => StatusReason::ModelNotFound,
        End::TooLarge => StatusReason::RequestTooLarge,
        End::InvalidRequest | End::RetryRefused | End::Rejected | End::Protocol | End::Configuration => {
            StatusReason::InvalidRequest
        }
    }
}

/// How long a run that met a passing trouble of its own host stays away.
pub(crate) const HOST_TROUBLE: Duration = Duration::from_secs(15);
