//! Enrolling: which ticket, which consent, and then all of it or nothing.

use std::sync::PoisonError;

use handfast_boxoffice::{
    BoxOfficeError, Custody, LinkRefusal, NewLink, PalmHandle, Side, TicketToLink, consent_text,
};
use handfast_model::{AccountId, LinkId, Timestamp};
use handfast_pedestal::{
    AgeSaid, AgeTerms, Answer, ConsentOffer, ConsentPurpose, ConsentText, GivenConsent,
    GuidanceState, Language, LivenessCue, Reason, Scope, ScopeOffer, TicketBrief, TicketCode,
    TicketProblem,
};
use handfast_vault::EnrolOutcome;
use handfast_vault::dealer::Enrolments;

use super::{Desk, Refused, fault};
use crate::consent_reference;
use crate::linking::LinkingError;

/// A ticket code that was found good, and when: a rotating one is another by the time its person has
/// read what they agree to.
pub(super) struct Shown {
    code: TicketCode,
    at: Timestamp,
}

impl Desk {
    pub(super) async fn look_up_ticket(
        &self,
        code: &TicketCode,
        language: Language,
    ) -> Result<Answer, Refused> {
        let at = self.hub.clock.now();
        let found = self.hub.boxoffice.ticket_to_link(self.device.id, code.expose()).await;
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) =
            found.is_ok().then(|| Shown { code: code.clone(), at });
        match found {
            Ok(ticket) => self.offer(&ticket, language).await,
            Err(error) => ticket_problem(&error),
        }
    }

    /// What would be agreed to now.
    async fn offer(&self, ticket: &TicketToLink, language: Language) -> Result<Answer, Refused> {
        let age = self.age_terms(ticket).await?;
        Ok(Answer::ConsentOffer(consent_offer(ticket, language, self.hub.custody(), age)))
    }

    /// The ticket of a code that was looked up before, judged as of then.
    async fn ticket_shown(&self, code: &TicketCode) -> Result<TicketToLink, BoxOfficeError> {
        let shown_at = {
            let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
            shown.as_ref().filter(|shown| shown.code == *code).map(|shown| shown.at)
        };
        let at = shown_at.unwrap_or_else(|| self.hub.clock.now());
        self.hub.boxoffice.ticket_shown_to_link(self.device.id, code.expose(), at).await
    }

    /// From which age palms are linked here.
    async fn age_terms(&self, ticket: &TicketToLink) -> Result<AgeTerms, Refused> {
        let of_venue = self.hub.boxoffice.minimum_age(self.device.device.venue_id).await;
        let of_venue = of_venue.map_err(|error| fault(&error))?;
        let retention = &self.hub.retention;
        Ok(AgeTerms {
            minimum: retention.minimum_age(of_venue),
            own_consent_from: retention.own_consent_from_age(),
            guardian: ticket.guardian,
        })
    }

    /// Writes to whoever holds the ticket that somebody younger showed it.
    pub(super) async fn ask_guardian(&self, code: &TicketCode) {
        let boxoffice = &self.hub.boxoffice;
        let asked = async {
            let ticket = self.ticket_shown(code).await?;
            boxoffice.ask_guardian(ticket.ticket_id).await
        };
        if let Err(error) = asked.await {
            tracing::warn!(%error, "a ticket's holder could not be asked as a guardian");
        }
    }

    /// Stores the palms, then the link. A crash in between leaves palms that no link knows: the
    /// next sweep ([`crate::linking`]) removes them. Once there is a link the person is told so:
    /// its leaf and its armings are carried later where they fail now.
    pub(super) async fn enrol(
        &self,
        code: &TicketCode,
        consent: &GivenConsent,
        palms: Enrolments,
    ) -> Result<Answer, Refused> {
        let accepted_at = self.hub.clock.now();
        let boxoffice = &self.hub.boxoffice;
        let ticket = match self.ticket_shown(code).await {
            Ok(ticket) => ticket,
            Err(error) => return ticket_problem(&error),
        };
        let scope = scope_of(consent.scope);
        // Nobody is enrolled on words that are not true of who holds palms here, nor for what is not
        // offered: the person reads what holds now, and nothing was stored.
        let shown = consent_text(language_of(consent.language), self.hub.custody());
        let offered = ticket.scopes.iter().find(|offered| offered.scope == scope);
        let offered = offered.filter(|_| consent.text_version == shown.version);
        let Some(until) = offered.map(|offered| offered.until) else {
            tracing::warn!("a consent that does not hold any more: the present one is offered");
            return self.offer(&ticket, consent.language).await;
        };
        let _half_done = self.hub.enrolments.read().await;
        let language = language_of(consent.language).as_str();
        let reference = consent_reference::of_parts(
            &consent.text_version,
            language,
            scope.as_str(),
            accepted_at,
        );
        let handles = self.store_palms(&ticket, palms, until, reference).await?;
        self.hub.unlogged.expect_one();
        let linked = boxoffice
            .create_link(&NewLink {
                device_id: self.device.id,
                ticket_id: ticket.ticket_id,
                palms: &handles,
                text_version: &consent.text_version,
                language: language_of(consent.language),
                scope,
                accepted_at,
                age: age_said(consent.age),
            })
            .await;
        let linked = match linked {
            Ok(linked) => linked,
            Err(error) => {
                // A database that failed may have stored the link all the same: then the sweep
                // decides, once it answers again.
                let may_be_stored = matches!(error, BoxOfficeError::Store(_));
                if !may_be_stored && self.hub.discard_palms(ticket.company_id, &handles).await {
                    self.hub.unlogged.had_one();
                }
                return ticket_problem(&error);
            }
        };
        if let Err(error) = self.follow_up(linked.account_id, linked.link_id).await {
            let error = anyhow::Error::from(error);
            tracing::error!("a new palm link waits for its leaf or its armings: {error:#}");
        }
        Ok(Answer::Enrolled {
            palms: u32::try_from(handles.len()).unwrap_or(u32::MAX),
            scope: consent.scope,
            until: linked.until,
            enters_tonight: linked.enters_tonight,
            mail_sent: linked.mail_sent,
        })
    }

    /// What a new link is owed: its leaf, then its armings.
    async fn follow_up(&self, account: AccountId, link: LinkId) -> Result<(), LinkingError> {
        let venue = self.device.device.venue_id;
        self.hub.log_enrolment(account, link, venue).await?;
        self.hub.unlogged.had_one();
        self.hub.carry_armings_of(account).await
    }

    async fn store_palms(
        &self,
        ticket: &TicketToLink,
        palms: Enrolments,
        until: Timestamp,
        consent: [u8; 16],
    ) -> Result<Vec<PalmHandle>, Refused> {
        let outcome = self.vault(consent).enrol(ticket.company_id, palms, until).await;
        match outcome {
            Ok(EnrolOutcome::Enrolled(palms)) => Ok(palms
                .into_iter()
                .map(|palm| PalmHandle { side: side_of(palm.side), company_token: palm.token })
                .collect()),
            Ok(EnrolOutcome::AlreadyEnrolled) => Err(Refused(Reason::AlreadyLinked)),
            Err(error) => {
                tracing::warn!(%error, "the vault could not enrol");
                Err(Refused(Reason::VaultUnavailable))
            }
        }
    }

    pub(super) async fn note_capture_failure(&self, last: GuidanceState) {
        let reason = serde_json::to_value(last).ok();
        let reason = reason.as_ref().and_then(|word| word.as_str()).unwrap_or("other");
        self.count_capture_failure(reason).await;
    }

    /// Staff see that a capture was refused, where, and by which sign; never of whom.
    pub(super) async fn note_capture_refused(&self, cue: LivenessCue) {
        let reason = match cue {
            LivenessCue::Grid | LivenessCue::TintGrid | LivenessCue::Grain => "suspect_pattern",
            LivenessCue::Lines | LivenessCue::Bloom | LivenessCue::Dye => "suspect_colour",
            LivenessCue::Stiff | LivenessCue::Carried => "suspect_flat",
        };
        tracing::info!(%cue, "a capture may show no living hand");
        self.count_capture_failure(reason).await;
    }

    async fn count_capture_failure(&self, reason: &str) {
        if let Err(error) = self.hub.boxoffice.report_capture_failure(self.device.id, reason).await
        {
            tracing::warn!(%error, "a capture failure could not be counted");
        }
    }
}

