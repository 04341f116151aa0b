//! How the API writes what `handfast-model` holds: times as RFC 3339 UTC texts, money as minor
//! units with a currency, ids as texts.

use handfast_boxoffice::Language;
use handfast_model::{SecretText, Timestamp};
use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

use super::problem::Problem;

/// A time as the API writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, format = DateTime, examples("2026-11-22T03:20:00Z"))]
pub(crate) struct Time(pub(crate) Timestamp);

impl From<Timestamp> for Time {
    fn from(at: Timestamp) -> Self {
        Self(at)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&rfc3339(self.0))
    }
}

/// A language as the API names it.
pub(crate) fn language_of(word: &str) -> Result<Language, Problem> {
    word.parse().map_err(|_| Problem::malformed("Name the language as en, es or de."))
}

/// Writes a secret to its owner (`serialize_with`); nothing else writes one.
pub(crate) fn to_owner<S: Serializer>(
    secret: &SecretText,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

/// RFC 3339 in UTC. A time that the calendar cannot hold (the far end of "no end") is written as
/// the last moment of the year 9999.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    const LAST: &str = "9999-12-31T23:59:59Z";
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.as_micros()) * 1_000)
        .ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_else(|| LAST.to_owned())
}

/// The shape of an amount in the API; `handfast_model::Money` reads and writes it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the shape; Money itself is read and written")]
pub(crate) struct Amount {
    /// In the currency's minor unit: 1250 is 12.50 USD.
    #[schema(examples(1250))]
    minor: i64,
    /// ISO 4217.
    #[schema(examples("USD"))]
    currency: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_in_utc() {
        let at = Timestamp::from_micros(1_795_317_600_250_000);
        assert_eq!(rfc3339(at), "2026-11-22T03:20:00.25Z");
        assert_eq!(rfc3339(Timestamp::MAX), "9999-12-31T23:59:59Z");
    }
}
