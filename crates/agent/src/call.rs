//! One call: its intent in the journal, the sending, and how it ended.

use fail::fail_point;
use hive_claude::{Error, Progress};
use hive_domain::{
    Outcome, StatusReason,
    journal::{Entry, Reply, Stop},
};
use hive_store::CallOutcome;
use tokio::time::{Duration, Instant};
use uuid::Uuid;

use crate::{
    act::Acted,
    ask::{Question, failed},
    gate,
    meter::{self, Ended},
    persist::Marks,
    reply::{chain, journal_reply, usage_of},
    run::{Activation, Stopped},
    segments::Purpose,
    steer::interrupted,
};

/// How long after it was noted a call may still be sent: well within the lease that the note was written under.
const SURE: Duration = Duration::from_secs(2);

/// How long after its note a call is sent at the latest, the wait for its place included: no lease that was renewed on time
/// has run out by then.
pub(crate) const SEND_WITHIN: Duration = Duration::from_secs(4);

/// How a call ended that was not cut by us.
type Answer = Result<hive_claude::Reply, Error>;

/// What came of a call that was sent.
pub(crate) enum Sent {
    Answered(Box<hive_claude::Reply>),
    /// We gave it up; the run ends or parks, or goes on with what a person wrote.
    Cut(Option<Outcome>),
    Failed(Error),
    /// The provider does not let the key ask this, and answers others.
    Refused(Error),
    /// Not sent, since [`SEND_WITHIN`] had passed: another run may have asked meanwhile.
    Late(gate::Permit),
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

impl Activation<'_> {
    /// Writes the intent of a call, unless it stands in the journal. `None`: a person wrote before it was sent, and the
    /// model is asked with what they wrote.
    pub(crate) async fn note_call(
        &mut self,
        mut noted: Option<(Uuid, Instant)>,
        question: &Question,
    ) -> Result<Option<(Uuid, Instant)>, Stopped> {
        loop {
            let (call, asked) = match noted.take() {
                Some(noted) => noted,
                None => {
                    fail_point!("begin_call::before", |_| std::process::abort());
                    // Chosen here, so that an intent whose answer was lost is the same one when it is offered again.
                    let (call, asked) = (Uuid::now_v7(), Instant::now());
                    let begun = self
                        .persist(|| {
                            self.agent.store.note_call(
                                self.lease,
                                call,
                                &question.model,
                                &question.digest,
                                Some(question.choice.route),
                                question.worst_case,
                            )
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
                return Ok(Some((call, asked)));
            }
            // Frozen since: another run may have asked, and been answered. The database knows.
            self.noted_but_not_sent(call).await?;
        }
    }

    /// Makes one call that was noted at `asked`, and writes down how it ended, but for a reply.
    pub(crate) async fn send(
        &mut self,
        question: &Question,
        (call, asked): (Uuid, Instant),
        permit: gate::Permit,
        until: Option<Instant>,
    ) -> Result<Sent, Stopped> {
        fail_point!("call::sending", |_| std::process::abort());
        let (model, started) = (&question.model, Instant::now());
        let mut seen = hive_claude::Partial::default();
        let heard = |progress: Progress<'_>| match progress {
            Progress::Accepted { request_id } => seen.request_id = Some(request_id.to_owned()),
            Progress::Usage(usage) => seen.usage = Some(usage),
            _ => {}
        };
        let recorder = self.agent.recorder.as_ref();
        let mut exchange = recorder.and_then(|recorder| recorder.begin(&self.lease.leased));
        let latest = Some(asked + SEND_WITHIN);
        let answer: Result<Answer, Cut> = tokio::select! {
            answer = self.agent.claude.create_seen(&question.request, heard, exchange.as_mut(), latest) => Ok(answer),
            () = self.control.lost.cancelled() => Err(Cut::Lost),
            () = self.control.halt.cancelled() => Err(Cut::Halt),
            () = elapsed(until) => Err(Cut::Time),
            () = interrupted(self.agent, self.control, self.lease.task()) => Err(Cut::Person),
        };
        if matches!(answer, Ok(Err(Error::Late))) {
            return Ok(Sent::Late(permit));
        }
        if let (Some(recorder), Some(exchange)) = (recorder, exchange) {
            // Before the journal has it: a reply that stands there stands in the recording.
            recorder.keep(self.lease.task(), exchange).await;
        }
        let error = match answer {
            Ok(Ok(reply)) => {
                meter::call(model, &Ended::Ok, started.elapsed());
                meter::charged(model, &usage_of(model, &reply.usage));
                meter::cached(model, &reply.usage, reply.message.cache_miss.as_ref());
                fail_point!("call::answered", |_| std::process::abort());
                self.agent.gate.answered(permit, self.lease.task(), &reply).await;
                return Ok(Sent::Answered(Box::new(reply)));
            }
            Ok(Err(error)) => error,
            Err(cut) => {
                // What was streamed before is charged, whoever cut it and whether it was counted or not.
                self.agent.gate.cut(permit, seen.usage.as_ref()).await;
                meter::call(model, &Ended::Cut, started.elapsed());
                self.broke_off(question, call, cut.to_string(), seen).await?;
                return match cut {
                    Cut::Lost => Err(Stopped::Lost),
                    Cut::Halt => Ok(Sent::Cut(Some(Outcome::Yield))),
                    Cut::Person => Ok(Sent::Cut(None)),
                    Cut::Time => Ok(Sent::Cut(Some(failed(StatusReason::TimeLimit, cut.to_string())))),
                };
            }
        };
        meter::call(model, &Ended::Failed(&error), started.elapsed());
        let detail = chain(&error);
        // First of all: what it says about the others must reach them before they call.
        let is_refused = self.agent.gate.failed(permit, self.lease.task(), &error, &detail).await;
        let known = hive_claude::Partial {
            request_id: error.request_id().map(str::to_owned),
            usage: error.charged(),
        };
        fail_point!("fail_call::before", |_| std::process::abort());
        self.broke_off(question, call, detail, known).await?;
        fail_point!("fail_call::committed", |_| std::process::abort());
        Ok(if is_refused { Sent::Refused(error) } else { Sent::Failed(error) })
    }

    /// Closes a call that gave no reply, with what is known of its charge.
    async fn broke_off(
        &mut self,
        question: &Question,
        call: Uuid,
        error: String,
        known: hive_claude::Partial,
    ) -> Result<(), Stopped> {
        let usage = known.usage.map(|usage| usage_of(&question.model, &usage));
        match &usage {
            Some(usage) => meter::charged(&question.model, usage),
            None => meter::unknown(),
        }
        let outcome = CallOutcome { error, request_id: known.request_id, usage };
        self.persist(|| self.agent.store.fail_call(self.lease, call, &outcome)).await?;
        // What nobody knows counts toward the task's limit as it does toward its budgets.
        match usage {
            Some(usage) => self.extra_usage = self.extra_usage + usage,
            None => self.unheard = self.unheard + question.worst_case,
        }
        Ok(())
    }

    /// Takes a summary, or appends a reply with the answers to its calls where nothing needs to be run for them.
    pub(crate) async fn keep(
        &mut self,
        call: Uuid,
        question: &Question,
        wished: Option<&str>,
        reply: hive_claude::Reply,
    ) -> Result<(), Stopped> {
        let model = &question.model;
        if let Purpose::Summary(draft) = question.purpose {
            return self.take_summary(&draft, model, call, &reply).await;
        }
        if let Some(wished) = wished {
            meter::fallback(wished, model);
        }
        let reply = Reply { requested_model: wished.map(str::to_owned), ..journal_reply(question, reply) };
        let answers = self.answer_here(&reply).await?;
        let entries = [Some(Entry::Reply(reply)), answers].into_iter().flatten().collect();
        let level = self.files.as_ref().map(|_| self.agent.sandbox.level().to_string());
        let marks = Marks { call: Some(call), sandbox: level.as_deref(), ..Marks::default() };
        self.write(entries, &marks).await
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

async fn elapsed(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}
