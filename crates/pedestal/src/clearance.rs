//! The permission to look at palms, as a value: whoever has none cannot call the palm engine.
//!
//! A [`Clearance`] is made here and nowhere else, out of the evidence that a flow has at hand, and
//! every one needs the hub's fresh word that biometrics are allowed at this event.

use crate::hub::{AgeSaid, ConsentOffer, GivenConsent, OpenCharge, Situation};
use crate::ticket_code::TicketCode;
use crate::view::{Biometrics, EventBrief, Purpose, Scope};

/// Palms may be looked at now, for one purpose. It cannot be made outside of this crate:
/// ```compile_fail
/// let forged = handfast_pedestal::Clearance { purpose: handfast_pedestal::Purpose::Enter };
/// ```
#[derive(Debug)]
pub struct Clearance {
    purpose: Purpose,
}

impl Clearance {
    /// To enrol: a person accepted a consent text.
    pub(crate) fn to_enrol(situation: &Situation, _evidence: &AcceptedConsent) -> Option<Self> {
        Self::unless_forbidden(situation, Purpose::Enrol)
    }

    /// To enter: an event is on. The palms that are searched were armed by their own consents.
    pub(crate) fn to_enter(situation: &Situation, event: &EventBrief) -> Option<Self> {
        let is_on = situation.event.as_ref() == Some(event);
        is_on.then(|| Self::unless_forbidden(situation, Purpose::Enter))?
    }

    /// To pay: this very charge is open.
    pub(crate) fn to_pay(situation: &Situation, charge: &OpenCharge) -> Option<Self> {
        let is_open = situation.charge.as_ref() == Some(charge);
        is_open.then(|| Self::unless_forbidden(situation, Purpose::Pay))?
    }

    fn unless_forbidden(situation: &Situation, purpose: Purpose) -> Option<Self> {
        (situation.biometrics == Biometrics::Allowed).then_some(Self { purpose })
    }

    /// What the look is for.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }
}

/// A consent text that was on the screen and was accepted, with the ticket that it was shown for.
pub(crate) struct AcceptedConsent {
    code: TicketCode,
    consent: GivenConsent,
}

impl AcceptedConsent {
    /// Accepts `offer` with `scope`; `None` where that scope was not offered, or a guardian would
    /// have to consent and did not.
    pub(crate) fn accept(
        offer: &ConsentOffer,
        code: &TicketCode,
        scope: Scope,
        age: AgeSaid,
    ) -> Option<Self> {
        let by_guardian = offer.age.takes_minors() && offer.age.guardian;
        if age == AgeSaid::ByGuardian && !by_guardian {
            return None;
        }
        offer.scopes.iter().any(|offered| offered.id == scope).then(|| Self {
            code: code.clone(),
            consent: GivenConsent {
                text_version: offer.text.version.clone(),
                language: offer.text.language,
                scope,
                age,
            },
        })
    }

    /// What the hub is told.
    pub(crate) fn into_parts(self) -> (TicketCode, GivenConsent) {
        (self.code, self.consent)
    }
}
