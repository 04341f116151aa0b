//! Records: a leaf's private fields, as JSON that the person reads in their receipt.

use handfast_model::Timestamp;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::{ConsentRecord, SignedTags};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// What a leaf's private fields say, to the person alone.
///
/// A record of a use is put together before anybody knows whose use it is, so it says where and
/// why, and nothing of who.
#[derive(Clone, Debug)]
pub enum Record {
    /// A palm was enrolled and linked, or paying by palm was switched on, under this consent.
    Consent(Box<ConsentRecord>),
    /// A palm was looked for.
    Use {
        /// `entry`, `payment` or `duplicate_check`.
        purpose: &'static str,
        /// Where, in the words of the venue.
        place: String,
        /// When.
        at: Timestamp,
        /// What the nodes signed of it; none where one machine matched in clear.
        tags: Option<SignedTags>,
    },
    /// A palm was taken out of, or put into, a gallery.
    Arming {
        /// Whether it is searched there from now on.
        armed: bool,
        /// `entry` or `payment`.
        purpose: &'static str,
        /// The event or shop.
        place: String,
        /// Until when it is searched.
        until: Option<Timestamp>,
    },
    /// Palms were destroyed.
    Deletion {
        /// The vault's receipt.
        receipt_id: String,
        /// How many.
        palms: u32,
        /// When.
        deleted_at: Timestamp,
        /// What was destroyed.
        statement: String,
    },
    /// Something in which nobody's data is kept privately.
    Nothing,
}

impl Record {
    /// The JSON: keys in alphabetical order, no spaces, so that one record has one text.
    #[must_use]
    pub fn to_json(&self) -> String {
        self.to_value().to_string()
    }

    fn to_value(&self) -> Value {
        match self {
            Self::Consent(consent) => consent.to_json_ld(),
            Self::Use { purpose, place, at, tags } => {
                let at = rfc3339(*at);
                let mut record =
                    json!({ "type": "use", "purpose": purpose, "place": place, "at": at });
                if let Some(tags) = tags {
                    record["tags"] = tags.to_json();
                }
                record
            }
            Self::Arming { armed, purpose, place, until } => json!({
                "type": if *armed { "armed" } else { "disarmed" },
                "purpose": purpose, "place": place, "until": until.map(rfc3339),
            }),
            Self::Deletion { receipt_id, palms, deleted_at, statement } => json!({
                "type": "deletion", "receipt": receipt_id, "palms": palms,
                "deletedAt": rfc3339(*deleted_at), "statement": statement,
            }),
            Self::Nothing => json!({ "type": "nothing" }),
        }
    }
}

/// A time as people and JSON-LD write it, in whole seconds of UTC.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    let seconds = at.as_micros().div_euclid(MICROS_PER_SECOND);
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| "beyond the calendar".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_one_text() {
        let at = Timestamp::from_micros(1_790_000_000_123_456);
        let place = "Red Rocks, North gate".to_owned();
        let record = Record::Use { purpose: "entry", place, at, tags: None };
        assert_eq!(
            record.to_json(),
            r#"{"at":"2026-09-21T14:13:20Z","place":"Red Rocks, North gate","purpose":"entry","type":"use"}"#
        );
    }

    #[test]
    fn a_time_beyond_the_calendar_is_said_so() {
        assert_eq!(rfc3339(Timestamp::MAX), "beyond the calendar");
    }
}
