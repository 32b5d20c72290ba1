use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use serde::Deserialize;

use super::*;
use crate::eval::{Bm25, Judged, Measures, Question, Split, judge};

/// What the set says of a fact; no retriever sees it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fact {
    id: String,
    entity: String,
    attribute: String,
    turns: Vec<String>,
    near: Vec<String>,
}

fn facts() -> Vec<Fact> {
    let lines = include_str!("../../../eval/set/facts.jsonl").lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn it_is_as_large_as_promised_in_every_class() {
    let data = shipped().unwrap();
    assert!(facts().len() >= 300 && data.questions.len() >= 600);
    let mut classes: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for question in &data.questions {
        classes.entry(&question.class).or_default()[usize::from(Split::HeldOut.holds(question))] += 1;
    }
    let names: Vec<&str> = classes.keys().copied().collect();
    assert_eq!(names, ["as_of", "contradiction", "exact", "paraphrase", "scope", "update"]);
    for (class, [tune, held_out]) in classes {
        assert!(tune >= 8 && held_out >= 8, "{class}: {tune} to tune by, {held_out} held out");
    }
    assert!(data.questions.iter().filter(|question| !question.stale.is_empty()).count() >= 80);
    assert!(data.turns.iter().any(|turn| turn.recalled) && data.turns.iter().any(|turn| turn.junk));
    assert!(data.questions.iter().any(|question| question.as_of.is_some()));
}

/// A distractor counts for a fact if everybody who asks about it may hear it, and if it is not what is asked for.
#[test]
fn each_fact_has_ten_near_misses_that_its_askers_may_hear() {
    let data = shipped().unwrap();
    let places: HashMap<&str, usize> =
        data.turns.iter().zip(0..).map(|(turn, place)| (&*turn.id, place)).collect();
    let mut asked: HashMap<usize, Vec<&Question>> = HashMap::new();
    for question in &data.questions {
        for turn in &question.evidence {
            asked.entry(*turn).or_default().push(question);
        }
    }
    let mut seen = HashSet::new();
    for fact in facts() {
        assert!(seen.insert(fact.id.clone()), "{} is there twice", fact.id);
        let stated: Vec<usize> = fact.turns.iter().map(|turn| places[&**turn]).collect();
        let askers = stated.iter().flat_map(|turn| asked.get(turn)).flatten();
        let now: Vec<&&Question> = askers.filter(|question| question.as_of.is_none()).collect();
        let near: HashSet<usize> = fact.near.iter().map(|turn| places[&**turn]).collect();
        assert!(near.len() >= 10, "{} has {} near misses", fact.id, near.len());
        for turn in near {
            assert!(!stated.contains(&turn), "{}: {} states it", fact.id, data.turns[turn].id);
            let heard = now.iter().all(|question| data.may_hear(question, turn));
            assert!(heard, "{}: {} is not heard", fact.id, data.turns[turn].id);
        }
        assert!(!fact.entity.is_empty() && !fact.attribute.is_empty());
    }
}

#[test]
fn all_questions_about_a_fact_are_in_one_split() {
    let data = shipped().unwrap();
    let mut groups: HashMap<usize, &str> = HashMap::new();
    for question in &data.questions {
        for turn in &question.evidence {
            let group = groups.entry(*turn).or_insert(&question.group);
            assert_eq!(*group, question.group, "{}", question.id);
        }
    }
    let held_out = data.questions.iter().filter(|question| Split::HeldOut.holds(question)).count();
    let tune = data.questions.iter().filter(|question| Split::Tune.holds(question)).count();
    assert_eq!(held_out + tune, data.questions.len());
    assert!(held_out * 5 > data.questions.len() * 2 && tune * 5 > data.questions.len() * 2);
}

/// Words alone, in either split; that vectors alone do no better is tested where the embedder runs.
#[test]
fn words_alone_leave_evidence_to_be_found() {
    let data = shipped().unwrap();
    let words = Bm25::new(&data);
    for split in [Split::Tune, Split::HeldOut] {
        let asked = data.questions.iter().filter(|question| split.holds(question));
        let judged: Vec<Judged> = asked
            .map(|question| judge(&data.turns, question, &words.rank(question), Duration::ZERO))
            .collect();
        let measures = Measures::of(&judged).unwrap();
        assert!(measures.evidence_4k < 0.90, "{split:?}: {measures:?}");
        // And it is no riddle: most of it is found by its words.
        assert!(measures.evidence_4k > 0.70, "{split:?}: {measures:?}");
    }
}
