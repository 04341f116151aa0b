//! Taking a passage back: the turnstile did not turn, the wrong person was scanned.

use handfast_model::{AdmissionId, DeviceId, Duration, StaffUserId, Timestamp};
use handfast_store::{Tx, from_row, params};

use crate::company::check_name;
use crate::staff_action::{Action, NewAction};
use crate::{BoxOffice, BoxOfficeError, Outcome, Result, Thing, device, staff_action};

/// How long the device that let somebody pass may take it back: longer than any muddle at a gate,
/// shorter than a walk to the seat and back.
pub const ANNUL_WITHIN: Duration = Duration::from_minutes(15);

struct Passed {
    id: AdmissionId,
    outcome: Outcome,
    at: Timestamp,
    annulled_at: Option<Timestamp>,
}

from_row!(Passed { id, outcome, at, annulled_at });

impl BoxOffice {
    /// Takes back what a device let pass under this nonce, at most [`ANNUL_WITHIN`] ago. Taking
    /// back twice is the same as once.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] where nobody passed under this nonce at this device;
    /// [`BoxOfficeError::TooLate`]; [`BoxOfficeError::Text`] for a reason that is none;
    /// [`BoxOfficeError::ApiKey`].
    pub async fn annul(
        &self,
        device_id: DeviceId,
        nonce: &str,
        reason: &str,
    ) -> Result<AdmissionId> {
        let reason = &check_name("a reason", reason)?;
        let now = self.now();
        self.store
            .transaction("admission.annul", |tx| {
                Box::pin(async move {
                    device::find_working(tx, device_id).await?;
                    let sql = "SELECT id, outcome, at, annulled_at FROM admissions
                               WHERE device_id = $1 AND nonce = $2";
                    let passed = tx.fetch_optional(sql, params![device_id, nonce]).await?;
                    let passed = of_somebody(passed)?;
                    if passed.annulled_at.is_none() && now - passed.at > ANNUL_WITHIN {
                        return Err(BoxOfficeError::TooLate);
                    }
                    take_back(tx, &passed, reason, now).await?;
                    Ok(passed.id)
                })
            })
            .await
    }

    /// Takes a passage back on two staff users' word, whenever it was ("it says used, I was not
    /// here"): the first to ask is noted, and it is done once somebody else asks for the same.
    /// Returns whether it is done.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for another company's or a refused attempt;
    /// [`BoxOfficeError::SecondPerson`] where the same person asks again;
    /// [`BoxOfficeError::Text`] for a reason that is none.
    pub async fn correct(
        &self,
        staff_user_id: StaffUserId,
        admission_id: AdmissionId,
        reason: &str,
    ) -> Result<bool> {
        let reason = &check_name("a reason", reason)?;
        let now = self.now();
        self.store
            .transaction("admission.correct", |tx| {
                Box::pin(async move {
                    let company_id = staff_action::company_of(tx, staff_user_id).await?;
                    let sql = "SELECT a.id, a.outcome, a.at, a.annulled_at FROM admissions a
                               JOIN venues v ON v.id = a.venue_id
                               WHERE a.id = $1 AND v.company_id = $2";
                    let passed = tx.fetch_optional(sql, params![admission_id, company_id]).await?;
                    let passed = of_somebody(passed)?;
                    let sql = "SELECT staff_user_id FROM corrections WHERE admission_id = $1";
                    let asked: Option<(StaffUserId,)> =
                        tx.fetch_optional(sql, params![admission_id]).await?;
                    let Some((first,)) = asked else {
                        let sql =
                            "INSERT INTO corrections (admission_id, staff_user_id, reason, at)
                                   VALUES ($1, $2, $3, $4)";
                        tx.execute(sql, params![admission_id, staff_user_id, reason, now]).await?;
                        return Ok(false);
                    };
                    if first == staff_user_id {
                        return Err(BoxOfficeError::SecondPerson);
                    }
                    take_back(tx, &passed, reason, now).await?;
                    let action = NewAction {
                        second_user_id: Some(staff_user_id),
                        admission_id: Some(admission_id),
                        ..NewAction::by(first, Action::Correct, reason)
                    };
                    staff_action::record(tx, company_id, &action, now).await?;
                    Ok(true)
                })
            })
            .await
    }
}

fn of_somebody(passed: Option<Passed>) -> Result<Passed> {
    let passed = passed.filter(|passed| passed.outcome == Outcome::Ok);
    passed.ok_or(BoxOfficeError::Unknown(Thing::Admission))
}

async fn take_back(tx: &mut Tx<'_>, passed: &Passed, reason: &str, now: Timestamp) -> Result<()> {
    let sql = "UPDATE admissions SET annulled_at = $2, annulled_reason = $3
               WHERE id = $1 AND annulled_at IS NULL";
    tx.execute(sql, params![passed.id, now, reason]).await?;
    let sql = "UPDATE passages SET annulled_at = $2, changed_at = $2
               WHERE admission_id = $1 AND annulled_at IS NULL";
    tx.execute(sql, params![passed.id, now]).await?;
    Ok(())
}
