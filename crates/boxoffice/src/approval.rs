//! Four eyes: what touches many people is asked for by one of the staff and approved by another.

use handfast_model::{CompanyId, Duration, EventId, StaffUserId, Timestamp, VenueId};
use handfast_store::{FromRow, Row, StoreError, Tx, params};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::company::check_name;
use crate::staff_action::{self, Action, NewAction};
use crate::{Biometrics, BoxOffice, BoxOfficeError, Result, Role};

/// How long a request waits for its second person: over a night's shift change, not into the next week.
pub const APPROVED_WITHIN: Duration = Duration::from_hours(24);
/// How long an approved export or disclosure may be carried out.
pub const CARRIED_OUT_WITHIN: Duration = Duration::from_hours(1);
/// Most requests in a list.
const LISTED_MAX: u32 = 100;

/// What touches many people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum WideAct {
    /// Delete every palm that was linked with a ticket of an event.
    EndPalmsOfEvent {
        /// The event.
        event_id: EventId,
    },
    /// Allow or forbid biometrics at every event to come.
    SwitchAllEvents {
        /// What holds from then on.
        biometrics: Biometrics,
    },
    /// Change the youngest age at which palms are linked at a venue.
    SetMinimumAge {
        /// The venue.
        venue_id: VenueId,
        /// The age in years.
        years: u32,
    },
    /// Disclose what there is about more than one person.
    Disclose {
        /// About how many.
        people: u32,
    },
    /// Take all orders of an event with their holders' names out of the service.
    ExportOrders {
        /// The event.
        event_id: EventId,
    },
}

impl WideAct {
    /// Whether it is carried out by itself once it is approved; the others are carried out by whoever
    /// asked, once.
    #[must_use]
    pub const fn is_immediate(&self) -> bool {
        matches!(
            self,
            Self::EndPalmsOfEvent { .. }
                | Self::SwitchAllEvents { .. }
                | Self::SetMinimumAge { .. }
        )
    }
}

handfast_store::text_enum! {
    /// Where a request stands.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum ApprovalState {
        /// For a second person to decide.
        Waiting = "waiting",
        /// A second person approved it; it is not carried out yet.
        Approved = "approved",
        /// A second person refused it, or whoever asked took it back.
        Refused = "refused",
        /// It was carried out.
        Done = "done",
    }
}

/// Why an approval is not given or not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ApprovalRefusal {
    /// One pair of eyes is not two.
    #[error("whoever asked cannot approve it; somebody else with the role of an operator does")]
    SamePerson,
    /// It was decided, or its time is over.
    #[error("this request was decided before, or its time is over; ask anew")]
    Over,
    /// It is not approved, or for something else.
    #[error("this is not approved, or was used, or is for something else; ask at the console")]
    NotApproved,
}

/// A request for something that touches many people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The company.
    pub company_id: CompanyId,
    /// From 1 within the company.
    pub number: i64,
    /// What is asked for.
    pub act: WideAct,
    /// Why.
    pub reason: String,
    /// Who asked.
    pub asked_by: StaffUserId,
    /// Their name.
    pub asked_by_name: String,
    /// When.
    pub asked_at: Timestamp,
    /// Until when it can be decided; once approved, until when it can be carried out.
    pub expires_at: Timestamp,
    /// Where it stands.
    pub state: ApprovalState,
    /// Who decided.
    pub decided_by_name: Option<String>,
    /// When.
    pub decided_at: Option<Timestamp>,
}

impl FromRow for Approval {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let act: String = row.get("act")?;
        Ok(Self {
            company_id: row.get("company_id")?,
            number: row.get("number")?,
            act: serde_json::from_str(&act).map_err(|_| StoreError::Column {
                column: "act".to_owned(),
                expected: "a WideAct",
            })?,
            reason: row.get("reason")?,
            asked_by: row.get("asked_by")?,
            asked_by_name: row.get("asked_by_name")?,
            asked_at: row.get("asked_at")?,
            expires_at: row.get("expires_at")?,
            state: row.get("state")?,
            decided_by_name: row.get("decided_by_name")?,
            decided_at: row.get("decided_at")?,
        })
    }
}

