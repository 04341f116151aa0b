//! Entering by palm: which tickets a recognised palm may enter with at a door now.

use handfast_model::{DeviceId, PairwiseToken, Timestamp};
use handfast_store::Tx;

use crate::admission::entry_of;
use crate::attempt::{Decided, shown};
use crate::judgement::{Door, Judgement, Trace, judge};
use crate::link::LinkFacts;
use crate::ticket::TicketFacts;
use crate::{Biometrics, BoxOffice, Entry, Outcome, Reason, Result, device, door, link, ticket};

/// What a recognised palm may do at a door now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PalmCandidates {
    /// How many people may enter, at most [`crate::PEOPLE_AT_ONCE_MAX`].
    pub available: u8,
    /// Why nobody may, where `available` is 0.
    pub turned: Option<Turned>,
}

/// Why a palm is turned away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turned {
    /// The answer.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// The entry there was before, where its ticket was redeemed.
    pub previous: Option<Entry>,
}

impl BoxOffice {
    /// How many people may enter by the palm that this venue knows by `token`, at this device now.
    /// Nothing is recorded: ask the person how many enter, then call [`BoxOffice::admit`] (also
    /// where nobody may, so that the attempt is recorded).
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::ApiKey`] for a revoked device.
    pub async fn candidates_for_palm(
        &self,
        device_id: DeviceId,
        token: &PairwiseToken,
    ) -> Result<PalmCandidates> {
        let now = self.now();
        self.store
            .read("admission.candidates", |tx| {
                Box::pin(async move {
                    let device = device::find_working(tx, device_id).await?;
                    let door = door::at(tx, &device, None, now).await?;
                    let mut trace = Trace::default();
                    let decided = decide(tx, token, 1, &door, now, &mut trace).await?;
                    let turned = match decided.judgement {
                        Judgement { outcome, reason: Some(reason), .. } => {
                            let ticket = decided.ticket.as_ref();
                            let ticket = ticket.filter(|ticket| ticket.redeemed());
                            let previous = match ticket {
                                Some(ticket) => entry_of(tx, ticket.id).await?,
                                None => None,
                            };
                            Some(Turned { outcome, reason, previous })
                        }
                        Judgement { reason: None, .. } => None,
                    };
                    Ok(PalmCandidates { available: decided.available, turned })
                })
            })
            .await
    }
}

/// Decides about `people` entering by a palm: all of them or nobody.
pub(crate) async fn decide(
    tx: &mut Tx<'_>,
    token: &PairwiseToken,
    people: u8,
    door: &Door,
    now: Timestamp,
    trace: &mut Trace,
) -> Result<Decided> {
    let Some(link) = link::find_by_venue_token(tx, door.venue_id, token).await? else {
        return Ok(Decided::without_ticket(Outcome::Invalid, Reason::NotRecognised));
    };
    let mut tickets = link::tickets_at_door(tx, &link, door.venue_id, now).await?;
    if door.open.iter().any(|event| !event.questions.is_empty()) {
        for ticket in &mut tickets {
            ticket::add_answered(tx, ticket).await?;
        }
    }
    Ok(choose(&link, tickets, people, door, now, trace))
}

/// Takes the first tickets that are good, the link's own before the account's others.
fn choose(
    link: &LinkFacts,
    tickets: Vec<TicketFacts>,
    people: u8,
    door: &Door,
    now: Timestamp,
    trace: &mut Trace,
) -> Decided {
    let Some(first) = tickets.first().cloned() else {
        return Decided::without_ticket(Outcome::Invalid, Reason::NoTicket);
    };
    let first_judgement = judge_palm(&first, door, now, trace);
    let mut good: Vec<(TicketFacts, Judgement)> = Vec::new();
    for ticket in tickets {
        let judgement = judge_palm(&ticket, door, now, &mut Trace::default());
        if judgement.is_ok() {
            good.push((ticket, judgement));
        }
    }
    let room: u32 = good.iter().map(|(_, judgement)| judgement.room).sum();
    let available = shown(room);
    let refused =
        |judgement, ticket| Decided { ticket: Some(ticket), available, ..Decided::of(judgement) };
    let Some((own, judgement)) = good.first().cloned() else {
        return refused(first_judgement, first);
    };
    if people > available {
        return refused(Judgement::refused(Outcome::Incomplete, Reason::FewerAvailable), own);
    }
    Decided {
        judgement,
        ticket: Some(own),
        passing: share_out(good, u32::from(people)),
        available,
        link_id: Some(link.id),
    }
}

/// Puts people on tickets, as many on each as have room.
fn share_out(good: Vec<(TicketFacts, Judgement)>, people: u32) -> Vec<(TicketFacts, u32)> {
    let mut left = people;
    let mut passing = Vec::new();
    for (ticket, judgement) in good {
        let here = left.min(judgement.room);
        left -= here;
        if here > 0 {
            passing.push((ticket, here));
        }
    }
    passing
}

/// As a code would be judged, but nothing biometric runs where it is forbidden, even if the vault
/// should still know the palm.
fn judge_palm(ticket: &TicketFacts, door: &Door, now: Timestamp, trace: &mut Trace) -> Judgement {
    if ticket.biometrics == Biometrics::Forbidden {
        return Judgement::refused(Outcome::Rules, Reason::NoBiometrics);
    }
    judge(ticket, door, now, trace)
}
