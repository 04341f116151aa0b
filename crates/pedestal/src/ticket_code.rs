//! The text of a ticket's code, as read from a QR code or typed.

use std::fmt;

use zeroize::Zeroizing;

/// Longest code that is looked up: the longest known kind (signed offline codes) has about 300
/// characters; anything longer is no ticket.
pub const TICKET_CODE_CHARS_MAX: usize = 512;

/// A plausible ticket code. It opens a gate, so `Debug` hides it and it is zeroed when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct TicketCode(Zeroizing<String>);

impl TicketCode {
    /// Reads a code, ignoring space around it (readers that type may add some). `None` where the
    /// text cannot be a code: empty, too long, or not printable ASCII.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let code = text.trim();
        let plausible = !code.is_empty()
            && code.len() <= TICKET_CODE_CHARS_MAX
            && code.bytes().all(|byte| byte.is_ascii_graphic());
        plausible.then(|| Self(Zeroizing::new(code.to_owned())))
    }

    /// The code itself, to look it up.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TicketCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketCode(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_around_a_code_is_ignored_and_junk_refused() {
        let code = TicketCode::parse(" abc+/=1 \r\n").expect("plausible");
        assert_eq!(code.expose(), "abc+/=1");
        let long = "x".repeat(TICKET_CODE_CHARS_MAX + 1);
        for junk in ["", "  ", "two words", "tab\tbed", "gr\u{fc}n", "nul\0", long.as_str()] {
            assert_eq!(TicketCode::parse(junk), None, "{junk:?}");
        }
    }

    #[test]
    fn debug_hides_the_code() {
        let code = TicketCode::parse("secret").expect("plausible");
        assert_eq!(format!("{code:?}"), "TicketCode(hidden)");
    }
}
