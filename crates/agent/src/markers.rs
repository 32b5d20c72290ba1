//! Where the prompt cache may be entered. A request carries four markers at most: one at the end of the system prompt,
//! one on its last block, and up to two between, so that a turn of many blocks still finds what the turn before it
//! wrote: the service looks back over 20 blocks from each marker.

use serde_json::{Value, json, value::RawValue};

/// Blocks from one place of a marker to the next.
const EVERY: usize = 15;
/// Markers within the messages, beside the one on the last block.
const MOST: usize = 2;

/// One message on its way.
#[derive(Debug)]
pub(crate) enum Said {
    /// By the person or the harness.
    User(Vec<Value>),
    /// By the model, byte for byte.
    Assistant {
        /// The content array.
        content: Box<RawValue>,
        /// How many blocks it has.
        blocks: usize,
    },
}

/// Puts markers on blocks of the harness. The places follow from the blocks before them alone, so they stay while the
/// conversation grows; those that are far behind lose their marker.
pub(crate) fn place(said: &mut [Said]) {
    let (mut count, mut marked) = (0, 0);
    let mut places = Vec::new();
    for (message, said) in said.iter().enumerate() {
        match said {
            Said::Assistant { blocks, .. } => count += blocks,
            Said::User(blocks) => {
                for block in 0..blocks.len() {
                    count += 1;
                    if count - marked >= EVERY {
                        marked = count;
                        places.push((message, block));
                    }
                }
            }
        }
    }
    if marked == count {
        // The last block of all has a marker anyway.
        places.pop();
    }
    for (message, block) in places.into_iter().rev().take(MOST) {
        if let Some(Said::User(blocks)) = said.get_mut(message)
            && let Some(block) = blocks.get_mut(block)
        {
            block["cache_control"] = json!({ "type": "ephemeral" });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(blocks: usize) -> Said {
        Said::User(vec![json!({ "type": "text", "text": "x" }); blocks])
    }

    fn assistant(blocks: usize) -> Said {
        Said::Assistant { content: RawValue::from_string("[]".to_owned()).unwrap(), blocks }
    }

    fn marked(mut said: Vec<Said>) -> Vec<(usize, usize)> {
        place(&mut said);
        let mut found = Vec::new();
        for (message, said) in said.iter().enumerate() {
            let Said::User(blocks) = said else { continue };
            let marks = blocks.iter().enumerate().filter(|(_, block)| block.get("cache_control").is_some());
            found.extend(marks.map(|(block, _)| (message, block)));
        }
        found
    }

    #[test]
    fn markers_stand_every_fifteen_blocks_and_the_latest_two_stay() {
        assert_eq!(marked(vec![user(1), assistant(2), user(3)]), []);
        assert_eq!(marked(vec![user(15)]), [], "the last block has one anyway");
        assert_eq!(marked(vec![user(16)]), [(0, 14)]);
        assert_eq!(marked(vec![user(1), assistant(20), user(3)]), [(2, 0)], "never on a block of the model");
        assert_eq!(marked(vec![user(100)]), [(0, 74), (0, 89)]);
    }
}
