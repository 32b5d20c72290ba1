//! How much of what tools and checks printed the journal holds, and with it the model reads: both ends of a text, cut so
//! that all texts of one entry fit one row. The row holds exactly what was shown, so a resumed run needs nothing else.

/// The most that one entry of tool results or checks takes in the journal, in bytes of its JSON.
pub(crate) const MAX_ENTRY_BYTES: usize = 15_900;
/// The most of it that one text takes.
pub(crate) const MAX_TEXT_BYTES: usize = 12 << 10;
/// What a text keeps however many share an entry: fewer would say nothing. Some fifty cut texts fit at this size.
pub(crate) const LEAST_TEXT_BYTES: usize = 160;
/// The line in the place of what is left out, with its newlines.
const GAP_BYTES: usize = 64;

/// The ends of a text, long enough for every excerpt of it.
pub(crate) struct Ends {
    text: String,
    /// Bytes of the whole text that are missing in the middle.
    missing: usize,
}

impl Ends {
    pub(crate) fn of(text: String) -> Self {
        if text.len() <= 2 * MAX_TEXT_BYTES {
            return Self { text, missing: 0 };
        }
        let head = text.floor_char_boundary(MAX_TEXT_BYTES);
        let tail = text.ceil_char_boundary(text.len() - MAX_TEXT_BYTES);
        Self { text: [&text[..head], &text[tail..]].concat(), missing: tail - head }
    }

    /// The text, when nothing of it is missing.
    pub(crate) fn whole(&self) -> Option<&str> {
        (self.missing == 0).then_some(self.text.as_str())
    }

    /// What it takes in the journal when there is room, in bytes of JSON.
    pub(crate) fn size(&self) -> usize {
        self.whole().map_or(MAX_TEXT_BYTES, |text| json_bytes(text).min(MAX_TEXT_BYTES))
    }

    /// The text when it fits `max` bytes of JSON; else its head and its tail, and between them how much is left out.
    pub(crate) fn within(&self, max: usize) -> String {
        if let Some(text) = self.whole().filter(|text| json_bytes(text) <= max) {
            return text.to_owned();
        }
        let half = max.saturating_sub(GAP_BYTES) / 2;
        let fits = |sizes: &mut dyn Iterator<Item = (usize, usize)>| {
            let mut used = 0;
            sizes
                .take_while(|(_, size)| {
                    used += size;
                    used <= half
                })
                .map(|(bytes, _)| bytes)
                .sum::<usize>()
        };
        let sizes = |c: char| (c.len_utf8(), json_bytes_of(c));
        let head = fits(&mut self.text.chars().map(sizes));
        let tail = self.text.len() - fits(&mut self.text.chars().rev().map(sizes));
        let left_out = tail - head + self.missing;
        format!("{}\n[{left_out} bytes left out]\n{}", &self.text[..head], &self.text[tail..])
    }
}

/// The most that each text may take when texts of these sizes share `room`: the short ones get all of theirs, the long
/// ones equal parts of what is left.
pub(crate) fn share(mut sizes: Vec<usize>, room: usize) -> usize {
    sizes.sort_unstable();
    let mut left = room;
    for (index, size) in sizes.iter().enumerate() {
        let part = left / (sizes.len() - index);
        if *size > part {
            return part.max(LEAST_TEXT_BYTES);
        }
        left -= size;
    }
    MAX_TEXT_BYTES
}

/// What a text takes between the quotes of JSON.
fn json_bytes(text: &str) -> usize {
    text.chars().map(json_bytes_of).sum()
}

const fn json_bytes_of(c: char) -> usize {
    match c {
        '"' | '\\' | '\u{8}' | '\t' | '\n' | '\u{c}' | '\r' => 2,
        '\0'..='\u{1f}' => 6,
        _ => c.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_excerpt_fits_and_keeps_both_ends(text in "[a-z\"\\\\\n\t\u{1}é\u{1f600}]{0,400}", max in 100usize..600) {
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(json.len() - 2, json_bytes(&text));
            let cut = Ends::of(text.clone()).within(max);
            prop_assert!(json_bytes(&cut) <= max);
            if json_bytes(&text) <= max {
                prop_assert_eq!(cut, text);
            } else {
                let (head, rest) = cut.split_once("\n[").unwrap();
                let (left_out, tail) = rest.split_once(" bytes left out]\n").unwrap();
                prop_assert!(text.starts_with(head) && text.ends_with(tail));
                prop_assert_eq!(head.len() + left_out.parse::<usize>().unwrap() + tail.len(), text.len());
            }
        }

        #[test]
        fn texts_that_share_fit_the_room(sizes in prop::collection::vec(0usize..20_000, 1..40)) {
            let most = share(sizes.clone(), 10_000);
            let taken: usize = sizes.iter().map(|size| (*size).min(most)).sum();
            prop_assert!(taken <= 10_000);
            // Nothing is cut that there is room for.
            prop_assert!(taken + sizes.len() > 10_000 || sizes.iter().all(|size| *size <= most));
        }
    }

    #[test]
    fn a_long_text_says_how_much_of_the_whole_is_left_out() {
        let text = format!("begin {} end", "x".repeat(1 << 20));
        let cut = Ends::of(text.clone()).within(1_000);
        let kept = cut.len() - "\n[1047653 bytes left out]\n".len();
        assert!(cut.contains(&format!("\n[{} bytes left out]\n", text.len() - kept)), "{cut}");
        assert!(cut.starts_with("begin x") && cut.ends_with("x end"));
        assert_eq!(share(vec![5, 20_000, 20_000], 10_005), 5_000, "the short one keeps all of its own");
    }
}
