//! One question to the model: which one, the gate, the call, and what follows. What to do after a failure is decided by
//! `Tries::after` alone, with the verdict of `hive_claude`.

use std::time::Duration;

use hive_claude::{Catalogue, Request, Standing, Unsendable, Verdict, WaitReason};
use hive_domain::{
    NanoUsd, Outcome, StatusReason,
    journal::{Compacted, TaskResult},
};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::{
    call::Sent,
    choice::Choice,
    gate, meter,
    reply::chain,
    run::{Activation, Stopped},
    segments::{self, Due, Purpose},
    tries::{self, Tries},
};

/// What the model is asked.
pub(crate) struct Question {
    /// Its id.
    pub(crate) model: String,
    /// Why it is that one, and what may be asked in its place.
    pub(crate) choice: Choice,
    pub(crate) request: Request,
    /// Of the request, in bytes.
    size: usize,
    /// The SHA-256 of the request's bytes.
    pub(crate) digest: [u8; 32],
    /// What the call may cost at most.
    pub(crate) worst_case: NanoUsd,
    /// The model of the turn that it is asked in; a summary may be asked of another one.
    pub(crate) turn: String,
    /// The SHA-256 of what all requests of the run begin with.
    pub(crate) prefix: [u8; 32],
    /// What its answer is for.
    pub(crate) purpose: Purpose,
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
        self.asking_of(&self.choose(self.turn_kind()))
    }

    /// The tries of the next question: whom to ask, in which order.
    fn tries(&self) -> Tries {
        let (wished, catalogue) = (self.choose(self.turn_kind()), self.agent.models.catalogue());
        let stand_ins = wished.fallback.iter().filter(|&model| {
            *model != wished.model
                && !self.gone.contains(model)
                && hive_claude::cost(model, &hive_claude::Usage::default()).is_some()
                && !matches!(catalogue.standing(model), Standing::Retired(_))
        });
        let stand_ins = stand_ins.map(|model| wished.stand_in(model)).collect();
        let is_gone = self.gone.contains(&wished.model);
        let mut tries = Tries::new(wished, stand_ins);
        if is_gone {
            tries.stand_in();
        }
        tries
    }

    fn asking_of(&self, turn: &Choice) -> Result<Asking, (StatusReason, String)> {
        let catalogue = self.agent.models.catalogue();
        answers(&turn.model, &catalogue)?;
        let refused = |error: serde_json::Error| (StatusReason::InvalidRequest, error.to_string());
        let request = self.turn_request(turn).map_err(refused)?;
        let (mut request, choice, purpose) = match self.put_aside(&turn.model, &request)? {
            Due::Turn => (request, turn.clone(), Purpose::Turn),
            Due::Summary(draft) => {
                let choice = self.writer(turn);
                let request = self.summary_request(&choice.model, &draft).map_err(refused)?;
                (request, choice, Purpose::Summary(draft))
            }
            Due::Segment(compacted) => return Ok(Asking::Nobody(compacted)),
        };
        choice.apply(&mut request, &catalogue);
        catalogue.check(&request).map_err(|why| unsendable(&why))?;
        let body = request.body().map_err(refused)?;
        let question = Question {
            turn: turn.model.clone(),
            worst_case: worst_case(&choice.model, &body, request.max_tokens),
            model: choice.model.clone(),
            choice,
            size: body.len(),
            digest: Sha256::digest(&body).into(),
            prefix: segments::prefix_digest(&request).map_err(refused)?,
            purpose,
            request,
        };
        Ok(Asking::Model(Box::new(question)))
    }

    /// Asks and appends the reply; `Some` when the run ends or parks instead.
    pub(crate) async fn ask(&mut self, until: Option<Instant>) -> Result<Option<Outcome>, Stopped> {
        let mut tries = self.tries();
        let mut missed = 0;
        loop {
            let (noted, question) = match self.noted.take() {
                Some((call, asked, question)) if question.turn == tries.model() => {
                    (Some((call, asked)), question)
                }
                noted => {
                    if let Some((call, ..)) = noted {
                        self.noted_but_not_sent(call).await?;
                    }
                    match self.asking_of(tries.choice()) {
                        // Whoever stands in is asked in an outage: what does not fit it ends no task.
                        Err((_, detail))
                            if tries
                                .stands_in_for()
                                .is_some_and(|wished| !self.gone.iter().any(|gone| gone == wished)) =>
                        {
                            if tries.stand_in() {
                                continue;
                            }
                            let (after, reason) = (self.agent.retry.park, StatusReason::ProviderUnavailable);
                            return Ok(Some(Outcome::Wait { after, reason, detail }));
                        }
                        Ok(Asking::Model(question)) => (None, *question),
                        Ok(Asking::Nobody(compacted)) => {
                            self.begin_segment(*compacted, None).await?;
                            return Ok(None);
                        }
                        Err((reason, detail)) => return Ok(Some(failed(reason, detail))),
                    }
                }
            };
            let (gate, most) = (self.agent.gate.clone(), question.request.max_tokens);
            let entry = gate.enter(&question.model, question.size, most, tries.is_repeat(), self.control);
            let permit = match entry.await {
                gate::Entry::Go(permit) => permit,
                turned_away => {
                    if matches!(&turned_away, gate::Entry::Wait(hindrance) if hindrance.is_outage())
                        && self.passes_over(&question)
                    {
                        if let Some((call, _)) = noted {
                            self.noted_but_not_sent(call).await?;
                        }
                        return Ok(None);
                    }
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
            let (call, asked) = match self.note_call(noted, &question).await {
                Ok(Some(noted)) => noted,
                other => {
                    gate.give_back(permit).await;
                    return other.map(|_| None);
                }
            };
            tokio::time::sleep_until(permit.place()).await;
            if !gate.is_still_good(&permit, missed).await {
                missed += 1;
                gate.give_back(permit).await;
                self.noted = Some((call, asked, question));
                continue;
            }
            if tries.is_repeat() {
                meter::repeat(&question.model);
            }
            let error = match self.send(&question, (call, asked), permit, until).await? {
                Sent::Answered(reply) => {
                    self.keep(call, &question, tries.stands_in_for(), *reply).await?;
                    return Ok(None);
                }
                Sent::Cut(outcome) => return Ok(outcome),
                Sent::Refused(error) => return Ok(Some(failed(StatusReason::Permission, chain(&error)))),
                Sent::Late(permit) => {
                    missed += 1;
                    gate.give_back(permit).await;
                    self.noted = Some((call, asked, question));
                    continue;
                }
                Sent::Failed(error) => error,
            };
            let detail = chain(&error);
            let next = tries.after(&error, &self.agent.retry, rand::random());
            if next.is_out() && self.passes_over(&question) {
                return Ok(None);
            }
            let after = match next {
                tries::Next::StandIn { is_gone } => {
                    if is_gone {
                        self.gone.push(question.model.clone());
                    }
                    tracing::warn!("model {} is out, {} stands in: {detail}", question.model, tries.model());
                    continue;
                }
                tries::Next::Verdict(Verdict::Again { after }) => after,
                tries::Next::Verdict(verdict) if self.makes_room(&question.purpose, verdict) => {
                    return Ok(None);
                }
                tries::Next::Verdict(verdict) => {
                    gate.given_up(&question.model, &error, tries.elapsed()).await;
                    return Ok(Some(self.settled(verdict, detail)));
                }
            };
            // What failed may have been paid for.
            if let Some((reason, detail)) = self.limit_reached() {
                return Ok(Some(failed(reason, detail)));
            }
            let took = tries.elapsed();
            tracing::warn!(?took, "a model call failed and is made again: {detail}");
            tokio::select! {
                () = tokio::time::sleep(after) => {}
                () = self.control.lost.cancelled() => return Err(Stopped::Lost),
                () = self.control.drain.cancelled() => return Ok(Some(Outcome::Yield)),
            }
        }
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
}

/// A model that has ended is not asked, and none whose cost nobody knows. Whether one that is missing in the list still
/// answers, the service says itself.
fn answers(model: &str, catalogue: &Catalogue) -> Result<(), (StatusReason, String)> {
    let standing = catalogue.standing(model);
    let refusal =
        standing.refusal().filter(|_| !matches!(standing, Standing::Vanished(_))).map(str::to_owned);
    let price = hive_claude::cost(model, &hive_claude::Usage::default());
    let unknown = || format!("no price is known for model {model}, so its cost could not be counted");
    match refusal.or_else(|| price.is_none().then(unknown)) {
        Some(why) => Err((StatusReason::ModelNotFound, why)),
        None => Ok(()),
    }
}

/// A request that its model would refuse ends the task as the refusal would have.
fn unsendable(why: &Unsendable) -> (StatusReason, String) {
    let reason = match why {
        Unsendable::Model(_) => StatusReason::ModelNotFound,
        Unsendable::Rule { .. } => StatusReason::InvalidRequest,
    };
    (reason, why.to_string())
}

pub(crate) fn failed(reason: StatusReason, detail: String) -> Outcome {
    Outcome::Fail { reason, detail, partial: Box::new(TaskResult::default()) }
}

/// What is reserved for a call. A model without a price is not asked.
fn worst_case(model: &str, body: &[u8], max_tokens: u32) -> NanoUsd {
    NanoUsd(hive_claude::worst_case(model, body, max_tokens).map_or(0, |cost| cost.0.max(0)))
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
        End::ModelForbidden => StatusReason::Permission,
        End::TooLarge => StatusReason::RequestTooLarge,
        End::InvalidRequest | End::RetryRefused | End::Rejected | End::Configuration => {
            StatusReason::InvalidRequest
        }
    }
}

/// How long a run that met a passing trouble of its own host stays away.
pub(crate) const HOST_TROUBLE: Duration = Duration::from_secs(15);
