use super::*;

/// Turns of these lengths in bytes, each with words of its own; a negative length marks junk.
fn turns(lengths: &[i32]) -> Vec<Turn> {
    let turn = |(place, length): (usize, &i32)| Turn {
        id: format!("t{place}"),
        at: "2026-01-01T00:00:00Z".parse().unwrap(),
        scope: "o".to_owned(),
        text: char::from(b'a' + u8::try_from(place).unwrap())
            .to_string()
            .repeat(length.unsigned_abs() as usize),
        recalled: false,
        junk: *length < 0,
        follows: None,
    };
    lengths.iter().enumerate().map(turn).collect()
}

fn question(evidence: &[usize], stale: &[usize]) -> Question {
    Question {
        id: "q".to_owned(),
        text: "?".to_owned(),
        scope: "o".to_owned(),
        as_of: None,
        class: "c".to_owned(),
        group: "q".to_owned(),
        evidence: evidence.to_vec(),
        stale: stale.to_vec(),
    }
}

fn judged(evidence: &[usize], stale: &[usize], found: &[usize]) -> Judged {
    judge(&turns(&[35; 15]), &question(evidence, stale), found, Duration::ZERO)
}

#[test]
fn recall_is_the_share_of_the_evidence_within_the_first_ranks() {
    // Evidence at ranks 1, 6 and 11, and one piece that was not found.
    let found: Vec<usize> = (0..12).collect();
    let one = judged(&[0, 5, 10, 14], &[], &found);
    assert_eq!((one.recall_at_5, one.recall_at_10, one.evidence_4k), (0.25, 0.5, 0.75));
    // Rank 5 is within the first five, rank 6 is not.
    assert_eq!(judged(&[4], &[], &found).recall_at_5, 1.0);
    assert_eq!(judged(&[5], &[], &found).recall_at_5, 0.0);
    let none = judged(&[0], &[], &[]);
    assert_eq!((none.recall_at_5, none.evidence_4k, none.reciprocal_rank, none.read), (0.0, 0.0, 0.0, 0));
}

#[test]
fn the_first_piece_of_evidence_gives_the_rank() {
    assert_eq!(judged(&[3, 7], &[], &[9, 7, 3]).reciprocal_rank, 0.5);
    assert_eq!(judged(&[3], &[], &[1, 2, 0, 3]).reciprocal_rank, 0.25);
}

#[test]
fn a_token_is_three_and_a_half_bytes() {
    for (bytes, expected) in [(0, 0), (1, 1), (3, 1), (4, 2), (7, 2), (8, 3), (14_000, 4_000)] {
        assert_eq!(tokens(&"x".repeat(bytes)), expected, "{bytes}");
    }
    // Bytes, not letters: an umlaut has two.
    assert_eq!(tokens("üü"), 2);
}

#[test]
fn evidence_counts_if_it_fits_into_4000_tokens_with_all_that_stands_above_it() {
    // 3,000 tokens, 1,000 tokens, 1 token.
    let turns = turns(&[10_500, 3_500, 1]);
    let within = |found: &[usize], evidence| {
        judge(&turns, &question(&[evidence], &[]), found, Duration::ZERO).evidence_4k
    };
    // The second fills the budget to the last token, and the third has no room.
    assert_eq!((within(&[0, 1, 2], 1), within(&[0, 1, 2], 2)), (1.0, 0.0));
    // What does not fit ends the context: nothing behind it slips in.
    assert_eq!((within(&[2, 0, 1], 0), within(&[2, 0, 1], 1)), (1.0, 0.0));
    let long = self::turns(&[14_001, 1]);
    assert_eq!(judge(&long, &question(&[1], &[]), &[0, 1], Duration::ZERO).evidence_4k, 0.0);
}

#[test]
fn a_stale_fact_does_harm_above_the_valid_one_among_the_first_five() {
    assert_eq!(judged(&[0], &[], &[0]).stale, None);
    assert_eq!(judged(&[0], &[1], &[1, 0]).stale, Some(true));
    assert_eq!(judged(&[0], &[1], &[0, 1]).stale, Some(false));
    // At rank 5 without the valid one anywhere; at rank 6 it is not read.
    assert_eq!(judged(&[0], &[1], &[2, 3, 4, 5, 1]).stale, Some(true));
    assert_eq!(judged(&[0], &[1], &[2, 3, 4, 5, 6, 1]).stale, Some(false));
    // Of several, the highest of each side decides.
    assert_eq!(judged(&[0, 7], &[1, 2], &[3, 7, 1, 2, 0]).stale, Some(false));
    assert_eq!(judged(&[0], &[1], &[2]).stale, Some(false));
}

#[test]
fn junk_is_what_is_marked_and_what_is_said_twice() {
    let mut turns = turns(&[10, -10, 10, 10, -10, 10, -10]);
    turns[3].text = turns[2].text.clone();
    let one = judge(&turns, &question(&[0], &[]), &[0, 1, 2, 3, 5, 6], Duration::ZERO);
    // Turn 1 is marked, turn 3 says what turn 2 says, and turn 6 stands behind the first five.
    assert_eq!((one.junk, one.read), (2, 5));
}

#[test]
fn means_are_over_questions_and_junk_is_over_all_that_is_read() {
    let of = |recall, rank, stale, junk, read, millis| Judged {
        recall_at_5: recall,
        recall_at_10: 1.0,
        evidence_4k: recall,
        reciprocal_rank: rank,
        stale,
        junk,
        read,
        took: Duration::from_millis(millis),
    };
    let all = [
        of(1.0, 1.0, Some(true), 1, 5, 10),
        of(0.0, 0.5, None, 0, 1, 30),
        of(0.5, 0.0, Some(false), 2, 4, 20),
    ];
    let measures = Measures::of(&all).unwrap();
    let expected = Measures {
        questions: 3,
        recall_at_5: 0.5,
        recall_at_10: 1.0,
        evidence_4k: 0.5,
        mrr: 0.5,
        stale_rate: Some(0.5),
        junk_rate: 0.3,
        latency_p50_ms: 20.0,
        latency_p95_ms: 30.0,
    };
    assert_eq!(measures, expected);
    assert_eq!(Measures::of(&[]), None);
    assert_eq!(Measures::of(&all[1..2]).unwrap().stale_rate, None);
}

#[test]
fn a_percentile_is_one_of_the_values() {
    let values: Vec<Duration> = (1..=20).rev().map(Duration::from_millis).collect();
    let millis = |of| percentile(&values, of).as_millis();
    assert_eq!((millis(50), millis(95), millis(100), millis(0)), (10, 19, 20, 1));
    assert_eq!(percentile(&[], 50), Duration::ZERO);
}
