//! Making a link: may this ticket be linked, and what is stored once the vault holds the palm.

use handfast_model::{
    AccountId, CompanyId, ConsentId, DeviceId, Duration, LinkId, PairwiseToken, TicketId, Timestamp,
};
use handfast_store::{StoreError, Tx, from_row, params};

use crate::mail_text::{self, LinkNames};
use crate::scanned_code::ScannedCode;
use crate::ticket::TicketFacts;
use crate::{
    AgeEvidence, AgeSaid, Biometrics, BoxOffice, BoxOfficeError, CodeError, Consent, Device,
    DeviceMode, Event, Language, Result, SaidBy, Scope, Side, Standing, Thing, account, code_entry,
    consent, device, event, guardian, link, ticket,
};

/// How long after a code was shown its palm may be linked: the longest a session at a pedestal takes,
/// the text read twice (five minutes each), hands chosen, and both palms taken again.
pub const LINKED_WITHIN: Duration = Duration::from_minutes(15);

/// The longest standing consent: after a year people have forgotten that they gave it.
pub(crate) const STANDING_CONSENT_MAX: Duration = Duration::from_days(365);

handfast_store::text_enum! {
    /// Why a ticket cannot be linked to a palm.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum LinkRefusal {
        /// No ticket has this code.
        UnknownCode = "unknown_code",
        /// It is for another event than tonight's here.
        OtherEvent = "other_event",
        /// It was redeemed, and this pedestal links for tonight.
        AlreadyRedeemed = "already_redeemed",
        /// It is unpaid, cancelled, revoked or blocked.
        NotValid = "not_valid",
        /// Its event is over.
        EventOver = "event_over",
        /// Nothing biometric runs at its event.
        NoBiometrics = "no_biometrics",
        /// Another palm is linked to it.
        AlreadyLinked = "already_linked",
        /// Its person is younger, and no guardian consented.
        NoGuardian = "no_guardian",
        /// At its venue only those link a palm who consent alone.
        OwnConsentOnly = "own_consent_only",
    }
}

impl std::error::Error for LinkRefusal {}

impl LinkRefusal {
    /// What happened and what to do, as a sentence.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::UnknownCode => "no ticket has this code; show the code from your ticket",
            Self::OtherEvent => "this ticket is for another event; show the one for tonight here",
            Self::AlreadyRedeemed => {
                "this ticket was used to enter; link your palm inside, for future events"
            }
            Self::NotValid => "this ticket is not valid; ask the staff what is wrong with it",
            Self::EventOver => "this ticket's event is over; show one for a coming event",
            Self::NoBiometrics => "this event is without biometrics; enter with your code",
            Self::NoGuardian => {
                "a parent or guardian consents first, in the portal or at the window; the code works"
            }
            Self::OwnConsentOnly => {
                "at this venue only those link a palm who consent alone; the ticket's code works"
            }
            Self::AlreadyLinked => {
                "a palm is linked to this ticket already; sign in to see or delete it"
            }
        }
    }
}

/// A linked palm: the hand, and what the company knows it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PalmHandle {
    /// Which hand.
    pub side: Side,
    /// The company's pairwise token: the handle for arming and deleting.
    pub company_token: PairwiseToken,
}

from_row!(PalmHandle { side, company_token });

/// A scope that a person can choose, and when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfferedScope {
    /// The scope.
    pub scope: Scope,
    /// When the consent and with it the palm would end.
    pub until: Timestamp,
}

/// A ticket that may be linked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketToLink {
    /// The ticket.
    pub ticket_id: TicketId,
    /// The company the palm would be enrolled with.
    pub company_id: CompanyId,
    /// Its event.
    pub event: Event,
    /// Its product.
    pub product: String,
    /// What may be chosen, narrowest first.
    pub scopes: Vec<OfferedScope>,
    /// Whether the palm may enter with it tonight.
    pub enters_tonight: bool,
    /// Whether a guardian consents that somebody younger links a palm with it.
    pub guardian: bool,
}

/// A link to be made, after the vault stored the palms.
#[derive(Clone, Debug)]
pub struct NewLink<'a> {
    /// The pedestal.
    pub device_id: DeviceId,
    /// The ticket.
    pub ticket_id: TicketId,
    /// One palm, or one left and one right.
    pub palms: &'a [PalmHandle],
    /// The version of the consent text that was accepted.
    pub text_version: &'a str,
    /// Its language.
    pub language: Language,
    /// The scope that was chosen.
    pub scope: Scope,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// What the person said of their age.
    pub age: AgeSaid,
}

/// A link that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked {
    /// The link.
    pub link_id: LinkId,
    /// The account that was told.
    pub account_id: AccountId,
    /// Its scope.
    pub scope: Scope,
    /// When its consent ends.
    pub until: Timestamp,
    /// Whether it may enter tonight.
    pub enters_tonight: bool,
    /// Whether a mail to the holder is on its way.
    pub mail_sent: bool,
}

