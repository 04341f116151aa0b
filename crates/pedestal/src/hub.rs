//! What a session asks of the hub, and what the hub may answer.
//!
//! The contract for whoever implements the hub:
//! - Every [`Errand`] carries an id; the answer goes back to the *same* [`Session`](crate::Session)
//!   as [`Input::Answer`](crate::Input::Answer) with that id, in any order, late, twice or never.
//!   The session waits with a deadline and ignores what it no longer expects.
//! - Requests are sent once. An `Admit` or `Pay` that the session gave up on may still have
//!   happened; the hub's own idempotency decides, never a second request.
//! - [`Request::Release`], [`Request::AskGuardian`], [`Request::CaptureFailed`] and
//!   [`Request::CaptureRefused`] take no answer.
//! - Whether a palm may be used is decided by the hub again, on every request.

use std::fmt;

use handfast_model::{ChargeId, Money, Timestamp};

use crate::engine::{Engine, LivenessCue};
use crate::entered_pin::EnteredPin;
use crate::guidance::GuidanceState;
use crate::ticket_code::TicketCode;
use crate::view::{
    Biometrics, ChargeBrief, ConsentText, Direction, EventBrief, Language, Reason, ReceiptUrl,
    Scope, ScopeOffer, TicketBrief, TicketProblem,
};

/// Ties an answer to its request; unique within one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(u64);

impl RequestId {
    /// No request has this id: they are numbered from 1.
    pub(crate) const NONE: Self = Self(0);

    pub(crate) const fn next_after(last: u64) -> Self {
        Self(last + 1)
    }

    /// The number itself, for a log line.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// A request on its way to the hub.
pub struct Errand<E: Engine> {
    /// The id that the answer repeats.
    pub id: RequestId,
    /// What is asked.
    pub request: Request<E>,
}

/// What a session asks of the hub.
pub enum Request<E: Engine> {
    /// What applies at this pedestal now? Answer: [`Answer::Situation`].
    Situation,
    /// Which ticket is this, and which consent would be asked? Nothing is redeemed. Answers:
    /// [`Answer::ConsentOffer`], [`Answer::TicketProblem`], [`Answer::Refused`].
    LookUpTicket {
        /// The code that was shown.
        code: TicketCode,
        /// The language of the consent text.
        language: Language,
    },
    /// Somebody younger showed this ticket: write to whoever holds it, as a guardian may. No answer.
    AskGuardian {
        /// The code that was shown.
        code: TicketCode,
    },
    /// Search for duplicates, store and link these palms, all or nothing. Answers:
    /// [`Answer::Enrolled`], [`Answer::Refused`].
    Enrol {
        /// The code that was shown.
        code: TicketCode,
        /// What was accepted on the screen.
        consent: GivenConsent,
        /// One or two palms, of different sides.
        palms: E::Enrolment,
    },
    /// Search tonight's gallery. The hub keeps the result under this request's id until it is
    /// admitted, released, or [`IDENTIFIED_KEPT`] is over. Answers: [`Answer::Identified`],
    /// [`Answer::Refused`].
    Identify {
        /// The frames of one hover.
        presentation: E::Presentation,
    },
    /// Let `count` people in on the tickets of whoever was identified. Answers:
    /// [`Answer::Admitted`], [`Answer::Refused`].
    Admit {
        /// The id of the `Identify` that was answered.
        identified: RequestId,
        /// How many.
        count: u32,
    },
    /// Forget who was identified: nobody enters. No answer.
    Release {
        /// The id of the `Identify` that was answered.
        identified: RequestId,
    },
    /// Pay exactly this charge with the wallet of whoever hovers. Answers: [`Answer::Paid`],
    /// [`Answer::FactorWanted`], [`Answer::StillPaying`], [`Answer::Refused`].
    Pay {
        /// The charge that was on the screen; refuse where number or amount differ by now.
        charge: OpenCharge,
        /// The frames of one hover.
        presentation: E::Presentation,
    },
    /// The PIN for a charge that a hand answered. Answers: as [`Request::Pay`].
    EnterPin {
        /// The charge.
        charge: ChargeId,
        /// What was entered.
        pin: EnteredPin,
    },
    /// What became of a charge that this pedestal showed (a phone may have paid it, the register
    /// may have taken it back). Answers: as [`Request::Pay`].
    Outcome {
        /// The charge.
        charge: ChargeId,
    },
    /// The customer steps back from a charge that their hand answered. Answers: as
    /// [`Request::Pay`], for it may be too late.
    StepBack {
        /// The charge.
        charge: ChargeId,
    },
    /// For the operator's statistics: a hand was there and no good picture came of it. No answer.
    CaptureFailed {
        /// The last advice that was on the screen.
        last: GuidanceState,
    },
    /// For the operator's statistics and the staff: a capture was refused because it may show no
    /// living hand. The person is told no more than that it was not taken. No answer.
    CaptureRefused {
        /// What spoke against it most.
        cue: LivenessCue,
    },
}

/// How long the hub keeps an identification for [`Request::Admit`]: longer than the screen that
/// asks for the number of people, with its answer.
pub const IDENTIFIED_KEPT: handfast_model::Duration = handfast_model::Duration::from_secs(30);

/// What a person accepted on the consent screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenConsent {
    /// The version of the text.
    pub text_version: String,
    /// The language it was read in.
    pub language: Language,
    /// The scope that was chosen.
    pub scope: Scope,
    /// What was said of the person's age.
    pub age: AgeSaid,
}

