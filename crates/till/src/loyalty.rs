//! Loyalty numbers in a wallet, and the discounts that shops give on them: taken off what the palm
//! pays, and paid to the shop out of a promotion's own funds, as a transfer.

use handfast_model::{AccountId, Currency, Money, ShopId, Timestamp, WalletId};
use handfast_store::{FromRow, Row, StoreError, Tx, params};

use crate::Till;
use crate::charge::Charge;
use crate::error::TillError;
use crate::ledger::{self, LedgerAccountKind};
use crate::shop::shop;
use crate::text::Label;
use crate::wallet::wallet_of;

/// A loyalty number of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoyaltyNumber {
    /// The program's name.
    pub program: String,
    /// The number on its card.
    pub number: String,
}

impl FromRow for LoyaltyNumber {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { program: row.get("program")?, number: row.get("number")? })
    }
}

/// What a discount takes off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Off {
    /// So many minor units.
    Fixed(i64),
    /// So many percent, 1 to 100; rounded down.
    Percent(i64),
}

/// A discount's terms. It is funded under its name as a promotion is ([`Till::fund_discount`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discount {
    /// Its name: what the receipt says.
    pub name: Label,
    /// Where.
    pub shop: ShopId,
    /// For whom: holders of a number of this program.
    pub program: Label,
    /// What it takes off.
    pub off: Off,
    /// From when.
    pub starts_at: Timestamp,
    /// Until when.
    pub ends_at: Timestamp,
}

/// What a discount comes to on one charge.
pub(crate) struct Given {
    pub name: String,
    pub minor: i64,
}

struct DiscountRow {
    name: String,
    fixed: Option<i64>,
    percent: Option<i64>,
}

impl FromRow for DiscountRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            name: row.get("name")?,
            fixed: row.get_optional("fixed")?,
            percent: row.get_optional("percent")?,
        })
    }
}

impl DiscountRow {
    /// At least one minor unit stays to be paid: a charge of nothing is none.
    fn off(&self, asked: i64) -> i64 {
        let off = match (self.fixed, self.percent) {
            (Some(fixed), _) => fixed,
            (None, Some(percent)) => asked / 100 * percent + asked % 100 * percent / 100,
            (None, None) => 0,
        };
        off.clamp(0, asked - 1)
    }
}