impl BoxOffice {
    /// Whether a palm may be linked to the ticket with this code at this pedestal, and what to
    /// offer. Nothing biometric happens before this says yes and the consent is accepted.
    ///
    /// # Errors
    /// [`BoxOfficeError::Link`] with the reason; [`BoxOfficeError::Code`] for a text that is no
    /// ticket code of ours or mistyped.
    pub async fn ticket_to_link(&self, device_id: DeviceId, code: &str) -> Result<TicketToLink> {
        self.ticket_shown_to_link(device_id, code, self.now()).await
    }

    /// The same for a code that was good when it was shown, at `shown_at`, while its person reads and
    /// their palms are taken: a rotating code is judged as of then, for at most
    /// [`LINKED_WITHIN`]; everything else as of now.
    ///
    /// # Errors
    /// As [`BoxOffice::ticket_to_link`].
    pub async fn ticket_shown_to_link(
        &self,
        device_id: DeviceId,
        code: &str,
        shown_at: Timestamp,
    ) -> Result<TicketToLink> {
        let code = &match ScannedCode::read(code) {
            ScannedCode::Foreign(_) | ScannedCode::Unreadable(CodeError::Foreign) => {
                return Err(LinkRefusal::UnknownCode.into());
            }
            ScannedCode::Unreadable(error) => return Err(error.into()),
            code => code,
        };
        let now = self.now();
        let counts = (now - LINKED_WITHIN..=now).contains(&shown_at);
        let shown_at = if counts { shown_at } else { now };
        self.store
            .read("link.ticket_to_link", |tx| {
                Box::pin(async move {
                    let device = device::find_working(tx, device_id).await?;
                    let ticket = code_entry::genuine(tx, code, device.company_id, shown_at).await?;
                    let ticket = ticket.ok_or(LinkRefusal::UnknownCode)?;
                    Ok(check(tx, &device, &ticket, now).await?.1)
                })
            })
            .await
    }

    /// Stores a link whose palms the vault has enrolled, its consent, and a mail to the ticket's
    /// holder: all or nothing. On an error the caller deletes the palms in the vault.
    ///
    /// # Errors
    /// [`BoxOfficeError::Palms`]; [`BoxOfficeError::Link`] where the ticket cannot be linked any
    /// more; [`BoxOfficeError::Scope`]; [`BoxOfficeError::PalmLinked`];
    /// [`BoxOfficeError::Unknown`] for an unknown consent text.
    pub async fn create_link(&self, new: &NewLink<'_>) -> Result<Linked> {
        check_palms(new.palms)?;
        let consent = Consent {
            id: ConsentId::new(&*self.clock, &*self.random),
            text_version: new.text_version.to_owned(),
            language: new.language,
            purposes: consent::palm_purposes(new.text_version, new.language)?,
            scope: Some(new.scope),
            until: None,
            given_at: new.accepted_at,
            withdrawn_at: None,
            age: None,
        };
        let (id, consent) = (LinkId::new(&*self.clock, &*self.random), &consent);
        let now = self.now();
        let made = self.store.transaction("link.create", |tx| {
            Box::pin(async move {
                let device = device::find_working(tx, new.device_id).await?;
                let ticket = ticket::facts(tx, new.ticket_id).await?;
                let (rules, offer) = check(tx, &device, &ticket, now).await?;
                let chosen = offer.scopes.iter().find(|offered| offered.scope == new.scope);
                let until = chosen.ok_or(BoxOfficeError::Scope)?.until;
                let link = NewRow { id, ticket: &ticket, device: &device, rules, until };
                link.insert(tx, new, now).await?;
                let age = Some(age_of(tx, new).await?);
                let consent = Consent { until: Some(until), age, ..consent.clone() };
                consent::insert(tx, ticket.account_id, Some(id), &consent).await?;
                self.tell_holder(tx, id, &ticket, &device).await?;
                Ok(Linked {
                    link_id: id,
                    account_id: ticket.account_id,
                    scope: new.scope,
                    until,
                    enters_tonight: offer.enters_tonight,
                    mail_sent: true,
                })
            })
        });
        made.await.map_err(palm_linked)
    }

    /// Queues the mail that tells the holder of a new link.
    async fn tell_holder(
        &self,
        tx: &mut Tx<'_>,
        id: LinkId,
        ticket: &TicketFacts,
        device: &Device,
    ) -> Result<()> {
        let holder = account::find(tx, ticket.account_id).await?;
        let mail_link = self.issue_decision_key(tx, holder.id, id).await?;
        let names = LinkNames {
            event: &ticket.event_name,
            venue: &device.venue_name,
            product: &ticket.product,
        };
        let text = mail_text::link_made(holder.language, &names, &mail_link);
        self.queue_mail(tx, &holder.email, &text, &mail_link).await
    }
}