/// What was said of somebody's age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AgeSaid {
    /// Old enough to consent alone.
    OfAge,
    /// Younger; a guardian has consented, which the hub looks up again.
    ByGuardian,
}

/// What applies at a pedestal now: a snapshot, read whole, so that a lost message loses nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Situation {
    /// The event that is served here now.
    pub event: Option<EventBrief>,
    /// Whether palms may be looked at here now.
    pub biometrics: Biometrics,
    /// The shop of this counter (empty where it is none).
    pub shop_name: String,
    /// The charge that is open at the paired register.
    pub charge: Option<OpenCharge>,
}

/// A charge that waits for a hover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCharge {
    /// Its id: a charge that was changed has another.
    pub charge_id: ChargeId,
    /// What the customer sees.
    pub brief: ChargeBrief,
    /// From when on it must not be paid.
    pub expires_at: Timestamp,
}

/// The consent that enrolling with one ticket needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentOffer {
    /// The ticket.
    pub ticket: TicketBrief,
    /// The text.
    pub text: ConsentText,
    /// The scopes that may be chosen; at least one.
    pub scopes: Vec<ScopeOffer>,
    /// From which age.
    pub age: AgeTerms,
}

/// From which age palms are linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgeTerms {
    /// The youngest age, in years, at which palms are linked at this venue.
    pub minimum: u32,
    /// The age from which nobody else has to consent.
    pub own_consent_from: u32,
    /// Whether a guardian has consented for this ticket.
    pub guardian: bool,
}

impl AgeTerms {
    /// Whoever is so old needs nobody else.
    #[must_use]
    pub fn of_age_from(&self) -> u32 {
        self.minimum.max(self.own_consent_from)
    }

    /// Whether somebody younger may link a palm at all.
    #[must_use]
    pub const fn takes_minors(&self) -> bool {
        self.minimum < self.own_consent_from
    }
}

/// What the hub answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To [`Request::Situation`].
    Situation(Situation),
    /// To [`Request::LookUpTicket`]: this ticket may enrol. To [`Request::Enrol`]: nothing was stored,
    /// for this is what would have to be agreed to by now.
    ConsentOffer(ConsentOffer),
    /// To [`Request::LookUpTicket`] and [`Request::Enrol`]: it may not; another code may be shown.
    TicketProblem(TicketProblem),
    /// To [`Request::Enrol`]: stored and linked.
    Enrolled {
        /// How many palms.
        palms: u32,
        /// How far the consent reaches.
        scope: Scope,
        /// Until when.
        until: Timestamp,
        /// Whether the palm opens the lane tonight.
        enters_tonight: bool,
        /// Whether the account's holder was written to.
        mail_sent: bool,
    },
    /// To [`Request::Identify`]: somebody with so many tickets that could enter now.
    Identified {
        /// Tickets that could enter.
        available: u32,
        /// The most that may enter at a time.
        max: u32,
    },
    /// To [`Request::Admit`]: they are in, and recorded.
    Admitted {
        /// How many.
        count: u32,
        /// Which way they go.
        direction: Direction,
    },
    /// To [`Request::Pay`]: the money moved.
    Paid {
        /// The charge's number.
        number: u64,
        /// The whole amount.
        amount: Money,
        /// How much of it came from credit.
        credit_used: Option<Money>,
        /// Where the receipt is.
        receipt_url: Option<ReceiptUrl>,
        /// Whether the money is only held.
        held: bool,
        /// What a discount took off.
        discount: Option<Money>,
    },
    /// To [`Request::Pay`]: the palm alone may not pay this.
    FactorWanted {
        /// How many tries the PIN has left; absent where only the phone can confirm.
        tries_left: Option<u32>,
        /// Until when it is waited for.
        until: Timestamp,
    },
    /// To [`Request::Outcome`] and [`Request::StepBack`]: the gateway has not answered yet.
    StillPaying,
    /// To anything: no, because.
    Refused(Reason),
}

impl<E: Engine> fmt::Debug for Request<E> {
    /// The kind alone: what is inside is a code or a palm.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Situation => "Situation",
            Self::LookUpTicket { .. } => "LookUpTicket",
            Self::AskGuardian { .. } => "AskGuardian",
            Self::Enrol { .. } => "Enrol",
            Self::Identify { .. } => "Identify",
            Self::Admit { .. } => "Admit",
            Self::Release { .. } => "Release",
            Self::Pay { .. } => "Pay",
            Self::EnterPin { .. } => "EnterPin",
            Self::Outcome { .. } => "Outcome",
            Self::StepBack { .. } => "StepBack",
            Self::CaptureFailed { .. } => "CaptureFailed",
            Self::CaptureRefused { .. } => "CaptureRefused",
        })
    }
}

impl<E: Engine> fmt::Debug for Errand<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Errand({}, {:?})", self.id.0, self.request)
    }
}
