//! Which delivery goes to which task: decided on rows that are locked, and carried out by `bind`.

use std::collections::{BTreeMap, HashMap};

use hive_domain::{
    MessageId, Priority,
    conversation::{MOST_BOUND, MOST_HOPS},
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
    pub wakes: bool,
    pub hops: i16,
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

    pub fn place(&mut self, delivery: &Waiting) {
        let wanted = self.readers.iter().position(|reader| {
            Some(reader.id) == delivery.wants && reader.agent == delivery.agent && reader.room > 0
        });
        let reader = wanted.or_else(|| self.soonest(delivery));
        let task = match reader.map(|index| &mut self.readers[index]) {
            Some(reader) => {
                reader.room -= 1;
                reader.id
            }
            None if self.full.contains(&delivery.agent) => return,
            None if delivery.wakes && delivery.hops < MOST_HOPS => self.make(delivery),
            None => {
                if delivery.wakes {
                    self.held_back_by_hops.push(delivery.message.into());
                }
                return;
            }
        };
        self.bound.push((delivery.agent, delivery.place, task));
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

    /// A task for it, which reads what comes after it, too.
    fn make(&mut self, delivery: &Waiting) -> Uuid {
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
        let room = MOST_BOUND - 1;
        self.readers.push(Reader { id, agent: delivery.agent, session: delivery.session, rank: 2, room });
        id
    }
}
