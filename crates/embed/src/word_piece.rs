//! The tokenizer of uncased BERT models: cleaned, lower case, without accents, split at spaces, punctuation and
//! ideographs, and then into the longest pieces that the vocabulary has.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// A longer word is unknown as a whole.
const LONGEST_WORD: usize = 100;
/// Bytes that are counted as a token where there are no pieces to count.
pub(crate) const BYTES: usize = 4;
/// What marks a piece that continues a word in the vocabulary.
const CONTINUES: &str = "##";

/// A vocabulary, by its pieces.
#[derive(Debug)]
pub struct WordPiece {
    begins: HashMap<&'static str, i32>,
    continues: HashMap<&'static str, i32>,
    unknown: i32,
    start: i32,
    end: i32,
}

impl WordPiece {
    /// Reads a vocabulary of one piece for each line; the number of the line is its id.
    ///
    /// # Errors
    /// Names the special piece that is missing.
    pub fn new(vocabulary: &'static str) -> Result<Self, String> {
        let mut begins = HashMap::with_capacity(32_768);
        let mut continues = HashMap::with_capacity(8_192);
        for (id, piece) in (0_i32..).zip(vocabulary.lines()) {
            match piece.strip_prefix(CONTINUES) {
                Some(rest) if !rest.is_empty() => continues.insert(rest, id),
                _ => begins.insert(piece, id),
            };
        }
        let special =
            |piece: &str| begins.get(piece).copied().ok_or_else(|| format!("the vocabulary lacks {piece}"));
        let (unknown, start, end) = (special("[UNK]")?, special("[CLS]")?, special("[SEP]")?);
        Ok(Self { begins, continues, unknown, start, end })
    }

    /// The ids of `text` between the marks of its beginning and end, at most `most` of them with the marks. What goes
    /// beyond is left out. Text that looks like a mark is text.
    #[must_use]
    pub fn encode(&self, text: &str, most: usize) -> Vec<i32> {
        let mut ids = Vec::with_capacity(most.min(64));
        ids.push(self.start);
        let room = most.saturating_sub(1).max(1);
        for_each_word(text, |word| {
            self.push_pieces(word, &mut ids);
            ids.len() < room
        });
        ids.truncate(room);
        ids.push(self.end);
        ids
    }

    /// How many tokens `text` has, without marks and however long it is. What the vocabulary has no pieces for, or does
    /// not read at all, counts by its bytes: other models read it, and see more than one unknown word in it.
    #[must_use]
    pub fn count(&self, text: &str) -> usize {
        let mut ids = Vec::new();
        let unread: usize = text.chars().filter(|c| is_unread(*c)).map(char::len_utf8).sum();
        let mut count = unread.div_ceil(BYTES);
        for_each_word(text, |word| {
            ids.clear();
            self.push_pieces(word, &mut ids);
            count += if ids == [self.unknown] { word.len().div_ceil(BYTES) } else { ids.len() };
            true
        });
        count
    }

    /// The longest piece first; a word of which a part has no piece is unknown as a whole.
    fn push_pieces(&self, word: &str, ids: &mut Vec<i32>) {
        let from = ids.len();
        if word.chars().count() > LONGEST_WORD {
            ids.push(self.unknown);
            return;
        }
        let (mut rest, mut pieces) = (word, &self.begins);
        while !rest.is_empty() {
            let ends = rest.char_indices().rev().map(|(at, c)| at + c.len_utf8());
            let longest = ends.map(|end| (end, pieces.get(&rest[..end]))).find(|(_, id)| id.is_some());
            let Some((end, Some(id))) = longest else {
                ids.truncate(from);
                ids.push(self.unknown);
                return;
            };
            ids.push(*id);
            rest = &rest[end..];
            pieces = &self.continues;
        }
    }
}

/// Calls `take` with each word or mark of punctuation, until it returns false.
fn for_each_word(text: &str, mut take: impl FnMut(&str) -> bool) {
    let mut word = String::new();
    let letters = text
        .nfd()
        .filter(|c| c.general_category() != GeneralCategory::NonspacingMark)
        .flat_map(char::to_lowercase)
        // Lower case may bring an accent of its own.
        .filter(|c| c.general_category() != GeneralCategory::NonspacingMark);
    for c in letters {
        let alone = match class(c) {
            Class::Dropped => continue,
            Class::Letter => {
                word.push(c);
                continue;
            }
            Class::Space => false,
            Class::Alone => true,
        };
        if !word.is_empty() {
            if !take(&word) {
                return;
            }
            word.clear();
        }
        if alone && !take(c.encode_utf8(&mut [0; 4])) {
            return;
        }
    }
    if !word.is_empty() {
        take(&word);
    }
}

/// Whether a character is passed over as if it did not stand there.
fn is_unread(c: char) -> bool {
    matches!(class(c), Class::Dropped) || c.general_category() == GeneralCategory::NonspacingMark
}

enum Class {
    Dropped,
    Space,
    Alone,
    Letter,
}

fn class(c: char) -> Class {
    if c.is_ascii_alphanumeric() {
        return Class::Letter;
    }
    match c {
        '\t' | '\n' | '\r' | ' ' => return Class::Space,
        '\0' | '\u{fffd}' => return Class::Dropped,
        _ => {}
    }
    if c.is_ascii_punctuation() || is_ideograph(c) {
        return Class::Alone;
    }
    match c.general_category() {
        GeneralCategory::SpaceSeparator => Class::Space,
        _ if c.is_whitespace() => Class::Space,
        _ => match c.general_category_group() {
            GeneralCategoryGroup::Other => Class::Dropped,
            GeneralCategoryGroup::Punctuation => Class::Alone,
            _ => Class::Letter,
        },
    }
}

/// The ranges that BERT takes for ideographs, which stand alone.
const fn is_ideograph(c: char) -> bool {
    matches!(c as u32,
        0x4E00..=0x9FFF | 0x3400..=0x4DBF | 0x20000..=0x2A6DF | 0x2A700..=0x2B73F | 0x2B740..=0x2B81F
        | 0x2B820..=0x2CEAF | 0xF900..=0xFAFF | 0x2F800..=0x2FA1F)
}
