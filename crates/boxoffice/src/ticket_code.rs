//! Static random ticket codes: what a QR code shows and a code reader types.
//!
//! `HF1.` (the format's version), 26 digits of base 32 for 128 random bits, and 4 digits that check
//! the rest (20 bits of SHA-256): a mistyped code is told from an unknown one, all but one in a
//! million times.

use std::fmt;
use std::str::FromStr;

use handfast_model::Random;
use handfast_store::{Cell, FromColumn, Param, StoreError, ToParam};
use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::base32;
use crate::ticket::HASHED_CODE_PREFIX;

const PREFIX: &str = "HF1.";
/// 128 bits: nobody finds a valid code by trying.
const RANDOM_BYTES: usize = 16;
const BODY_DIGITS: usize = 26;
const CHECK_DIGITS: usize = 4;
/// Fewer characters could be tried through by anybody.
const IMPORTED_LEN_MIN: usize = 8;
/// As much as a scanned text is looked at.
const TEXT_LEN_MAX_IMPORTED: usize = 512;
/// The longest text looked at: a QR code of another kind may hold kilobytes.
const TEXT_LEN_MAX: usize = 64;

/// A well-formed ticket code in its canonical spelling. Whoever has it enters, so `Debug` hides it
/// and it is zeroed when dropped.
#[derive(Clone, PartialEq, Eq, Hash, Zeroize, ZeroizeOnDrop)]
pub struct TicketCode(String);

handfast_store::text_enum! {
    /// Which codes open the gate for a ticket.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum CodeKind {
        /// Its static random code.
        Static = "static",
        /// That, and a signed one.
        Signed = "signed",
        /// Its rotating code alone.
        Rotating = "rotating",
    }
}

/// Why a text is no ticket code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CodeError {
    /// It does not begin like one: some other QR code.
    #[error("this is not one of our ticket codes; show the code from your ticket")]
    Foreign,
    /// It is too short, too long, or holds characters that no code has.
    #[error("this ticket code is damaged; show it again, or type it as printed")]
    Malformed,
    /// Its check digits do not fit.
    #[error("this ticket code is mistyped; type it as printed")]
    Mistyped,
}

impl TicketCode {
    /// A new code that nobody else has.
    #[must_use]
    pub fn new(random: &dyn Random) -> Self {
        let mut bytes = Zeroizing::new([0; RANDOM_BYTES]);
        random.fill(&mut *bytes);
        let body = Zeroizing::new(base32::encode(&*bytes));
        Self(format!("{PREFIX}{}{}", *body, check_digits(&body)))
    }

    /// A code that another system made, for a ticket that comes from there.
    ///
    /// # Errors
    /// [`CodeError::Malformed`] for one that is too short to be a secret, too long to be scanned,
    /// has spaces at its ends or control characters, or begins like one of ours without being one.
    pub fn imported(text: &str) -> Result<Self, CodeError> {
        let fits = (IMPORTED_LEN_MIN..=TEXT_LEN_MAX_IMPORTED).contains(&text.len());
        if !fits
            || text.starts_with(HASHED_CODE_PREFIX)
            || text.trim() != text
            || text.chars().any(char::is_control)
        {
            return Err(CodeError::Malformed);
        }
        match text.parse::<Self>() {
            Err(CodeError::Foreign) if !text.to_ascii_uppercase().starts_with("HF") => {
                Ok(Self(text.to_owned()))
            }
            Err(CodeError::Foreign) => Err(CodeError::Malformed),
            own => own,
        }
    }

    /// The code as it is printed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TicketCode {
    type Err = CodeError;

    /// Reads a code as printed, in lower case, or with O, I, L typed for the digits they look like.
    fn from_str(text: &str) -> Result<Self, CodeError> {
        let text = text.trim();
        if text.len() > TEXT_LEN_MAX || !text.is_ascii() {
            return Err(CodeError::Foreign);
        }
        let (prefix, digits) = text.split_at_checked(PREFIX.len()).ok_or(CodeError::Foreign)?;
        if !prefix.eq_ignore_ascii_case(PREFIX) {
            return Err(CodeError::Foreign);
        }
        let digits: Option<String> = digits.chars().map(base32::canonical).collect();
        let digits = digits.filter(|digits| digits.len() == BODY_DIGITS + CHECK_DIGITS);
        let digits = digits.ok_or(CodeError::Malformed)?;
        let (body, check) = digits.split_at(BODY_DIGITS);
        if check != check_digits(body) {
            return Err(CodeError::Mistyped);
        }
        Ok(Self(format!("{PREFIX}{digits}")))
    }
}

/// The version is part of what is checked: digits of another version never fit this one.
fn check_digits(body: &str) -> String {
    let digest = Sha256::digest(format!("{PREFIX}{body}").as_bytes());
    let mut check = base32::encode(&digest);
    check.truncate(CHECK_DIGITS);
    check
}

impl fmt::Debug for TicketCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketCode(hidden)")
    }
}

impl ToParam for TicketCode {
    fn to_param(&self) -> Param {
        Param::Text(Some(self.0.clone()))
    }
    fn null() -> Param {
        Param::Text(None)
    }
}

impl FromColumn for TicketCode {
    /// As it was stored: our own spelling, or another system's whatever it is.
    fn from_cell(cell: &Cell<'_>) -> Result<Option<Self>, StoreError> {
        Ok(String::from_cell(cell)?.map(Self))
    }
}

#[cfg(test)]
mod tests {
    use handfast_model::SeededRandom;

    use super::*;

    /// The format's golden vector: codes are printed and stay valid for years.
    #[test]
    fn a_printed_code_stays_readable() {
        struct Zeros;
        impl Random for Zeros {
            fn fill(&self, bytes: &mut [u8]) {
                bytes.fill(0);
            }
        }
        let code = TicketCode::new(&Zeros);
        assert_eq!(code.as_str().len(), 34);
        assert_eq!(code.as_str(), "HF1.000000000000000000000000009FPP");
    }

    #[test]
    fn other_spellings_are_the_same_code() {
        for seed in 0..200 {
            let code = TicketCode::new(&SeededRandom::new(seed));
            let sloppy = format!(" {} ", code.as_str().to_lowercase().replace('0', "o"));
            assert_eq!(sloppy.parse(), Ok(code.clone()));
            assert_eq!(code.as_str().replace('1', "I").replace("HFI.", "HF1.").parse(), Ok(code));
        }
    }

    #[test]
    fn one_wrong_digit_is_mistyped_wherever_it_is() {
        let code = TicketCode::new(&SeededRandom::new(3));
        for place in PREFIX.len()..code.as_str().len() {
            let mut digits: Vec<char> = code.as_str().chars().collect();
            digits[place] = if digits[place] == 'A' { 'B' } else { 'A' };
            let text: String = digits.into_iter().collect();
            assert_eq!(text.parse::<TicketCode>(), Err(CodeError::Mistyped), "place {place}");
        }
    }

    #[test]
    fn other_texts_are_told_apart() {
        let code = TicketCode::new(&SeededRandom::new(3));
        let long = "A".repeat(10_000);
        for text in ["", "HF1", "https://example.org", "HF2.AAAA", "ééé1.", &long] {
            assert_eq!(text.parse::<TicketCode>(), Err(CodeError::Foreign), "{text}");
        }
        for text in ["HF1.", &code.as_str()[..20], &format!("{}A", code.as_str()), "HF1.U"] {
            assert_eq!(text.parse::<TicketCode>(), Err(CodeError::Malformed), "{text}");
        }
        assert_eq!(format!("{code:?}"), "TicketCode(hidden)");
    }
}
