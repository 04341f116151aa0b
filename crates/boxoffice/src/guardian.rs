//! Age: who may consent alone, who with a guardian, and who is too young. What is kept is a yes or no,
//! with who said so and when; never a date of birth.

use handfast_model::{AccountId, CompanyId, StaffUserId, TicketId, Timestamp, VenueId};
use handfast_store::{Tx, from_row, params};

use crate::link_creation::check_ticket;
use crate::staff_action::{self, Action, NewAction};
use crate::ticket::TicketFacts;
use crate::{
    BoxOffice, BoxOfficeError, GUARDIAN_VERSION, Language, LinkRefusal, Result, Thing, account,
    mail_text, ticket, venue,
};

/// Nobody is asked whether they are older: a venue's age is a house rule about people, not a filter.
pub const AGE_YEARS_MAX: u32 = 25;
/// Mails about one ticket to its holder within a day: a code that somebody shows again and again is
/// not to fill a mailbox.
const GUARDIAN_MAILS_MAX: i64 = 2;

handfast_store::text_enum! {
    /// What was said of the age of a palm's owner.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum AgeSaid {
        /// Old enough to consent alone.
        OfAge = "of_age",
        /// Younger, and a guardian consents.
        Guardian = "guardian",
    }
}

handfast_store::text_enum! {
    /// Who said it.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum SaidBy {
        /// The person, at the pedestal.
        Person = "person",
        /// The ticket's holder, signed in.
        Holder = "holder",
        /// A guardian, to staff at the window.
        Staff = "staff",
    }
}

/// What is kept of somebody's age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgeEvidence {
    /// What was said.
    pub said: AgeSaid,
    /// By whom.
    pub by: SaidBy,
    /// When.
    pub at: Timestamp,
}

/// The ages of the law where a service runs, in years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgeLaw {
    /// The youngest at which a palm is linked; a venue may have a higher one.
    pub minimum: u32,
    /// From which nobody else has to consent.
    pub own_consent_from: u32,
}

impl AgeLaw {
    /// Whether a guardian's consent lets anybody link a palm where the venue has set `of_venue`: not
    /// where only those may link one who consent alone.
    #[must_use]
    pub fn guardians_count(self, of_venue: Option<u32>) -> bool {
        self.minimum.max(of_venue.unwrap_or_default()) < self.own_consent_from
    }
}

/// A guardian's consent to linking a palm with a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardianConsent {
    /// The ticket.
    pub ticket_id: TicketId,
    /// Who of the staff took it down; none where the holder gave it in the portal.
    pub staff_user_id: Option<StaffUserId>,
    /// The version of the words.
    pub text_version: String,
    /// Their language.
    pub language: Language,
    /// When.
    pub given_at: Timestamp,
}

from_row!(GuardianConsent { ticket_id, staff_user_id, text_version, language, given_at });

impl GuardianConsent {
    /// What a consent keeps of it.
    #[must_use]
    pub fn evidence(&self) -> AgeEvidence {
        let by = if self.staff_user_id.is_some() { SaidBy::Staff } else { SaidBy::Holder };
        AgeEvidence { said: AgeSaid::Guardian, by, at: self.given_at }
    }
}

impl BoxOffice {
    /// The youngest age at which palms are linked at a venue, where the venue has set one.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`].
    pub async fn minimum_age(&self, venue_id: VenueId) -> Result<Option<u32>> {
        self.store.read("guardian.minimum_age", |tx| Box::pin(minimum_age(tx, venue_id))).await
    }

