//! Beginning a conversation anew before it no longer fits: when, with what, and when that is of no use.

use fail::fail_point;
use hive_claude::{Block, Compaction, EndReason, Request, Standing, StopReason, Verdict};
use hive_domain::{
    CallKind, RouteReason, StatusReason, Usage,
    journal::{Compacted, Entry, Summary, Trigger},
    transcript::MAX_COMPACTIONS,
};
use hive_store::CallOutcome;
use serde_json::{json, value::RawValue};
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    ask::Question,
    choice::Choice,
    conversation,
    markers::Said,
    meter, past,
    persist::{STORE_PATIENCE, pause_or_stop},
    reply::usage_of,
    run::{Activation, Stopped},
    summary, window,
};

/// Answers that may be of no use before a segment begins without a summary.
const MAX_BAD_SUMMARIES: usize = 2;
/// Tokens that a summary may have, thinking included.
const SUMMARY_TOKENS: u32 = 8_192;
/// What is left of each result when the conversation does not fit even for a summary, in bytes: first, and then.
const LEAN_BYTES: [usize; 2] = [600, 200];
/// Tokens that a reply may have at most, where one that was cut gets more room.
const MOST_ROOM: u32 = 64_000;

/// What this run tried to put its conversation aside. A run that is killed tries again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tried {
    /// Answers that were no summary.
    bad_summaries: usize,
    /// The service said that the next request is too long.
    too_long: bool,
    /// Models that should have written the summary and could not be asked.
    absent_writers: usize,
}

/// What the answer to a question is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// The next reply.
    Turn,
    /// The beginning of a segment.
    Summary(Draft),
}

/// A segment that waits for its summary.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draft {
    trigger: Trigger,
    before: i64,
    by_service: bool,
}

/// What is due.
pub(crate) enum Due {
    /// The next turn.
    Turn,
    /// A summary.
    Summary(Draft),
    /// A segment without one.
    Segment(Box<Compacted>),
}

