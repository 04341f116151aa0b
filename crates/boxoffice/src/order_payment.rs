//! Paying an order through the till.
//!
//! A payment is asked of the till under a nonce that is written down first. Whatever is cut off in
//! between, asking again under the same nonce finds out what became of it
//! ([`BoxOffice::unresolved_payments`]): an order is never paid twice, and none is lost.

use handfast_model::{
    AccountId, Currency, DeviceId, Duration, Money, OrderId, StaffUserId, Timestamp,
};
use handfast_store::{FromRow, Row, StoreError, Tx, params};

use crate::staff_action::{Action, NewAction};
use crate::{
    BoxOffice, BoxOfficeError, OrderState, Result, Tender, Thing, sale, sales_desk, staff_action,
};

/// How long a payment that was begun may be on its way to the till: whoever pays waits for the answer
/// and is in the same process. Afterwards it was cut off before it arrived.
const ARRIVES_WITHIN: Duration = Duration::from_minutes(1);

/// A payment that is to be asked of the till, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderPayment {
    /// The order.
    pub order_id: OrderId,
    /// Whose wallet pays.
    pub account_id: AccountId,
    /// The register it is asked from.
    pub register: DeviceId,
    /// The request's nonce.
    pub nonce: String,
    /// How much.
    pub amount: Money,
    /// When it was begun; unknown of those from before this was written down.
    pub begun_at: Option<Timestamp>,
}

impl OrderPayment {
    /// Whether it would have arrived at the till by now, had it not been cut off.
    #[must_use]
    pub fn has_had_its_time(&self, now: Timestamp) -> bool {
        self.begun_at.is_none_or(|at| now - at > ARRIVES_WITHIN)
    }
}

impl BoxOffice {
    /// Writes down that an order is about to be paid at its company's desk, before the till is
    /// asked; while a payment is under way, that one again.
    ///
    /// # Errors
    /// [`BoxOfficeError::HoldOver`] where the tickets are held no longer or the order is paid;
    /// [`BoxOfficeError::Unknown`] for another account's order; [`BoxOfficeError::NoSalesDesk`].
    pub async fn begin_payment(&self, account_id: AccountId, id: OrderId) -> Result<OrderPayment> {
        let now = self.now();
        self.store
            .transaction("sale.begin_payment", |tx| {
                Box::pin(async move {
                    let order = sale::find(tx, id).await?;
                    if order.account_id != account_id {
                        return Err(BoxOfficeError::Unknown(Thing::Order));
                    }
                    if let Some(payment) = payment_of(tx, id).await? {
                        return Ok(payment);
                    }
                    let held = order.hold_until.is_some_and(|until| until > now);
                    if order.state != OrderState::Pending || !held {
                        return Err(BoxOfficeError::HoldOver);
                    }
                    let desk = sales_desk::find(tx, order.company_id).await?;
                    let desk = desk.ok_or(BoxOfficeError::NoSalesDesk)?;
                    let sql = "UPDATE orders SET register_id = $2, payment_begun_at = $3,
                                      payment_tries = payment_tries + 1,
                                      payment_nonce = id || '-' || CAST(payment_tries + 1 AS TEXT)
                               WHERE id = $1";
                    tx.execute(sql, params![id, desk.register, now]).await?;
                    payment_of(tx, id).await?.ok_or(BoxOfficeError::HoldOver)
                })
            })
            .await
    }

