//! What the nodes of a split vault signed of a search, as it stands in the record of a use: with it
//! the person, and whoever they show their receipt to, can check that the tag in the public leaf is
//! the one that the three nodes computed.
//!
//! It is checked by the vault's `AuditTag::is_signed`; here is its text alone.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

/// A part of a tag and its node's Ed25519 signature, one after the other.
pub type SignedPart = [u8; 80];

/// The tags of one leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTags {
    /// The deployment whose nodes signed.
    pub deployment: [u8; 16],
    /// One a palm that was shown, in the leaf's order.
    pub searches: Vec<SignedTag>,
}

/// One search's tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedTag {
    /// The search.
    pub query: [u8; 16],
    /// What its leaf says: the xor of the parts.
    pub tag: [u8; 16],
    /// Of A, B and C.
    pub parts: [SignedPart; 3],
}

impl SignedTags {
    /// Base64 for the parts: eight searches have to fit into a leaf's private fields.
    pub(crate) fn to_json(&self) -> Value {
        let search = |one: &SignedTag| {
            json!({
                "query": hex::encode(one.query),
                "tag": hex::encode(one.tag),
                "parts": one.parts.map(|part| BASE64.encode(part)),
            })
        };
        json!({
            "deployment": hex::encode(self.deployment),
            "searches": self.searches.iter().map(search).collect::<Vec<_>>(),
        })
    }

    /// From a use's record; `None` where it holds none, or something else under that name.
    #[must_use]
    pub fn of_record(record: &Value) -> Option<Self> {
        let tags = record.get("tags")?;
        let searches = tags["searches"].as_array()?.iter().map(SignedTag::of_json);
        Some(Self {
            deployment: unhex(&tags["deployment"])?,
            searches: searches.collect::<Option<_>>()?,
        })
    }
}

impl SignedTag {
    fn of_json(search: &Value) -> Option<Self> {
        let part = |part: &Value| BASE64.decode(part.as_str()?).ok()?.try_into().ok();
        let parts: Vec<SignedPart> =
            search["parts"].as_array()?.iter().map(part).collect::<Option<_>>()?;
        Some(Self {
            query: unhex(&search["query"])?,
            tag: unhex(&search["tag"])?,
            parts: parts.try_into().ok()?,
        })
    }
}

fn unhex(text: &Value) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    hex::decode_to_slice(text.as_str()?, &mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use handfast_model::Timestamp;
    use handfast_tlog::{Opening, TAGS_MAX};

    use super::*;
    use crate::Record;

    fn tags(searches: usize) -> SignedTags {
        let one = |n: usize| SignedTag {
            query: [n as u8; 16],
            tag: [0xaa; 16],
            parts: [[1; 80], [2; 80], [0xff; 80]],
        };
        SignedTags { deployment: [7; 16], searches: (0..searches).map(one).collect() }
    }

    fn use_with(tags: SignedTags, place: &str) -> Record {
        let at = Timestamp::from_micros(1_790_000_000_000_000);
        Record::Use { purpose: "duplicate_check", place: place.to_owned(), at, tags: Some(tags) }
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let record = use_with(tags(2), "North gate").to_json();
        let read: Value = serde_json::from_str(&record).unwrap();
        assert_eq!(SignedTags::of_record(&read), Some(tags(2)));
        assert_eq!(SignedTags::of_record(&json!({ "type": "use" })), None);
        let wrong = [
            ("deployment", json!("07")),
            ("searches", json!([{}])),
            ("searches", json!([{ "query": "00", "tag": "00", "parts": [] }])),
            ("searches", json!(7)),
        ];
        for (field, value) in wrong {
            let mut changed = read.clone();
            changed["tags"][field] = value;
            assert_eq!(SignedTags::of_record(&changed), None, "{field}");
        }
    }

    #[test]
    fn as_many_tags_as_a_leaf_takes_fit_into_its_private_fields() {
        // Three names of a hundred characters, of four bytes each.
        let longest = "x".repeat(1_300);
        let record = use_with(tags(TAGS_MAX), &longest).to_json();
        assert!(Opening::from_parts([0; 32], record.as_bytes()).is_ok(), "{}", record.len());
    }
}
