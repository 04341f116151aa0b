//! A verified age: "at least so many years", who saw the proof, until when it counts. No date of
//! birth anywhere.

use handfast_model::{ChargeId, DeviceId, Duration, Timestamp, WalletId};
use handfast_store::{FromRow, Row, StoreError, Tx, params};

use crate::Till;
use crate::charge::charge_at_shop;
use crate::error::{Thing, TillError};

/// How long a look at somebody's papers counts: a season.
pub const AGE_COUNTS: Duration = Duration::from_days(365);

/// What is known of a wallet owner's age.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownAge {
    /// At least so many years.
    pub years: i64,
    /// Who saw the proof: a shop's name.
    pub verified_by: String,
    /// Until when it counts.
    pub until: Timestamp,
}

impl FromRow for KnownAge {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            years: row.get("years")?,
            verified_by: row.get("verified_by")?,
            until: row.get("until")?,
        })
    }
}

pub(crate) async fn of_wallet(
    tx: &mut Tx<'_>,
    wallet: WalletId,
) -> Result<Option<KnownAge>, TillError> {
    Ok(tx
        .fetch_optional(
            "SELECT years, verified_by, until FROM till_ages WHERE wallet_id = $1",
            params![wallet],
        )
        .await?)
}

/// Whether the wallet's owner is known to be at least `years` old. Nothing else of it is told.
pub(crate) async fn is_known(
    tx: &mut Tx<'_>,
    wallet: WalletId,
    years: i64,
    now: Timestamp,
) -> Result<bool, TillError> {
    let known = of_wallet(tx, wallet).await?;
    Ok(known.is_some_and(|known| known.years >= years && now < known.until))
}

impl Till {
    /// Staff at a register looked at the papers of whoever paid (or answered) a charge: their age
    /// is known from now on, without a date of birth.
    ///
    /// # Errors
    /// [`TillError::NotFound`] where the charge is not this shop's or nobody answered it.
    pub async fn verify_age(
        &self,
        device: DeviceId,
        charge: ChargeId,
        years: u8,
    ) -> Result<(), TillError> {
        let now = self.now();
        self.store
            .transaction("age.verify", |tx| {
                Box::pin(async move {
                    let charge = charge_at_shop(tx, device, charge).await?;
                    let wallet = charge.wallet.ok_or(TillError::NotFound(Thing::Wallet))?;
                    tx.execute(
                        "INSERT INTO till_ages (wallet_id, years, verified_by, verified_at, until) \
                         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (wallet_id) DO UPDATE SET \
                         years = excluded.years, verified_by = excluded.verified_by, \
                         verified_at = excluded.verified_at, until = excluded.until",
                        params![wallet, i64::from(years), charge.shop_name, now, now + AGE_COUNTS],
                    )
                    .await?;
                    Ok(())
                })
            })
            .await
    }
}
