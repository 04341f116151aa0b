//! What the page draws: one screen at a time, as a snapshot that can be sent again at any moment.
//!
//! These types are the server's half of the pedestal protocol; `tests/protocol.rs` pins their JSON.

use std::fmt;

use handfast_model::{Money, Timestamp};
use serde::{Deserialize, Serialize};

use crate::rfc3339;

/// What a pedestal is set up for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Enrol before the gate: the link may enter tonight.
    EnrolOutside,
    /// Enrol behind the gate: the link serves future events; the ticket may be redeemed already.
    EnrolInside,
    /// One lane at a gate.
    EntryLane,
    /// The customer's side of a register.
    Counter,
}

/// The languages that screens and consent texts exist in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Spanish.
    Es,
    /// German.
    De,
}

/// Whether palms may be looked at at this event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Biometrics {
    /// They may, by consent.
    Allowed,
    /// They may not: the artist or organiser asked for an event without biometrics.
    Forbidden,
    /// They could not be compared: a node of the vault is away. Codes and cards go on.
    Unavailable,
}

impl Biometrics {
    /// Why a palm is not looked at now; nothing where it is.
    #[must_use]
    pub const fn refusal(self) -> Option<Reason> {
        match self {
            Self::Allowed => None,
            Self::Forbidden => Some(Reason::NoBiometrics),
            Self::Unavailable => Some(Reason::VaultUnavailable),
        }
    }
}

/// One screen.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "screen", rename_all = "snake_case")]
pub enum View {
    /// Nobody is being served.
    Welcome {
        /// The event that is served here now.
        event: Option<EventBrief>,
        /// Whether palms are looked at here now.
        biometrics: Biometrics,
    },
    /// "Show your ticket's code to the camera, or type it."
    ShowTicket {
        /// What was wrong with the last code.
        problem: Option<TicketProblem>,
    },
    /// The consent text, to be read and accepted; nothing biometric has happened.
    Consent {
        /// The ticket that was shown.
        ticket: TicketBrief,
        /// The text, whole.
        text: ConsentText,
        /// For how long and where the consent may be given.
        scopes: Vec<ScopeOffer>,
        /// What accepting says of the person's age.
        age: AgeAsked,
        /// Whether another text was agreed to a moment ago, which does not hold any more.
        anew: bool,
    },
    /// "How old is the owner of this palm?", for whoever is not of age.
    Younger {
        /// The youngest age, in years, at which palms are linked here.
        minimum: u32,
        /// The age from which nobody else has to consent.
        own_consent_from: u32,
    },
    /// One hand or both.
    ChooseHands {},
    /// A palm is wanted.
    Palm {
        /// For what.
        purpose: Purpose,
        /// Which hand.
        side: WantedSide,
        /// Which palm of this session, from 1.
        palm: u32,
        /// How many palms this session takes.
        palms: u32,
        /// Good frames of this palm so far.
        taken: u32,
        /// Good frames that are wanted.
        wanted: u32,
        /// The charge that a hover would pay; present exactly where the purpose is `pay`.
        charge: Option<ChargeBrief>,
    },
    /// The hub is being asked.
    Working {},
    /// The palms are stored and linked.
    Linked {
        /// How many.
        palms: u32,
        /// How far the consent reaches.
        scope: Scope,
        /// Until when.
        #[serde(serialize_with = "rfc3339::serialize")]
        until: Timestamp,
        /// Whether the palm opens the lane tonight.
        enters_tonight: bool,
        /// Whether the account's holder was written to.
        mail_sent: bool,
    },
    /// Several tickets: how many enter now.
    ChooseCount {
        /// Tickets that could enter.
        available: u32,
        /// The most that may enter at a time.
        max: u32,
    },
    /// Go in.
    Admitted {
        /// How many people.
        count: u32,
        /// Which way.
        direction: Direction,
    },
    /// The counter is idle.
    WaitingForCharge {
        /// Whose counter this is.
        shop_name: String,
        /// Whether palms are looked at here now.
        biometrics: Biometrics,
    },
    /// The palm alone may not pay this charge.
    Pin {
        /// The charge.
        charge: ChargeBrief,
        /// How many tries the PIN has left; absent where the wallet has none and the phone alone
        /// can confirm.
        tries_left: Option<u32>,
        /// Whether the last try was wrong.
        wrong: bool,
    },
    /// The payment is under way; it can still be stopped until the money is taken.
    Paying {
        /// The charge.
        charge: ChargeBrief,
    },
    /// The charge went through.
    Paid {
        /// The charge's number at this shop.
        number: u64,
        /// The whole amount.
        amount: Money,
        /// How much of it came from credit.
        credit_used: Option<Money>,
        /// Where the receipt is, as a path on this server.
        receipt_url: Option<ReceiptUrl>,
        /// The money is only held: the shop takes it, or a part of it, later.
        held: bool,
        /// What a discount took off.
        discount: Option<Money>,
    },
    /// It did not work; how to go on.
    TurnedAway {
        /// Why.
        reason: Reason,
        /// What to do instead.
        way_on: WayOn,
    },
}

