//! A hand over the pedestal: from the shop's token to a wallet, from the wallet to a plan that is
//! durable, and only then to the gateway.

use handfast_model::{
    ChargeId, DeviceId, LedgerAccountId, Money, PairwiseToken, Timestamp, TransferId,
};
use handfast_store::{Tx, params};

use crate::Till;
use crate::charge::{Charge, ChargeStatus, by_id, step};
use crate::credit;
use crate::error::{Thing, TillError};
use crate::gateway::{AuthoriseRequest, StoredCredential};
use crate::ledger::{self, LedgerAccountKind, NewTransfer, Purpose};
use crate::shop::register_of_pedestal;
use crate::shop_token::wallet_of_token;
use crate::state::{ChargeEvent, ChargeState};
use crate::wallet::{PayingMethod, WalletRow, paying_method};

/// The owner of the ledger account for money that the gateway holds: there is one gateway a till.
pub(crate) const GATEWAY_OWNER: &str = "gateway";

/// A hand that was recognised over a pedestal while a charge was on its screen.
#[derive(Clone, Copy, Debug)]
pub struct Hover {
    /// The pedestal.
    pub pedestal: DeviceId,
    /// The charge that was on its screen before the hand arrived.
    pub charge: ChargeId,
    /// What the shop knows the palm by.
    pub token: PairwiseToken,
}

/// What came of a hover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayOutcome {
    /// Paid. Also the answer to a repeat of the hover that paid.
    Paid(Charge),
    /// The gateway said no; the charge is over.
    Declined(Charge),
    /// Not known yet; [`Till::resolve_due`] finds out. Nobody pays twice.
    Unknown(Charge),
    /// Another request with the same hand is still at the gateway.
    InProgress(Charge),
    /// This hand cannot pay this charge.
    TurnedAway(TurnedAway),
}

/// Why a hand cannot pay a charge. The charge still waits after the first four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnedAway {
    /// No wallet stands behind this palm at this shop.
    NoWallet,
    /// The wallet is frozen.
    WalletFrozen,
    /// Its owner turned palm pay off.
    PalmPayOff,
    /// The credit does not cover the amount and there is no payment method for the rest.
    NoPaymentMethod,
    /// The time for a hand is over.
    Expired,
    /// The register took the charge back.
    Cancelled,
    /// Another hand answered it, or it ended in another way.
    Over(ChargeStatus),
}

/// Ids made before the transaction, so that a repeat of it uses the same.
struct PlanIds {
    credit_transfer: TransferId,
    card_transfer: TransferId,
    shop_account: LedgerAccountId,
    gateway_account: LedgerAccountId,
}

/// What follows from a hover once it is durable.
enum Decision {
    Answered(Box<PayOutcome>),
    Ask(Box<AuthoriseRequest>, Box<Charge>),
}

impl Decision {
    fn answered(outcome: PayOutcome) -> Self {
        Self::Answered(Box::new(outcome))
    }
}

impl Till {
    /// A hand pays a charge: credit first, the rest by the default payment method. What is about
    /// to happen is durable before the gateway is asked; a repeat never pays again.
    ///
    /// # Errors
    /// [`TillError::NotFound`] where the pedestal is not paired with the charge's register,
    /// [`TillError::Store`]. After an error read the charge: it tells what is known.
    pub async fn pay(&self, hover: &Hover) -> Result<PayOutcome, TillError> {
        let ids = PlanIds {
            credit_transfer: self.fresh_transfer(),
            card_transfer: self.fresh_transfer(),
            shop_account: self.fresh_ledger_account(),
            gateway_account: self.fresh_ledger_account(),
        };
        let (ids, now) = (&ids, self.now());
        let decision = self
            .store
            .transaction("charge.hover", |tx| Box::pin(decide(tx, hover, ids, now)))
            .await?;
        match decision {
            Decision::Answered(outcome) => Ok(*outcome),
            Decision::Ask(request, charge) => {
                let charge = Box::pin(self.authorise(&request, *charge)).await?;
                Ok(outcome_of(charge, now))
            }
        }
    }
}

/// A charge that this wallet's hand answered, as the outcome of its hover.
fn outcome_of(charge: Charge, now: Timestamp) -> PayOutcome {
    match charge.state {
        ChargeState::Captured => PayOutcome::Paid(charge),
        ChargeState::Declined => PayOutcome::Declined(charge),
        ChargeState::Unknown => PayOutcome::Unknown(charge),
        ChargeState::Identified | ChargeState::Authorising | ChargeState::Authorised => {
            PayOutcome::InProgress(charge)
        }
        ChargeState::Expired => PayOutcome::TurnedAway(TurnedAway::Expired),
        ChargeState::Cancelled => PayOutcome::TurnedAway(TurnedAway::Cancelled),
        ChargeState::Requested | ChargeState::Voided => {
            PayOutcome::TurnedAway(TurnedAway::Over(charge.status(now)))
        }
    }
}

