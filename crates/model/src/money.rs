//! Money: integer minor units with a currency. No floating point anywhere.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An ISO 4217 currency that the till knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Currency {
    /// US dollar, 2 decimals.
    Usd,
    /// Euro, 2 decimals.
    Eur,
    /// Pound sterling, 2 decimals.
    Gbp,
    /// Yen, no decimals.
    Jpy,
    /// Kuwaiti dinar, 3 decimals.
    Kwd,
}

impl Currency {
    /// Every currency the till knows.
    pub const ALL: [Self; 5] = [Self::Usd, Self::Eur, Self::Gbp, Self::Jpy, Self::Kwd];

    /// The ISO 4217 alphabetic code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Usd => "USD",
            Self::Eur => "EUR",
            Self::Gbp => "GBP",
            Self::Jpy => "JPY",
            Self::Kwd => "KWD",
        }
    }

    /// How many decimals the major unit has (ISO 4217's minor unit).
    #[must_use]
    pub const fn decimals(self) -> u32 {
        match self {
            Self::Jpy => 0,
            Self::Usd | Self::Eur | Self::Gbp => 2,
            Self::Kwd => 3,
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Currency {
    type Err = MoneyError;
    fn from_str(code: &str) -> Result<Self, MoneyError> {
        Self::ALL
            .into_iter()
            .find(|currency| currency.code() == code)
            .ok_or(MoneyError::UnknownCurrency)
    }
}

impl TryFrom<String> for Currency {
    type Error = MoneyError;
    fn try_from(code: String) -> Result<Self, MoneyError> {
        code.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

/// Why an amount is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MoneyError {
    /// The currency code is not one the till knows.
    #[error("unknown currency; use one of USD, EUR, GBP, JPY, KWD")]
    UnknownCurrency,
    /// Two amounts of different currencies met.
    #[error("amounts of {left} and {right} cannot be added; convert first")]
    MixedCurrencies {
        /// The currency of the left amount.
        left: Currency,
        /// The currency of the right amount.
        right: Currency,
    },
    /// A sum left the range of 64 bits.
    #[error("the sum is too large to hold")]
    Overflow,
    /// The text is not an amount of this currency.
    #[error("not an amount of {currency}: write digits with at most {} decimals", currency.decimals())]
    Malformed {
        /// The currency the text was read in.
        currency: Currency,
    },
}

/// An amount in minor units (cents for USD); may be negative, as a difference may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// The amount in the currency's minor unit.
    pub minor: i64,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// `minor` units of `currency`.
    #[must_use]
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Reads an amount in major units, such as `12.50`; refuses signs, exponents and more decimals
    /// than the currency has.
    ///
    /// # Errors
    /// [`MoneyError::Malformed`] or [`MoneyError::Overflow`].
    pub fn parse_major(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let malformed = MoneyError::Malformed { currency };
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let decimals = currency.decimals() as usize;
        let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        let dangling_point = text.contains('.') && fraction.is_empty();
        if whole.is_empty() || dangling_point || !all_digits(whole) || !all_digits(fraction) {
            return Err(malformed);
        }
        if fraction.len() > decimals {
            return Err(malformed);
        }
        let digits = format!("{whole}{fraction:0<decimals$}");
        let minor = digits.parse().map_err(|_| MoneyError::Overflow)?;
        Ok(Self { minor, currency })
    }

    /// The sum.
    ///
    /// # Errors
    /// [`MoneyError::MixedCurrencies`] or [`MoneyError::Overflow`].
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.combine(other, i64::checked_add)
    }

    /// The difference.
    ///
    /// # Errors
    /// [`MoneyError::MixedCurrencies`] or [`MoneyError::Overflow`].
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.combine(other, i64::checked_sub)
    }

    fn combine(self, other: Self, op: fn(i64, i64) -> Option<i64>) -> Result<Self, MoneyError> {
        let (left, right) = (self.currency, other.currency);
        if left != right {
            return Err(MoneyError::MixedCurrencies { left, right });
        }
        let minor = op(self.minor, other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, currency: left })
    }
}

impl fmt::Display for Money {
    /// Major units and the code, for example `12.50 USD`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = self.currency.decimals() as usize;
        let digits = format!("{:0>width$}", self.minor.unsigned_abs(), width = decimals + 1);
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        let sign = if self.minor < 0 { "-" } else { "" };
        let point = if decimals == 0 { "" } else { "." };
        write!(f, "{sign}{whole}{point}{fraction} {}", self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_as_many_decimals_as_the_currency_has() {
        assert_eq!(Money::new(1_250, Currency::Usd).to_string(), "12.50 USD");
        assert_eq!(Money::new(-5, Currency::Eur).to_string(), "-0.05 EUR");
        assert_eq!(Money::new(700, Currency::Jpy).to_string(), "700 JPY");
        assert_eq!(Money::new(7, Currency::Kwd).to_string(), "0.007 KWD");
    }

    #[test]
    fn reads_major_units() {
        assert_eq!(Money::parse_major("12.5", Currency::Usd), Ok(Money::new(1_250, Currency::Usd)));
        assert_eq!(Money::parse_major("12", Currency::Jpy), Ok(Money::new(12, Currency::Jpy)));
        for text in ["", ".5", "5.", "-5", "1e3", "1.234", "1,00", "NaN"] {
            assert!(Money::parse_major(text, Currency::Usd).is_err(), "{text}");
        }
        let huge = "99999999999999999999";
        assert_eq!(Money::parse_major(huge, Currency::Usd), Err(MoneyError::Overflow));
    }

    #[test]
    fn currencies_do_not_mix() {
        let (left, right) = (Currency::Usd, Currency::Eur);
        let sum = Money::new(1, left).checked_add(Money::new(1, right));
        assert_eq!(sum, Err(MoneyError::MixedCurrencies { left, right }));
    }

    #[test]
    fn overflow_is_an_error() {
        let most = Money::new(i64::MAX, Currency::Usd);
        assert_eq!(most.checked_add(Money::new(1, Currency::Usd)), Err(MoneyError::Overflow));
    }
}
