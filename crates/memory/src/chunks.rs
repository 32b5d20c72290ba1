//! A long entry becomes several vectors: a model reads a bounded number of tokens, and what is about ten things is about
//! none of them.

use std::ops::Range;

/// Bytes that a chunk has at most: with 4.2 bytes for a token some 200 of the 256 that the embedded model reads.
const CHUNK: usize = 840;
/// Bytes that a chunk shares with the one before it, at most.
const SHARED: usize = 160;
/// The longest entry has 32 KiB, which is some 48 chunks.
pub const MOST: usize = 64;

/// The chunks of `text`, as ranges of bytes, in order; together they cover it. Cut behind a line, a sentence or a word if
/// there is one.
#[must_use]
pub fn chunks(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while found.len() < MOST {
        if text.len() - from <= CHUNK {
            found.push(from..text.len());
            break;
        }
        let end = cut(text, from);
        found.push(from..end);
        from = start_before(text, end, from);
    }
    found
}

/// Where a chunk that begins at `from` ends.
fn cut(text: &str, from: usize) -> usize {
    let most = floor(text, from + CHUNK);
    let piece = &text[from..most];
    // Not in the first half: a short chunk would repeat little but what the next one shares with it.
    let half = piece.len() / 2;
    let behind = |mark: &str| piece.rfind(mark).map(|at| at + mark.len()).filter(|end| *end > half);
    let end = behind("\n").or_else(|| behind(". ")).or_else(|| behind(" ")).unwrap_or(piece.len());
    from + end
}

/// Where the next chunk begins: at a word a little before the end of the last one.
fn start_before(text: &str, end: usize, last: usize) -> usize {
    let least = floor(text, end.saturating_sub(SHARED).max(last + CHUNK / 4));
    match text[least..end].find(' ') {
        Some(at) if least + at + 1 < end => least + at + 1,
        _ => end,
    }
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_is_one_chunk() {
        assert_eq!(chunks("short"), vec![Range { start: 0, end: 5 }]);
        assert_eq!(chunks(""), vec![Range { start: 0, end: 0 }]);
    }

    #[test]
    fn chunks_cover_the_text_and_are_bounded() {
        let words = "The quick brown fox jumps over the lazy dog. ".repeat(700);
        let letters = "é".repeat(16_000);
        let lines = "a line of a log that is fairly long\n".repeat(800);
        for text in [&words, &letters, &lines] {
            let found = chunks(text);
            assert!(found.len() > 10 && found.len() <= MOST, "{}", found.len());
            assert_eq!((found[0].start, found[found.len() - 1].end), (0, text.len()));
            for pair in found.windows(2) {
                assert!(pair[1].start <= pair[0].end && pair[1].start > pair[0].start, "{pair:?}");
            }
            assert!(found.iter().all(|range| range.len() <= CHUNK && text.is_char_boundary(range.start)));
        }
        assert!(chunks(&lines).iter().all(|range| lines[range.clone()].ends_with('\n')));
    }
}