impl Approval {
    fn may_be_decided(&self, by: StaffUserId, approve: bool, now: Timestamp) -> Result<()> {
        if approve && self.asked_by == by {
            return Err(ApprovalRefusal::SamePerson.into());
        }
        if self.state != ApprovalState::Waiting || self.expires_at <= now {
            return Err(ApprovalRefusal::Over.into());
        }
        Ok(())
    }
}

macro_rules! approvals_where {
    ($condition:literal) => {
        concat!(
            "SELECT a.company_id, a.number, a.act, a.reason, a.asked_by, u.name AS asked_by_name,
                    a.asked_at, a.expires_at, a.state, d.name AS decided_by_name, a.decided_at
             FROM approvals a JOIN staff_users u ON u.id = a.asked_by
             LEFT JOIN staff_users d ON d.id = a.decided_by WHERE ",
            $condition
        )
    };
}

impl BoxOffice {
    /// Whether [`BoxOffice::ask_approval`] would take a request for this reason.
    ///
    /// # Errors
    /// As [`BoxOffice::ask_approval`].
    pub async fn may_ask(&self, staff_user_id: StaffUserId, reason: &str) -> Result<()> {
        check_name("a reason", reason)?;
        let may = self.store.read("approval.may_ask", |tx| Box::pin(operator(tx, staff_user_id)));
        may.await.map(drop)
    }

