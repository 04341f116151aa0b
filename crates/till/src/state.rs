//! The states of a charge, and the one table that says which may follow which.

use thiserror::Error;

handfast_store::text_enum! {
    /// Where a charge stands. Every state is durable before the gateway is called because of it.
    pub enum ChargeState {
        /// The register asked for an amount; the pedestal shows it; no hand yet.
        Requested = "requested",
        /// A hand was recognised: wallet, credit and payment method are fixed. Stays here while a PIN
        /// or the phone is asked for.
        Identified = "identified",
        /// The gateway is being asked to authorise.
        Authorising = "authorising",
        /// The gateway holds the money for us.
        Authorised = "authorised",
        /// Paid.
        Captured = "captured",
        /// Given up after the hand: nothing was taken, or what was held was let go.
        Voided = "voided",
        /// Nobody put a hand over the pedestal in time, or a hold was not captured in its time.
        Expired = "expired",
        /// The register took it back before a hand was recognised.
        Cancelled = "cancelled",
        /// The gateway said no: nothing was taken.
        Declined = "declined",
        /// The gateway did not answer: it is asked again, and never told to charge again.
        Unknown = "unknown",
    }
}

/// What happens to a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChargeEvent {
    /// A hand was recognised and its wallet may pay.
    HandRecognised,
    /// The gateway is about to be asked for the part that credit does not cover.
    AskingGateway,
    /// Credit covers the whole amount.
    CoveredByCredit,
    /// Credit covers the whole amount, and the register captures later.
    HeldByCredit,
    /// The gateway holds the money.
    Approved,
    /// The gateway said no.
    Refused,
    /// The gateway gave no answer in time.
    NoAnswer,
    /// The gateway took the money.
    Captured,
    /// No money will move any more.
    LetGo,
    /// The time for a hand, or for the capture of a hold, is over.
    TimeUp,
    /// The register took it back.
    Cancelled,
}

/// An event that does not fit the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a charge that is {state} cannot take the event {event:?}; read the charge again")]
pub struct WrongState {
    /// The state the charge is in.
    pub state: ChargeState,
    /// What was tried.
    pub event: ChargeEvent,
}

impl ChargeState {
    /// The state after `event`.
    ///
    /// # Errors
    /// [`WrongState`] where the event cannot happen here.
    pub fn after(self, event: ChargeEvent) -> Result<Self, WrongState> {
        use ChargeEvent as E;
        match (self, event) {
            (Self::Requested, E::HandRecognised) => Ok(Self::Identified),
            (Self::Requested | Self::Authorised | Self::Unknown, E::TimeUp) => Ok(Self::Expired),
            (Self::Requested, E::Cancelled) => Ok(Self::Cancelled),
            (Self::Identified, E::AskingGateway) => Ok(Self::Authorising),
            (Self::Identified, E::CoveredByCredit) => Ok(Self::Captured),
            (Self::Identified, E::HeldByCredit) => Ok(Self::Authorised),
            (Self::Identified, E::LetGo) => Ok(Self::Voided),
            (Self::Authorising | Self::Unknown, E::Approved) => Ok(Self::Authorised),
            (Self::Authorising | Self::Unknown, E::Refused) => Ok(Self::Declined),
            (Self::Authorising | Self::Authorised, E::NoAnswer) => Ok(Self::Unknown),
            // By query: what a lost answer said, or what another caller did meanwhile.
            (Self::Authorising | Self::Authorised | Self::Unknown, E::Captured) => {
                Ok(Self::Captured)
            }
            (Self::Authorising | Self::Authorised | Self::Unknown, E::LetGo) => Ok(Self::Voided),
            (state, event) => Err(WrongState { state, event }),
        }
    }

    /// Whether nothing can happen to the charge any more (refunds are a matter of their own).
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Requested
            | Self::Identified
            | Self::Authorising
            | Self::Authorised
            | Self::Unknown => false,
            Self::Captured | Self::Voided | Self::Expired | Self::Cancelled | Self::Declined => {
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [ChargeEvent; 11] = [
        ChargeEvent::HandRecognised,
        ChargeEvent::AskingGateway,
        ChargeEvent::CoveredByCredit,
        ChargeEvent::HeldByCredit,
        ChargeEvent::Approved,
        ChargeEvent::Refused,
        ChargeEvent::NoAnswer,
        ChargeEvent::Captured,
        ChargeEvent::LetGo,
        ChargeEvent::TimeUp,
        ChargeEvent::Cancelled,
    ];

    #[test]
    fn a_final_state_takes_no_event_and_every_other_takes_one() {
        for &state in ChargeState::ALL {
            let moves = EVENTS.iter().filter(|&&event| state.after(event).is_ok()).count();
            assert_eq!(moves == 0, state.is_final(), "{state}");
        }
    }

    #[test]
    fn every_path_to_captured_passes_a_hand() {
        // Walk all paths that never see HandRecognised: none may end in money taken.
        let mut reached = vec![ChargeState::Requested];
        let mut next = 0;
        while next < reached.len() {
            for event in EVENTS.into_iter().filter(|&e| e != ChargeEvent::HandRecognised) {
                if let Ok(state) = reached[next].after(event)
                    && !reached.contains(&state)
                {
                    reached.push(state);
                }
            }
            next += 1;
        }
        assert_eq!(reached, [ChargeState::Requested, ChargeState::Expired, ChargeState::Cancelled]);
    }

    #[test]
    fn a_cancel_after_the_hand_is_refused() {
        for state in ChargeState::ALL.iter().copied().filter(|&s| s != ChargeState::Requested) {
            let event = ChargeEvent::Cancelled;
            assert_eq!(state.after(event), Err(WrongState { state, event }));
        }
    }
}
