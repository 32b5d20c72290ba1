//! What was said, and what is asked about it.

use std::{collections::HashMap, path::Path};

use chrono::{DateTime, Utc};

use super::lines::{Origin, QUESTIONS, QuestionLine, TURNS, TurnLine, Unusable, parse, read};

/// The parts that a scope has at most: organisation, project, agent.
const DEEPEST: usize = 3;

/// Conversations and questions about them. Turns are named by their place from 0.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// In the order of their file, which within a session is the order of what was said.
    pub turns: Vec<Turn>,
    /// In the order of their file.
    pub questions: Vec<Question>,
    /// Questions that name no evidence: nothing could be found, so that they are not asked.
    pub without_evidence: usize,
}

/// Something that was said.
#[derive(Clone, Debug)]
pub struct Turn {
    /// Its id in the file.
    pub id: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Who may hear it: an organisation, a project in it, or one agent there, as `org/project/agent`.
    pub scope: String,
    /// The words, which are all that is searched.
    pub text: String,
    /// An agent read it back from its memory; it is no new knowledge.
    pub recalled: bool,
    /// It answers nothing. For the score alone: no retriever may look at it.
    pub junk: bool,
    /// What was said just before in the same session and scope.
    pub follows: Option<usize>,
}

/// Something that is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// Its id in the file.
    pub id: String,
    /// In words.
    pub text: String,
    /// Who asks.
    pub scope: String,
    /// What held then is wanted, and what was said later is not there; without it, what holds at last.
    pub as_of: Option<DateTime<Utc>>,
    /// What kind of question it is.
    pub class: String,
    /// What it shares with others that must lie in the same split.
    pub group: String,
    /// The turns that hold the answer. Never empty; the asker may hear each of them.
    pub evidence: Vec<usize>,
    /// Turns that say what held before, and does no more at the time that is asked about.
    pub stale: Vec<usize>,
}

impl Dataset {
    /// Reads a directory.
    ///
    /// # Errors
    /// Names the file, the line and the field that cannot be used.
    pub fn read(directory: &Path) -> Result<Self, Unusable> {
        Self::parse(&read(directory, TURNS)?, &read(directory, QUESTIONS)?)
    }

    /// The same of the contents of the two files.
    ///
    /// # Errors
    /// See [`Dataset::read`].
    pub fn parse(turns: &str, questions: &str) -> Result<Self, Unusable> {
        let mut places = HashMap::new();
        let mut last = HashMap::new();
        let mut made: Vec<Turn> = Vec::new();
        for (line, turn) in parse::<TurnLine>(TURNS, turns)? {
            let wrong = |problem| Unusable::Line { file: TURNS, line, problem };
            check_scope(&turn.scope).map_err(wrong)?;
            if turn.speaker.is_empty() {
                return Err(wrong("speaker: is empty".to_owned()));
            }
            let place = made.len();
            if places.insert(turn.id.clone(), place).is_some() {
                return Err(wrong(format!("id: {} was there before", turn.id)));
            }
            let follows = last.insert((turn.session, turn.scope.clone()), place);
            if follows.is_some_and(|before| made[before].at > turn.at) {
                return Err(wrong("at: is before that of the turn before it in the session".to_owned()));
            }
            made.push(Turn {
                id: turn.id,
                at: turn.at,
                scope: turn.scope,
                text: turn.text,
                recalled: turn.origin == Origin::Recalled,
                junk: turn.junk,
                follows,
            });
        }
        let mut data = Self { turns: made, questions: Vec::new(), without_evidence: 0 };
        let mut ids = HashMap::new();
        for (line, question) in parse::<QuestionLine>(QUESTIONS, questions)? {
            let wrong = |problem| Unusable::Line { file: QUESTIONS, line, problem };
            if let Some(before) = ids.insert(question.id.clone(), line) {
                return Err(wrong(format!("id: {} is that of line {before}", question.id)));
            }
            let question = data.question(question, &places).map_err(wrong)?;
            if question.evidence.is_empty() {
                data.without_evidence += 1;
            } else {
                data.questions.push(question);
            }
        }
        Ok(data)
    }

    /// Whether the asker may hear a turn and it had been said at the time that is asked about.
    #[must_use]
    pub fn may_hear(&self, question: &Question, turn: usize) -> bool {
        let turn = &self.turns[turn];
        hears(&question.scope, &turn.scope) && question.as_of.is_none_or(|as_of| turn.at <= as_of)
    }

    fn question(&self, line: QuestionLine, places: &HashMap<String, usize>) -> Result<Question, String> {
        check_scope(&line.scope)?;
        let resolve = |field: &str, ids: &[String]| {
            let place = |id| places.get(id).copied().ok_or_else(|| format!("{field}: there is no turn {id}"));
            ids.iter().map(place).collect::<Result<Vec<usize>, String>>()
        };
        let question = Question {
            evidence: resolve("evidence", &line.evidence)?,
            stale: resolve("stale", &line.stale)?,
            group: line.group.unwrap_or_else(|| line.id.clone()),
            id: line.id,
            text: line.text,
            scope: line.scope,
            as_of: line.as_of,
            class: line.class,
        };
        for (field, turns) in [("evidence", &question.evidence), ("stale", &question.stale)] {
            if let Some(turn) = turns.iter().find(|turn| !self.may_hear(&question, **turn)) {
                let id = &self.turns[*turn].id;
                return Err(format!(
                    "{field}: {id} is not to be heard by the asker, or was said after as_of"
                ));
            }
        }
        if let Some(turn) = question.stale.iter().find(|turn| question.evidence.contains(turn)) {
            return Err(format!("stale: {} is evidence, too", self.turns[*turn].id));
        }
        Ok(question)
    }
}

/// A scope is heard in itself and in all that lies within it.
fn hears(asker: &str, scope: &str) -> bool {
    asker.strip_prefix(scope).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn check_scope(scope: &str) -> Result<(), String> {
    let parts = scope.split('/');
    if parts.clone().any(str::is_empty) || parts.count() > DEEPEST {
        return Err(format!("scope: {scope:?} is not org, org/project or org/project/agent"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
