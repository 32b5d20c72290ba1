//! What a night asks the model: which one, what it may cost, and whether its answers are there.

use std::time::Duration;

use hive_claude::{OutputConfig, OutputFormat, Request, RequestMessage, SystemBlock};
use hive_domain::{BatchRequestState, CallKind, CyclePhase, routing};
use hive_memory::night::Wording;
use hive_store::{NIGHT_IS_SPENT, NightAnswer, NightRequest, PhaseEnd};
use serde_json::{Value, json, value::RawValue};

use super::{Course, Nights};

/// The class that is asked when no rule says otherwise: the work is plain, and there is much of it.
const CLASS: &str = "light";
/// The shortest bound of a reply, and the longest, in tokens.
const REPLY: (usize, usize) = (1_000, 8_000);

/// What became of the requests of a phase.
pub(super) enum Answers {
    /// None was made yet.
    Unasked,
    /// Some are under way.
    Waiting,
    /// Nobody waits any longer: the time is over.
    TooLate,
    /// All are there, each with its message, but for so many that the money of the night is too little for.
    There(Vec<(Value, String)>, usize),
    /// One cannot be had; what was given with it, when it is to blame for that.
    Lost(String, Option<Value>),
}

impl Nights {
    /// Looks for the answers of a phase.
    pub(super) async fn answers(&self, course: &Course, phase: CyclePhase) -> hive_store::Result<Answers> {
        let answers = self.store.cycle_answers(&course.lease, phase).await?;
        if answers.is_empty() {
            return Ok(Answers::Unasked);
        }
        let is_open = |answer: &NightAnswer| {
            matches!(answer.state, BatchRequestState::Queued | BatchRequestState::Sent)
        };
        if answers.iter().any(is_open) {
            if course.is_over() {
                // What was not sent is not asked; what was sent is paid for and read by nobody.
                self.store.drop_cycle_requests(&course.lease).await?;
                return Ok(Answers::TooLate);
            }
            return Ok(Answers::Waiting);
        }
        let (mut there, mut unpaid) = (Vec::new(), 0);
        for answer in answers {
            match answer.result {
                Some(message) => there.push((answer.given, message)),
                None if answer.error.as_deref() == Some(NIGHT_IS_SPENT) => unpaid += 1,
                None if course.is_over() => return Ok(Answers::TooLate),
                None => {
                    let why = answer.error.unwrap_or_else(|| answer.state.to_string());
                    // What is refused will be refused again; what expired or was cancelled may be answered another time.
                    let given = (answer.state == BatchRequestState::Errored).then_some(answer.given);
                    return Ok(Answers::Lost(format!("{phase}: the model did not answer: {why}"), given));
                }
            }
        }
        Ok(Answers::There(there, unpaid))
    }

    /// When a night that waits for answers looks again.
    pub(super) const fn look_again(&self) -> Duration {
        self.look
    }

    /// Queues requests, as many as the bounds of the night allow; the others are noted as skipped. Whether there is
    /// something to wait for.
    pub(super) async fn ask(
        &self,
        course: &Course,
        phase: CyclePhase,
        what: &str,
        asked: Vec<(Wording, Value)>,
        end: &mut PhaseEnd,
    ) -> hive_store::Result<bool> {
        let model = self.model(course).await?;
        let budget = course.lease.cycle.budget;
        // As it stands now: an earlier phase of this turn may have asked.
        let used = self.store.sleep_cycle(course.lease.cycle.id).await?.calls;
        let mut money = budget.money.map(|money| money.0 - used.cost.0 - used.unknown_cost.0);
        let mut tokens = budget.tokens.map(|tokens| tokens - used.input_tokens - used.output_tokens);
        let (mut requests, mut skipped) = (Vec::new(), [0_usize; 2]);
        for (wording, given) in asked {
            let (body, most) = body(&model, &wording)
                .map_err(|error| hive_store::Error::Invalid { field: "/body", message: error.to_string() })?;
            // What has no price fits into no sum of money; the batch itself would refuse it.
            let limit = hive_claude::batch_limit(&model, body.as_bytes(), most);
            let (worst, most_tokens) =
                limit.map_or((i64::MAX, u64::MAX), |(money, tokens)| (money.0, tokens));
            let most_tokens = i64::try_from(most_tokens).unwrap_or(i64::MAX);
            if money.is_some_and(|money| money < worst) {
                skipped[0] += 1;
            } else if tokens.is_some_and(|tokens| tokens < most_tokens) {
                skipped[1] += 1;
            } else {
                money = money.map(|money| money - worst);
                tokens = tokens.map(|tokens| tokens - most_tokens);
                requests.push(NightRequest { model: model.clone(), body, given });
            }
        }
        for (count, why) in skipped.into_iter().zip(["money", "tokens"]) {
            leave_out(end, phase, what, (count, why));
        }
        if requests.is_empty() {
            return Ok(false);
        }
        self.store.ask_for_cycle(&course.lease, phase, &requests, end).await?;
        fail::fail_point!("night::asked", |_| std::process::abort());
        Ok(true)
    }

    /// The model for the work, by the active rules.
    async fn model(&self, course: &Course) -> hive_store::Result<String> {
        let rules = self.store.routing(None).await?;
        let role = match course.lease.cycle.owner.agent() {
            Some(agent) => self.store.agent(agent).await?.kind,
            None => routing::ANY.to_owned(),
        };
        let rule = routing::rule_for(&rules.rules, &role, CallKind::Consolidation);
        // A rule for any step speaks of the work of tasks.
        let class = rule.filter(|rule| rule.step != routing::ANY).map_or(CLASS, |rule| &rule.model);
        Ok(self.book.classes.resolve(class).to_owned())
    }
}

/// Notes what a bound of the night leaves out, if it is anything.
pub(super) fn leave_out(
    end: &mut PhaseEnd,
    phase: CyclePhase,
    what: &str,
    (count, why): (usize, &'static str),
) {
    if count > 0 {
        end.skipped.push(json!({ "phase": phase, "what": what, "count": count, "why": why }));
        end.stopped_by = end.stopped_by.or(Some(why));
    }
}

/// The body of a request and the tokens that its reply may have.
fn body(model: &str, wording: &Wording) -> serde_json::Result<(String, u32)> {
    let most = (wording.text.len() / 2).clamp(REPLY.0, REPLY.1);
    let most = u32::try_from(most).unwrap_or(u32::MAX);
    let mut request = Request::new(model, most);
    request.system.push(SystemBlock { text: wording.system.to_owned(), cache_control: None });
    request.messages.push(RequestMessage::user(serde_json::value::to_raw_value(&wording.text)?));
    let schema = RawValue::from_string(wording.schema.replace('\n', ""))?;
    request.output_config = Some(OutputConfig { effort: None, format: Some(OutputFormat { schema }) });
    Ok((request.batch_body()?, most))
}
