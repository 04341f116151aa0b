//! Rotating ticket codes: a photograph of one is worth nothing a moment later.
//!
//! `HF3.`, the ticket's number as in its id (26 digits), a full stop, and 8 digits: the TOTP of RFC
//! 6238 with HMAC-SHA-1 and a period of 15 seconds, as Google Wallet's rotating barcodes have it,
//! so that a wallet can show the code without us.

use std::fmt;
use std::str::FromStr;

use handfast_model::{Random, TicketId, Timestamp};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use subtle_eq::eq;

use crate::CodeError;

/// What rotating codes begin with.
pub(crate) const PREFIX: &str = "HF3.";
/// How long a code is shown.
pub const PERIOD_SECONDS: i64 = 15;
/// Steps that are still good beside the present one: the last as it may just have been shown, the
/// next as the phone's clock may be ahead.
const GRACE_STEPS: i64 = 1;
/// Steps that are known to be old: who comes with one photographed it, or left it on the screen.
const OLD_STEPS: i64 = 20;
/// How many digits are shown.
pub const SHOWN_DIGITS: u8 = 8;
const DIGITS: usize = SHOWN_DIGITS as usize;
const MODULUS: u32 = 100_000_000;
/// As long as the hash, which RFC 4226 recommends.
const SECRET_LEN: usize = 20;
const ID_DIGITS: usize = 26;

/// A rotating code as it was read.
#[derive(Clone, PartialEq, Eq)]
pub struct RotatingCode {
    /// Which ticket it is.
    pub ticket_id: TicketId,
    /// The eight digits.
    pub value: u32,
}

impl fmt::Debug for RotatingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RotatingCode(hidden)")
    }
}

/// What a value is worth now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Shown now.
    Fresh,
    /// Shown some minutes ago.
    Old,
    /// Never shown lately.
    Wrong,
}

impl FromStr for RotatingCode {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<Self, CodeError> {
        let (prefix, rest) = text.split_at_checked(PREFIX.len()).ok_or(CodeError::Foreign)?;
        if !prefix.eq_ignore_ascii_case(PREFIX) {
            return Err(CodeError::Foreign);
        }
        let (id, value) = rest.split_once('.').ok_or(CodeError::Malformed)?;
        let digits = value.len() == DIGITS && value.bytes().all(|byte| byte.is_ascii_digit());
        let value = value.parse().ok().filter(|_| digits && id.len() == ID_DIGITS);
        let value = value.ok_or(CodeError::Malformed)?;
        let id = format!("tkt_{}", id.to_ascii_lowercase());
        let ticket_id = id.parse().map_err(|_| CodeError::Malformed)?;
        Ok(Self { ticket_id, value })
    }
}

impl RotatingCode {
    /// The code that a ticket's secret shows at a moment.
    #[must_use]
    pub fn at(ticket_id: TicketId, secret: &[u8], at: Timestamp) -> Self {
        Self { ticket_id, value: totp(secret, step(at)) }
    }

    /// The code as a QR code shows it.
    #[must_use]
    pub fn encode(&self) -> String {
        format!("{}{:08}", Self::beginning(self.ticket_id), self.value)
    }

    /// What every code of a ticket begins with: the eight digits follow.
    #[must_use]
    pub fn beginning(ticket_id: TicketId) -> String {
        let id = ticket_id.to_string().to_ascii_uppercase();
        format!("{PREFIX}{}.", id.trim_start_matches("TKT_"))
    }

    pub(crate) fn freshness(&self, secret: &[u8], now: Timestamp) -> Freshness {
        let shown = step(now);
        let shows = |step: i64| eq(totp(secret, step), self.value);
        if (shown - GRACE_STEPS..=shown + GRACE_STEPS).any(shows) {
            return Freshness::Fresh;
        }
        if (shown - OLD_STEPS..shown - GRACE_STEPS).any(shows) {
            Freshness::Old
        } else {
            Freshness::Wrong
        }
    }
}

/// Comparing without a branch on the digits: guessing gains nothing from the time it takes.
mod subtle_eq {
    pub(super) fn eq(one: u32, other: u32) -> bool {
        std::hint::black_box(one ^ other) == 0
    }
}

/// A new secret.
pub(crate) fn fresh_secret(random: &dyn Random) -> Vec<u8> {
    let mut secret = vec![0; SECRET_LEN];
    random.fill(&mut secret);
    secret
}

/// A secret as Google Wallet's `totpDetails` take it: in base 16.
#[must_use]
pub(crate) fn secret_text(secret: &[u8]) -> String {
    secret.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn step(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(PERIOD_SECONDS * 1_000_000)
}

/// RFC 6238 over RFC 4226's truncation.
fn totp(secret: &[u8], step: i64) -> u32 {
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret) else { return u32::MAX };
    mac.update(&step.to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let offset = usize::from(hash[19] & 0xf);
    let word = [hash[offset] & 0x7f, hash[offset + 1], hash[offset + 2], hash[offset + 3]];
    u32::from_be_bytes(word) % MODULUS
}

#[cfg(test)]
mod tests {
    use handfast_model::{Duration, ManualClock, SeededRandom};
    use proptest::prelude::*;

    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    fn ticket() -> TicketId {
        let clock = ManualClock::at(Timestamp::from_micros(1_790_000_000_000_000));
        TicketId::new(&clock, &SeededRandom::new(5))
    }

    /// RFC 6238, appendix B, SHA-1; its steps are of 30 seconds.
    #[test]
    fn the_values_are_those_of_the_rfc() {
        for (seconds, value) in [
            (59, 94_287_082),
            (1_111_111_109, 7_081_804),
            (1_111_111_111, 14_050_471),
            (1_234_567_890, 89_005_924),
            (2_000_000_000, 69_279_037),
            (20_000_000_000, 65_353_130),
        ] {
            assert_eq!(totp(SECRET, seconds / 30), value, "{seconds}");
        }
    }

    #[test]
    fn a_code_lives_for_its_step_and_one_more_on_either_side() {
        let shown = Timestamp::from_micros(1_790_000_010_000_000);
        let code = RotatingCode::at(ticket(), SECRET, shown);
        for (seconds, wanted) in [
            (0, Freshness::Fresh),
            (14, Freshness::Fresh),
            (-15, Freshness::Fresh),
            (60, Freshness::Old),
            (240, Freshness::Old),
            (600, Freshness::Wrong),
            (-60, Freshness::Wrong),
        ] {
            let now = shown + Duration::from_secs(seconds);
            assert_eq!(code.freshness(SECRET, now), wanted, "{seconds}");
        }
        assert_eq!(code.freshness(b"another", shown), Freshness::Wrong);
    }

    /// The format's golden vector.
    #[test]
    fn a_code_is_written_and_read() {
        let code = RotatingCode { ticket_id: ticket(), value: 7 };
        assert_eq!(code.encode().parse(), Ok(code.clone()));
        assert_eq!(code.encode().to_lowercase().parse(), Ok(code.clone()));
        assert_eq!(code.encode(), include_str!("../tests/golden/rotating_code_v1.txt").trim());
        for text in ["HF3.", "HF3.x.00000001", &code.encode()[..30], &format!("{}0", code.encode())]
        {
            assert_eq!(text.parse::<RotatingCode>(), Err(CodeError::Malformed), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}") {
            let _ = text.parse::<RotatingCode>();
            let _ = format!("HF3.{text}").parse::<RotatingCode>();
        }
    }
}
