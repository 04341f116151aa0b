//! A hand over the pedestal, or the person's own phone: from the shop's token to a wallet, from the
//! wallet to a plan that is durable, and only then to the gateway.

use handfast_model::{
    AccountId, ChargeId, DeviceId, LedgerAccountId, Money, PairwiseToken, SecretText, Timestamp,
    TransferId,
};
use handfast_store::{Tx, params};

use crate::Till;
use crate::age;
use crate::charge::{
    Charge, ChargeStatus, Factor, Goal, HOLD_TIME, by_id, by_id_locked, select_charges,
};
use crate::charge_step::step;
use crate::credit;
use crate::error::{LedgerError, Thing, TillError};
use crate::gateway::{AuthoriseRequest, StoredCredential};
use crate::ledger::{self, LedgerAccountKind, NewTransfer, Purpose};
use crate::limit;
use crate::loyalty::{self, Given};
use crate::pin::{self, PIN_MISSES_MAX, Pin};
use crate::shop::register_of_pedestal;
use crate::shop_token::wallet_of_token;
use crate::state::{ChargeEvent, ChargeState};
use crate::step_back::{self, PedestalSession};
use crate::text::PayKey;
use crate::wallet::{PayingMethod, WalletRow, paying_method, wallet_locked};

/// How long a second factor is waited for: to remember a PIN, or to find the phone in a pocket.
pub const FACTOR_TIME: handfast_model::Duration = handfast_model::Duration::from_secs(60);

/// A hand that was recognised over a pedestal while a charge was on its screen.
#[derive(Clone, Copy, Debug)]
pub struct Hover {
    /// The pedestal.
    pub pedestal: DeviceId,
    /// The charge that was on its screen before the hand arrived.
    pub charge: ChargeId,
    /// What the shop knows the palm by.
    pub token: PairwiseToken,
    /// The pedestal's session: where its customer stepped back meanwhile, nothing is paid.
    pub session: PedestalSession,
}

/// What came of a hover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayOutcome {
    /// Paid. Also the answer to a repeat of the hover that paid.
    Paid(Charge),
    /// The money is held; the register captures later.
    Held(Charge),
    /// The palm alone may not pay this: a PIN, or the phone.
    SecondFactor(SecondFactor),
    /// The gateway said no; the charge is over.
    Declined(Charge),
    /// The gateway did not answer and the shop's offline floor covers it: the goods may go.
    AcceptedOffline(Charge),
    /// Not known yet; [`Till::resolve_due`] finds out. Nobody pays twice.
    Unknown(Charge),
    /// Another request with the same hand is still at the gateway.
    InProgress(Charge),
    /// This hand cannot pay this charge.
    TurnedAway(TurnedAway),
}

/// What is wanted beside the palm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecondFactor {
    /// The charge; it waits until [`FACTOR_TIME`] is over.
    pub charge: Charge,
    /// How many tries the PIN has left; `None` where there is no PIN and the phone alone can do it.
    pub tries_left: Option<i64>,
    /// Until when.
    pub until: Timestamp,
}

/// Why a hand cannot pay a charge. The charge still waits after the first six.
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
    /// The sale needs an age that nobody saw proof of yet.
    AgeNotKnown,
    /// The customer stepped back while their hand was searched.
    SteppedBack,
    /// The time for a hand is over.
    Expired,
    /// The register took the charge back.
    Cancelled,
    /// Another hand answered it, or it ended in another way.
    Over(ChargeStatus),
}

/// Who is there.
#[derive(Clone, Copy)]
pub(crate) enum Presence {
    /// A hand over this pedestal.
    Palm(DeviceId),
    /// The person, signed in, at a counter or at home.
    Phone,
    /// Nobody: the goods are gone already.
    Nobody,
}

/// Ids made before the transaction, so that a repeat of it uses the same.
pub(crate) struct PlanIds {
    pub credit_transfer: TransferId,
    pub card_transfer: TransferId,
    pub discount_transfer: TransferId,
    pub shop_account: LedgerAccountId,
    pub gateway_account: LedgerAccountId,
}

