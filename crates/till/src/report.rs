//! The end of a shop's day: what was sold, tipped, taken in cash and by card, given back.

use handfast_model::{DeviceId, Duration, Money, ShopId, Timestamp};
use handfast_store::{FromRow, Row, StoreError, Tx, params};
use serde::{Deserialize, Serialize};

use crate::Till;
use crate::charge::{Charge, select_charges};
use crate::error::TillError;
use crate::shop::{Shop, register, shop};

const MINUTE_MICROS: i64 = 60 * 1_000_000;
const DAY_MICROS: i64 = 24 * 60 * MINUTE_MICROS;
/// How long after its end a day is closed: a charge or a refund of its last second looked at the
/// clock before its transaction, which no request waits for that long.
const SETTLES_WITHIN: Duration = Duration::from_minutes(10);

/// The sums of a day, or of one register's day, in minor units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaySums {
    /// Charges that were paid.
    pub charges: i64,
    /// Paid by palm or phone, tips included.
    pub taken: i64,
    /// Of it, by credit.
    pub by_credit: i64,
    /// Of it, by the gateway.
    pub by_card: i64,
    /// Of it, tips.
    pub tips: i64,
    /// Paid by promotions in the person's place.
    pub discounts: i64,
    /// Beside it, in cash.
    pub cash: i64,
    /// Tax in all of it, where registers sent lines.
    pub tax: i64,
    /// Refunds that were given that day, of whatever day's charges.
    pub refunds: i64,
    /// What they gave back.
    pub given_back: i64,
}

impl FromRow for DaySums {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            charges: row.get("charges")?,
            taken: row.get("taken")?,
            by_credit: row.get("by_credit")?,
            by_card: row.get("by_card")?,
            tips: row.get("tips")?,
            discounts: row.get("discounts")?,
            cash: row.get("cash")?,
            tax: row.get("tax")?,
            refunds: 0,
            given_back: 0,
        })
    }
}

/// A shop's day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayReport {
    /// Whose.
    pub shop: Shop,
    /// Which day, counted from 1970-01-01 in the shop's local time.
    pub day: i64,
    /// The sums.
    pub sums: DaySums,
    /// Charges of the day without an end: the day is not over for these.
    pub open: i64,
    /// When the day was closed, if it was.
    pub closed_at: Option<Timestamp>,
}

impl DayReport {
    /// A sum of it as money.
    #[must_use]
    pub const fn money(&self, minor: i64) -> Money {
        Money::new(minor, self.shop.currency)
    }
}

/// The shop's local day at a time, counted from 1970-01-01.
pub(crate) fn day_of(shop: &Shop, at: Timestamp) -> i64 {
    let offset = i64::from(shop.utc_offset_minutes) * MINUTE_MICROS;
    at.as_micros().saturating_add(offset).div_euclid(DAY_MICROS)
}

fn bounds(shop: &Shop, day: i64) -> (Timestamp, Timestamp) {
    let offset = i64::from(shop.utc_offset_minutes) * MINUTE_MICROS;
    let start = day.saturating_mul(DAY_MICROS).saturating_sub(offset);
    (Timestamp::from_micros(start), Timestamp::from_micros(start.saturating_add(DAY_MICROS)))
}

impl Till {
    /// A day of the register's shop; today where no day is named.
    ///
    /// # Errors
    /// [`TillError::NotFound`] where the device is no register.
    pub async fn day_report(
        &self,
        device: DeviceId,
        day: Option<i64>,
    ) -> Result<DayReport, TillError> {
        let now = self.now();
        self.store
            .read("report.day", |tx| {
                Box::pin(async move {
                    let at = register(tx, device).await?;
                    let shop = shop(tx, at.shop).await?;
                    let day = day.unwrap_or_else(|| day_of(&shop, now));
                    match closed(tx, &shop, day).await? {
                        Some(report) => Ok(report),
                        None => compute(tx, shop, day).await,
                    }
                })
            })
            .await
    }

    /// The charges of a day of the register's shop, by number.
    ///
    /// # Errors
    /// [`TillError::NotFound`] where the device is no register.
    pub async fn charges_of_day(
        &self,
        device: DeviceId,
        day: i64,
    ) -> Result<Vec<Charge>, TillError> {
        self.store
            .read("report.charges", |tx| {
                Box::pin(async move {
                    let at = register(tx, device).await?;
                    Ok(tx
                        .fetch_all(
                            select_charges!(
                                "WHERE c.shop_id = $1 AND c.day = $2 ORDER BY c.number"
                            ),
                            params![at.shop, day],
                        )
                        .await?)
                })
            })
            .await
    }