impl Till {
    /// Keeps a loyalty number in the account's wallet; a program has one number a wallet.
    ///
    /// # Errors
    /// [`TillError::NotFound`] without a wallet, [`TillError::LoyaltyTaken`].
    pub async fn set_loyalty(
        &self,
        account: AccountId,
        program: &Label,
        number: &Label,
    ) -> Result<(), TillError> {
        let now = self.now();
        self.store
            .transaction("loyalty.set", |tx| {
                Box::pin(async move {
                    let wallet = wallet_of(tx, account).await?;
                    let (program, number) = (program.as_str(), number.as_str());
                    let owner: Option<(WalletId,)> = tx
                        .fetch_optional(
                            "SELECT wallet_id FROM till_loyalty \
                             WHERE program = $1 AND number = $2",
                            params![program, number],
                        )
                        .await?;
                    match owner {
                        Some((owner,)) if owner == wallet.id => return Ok(()),
                        Some(_) => return Err(TillError::LoyaltyTaken),
                        None => {}
                    }
                    tx.execute(
                        "INSERT INTO till_loyalty (wallet_id, program, number, added_at) \
                         VALUES ($1, $2, $3, $4) ON CONFLICT (wallet_id, program) \
                         DO UPDATE SET number = excluded.number",
                        params![wallet.id, program, number, now],
                    )
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    /// Forgets a loyalty number. Unknown, no harm.
    ///
    /// # Errors
    /// [`TillError::NotFound`] without a wallet.
    pub async fn forget_loyalty(&self, account: AccountId, program: &str) -> Result<(), TillError> {
        self.store
            .transaction("loyalty.forget", |tx| {
                Box::pin(async move {
                    let wallet = wallet_of(tx, account).await?;
                    tx.execute(
                        "DELETE FROM till_loyalty WHERE wallet_id = $1 AND program = $2",
                        params![wallet.id, program],
                    )
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    /// Sets up a discount, without money yet. A repeat of the same terms is harmless.
    ///
    /// # Errors
    /// [`TillError::DiscountTerms`], [`TillError::NotFound`] for an unknown shop.
    pub async fn create_discount(&self, discount: &Discount) -> Result<(), TillError> {
        let fits = match discount.off {
            Off::Fixed(minor) => minor > 0,
            Off::Percent(percent) => (1..=100).contains(&percent),
        };
        if !fits || discount.starts_at >= discount.ends_at {
            return Err(TillError::DiscountTerms(
                "it takes off more than nothing, at most 100 percent, and starts before it ends",
            ));
        }
        self.store.transaction("discount.create", |tx| Box::pin(create(tx, discount))).await
    }
}

async fn create(tx: &mut Tx<'_>, discount: &Discount) -> Result<(), TillError> {
    let at = shop(tx, discount.shop).await?;
    let (fixed, percent) = match discount.off {
        Off::Fixed(minor) => (Some(minor), None),
        Off::Percent(percent) => (None, Some(percent)),
    };
    tx.execute(
        "INSERT INTO till_discounts (name, shop_id, program, currency, fixed, percent, starts_at, \
         ends_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        params![
            discount.name.as_str(),
            discount.shop,
            discount.program.as_str(),
            at.currency,
            fixed,
            percent,
            discount.starts_at,
            discount.ends_at,
        ],
    )
    .await?;
    let same: Option<(String,)> = tx
        .fetch_optional(
            "SELECT name FROM till_discounts WHERE name = $1 AND shop_id = $2 AND program = $3 \
             AND COALESCE(fixed, 0) = $4 AND COALESCE(percent, 0) = $5 AND starts_at = $6 \
             AND ends_at = $7",
            params![
                discount.name.as_str(),
                discount.shop,
                discount.program.as_str(),
                fixed.unwrap_or(0),
                percent.unwrap_or(0),
                discount.starts_at,
                discount.ends_at,
            ],
        )
        .await?;
    match same {
        Some(_) => Ok(()),
        None => {
            Err(TillError::DiscountTerms("another discount of that name exists; choose a new name"))
        }
    }
}

pub(crate) async fn of_wallet(
    tx: &mut Tx<'_>,
    wallet: WalletId,
) -> Result<Vec<LoyaltyNumber>, TillError> {
    Ok(tx
        .fetch_all(
            "SELECT program, number FROM till_loyalty WHERE wallet_id = $1 ORDER BY program",
            params![wallet],
        )
        .await?)
}

pub(crate) async fn currency_of(
    tx: &mut Tx<'_>,
    name: &Label,
) -> Result<Option<Currency>, TillError> {
    let found: Option<(Currency,)> = tx
        .fetch_optional(
            "SELECT currency FROM till_discounts WHERE name = $1",
            params![name.as_str()],
        )
        .await?;
    Ok(found.map(|(currency,)| currency))
}

/// The best discount that this wallet has at this charge's shop now, if it is funded.
pub(crate) async fn best(
    tx: &mut Tx<'_>,
    charge: &Charge,
    wallet: WalletId,
    now: Timestamp,
) -> Result<Option<Given>, TillError> {
    let rows: Vec<DiscountRow> = tx
        .fetch_all(
            "SELECT d.name, d.fixed, d.percent FROM till_discounts d \
             JOIN till_loyalty l ON l.program = d.program \
             WHERE d.shop_id = $1 AND l.wallet_id = $2 AND d.starts_at <= $3 AND d.ends_at > $3 \
             AND d.currency = $4 ORDER BY d.name",
            params![charge.shop, wallet, now, charge.asked.currency],
        )
        .await?;
    // A tip is the staff's: nothing is taken off it.
    let sale = charge.asked.minor - charge.tip.minor;
    let Some(best) = rows.iter().max_by_key(|row| row.off(sale)) else { return Ok(None) };
    let minor = best.off(sale);
    let kind = LedgerAccountKind::Promotion;
    let funds = ledger::find_account(tx, kind, &best.name, charge.asked.currency).await?;
    let Some(funds) = funds else { return Ok(None) };
    let funded = ledger::available(tx, funds).await? >= minor;
    Ok((funded && minor > 0).then(|| Given { name: best.name.clone(), minor }))
}

impl Till {
    /// Gives a discount money. `transfer` is the caller's id: a repeat is harmless.
    ///
    /// # Errors
    /// As [`Till::fund_promotion`].
    pub async fn fund_discount(
        &self,
        name: &Label,
        amount: Money,
        transfer: handfast_model::TransferId,
    ) -> Result<(), TillError> {
        self.fund_promotion(name, amount, transfer).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percents_round_down_and_something_is_left_to_pay() {
        let percent =
            |percent| DiscountRow { name: String::new(), fixed: None, percent: Some(percent) };
        assert_eq!(percent(10).off(1_234), 123);
        assert_eq!(percent(100).off(1_234), 1_233);
        assert_eq!(percent(33).off(1), 0);
        assert_eq!(percent(99).off(100_000_000), 99_000_000);
        let fixed = DiscountRow { name: String::new(), fixed: Some(500), percent: None };
        assert_eq!((fixed.off(501), fixed.off(500), fixed.off(3)), (500, 499, 2));
    }
}
