//! Mail addresses.

use std::fmt;
use std::str::FromStr;

use handfast_store::{Cell, FromColumn, Param, StoreError, ToParam};

use crate::BoxOfficeError;

/// RFC 5321, 4.5.3.1.3: a path has at most 256 octets with its angle brackets.
const LEN_MAX: usize = 254;

/// A mail address in lower case. Only what every address has is checked; whether it exists shows
/// when somebody opens the mail's link. `Debug` hides it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EmailAddress {
    type Err = BoxOfficeError;

    fn from_str(text: &str) -> Result<Self, BoxOfficeError> {
        let address = text.trim().to_lowercase();
        let Some((name, domain)) = address.split_once('@') else {
            return Err(BoxOfficeError::Email);
        };
        let odd = |c: char| c.is_whitespace() || c.is_control() || "@<>,;:\"\\".contains(c);
        let dots = domain.starts_with('.') || domain.ends_with('.') || domain.contains("..");
        if name.is_empty() || domain.is_empty() || dots || address.len() > LEN_MAX {
            return Err(BoxOfficeError::Email);
        }
        if name.contains(odd) || domain.contains(odd) {
            return Err(BoxOfficeError::Email);
        }
        Ok(Self(address))
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(hidden)")
    }
}

impl ToParam for EmailAddress {
    fn to_param(&self) -> Param {
        Param::Text(Some(self.0.clone()))
    }
    fn null() -> Param {
        Param::Text(None)
    }
}

impl FromColumn for EmailAddress {
    fn from_cell(cell: &Cell<'_>) -> Result<Option<Self>, StoreError> {
        cell.parsed("a mail address")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_spaces_do_not_matter() {
        let address: EmailAddress = " Ada@Example.ORG ".parse().unwrap();
        assert_eq!(address.as_str(), "ada@example.org");
        assert_eq!(format!("{address:?}"), "EmailAddress(hidden)");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "ada", "@x", "ada@", "a@b@c", "a b@c", "a@b\r\nBcc: x@y", "a@.b", "a@b..c"]
        {
            assert!(text.parse::<EmailAddress>().is_err(), "{text:?}");
        }
        assert!(format!("{}@x", "a".repeat(LEN_MAX)).parse::<EmailAddress>().is_err());
    }
}