/// An event as a welcome screen names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventBrief {
    /// Its public name.
    pub name: String,
    /// When it starts.
    #[serde(serialize_with = "rfc3339::serialize")]
    pub starts_at: Timestamp,
}

/// A ticket as the consent screen names it: no holder, no seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TicketBrief {
    /// The event's public name.
    pub event_name: String,
    /// The venue's public name.
    pub venue_name: String,
    /// When the event starts.
    #[serde(serialize_with = "rfc3339::serialize")]
    pub starts_at: Timestamp,
    /// What was bought.
    pub product: String,
}

/// One version of the consent text in one language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConsentText {
    /// The version, which the consent receipt names.
    pub version: String,
    /// The language it is written in.
    pub language: Language,
    /// Its heading.
    pub title: String,
    /// Its body.
    pub paragraphs: Vec<String>,
    /// What the palm will be used for, one by one.
    pub purposes: Vec<ConsentPurpose>,
}

/// One purpose of a consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConsentPurpose {
    /// Its stable name.
    pub id: String,
    /// What it means, for a person.
    pub text: String,
}

/// How far a consent reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// This event.
    Event,
    /// All events at this venue.
    Venue,
    /// All venues of this ticketing company.
    Company,
}

/// A scope that may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ScopeOffer {
    /// The scope.
    pub id: Scope,
    /// When a consent of this scope ends by itself.
    #[serde(serialize_with = "rfc3339::serialize")]
    pub until: Timestamp,
}

/// What accepting a consent says of the person's age: a yes or no, never a date of birth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AgeAsked {
    /// Whoever accepts is at least so old.
    pub from: u32,
    /// Whoever accepts is younger than consents alone, and a guardian has consented.
    pub by_guardian: bool,
}

/// What a palm is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To store a reference.
    Enrol,
    /// To enter.
    Enter,
    /// To pay.
    Pay,
}

/// Which hand is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WantedSide {
    /// The left hand.
    Left,
    /// The right hand.
    Right,
    /// Whichever.
    Either,
}

/// A charge as the customer sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChargeBrief {
    /// Who asks for the money.
    pub shop_name: String,
    /// The charge's number at this shop.
    pub number: u64,
    /// How much.
    pub amount: Money,
    /// The same charge as a QR code for the customer's own phone (SVG).
    pub pay_qr: Option<String>,
}

/// Which way to go behind the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Straight on.
    Straight,
    /// To the left.
    Left,
    /// To the right.
    Right,
}

/// The address of a payment receipt. Whoever has it may read the receipt, so `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ReceiptUrl(String);

impl ReceiptUrl {
    /// Wraps the path of a receipt, such as `/receipt/KEY`.
    #[must_use]
    pub const fn new(path: String) -> Self {
        Self(path)
    }
}

impl fmt::Debug for ReceiptUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReceiptUrl(hidden)")
    }
}