fn consent_offer(
    ticket: &TicketToLink,
    language: Language,
    custody: Custody,
    age: AgeTerms,
) -> ConsentOffer {
    let text = consent_text(language_of(language), custody);
    ConsentOffer {
        ticket: TicketBrief {
            event_name: ticket.event.name.clone(),
            venue_name: ticket.event.venue_name.clone(),
            starts_at: ticket.event.starts_at,
            product: ticket.product.clone(),
        },
        text: ConsentText {
            version: text.version.to_owned(),
            language,
            title: text.title.to_owned(),
            paragraphs: text.paragraphs.iter().map(|&paragraph| paragraph.to_owned()).collect(),
            purposes: text
                .purposes
                .iter()
                .map(|purpose| ConsentPurpose {
                    id: purpose.purpose.as_str().to_owned(),
                    text: purpose.text.to_owned(),
                })
                .collect(),
        },
        scopes: ticket
            .scopes
            .iter()
            .map(|offered| ScopeOffer { id: shown_scope(offered.scope), until: offered.until })
            .collect(),
        age,
    }
}

fn age_said(age: AgeSaid) -> handfast_boxoffice::AgeSaid {
    match age {
        AgeSaid::OfAge => handfast_boxoffice::AgeSaid::OfAge,
        AgeSaid::ByGuardian => handfast_boxoffice::AgeSaid::Guardian,
    }
}

