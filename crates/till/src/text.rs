//! Texts that enter the till, parsed where they enter: none can hold a card number.

use handfast_model::Random;
use handfast_store::{Cell, FromColumn, Param, StoreError, ToParam};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::card_number::looks_like_card_number;

/// A description is one line on a pedestal and a receipt.
const DESCRIPTION_CHARS_MAX: usize = 80;
/// A name of a shop, or a label of a payment method, is one line too.
const LABEL_CHARS_MAX: usize = 80;
/// Room for a UUID or a hash in hexadecimal.
const NONCE_CHARS_MAX: usize = 64;
/// A nonce below this repeats by chance within a register's day.
const NONCE_CHARS_MIN: usize = 8;
/// Room for a hash in hexadecimal with a word before it.
const PERSON_KEY_CHARS_MAX: usize = 128;
/// 130 bits in groups of five: beyond any guessing.
const UNGUESSABLE_CHARS: usize = 26;

/// Why a text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TextError {
    /// It holds what reads as a card number.
    #[error("the {field} looks like a card number; never write one down, use the gateway's page")]
    CardNumber {
        /// The field.
        field: &'static str,
    },
    /// It is empty or too long.
    #[error("the {field} must have {min} to {max} characters")]
    Length {
        /// The field.
        field: &'static str,
        /// Fewest characters.
        min: usize,
        /// Most characters.
        max: usize,
    },
    /// It has characters that do not belong there.
    #[error("the {field} has characters that do not belong there; {allowed}")]
    Characters {
        /// The field.
        field: &'static str,
        /// What may stand there.
        allowed: &'static str,
    },
}

fn check_line(
    field: &'static str,
    text: &str,
    min: usize,
    max: usize,
) -> Result<String, TextError> {
    let text = text.trim();
    if !(min..=max).contains(&text.chars().count()) {
        return Err(TextError::Length { field, min, max });
    }
    if text.chars().any(char::is_control) {
        return Err(TextError::Characters { field, allowed: "write one line of text" });
    }
    if looks_like_card_number(text) {
        return Err(TextError::CardNumber { field });
    }
    Ok(text.to_owned())
}

/// What a charge is for: one line for people, possibly empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description(String);

impl Description {
    /// Reads a description.
    ///
    /// # Errors
    /// [`TextError`] where it is too long, has control characters, or looks like a card number.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        check_line("description", text, 0, DESCRIPTION_CHARS_MAX).map(Self)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A name or label that is shown to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label(String);

impl Label {
    /// Reads a label.
    ///
    /// # Errors
    /// [`TextError`] as for a description; an empty one is refused too.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        check_line("label", text, 1, LABEL_CHARS_MAX).map(Self)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What makes a register's repeated request the same request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce(String);

impl Nonce {
    /// Reads a nonce: 8 to 64 letters, digits, `-` and `_`.
    ///
    /// # Errors
    /// [`TextError`] where it is not.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let field = "nonce";
        if !(NONCE_CHARS_MIN..=NONCE_CHARS_MAX).contains(&text.len()) {
            return Err(TextError::Length { field, min: NONCE_CHARS_MIN, max: NONCE_CHARS_MAX });
        }
        let fits = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        if !text.bytes().all(fits) {
            let allowed = "use letters, digits, - and _";
            return Err(TextError::Characters { field, allowed });
        }
        // Only a nonce of nothing but digits: a group inside a UUID may pass the check by chance.
        if !text.bytes().any(|c| c.is_ascii_alphabetic()) && looks_like_card_number(text) {
            return Err(TextError::CardNumber { field });
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the caller knows one person by, across accounts (a hash, never a name): a credit is given
/// once for each. Its `Debug` prints nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonKey(String);

impl PersonKey {
    /// Reads a person key.
    ///
    /// # Errors
    /// [`TextError::Length`] where it is empty or too long.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let (field, max) = ("person key", PERSON_KEY_CHARS_MAX);
        if text.is_empty() || text.len() > max {
            return Err(TextError::Length { field, min: 1, max });
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PersonKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PersonKey(hidden)")
    }
}

/// 26 characters of base 32 that nobody can guess.
pub(crate) fn unguessable(random: &dyn Random) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut bytes = Zeroizing::new([0_u8; UNGUESSABLE_CHARS]);
    random.fill(&mut *bytes);
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect()
}

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident = $hidden:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, Zeroize, ZeroizeOnDrop)]
        pub struct $name(String);

        impl $name {
            /// A new one.
            #[must_use]
            pub fn new(random: &dyn Random) -> Self {
                Self(unguessable(random))
            }

            /// Takes a text as such a key; one that was never given out finds nothing.
            #[must_use]
            pub fn from_text(text: &str) -> Self {
                Self(text.to_owned())
            }

            /// The key, for the one it is made for.
            #[must_use]
            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str($hidden)
            }
        }

        impl ToParam for $name {
            fn to_param(&self) -> Param {
                self.0.to_param()
            }
            fn null() -> Param {
                String::null()
            }
        }

        impl FromColumn for $name {
            fn from_cell(cell: &Cell<'_>) -> Result<Option<Self>, StoreError> {
                Ok(String::from_cell(cell)?.map(Self))
            }
        }
    )*};
}

keys! {
    /// Opens one payment receipt; whoever has it may read it. Its `Debug` prints nothing of it.
    ReceiptKey = "ReceiptKey(hidden)";
    /// One setup of a payment method, from the gateway's page back to the wallet.
    SetupId = "SetupId(hidden)";
    /// Opens one charge on a phone: the pedestal's QR code. Whoever signs in may pay what it names.
    PayKey = "PayKey(hidden)";
    /// Says "this was not me" of one payment, from the mail about it: freezes the wallet that paid.
    AlarmKey = "AlarmKey(hidden)";
    /// The secret that a shop's webhooks are signed with.
    WebhookSecret = "WebhookSecret(hidden)";
}

#[cfg(test)]
mod tests {
    use handfast_model::SeededRandom;

    use super::*;

    #[test]
    fn a_description_is_one_line_without_a_card_number() {
        assert_eq!(Description::parse("  2 lager ").unwrap().as_str(), "2 lager");
        assert!(Description::parse("").is_ok());
        assert!(Description::parse(&"x".repeat(81)).is_err());
        assert!(Description::parse("two\nlines").is_err());
        let card = Description::parse("4111 1111 1111 1111");
        assert_eq!(card, Err(TextError::CardNumber { field: "description" }));
        assert!(Label::parse(" ").is_err());
    }

    #[test]
    fn nonces_are_short_plain_and_no_card_numbers() {
        for text in ["0b6f3e52-7a90-4d7c-9d61-1f0f6a5b8c2d", "register_7-000001"] {
            assert!(Nonce::parse(text).is_ok(), "{text}");
        }
        for text in ["", "short", "has space in it", "4111111111111111", "4111-1111-1111-1111"] {
            assert!(Nonce::parse(text).is_err(), "{text}");
        }
        assert!(Nonce::parse(&"n".repeat(65)).is_err());
    }

    #[test]
    fn keys_do_not_print_and_do_not_repeat() {
        let random = SeededRandom::new(3);
        let (first, second) = (ReceiptKey::new(&random), ReceiptKey::new(&random));
        assert_ne!(first.expose(), second.expose());
        assert_eq!(first.expose().len(), UNGUESSABLE_CHARS);
        assert!(!format!("{first:?}").contains(first.expose()));
        let person = PersonKey::parse("sha256:abc").unwrap();
        assert_eq!(format!("{person:?}"), "PersonKey(hidden)");
    }
}