    /// Asks for something that touches many people.
    ///
    /// # Errors
    /// [`BoxOfficeError::Text`] for a reason that is none; [`BoxOfficeError::Unknown`] for staff who
    /// are no operators.
    pub async fn ask_approval(
        &self,
        staff_user_id: StaffUserId,
        act: &WideAct,
        reason: &str,
    ) -> Result<Approval> {
        let reason = &check_name("a reason", reason)?;
        let text = &serde_json::to_string(act).unwrap_or_default();
        let now = self.now();
        self.store
            .transaction("approval.ask", |tx| {
                Box::pin(async move {
                    let company_id = operator(tx, staff_user_id).await?;
                    let sql = "SELECT COALESCE(MAX(number), 0) + 1 FROM approvals
                               WHERE company_id = $1";
                    let (number,): (i64,) = tx.fetch_one(sql, params![company_id]).await?;
                    tx.execute(
                        "INSERT INTO approvals (company_id, number, act, reason, asked_by, asked_at,
                                                expires_at, state)
                         VALUES ($1, $2, $3, $4, $5, $6, $7, 'waiting')",
                        params![
                            company_id,
                            number,
                            text,
                            reason,
                            staff_user_id,
                            now,
                            now + APPROVED_WITHIN
                        ],
                    )
                    .await?;
                    let action = NewAction::by(staff_user_id, Action::AskApproval, reason);
                    staff_action::record(tx, company_id, &action, now).await?;
                    find(tx, company_id, number).await
                })
            })
            .await
    }

    /// A company's requests, the newest first.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn approvals(&self, company_id: CompanyId) -> Result<Vec<Approval>> {
        self.store
            .read("approval.newest", |tx| {
                Box::pin(async move {
                    let sql = approvals_where!("a.company_id = $1 ORDER BY a.number DESC LIMIT $2");
                    Ok(tx.fetch_all(sql, params![company_id, LISTED_MAX]).await?)
                })
            })
            .await
    }

    /// One request of a company.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`].
    pub async fn approval(&self, company_id: CompanyId, number: i64) -> Result<Approval> {
        self.store.read("approval.one", |tx| Box::pin(find(tx, company_id, number))).await
    }

    /// Whether [`BoxOffice::decide_approval`] would take this decision now.
    ///
    /// # Errors
    /// As [`BoxOffice::decide_approval`].
    pub async fn may_decide(
        &self,
        staff_user_id: StaffUserId,
        number: i64,
        approve: bool,
    ) -> Result<()> {
        let now = self.now();
        self.store
            .read("approval.may_decide", |tx| {
                Box::pin(async move {
                    let company_id = operator(tx, staff_user_id).await?;
                    find(tx, company_id, number).await?.may_be_decided(staff_user_id, approve, now)
                })
            })
            .await
    }

    /// Approves or refuses what somebody else asked for. Whoever asked may take it back.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for another company's request, or staff who are no operators;
    /// [`BoxOfficeError::Approval`].
    pub async fn decide_approval(
        &self,
        staff_user_id: StaffUserId,
        number: i64,
        approve: bool,
    ) -> Result<Approval> {
        let now = self.now();
        self.store
            .transaction("approval.decide", |tx| {
                Box::pin(async move {
                    let company_id = operator(tx, staff_user_id).await?;
                    let asked = find(tx, company_id, number).await?;
                    asked.may_be_decided(staff_user_id, approve, now)?;
                    let (state, expires_at) = match approve {
                        true => (ApprovalState::Approved, now + CARRIED_OUT_WITHIN),
                        false => (ApprovalState::Refused, asked.expires_at),
                    };
                    let sql = "UPDATE approvals SET state = $3, decided_by = $4, decided_at = $5,
                                                    expires_at = $6
                               WHERE company_id = $1 AND number = $2";
                    let set = params![company_id, number, state, staff_user_id, now, expires_at];
                    tx.execute(sql, set).await?;
                    let action = NewAction {
                        second_user_id: Some(asked.asked_by),
                        ..NewAction::by(staff_user_id, Action::Decide, &asked.reason)
                    };
                    staff_action::record(tx, company_id, &action, now).await?;
                    find(tx, company_id, number).await
                })
            })
            .await
    }

    /// Takes an approved request that its asker carries out: once, and in time.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`]; [`BoxOfficeError::Approval`] where it is not approved for `act`.
    pub async fn use_approval(
        &self,
        company_id: CompanyId,
        number: i64,
        act: &WideAct,
    ) -> Result<()> {
        let now = self.now();
        self.store
            .transaction("approval.use", |tx| {
                Box::pin(async move {
                    let asked = find(tx, company_id, number).await?;
                    let good = asked.state == ApprovalState::Approved
                        && asked.act == *act
                        && now < asked.expires_at;
                    if !good {
                        return Err(ApprovalRefusal::NotApproved.into());
                    }
                    mark_done(tx, company_id, number).await
                })
            })
            .await
    }

    /// What was approved and is carried out by itself, and was not yet: repeat it whole, then say so
    /// with [`BoxOffice::approval_done`].
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn approved_acts(&self) -> Result<Vec<Approval>> {
        self.store
            .read("approval.approved", |tx| {
                Box::pin(async move {
                    let sql =
                        approvals_where!("a.state = 'approved' ORDER BY a.decided_at, a.number");
                    let approved: Vec<Approval> = tx.fetch_all(sql, params![]).await?;
                    Ok(approved.into_iter().filter(|one| one.act.is_immediate()).collect())
                })
            })
            .await
    }

    /// Remembers that an approved request was carried out.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn approval_done(&self, company_id: CompanyId, number: i64) -> Result<()> {
        self.store
            .transaction("approval.done", |tx| Box::pin(mark_done(tx, company_id, number)))
            .await
    }
}

async fn mark_done(tx: &mut Tx<'_>, company_id: CompanyId, number: i64) -> Result<()> {
    let sql = "UPDATE approvals SET state = 'done'
               WHERE company_id = $1 AND number = $2 AND state = 'approved'";
    tx.execute(sql, params![company_id, number]).await?;
    Ok(())
}

async fn find(tx: &mut Tx<'_>, company_id: CompanyId, number: i64) -> Result<Approval> {
    let sql = approvals_where!("a.company_id = $1 AND a.number = $2");
    let found = tx.fetch_optional(sql, params![company_id, number]).await?;
    found.ok_or(BoxOfficeError::Unknown(crate::Thing::Approval))
}

/// For whom an operator works who is not disabled.
async fn operator(tx: &mut Tx<'_>, id: StaffUserId) -> Result<CompanyId> {
    let sql = "SELECT company_id FROM staff_users
               WHERE id = $1 AND disabled_at IS NULL AND role = $2";
    let company: Option<(CompanyId,)> = tx.fetch_optional(sql, params![id, Role::Operator]).await?;
    company.map(|(id,)| id).ok_or(BoxOfficeError::Unknown(crate::Thing::StaffUser))
}
