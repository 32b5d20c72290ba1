//! Tokens are those of the tokenizer that the model was trained with. The fixture was written by it.

use hive_embed::WordPiece;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    text: String,
    ids: Vec<i32>,
}

fn words() -> WordPiece {
    WordPiece::new(include_str!("../../model/vocab.txt")).unwrap()
}

#[test]
fn tokens_are_those_that_the_model_knows() {
    let words = words();
    let cases = include_str!("../fixtures/word_piece.jsonl").lines();
    let cases: Vec<Case> = cases.map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(cases.len() > 15);
    for Case { text, ids } in cases {
        assert_eq!(words.encode(&text, 256), ids, "{text:?}");
        let count = words.count(&text) + 2;
        assert!(count >= ids.len(), "{text:?}");
        // 100 stands for a word without pieces.
        if !ids.contains(&100) && !text.chars().any(|c| c.is_control() || !c.is_ascii()) {
            assert_eq!(count, ids.len(), "{text:?}");
        }
    }
}

#[test]
fn what_has_no_words_counts_by_its_bytes() {
    let words = words();
    let key = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo".repeat(100);
    assert_eq!(words.count(&key), 875, "another model reads all of it");
    assert_eq!(words.encode(&key, 256).len(), 3);
    assert_eq!(words.count(&"\u{200b}".repeat(400)), 300, "what is not seen is read as well");
    assert_eq!(words.count(&format!("e{}", "\u{301}".repeat(400))), 201);
    assert_eq!(words.count("\u{1f600} ok"), 2);
    assert_eq!(words.count("caf\u{e9} na\u{ef}ve"), words.count("cafe naive"));
}

#[test]
fn a_long_text_is_cut_and_a_mark_in_a_text_is_text() {
    let words = words();
    let long = "word ".repeat(300);
    let ids = words.encode(&long, 256);
    assert_eq!((ids.len(), ids[0], ids[1], ids[255]), (256, 101, 2773, 102));
    assert_eq!(words.count(&long), 300);
    // 101 and 102 mark the beginning and the end, and nothing between them.
    let ids = words.encode("[CLS] [SEP]", 256);
    assert!(!ids[1..ids.len() - 1].iter().any(|id| matches!(id, 101 | 102)), "{ids:?}");
}
