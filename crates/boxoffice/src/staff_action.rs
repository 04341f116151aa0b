//! What staff did, each with a reason: forcing, correcting, resetting, blocking.

use handfast_model::{
    AdmissionId, AreaId, CompanyId, DeviceId, EventId, StaffUserId, TicketId, Timestamp,
};
use handfast_store::{Tx, from_row, params};

use crate::attempt::{Attempt, Force, Parsed};
use crate::company::check_name;
use crate::{
    AdmissionTerms, BoxOffice, BoxOfficeError, Result, Thing, TicketState, Verdict, device, event,
    ticket,
};

handfast_store::text_enum! {
    /// A kind of staff action.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum Action {
        /// Let somebody pass whom the rule refused.
        Force = "force",
        /// Took a passage back.
        Correct = "correct",
        /// Said that somebody is not inside.
        Reset = "reset",
        /// Changed what a ticket is worth: cancelled, blocked, revoked, made valid.
        SetTicket = "set_ticket",
        /// Gave a ticket another code.
        ReplaceCode = "replace_code",
        /// Ended a palm's link.
        EndLink = "end_link",
        /// Looked for tickets by name or order.
        Search = "search",
        /// Provisioned, re-keyed or revoked a device.
        SetDevice = "set_device",
        /// Changed a check-in list.
        SetList = "set_list",
        /// Imported tickets.
        Import = "import",
        /// Sold or gave tickets at the window.
        Sell = "sell",
        /// Took tickets back and gave the money back.
        Refund = "refund",
        /// Exchanged a ticket.
        Exchange = "exchange",
        /// Printed tickets.
        Print = "print",
        /// Set up a venue, a gate, an event, a product.
        SetUp = "set_up",
        /// Took down a guardian's consent.
        Guardian = "guardian",
        /// Asked for something that touches many people.
        AskApproval = "ask_approval",
        /// Approved or refused it.
        Decide = "decide",
    }
}

/// An action to be recorded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewAction<'a> {
    pub staff_user_id: StaffUserId,
    pub second_user_id: Option<StaffUserId>,
    pub action: Action,
    pub event_id: Option<EventId>,
    pub ticket_id: Option<TicketId>,
    pub admission_id: Option<AdmissionId>,
    pub device_id: Option<DeviceId>,
    pub reason: &'a str,
}

impl<'a> NewAction<'a> {
    pub fn by(staff_user_id: StaffUserId, action: Action, reason: &'a str) -> Self {
        Self {
            staff_user_id,
            second_user_id: None,
            action,
            event_id: None,
            ticket_id: None,
            admission_id: None,
            device_id: None,
            reason,
        }
    }
}

/// A recorded action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaffAction {
    /// From 1 within the company.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub action: Action,
    /// Who.
    pub name: String,
    /// Who else, where it takes two.
    pub second_name: Option<String>,
    /// On which ticket.
    pub ticket_id: Option<TicketId>,
    /// Why.
    pub reason: String,
}

from_row!(StaffAction { number, at, action, name, second_name, ticket_id, reason });

/// What a supervisor lets pass, and why.
#[derive(Clone, Debug)]
pub struct ForcedPassage<'a> {
    /// Who decides.
    pub staff_user_id: StaffUserId,
    /// At which device of the company.
    pub device_id: DeviceId,
    /// The ticket.
    pub ticket_id: TicketId,
    /// The attempt's nonce, as for any other.
    pub nonce: &'a str,
    /// Why.
    pub reason: &'a str,
}

impl BoxOffice {
    /// Lets people pass on a ticket of the company whatever the rule says, and records who decided
    /// it and why. Where the rule allows it anyway it is an ordinary passage.
    ///
    /// # Errors
    /// As [`BoxOffice::admit`]; [`BoxOfficeError::Text`] for a reason that is none;
    /// [`BoxOfficeError::Unknown`] for another company's ticket or device.
    pub async fn force(
        &self,
        forced: &ForcedPassage<'_>,
        terms: AdmissionTerms,
    ) -> Result<Verdict> {
        let reason = &check_name("a reason", forced.reason)?;
        let parsed = Parsed::Ticket(forced.ticket_id);
        let mut attempt = Attempt::new(forced.device_id, forced.nonce, parsed, terms)?;
        let now = self.now();
        self.store
            .transaction("staff_action.force", |tx| {
                Box::pin(async move {
                    let company_id = company_of(tx, forced.staff_user_id).await?;
                    let at = device::find_working(tx, forced.device_id).await?;
                    let ticket = ticket::facts(tx, forced.ticket_id).await?;
                    if at.company_id != company_id || ticket.company_id != company_id {
                        return Err(BoxOfficeError::Unknown(Thing::Ticket));
                    }
                    let action = NewAction {
                        ticket_id: Some(forced.ticket_id),
                        device_id: Some(forced.device_id),
                        event_id: Some(ticket.event_id),
                        ..NewAction::by(forced.staff_user_id, Action::Force, reason)
                    };
                    record(tx, company_id, &action, now).await
                })
            })
            .await?;
        attempt.force = Some(Force { staff_user_id: forced.staff_user_id, reason: reason.clone() });
        self.writer.decide(attempt).await
    }

