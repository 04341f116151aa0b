//! Between box office and till: an order is paid, or money is given back for it. Box office and till
//! each decide; this carries from one to the other, again and again until both agree.
//!
//! A payment is asked of the till under a nonce that the box office wrote down first. Before the box
//! office forgets a nonce, the till closes it ([`handfast_till::Till::close_order`]): whoever is late
//! with it pays nothing.

use std::time::Duration as StdDuration;

use handfast_boxoffice::{
    BoxOfficeError, Company, NewSalesDesk, ORDER_MINOR_MAX, OrderPayment, OwedRefund, SoldOrder,
};
use handfast_model::{AccountId, Currency, OrderId, ShopId, VenueId};
use handfast_till::{
    CHARGE_MINOR_MAX, Charge, ChargeStatus, Description, Label, NewShop, Nonce, PayOutcome,
    RefundOrder, RefundState, TillError, TurnedAway,
};
use thiserror::Error;

use crate::hub::{Hub, SharedHub};

/// How often orders are looked after; what a request changes is carried at once, this is for time
/// passing and for what was cut off.
const ORDERS_EVERY: StdDuration = StdDuration::from_secs(5);
/// What a bank statement says.
const FOR_TICKETS: &str = "Tickets";

const _: () = assert!(ORDER_MINOR_MAX <= CHARGE_MINOR_MAX);

