//! The entry lane: search tonight's galleries, ask how many, admit.

use handfast_boxoffice::{
    AdmissionRequest, Biometrics, Direction, Outcome, PEOPLE_AT_ONCE_MAX, Presented, Turned,
    Verdict,
};
use handfast_model::{GalleryId, PairwiseToken, Timestamp};
use handfast_pedestal::{Answer, IDENTIFIED_KEPT, Reason, RequestId};
use handfast_vault::dealer::Presentation;
use std::sync::PoisonError;

use super::recognition::Search;
use super::{Desk, Refused, fault};

/// Somebody who was identified and may enter: kept until admitted, released or forgotten.
pub(super) struct Identified {
    token: PairwiseToken,
    /// Until when an `Admit` may name it.
    until: Timestamp,
}

impl Identified {
    pub(super) fn is_overdue(&self, now: Timestamp) -> bool {
        now >= self.until
    }
}

impl Desk {
    pub(super) async fn identify(
        &self,
        id: RequestId,
        presentation: Presentation,
    ) -> Result<Answer, Refused> {
        let galleries = self.galleries_tonight().await?;
        let search = Search::Entry(self.device.device.venue_id);
        let token = match self.recognise(search, &galleries, presentation).await {
            Ok(token) => token,
            Err(Refused(reason)) => {
                self.record_stranger(id, reason).await;
                return Err(Refused(reason));
            }
        };
        let boxoffice = &self.hub.boxoffice;
        let candidates = boxoffice.candidates_for_palm(self.device.id, &token).await;
        let candidates = candidates.map_err(|error| fault(&error))?;
        if let Some(turned) = candidates.turned {
            self.record_attempt(id, Presented::Palm { token: &token, people: 1 }).await?;
            return Err(Refused(reason_for(&turned)));
        }
        self.keep_identified(id, token);
        Ok(Answer::Identified {
            available: u32::from(candidates.available),
            max: u32::from(PEOPLE_AT_ONCE_MAX),
        })
    }

    /// Admits on the ticket of whoever was identified. The nonce follows from the identification:
    /// whatever is sent twice is decided once.
    pub(super) async fn admit(&self, identified: RequestId, count: u32) -> Result<Answer, Refused> {
        let found = self.take_identified(identified);
        let found = found.filter(|found| !found.is_overdue(self.hub.clock.now()));
        let found = found.ok_or(Refused(Reason::NotRecognised))?;
        let people = u8::try_from(count).map_err(|_| Refused(Reason::NoTicket))?;
        let presented = Presented::Palm { token: &found.token, people };
        let verdict = self.record_attempt(identified, presented).await?;
        match verdict.outcome {
            Outcome::Ok => Ok(Answer::Admitted {
                count: u32::from(verdict.people),
                direction: direction_of(verdict.direction),
            }),
            outcome => Err(Refused(reason_for(&Turned {
                outcome,
                reason: verdict.reason.unwrap_or(handfast_boxoffice::Reason::NoTicket),
                previous: verdict.previous,
            }))),
        }
    }

    /// The galleries of the events that people may enter at this venue now.
    async fn galleries_tonight(&self) -> Result<Vec<GalleryId>, Refused> {
        let venue = self.device.device.venue_id;
        let open = self.hub.boxoffice.open_events(venue).await.map_err(|error| fault(&error))?;
        if open.is_empty() {
            return Err(Refused(Reason::EventClosed));
        }
        let mut galleries = Vec::new();
        for event in open.iter().filter(|event| event.biometrics == Biometrics::Allowed) {
            let opened = self.hub.open_event_gallery(event.venue_id, event.id).await;
            opened.map_err(|error| fault(&error))?;
            galleries.push(GalleryId::from(event.id));
        }
        if galleries.is_empty() { Err(Refused(Reason::NoBiometrics)) } else { Ok(galleries) }
    }

    async fn record_stranger(&self, id: RequestId, reason: Reason) {
        let presented = match reason {
            Reason::NotRecognised => Presented::UnknownPalm,
            Reason::Ambiguous => Presented::AmbiguousPalm,
            _ => return,
        };
        if self.record_attempt(id, presented).await.is_err() {
            tracing::warn!("an attempt by an unknown palm could not be counted");
        }
    }

    async fn record_attempt(
        &self,
        id: RequestId,
        presented: Presented<'_>,
    ) -> Result<Verdict, Refused> {
        let nonce = format!("{}-{}", self.connection, id.get());
        let request = AdmissionRequest { device_id: self.device.id, nonce: &nonce, presented };
        self.hub.boxoffice.admit(&request).await.map_err(|error| fault(&error))
    }

    pub(super) fn keep_identified(&self, id: RequestId, token: PairwiseToken) {
        self.forget_overdue();
        let until = self.hub.clock.now() + IDENTIFIED_KEPT;
        let mut identified = self.identified.lock().unwrap_or_else(PoisonError::into_inner);
        identified.insert(id, Identified { token, until });
    }
}

fn reason_for(turned: &Turned) -> Reason {
    use handfast_boxoffice::Reason as Why;
    match (turned.outcome, turned.reason) {
        (Outcome::AlreadyRedeemed, _) => Reason::AlreadyRedeemed,
        (_, Why::NotRecognised) => Reason::NotRecognised,
        (_, Why::SeveralPalms) => Reason::Ambiguous,
        (_, Why::NoBiometrics) => Reason::NoBiometrics,
        (_, Why::TooEarly | Why::EventOver) => Reason::EventClosed,
        _ => Reason::NoTicket,
    }
}

fn direction_of(direction: Option<Direction>) -> handfast_pedestal::Direction {
    match direction {
        Some(Direction::Left) => handfast_pedestal::Direction::Left,
        Some(Direction::Right) => handfast_pedestal::Direction::Right,
        Some(Direction::Straight) | None => handfast_pedestal::Direction::Straight,
    }
}