    /// From `at` on (now, or a time to come) nobody counts as inside: one ticket's people, one
    /// area's, or with neither everybody at the event.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for another company's event; [`BoxOfficeError::Text`].
    pub async fn reset_presence(
        &self,
        staff_user_id: StaffUserId,
        event_id: EventId,
        (ticket_id, area_id): (Option<TicketId>, Option<AreaId>),
        at: Timestamp,
        reason: &str,
    ) -> Result<()> {
        let reason = &check_name("a reason", reason)?;
        let now = self.now();
        self.store
            .transaction("staff_action.reset", |tx| {
                Box::pin(async move {
                    let company_id = company_of(tx, staff_user_id).await?;
                    event::find_own(tx, company_id, event_id).await?;
                    tx.execute(
                        "INSERT INTO presence_resets (event_id, ticket_id, area_id, at)
                         VALUES ($1, $2, $3, $4)",
                        params![event_id, ticket_id, area_id, at],
                    )
                    .await?;
                    let action = NewAction {
                        event_id: Some(event_id),
                        ticket_id,
                        ..NewAction::by(staff_user_id, Action::Reset, reason)
                    };
                    record(tx, company_id, &action, now).await
                })
            })
            .await
    }

    /// Cancels, revokes, blocks or releases a ticket as staff, with a reason.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for another company's ticket; [`BoxOfficeError::Text`].
    pub async fn set_ticket_as_staff(
        &self,
        staff_user_id: StaffUserId,
        ticket_id: TicketId,
        state: TicketState,
        reason: &str,
    ) -> Result<()> {
        let reason = &check_name("a reason", reason)?;
        let now = self.now();
        self.store
            .transaction("staff_action.set_ticket", |tx| {
                Box::pin(async move {
                    let company_id = company_of(tx, staff_user_id).await?;
                    let ticket = ticket::facts(tx, ticket_id).await?;
                    if ticket.company_id != company_id {
                        return Err(BoxOfficeError::Unknown(Thing::Ticket));
                    }
                    let sql = "UPDATE tickets SET state = $2, changed_at = $3 WHERE id = $1";
                    tx.execute(sql, params![ticket_id, state, now]).await?;
                    let reason = format!("{state}: {reason}");
                    let action = NewAction {
                        event_id: Some(ticket.event_id),
                        ticket_id: Some(ticket_id),
                        ..NewAction::by(staff_user_id, Action::SetTicket, &reason)
                    };
                    record(tx, company_id, &action, now).await
                })
            })
            .await
    }

    /// Records that a staff user did something that is no decision about a ticket: set something
    /// up, printed.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for a disabled staff user; [`BoxOfficeError::Text`].
    pub async fn note_action(
        &self,
        staff_user_id: StaffUserId,
        action: Action,
        event_id: Option<EventId>,
        what: &str,
    ) -> Result<()> {
        let what = &check_name("what was done", what)?;
        let now = self.now();
        self.store
            .transaction("staff_action.note", |tx| {
                Box::pin(async move {
                    let company_id = company_of(tx, staff_user_id).await?;
                    let action =
                        NewAction { event_id, ..NewAction::by(staff_user_id, action, what) };
                    record(tx, company_id, &action, now).await
                })
            })
            .await
    }

    /// The newest staff actions of a company, at most `limit`.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn staff_actions(
        &self,
        company_id: CompanyId,
        limit: u32,
    ) -> Result<Vec<StaffAction>> {
        self.store
            .read("staff_action.newest", |tx| {
                Box::pin(async move {
                    let sql = "SELECT a.number, a.at, a.action, u.name, s.name AS second_name,
                                      a.ticket_id, a.reason
                               FROM staff_actions a
                               JOIN staff_users u ON u.id = a.staff_user_id
                               LEFT JOIN staff_users s ON s.id = a.second_user_id
                               WHERE a.company_id = $1 ORDER BY a.number DESC LIMIT $2";
                    Ok(tx.fetch_all(sql, params![company_id, limit]).await?)
                })
            })
            .await
    }
}

/// For whom a staff user works, who is not disabled.
pub(crate) async fn company_of(tx: &mut Tx<'_>, id: StaffUserId) -> Result<CompanyId> {
    let sql = "SELECT company_id FROM staff_users WHERE id = $1 AND disabled_at IS NULL";
    let company: Option<(CompanyId,)> = tx.fetch_optional(sql, params![id]).await?;
    company.map(|(id,)| id).ok_or(BoxOfficeError::Unknown(Thing::StaffUser))
}

/// Records an action under the company's next number.
pub(crate) async fn record(
    tx: &mut Tx<'_>,
    company_id: CompanyId,
    action: &NewAction<'_>,
    now: Timestamp,
) -> Result<()> {
    let sql = "SELECT COALESCE(MAX(number), 0) + 1 FROM staff_actions WHERE company_id = $1";
    let (number,): (i64,) = tx.fetch_one(sql, params![company_id]).await?;
    tx.execute(
        "INSERT INTO staff_actions (number, company_id, staff_user_id, second_user_id, action,
                                    event_id, ticket_id, admission_id, device_id, reason, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        params![
            number,
            company_id,
            action.staff_user_id,
            action.second_user_id,
            action.action,
            action.event_id,
            action.ticket_id,
            action.admission_id,
            action.device_id,
            action.reason,
            now
        ],
    )
    .await?;
    Ok(())
}
