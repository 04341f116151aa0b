//! Entering by palm: which tickets a recognised palm may enter with at a door now.

use handfast_model::{DeviceId, PairwiseToken, Timestamp};
use handfast_store::Tx;

use crate::admission::{Decided, door_at, entry_of};
use crate::judgement::{Door, Judgement, judge};
use crate::link::LinkFacts;
use crate::ticket::TicketFacts;
use crate::{
    Biometrics, BoxOffice, Entry, Outcome, PEOPLE_AT_ONCE_MAX, Reason, Result, device, link,
};

/// What a recognised palm may do at a door now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PalmCandidates {
    /// How many people may enter, at most [`PEOPLE_AT_ONCE_MAX`].
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
                    let door = door_at(tx, &device, now).await?;
                    let decided = decide(tx, token, 1, &door, now).await?;
                    let turned = match decided.judgement {
                        Judgement { outcome, reason: Some(reason) } => {
                            let ticket = decided.ticket.as_ref();
                            let ticket = ticket.filter(|ticket| ticket.redeemed);
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
) -> Result<Decided> {
    let Some(link) = link::find_by_venue_token(tx, door.venue_id, token).await? else {
        return Ok(Decided::without_ticket(Outcome::Invalid, Reason::NotRecognised));
    };
    let tickets = link::tickets_at_door(tx, &link, door.venue_id, now).await?;
    Ok(choose(&link, tickets, people, door, now))
}

/// Takes the first tickets that are good, the link's own before the account's others.
fn choose(
    link: &LinkFacts,
    tickets: Vec<TicketFacts>,
    people: u8,
    door: &Door,
    now: Timestamp,
) -> Decided {
    let Some(first) = tickets.first().cloned() else {
        return Decided::without_ticket(Outcome::Invalid, Reason::NoTicket);
    };
    let first_judgement = judge_palm(&first, door, now);
    let mut good: Vec<TicketFacts> = tickets
        .into_iter()
        .filter(|ticket| judge_palm(ticket, door, now) == Judgement::OK)
        .collect();
    let available = good.len().min(usize::from(PEOPLE_AT_ONCE_MAX));
    let available = u8::try_from(available).unwrap_or(PEOPLE_AT_ONCE_MAX);
    let refused = |judgement, ticket| Decided {
        judgement,
        ticket: Some(ticket),
        admitted: Vec::new(),
        available,
        link_id: None,
    };
    if good.is_empty() {
        return refused(first_judgement, first);
    }
    if people > available {
        let fewer = Judgement::refused(Outcome::Incomplete, Reason::FewerAvailable);
        return refused(fewer, good.swap_remove(0));
    }
    good.truncate(usize::from(people));
    Decided {
        judgement: Judgement::OK,
        ticket: good.first().cloned(),
        admitted: good,
        available,
        link_id: Some(link.id),
    }
}

/// As a code would be judged, but nothing biometric runs where it is forbidden, even if the vault
/// should still know the palm.
fn judge_palm(ticket: &TicketFacts, door: &Door, now: Timestamp) -> Judgement {
    if ticket.biometrics == Biometrics::Forbidden {
        return Judgement::refused(Outcome::Rules, Reason::NoBiometrics);
    }
    judge(ticket, door, now)
}
