//! What people see of their payments: receipts, the list of payments, every use of money.

use handfast_model::{AccountId, ChargeId, Money, Timestamp};
use handfast_store::params;

use crate::Till;
use crate::charge::{Charge, ChargeStatus, select_charges};
use crate::error::{Thing, TillError};
use crate::line::{self, ChargeLine};
use crate::state::ChargeState;
use crate::text::ReceiptKey;
use crate::wallet::find_wallet;

/// How many payments a person's page lists.
const PAYMENTS_MAX: i64 = 100;

/// A payment receipt: whoever has its key may read it, so it names no person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Where it was paid.
    pub shop_name: String,
    /// The charge's number at the counter.
    pub number: i64,
    /// What for.
    pub description: String,
    /// How much.
    pub amount: Money,
    /// Of it, paid with credit.
    pub credit_used: Option<Money>,
    /// Of it, paid through the gateway.
    pub charged: Money,
    /// When it was paid.
    pub at: Timestamp,
    /// Paid, or refunded.
    pub status: ChargeStatus,
    /// When money went back, if it did.
    pub refunded_at: Option<Timestamp>,
    /// What went back.
    pub refunded: Money,
    /// Of the amount, tip.
    pub tip: Money,
    /// Beside the amount, paid in cash.
    pub cash: Money,
    /// Tax in the sale, where lines are known.
    pub tax: Money,
    /// What a discount took off.
    pub discount: Money,
    /// The discount's name.
    pub discount_name: Option<String>,
    /// What was sold, where the register said it.
    pub lines: Vec<ChargeLine>,
}

/// What happened to money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoneyUseKind {
    /// A charge was paid.
    Paid,
    /// Money came back.
    Refunded,
}

/// One use of a wallet, for its owner's list of uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoneyUse {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: MoneyUseKind,
    /// Where.
    pub shop_name: String,
    /// How much.
    pub amount: Money,
    /// The charge.
    pub charge: ChargeId,
}

impl Till {
    /// The receipt that a key opens.
    ///
    /// # Errors
    /// [`TillError::NotFound`] where no paid charge has that key.
    pub async fn receipt(&self, key: &ReceiptKey) -> Result<Receipt, TillError> {
        let now = self.now();
        let (charge, lines) = self
            .store
            .read("receipt.read", |tx| {
                Box::pin(async move {
                    let charge: Option<Charge> = tx
                        .fetch_optional(
                            select_charges!("WHERE c.receipt_key = $1 AND c.state = 'captured'"),
                            params![key],
                        )
                        .await?;
                    let charge = charge.ok_or(TillError::NotFound(Thing::Receipt))?;
                    let lines = line::of_charge(tx, charge.id).await?;
                    Ok::<_, TillError>((charge, lines))
                })
            })
            .await?;
        Ok(Receipt {
            refunded: charge.refunded,
            tip: charge.tip,
            cash: charge.cash,
            tax: charge.tax,
            discount: charge.discount,
            discount_name: charge.discount_name.clone(),
            lines,
            number: charge.number,
            amount: charge.amount,
            credit_used: charge.credit_used(),
            charged: charge.card_part,
            at: charge.closed_at.unwrap_or(charge.created_at),
            status: charge.status(now),
            refunded_at: charge.refunded_at,
            shop_name: charge.shop_name,
            description: charge.description,
        })
    }

    /// The account's charges that a hand of theirs answered, newest first.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn payments(&self, account: AccountId) -> Result<Vec<Charge>, TillError> {
        self.store
            .read("payment.list", |tx| {
                Box::pin(async move {
                    let Some(wallet) = find_wallet(tx, account).await? else {
                        return Ok(Vec::new());
                    };
                    Ok(tx
                        .fetch_all(
                            select_charges!(
                                "WHERE c.wallet_id = $1 ORDER BY c.charge_id DESC LIMIT $2"
                            ),
                            params![wallet.id, PAYMENTS_MAX],
                        )
                        .await?)
                })
            })
            .await
    }

    /// What was paid and what came back, newest first.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn money_uses(&self, account: AccountId) -> Result<Vec<MoneyUse>, TillError> {
        let charges = self.payments(account).await?;
        let paid = |charge: &&Charge| charge.state == ChargeState::Captured;
        let mut uses: Vec<MoneyUse> = charges.iter().filter(paid).flat_map(uses_of).collect();
        uses.sort_by_key(|money_use| std::cmp::Reverse(money_use.at));
        Ok(uses)
    }
}

fn uses_of(charge: &Charge) -> Vec<MoneyUse> {
    let money_use = |at, kind, amount| MoneyUse {
        at,
        kind,
        shop_name: charge.shop_name.clone(),
        amount,
        charge: charge.id,
    };
    let at = charge.closed_at.unwrap_or(charge.created_at);
    let mut uses = vec![money_use(at, MoneyUseKind::Paid, charge.amount)];
    if let Some(at) = charge.refunded_at {
        uses.push(money_use(at, MoneyUseKind::Refunded, charge.refunded));
    }
    uses
}
