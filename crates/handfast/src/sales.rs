//! Between box office and till: an order is paid, or money is given back for it. Box office and till
//! each decide; this carries from one to the other, again and again until both agree.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration as StdDuration;

use handfast_boxoffice::{
    BoxOfficeError, Company, DeviceKind, NewDevice, OrderPayment, OwedRefund, SoldOrder,
};
use handfast_model::{AccountId, Currency, DeviceId, VenueId};
use handfast_till::{
    Charge, ChargeRequest, ChargeStatus, Description, Label, NewShop, Nonce, PayOutcome,
    RefundOrder, RefundState, TillError, TurnedAway,
};
use thiserror::Error;
use tokio::sync::{Mutex, MutexGuard, OwnedMutexGuard};

use crate::hub::{Hub, SharedHub};

/// Registers of a company's online shop: so many orders are at the gateway at the same time.
const REGISTERS: usize = 8;
/// How often orders are looked after; what a request changes is carried at once, this is for time
/// passing and for what was cut off.
const ORDERS_EVERY: StdDuration = StdDuration::from_secs(5);
/// What a bank statement says.
const FOR_TICKETS: &str = "Tickets";

/// Whose turn it is at each register that stands nowhere.
#[derive(Default)]
pub(crate) struct Sales {
    turns: Mutex<HashMap<DeviceId, Arc<Mutex<()>>>>,
    next: AtomicUsize,
}