impl Activation<'_> {
    /// The request for the next turn.
    pub(crate) fn turn_request(&self, choice: &Choice) -> serde_json::Result<Request> {
        let (model, most) = (choice.model.as_str(), choice.room(self.agent.max_output_tokens));
        let room = match self.transcript.wants_room() {
            true => most.saturating_mul(2).min(MOST_ROOM).max(most),
            false => most,
        };
        let (task, agent) = (&self.lease.leased, &self.definition);
        conversation::request(&self.opening, task, agent, &self.transcript, model, room)
    }

    /// Whether the conversation is to be put aside before `request` is sent, and how. Depends on the journal and on
    /// settings alone, so that the next run after a kill does the same.
    ///
    /// # Errors
    /// When it is to be put aside and that is of no use: the end of the task.
    pub(crate) fn put_aside(&self, model: &str, request: &Request) -> Result<Due, (StatusReason, String)> {
        let window = self.agent.windows.of(model);
        let before = window::size(request, &self.transcript);
        let trigger = match self.tried.too_long {
            true => Some(Trigger::Overflow),
            false => window::due(&self.transcript, before, window),
        };
        let Some(trigger) = trigger else { return Ok(Due::Turn) };
        let useless = |detail: String| match trigger {
            Trigger::Edge => Ok(Due::Turn),
            Trigger::Full | Trigger::Overflow => Err((StatusReason::ContextWindow, detail)),
        };
        if self.transcript.compactions_in_a_row() >= MAX_COMPACTIONS {
            return useless(format!(
                "the conversation was put aside {MAX_COMPACTIONS} times in a row and still does not fit: {before} tokens"
            ));
        }
        let bare = self.segment(model, trigger, before, None);
        if !window::shrinks(before, bare.tokens_after) {
            return useless(format!(
                "the conversation of {before} tokens would still have {} when it is put aside",
                bare.tokens_after
            ));
        }
        if self.tried.bad_summaries >= MAX_BAD_SUMMARIES {
            return Ok(Due::Segment(Box::new(bare)));
        }
        let by_service = self.agent.server_compaction && self.tried.bad_summaries == 0;
        let draft = Draft { trigger, before, by_service };
        Ok(Due::Summary(draft))
    }

    /// The same conversation with a question at its end, so that the cache serves all of it; a leaner one where it is the
    /// conversation that does not fit.
    pub(crate) fn summary_request(&self, model: &str, draft: &Draft) -> serde_json::Result<Request> {
        let (task, agent) = (&self.lease.leased, &self.definition);
        let most = SUMMARY_TOKENS.min(self.agent.max_output_tokens);
        if draft.by_service {
            let mut request =
                conversation::request(&self.opening, task, agent, &self.transcript, model, most)?;
            request.compaction = Some(Compaction { instructions: None });
            if request.betas.is_empty() {
                request.betas.push(hive_claude::COMPACTION_BETA);
            }
            return Ok(request);
        }
        let lean = LEAN_BYTES.get(self.tried.bad_summaries).copied();
        let lean = lean.filter(|_| draft.trigger == Trigger::Overflow);
        let mut said = conversation::said(&self.opening, &self.transcript, model, lean)?;
        let asked = json!({ "type": "text", "text": summary::PROMPT.trim() });
        match said.last_mut() {
            Some(Said::User(blocks)) => blocks.push(asked),
            _ => said.push(Said::User(vec![asked])),
        }
        let mut request = conversation::request(&self.opening, task, agent, &self.transcript, model, most)?;
        request.messages.clear();
        conversation::add_messages(&mut request, said)?;
        Ok(request)
    }

    /// The entry that begins a segment, as far as it is known before it is paid for.
    fn segment(&self, model: &str, trigger: Trigger, before: i64, summary: Option<Summary>) -> Compacted {
        let last = self.transcript.compacted();
        // Without an answer of its own, the last one still says more than nothing.
        let known = summary.as_ref().or_else(|| last.and_then(|last| last.summary.as_ref()));
        let text = past::told(&self.transcript, known, self.agent.windows.of(model));
        let head = conversation::head(&self.lease.leased, &self.definition, model, 1);
        let head = head.and_then(|head| head.body()).map_or(0, |body| body.len());
        Compacted {
            segment: last.map_or(1, |last| last.segment) + 1,
            trigger,
            tokens_before: before,
            tokens_after: window::tokens(head + self.opening.len() + text.len()),
            text,
            summary,
            block: None,
            model: model.to_owned(),
            usage: Usage::default(),
            request_id: None,
        }
    }

    /// Begins a segment with the model's answer, or notes that it is of no use.
    pub(crate) async fn take_summary(
        &mut self,
        draft: &Draft,
        model: &str,
        call: Uuid,
        reply: &hive_claude::Reply,
    ) -> Result<(), Stopped> {
        let usage = usage_of(model, &reply.usage);
        let made = match draft.by_service {
            true => signed_block(reply).map(|block| {
                let made = self.segment(model, draft.trigger, draft.before, None);
                let tokens_after = made.tokens_after + window::tokens(block.get().len());
                Compacted { block: Some(block), tokens_after, ..made }
            }),
            false => summary_of(reply)
                .map(|summary| self.segment(model, draft.trigger, draft.before, Some(summary))),
        };
        let made = made.and_then(|made| match window::shrinks(draft.before, made.tokens_after) {
            true => Ok(made),
            false => Err(format!("it is too long: {} of {} tokens", made.tokens_after, draft.before)),
        });
        match made {
            Ok(made) => {
                let made = Compacted { usage, request_id: reply.request_id.clone(), ..made };
                self.begin_segment(made, Some(call)).await
            }
            Err(why) => {
                let error = format!("the summary cannot be used: {why}");
                tracing::warn!("{error}");
                let outcome = CallOutcome { error, request_id: reply.request_id.clone(), usage: Some(usage) };
                self.persist(|| self.agent.store.fail_call(self.lease, call, &outcome)).await?;
                self.extra_usage = self.extra_usage + usage;
                self.tried.bad_summaries += 1;
                Ok(())
            }
        }
    }

    /// Who writes the summary: the model that the rules name for it, what may stand in for that, the model of the turn.
    /// Those that could not be asked are passed over.
    pub(crate) fn writer(&self, turn: &Choice) -> Choice {
        let named = self.choose(CallKind::Summary);
        let stand_ins = named.fallback.iter().map(|model| named.stand_in(model));
        let mut writers = std::iter::once(named.clone()).chain(stand_ins);
        let catalogue = self.agent.models.catalogue();
        let is_known = |writer: &Choice| {
            !matches!(catalogue.standing(&writer.model), Standing::Retired(_))
                && !self.gone.contains(&writer.model)
                && hive_claude::cost(&writer.model, &hive_claude::Usage::default()).is_some()
        };
        match turn.route.reason {
            // The model that stands in writes the summary as well.
            RouteReason::Fallback => turn.clone(),
            _ => writers.nth(self.tried.absent_writers).filter(is_known).unwrap_or_else(|| turn.clone()),
        }
    }

    /// True when a summary was asked of another model than the turn's: the next one is asked for it.
    pub(crate) fn passes_over(&mut self, question: &Question) -> bool {
        let is_other = matches!(question.purpose, Purpose::Summary(_)) && question.model != question.turn;
        self.tried.absent_writers += usize::from(is_other);
        is_other
    }

    /// True when what ended a call is answered by putting the conversation aside, or by doing so in another way.
    pub(crate) fn makes_room(&mut self, purpose: &Purpose, verdict: Verdict) -> bool {
        match (purpose, verdict) {
            (Purpose::Turn, Verdict::TooLong) => self.tried.too_long = true,
            (
                Purpose::Summary(_),
                Verdict::TooLong | Verdict::End { reason: EndReason::TooLarge | EndReason::InvalidRequest },
            ) => self.tried.bad_summaries += 1,
            _ => return false,
        }
        true
    }

    /// Writes the entry. A database that is away is asked again: what is in memory may be paid for.
    pub(crate) async fn begin_segment(
        &mut self,
        compacted: Compacted,
        call: Option<Uuid>,
    ) -> Result<(), Stopped> {
        let deadline = Instant::now() + STORE_PATIENCE;
        fail_point!("segment::before", |_| std::process::abort());
        let edge = loop {
            match self.agent.store.begin_segment(self.lease, &compacted, call).await {
                Ok(edge) => break edge,
                Err(error) => pause_or_stop(error, deadline).await?,
            }
        };
        fail_point!("segment::committed", |_| std::process::abort());
        tracing::info!(
            segment = compacted.segment,
            before = compacted.tokens_before,
            after = compacted.tokens_after,
            "A new segment began"
        );
        meter::segment(&compacted);
        let entry = Entry::Compacted(Box::new(compacted));
        meter::step(entry.kind(), self.last_step.elapsed());
        self.last_step = Instant::now();
        self.transcript.push(entry);
        self.tried = Tried::default();
        (self.halted, self.unread, self.noted) = (edge.halted, Some(edge.unread), None);
        self.nudge().await;
        Ok(())
    }
}

