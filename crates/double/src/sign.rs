//! Signatures over what an answer was made from, as the real API puts them on thinking and compaction blocks.

use hmac::{Hmac, Mac};
use sha2::{Digest as _, Sha256};

use crate::digest::Digest;

/// The account's key. It is the same for every double, so that a conversation outlives the process it began with.
const KEY: &[u8] = b"claude-double";

fn mac(purpose: &str, prefix: &Digest, text: Option<&str>) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY).expect("a key of any length is good");
    mac.update(purpose.as_bytes());
    mac.update(prefix);
    if let Some(text) = text {
        mac.update(&Sha256::digest(text.as_bytes()));
    }
    mac
}

fn hex_of(mac: Hmac<Sha256>) -> String {
    hex::encode(mac.finalize().into_bytes())
}

/// The signature of a thinking block in an answer to the digested prefix.
///
/// It has two halves: `HMAC(key, prefix)`, and the same over the text too. A block that is sent back without its
/// text, as `display: omitted` has it, is held to the first alone.
pub(crate) fn thinking(prefix: &Digest, text: &str) -> String {
    format!(
        "double-{}-{}",
        hex_of(mac("thinking", prefix, None)),
        hex_of(mac("thinking", prefix, Some(text)))
    )
}

/// Whether a thinking block came out of a double in answer to the digested prefix.
pub(crate) fn thinking_holds(prefix: &Digest, text: &str, signed: &str) -> bool {
    if text.is_empty() {
        return signed.starts_with(&format!("double-{}-", hex_of(mac("thinking", prefix, None))));
    }
    signed == thinking(prefix, text)
}

/// The signature of a compaction block: the digest of what it stands for, and the seal of that with the summary.
pub(crate) fn compaction(prefix: &Digest, summary: &str) -> String {
    format!("double-{}-{}", hex::encode(prefix), hex_of(mac("compaction", prefix, Some(summary))))
}

/// What is wrong with the signature of a compaction block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// No double wrote it.
    Signature,
    /// A double wrote it, for another summary.
    Content,
}

/// Checks a compaction block that comes back. Its seal names the summary by digest, so that a changed text is told
/// from a foreign signature.
pub(crate) fn compaction_holds(summary: &str, encrypted: &str, signed: &str) -> Result<(), Mismatch> {
    let prefix = signed
        .strip_prefix("double-")
        .and_then(|rest| hex::decode(rest.split('-').next()?).ok())
        .and_then(|bytes| Digest::try_from(bytes).ok())
        .ok_or(Mismatch::Signature)?;
    if signed == compaction(&prefix, summary) {
        return Ok(());
    }
    // The digest of the signed text travels in `encrypted_content`.
    let of_signed_text = hex::decode(encrypted.trim_start_matches("double-")).unwrap_or_default();
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut seal = Hmac::<Sha256>::new_from_slice(KEY).expect("a key of any length is good");
    seal.update(b"compaction");
    seal.update(&prefix);
    seal.update(&of_signed_text);
    if signed == format!("double-{}-{}", hex::encode(prefix), hex_of(seal)) {
        Err(Mismatch::Content)
    } else {
        Err(Mismatch::Signature)
    }
}

/// The opaque half of a compaction block: which text was signed.
pub(crate) fn encrypted(summary: &str) -> String {
    format!("double-{}", hex::encode(Sha256::digest(summary.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thinking_block_holds_for_its_own_prefix_and_text_alone() {
        let (here, there) = ([1; 32], [2; 32]);
        let signed = thinking(&here, "a thought");
        assert!(thinking_holds(&here, "a thought", &signed));
        assert!(thinking_holds(&here, "", &signed), "the text may be omitted");
        assert!(!thinking_holds(&here, "another thought", &signed));
        assert!(!thinking_holds(&there, "a thought", &signed));
        assert!(!thinking_holds(&there, "", &signed));
    }

    #[test]
    fn a_changed_summary_is_told_from_a_foreign_signature() {
        let signed = compaction(&[3; 32], "what was done");
        let sealed = encrypted("what was done");
        assert_eq!(compaction_holds("what was done", &sealed, &signed), Ok(()));
        assert_eq!(compaction_holds("what was not", &sealed, &signed), Err(Mismatch::Content));
        let foreign = signed.replace("double-03", "double-04");
        assert_eq!(compaction_holds("what was done", &sealed, &foreign), Err(Mismatch::Signature));
        assert_eq!(compaction_holds("what was done", "", "EqQB"), Err(Mismatch::Signature));
    }
}