    /// Closes every day that is over and whose charges have all ended: its report is kept as it is
    /// now and never changes. How many were closed. Call it now and then.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn close_days_due(&self) -> Result<usize, TillError> {
        let now = self.now();
        let candidates: Vec<(ShopId, i64)> = self
            .store
            .read("report.due", |tx| {
                Box::pin(async move {
                    tx.fetch_all(
                        "SELECT d.shop_id, d.day FROM till_shop_days d \
                         LEFT JOIN till_day_closes c ON c.shop_id = d.shop_id AND c.day = d.day \
                         WHERE c.day IS NULL ORDER BY d.day LIMIT 100",
                        params![],
                    )
                    .await
                })
            })
            .await
            .map_err(TillError::Store)?;
        let mut count = 0;
        for (id, day) in candidates {
            let did = self
                .store
                .transaction("report.close", |tx| Box::pin(close_if_over(tx, id, day, now)))
                .await?;
            count += usize::from(did);
        }
        Ok(count)
    }
}

async fn close_if_over(
    tx: &mut Tx<'_>,
    id: ShopId,
    day: i64,
    now: Timestamp,
) -> Result<bool, TillError> {
    let shop = shop(tx, id).await?;
    if day >= day_of(&shop, now - SETTLES_WITHIN) {
        return Ok(false);
    }
    let report = compute(tx, shop, day).await?;
    if report.open > 0 {
        return Ok(false);
    }
    let text = serde_json::to_string(&report.sums)
        .map_err(|_| TillError::Corrupt { column: "till_day_closes.report" })?;
    tx.execute(
        "INSERT INTO till_day_closes (shop_id, day, closed_at, report) VALUES ($1, $2, $3, $4) \
         ON CONFLICT DO NOTHING",
        params![id, day, now, text],
    )
    .await?;
    Ok(true)
}

async fn closed(tx: &mut Tx<'_>, shop: &Shop, day: i64) -> Result<Option<DayReport>, TillError> {
    let row: Option<(Timestamp, String)> = tx
        .fetch_optional(
            "SELECT closed_at, report FROM till_day_closes WHERE shop_id = $1 AND day = $2",
            params![shop.id, day],
        )
        .await?;
    let Some((closed_at, text)) = row else { return Ok(None) };
    let sums = serde_json::from_str(&text)
        .map_err(|_| TillError::Corrupt { column: "till_day_closes.report" })?;
    Ok(Some(DayReport { shop: shop.clone(), day, sums, open: 0, closed_at: Some(closed_at) }))
}

async fn compute(tx: &mut Tx<'_>, shop: Shop, day: i64) -> Result<DayReport, TillError> {
    let mut sums: DaySums = tx
        .fetch_one(
            "SELECT COUNT(*) AS charges, CAST(COALESCE(SUM(amount), 0) AS BIGINT) AS taken, \
             CAST(COALESCE(SUM(credit_part), 0) AS BIGINT) AS by_credit, \
             CAST(COALESCE(SUM(card_part), 0) AS BIGINT) AS by_card, \
             CAST(COALESCE(SUM(tip), 0) AS BIGINT) AS tips, \
             CAST(COALESCE(SUM(discount), 0) AS BIGINT) AS discounts, \
             CAST(COALESCE(SUM(cash), 0) AS BIGINT) AS cash, \
             CAST(COALESCE(SUM(tax), 0) AS BIGINT) AS tax \
             FROM till_charges WHERE shop_id = $1 AND day = $2 AND state = 'captured'",
            params![shop.id, day],
        )
        .await?;
    let (from, until) = bounds(&shop, day);
    // CROSS JOIN makes SQLite begin with the day's refunds: it would walk all charges that the shop ever
    // had, which grow by the day.
    (sums.refunds, sums.given_back) = tx
        .fetch_one(
            "SELECT COUNT(*), CAST(COALESCE(SUM(r.credit_part + r.card_part), 0) AS BIGINT) \
             FROM till_refunds r CROSS JOIN till_charges c WHERE c.charge_id = r.charge_id \
             AND c.shop_id = $1 AND r.state = 'done' AND r.closed_at >= $2 AND r.closed_at < $3",
            params![shop.id, from, until],
        )
        .await?;
    let (open,): (i64,) = tx
        .fetch_one(
            "SELECT COUNT(*) FROM till_charges WHERE shop_id = $1 AND day = $2 AND state IN \
             ('requested', 'identified', 'authorising', 'authorised', 'unknown')",
            params![shop.id, day],
        )
        .await?;
    Ok(DayReport { shop, day, sums, open, closed_at: None })
}