async fn decide(
    tx: &mut Tx<'_>,
    hover: &Hover,
    ids: &PlanIds,
    now: Timestamp,
) -> Result<Decision, TillError> {
    let turned_away = |why| Ok(Decision::answered(PayOutcome::TurnedAway(why)));
    let register = register_of_pedestal(tx, hover.pedestal).await?;
    let charge = by_id(tx, hover.charge).await?;
    if charge.register != register.device {
        return Err(TillError::NotFound(Thing::Charge));
    }
    let wallet = wallet_of_token(tx, charge.shop, hover.token).await?;
    match (charge.state, &wallet) {
        (ChargeState::Requested, _) => {}
        (ChargeState::Expired, _) => return turned_away(TurnedAway::Expired),
        (ChargeState::Cancelled, _) => return turned_away(TurnedAway::Cancelled),
        (_, Some(wallet)) if charge.wallet == Some(wallet.id) => {
            return Ok(Decision::answered(outcome_of(charge, now)));
        }
        _ => return turned_away(TurnedAway::Over(charge.status(now))),
    }
    if charge.is_overdue(now) {
        step(tx, &charge, ChargeEvent::TimeUp, None, now).await?;
        return turned_away(TurnedAway::Expired);
    }
    match wallet {
        None => turned_away(TurnedAway::NoWallet),
        Some(wallet) if wallet.frozen => turned_away(TurnedAway::WalletFrozen),
        Some(wallet) if !wallet.palm_pay => turned_away(TurnedAway::PalmPayOff),
        Some(wallet) => plan(tx, hover, charge, &wallet, ids, now).await,
    }
}

/// Splits the amount, reserves both parts in the ledger and fixes who pays.
async fn plan(
    tx: &mut Tx<'_>,
    hover: &Hover,
    charge: Charge,
    wallet: &WalletRow,
    ids: &PlanIds,
    now: Timestamp,
) -> Result<Decision, TillError> {
    let (total, currency) = (charge.amount.minor, charge.amount.currency);
    let spendable = match credit::of_wallet(tx, wallet.id).await? {
        Some(credit) if credit.left.currency == currency && now < credit.spend_until => {
            credit.left.minor.max(0)
        }
        _ => 0,
    };
    let credit_part = spendable.min(total);
    let card_part = total - credit_part;
    let method = paying_method(tx, wallet.id).await?;
    let method = match (card_part, method) {
        (0, _) => None,
        (_, Some(method)) => Some(method),
        (_, None) => {
            let why = TurnedAway::NoPaymentMethod;
            return Ok(Decision::answered(PayOutcome::TurnedAway(why)));
        }
    };
    let stored_credential = method.as_ref().map(|method| match method.network_transaction_id {
        Some(_) => StoredCredential::CustomerPresentSubsequent,
        None => StoredCredential::CustomerPresentFirst,
    });
    reserve_parts(tx, &charge, wallet, (credit_part, card_part), ids, now).await?;
    tx.execute(
        "UPDATE till_charges SET wallet_id = $1, pedestal_id = $2, answered_at = $3, \
         credit_part = $4, card_part = $5, credit_transfer = $6, card_transfer = $7, \
         payment_method_id = $8, stored_credential = $9 WHERE charge_id = $10",
        params![
            wallet.id,
            hover.pedestal,
            now,
            credit_part,
            card_part,
            (credit_part > 0).then_some(ids.credit_transfer),
            (card_part > 0).then_some(ids.card_transfer),
            method.as_ref().map(|method| method.id),
            stored_credential,
            charge.id,
        ],
    )
    .await?;
    let charge = by_id(tx, charge.id).await?;
    let charge = step(tx, &charge, ChargeEvent::HandRecognised, None, now).await?;
    let (Some(method), Some(stored_credential)) = (method, stored_credential) else {
        let charge = step(tx, &charge, ChargeEvent::CoveredByCredit, None, now).await?;
        return Ok(Decision::answered(PayOutcome::Paid(charge)));
    };
    let charge = step(tx, &charge, ChargeEvent::AskingGateway, None, now).await?;
    let request = authorise_request(&charge, method, stored_credential);
    Ok(Decision::Ask(Box::new(request), Box::new(charge)))
}

async fn reserve_parts(
    tx: &mut Tx<'_>,
    charge: &Charge,
    wallet: &WalletRow,
    (credit_part, card_part): (i64, i64),
    ids: &PlanIds,
    now: Timestamp,
) -> Result<(), TillError> {
    let currency = charge.amount.currency;
    let (kind, owner) = (LedgerAccountKind::ShopPayable, charge.shop.to_string());
    let shop = ledger::account(tx, ids.shop_account, kind, &owner, currency, now).await?;
    let transfer = |id, debit, minor, purpose| NewTransfer {
        id,
        debit,
        credit: shop,
        amount: Money::new(minor, currency),
        purpose,
        subject: charge.id.to_string(),
    };
    if credit_part > 0 {
        let debit = credit::wallet_account(tx, wallet.id, currency).await?;
        let part = transfer(ids.credit_transfer, debit, credit_part, Purpose::ChargeCredit);
        ledger::reserve(tx, &part, now).await?;
    }
    if card_part > 0 {
        let kind = LedgerAccountKind::GatewayClearing;
        let debit =
            ledger::account(tx, ids.gateway_account, kind, GATEWAY_OWNER, currency, now).await?;
        let part = transfer(ids.card_transfer, debit, card_part, Purpose::ChargeCard);
        ledger::reserve(tx, &part, now).await?;
    }
    Ok(())
}

fn authorise_request(
    charge: &Charge,
    method: PayingMethod,
    stored_credential: StoredCredential,
) -> AuthoriseRequest {
    AuthoriseRequest {
        idempotency_key: format!("{}:authorise", charge.id),
        reference: charge.gateway_reference(),
        amount: charge.card_part,
        payment_method: method.reference,
        stored_credential,
        initial_network_transaction_id: method.network_transaction_id,
    }
}