    /// Says what became of a payment. Paid: the tickets are the buyer's; reconcile armings
    /// afterwards. Not paid, and never to be: the order may be paid
    /// again while its tickets are held.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn end_payment(&self, payment: &OrderPayment, paid: bool) -> Result<()> {
        let now = self.now();
        let sql = match paid {
            true => {
                "UPDATE orders SET state = 'paid', tender = 'till', hold_until = NULL,
                        changed_at = $3
                 WHERE id = $1 AND payment_nonce = $2 AND state = 'pending'"
            }
            false => {
                "UPDATE orders SET payment_nonce = NULL, changed_at = $3
                 WHERE id = $1 AND payment_nonce = $2 AND state = 'pending'"
            }
        };
        self.store
            .transaction("sale.end_payment", |tx| {
                Box::pin(async move {
                    let id = payment.order_id;
                    let ended = tx.execute(sql, params![id, payment.nonce, now]).await?;
                    if paid && ended > 0 {
                        let sql = "UPDATE tickets SET till_minor = price_minor
                                   WHERE order_id = $1";
                        tx.execute(sql, params![id]).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Takes down that an order which waits for its payment was paid at the window: in cash, or at a card
    /// terminal of the house's own. The till takes nothing for it any more.
    ///
    /// # Errors
    /// [`BoxOfficeError::PaidAlready`]; [`BoxOfficeError::PaymentUnderWay`];
    /// [`BoxOfficeError::HoldOver`] where its tickets are held no longer; [`BoxOfficeError::Unknown`] for another company's order; [`BoxOfficeError::Mismatch`]
    /// for a tender that is neither.
    pub async fn pay_by_hand(
        &self,
        staff_user_id: StaffUserId,
        id: OrderId,
        tender: Tender,
    ) -> Result<()> {
        if !matches!(tender, Tender::Cash | Tender::Terminal) {
            return Err(BoxOfficeError::Mismatch);
        }
        let now = self.now();
        self.store
            .transaction("sale.pay_by_hand", |tx| {
                Box::pin(async move {
                    let company_id = staff_action::company_of(tx, staff_user_id).await?;
                    let order = sale::find(tx, id).await?;
                    if order.company_id != company_id {
                        return Err(BoxOfficeError::Unknown(Thing::Order));
                    }
                    let sql = "UPDATE orders SET state = 'paid', tender = $2, hold_until = NULL,
                                      changed_at = $3
                               WHERE id = $1 AND state = 'pending' AND payment_nonce IS NULL
                                 AND hold_until > $3";
                    if tx.execute(sql, params![id, tender, now]).await? == 0 {
                        return Err(match order.state {
                            OrderState::Paid => BoxOfficeError::PaidAlready,
                            OrderState::Pending if payment_of(tx, id).await?.is_some() => {
                                BoxOfficeError::PaymentUnderWay
                            }
                            _ => BoxOfficeError::HoldOver,
                        });
                    }
                    let said = format!("{tender}: an order that waited for its payment");
                    let action = NewAction {
                        event_id: Some(order.event_id),
                        ..NewAction::by(staff_user_id, Action::Sell, &said)
                    };
                    staff_action::record(tx, company_id, &action, now).await
                })
            })
            .await
    }

    /// Payments that are not known to have ended: to be asked about.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn unresolved_payments(&self) -> Result<Vec<OrderPayment>> {
        self.store
            .read("sale.unresolved", |tx| {
                Box::pin(async move {
                    let sql = "SELECT id AS order_id, account_id, register_id,
                                      payment_nonce AS nonce, amount_minor, currency,
                                      payment_begun_at
                               FROM orders
                               WHERE state = 'pending' AND payment_nonce IS NOT NULL
                               ORDER BY id";
                    Ok(tx.fetch_all(sql, params![]).await?)
                })
            })
            .await
    }

    /// Cancels orders whose tickets were held and not paid: how many.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn release_holds(&self) -> Result<u64> {
        let now = self.now();
        self.store
            .transaction("sale.release_holds", |tx| {
                Box::pin(async move {
                    let sql = "UPDATE orders SET state = 'cancelled', changed_at = $1
                               WHERE state = 'pending' AND hold_until <= $1
                                 AND payment_nonce IS NULL";
                    Ok(tx.execute(sql, params![now]).await?)
                })
            })
            .await
    }
}

impl FromRow for OrderPayment {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let currency: Currency = row.get("currency")?;
        Ok(Self {
            order_id: row.get("order_id")?,
            account_id: row.get("account_id")?,
            register: row.get("register_id")?,
            nonce: row.get("nonce")?,
            amount: Money::new(row.get("amount_minor")?, currency),
            begun_at: row.get("payment_begun_at")?,
        })
    }
}

async fn payment_of(tx: &mut Tx<'_>, id: OrderId) -> Result<Option<OrderPayment>> {
    let sql = "SELECT id AS order_id, account_id, register_id, payment_nonce AS nonce,
                      amount_minor, currency, payment_begun_at
               FROM orders
               WHERE id = $1 AND state = 'pending' AND payment_nonce IS NOT NULL";
    Ok(tx.fetch_optional(sql, params![id]).await?)
}