impl PlanIds {
    pub(crate) fn new(till: &Till) -> Self {
        Self {
            credit_transfer: till.fresh_transfer(),
            card_transfer: till.fresh_transfer(),
            discount_transfer: till.fresh_transfer(),
            shop_account: till.fresh_ledger_account(),
            gateway_account: till.fresh_ledger_account(),
        }
    }
}

/// What every plan needs.
pub(crate) struct Planning<'a> {
    pub ids: &'a PlanIds,
    pub instance: &'a str,
    pub now: Timestamp,
}

/// What follows from a hover once it is durable.
pub(crate) enum Decision {
    Answered(Box<PayOutcome>),
    Ask(Box<AuthoriseRequest>, Box<Charge>),
}

impl Decision {
    fn answered(outcome: PayOutcome) -> Self {
        Self::Answered(Box::new(outcome))
    }

    fn turned_away(why: TurnedAway) -> Self {
        Self::answered(PayOutcome::TurnedAway(why))
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
        let (ids, instance) = (&PlanIds::new(self), &*self.instance);
        let now = self.now();
        let decision = self
            .store
            .row_locked("charge.hover", |tx| {
                Box::pin(decide(tx, hover, Planning { ids, instance, now }))
            })
            .await?;
        self.carry_out(decision).await
    }

    /// The account's owner, signed in on a phone, pays the charge whose QR code they read. The phone
    /// is a second factor: no limit applies and no PIN is asked for.
    ///
    /// # Errors
    /// [`TillError::NotFound`] where no charge has that key or the account has no wallet.
    pub async fn pay_by_phone(
        &self,
        account: AccountId,
        key: &PayKey,
    ) -> Result<PayOutcome, TillError> {
        let (ids, instance) = (&PlanIds::new(self), &*self.instance);
        let now = self.now();
        let decision = self
            .store
            .row_locked("charge.phone", |tx| {
                Box::pin(decide_by_phone(tx, account, key, Planning { ids, instance, now }))
            })
            .await?;
        self.carry_out(decision).await
    }

    /// What a phone shows of the charge whose QR code it read.
    ///
    /// # Errors
    /// [`TillError::NotFound`] where no charge has that key.
    pub async fn charge_to_pay(&self, key: &PayKey) -> Result<Charge, TillError> {
        self.store.read("charge.by_key", |tx| Box::pin(by_pay_key(tx, key))).await
    }

    /// What became of a charge that a pedestal showed, as a hover would be answered now.
    ///
    /// # Errors
    /// [`TillError::NotFound`] where the pedestal is not paired with the charge's register.
    pub async fn outcome_at(
        &self,
        pedestal: DeviceId,
        id: ChargeId,
    ) -> Result<PayOutcome, TillError> {
        let now = self.now();
        self.store
            .read("charge.outcome", |tx| {
                Box::pin(async move {
                    let register = register_of_pedestal(tx, pedestal).await?;
                    let charge = by_id(tx, id).await?;
                    if charge.register != register.device {
                        return Err(TillError::NotFound(Thing::Charge));
                    }
                    if charge.state != ChargeState::Identified {
                        return Ok(outcome_of(charge, now));
                    }
                    let wallet: WalletRow = tx
                        .fetch_one(
                            "SELECT * FROM till_wallets WHERE wallet_id = $1",
                            params![charge.wallet],
                        )
                        .await?;
                    Ok(second_factor(charge, &wallet))
                })
            })
            .await
    }

