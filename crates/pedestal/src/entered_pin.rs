//! A PIN as it was entered on the pad.

use std::fmt;

use zeroize::Zeroizing;

/// The fewest and the most digits that the pad sends.
const DIGITS_MIN: usize = 4;
const DIGITS_MAX: usize = 8;

/// Digits that were entered. `Debug` hides them and they are zeroed when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct EnteredPin(Zeroizing<String>);

impl EnteredPin {
    /// Takes 4 to 8 digits; `None` where it is anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plausible = (DIGITS_MIN..=DIGITS_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_digit());
        plausible.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The digits, to compare them.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EnteredPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnteredPin(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_alone_are_taken_and_hidden() {
        let pin = EnteredPin::parse("2580").expect("a PIN");
        assert_eq!((pin.expose(), format!("{pin:?}").as_str()), ("2580", "EnteredPin(hidden)"));
        for junk in ["", "123", "123456789", "12 4", "12\u{663}4", "abcd"] {
            assert_eq!(EnteredPin::parse(junk), None, "{junk:?}");
        }
    }
}