/// Why a shown code does not lead on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketProblem {
    /// No ticket has this code.
    UnknownCode,
    /// A ticket of an event that is not served here.
    OtherEvent,
    /// Used already (only enrolment inside accepts such a ticket).
    AlreadyRedeemed,
    /// Unpaid, cancelled, revoked or blocked.
    NotValid,
    /// Its event is over.
    EventOver,
}

/// Why somebody is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No armed palm is like this one.
    NotRecognised,
    /// More than one armed palm is like this one.
    Ambiguous,
    /// The palm is known and has no ticket for this event.
    NoTicket,
    /// All its tickets have entered.
    AlreadyRedeemed,
    /// This event looks at no palms.
    NoBiometrics,
    /// The palm is linked already: sign in to move the link.
    AlreadyLinked,
    /// The consent was declined.
    DeclinedConsent,
    /// Too young for a palm here, whoever consents. The ticket's code goes on working.
    TooYoung,
    /// A parent or guardian consents first.
    GuardianWanted,
    /// No good picture of the palm in time.
    CaptureTimeout,
    /// What was held to the camera may be no living hand. Nobody is told which sign it was.
    CaptureRefused,
    /// Palms cannot be compared now.
    VaultUnavailable,
    /// The payment method was declined.
    PaymentDeclined,
    /// The gateway has not said yet whether it went through; nothing is charged twice.
    PaymentUnknown,
    /// The palm is known and has no wallet that pays by palm.
    NoWallet,
    /// The wallet is frozen: after wrong PINs, or by its owner.
    WalletFrozen,
    /// The sale needs an age that nobody saw proof of yet.
    AgeNotKnown,
    /// The charge was not answered in time.
    ChargeExpired,
    /// The register took the charge back.
    ChargeCancelled,
    /// The event does not let people in now.
    EventClosed,
    /// A fault of ours.
    Internal,
}

/// How to go on after being turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WayOn {
    /// Enter with the code, in a lane that reads codes.
    QrLane,
    /// Ask the staff.
    Staff,
    /// Once more, here.
    TryAgain,
    /// Sign in to the portal.
    SignIn,
    /// Pay in another way.
    OtherWayToPay,
    /// Nothing is left to do.
    Nothing,
}

impl Reason {
    /// The way on that fits `self` at a pedestal in `mode`: the one table of it.
    #[must_use]
    pub const fn way_on(self, mode: Mode) -> WayOn {
        match mode {
            Mode::EnrolOutside | Mode::EnrolInside => self.way_on_from_enrolment(),
            Mode::EntryLane => self.way_on_from_lane(),
            Mode::Counter => self.way_on_from_counter(),
        }
    }

    const fn way_on_from_enrolment(self) -> WayOn {
        match self {
            Self::AlreadyLinked => WayOn::SignIn,
            Self::CaptureTimeout | Self::NotRecognised | Self::Ambiguous => WayOn::TryAgain,
            // The ticket's code goes on serving whoever does not enrol.
            Self::DeclinedConsent
            | Self::TooYoung
            | Self::GuardianWanted
            | Self::NoBiometrics
            | Self::VaultUnavailable
            | Self::CaptureRefused => WayOn::QrLane,
            _ => WayOn::Staff,
        }
    }

    const fn way_on_from_lane(self) -> WayOn {
        match self {
            Self::NotRecognised
            | Self::Ambiguous
            | Self::NoBiometrics
            | Self::CaptureTimeout
            | Self::CaptureRefused
            | Self::VaultUnavailable => WayOn::QrLane,
            _ => WayOn::Staff,
        }
    }

    const fn way_on_from_counter(self) -> WayOn {
        match self {
            // Only the register can tell what became of it; papers are looked at by people.
            Self::PaymentUnknown | Self::AgeNotKnown | Self::Internal => WayOn::Staff,
            // The register took it back, or asks again: there is nothing to do here.
            Self::ChargeCancelled | Self::ChargeExpired => WayOn::Nothing,
            _ => WayOn::OtherWayToPay,
        }
    }
}
