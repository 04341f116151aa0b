//! Times as the pages read them: RFC 3339 in UTC.

use handfast_model::Timestamp;
use serde::Serializer;
use serde::ser::Error as _;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The last moment RFC 3339 can write (9999-12-31T23:59:59Z): "no end" is shown as this.
const LAST_SECOND: i64 = 253_402_300_799;

/// Writes `at` with whole seconds: screens show minutes, and a stable text is easier to compare.
pub(crate) fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    let seconds = at.as_micros().div_euclid(1_000_000).clamp(0, LAST_SECOND);
    let text = OffsetDateTime::from_unix_timestamp(seconds)
        .map_err(S::Error::custom)?
        .format(&Rfc3339)
        .map_err(S::Error::custom)?;
    to.serialize_str(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_end_is_the_last_second_that_can_be_written() {
        let text = serialize(&Timestamp::MAX, serde_json::value::Serializer);
        assert_eq!(text.map_err(|e| e.to_string()), Ok("9999-12-31T23:59:59Z".into()));
    }
}