/// Why a payment could not be carried out.
#[derive(Debug, Error)]
pub(crate) enum SalesError {
    #[error(transparent)]
    BoxOffice(#[from] BoxOfficeError),
    #[error(transparent)]
    Till(#[from] TillError),
    #[error("nothing is sold online here yet; an operator adds a product with a price first")]
    NoRegister,
    #[error("a text of an order does not fit the till")]
    Text(#[from] handfast_till::TextError),
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

impl Sales {
    async fn turn(&self, register: DeviceId) -> OwnedMutexGuard<()> {
        let mut turns: MutexGuard<'_, _> = self.turns.lock().await;
        let turn = turns.entry(register).or_default().clone();
        drop(turns);
        turn.lock_owned().await
    }

    fn pick(&self, registers: &[DeviceId]) -> Option<DeviceId> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        registers.get(number % registers.len().max(1)).copied()
    }
}

impl Hub {
    /// Lets a company take money for orders: a shop at its venue with registers that stand nowhere.
    pub(crate) async fn open_sales(
        &self,
        company: &Company,
        venue: VenueId,
        currency: Currency,
    ) -> Result<(), SalesError> {
        if !self.boxoffice.sales_registers(company.id).await?.is_empty() {
            return Ok(());
        }
        let name: String = format!("{} online", company.name).chars().take(60).collect();
        let offset = self.boxoffice.venue_offset(venue).await?;
        let name = Label::parse(&name)?;
        let shop = NewShop { venue, name, currency, utc_offset_minutes: offset };
        let shop = self.till.add_shop(&shop).await?;
        let reference = shop.to_string();
        for number in 1..=REGISTERS {
            let name = format!("Online {number}");
            let new = NewDevice {
                venue_id: venue,
                name: &name,
                kind: DeviceKind::Register,
                mode: None,
                lane_id: None,
                shop_reference: Some(&reference),
                paired_with: None,
            };
            // Its key is forgotten here: no machine is this register.
            let (device, _) = self.boxoffice.register_device(&new).await?;
            self.till.add_register(device, shop).await?;
            self.boxoffice.add_sales_register(company.id, device).await?;
        }
        Ok(())
    }

    /// Pays an order from its buyer's wallet. A repetition pays nothing again.
    pub(crate) async fn pay_order(
        &self,
        account: AccountId,
        order: &SoldOrder,
    ) -> Result<Paid, SalesError> {
        let registers = self.boxoffice.sales_registers(order.company_id).await?;
        let register = self.sales.pick(&registers).ok_or(SalesError::NoRegister)?;
        let payment = self.boxoffice.begin_payment(account, order.id, register).await?;
        let paid = self.carry_payment(&payment, true).await?;
        if matches!(paid, Paid::Yes) {
            self.arm_for_orders().await;
        }
        Ok(paid)
    }

    /// Finds out what became of payments that were cut off, pays back what is owed, and lets go of
    /// tickets that nobody paid for.
    pub(crate) async fn look_after_orders(&self) -> Result<(), SalesError> {
        let mut paid_any = false;
        for payment in self.boxoffice.unresolved_payments().await? {
            paid_any |= matches!(self.carry_payment(&payment, false).await?, Paid::Yes);
        }
        for owed in self.boxoffice.owed_refunds().await? {
            if let Some(payment) = &owed.payment {
                self.carry_refund(&owed, payment).await?;
            }
        }
        self.boxoffice.release_holds().await?;
        if paid_any {
            self.arm_for_orders().await;
        }
        Ok(())
    }

    /// Asks the till under the payment's own nonce: the first time it charges, later it tells. With
    /// `pay` a charge that waits is paid now, else it is given up.
    async fn carry_payment(&self, payment: &OrderPayment, pay: bool) -> Result<Paid, SalesError> {
        let _turn = self.sales.turn(payment.register).await;
        let charge = match self.till.request_charge(&request_of(payment)?).await {
            Ok(charge) => charge,
            // Another process is at this register: ours was never asked, or it would be found.
            Err(TillError::RegisterBusy { .. }) => return Ok(Paid::Unknown),
            Err(error) => return Err(error.into()),
        };
        let paid = match (charge.status(self.clock.now()), charge.pay_key()) {
            (ChargeStatus::Requested, Some(key)) if pay => {
                match self.till.pay_by_phone(payment.account_id, key).await {
                    Ok(outcome) => outcome.into(),
                    // The charge is there: it is the wallet that is not.
                    Err(TillError::NotFound(_)) => Paid::TurnedAway(TurnedAway::NoWallet),
                    Err(error) => return Err(error.into()),
                }
            }
            (status, _) => paid_of(status),
        };
        match &paid {
            Paid::Yes => self.boxoffice.end_payment(payment, true).await?,
            Paid::Unknown => {}
            Paid::Declined | Paid::TurnedAway(_) => {
                self.give_up(payment, &charge).await?;
            }
        }
        Ok(paid)
    }

    /// Takes a charge back that nobody paid; one that was paid in the same moment stays paid.
    async fn give_up(&self, payment: &OrderPayment, charge: &Charge) -> Result<(), SalesError> {
        match self.till.cancel_charge(payment.register, charge.id).await {
            Ok(_) | Err(TillError::TooLateToCancel { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let charge = self.till.charge(payment.register, charge.id).await?;
        match charge.status(self.clock.now()) {
            ChargeStatus::Captured | ChargeStatus::Refunded => {
                self.boxoffice.end_payment(payment, true).await?;
            }
            ChargeStatus::Declined
            | ChargeStatus::Cancelled
            | ChargeStatus::Expired
            | ChargeStatus::Voided => self.boxoffice.end_payment(payment, false).await?,
            // Still at the gateway: asked about again.
            _ => {}
        }
        Ok(())
    }

    async fn carry_refund(
        &self,
        owed: &OwedRefund,
        payment: &OrderPayment,
    ) -> Result<(), SalesError> {
        let charge = self.till.request_charge(&request_of(payment)?).await?;
        let order = RefundOrder {
            register: payment.register,
            charge: charge.id,
            nonce: Nonce::parse(&owed.nonce())?,
            minor: Some(owed.minor),
        };
        let refund = self.till.refund_charge(&order).await?;
        match refund.state {
            RefundState::Done => self.boxoffice.refund_paid(owed).await?,
            RefundState::Refused => tracing::error!(
                "the gateway refused to give money back for a ticket; it stays owed, pay it out \
                 another way"
            ),
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
    loop {
        every.tick().await;
        if let Err(error) = hub.look_after_orders().await {
            tracing::error!(%error, "orders could not be looked after; tried again soon");
        }
    }
}

impl From<PayOutcome> for Paid {
    fn from(outcome: PayOutcome) -> Self {
        match outcome {
            PayOutcome::Paid(_) => Self::Yes,
            PayOutcome::Declined(_) => Self::Declined,
            PayOutcome::TurnedAway(why) => Self::TurnedAway(why),
            PayOutcome::Held(_)
            | PayOutcome::Unknown(_)
            | PayOutcome::InProgress(_)
            | PayOutcome::AcceptedOffline(_)
            | PayOutcome::SecondFactor(_) => Self::Unknown,
        }
    }
}

/// What a charge says of the order that it is for, where nobody is to pay it now.
fn paid_of(status: ChargeStatus) -> Paid {
    match status {
        ChargeStatus::Captured | ChargeStatus::Refunded => Paid::Yes,
        ChargeStatus::Requested
        | ChargeStatus::Declined
        | ChargeStatus::Cancelled
        | ChargeStatus::Expired
        | ChargeStatus::Voided => Paid::Declined,
        _ => Paid::Unknown,
    }
}

fn request_of(payment: &OrderPayment) -> Result<ChargeRequest, SalesError> {
    Ok(ChargeRequest::new(
        payment.register,
        payment.amount,
        Description::parse(FOR_TICKETS)?,
        Nonce::parse(&payment.nonce)?,
    ))
}