/// Why a payment could not be carried out.
#[derive(Debug, Error)]
pub(crate) enum SalesError {
    #[error(transparent)]
    BoxOffice(#[from] BoxOfficeError),
    #[error(transparent)]
    Till(#[from] TillError),
    #[error("a text of an order does not fit the till")]
    Text(#[from] handfast_till::TextError),
    #[error("the shop of a sales desk has no name that the till knows")]
    Shop(#[from] handfast_model::IdError),
    #[error("a refund's payment is not known to the till")]
    NoPayment,
}

/// What came of a payment.
pub(crate) enum Paid {
    /// The tickets are the buyer's.
    Yes,
    /// Not known yet: it is found out, and nobody pays twice.
    Unknown,
    /// The bank said no.
    Declined,
    /// The wallet cannot pay it.
    TurnedAway(TurnedAway),
}

/// What a round left as it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeftOver {
    /// Payments that could not be looked into.
    pub(crate) payments: usize,
    /// Refunds that could not be carried out.
    pub(crate) refunds: usize,
}

impl Hub {
    /// Lets a company take money for orders: a shop at its venue with a register that stands nowhere.
    /// A repetition, also of one that was cut off, makes nothing twice.
    pub(crate) async fn open_sales(
        &self,
        company: &Company,
        venue: VenueId,
        currency: Currency,
    ) -> Result<(), SalesError> {
        let reference = ShopId::new(&*self.clock, &*self.random).to_string();
        let new = NewSalesDesk { venue_id: venue, shop_reference: &reference, currency };
        let desk = self.boxoffice.open_sales_desk(company.id, &new).await?;
        // Of desks from before, the till made the shop first: it is there.
        let Some(reference) = desk.shop_reference else { return Ok(()) };
        let shop: ShopId = reference.parse()?;
        let name: String = format!("{} online", company.name).chars().take(60).collect();
        let new = NewShop {
            venue: desk.venue_id,
            name: Label::parse(&name)?,
            currency: desk.currency,
            utc_offset_minutes: self.boxoffice.venue_offset(desk.venue_id).await?,
        };
        self.till.add_shop_as(shop, &new).await?;
        Ok(self.till.add_register(desk.register, shop).await?)
    }

    /// Pays an order from its buyer's wallet. A repetition pays nothing again.
    pub(crate) async fn pay_order(
        &self,
        account: AccountId,
        order: &SoldOrder,
    ) -> Result<Paid, SalesError> {
        let payment = self.boxoffice.begin_payment(account, order.id).await?;
        let request = handfast_till::OrderPayment {
            register: payment.register,
            account: payment.account_id,
            amount: payment.amount,
            description: Description::parse(FOR_TICKETS)?,
            nonce: Nonce::parse(&payment.nonce)?,
        };
        let paid = match self.till.pay_order(&request).await? {
            PayOutcome::Paid(_) => self.end_payment(&payment, Paid::Yes).await?,
            PayOutcome::Declined(_) => self.end_payment(&payment, Paid::Declined).await?,
            PayOutcome::TurnedAway(why) => self.give_up(&payment, Paid::TurnedAway(why)).await?,
            PayOutcome::Held(_)
            | PayOutcome::Unknown(_)
            | PayOutcome::InProgress(_)
            | PayOutcome::AcceptedOffline(_)
            | PayOutcome::SecondFactor(_) => Paid::Unknown,
        };
        if matches!(paid, Paid::Yes) {
            self.arm_for_orders().await;
        }
        Ok(paid)
    }

    /// Finds out what became of payments that were cut off, pays back what is owed, and lets go of
    /// tickets that nobody paid for. What fails is left for the next round and holds up nobody else.
    pub(crate) async fn look_after_orders(&self) -> Result<LeftOver, SalesError> {
        let mut left = LeftOver::default();
        let mut paid_any = false;
        for payment in self.boxoffice.unresolved_payments().await? {
            match self.find_out(&payment).await {
                Ok(paid) => paid_any |= matches!(paid, Paid::Yes),
                Err(error) => {
                    tracing::debug!(%error, "an order's payment could not be looked into");
                    left.payments += 1;
                }
            }
        }
        left.refunds = self.give_back(None).await?;
        self.boxoffice.release_holds().await?;
        if paid_any {
            self.arm_for_orders().await;
        }
        Ok(left)
    }

    /// Gives back what is owed, of one order or of all; how much could not be.
    pub(crate) async fn give_back(&self, of: Option<OrderId>) -> Result<usize, SalesError> {
        let mut left = 0;
        for owed in self.boxoffice.owed_refunds().await? {
            if of.is_some_and(|of| of != owed.order_id) {
                continue;
            }
            if let Err(error) = self.carry_refund(&owed).await {
                tracing::debug!(%error, "money for a ticket could not be given back");
                left += 1;
            }
        }
        Ok(left)
    }

    /// What became of a payment that may have been cut off anywhere.
    async fn find_out(&self, payment: &OrderPayment) -> Result<Paid, SalesError> {
        let nonce = Nonce::parse(&payment.nonce)?;
        match self.till.order_charge(payment.register, &nonce).await? {
            Some(charge) => self.end_as(payment, &charge).await,
            // Somebody may be about to send it.
            None if !payment.has_had_its_time(self.clock.now()) => Ok(Paid::Unknown),
            None => self.give_up(payment, Paid::Declined).await,
        }
    }

    /// Ends a payment that did not begin, so that it never does; one that began in the same moment
    /// ends as its charge does.
    async fn give_up(&self, payment: &OrderPayment, why: Paid) -> Result<Paid, SalesError> {
        let nonce = Nonce::parse(&payment.nonce)?;
        match self.till.close_order(payment.register, &nonce).await? {
            Some(charge) => self.end_as(payment, &charge).await,
            None => self.end_payment(payment, why).await,
        }
    }

    async fn end_as(&self, payment: &OrderPayment, charge: &Charge) -> Result<Paid, SalesError> {
        match charge.status(self.clock.now()) {
            ChargeStatus::Captured | ChargeStatus::Refunded => {
                self.end_payment(payment, Paid::Yes).await
            }
            ChargeStatus::Declined
            | ChargeStatus::Cancelled
            | ChargeStatus::Expired
            | ChargeStatus::Voided => self.end_payment(payment, Paid::Declined).await,
            ChargeStatus::Requested
            | ChargeStatus::Identified
            | ChargeStatus::Authorising
            | ChargeStatus::Authorised
            | ChargeStatus::Unknown
            | ChargeStatus::AcceptedOffline => Ok(Paid::Unknown),
        }
    }

    async fn end_payment(&self, payment: &OrderPayment, paid: Paid) -> Result<Paid, SalesError> {
        self.boxoffice.end_payment(payment, matches!(paid, Paid::Yes)).await?;
        Ok(paid)
    }

    async fn carry_refund(&self, owed: &OwedRefund) -> Result<(), SalesError> {
        let Some(payment) = &owed.payment else {
            // Paid by hand, and handed out at the window: written down before this was done at once.
            return Ok(self.boxoffice.refund_paid(owed).await?);
        };
        let nonce = Nonce::parse(&payment.nonce)?;
        let charge = self.till.order_charge(payment.register, &nonce).await?;
        let order = RefundOrder {
            register: payment.register,
            charge: charge.ok_or(SalesError::NoPayment)?.id,
            nonce: Nonce::parse(&owed.nonce())?,
            minor: Some(owed.minor),
        };
        match self.till.refund_charge(&order).await?.state {
            RefundState::Done => self.boxoffice.refund_paid(owed).await?,
            RefundState::Refused => {
                self.boxoffice.refund_refused(owed).await?;
                tracing::error!(
                    "the gateway refused to give money back for a ticket; it stays owed, pay it \
                     out another way"
                );
            }
            RefundState::Asking | RefundState::Unknown => {}
        }
        Ok(())
    }

    /// Standing consent may arm a palm for tickets that were just paid, or disarm one.
    pub(crate) async fn arm_for_orders(&self) {
        if let Err(error) = self.carry_armings().await {
            tracing::error!(%error, "armings could not all be carried; tried again soon");
        }
    }
}

/// Looks after orders until the process ends.
pub(crate) async fn look_after(hub: SharedHub) {
    let mut every = tokio::time::interval(ORDERS_EVERY);
    let mut before = LeftOver::default();
    loop {
        every.tick().await;
        let left = match hub.look_after_orders().await {
            Ok(left) => left,
            Err(error) => {
                tracing::error!(%error, "orders could not be looked after; tried again soon");
                continue;
            }
        };
        // Said once as long as it stays so.
        if left != before && left != LeftOver::default() {
            let LeftOver { payments, refunds } = left;
            tracing::error!(payments, refunds, "some orders could not be looked after; see debug");
        }
        before = left;
    }
}

#[cfg(test)]
mod tests;
