//! Ids: one newtype each, made by us, never by a database.
//!
//! An id is 48 bits of milliseconds and 80 bits of randomness (the layout of RFC 9562 version 7
//! without its version bits), so that ids sort by age; as text it is a prefix that names its kind
//! and 26 characters of Crockford's base 32, for example `tkt_06b3x1k2m4n6p8r0t2w4y6z801`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Clock, Random};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 128 bits in groups of five.
const TEXT_LEN: usize = 26;

/// Why a text is not an id of the wanted kind.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IdError {
    /// The text does not begin with this kind's prefix.
    #[error("expected an id that begins with `{expected}_`")]
    Prefix {
        /// The prefix of the wanted kind.
        expected: &'static str,
    },
    /// The part behind the prefix is not 26 characters of base 32.
    #[error("an id has {TEXT_LEN} characters of base 32 behind its prefix")]
    Encoding,
}

fn fresh(clock: &dyn Clock, random: &dyn Random) -> u128 {
    let millis = (clock.now().as_micros().max(0) / 1_000) as u128;
    let mut bytes = [0_u8; 16];
    random.fill(&mut bytes[6..]);
    (millis << 80) | u128::from_be_bytes(bytes)
}

fn write_text(f: &mut fmt::Formatter<'_>, prefix: &str, value: u128) -> fmt::Result {
    let mut text = [0_u8; TEXT_LEN];
    for (place, slot) in text.iter_mut().rev().enumerate() {
        *slot = ALPHABET[(value >> (5 * place)) as usize & 31];
    }
    write!(f, "{prefix}_{}", std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
}

fn parse_text(text: &str, prefix: &'static str) -> Result<u128, IdError> {
    let digits = text
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .ok_or(IdError::Prefix { expected: prefix })?;
    // 26 digits hold 130 bits: a first digit above 7 would not fit in 128.
    if digits.len() != TEXT_LEN || digits.as_bytes()[0] > b'7' {
        return Err(IdError::Encoding);
    }
    digits.bytes().try_fold(0_u128, |value, digit| {
        let five_bits = ALPHABET.iter().position(|&c| c == digit).ok_or(IdError::Encoding)?;
        Ok((value << 5) | five_bits as u128)
    })
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(u128);

        impl $name {
            /// A new id that nobody else has.
            #[must_use]
            pub fn new(clock: &dyn Clock, random: &dyn Random) -> Self {
                Self(fresh(clock, random))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_text(f, $prefix, self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_text(f, $prefix, self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                parse_text(text, $prefix).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    )*};
}

ids! {
    /// A ticketing company: sells tickets, holds accounts, is a relying party.
    CompanyId = "com";
    /// A venue of a ticketing company.
    VenueId = "ven";
    /// A part of a venue that people are in or not.
    AreaId = "are";
    /// A place where people enter.
    GateId = "gat";
    /// One queue at a gate.
    LaneId = "lan";
    /// A machine: pedestal, scanner or register.
    DeviceId = "dev";
    /// An event at a venue.
    EventId = "evt";
    /// Who enters an event at which gates, by which rules.
    CheckInListId = "lst";
    /// A question that is asked before somebody enters.
    QuestionId = "qst";
    /// An order of tickets.
    OrderId = "ord";
    /// One ticket.
    TicketId = "tkt";
    /// One decided attempt to enter or leave.
    AdmissionId = "adm";
    /// A fan's account.
    AccountId = "acc";
    /// Somebody who works for a ticketing company, a venue or a shop.
    StaffUserId = "stf";
    /// A tie between a palm and an account or ticket.
    LinkId = "lnk";
    /// A consent that was given, as a record.
    ConsentId = "cns";
    /// A mail in the outbox.
    MailId = "mai";
    /// A set of slots that one relying party may search.
    GalleryId = "gal";
    /// A shop: takes payments, is a relying party.
    ShopId = "shp";
    /// A fan's wallet.
    WalletId = "wal";
    /// A payment method reference held in a wallet.
    PaymentMethodId = "pmt";
    /// A charge at a register.
    ChargeId = "chg";
    /// A refund of a charge.
    RefundId = "rfd";
    /// An account of the ledger (not a fan's account).
    LedgerAccountId = "lac";
    /// One transfer in the ledger.
    TransferId = "xfr";
}

// An event's own check-in list has the same number: it is there wherever the event is.
impl From<EventId> for CheckInListId {
    fn from(event: EventId) -> Self {
        Self(event.0)
    }
}

// An event's or shop's gallery has the same number: one lookup fewer, and no way to open two.
impl From<EventId> for GalleryId {
    fn from(event: EventId) -> Self {
        Self(event.0)
    }
}

impl From<ShopId> for GalleryId {
    fn from(shop: ShopId) -> Self {
        Self(shop.0)
    }
}

/// Somebody who gets pairwise tokens for palms, and never a palm: each gets different tokens for
/// the same palm. As text: the id of the company, venue or shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RelyingParty {
    /// A ticketing company.
    Company(CompanyId),
    /// A venue.
    Venue(VenueId),
    /// A shop.
    Shop(ShopId),
}

impl fmt::Display for RelyingParty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Company(id) => id.fmt(f),
            Self::Venue(id) => id.fmt(f),
            Self::Shop(id) => id.fmt(f),
        }
    }
}

impl FromStr for RelyingParty {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        match text.split_once('_').map(|(prefix, _)| prefix) {
            Some("ven") => text.parse().map(Self::Venue),
            Some("shp") => text.parse().map(Self::Shop),
            _ => text.parse().map(Self::Company),
        }
    }
}

impl TryFrom<String> for RelyingParty {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<RelyingParty> for String {
    fn from(party: RelyingParty) -> Self {
        party.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ManualClock, SeededRandom, Timestamp};

    fn clock() -> ManualClock {
        ManualClock::at(Timestamp::from_micros(1_790_000_000_000_000))
    }

    #[test]
    fn text_round_trips_and_names_its_kind() {
        let id = TicketId::new(&clock(), &SeededRandom::new(7));
        let text = id.to_string();
        assert!(text.starts_with("tkt_") && text.len() == 4 + TEXT_LEN);
        assert_eq!(text.parse::<TicketId>(), Ok(id));
        assert_eq!(text.parse::<VenueId>(), Err(IdError::Prefix { expected: "ven" }));
    }

    #[test]
    fn later_ids_sort_later() {
        let (clock, random) = (clock(), SeededRandom::new(1));
        let first = OrderId::new(&clock, &random);
        clock.advance(crate::Duration::from_millis(2));
        let second = OrderId::new(&clock, &random);
        assert!(first < second && first.to_string() < second.to_string());
    }

    #[test]
    fn malformed_texts_are_refused() {
        for text in ["tkt_", "tkt_8zzzzzzzzzzzzzzzzzzzzzzzzz", "tkt_0000000000000000000000000u"] {
            assert_eq!(text.parse::<TicketId>(), Err(IdError::Encoding), "{text}");
        }
    }

    #[test]
    fn a_relying_party_is_read_back_as_its_own_kind() {
        let (clock, random) = (clock(), SeededRandom::new(2));
        for party in [
            RelyingParty::Company(CompanyId::new(&clock, &random)),
            RelyingParty::Venue(VenueId::new(&clock, &random)),
            RelyingParty::Shop(ShopId::new(&clock, &random)),
        ] {
            assert_eq!(party.to_string().parse(), Ok(party));
        }
        assert!("tkt_x".parse::<RelyingParty>().is_err());
    }
}
