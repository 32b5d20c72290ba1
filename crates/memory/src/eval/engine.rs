//! The engine: the index that answers searches, with its usual weights and all that it makes of time and scopes itself.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use hive_domain::{AgentId, ContextId, MemoryOwner, MemoryReader, ProjectId, TrustClass};
use uuid::Uuid;

use super::{Dataset, Question, Result, Retriever, Turn, Vectors};
use crate::{
    fuse::Weights,
    index::{About, Entry, Filter, Index, Query},
};

/// What a turn weighs, which is what an entry weighs of which nobody says anything else.
const IMPORTANCE: f32 = 0.5;

/// The engine over a data set: one index for each project that asks, with what is its organisation's.
#[derive(Debug)]
pub struct Engine<'a> {
    vectors: &'a Vectors,
    indexes: HashMap<&'a str, Index>,
    numbers: HashMap<&'a str, u128>,
    weights: Weights,
    latest: DateTime<Utc>,
}

impl<'a> Engine<'a> {
    /// Puts all turns in.
    #[must_use]
    pub fn new(data: &'a Dataset, vectors: &'a Vectors) -> Self {
        let mut numbers = HashMap::new();
        let scopes = data.turns.iter().map(|turn| &turn.scope);
        for scope in scopes.chain(data.questions.iter().map(|question| &question.scope)) {
            for name in [&**scope, project_of(scope)] {
                let next = numbers.len() as u128 + 1;
                numbers.entry(name).or_insert(next);
            }
        }
        let mut engine = Self {
            vectors,
            indexes: HashMap::new(),
            numbers,
            weights: Weights::default(),
            latest: data.turns.iter().map(|turn| turn.at).max().unwrap_or_default(),
        };
        for question in &data.questions {
            let project = project_of(&question.scope);
            if !engine.indexes.contains_key(project) {
                let index = engine.index(project, &data.turns);
                engine.indexes.insert(project, index);
            }
        }
        engine
    }

    /// What a project may recall: its organisation's, its own, and its agents'.
    fn index(&self, project: &str, turns: &[Turn]) -> Index {
        let mut index = Index::new(self.vectors.dimensions());
        // What was recalled is never stored as something new.
        for (place, turn) in turns.iter().enumerate().filter(|(_, turn)| !turn.recalled) {
            let of_organisation = project.split('/').next() == Some(&*turn.scope);
            if of_organisation || project_of(&turn.scope) == project {
                index.put(Entry {
                    id: context(place),
                    owner: self.owner(&turn.scope),
                    text: &turn.text,
                    vectors: self.vectors.of(place).to_vec(),
                    about: about(turn),
                });
            }
        }
        index
    }

    fn number(&self, scope: &str) -> Uuid {
        Uuid::from_u128(self.numbers.get(scope).copied().unwrap_or_default())
    }

    fn owner(&self, scope: &str) -> MemoryOwner {
        let project = ProjectId::from(self.number(project_of(scope)));
        match scope.split('/').count() {
            1 => MemoryOwner::Org,
            2 => MemoryOwner::Project(project),
            _ => MemoryOwner::Agent(project, AgentId::from(self.number(scope))),
        }
    }

    fn reader(&self, scope: &str) -> MemoryReader {
        let owner = self.owner(scope);
        let project = ProjectId::from(self.number(project_of(scope)));
        MemoryReader { project, session: None, agent: owner.agent() }
    }
}

impl Retriever for Engine<'_> {
    async fn search(&self, question: &Question) -> Result<Vec<usize>> {
        let Some(index) = self.indexes.get(project_of(&question.scope)) else { return Ok(Vec::new()) };
        let vector = self.vectors.sought(&question.text).await?;
        let found = index.search(&Query {
            text: &question.text,
            vector: Some(&vector),
            reader: self.reader(&question.scope),
            at: question.as_of.unwrap_or(self.latest).timestamp_micros(),
            // Whoever asks about the past does not want to be told that it has faded.
            filter: Filter { with_faded: true, ..Filter::default() },
            weights: self.weights,
            most: Self::ENOUGH,
        });
        Ok(found.into_iter().filter_map(|found| place(found.id)).collect())
    }
}

fn about(turn: &Turn) -> About {
    About {
        kind: "fact".to_owned(),
        trust: TrustClass::Agent,
        parent: None,
        follows: turn.follows.map(context),
        valid_from: turn.at.timestamp_micros(),
        valid_to: None,
        recorded_at: turn.at.timestamp_micros(),
        born: None,
        died: None,
        importance: IMPORTANCE,
        pinned: false,
        recalled: (0, 0),
    }
}

/// `org/project` of a scope, or `org` if it is no deeper.
fn project_of(scope: &str) -> &str {
    scope.match_indices('/').nth(1).map_or(scope, |(at, _)| &scope[..at])
}

fn context(place: usize) -> ContextId {
    ContextId::from(Uuid::from_u128(place as u128))
}

fn place(id: ContextId) -> Option<usize> {
    usize::try_from(id.uuid().as_u128()).ok()
}
