//! Writing the journal: steps that belong together, and the intent of the call that follows them, all or nothing.

mod statement;

use hive_domain::{Lease, NanoUsd, Route, TaskId, Usage, journal::Entry};
pub(crate) use statement::send;
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    journal::outline,
    pool::Store,
    text::{storable, storable_json},
};

/// A step to be written.
#[derive(Clone, Debug)]
pub struct NewStep<'a> {
    /// Its content.
    pub entry: &'a Entry,
    /// The call it answers, when it is a reply.
    pub call: Option<Uuid>,
    /// The workspace after it, when it changed.
    pub commit: Option<&'a str>,
    /// The sandbox level its commands ran under.
    pub sandbox: Option<&'a str>,
}

impl<'a> NewStep<'a> {
    /// A step without call, commit or commands.
    #[must_use]
    pub const fn plain(entry: &'a Entry) -> Self {
        Self { entry, call: None, commit: None, sandbox: None }
    }
}

/// A call to the model that follows steps at once: its intent is noted with them.
#[derive(Clone, Copy, Debug)]
pub struct NextCall<'a> {
    /// Chosen by the caller, so that it is the same one when the steps are offered again.
    pub id: Uuid,
    /// The model that is asked.
    pub model: &'a str,
    /// Of the request's bytes.
    pub request_sha256: &'a [u8],
    /// Why this model.
    pub route: Option<Route>,
    /// What it may cost at most.
    pub worst_case: NanoUsd,
}

/// What holds at the edge after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// A pause covers the task: it is handed back here.
    pub halted: bool,
    /// A message of a person or of another agent is not yet in the journal.
    pub unread: bool,
    /// The intent of the next call is noted, and the call may be sent. False when none was offered, when the task is
    /// halted or a message is to be read first, and for a task with budgets: see [`Store::note_call`].
    pub begun: bool,
}

impl Store {
    /// Writes the next step: the entry, the outcome of its call, the totals, the extended lease and the event, all or
    /// nothing.
    ///
    /// # Errors
    /// [`Error::Fenced`] when the lease is lost: nothing was written and the run must stop.
    pub async fn append<T: Sync>(&self, lease: &mut Lease<T>, step: &NewStep<'_>) -> Result<Edge> {
        self.append_all(lease, std::slice::from_ref(step), None).await
    }

    /// Writes steps that follow from one another, and notes the call that comes next, all or nothing. At most one of the
    /// steps may be a reply.
    ///
    /// # Errors
    /// As [`Store::append`]; [`Error::Invalid`] without steps, or with two replies.
    pub async fn append_all<T: Sync>(
        &self,
        lease: &mut Lease<T>,
        steps: &[NewStep<'_>],
        next: Option<NextCall<'_>>,
    ) -> Result<Edge> {
        let append = Append::new(lease.task(), lease.epoch(), lease.next_seq(), steps, next)?;
        let edge = match self.groups.steps.submit(&self.lines, append.clone()).await? {
            Some(edge) => edge,
            None => self.written_before(&append).await?,
        };
        for _ in steps {
            lease.advance();
        }
        Ok(edge)
    }

    /// The edge after these very steps, when they were committed by this run: an earlier try succeeded whose answer was
    /// lost.
    async fn written_before(&self, append: &Append) -> Result<Edge> {
        let edge = sqlx::query!(
            r#"SELECT t.messages_read < t.messages_sent OR t.mail > 0 AS "unread!",
                      EXISTS (SELECT 1 FROM llm_calls c WHERE c.task_id = t.id AND c.id = $5) AS "begun!",
                      covers(p.fleet, p.lanes, p.agents, p.sessions, t.priority, t.assigned_agent_id, t.session_id)
                          AS "halted!"
               FROM tasks t CROSS JOIN halting_pauses p
               WHERE t.id = $1 AND t.epoch = $3 AND t.status = 'running' AND t.next_seq = $2::integer + $4::integer
                 AND EXISTS (SELECT 1 FROM steps s
                             WHERE s.task_id = $1 AND s.seq = $2::integer + $4::integer - 1 AND s.epoch = $3)"#,
            append.task.uuid(),
            append.seq,
            append.epoch,
            i32::try_from(append.steps.len()).unwrap_or(i32::MAX),
            append.next.as_ref().map(|next| next.id),
        );
        let edge = edge.fetch_optional(&self.pool).await?;
        edge.map(|edge| Edge { halted: edge.halted && !edge.begun, unread: edge.unread, begun: edge.begun })
            .ok_or(Error::Fenced { task: append.task, epoch: append.epoch })
    }
}

/// Steps of one task on their way.
#[derive(Clone, Debug)]
pub(crate) struct Append {
    task: TaskId,
    epoch: i64,
    /// Of the first step.
    seq: i32,
    steps: Vec<Row>,
    /// The call that the reply among them answers.
    call: Option<Uuid>,
    request_id: Option<String>,
    usage: Usage,
    next: Option<Next>,
}

/// One step on its way.
#[derive(Clone, Debug)]
struct Row {
    kind: &'static str,
    body: String,
    commit: Option<String>,
    sandbox: Option<String>,
    outline: serde_json::Value,
}

/// The call that follows.
#[derive(Clone, Debug)]
struct Next {
    id: Uuid,
    model: String,
    request_sha256: Vec<u8>,
    route: Option<Route>,
    worst_case: NanoUsd,
}

impl Append {
    fn new(
        task: TaskId,
        epoch: i64,
        seq: i32,
        steps: &[NewStep<'_>],
        next: Option<NextCall<'_>>,
    ) -> Result<Self> {
        let replies = steps.iter().filter_map(|step| match step.entry {
            Entry::Reply(reply) => Some(reply),
            _ => None,
        });
        let replies: Vec<_> = replies.collect();
        if steps.is_empty() || replies.len() > 1 {
            let message =
                "steps that are written together are one at least, and one reply at most".to_owned();
            return Err(Error::Invalid { field: "/steps", message });
        }
        let row = |(step, seq): (&NewStep<'_>, i32)| {
            let body = step.entry.body();
            let body = body.map_err(|e| Error::inconsistent("steps", "body", format!("{task}/{seq}"), e))?;
            Ok(Row {
                kind: step.entry.kind(),
                body,
                commit: step.commit.map(str::to_owned),
                sandbox: step.sandbox.map(str::to_owned),
                outline: storable_json(outline(seq, step)),
            })
        };
        let reply = replies.first();
        let request_id = reply.and_then(|reply| reply.request_id.as_deref()).map(storable);
        Ok(Self {
            task,
            epoch,
            seq,
            steps: steps.iter().zip(seq..).map(row).collect::<Result<_>>()?,
            call: steps.iter().find_map(|step| step.call),
            request_id: request_id.map(std::borrow::Cow::into_owned),
            usage: reply.map(|reply| reply.usage).unwrap_or_default(),
            next: next.map(|next| Next {
                id: next.id,
                model: next.model.to_owned(),
                request_sha256: next.request_sha256.to_vec(),
                route: next.route,
                worst_case: next.worst_case,
            }),
        })
    }
}
