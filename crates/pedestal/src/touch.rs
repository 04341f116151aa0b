//! What a person does at the page. `tests/protocol.rs` pins the JSON.

use serde::{Deserialize, Deserializer};

use crate::entered_pin::EnteredPin;
use crate::ticket_code::TicketCode;
use crate::view::{Language, Scope};

/// One touch. A touch that the screen does not offer is ignored: it was meant for a screen that is
/// gone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Touch {
    /// Start; in the lane: "I would like to enter", for whoever wants to be asked first.
    Begin,
    /// A code was typed, or read by a code reader that types.
    TicketCode {
        /// The code; `None` where the text cannot be one.
        #[serde(deserialize_with = "plausible")]
        code: Option<TicketCode>,
    },
    /// The consent text is accepted.
    Accept {
        /// How far the consent shall reach.
        scope: Scope,
    },
    /// The consent text is declined.
    Decline,
    /// "I am younger than that."
    Younger,
    /// How old somebody is who is not of age.
    Age {
        /// The choice.
        choice: AgeChoice,
    },
    /// One hand or both.
    Hands {
        /// The choice.
        choice: HandsChoice,
    },
    /// How many people enter.
    Count {
        /// The number.
        count: u32,
    },
    /// The PIN was entered.
    Pin {
        /// The digits; `None` where they cannot be a PIN.
        #[serde(deserialize_with = "digits")]
        pin: Option<EnteredPin>,
    },
    /// Stop and forget.
    Cancel,
    /// Another language.
    Language {
        /// The language.
        language: Language,
    },
}

/// How old somebody is who is not of age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgeChoice {
    /// Old enough to link a palm where a guardian consents.
    Minor,
    /// Too young for it.
    TooYoung,
}

/// How many palms are enrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandsChoice {
    /// One palm, of either hand.
    One,
    /// Both palms.
    Both,
}

impl HandsChoice {
    pub(crate) const fn palms(self) -> u32 {
        match self {
            Self::One => 1,
            Self::Both => 2,
        }
    }
}

fn plausible<'de, D: Deserializer<'de>>(from: D) -> Result<Option<TicketCode>, D::Error> {
    let text = zeroize::Zeroizing::new(String::deserialize(from)?);
    Ok(TicketCode::parse(&text))
}

fn digits<'de, D: Deserializer<'de>>(from: D) -> Result<Option<EnteredPin>, D::Error> {
    let text = zeroize::Zeroizing::new(String::deserialize(from)?);
    Ok(EnteredPin::parse(&text))
}