    /// A PIN was entered for a charge that a hand answered. After five misses the wallet is frozen
    /// and the charge is let go.
    ///
    /// # Errors
    /// [`TillError::NotFound`] where the charge does not wait for a PIN at this pedestal.
    pub async fn enter_pin(
        &self,
        pedestal: DeviceId,
        id: ChargeId,
        pin: &Pin,
    ) -> Result<PayOutcome, TillError> {
        let now = self.now();
        let counted = self
            .store
            .transaction("pin.count", |tx| Box::pin(count_try(tx, pedestal, id, now)))
            .await?;
        let hash = match counted {
            Counted::Try(hash) => hash,
            Counted::Answered(outcome) => return Ok(*outcome),
        };
        let right = pin::compare(pin.clone(), hash).await;
        let (now, instance) = (self.now(), &*self.instance);
        let decision = self
            .store
            .transaction("pin.decide", |tx| Box::pin(after_try(tx, id, right, instance, now)))
            .await?;
        self.carry_out(decision).await
    }

    pub(crate) async fn carry_out(&self, decision: Decision) -> Result<PayOutcome, TillError> {
        match decision {
            Decision::Answered(outcome) => Ok(*outcome),
            Decision::Ask(request, charge) => {
                let charge = Box::pin(self.authorise(*request, *charge)).await?;
                let charge = match charge.state {
                    ChargeState::Unknown => self.accept_offline(charge).await?,
                    _ => charge,
                };
                Ok(outcome_of(charge, self.now()))
            }
        }
    }
}

