//! What stands ahead among entries that fit alike, and what a question lends to its answer.

use hive_domain::{AgentId, MemoryOwner, MemoryReader};
use hive_memory::index::{About, Entry, Found, Index, Query};

use crate::bed::{NOW, PROJECT, READER, about, entry, id, ids, query, words};

const SOUGHT: [f32; 4] = [1.0, 0.0, 0.0, 0.0];
/// Of length 1, with a cosine of 0.95 and of 0.9 to what is sought, and of 0.99 to each other.
const BEST: [f32; 4] = [0.95, 0.3122, 0.0, 0.0];
const NEXT: [f32; 4] = [0.9, 0.4359, 0.0, 0.0];
/// With a cosine of 0.8 to what is sought and of 0.57 to BEST: near, and about something else.
const ASIDE: [f32; 4] = [0.8, -0.6, 0.0, 0.0];
/// Far off, so that there is a least.
const FAR: [f32; 4] = [0.0, 0.0, 0.0, 1.0];

fn since(number: u32, text: &str, valid_from: i64, vector: [f32; 4]) -> Entry<'_> {
    Entry { vectors: vec![vector.to_vec()], about: About { valid_from, ..about() }, ..entry(number, text) }
}

fn ask(index: &Index, reader: MemoryReader) -> Vec<Found> {
    index.search(&Query { reader, ..query("x", Some(&SOUGHT)) })
}

#[test]
fn the_newer_of_two_that_say_nearly_the_same_stands_ahead() {
    let order = |changed: fn(&mut Index)| {
        let mut index = Index::new(4);
        index.put(since(0, "the limit is five", 10, BEST));
        index.put(since(1, "the limit is nine", 20, NEXT));
        index.put(since(2, "tea", 30, FAR));
        changed(&mut index);
        let found = ask(&index, READER);
        assert!(found.is_sorted_by(|a, b| a.score >= b.score), "{found:?}");
        ids(&found)[..2].to_vec()
    };
    assert_eq!(order(|_| ()), [id(1), id(0)]);
    // Not one that is older, that is a question, or that is somebody else's.
    assert_eq!(order(|index| index.put(since(1, "the limit was nine", 5, NEXT))), [id(0), id(1)]);
    assert_eq!(order(|index| index.put(since(1, "is the limit nine?", 20, NEXT))), [id(0), id(1)]);
    let mut index = Index::new(4);
    let agent = AgentId::new();
    let owner = MemoryOwner::Agent(PROJECT, agent);
    index.put(since(0, "the limit is five", 10, BEST));
    index.put(Entry { owner, ..since(1, "the limit is nine", 20, NEXT) });
    index.put(since(2, "tea", 30, FAR));
    assert_eq!(ids(&ask(&index, MemoryReader { agent: Some(agent), ..READER }))[..2], [id(0), id(1)]);
    // And not one that is only related.
    assert_eq!(order(|index| index.put(since(1, "the limit is nine", 20, ASIDE))), [id(0), id(1)]);
}

#[test]
fn what_is_said_again_stands_behind_everything_else() {
    let mut index = Index::new(4);
    for number in 0..5 {
        index.put(entry(number, "ship the release when you are ready"));
    }
    index.put(entry(5, "the release is on Tuesday"));
    let found = words(&index, "release ready");
    assert_eq!(found[1], id(5), "{found:?}");
    assert_eq!(found.len(), 6, "nothing is lost");
}

#[test]
fn an_answer_is_found_by_its_question() {
    let mut index = Index::new(4);
    let after = |number| About { follows: Some(id(number)), valid_from: NOW - 1, ..about() };
    index.put(entry(0, "How many letters before dunning hands over to collection?"));
    index.put(Entry { about: after(0), ..entry(1, "Three. The third goes by registered mail.") });
    index.put(entry(2, "The letters of dunning exist in seven languages"));
    index.put(entry(3, "Some statement about collection"));
    index.put(Entry { about: after(3), ..entry(4, "It follows no question.") });
    let found = words(&index, "after how many letters is a debt given to collection by dunning");
    let place = |number| found.iter().position(|found| *found == id(number));
    assert!(place(1) < place(2) && place(1) < place(3), "{found:?}");
    assert!(place(4).is_none_or(|place| place > 2), "{found:?}");
}

#[test]
fn a_compound_of_words_is_no_code() {
    let mut index = Index::new(4);
    index.put(entry(0, "tax-engine is restarted on Mondays"));
    index.put(entry(1, "PX-1456 came up in the tax engine"));
    let found = index.search(&query("what is PX-1456 of tax-engine", None));
    assert_eq!((found[0].id, found[0].parts.exact > 0.5), (id(1), true));
    assert_eq!(found[1].parts.exact, 0.0);
}
