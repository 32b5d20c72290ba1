use proptest::prelude::*;

use super::*;

/// Decodes `bytes` cut at the given places.
fn decode(bytes: &[u8], cuts: &[usize]) -> (Vec<Event>, Option<DecodeError>) {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    let (mut decoder, mut events, mut error) = (Decoder::default(), Vec::new(), None);
    for pair in cuts.windows(2) {
        let pushed = decoder.push(&bytes[pair[0]..pair[1]], |event| events.push(event));
        error = error.or(pushed.err());
    }
    (events, error)
}

fn events(bytes: &[u8]) -> Vec<(String, String)> {
    let (events, error) = decode(bytes, &[]);
    assert_eq!(error, None);
    events.into_iter().map(|event| (event.name, event.data)).collect()
}

fn event(name: &str, data: &str) -> (String, String) {
    (name.to_owned(), data.to_owned())
}

#[test]
fn all_three_line_ends_end_lines() {
    let expected = vec![event("a", "1"), event("b", "2")];
    assert_eq!(events(b"event: a\ndata: 1\n\nevent: b\ndata: 2\n\n"), expected);
    assert_eq!(events(b"event: a\r\ndata: 1\r\n\r\nevent: b\r\ndata: 2\r\n\r\n"), expected);
    assert_eq!(events(b"event: a\rdata: 1\r\revent: b\rdata: 2\r\r"), expected);
}

#[test]
fn data_lines_are_joined_and_one_space_is_dropped() {
    assert_eq!(events(b"data: a\ndata:b\ndata:  c\ndata\n\n"), vec![event("", "a\nb\n c\n")]);
}

#[test]
fn comments_and_unknown_fields_are_passed_over() {
    assert_eq!(events(b": hello \xff\nid: 1\nretry: 5\nnew: x\ndata: 1\n\n"), vec![event("", "1")]);
}

#[test]
fn an_event_without_data_is_none_and_its_name_does_not_stick() {
    assert_eq!(events(b"event: a\n\ndata: 1\n\n"), vec![event("", "1")]);
}

#[test]
fn an_event_that_was_not_ended_is_none() {
    assert_eq!(events(b"data: 1\n\ndata: 2\n"), vec![event("", "1")]);
}

#[test]
fn a_byte_order_mark_is_dropped() {
    assert_eq!(events(b"\xEF\xBB\xBFdata: 1\n\n"), vec![event("", "1")]);
}

#[test]
fn bytes_that_are_not_utf8_are_an_error_after_the_good_events() {
    let (events, error) = decode(b"data: 1\n\ndata: \xE2\x82\n\ndata: 3\n\n", &[]);
    assert_eq!(events.len(), 1);
    assert_eq!(error, Some(DecodeError::NotUtf8));
}

#[test]
fn an_endless_event_is_refused() {
    let mut decoder = Decoder::default();
    let line = [&b"data: "[..], &[b'x'; 64 * 1024], b"\n"].concat();
    let pushed = (0..200).find_map(|_| decoder.push(&line, |_| ()).err());
    assert_eq!(pushed, Some(DecodeError::TooLarge));

    let mut decoder = Decoder::default();
    let pushed = (0..200).find_map(|_| decoder.push(&[b'x'; 64 * 1024], |_| ()).err());
    assert_eq!(pushed, Some(DecodeError::TooLarge), "a line that does not end counts as well");
}

/// Pieces that make interesting streams likely, with any bytes between them.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"data: ".to_vec()),
        Just(b"data".to_vec()),
        Just(b"event: ping".to_vec()),
        Just(b": comment".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\n\n".to_vec()),
        Just(b"\xEF\xBB\xBF".to_vec()),
        Just("\u{20ac}\u{1f600}".as_bytes().to_vec()),
        Just(b"\xF0\x9F".to_vec()),
        Just(br#"{"type":"ping"}"#.to_vec()),
        proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_split_gives_the_same_events(
        bytes in stream(),
        cuts in proptest::collection::vec(any::<usize>(), 0..20),
    ) {
        let whole = decode(&bytes, &[]);
        prop_assert_eq!(&decode(&bytes, &cuts), &whole);
        let each_byte: Vec<usize> = (0..bytes.len()).collect();
        prop_assert_eq!(&decode(&bytes, &each_byte), &whole);
    }

    #[test]
    fn what_was_written_is_read(texts in proptest::collection::vec("[^\r\n]{0,20}", 1..10), cuts in
        proptest::collection::vec(any::<usize>(), 0..20)) {
        let bytes: Vec<u8> = texts.iter().flat_map(|text| format!("data: {text}\r\n\r\n").into_bytes()).collect();
        let read: Vec<String> = decode(&bytes, &cuts).0.into_iter().map(|event| event.data).collect();
        prop_assert_eq!(read, texts);
    }
}
