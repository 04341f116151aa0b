//! What a pedestal asks, answered by box office, vault and till: the wiring of a capture.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use handfast_boxoffice::BoxOfficeError;
use handfast_model::SecretText;
use handfast_pedestal::{Answer, Errand, PalmEngine, Reason, Request, RequestId};
use handfast_till::PedestalSession;
use handfast_vault::{Capture, Vault};
use tokio::sync::Notify;

use crate::http::access::DeviceCaller;
use crate::http::problem::causes_of;
use crate::hub::SharedHub;
use crate::station::{Message, StationHandle};

mod counter;
mod enrolment;
mod entry;
mod recognition;
mod situation;
#[cfg(test)]
mod tests;

/// One pedestal's errands. Each runs by itself and answers into the station; the session decides
/// what a late answer is still good for.
pub(crate) struct Errands {
    desk: Desk,
    station: StationHandle,
    /// Told once the device may ask nothing any more.
    shut_out: Arc<Notify>,
}

/// What every errand needs.
#[derive(Clone)]
struct Desk {
    hub: SharedHub,
    device: DeviceCaller,
    /// What the device said hello with: asked again at every errand.
    api_key: SecretText,
    /// Random for each connection: request ids begin anew with it, nonces must not.
    connection: Arc<str>,
    /// The same, as the till knows it: what its customer steps back from stays so.
    session: PedestalSession,
    /// Set once the page's connection ended: whoever stood there sees nothing any more, and what is still
    /// searched for them takes no money.
    gone: Arc<AtomicBool>,
    /// The ticket code that was shown last and found good.
    shown: Arc<Mutex<Option<enrolment::Shown>>>,
    /// Who was identified and has not entered yet.
    identified: Arc<Mutex<HashMap<RequestId, entry::Identified>>>,
}

/// Why an errand came to nothing: what the page shows, and (already) what the log says.
struct Refused(Reason);

/// A fault of ours: the log gets the cause, the person a way on.
fn fault(error: &(dyn std::error::Error + 'static)) -> Refused {
    let causes = causes_of(error);
    tracing::error!(causes, "an errand of a pedestal failed");
    Refused(Reason::Internal)
}

impl Errands {
    pub(crate) fn new(
        hub: SharedHub,
        device: DeviceCaller,
        api_key: SecretText,
        station: StationHandle,
    ) -> Self {
        let mut name = [0_u8; PedestalSession::LEN];
        hub.random.fill(&mut name);
        let (connection, identified) = (hex::encode(name).into(), Arc::default());
        let session = PedestalSession::from_bytes(name);
        let (gone, shown) = (Arc::default(), Arc::default());
        let desk = Desk { hub, device, api_key, connection, session, gone, shown, identified };
        Self { desk, station, shut_out: Arc::default() }
    }

    /// Runs one errand beside everything else.
    pub(crate) fn run(&self, errand: Errand<PalmEngine>) {
        let (desk, station) = (self.desk.clone(), self.station.clone());
        let shut_out = self.shut_out.clone();
        tokio::spawn(async move {
            if desk.is_shut_out().await {
                return shut_out.notify_one();
            }
            let answer = desk.answer(errand.id, errand.request).await;
            if let Some(answer) = answer {
                station.tell(Message::Answer(errand.id, answer));
            }
        });
    }

    /// Comes back once the device was revoked or set up anew.
    pub(crate) async fn shut_out(&self) {
        self.shut_out.notified().await;
    }
}

impl Drop for Errands {
    fn drop(&mut self) {
        self.desk.gone.store(true, Ordering::Relaxed);
    }
}

impl Desk {
    /// Whether the key was revoked or the device is another pedestal by now. A box office that does
    /// not answer shuts nobody out: the errand itself fails.
    async fn is_shut_out(&self) -> bool {
        match self.hub.boxoffice.authenticate_device(self.api_key.expose()).await {
            Ok(device) => DeviceCaller::of(device).pedestal_mode() != self.device.pedestal_mode(),
            Err(error) => matches!(error, BoxOfficeError::ApiKey),
        }
    }

    async fn answer(&self, id: RequestId, request: Request<PalmEngine>) -> Option<Answer> {
        let answer = match request {
            Request::Situation => self.situation().await.map(Answer::Situation),
            Request::LookUpTicket { code, language } => self.look_up_ticket(&code, language).await,
            Request::Enrol { code, consent, palms } => self.enrol(&code, &consent, palms).await,
            Request::Identify { presentation } => self.identify(id, presentation).await,
            Request::Admit { identified, count } => self.admit(identified, count).await,
            Request::Pay { charge, presentation } => self.pay(&charge, presentation).await,
            Request::EnterPin { charge, pin } => self.enter_pin(charge, &pin).await,
            Request::Outcome { charge } => self.outcome(charge).await,
            Request::StepBack { charge } => self.step_back(charge).await,
            Request::Release { identified } => {
                self.take_identified(identified);
                return None;
            }
            Request::AskGuardian { code } => {
                self.ask_guardian(&code).await;
                return None;
            }
            Request::CaptureFailed { last } => {
                self.note_capture_failure(last).await;
                return None;
            }
            Request::CaptureRefused { cue } => {
                self.note_capture_refused(cue).await;
                return None;
            }
        };
        Some(answer.unwrap_or_else(|Refused(reason)| Answer::Refused(reason)))
    }

    /// The vault, for what this pedestal captures.
    fn vault(&self, consent: [u8; 16]) -> Vault {
        self.hub.vault.captured(Capture { device: Some(self.device.id), consent })
    }

    /// Forgets whoever was identified and did not enter in time.
    fn forget_overdue(&self) {
        let now = self.hub.clock.now();
        let mut identified = self.identified.lock().unwrap_or_else(PoisonError::into_inner);
        identified.retain(|_, kept| !kept.is_overdue(now));
    }

    fn take_identified(&self, id: RequestId) -> Option<entry::Identified> {
        self.identified.lock().unwrap_or_else(PoisonError::into_inner).remove(&id)
    }
}
