use super::*;

const TURN: &str =
    r#"{"id":"t1","session":"s","at":"2026-01-01T10:00:00Z","speaker":"a","scope":"o/p","text":"one"}"#;
const QUESTION: &str = r#"{"id":"q1","text":"?","scope":"o/p/a","class":"c","evidence":["t1"]}"#;

fn problem(turns: &str, questions: &str) -> String {
    Dataset::parse(turns, questions).unwrap_err().to_string()
}

#[test]
fn what_stands_in_the_files_is_read() {
    let second = TURN.replace("t1", "t2").replace("10:00", "10:01").replace("one", "two");
    let other = TURN.replace("t1", "t3").replace("o/p", "o").replace("one", "three");
    let questions = QUESTION.replace(r#"["t1"]"#, r#"["t2"],"stale":["t1"],"group":"g""#);
    let data = Dataset::parse(&format!("{TURN}\n\n{other}\n{second}\n"), &questions).unwrap();
    assert_eq!(data.turns.iter().map(|turn| turn.follows).collect::<Vec<_>>(), [None, None, Some(0)]);
    let question = &data.questions[0];
    assert_eq!((&*question.group, &*question.evidence, &*question.stale), ("g", &[2][..], &[0][..]));
}

#[test]
fn an_asker_hears_its_own_scope_and_those_around_it_up_to_the_time_it_asks_about() {
    for (asker, scope, expected) in [
        ("o/p/a", "o", true),
        ("o/p/a", "o/p", true),
        ("o/p/a", "o/p/a", true),
        ("o/p", "o/p/a", false),
        ("o/p/ab", "o/p/a", false),
        ("o2/p", "o", false),
    ] {
        assert_eq!(hears(asker, scope), expected, "{asker} {scope}");
    }
    let later = TURN.replace("t1", "t2").replace("10:00", "11:00");
    let question = QUESTION.replace(r#""class""#, r#""as_of":"2026-01-01T10:30:00Z","class""#);
    let data = Dataset::parse(&format!("{TURN}\n{later}"), &question).unwrap();
    assert!(data.may_hear(&data.questions[0], 0) && !data.may_hear(&data.questions[0], 1));
}

#[test]
fn what_cannot_be_used_is_named_with_file_line_and_field() {
    let private = TURN.replace("o/p", "o/p/b");
    let early = TURN.replace("t1", "t2").replace("10:00", "09:00");
    let stale = QUESTION.replace(r#""class""#, r#""stale":["t1"],"class""#);
    for (turns, questions, expected) in [
        ("", QUESTION, "turns.jsonl holds nothing"),
        (TURN, "", "questions.jsonl holds nothing"),
        (&TURN.replace("at\":", "when\":"), QUESTION, "turns.jsonl, line 1: unknown field `when`"),
        (&format!("{TURN}\n{TURN}"), QUESTION, "turns.jsonl, line 2: id: t1 was there before"),
        (&format!("{TURN}\n{early}"), QUESTION, "turns.jsonl, line 2: at: is before"),
        (&TURN.replace("o/p", "o//p"), QUESTION, "turns.jsonl, line 1: scope: \"o//p\" is not"),
        (&TURN.replace("o/p", "o/p/a/x"), QUESTION, "turns.jsonl, line 1: scope: \"o/p/a/x\" is not"),
        (TURN, &format!("{QUESTION}\n{QUESTION}"), "questions.jsonl, line 2: id: q1 is that of line 1"),
        (
            TURN,
            &QUESTION.replace("\"t1\"", "\"t7\""),
            "questions.jsonl, line 1: evidence: there is no turn t7",
        ),
        (&private, QUESTION, "questions.jsonl, line 1: evidence: t1 is not to be heard"),
        (TURN, &stale, "questions.jsonl, line 1: stale: t1 is evidence"),
        (TURN, "{}", "questions.jsonl, line 1: missing field `id`"),
    ] {
        let problem = problem(turns, questions);
        assert!(problem.starts_with(expected), "{problem:?} is not {expected:?}");
    }
}

#[test]
fn a_question_without_evidence_is_counted_and_left_out() {
    let open = QUESTION.replace("q1", "q2").replace("\"t1\"", "");
    let data = Dataset::parse(TURN, &format!("{open}\n{QUESTION}")).unwrap();
    let asked: Vec<&str> = data.questions.iter().map(|question| &*question.id).collect();
    assert_eq!((asked, data.without_evidence), (vec!["q1"], 1));
}

#[test]
fn a_directory_without_the_files_is_refused() {
    let problem = Dataset::read(Path::new("/nonexistent")).unwrap_err().to_string();
    assert!(problem.starts_with("/nonexistent/turns.jsonl cannot be read: "), "{problem}");
}