/// The SHA-256 of what each request of a run begins with.
pub(crate) fn prefix_digest(request: &Request) -> serde_json::Result<[u8; 32]> {
    let prefix = serde_json::to_vec(&(&request.model, &request.tools, &request.system))?;
    Ok(Sha256::digest(prefix).into())
}

fn summary_of(reply: &hive_claude::Reply) -> Result<Summary, String> {
    if reply.message.stop_reason != StopReason::EndTurn {
        return Err(format!("it ended with {}", reply.message.stop_reason.as_str()));
    }
    let texts = reply.message.content.iter().filter_map(|block| match block {
        Block::Text { text } => Some(text.replace('\0', "\u{fffd}")),
        Block::ToolUse { .. } | Block::Thinking { .. } | Block::Other { .. } => None,
    });
    summary::read(&texts.collect::<Vec<_>>().join("\n"))
}

fn signed_block(reply: &hive_claude::Reply) -> Result<Box<RawValue>, String> {
    if reply.message.stop_reason != StopReason::Compaction {
        return Err(format!("it ended with {}", reply.message.stop_reason.as_str()));
    }
    let blocks: Vec<Box<RawValue>> =
        serde_json::from_str(&reply.content_json).map_err(|error| error.to_string())?;
    match (blocks.into_iter().next(), reply.message.content.as_slice()) {
        (Some(block), [Block::Other { kind }]) if kind == "compaction" => Ok(block),
        _ => Err("it is no single compaction block".to_owned()),
    }
}
