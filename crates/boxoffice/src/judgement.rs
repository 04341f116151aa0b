//! Whether one ticket enters at one door now: the rule alone, without a database, so that it can be
//! held against a slow oracle. The order of the checks is part of it: what the holder can do
//! nothing about goes first.

use handfast_model::{CompanyId, EventId, Timestamp, VenueId};

use crate::ticket::TicketFacts;
use crate::{Outcome, Reason, Standing};

/// What a ticket is judged against.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub company_id: CompanyId,
    pub venue_id: VenueId,
    /// What the lane admits; everything where empty.
    pub products: Vec<String>,
    /// The events that people may enter here now.
    pub open: Vec<EventId>,
}

/// An outcome and, for a refusal, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    pub outcome: Outcome,
    pub reason: Option<Reason>,
}

impl Judgement {
    pub const OK: Self = Self { outcome: Outcome::Ok, reason: None };

    pub const fn refused(outcome: Outcome, reason: Reason) -> Self {
        Self { outcome, reason: Some(reason) }
    }
}

/// Judges a ticket at a door.
pub(crate) fn judge(ticket: &TicketFacts, door: &Door, now: Timestamp) -> Judgement {
    if ticket.company_id != door.company_id {
        // Another company's ticket is not ours to know: the answer is that of a random code.
        return Judgement::refused(Outcome::Invalid, Reason::UnknownCode);
    }
    if ticket.standing == Standing::Revoked {
        return Judgement::refused(Outcome::Revoked, Reason::Withdrawn);
    }
    if let Some(refusal) = wrong_place_or_time(ticket, door, now) {
        return refusal;
    }
    match ticket.standing {
        Standing::Cancelled => {
            return Judgement::refused(Outcome::Cancelled, Reason::TicketCancelled);
        }
        Standing::Blocked => return Judgement::refused(Outcome::Blocked, Reason::HeldBack),
        Standing::Valid | Standing::Unpaid | Standing::Revoked => {}
    }
    if !door.products.is_empty() && !door.products.contains(&ticket.product) {
        return Judgement::refused(Outcome::Product, Reason::ProductElsewhere);
    }
    if ticket.standing == Standing::Unpaid {
        return Judgement::refused(Outcome::Unpaid, Reason::OrderUnpaid);
    }
    if ticket.redeemed {
        return Judgement::refused(Outcome::AlreadyRedeemed, Reason::EnteredBefore);
    }
    Judgement::OK
}

fn wrong_place_or_time(ticket: &TicketFacts, door: &Door, now: Timestamp) -> Option<Judgement> {
    if ticket.venue_id != door.venue_id {
        return Some(Judgement::refused(Outcome::Invalid, Reason::OtherVenue));
    }
    if door.open.contains(&ticket.event_id) {
        return None;
    }
    if !door.open.is_empty() {
        return Some(Judgement::refused(Outcome::Invalid, Reason::OtherEvent));
    }
    let reason = if now < ticket.doors_at { Reason::TooEarly } else { Reason::EventOver };
    Some(Judgement::refused(Outcome::Rules, reason))
}