/// What the page says about a ticket that cannot be linked.
fn ticket_problem(error: &BoxOfficeError) -> Result<Answer, Refused> {
    let problem = match error {
        BoxOfficeError::Code(_) => TicketProblem::UnknownCode,
        BoxOfficeError::Link(refusal) => match refusal {
            LinkRefusal::UnknownCode => TicketProblem::UnknownCode,
            LinkRefusal::OtherEvent => TicketProblem::OtherEvent,
            LinkRefusal::AlreadyRedeemed => TicketProblem::AlreadyRedeemed,
            LinkRefusal::NotValid => TicketProblem::NotValid,
            LinkRefusal::EventOver => TicketProblem::EventOver,
            LinkRefusal::NoBiometrics => return Err(Refused(Reason::NoBiometrics)),
            LinkRefusal::AlreadyLinked => return Err(Refused(Reason::AlreadyLinked)),
            LinkRefusal::NoGuardian | LinkRefusal::OwnConsentOnly => {
                return Err(Refused(Reason::GuardianWanted));
            }
        },
        BoxOfficeError::PalmLinked => return Err(Refused(Reason::AlreadyLinked)),
        other => return Err(fault(other)),
    };
    Ok(Answer::TicketProblem(problem))
}

pub(crate) fn language_of(language: Language) -> handfast_boxoffice::Language {
    match language {
        Language::En => handfast_boxoffice::Language::English,
        Language::Es => handfast_boxoffice::Language::Spanish,
        Language::De => handfast_boxoffice::Language::German,
    }
}

fn scope_of(scope: Scope) -> handfast_boxoffice::Scope {
    match scope {
        Scope::Event => handfast_boxoffice::Scope::Event,
        Scope::Venue => handfast_boxoffice::Scope::Venue,
        Scope::Company => handfast_boxoffice::Scope::Company,
    }
}

fn shown_scope(scope: handfast_boxoffice::Scope) -> Scope {
    match scope {
        handfast_boxoffice::Scope::Event => Scope::Event,
        handfast_boxoffice::Scope::Venue => Scope::Venue,
        handfast_boxoffice::Scope::Company => Scope::Company,
    }
}

fn side_of(side: handfast_palm::Side) -> Side {
    match side {
        handfast_palm::Side::Left => Side::Left,
        handfast_palm::Side::Right => Side::Right,
    }
}
