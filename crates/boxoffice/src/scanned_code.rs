//! What a code reader or camera read: told apart by its beginning, before anything is looked up.

use sha2::{Digest, Sha256};

use crate::rotating_code::RotatingCode;
use crate::signed_code::SignedCode;
use crate::ticket::HASHED_CODE_PREFIX;
use crate::{CodeError, TicketCode, rotating_code, signed_code};

/// The longest text looked at: a signed code of ours or of another system is shorter, and a QR
/// code of another kind may hold kilobytes.
pub const TEXT_LEN_MAX: usize = 1024;

/// A text that was read, by what it may be.
#[derive(Debug)]
pub(crate) enum ScannedCode {
    /// A static random code of ours.
    Static(TicketCode),
    /// A signed code of ours, not verified yet.
    Signed(Box<SignedCode>),
    /// A rotating code of ours, not verified yet.
    Rotating(RotatingCode),
    /// Another system's: some ticket that was imported may have it.
    Foreign(ForeignText),
    /// Of ours, but not readable.
    Unreadable(CodeError),
}

/// A text of another system. `Debug` hides it.
pub(crate) struct ForeignText(String);

impl std::fmt::Debug for ForeignText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ForeignText(hidden)")
    }
}

impl ForeignText {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ScannedCode {
    pub fn read(text: &str) -> Self {
        let text = text.trim();
        let begins = |prefix: &str| {
            text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
        };
        // Whoever read a lane's copy has hashes, and enters with none of them.
        let hash = begins(HASHED_CODE_PREFIX);
        if text.len() > TEXT_LEN_MAX || text.is_empty() || hash {
            return Self::Unreadable(CodeError::Foreign);
        }
        if begins(signed_code::PREFIX) {
            return match SignedCode::decode(text) {
                Ok(code) => Self::Signed(Box::new(code)),
                Err(error) => Self::Unreadable(error),
            };
        }
        if begins(rotating_code::PREFIX) {
            return text.parse().map_or_else(Self::Unreadable, Self::Rotating);
        }
        match text.parse() {
            Ok(code) => Self::Static(code),
            Err(CodeError::Foreign) => Self::Foreign(ForeignText(text.to_owned())),
            Err(error) => Self::Unreadable(error),
        }
    }

    /// What tells one request from another; of a code of another system its hash alone.
    pub fn request_text(&self) -> String {
        match self {
            Self::Static(code) => format!("code {}", code.as_str()),
            Self::Signed(code) => format!("signed {} {}", code.ticket_id, code.serial),
            Self::Rotating(code) => format!("rotating {} {}", code.ticket_id, code.value),
            Self::Foreign(text) => format!("foreign {:x?}", Sha256::digest(text.as_str())),
            Self::Unreadable(error) => format!("no code {error:?}"),
        }
    }
}
