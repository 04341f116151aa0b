//! Provisioning a device by a code that is shown once, as QR, and used once.

use handfast_model::{CompanyId, DeviceId, Duration, SecretText, StaffUserId};
use handfast_store::params;

use crate::staff_action::{Action, NewAction};
use crate::{
    BoxOffice, BoxOfficeError, Device, NewDevice, Result, Thing, device, secret_key, staff_action,
};

/// Provisioning codes begin like this.
const CODE_PREFIX: &str = "HFP1.";
/// How long a code may be used: the walk from the office to the gate.
const CODE_LIFETIME: Duration = Duration::from_minutes(30);

impl BoxOffice {
    /// Registers a device and returns the code that provisions it: for half an hour, once. Its API
    /// key is made when the code is used and is known to the device alone.
    ///
    /// # Errors
    /// As [`BoxOffice::register_device`]; [`BoxOfficeError::Unknown`] for another company's venue.
    pub async fn invite_device(
        &self,
        staff_user_id: StaffUserId,
        new: &NewDevice<'_>,
    ) -> Result<(DeviceId, SecretText)> {
        let company_id = self.company_of_staff(staff_user_id).await?;
        if self.venue(new.venue_id).await?.company_id != company_id {
            return Err(BoxOfficeError::Unknown(Thing::Venue));
        }
        // The key it is registered with is forgotten here: nobody can use it.
        let (id, _) = self.register_device(new).await?;
        let code = self.invite_again(staff_user_id, id).await?;
        Ok((id, code))
    }

    /// A new code for a device that is there: for a new machine, or one that lost its key. Until it
    /// is used the present key goes on working.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for another company's or a revoked device.
    pub async fn invite_again(
        &self,
        staff_user_id: StaffUserId,
        id: DeviceId,
    ) -> Result<SecretText> {
        let (code, hash) = &secret_key::fresh(&*self.random, CODE_PREFIX);
        let now = self.now();
        self.store
            .transaction("provisioning.invite", |tx| {
                Box::pin(async move {
                    let company_id = staff_action::company_of(tx, staff_user_id).await?;
                    let device = device::find(tx, id).await?;
                    if device.company_id != company_id || device.revoked_at.is_some() {
                        return Err(BoxOfficeError::Unknown(Thing::Device));
                    }
                    tx.execute(
                        "INSERT INTO device_invitations (code_hash, device_id, created_at,
                                                         expires_at)
                         VALUES ($1, $2, $3, $4)",
                        params![hash, id, now, now + CODE_LIFETIME],
                    )
                    .await?;
                    let action = NewAction {
                        device_id: Some(id),
                        ..NewAction::by(staff_user_id, Action::SetDevice, "invited")
                    };
                    staff_action::record(tx, company_id, &action, now).await?;
                    Ok(code.clone())
                })
            })
            .await
    }

    /// Uses a provisioning code up: returns the device and its new API key; an older key stops
    /// working.
    ///
    /// # Errors
    /// [`BoxOfficeError::Provisioning`] for a code that is unknown, used or too old.
    pub async fn provision(&self, code: &str) -> Result<(Device, SecretText)> {
        let hash = &secret_key::hash(code.trim()).ok_or(BoxOfficeError::Provisioning)?;
        let (api_key, key_hash) = &device::fresh_api_key(&*self.random);
        let now = self.now();
        let provisioned = self
            .store
            .transaction("provisioning.use", |tx| {
                Box::pin(async move {
                    let sql = "UPDATE device_invitations SET used_at = $2
                               WHERE code_hash = $1 AND used_at IS NULL AND expires_at > $2
                               RETURNING device_id";
                    let device: Option<(DeviceId,)> =
                        tx.fetch_optional(sql, params![hash, now]).await?;
                    let (id,) = device.ok_or(BoxOfficeError::Provisioning)?;
                    let sql = "UPDATE devices SET api_key_hash = $2
                               WHERE id = $1 AND revoked_at IS NULL";
                    if tx.execute(sql, params![id, key_hash]).await? == 0 {
                        return Err(BoxOfficeError::Provisioning);
                    }
                    Ok((device::find(tx, id).await?, api_key.clone()))
                })
            })
            .await?;
        self.forget_keys();
        Ok(provisioned)
    }

    /// Revokes a device of the company for good.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for another company's or a revoked device.
    pub async fn revoke_as_staff(&self, staff_user_id: StaffUserId, id: DeviceId) -> Result<()> {
        let company_id = self.company_of_staff(staff_user_id).await?;
        if self.device(id).await?.company_id != company_id {
            return Err(BoxOfficeError::Unknown(Thing::Device));
        }
        self.revoke_device(id).await?;
        let now = self.now();
        self.store
            .transaction("provisioning.revoke", |tx| {
                Box::pin(async move {
                    let action = NewAction {
                        device_id: Some(id),
                        ..NewAction::by(staff_user_id, Action::SetDevice, "revoked")
                    };
                    staff_action::record(tx, company_id, &action, now).await
                })
            })
            .await
    }

    async fn company_of_staff(&self, id: StaffUserId) -> Result<CompanyId> {
        self.store.read("staff_user.company", |tx| Box::pin(staff_action::company_of(tx, id))).await
    }
}
