//! Which delivery goes to which task: decided on rows that are locked, and carried out by `bind`.

use std::collections::{BTreeMap, HashMap};

use hive_domain::{
    MessageId, Priority,
    conversation::MOST_BOUND,
    task::{NewTask, Performer},
};
use serde_json::json;
use uuid::Uuid;

/// What a task that is made for a message says.
const DESCRIPTION: &str = "Somebody wrote to you while you were not at work. Read what they wrote, below. Do what it \
                           asks for as far as that is your role, answer with `send_message` where an answer is due, \
                           and finish.";

/// A delivery that waits for a task.
pub(super) struct Waiting {
    pub agent: Uuid,
    pub project: Uuid,
    pub place: i64,
    pub message: Uuid,
    pub thread: Uuid,
    pub session: Option<Uuid>,
    pub wants: Option<Uuid>,
    pub from_name: String,
    /// It is a reason to begin a task, unless it comes from too long a row of tasks that were made for messages.
    pub wakes: bool,
    /// It is a reason, and may.
    pub begins: bool,
    pub priority: i16,
}

/// A task that may read.
pub(super) struct Reader {
    pub id: Uuid,
    pub agent: Uuid,
    pub session: Option<Uuid>,
    /// 0 runs, 1 sleeps, 2 begins soon, 3 waits for something else.
    pub rank: i32,
    pub room: i32,
}

/// Which delivery goes where.
pub(super) struct Plan {
    pub readers: Vec<Reader>,
    /// Agent, place and task.
    pub bound: Vec<(Uuid, i64, Uuid)>,
    pub made: BTreeMap<Uuid, NewTask>,
    /// Messages whose task each is made for.
    pub made_for: HashMap<Uuid, Uuid>,
    pub held_back_by_hops: Vec<MessageId>,
    /// Agents of which something waits, so that nothing passes it.
    pub full: Vec<Uuid>,
}

impl Plan {
    pub fn new(readers: Vec<Reader>) -> Self {
        Self {
            readers,
            bound: Vec::new(),
            made: BTreeMap::new(),
            made_for: HashMap::new(),
            held_back_by_hops: Vec::new(),
            full: Vec::new(),
        }
    }

    /// Agents of which nobody reads soon, and of whose messages that were looked at none begins a task.
    pub fn unheard(&self, waiting: &[Waiting]) -> Vec<Uuid> {
        let mut agents: Vec<Uuid> = waiting.iter().map(|delivery| delivery.agent).collect();
        agents.dedup();
        agents.retain(|agent| {
            !self.is_read(*agent) && !waiting.iter().any(|other| other.agent == *agent && other.begins)
        });
        agents
    }

    /// Makes a task for each agent of which nobody reads soon, for the first message that is a reason: before anything is
    /// bound, so that the quiet ones before it are read by it, too, and in their order.
    pub fn begin(&mut self, waiting: &[Waiting]) {
        for delivery in waiting {
            if delivery.begins && !self.is_read(delivery.agent) && self.wanted(delivery).is_none() {
                self.make(delivery);
            }
        }
    }

    fn is_read(&self, agent: Uuid) -> bool {
        self.readers.iter().any(|reader| reader.agent == agent && reader.rank < 3)
    }

    /// The place of the task that asked for it.
    fn wanted(&self, delivery: &Waiting) -> Option<usize> {
        self.readers.iter().position(|reader| {
            Some(reader.id) == delivery.wants && reader.agent == delivery.agent && reader.room > 0
        })
    }

    pub fn place(&mut self, delivery: &Waiting) {
        let reader = self.wanted(delivery).or_else(|| self.soonest(delivery));
        let Some(reader) = reader.map(|index| &mut self.readers[index]) else {
            if delivery.wakes && !delivery.begins && !self.full.contains(&delivery.agent) {
                self.held_back_by_hops.push(delivery.message.into());
            }
            return;
        };
        reader.room -= 1;
        self.bound.push((delivery.agent, delivery.place, reader.id));
    }

    /// The place of the task that reads soonest. None while something before it waits for room.
    fn soonest(&mut self, delivery: &Waiting) -> Option<usize> {
        if self.full.contains(&delivery.agent) {
            return None;
        }
        let ours = |reader: &Reader| reader.agent == delivery.agent && reader.rank < 3;
        let fitting = self.readers.iter().enumerate().filter(|(_, reader)| ours(reader));
        let mut fitting: Vec<(usize, &Reader)> = fitting.collect();
        fitting.sort_by_key(|(_, reader)| {
            (delivery.session.is_none() || reader.session != delivery.session, reader.rank)
        });
        let chosen = fitting.iter().find(|(_, reader)| reader.room > 0).map(|(index, _)| *index);
        if chosen.is_none() && !fitting.is_empty() {
            self.full.push(delivery.agent);
        }
        chosen
    }

    /// A task for it, which reads what comes before and after it, too.
    fn make(&mut self, delivery: &Waiting) {
        let title: String = format!("Message from {}", delivery.from_name).chars().take(255).collect();
        let by = format!("message:{}", delivery.message);
        let mut task = NewTask::titled(&title, Performer::Agent(delivery.agent.into()), &by);
        task.project = delivery.project.into();
        task.description = DESCRIPTION.to_owned();
        task.session = delivery.session.map(Into::into);
        task.priority = Priority::try_from(i64::from(delivery.priority)).unwrap_or_default();
        task.context.insert("message_id".to_owned(), json!(delivery.message));
        task.context.insert("conversation_id".to_owned(), json!(delivery.thread));
        let id = task.id.uuid();
        self.made_for.insert(id, delivery.message);
        self.made.insert(id, task);
        self.readers.push(Reader {
            id,
            agent: delivery.agent,
            session: delivery.session,
            rank: 2,
            room: MOST_BOUND,
        });
    }
}