/// What is kept of the age of whose palm it is: their own word, or their guardian's consent.
async fn age_of(tx: &mut Tx<'_>, new: &NewLink<'_>) -> Result<AgeEvidence> {
    match new.age {
        said @ AgeSaid::OfAge => Ok(AgeEvidence { said, by: SaidBy::Person, at: new.accepted_at }),
        AgeSaid::Guardian => {
            let given = guardian::of_ticket(tx, new.ticket_id).await?;
            Ok(given.ok_or(LinkRefusal::NoGuardian)?.evidence())
        }
    }
}

/// What a pedestal's mode means for links made there.
#[derive(Clone, Copy)]
struct ModeRules {
    future_only: bool,
    active_from: Timestamp,
}

/// A row of `links` in the making.
struct NewRow<'a> {
    id: LinkId,
    ticket: &'a TicketFacts,
    device: &'a Device,
    rules: ModeRules,
    until: Timestamp,
}

impl NewRow<'_> {
    async fn insert(&self, tx: &mut Tx<'_>, new: &NewLink<'_>, now: Timestamp) -> Result<()> {
        tx.execute(
            "INSERT INTO links (id, company_id, venue_id, account_id, made_with, ticket_id,
                                device_id, state, scope, future_only, active_from, until,
                                created_at)
             VALUES ($1, $2, $3, $4, $5, $5, $6, 'pending', $7, $8, $9, $10, $11)",
            params![
                self.id,
                self.ticket.company_id,
                self.device.venue_id,
                self.ticket.account_id,
                self.ticket.id,
                self.device.id,
                new.scope,
                self.rules.future_only,
                self.rules.active_from,
                self.until,
                now
            ],
        )
        .await?;
        for palm in new.palms {
            tx.execute(
                "INSERT INTO link_palms (link_id, side, company_id, company_token)
                 VALUES ($1, $2, $3, $4)",
                params![self.id, palm.side, self.ticket.company_id, palm.company_token],
            )
            .await?;
        }
        Ok(())
    }
}

/// Everything that must hold before a palm is linked to a ticket.
async fn check(
    tx: &mut Tx<'_>,
    device: &Device,
    ticket: &TicketFacts,
    now: Timestamp,
) -> Result<(ModeRules, TicketToLink)> {
    let inside = match device.mode {
        Some(DeviceMode::EnrolInside) => true,
        Some(DeviceMode::EnrolOutside) => false,
        _ => return Err(BoxOfficeError::Unknown(Thing::Device)),
    };
    if ticket.company_id != device.company_id {
        // Another company's ticket is not ours to know.
        return Err(LinkRefusal::UnknownCode.into());
    }
    check_ticket(ticket, now)?;
    let event = event::find(tx, ticket.event_id).await?;
    if ticket.venue_id != device.venue_id || !event.is_tonight(now) {
        return Err(LinkRefusal::OtherEvent.into());
    }
    if ticket.redeemed() && !inside {
        return Err(LinkRefusal::AlreadyRedeemed.into());
    }
    if link::holding(tx, ticket.id).await?.is_some() {
        return Err(LinkRefusal::AlreadyLinked.into());
    }
    let active_from = if inside { event.ends_at } else { now };
    let offer = TicketToLink {
        ticket_id: ticket.id,
        company_id: ticket.company_id,
        scopes: offered(&event, inside, now),
        event,
        product: ticket.product.clone(),
        enters_tonight: !inside,
        guardian: guardian::of_ticket(tx, ticket.id).await?.is_some(),
    };
    Ok((ModeRules { future_only: inside, active_from }, offer))
}

/// What must hold of a ticket wherever it is linked.
pub(crate) fn check_ticket(ticket: &TicketFacts, now: Timestamp) -> Result<(), LinkRefusal> {
    if ticket.standing != Standing::Valid {
        return Err(LinkRefusal::NotValid);
    }
    if ticket.ends_at <= now {
        return Err(LinkRefusal::EventOver);
    }
    if ticket.biometrics == Biometrics::Forbidden {
        return Err(LinkRefusal::NoBiometrics);
    }
    Ok(())
}

/// Inside, "this event" is not offered: it would arm nothing.
fn offered(event: &Event, inside: bool, now: Timestamp) -> Vec<OfferedScope> {
    let standing = now + STANDING_CONSENT_MAX;
    let this_event = OfferedScope { scope: Scope::Event, until: event.ends_at };
    let wide = [Scope::Venue, Scope::Company].map(|scope| OfferedScope { scope, until: standing });
    let narrow = (!inside).then_some(this_event);
    narrow.into_iter().chain(wide).collect()
}

fn check_palms(palms: &[PalmHandle]) -> Result<()> {
    match palms {
        [_] => Ok(()),
        [one, other] if one.side != other.side => Ok(()),
        _ => Err(BoxOfficeError::Palms),
    }
}

/// The check before found no living link of the ticket, in the same transaction: what remains to
/// be a duplicate is the palm.
fn palm_linked(error: BoxOfficeError) -> BoxOfficeError {
    match error {
        BoxOfficeError::Store(StoreError::Duplicate { .. }) => BoxOfficeError::PalmLinked,
        other => other,
    }
}