    /// Sets the youngest age at which palms are linked at a venue of a company.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for another company's venue; [`BoxOfficeError::Age`].
    pub async fn set_minimum_age(
        &self,
        company_id: CompanyId,
        venue_id: VenueId,
        years: u32,
    ) -> Result<()> {
        if years > AGE_YEARS_MAX {
            return Err(BoxOfficeError::Age { max: AGE_YEARS_MAX });
        }
        self.store
            .transaction("guardian.set_minimum_age", |tx| {
                Box::pin(async move {
                    if venue::find(tx, venue_id).await?.company_id != company_id {
                        return Err(BoxOfficeError::Unknown(Thing::Venue));
                    }
                    let sql = "UPDATE venues SET minimum_age = $2 WHERE id = $1";
                    tx.execute(sql, params![venue_id, years.cast_signed()]).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Records that a ticket's holder consents, as a guardian, that whoever has the ticket links a
    /// palm with it. A repetition keeps the first.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for somebody else's ticket; [`BoxOfficeError::Link`] for one that
    /// no palm can be linked to, or at whose venue guardians do not count.
    pub async fn give_guardian_consent(
        &self,
        account_id: AccountId,
        ticket_id: TicketId,
        language: Language,
        law: AgeLaw,
    ) -> Result<GuardianConsent> {
        let now = self.now();
        self.store
            .transaction("guardian.give", |tx| {
                Box::pin(async move {
                    let ticket = ticket::facts(tx, ticket_id).await?;
                    if ticket.account_id != account_id {
                        return Err(BoxOfficeError::Unknown(Thing::Ticket));
                    }
                    insert(tx, &ticket, None, language, law, now).await
                })
            })
            .await
    }

    /// The same at the window: a guardian is there, and staff take the consent down.
    ///
    /// # Errors
    /// As [`BoxOffice::give_guardian_consent`]; [`BoxOfficeError::Unknown`] for another company's
    /// ticket.
    pub async fn give_guardian_consent_at_window(
        &self,
        staff_user_id: StaffUserId,
        ticket_id: TicketId,
        language: Language,
        law: AgeLaw,
    ) -> Result<GuardianConsent> {
        let now = self.now();
        self.store
            .transaction("guardian.give_at_window", |tx| {
                Box::pin(async move {
                    let company_id = staff_action::company_of(tx, staff_user_id).await?;
                    let ticket = ticket::facts(tx, ticket_id).await?;
                    if ticket.company_id != company_id {
                        return Err(BoxOfficeError::Unknown(Thing::Ticket));
                    }
                    let by = Some(staff_user_id);
                    let given = insert(tx, &ticket, by, language, law, now).await?;
                    let action = NewAction {
                        ticket_id: Some(ticket_id),
                        event_id: Some(ticket.event_id),
                        ..NewAction::by(staff_user_id, Action::Guardian, "a guardian was there")
                    };
                    staff_action::record(tx, company_id, &action, now).await?;
                    Ok(given)
                })
            })
            .await
    }

    /// Takes a guardian's consent back. A palm that was linked by it is ended like any other.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for somebody else's ticket.
    pub async fn withdraw_guardian_consent(
        &self,
        account_id: AccountId,
        ticket_id: TicketId,
    ) -> Result<()> {
        self.store
            .transaction("guardian.withdraw", |tx| {
                Box::pin(async move {
                    let ticket = ticket::facts(tx, ticket_id).await?;
                    if ticket.account_id != account_id {
                        return Err(BoxOfficeError::Unknown(Thing::Ticket));
                    }
                    let sql = "DELETE FROM guardian_consents WHERE ticket_id = $1";
                    tx.execute(sql, params![ticket_id]).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Guardians' consents to tickets that an account holds.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn guardian_consents(&self, account_id: AccountId) -> Result<Vec<GuardianConsent>> {
        self.store
            .read("guardian.of_account", |tx| {
                Box::pin(async move {
                    let sql = "SELECT g.ticket_id, g.staff_user_id, g.text_version, g.language,
                                      g.given_at
                               FROM guardian_consents g JOIN tickets t ON t.id = g.ticket_id
                               WHERE t.account_id = $1 AND g.holder_id = $1 ORDER BY g.given_at";
                    Ok(tx.fetch_all(sql, params![account_id]).await?)
                })
            })
            .await
    }

    /// Mails a ticket's holder that somebody younger showed it at a pedestal and would like to link a
    /// palm. Seldom, however often the code is shown.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for an unknown ticket.
    pub async fn ask_guardian(&self, ticket_id: TicketId) -> Result<()> {
        let since = self.now() - handfast_model::Duration::from_days(1);
        self.store
            .transaction("guardian.ask", |tx| {
                Box::pin(async move {
                    let ticket = ticket::facts(tx, ticket_id).await?;
                    let holder = account::find(tx, ticket.account_id).await?;
                    let link = self.address_of("/portal#/guardian/", &ticket.id.to_string());
                    let sql = "SELECT COUNT(*) FROM mails
                               WHERE recipient = $1 AND link = $2 AND created_at > $3";
                    let (mailed,): (i64,) =
                        tx.fetch_one(sql, params![holder.email, link, since]).await?;
                    if mailed >= GUARDIAN_MAILS_MAX {
                        return Ok(());
                    }
                    let text = mail_text::guardian_asked(
                        holder.language,
                        &ticket.event_name,
                        &ticket.product,
                        &link,
                    );
                    self.queue_mail(tx, &holder.email, &text, &link).await
                })
            })
            .await
    }
}

async fn minimum_age(tx: &mut Tx<'_>, venue_id: VenueId) -> Result<Option<u32>> {
    let sql = "SELECT minimum_age FROM venues WHERE id = $1";
    let found: Option<(Option<i32>,)> = tx.fetch_optional(sql, params![venue_id]).await?;
    let (years,) = found.ok_or(BoxOfficeError::Unknown(Thing::Venue))?;
    Ok(years.map(i32::unsigned_abs))
}

/// The guardian's consent to a ticket, unless the ticket went to another account since.
pub(crate) async fn of_ticket(
    tx: &mut Tx<'_>,
    ticket_id: TicketId,
) -> Result<Option<GuardianConsent>> {
    let sql = "SELECT g.ticket_id, g.staff_user_id, g.text_version, g.language, g.given_at
               FROM guardian_consents g JOIN tickets t ON t.id = g.ticket_id
               WHERE g.ticket_id = $1 AND t.account_id = g.holder_id";
    Ok(tx.fetch_optional(sql, params![ticket_id]).await?)
}

async fn insert(
    tx: &mut Tx<'_>,
    ticket: &TicketFacts,
    staff_user_id: Option<StaffUserId>,
    language: Language,
    law: AgeLaw,
    now: Timestamp,
) -> Result<GuardianConsent> {
    check_ticket(ticket, now)?;
    if !law.guardians_count(minimum_age(tx, ticket.venue_id).await?) {
        return Err(LinkRefusal::OwnConsentOnly.into());
    }
    if let Some(given) = of_ticket(tx, ticket.id).await? {
        return Ok(given);
    }
    // One of an earlier holder is not this one's.
    let sql = "DELETE FROM guardian_consents WHERE ticket_id = $1";
    tx.execute(sql, params![ticket.id]).await?;
    let given = GuardianConsent {
        ticket_id: ticket.id,
        staff_user_id,
        text_version: GUARDIAN_VERSION.to_owned(),
        language,
        given_at: now,
    };
    tx.execute(
        "INSERT INTO guardian_consents (ticket_id, holder_id, staff_user_id, text_version,
                                        language, given_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        params![
            given.ticket_id,
            ticket.account_id,
            given.staff_user_id,
            given.text_version,
            given.language,
            given.given_at
        ],
    )
    .await?;
    Ok(given)
}