/// A charge that this wallet's hand answered, as the outcome of its hover.
pub(crate) fn outcome_of(charge: Charge, now: Timestamp) -> PayOutcome {
    match charge.state {
        ChargeState::Captured => PayOutcome::Paid(charge),
        _ if charge.accepted_offline => PayOutcome::AcceptedOffline(charge),
        ChargeState::Declined => PayOutcome::Declined(charge),
        ChargeState::Unknown => PayOutcome::Unknown(charge),
        ChargeState::Authorised if charge.held && charge.goal == Goal::Hold => {
            PayOutcome::Held(charge)
        }
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
    planning: Planning<'_>,
) -> Result<Decision, TillError> {
    let now = planning.now;
    let register = register_of_pedestal(tx, hover.pedestal).await?;
    let charge = by_id_locked(tx, hover.charge).await?;
    if charge.register != register.device {
        return Err(TillError::NotFound(Thing::Charge));
    }
    let wallet = wallet_of_token(tx, charge.shop, hover.token).await?;
    match (charge.state, &wallet) {
        (ChargeState::Requested, _) => {}
        (ChargeState::Expired, _) => return Ok(Decision::turned_away(TurnedAway::Expired)),
        (ChargeState::Cancelled, _) => return Ok(Decision::turned_away(TurnedAway::Cancelled)),
        (ChargeState::Identified, Some(wallet)) if charge.wallet == Some(wallet.id) => {
            return Ok(Decision::answered(second_factor(charge, wallet)));
        }
        (_, Some(wallet)) if charge.wallet == Some(wallet.id) => {
            return Ok(Decision::answered(outcome_of(charge, now)));
        }
        _ => return Ok(Decision::turned_away(TurnedAway::Over(charge.status(now)))),
    }
    if charge.is_overdue(now) {
        step(tx, charge, &[ChargeEvent::TimeUp], Some("not_answered"), now).await?;
        return Ok(Decision::turned_away(TurnedAway::Expired));
    }
    if step_back::is_remembered(tx, hover.session, charge.id).await? {
        return Ok(Decision::turned_away(TurnedAway::SteppedBack));
    }
    match wallet {
        None => Ok(Decision::turned_away(TurnedAway::NoWallet)),
        Some(wallet) if wallet.frozen => Ok(Decision::turned_away(TurnedAway::WalletFrozen)),
        Some(wallet) if !wallet.palm_pay => Ok(Decision::turned_away(TurnedAway::PalmPayOff)),
        Some(wallet) => plan(tx, Presence::Palm(hover.pedestal), charge, &wallet, planning).await,
    }
}

async fn by_pay_key(tx: &mut Tx<'_>, key: &PayKey) -> Result<Charge, TillError> {
    tx.fetch_optional(select_charges!("WHERE c.pay_key = $1"), params![key])
        .await?
        .ok_or(TillError::NotFound(Thing::Charge))
}

async fn decide_by_phone(
    tx: &mut Tx<'_>,
    account: AccountId,
    key: &PayKey,
    planning: Planning<'_>,
) -> Result<Decision, TillError> {
    let now = planning.now;
    let sql = select_charges!("WHERE c.pay_key = $1");
    let found = tx.fetch_locked_optional(sql, "c", params![key]).await?;
    let charge: Charge = found.ok_or(TillError::NotFound(Thing::Charge))?;
    let wallet = wallet_locked(tx, account).await?;
    let mine = charge.wallet == Some(wallet.id);
    match charge.state {
        ChargeState::Requested if charge.is_overdue(now) => {
            step(tx, charge, &[ChargeEvent::TimeUp], Some("not_answered"), now).await?;
            Ok(Decision::turned_away(TurnedAway::Expired))
        }
        ChargeState::Requested if wallet.frozen => {
            Ok(Decision::turned_away(TurnedAway::WalletFrozen))
        }
        ChargeState::Requested => plan(tx, Presence::Phone, charge, &wallet, planning).await,
        ChargeState::Identified if mine => {
            proceed(tx, charge, Factor::Phone, planning.instance, now).await
        }
        ChargeState::Expired => Ok(Decision::turned_away(TurnedAway::Expired)),
        ChargeState::Cancelled => Ok(Decision::turned_away(TurnedAway::Cancelled)),
        _ if mine => Ok(Decision::answered(outcome_of(charge, now))),
        _ => Ok(Decision::turned_away(TurnedAway::Over(charge.status(now)))),
    }
}

/// The parts of a charge: who pays what.
struct Parts {
    discount: Option<Given>,
    credit: i64,
    card: i64,
    method: Option<PayingMethod>,
}

async fn split(
    tx: &mut Tx<'_>,
    charge: &Charge,
    wallet: &WalletRow,
    now: Timestamp,
) -> Result<Result<Parts, TurnedAway>, TillError> {
    if let Some(years) = charge.age_asked
        && !age::is_known(tx, wallet.id, years, now).await?
    {
        return Ok(Err(TurnedAway::AgeNotKnown));
    }
    let discount = loyalty::best(tx, charge, wallet.id, now).await?;
    let currency = charge.asked.currency;
    let total = charge.asked.minor - discount.as_ref().map_or(0, |given| given.minor);
    let spendable = match credit::of_wallet(tx, wallet.id).await? {
        Some(credit) if credit.left.currency == currency && now < credit.spend_until => {
            credit.left.minor.max(0)
        }
        _ => 0,
    };
    let credit = spendable.min(total);
    let card = total - credit;
    let method = if card > 0 { paying_method(tx, wallet.id).await? } else { None };
    if card > 0 && method.is_none() {
        return Ok(Err(TurnedAway::NoPaymentMethod));
    }
    Ok(Ok(Parts { discount, credit, card, method }))
}

/// Splits the amount, reserves the parts in the ledger and fixes who pays.
pub(crate) async fn plan(
    tx: &mut Tx<'_>,
    presence: Presence,
    mut charge: Charge,
    wallet: &WalletRow,
    planning: Planning<'_>,
) -> Result<Decision, TillError> {
    let Planning { ids, instance, now } = planning;
    let parts = match split(tx, &charge, wallet, now).await? {
        Ok(parts) => parts,
        Err(why) => return Ok(Decision::turned_away(why)),
    };
    let total = parts.credit + parts.card;
    let (factor, pedestal) = match presence {
        Presence::Phone => (Factor::Phone, None),
        Presence::Nobody => (Factor::None, None),
        Presence::Palm(pedestal) => {
            let above = wallet.pin_always
                || limit::is_above(tx, wallet.id, charge.asked.currency, total, now).await?;
            (if above { Factor::Wanted } else { Factor::None }, Some(pedestal))
        }
    };
    reserve_parts(tx, &charge, wallet, &parts, ids, now).await?;
    fill_in(&mut charge, wallet, &parts, ids, now);
    (charge.factor, charge.pedestal) = (factor, pedestal);
    if matches!(presence, Presence::Nobody) && charge.stored_credential.is_some() {
        charge.stored_credential = Some(StoredCredential::MerchantInitiated);
    }
    charge.factor_until = (factor == Factor::Wanted).then_some(now + FACTOR_TIME);
    charge.sender = Some(instance.to_owned());
    record_plan(tx, &charge).await?;
    if factor == Factor::Wanted {
        let charge = step(tx, charge, &[ChargeEvent::HandRecognised], None, now).await?;
        return Ok(Decision::answered(second_factor(charge, wallet)));
    }
    // A charge that began without a counter knows from the start whose it is.
    let known = usize::from(charge.state == ChargeState::Identified);
    let Some(method) = parts.method else {
        let events = [ChargeEvent::HandRecognised, covered(&charge)];
        let charge = step(tx, charge, &events[known..], None, now).await?;
        return Ok(Decision::answered(outcome_of(charge, now)));
    };
    let events = [ChargeEvent::HandRecognised, ChargeEvent::AskingGateway];
    let charge = step(tx, charge, &events[known..], None, now).await?;
    Ok(Decision::Ask(Box::new(authorise_request(&charge, method)), Box::new(charge)))
}

fn covered(charge: &Charge) -> ChargeEvent {
    if charge.held { ChargeEvent::HeldByCredit } else { ChargeEvent::CoveredByCredit }
}

/// What a plan fixes, in the charge at hand.
fn fill_in(charge: &mut Charge, wallet: &WalletRow, parts: &Parts, ids: &PlanIds, now: Timestamp) {
    charge.wallet = Some(wallet.id);
    charge.answered_at = Some(now);
    charge.amount.minor = parts.credit + parts.card;
    charge.credit_part.minor = parts.credit;
    charge.card_part.minor = parts.card;
    charge.credit_transfer = (parts.credit > 0).then_some(ids.credit_transfer);
    charge.card_transfer = (parts.card > 0).then_some(ids.card_transfer);
    charge.payment_method = parts.method.as_ref().map(|method| method.id);
    charge.stored_credential =
        parts.method.as_ref().map(|method| match method.network_transaction_id {
            Some(_) => StoredCredential::CustomerPresentSubsequent,
            None => StoredCredential::CustomerPresentFirst,
        });
    charge.hold_until = charge.held.then_some(now + HOLD_TIME);
    if let Some(given) = &parts.discount {
        charge.discount.minor = given.minor;
        charge.discount_name = Some(given.name.clone());
        charge.discount_transfer = Some(ids.discount_transfer);
    }
}

async fn record_plan(tx: &mut Tx<'_>, charge: &Charge) -> Result<(), TillError> {
    tx.execute(
        "UPDATE till_charges SET wallet_id = $1, pedestal_id = $2, answered_at = $3, amount = $4, \
         credit_part = $5, card_part = $6, credit_transfer = $7, card_transfer = $8, \
         payment_method_id = $9, stored_credential = $10, hold_until = $11, discount = $12, \
         discount_name = $13, discount_transfer = $14, factor = $15, factor_until = $16, \
         sender = $17 WHERE charge_id = $18",
        params![
            charge.wallet,
            charge.pedestal,
            charge.answered_at,
            charge.amount.minor,
            charge.credit_part.minor,
            charge.card_part.minor,
            charge.credit_transfer,
            charge.card_transfer,
            charge.payment_method,
            charge.stored_credential,
            charge.hold_until,
            charge.discount.minor,
            charge.discount_name,
            charge.discount_transfer,
            charge.factor,
            charge.factor_until,
            charge.sender,
            charge.id,
        ],
    )
    .await?;
    Ok(())
}

fn second_factor(charge: Charge, wallet: &WalletRow) -> PayOutcome {
    let until = charge.factor_until.unwrap_or(charge.expires_at);
    let tries_left = wallet.has_pin.then_some(PIN_MISSES_MAX - wallet.pin_misses);
    PayOutcome::SecondFactor(SecondFactor { charge, tries_left, until })
}

/// On from a second factor that was given.
async fn proceed(
    tx: &mut Tx<'_>,
    mut charge: Charge,
    factor: Factor,
    instance: &str,
    now: Timestamp,
) -> Result<Decision, TillError> {
    (charge.factor, charge.factor_until) = (factor, None);
    charge.sender = Some(instance.to_owned());
    // The gateway's time begins now.
    charge.answered_at = Some(now);
    record_plan(tx, &charge).await?;
    let Some(id) = charge.payment_method else {
        let event = covered(&charge);
        let charge = step(tx, charge, &[event], None, now).await?;
        return Ok(Decision::answered(outcome_of(charge, now)));
    };
    let row: Option<(String, Option<String>)> = tx
        .fetch_optional(
            "SELECT reference, network_transaction_id FROM till_payment_methods \
             WHERE payment_method_id = $1 AND removed_at IS NULL",
            params![id],
        )
        .await?;
    let Some((reference, network_transaction_id)) = row else {
        // Its owner removed it while the PIN was waited for.
        let reason = Some("payment_method_removed");
        step(tx, charge, &[ChargeEvent::LetGo], reason, now).await?;
        return Ok(Decision::turned_away(TurnedAway::NoPaymentMethod));
    };
    let method = PayingMethod { id, reference: SecretText::new(reference), network_transaction_id };
    let charge = step(tx, charge, &[ChargeEvent::AskingGateway], None, now).await?;
    Ok(Decision::Ask(Box::new(authorise_request(&charge, method)), Box::new(charge)))
}

/// A try that is counted, or why there is none.
enum Counted {
    Try(SecretText),
    Answered(Box<PayOutcome>),
}

async fn count_try(
    tx: &mut Tx<'_>,
    pedestal: DeviceId,
    id: ChargeId,
    now: Timestamp,
) -> Result<Counted, TillError> {
    let register = register_of_pedestal(tx, pedestal).await?;
    let charge = by_id_locked(tx, id).await?;
    if charge.register != register.device {
        return Err(TillError::NotFound(Thing::Charge));
    }
    let overdue = charge.factor_until.is_some_and(|until| now >= until);
    if charge.state == ChargeState::Identified && overdue {
        let event = &[ChargeEvent::LetGo];
        let charge = step(tx, charge, event, Some("no_second_factor"), now).await?;
        return Ok(Counted::Answered(Box::new(outcome_of(charge, now))));
    }
    let wallet = charge.wallet.filter(|_| charge.state == ChargeState::Identified);
    let Some(wallet) = wallet else {
        return Ok(Counted::Answered(Box::new(outcome_of(charge, now))));
    };
    let counted: Option<(Option<String>,)> = tx
        .fetch_optional(
            "UPDATE till_wallets SET pin_misses = pin_misses + 1 \
             WHERE wallet_id = $1 AND NOT frozen AND pin_misses < $2 RETURNING pin_hash",
            params![wallet, PIN_MISSES_MAX],
        )
        .await?;
    match counted {
        Some((Some(hash),)) => Ok(Counted::Try(SecretText::new(hash))),
        Some((None,)) => Err(TillError::PinWrong { left: 0 }),
        None => {
            // As many misses as there may be freeze it, whoever counted the last of them.
            let freeze =
                "UPDATE till_wallets SET frozen = TRUE WHERE wallet_id = $1 AND pin_misses >= $2";
            tx.execute(freeze, params![wallet, PIN_MISSES_MAX]).await?;
            step(tx, charge, &[ChargeEvent::LetGo], Some("wallet_frozen"), now).await?;
            let away = PayOutcome::TurnedAway(TurnedAway::WalletFrozen);
            Ok(Counted::Answered(Box::new(away)))
        }
    }
}

async fn after_try(
    tx: &mut Tx<'_>,
    id: ChargeId,
    right: bool,
    instance: &str,
    now: Timestamp,
) -> Result<Decision, TillError> {
    let charge = by_id_locked(tx, id).await?;
    let Some(wallet) = charge.wallet else { return Err(TillError::NotFound(Thing::Charge)) };
    if right {
        tx.execute("UPDATE till_wallets SET pin_misses = 0 WHERE wallet_id = $1", params![wallet])
            .await?;
    }
    let waits = charge.state == ChargeState::Identified;
    if right && waits {
        return proceed(tx, charge, Factor::Pin, instance, now).await;
    }
    let row: WalletRow =
        tx.fetch_one("SELECT * FROM till_wallets WHERE wallet_id = $1", params![wallet]).await?;
    if !right && row.pin_misses >= PIN_MISSES_MAX {
        // Also where another try of the same moment has let go of the charge already.
        let freeze = "UPDATE till_wallets SET frozen = TRUE WHERE wallet_id = $1";
        tx.execute(freeze, params![wallet]).await?;
        if waits {
            step(tx, charge, &[ChargeEvent::LetGo], Some("pin_missed"), now).await?;
        }
        return Ok(Decision::turned_away(TurnedAway::WalletFrozen));
    }
    let outcome = if waits { second_factor(charge, &row) } else { outcome_of(charge, now) };
    Ok(Decision::answered(outcome))
}

async fn reserve_parts(
    tx: &mut Tx<'_>,
    charge: &Charge,
    wallet: &WalletRow,
    parts: &Parts,
    ids: &PlanIds,
    now: Timestamp,
) -> Result<(), TillError> {
    let currency = charge.asked.currency;
    let at = (charge.shop, charge.register);
    let shop = ledger::shop_account(tx, ids.shop_account, at, currency, now).await?;
    let transfer = |id, debit, minor, purpose| NewTransfer {
        id,
        debit,
        credit: shop,
        amount: Money::new(minor, currency),
        purpose,
        subject: charge.id.to_string(),
    };
    if let Some(given) = &parts.discount {
        let kind = LedgerAccountKind::Promotion;
        let debit = ledger::find_account(tx, kind, &given.name, currency).await?;
        let debit = debit.ok_or(TillError::Corrupt { column: "till_discounts.name" })?;
        let part = transfer(ids.discount_transfer, debit, given.minor, Purpose::Discount);
        reserve_seen(tx, &part, now).await?;
    }
    if parts.credit > 0 {
        let debit = credit::wallet_account(tx, wallet.id, currency).await?;
        let part = transfer(ids.credit_transfer, debit, parts.credit, Purpose::ChargeCredit);
        reserve_seen(tx, &part, now).await?;
    }
    if parts.card > 0 {
        let (fresh, register) = (ids.gateway_account, charge.register);
        let debit = ledger::gateway_account(tx, fresh, register, currency, now).await?;
        let part = transfer(ids.card_transfer, debit, parts.card, Purpose::ChargeCard);
        ledger::reserve_new(tx, &part, now).await?;
    }
    Ok(())
}

/// Reserves what this transaction saw to be there. Where it is gone meanwhile (credit that was taken
/// back, funds that another shop's customer used up), the whole plan is made again.
async fn reserve_seen(
    tx: &mut Tx<'_>,
    part: &NewTransfer,
    now: Timestamp,
) -> Result<(), TillError> {
    let reserved = ledger::reserve_new(tx, part, now).await;
    if matches!(reserved, Err(TillError::Ledger(LedgerError::InsufficientFunds))) {
        tx.run_again();
    }
    reserved
}

pub(crate) fn authorise_request(charge: &Charge, method: PayingMethod) -> AuthoriseRequest {
    AuthoriseRequest {
        idempotency_key: format!("{}:authorise", charge.id),
        payment: charge.payment_name(),
        amount: charge.card_part,
        payment_method: method.reference,
        stored_credential: charge
            .stored_credential
            .unwrap_or(StoredCredential::CustomerPresentSubsequent),
        initial_network_transaction_id: method.network_transaction_id,
    }
}
