//! How much a palm alone may pay: per charge, and in sum over a day and a week. Above it a PIN or
//! the phone is asked for. What was paid with a second factor does not count.

use handfast_model::{AccountId, Currency, Duration, Timestamp, WalletId};
use handfast_store::{Tx, params};

use crate::Till;
use crate::charge::CHARGE_MINOR_MAX;
use crate::error::TillError;
use crate::wallet::wallet_of;

/// What a palm alone may pay, where its owner chose nothing else, in major units: a round of drinks
/// for friends; an evening; a festival week.
const CHARGE_MAJOR: i64 = 100;
const DAY_MAJOR: i64 = 300;
const WEEK_MAJOR: i64 = 800;
/// The yen has no minor unit: its major unit is worth about a hundredth of the others'.
const SMALL_UNIT_FACTOR: i64 = 100;
const DAY: Duration = Duration::from_hours(24);
const WEEK: Duration = Duration::from_days(7);

/// What a palm alone may pay, in minor units of one currency. Zero asks every time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// One charge.
    pub charge_minor: i64,
    /// The last 24 hours.
    pub day_minor: i64,
    /// The last 7 days.
    pub week_minor: i64,
}

impl Limits {
    /// What applies where the owner chose nothing.
    #[must_use]
    pub const fn of(currency: Currency) -> Self {
        let unit = match currency.decimals() {
            0 => SMALL_UNIT_FACTOR,
            decimals => 10_i64.pow(decimals),
        };
        Self {
            charge_minor: CHARGE_MAJOR * unit,
            day_minor: DAY_MAJOR * unit,
            week_minor: WEEK_MAJOR * unit,
        }
    }

    fn fits(self) -> bool {
        let range = 0..=CHARGE_MINOR_MAX;
        [self.charge_minor, self.day_minor, self.week_minor].iter().all(|l| range.contains(l))
            && self.charge_minor <= self.day_minor
            && self.day_minor <= self.week_minor
    }
}

impl Till {
    /// What an account's palm alone may pay in a currency.
    ///
    /// # Errors
    /// [`TillError::NotFound`] without a wallet.
    pub async fn limits(
        &self,
        account: AccountId,
        currency: Currency,
    ) -> Result<Limits, TillError> {
        self.store
            .read("limit.read", |tx| {
                Box::pin(async move {
                    let wallet = wallet_of(tx, account).await?;
                    of_wallet(tx, wallet.id, currency).await
                })
            })
            .await
    }

    /// Sets them.
    ///
    /// # Errors
    /// [`TillError::LimitOutOfRange`], [`TillError::NotFound`] without a wallet.
    pub async fn set_limits(
        &self,
        account: AccountId,
        currency: Currency,
        limits: Limits,
    ) -> Result<(), TillError> {
        if !limits.fits() {
            return Err(TillError::LimitOutOfRange { max_minor: CHARGE_MINOR_MAX });
        }
        self.store
            .transaction("limit.set", |tx| {
                Box::pin(async move {
                    let wallet = wallet_of(tx, account).await?;
                    tx.execute(
                        "INSERT INTO till_limits (wallet_id, currency, charge_max, day_max, \
                         week_max) VALUES ($1, $2, $3, $4, $5) \
                         ON CONFLICT (wallet_id, currency) DO UPDATE SET \
                         charge_max = excluded.charge_max, day_max = excluded.day_max, \
                         week_max = excluded.week_max",
                        params![
                            wallet.id,
                            currency,
                            limits.charge_minor,
                            limits.day_minor,
                            limits.week_minor,
                        ],
                    )
                    .await?;
                    Ok(())
                })
            })
            .await
    }
}

async fn of_wallet(
    tx: &mut Tx<'_>,
    wallet: WalletId,
    currency: Currency,
) -> Result<Limits, TillError> {
    let row: Option<(i64, i64, i64)> = tx
        .fetch_optional(
            "SELECT charge_max, day_max, week_max FROM till_limits \
             WHERE wallet_id = $1 AND currency = $2",
            params![wallet, currency],
        )
        .await?;
    Ok(row.map_or(Limits::of(currency), |(charge_minor, day_minor, week_minor)| Limits {
        charge_minor,
        day_minor,
        week_minor,
    }))
}

/// Whether a palm alone may not pay `minor` more now.
pub(crate) async fn is_above(
    tx: &mut Tx<'_>,
    wallet: WalletId,
    currency: Currency,
    minor: i64,
    now: Timestamp,
) -> Result<bool, TillError> {
    let limits = of_wallet(tx, wallet, currency).await?;
    if minor > limits.charge_minor {
        return Ok(true);
    }
    let (day, week): (i64, i64) = tx
        .fetch_one(
            "SELECT CAST(COALESCE(SUM(CASE WHEN answered_at > $1 THEN amount ELSE 0 END), 0) \
             AS BIGINT), CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM till_charges \
             WHERE wallet_id = $2 AND answered_at > $3 AND currency = $4 AND factor = 'none' \
             AND state IN ('authorising', 'authorised', 'captured', 'unknown')",
            params![now - DAY, wallet, now - WEEK, currency],
        )
        .await?;
    Ok(day + minor > limits.day_minor || week + minor > limits.week_minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_fit_in_every_currency() {
        for currency in Currency::ALL {
            assert!(Limits::of(currency).fits(), "{currency}");
        }
        assert_eq!(Limits::of(Currency::Usd).charge_minor, 10_000);
        assert_eq!(Limits::of(Currency::Jpy).charge_minor, 10_000);
        assert_eq!(Limits::of(Currency::Kwd).charge_minor, 100_000);
    }
}
