//! Paying an order through the till.
//!
//! A payment is asked of the till under a nonce that is written down first. Whatever is cut off in
//! between, asking again under the same nonce finds out what became of it
//! ([`BoxOffice::unresolved_payments`]): an order is never paid twice, and none is lost.

use handfast_model::{AccountId, CompanyId, Currency, DeviceId, Money, OrderId};
use handfast_store::{FromRow, Row, StoreError, Tx, params};

use crate::sale;
use crate::{BoxOffice, BoxOfficeError, OrderState, Result, Thing};

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
}

impl BoxOffice {
    /// Writes down that an order is about to be paid through `register`, before the till is asked;
    /// while a payment is under way, that one again.
    ///
    /// # Errors
    /// [`BoxOfficeError::HoldOver`] where the tickets are held no longer or the order is paid;
    /// [`BoxOfficeError::Unknown`] for another account's order.
    pub async fn begin_payment(
        &self,
        account_id: AccountId,
        id: OrderId,
        register: DeviceId,
    ) -> Result<OrderPayment> {
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
                    let sql = "UPDATE orders SET register_id = $2,
                                      payment_tries = payment_tries + 1,
                                      payment_nonce = id || '-' || CAST(payment_tries + 1 AS TEXT)
                               WHERE id = $1";
                    tx.execute(sql, params![id, register]).await?;
                    payment_of(tx, id).await?.ok_or(BoxOfficeError::HoldOver)
                })
            })
            .await
    }

    /// Says what became of a payment. Paid: the tickets are the buyer's; reconcile armings
    /// afterwards. Not paid: the order may be paid again while its tickets are held.
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
                    tx.execute(sql, params![payment.order_id, payment.nonce, now]).await?;
                    Ok(())
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
                                      payment_nonce AS nonce, amount_minor, currency
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

    /// Registers through which a company's orders are paid.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn sales_registers(&self, company_id: CompanyId) -> Result<Vec<DeviceId>> {
        self.store
            .read("sale.registers", |tx| {
                Box::pin(async move {
                    let sql = "SELECT device_id FROM sales_registers WHERE company_id = $1
                               ORDER BY device_id";
                    let found: Vec<(DeviceId,)> = tx.fetch_all(sql, params![company_id]).await?;
                    Ok(found.into_iter().map(|(id,)| id).collect())
                })
            })
            .await
    }

    /// Names a register through which a company's orders are paid.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for another company's device.
    pub async fn add_sales_register(&self, company_id: CompanyId, id: DeviceId) -> Result<()> {
        if self.device(id).await?.company_id != company_id {
            return Err(BoxOfficeError::Unknown(Thing::Device));
        }
        self.store
            .transaction("sale.add_register", |tx| {
                Box::pin(async move {
                    let sql = "INSERT INTO sales_registers (company_id, device_id)
                               VALUES ($1, $2) ON CONFLICT DO NOTHING";
                    tx.execute(sql, params![company_id, id]).await?;
                    Ok(())
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
        })
    }
}

async fn payment_of(tx: &mut Tx<'_>, id: OrderId) -> Result<Option<OrderPayment>> {
    let sql = "SELECT id AS order_id, account_id, register_id, payment_nonce AS nonce,
                      amount_minor, currency
               FROM orders
               WHERE id = $1 AND state = 'pending' AND payment_nonce IS NOT NULL";
    Ok(tx.fetch_optional(sql, params![id]).await?)
}
