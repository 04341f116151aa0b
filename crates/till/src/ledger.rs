//! The double-entry ledger: one transfer is one row that debits one ledger account and credits
//! another by the same amount, so that all balances of a currency sum to zero whatever happens.
//! A balance is credits minus debits. Rows are never edited but from `pending` to one of the
//! closed states; a mistake is corrected by another transfer.
//!
//! Counters beside each ledger account hold the sums of its transfers, moved in the same
//! transaction; the database refuses to let one fall below zero where the account may not.
//! [`crate::Till::audit`] recomputes them from the rows.

use handfast_model::{Currency, DeviceId, LedgerAccountId, Money, ShopId, Timestamp, TransferId};
use handfast_store::{FromRow, Row, StoreError, Tx, params};

use crate::error::{LedgerError, Thing, TillError};

/// The most that one transfer moves: 10^12 minor units (ten thousand million dollars) is above any
/// charge, and 4 million such transfers still fit an account's counters.
pub const TRANSFER_MINOR_MAX: i64 = 1_000_000_000_000;

handfast_store::text_enum! {
    /// What a ledger account is for.
    pub enum LedgerAccountKind {
        /// A wallet's credit: what a person may spend and never be paid out.
        WalletCredit = "wallet_credit",
        /// What is owed to a shop. May be negative: a shop that was paid out owes a refund.
        ShopPayable = "shop_payable",
        /// What the gateway holds for us (negative: money came from it).
        GatewayClearing = "gateway_clearing",
        /// What a promotion may still give away.
        Promotion = "promotion",
        /// Money that arrived without anybody being owed it: a capture after we let go. It goes back.
        Suspense = "suspense",
        /// Where a promotion's money comes from (negative: it was spent on promotions).
        PromotionFunding = "promotion_funding",
    }
}

impl LedgerAccountKind {
    /// Whether the balance may fall below zero.
    #[must_use]
    pub const fn may_be_negative(self) -> bool {
        match self {
            Self::WalletCredit | Self::Promotion | Self::Suspense => false,
            Self::ShopPayable | Self::GatewayClearing | Self::PromotionFunding => true,
        }
    }
}

handfast_store::text_enum! {
    /// Where a transfer stands.
    pub enum TransferState {
        /// Reserved: it counts against the debit account and not yet for the credit account.
        Pending = "pending",
        /// Moved.
        Posted = "posted",
        /// Given up.
        Voided = "voided",
        /// Given up because its time was over.
        Expired = "expired",
    }
}

handfast_store::text_enum! {
    /// Why money moves.
    pub enum Purpose {
        /// A charge's part that credit pays.
        ChargeCredit = "charge_credit",
        /// A charge's part that the gateway pays.
        ChargeCard = "charge_card",
        /// Credit that comes back.
        RefundCredit = "refund_credit",
        /// Money that goes back through the gateway.
        RefundCard = "refund_card",
        /// What a discount takes off, paid to the shop.
        Discount = "discount",
        /// A discount that goes back, for the charge did.
        RefundDiscount = "refund_discount",
        /// Money that a dispute withholds or takes.
        Dispute = "dispute",
        /// Money that was captured after we let it go.
        LateCapture = "late_capture",
        /// That money on its way back.
        LateReturn = "late_return",
        /// Money for a promotion.
        PromotionFunding = "promotion_funding",
        /// Credit for linking a payment method.
        LinkingCredit = "linking_credit",
        /// Credit whose time is over, or that is taken back.
        CreditEnd = "credit_end",
    }
}

/// A transfer to be made; its id is the caller's and makes a repeat harmless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewTransfer {
    pub id: TransferId,
    pub debit: LedgerAccountId,
    pub credit: LedgerAccountId,
    pub amount: Money,
    pub purpose: Purpose,
    /// What it is for: the id of a charge, refund, promotion or account.
    pub subject: String,
}

/// A transfer as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Its id.
    pub id: TransferId,
    /// The ledger account that gives.
    pub debit: LedgerAccountId,
    /// The ledger account that receives.
    pub credit: LedgerAccountId,
    /// What was reserved or moved.
    pub amount: Money,
    /// What was moved, once it was.
    pub posted: Option<Money>,
    /// Where it stands.
    pub state: TransferState,
    /// Why.
    pub purpose: Purpose,
    /// What it is for, as an id.
    pub subject: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
}

impl FromRow for Transfer {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let currency = row.get("currency")?;
        let money = |minor| Money::new(minor, currency);
        Ok(Self {
            id: row.get("transfer_id")?,
            debit: row.get("debit_account")?,
            credit: row.get("credit_account")?,
            amount: money(row.get("amount")?),
            posted: row.get_optional("posted_amount")?.map(money),
            state: row.get("state")?,
            purpose: row.get("purpose")?,
            subject: row.get("subject")?,
            created_at: row.get("created_at")?,
            closed_at: row.get_optional("closed_at")?,
        })
    }
}

/// The ledger account of `owner`, made with the id `fresh` where there is none yet.
pub(crate) async fn account(
    tx: &mut Tx<'_>,
    fresh: LedgerAccountId,
    kind: LedgerAccountKind,
    owner: &str,
    currency: Currency,
    now: Timestamp,
) -> Result<LedgerAccountId, TillError> {
    if let Some(id) = find_account(tx, kind, owner, currency).await? {
        return Ok(id);
    }
    tx.execute(
        "INSERT INTO till_ledger_accounts (ledger_account_id, kind, owner, currency, \
         may_be_negative, debits_pending, debits_posted, credits_pending, credits_posted, \
         created_at) VALUES ($1, $2, $3, $4, $5, 0, 0, 0, 0, $6) ON CONFLICT DO NOTHING",
        params![fresh, kind, owner, currency, kind.may_be_negative(), now],
    )
    .await?;
    // Somebody else may have made it meanwhile; then theirs is the one.
    let made = find_account(tx, kind, owner, currency).await?;
    made.ok_or(TillError::Ledger(LedgerError::UnknownAccount))
}

pub(crate) async fn find_account(
    tx: &mut Tx<'_>,
    kind: LedgerAccountKind,
    owner: &str,
    currency: Currency,
) -> Result<Option<LedgerAccountId>, TillError> {
    let found: Option<(LedgerAccountId,)> = tx
        .fetch_optional(
            "SELECT ledger_account_id FROM till_ledger_accounts \
             WHERE kind = $1 AND owner = $2 AND currency = $3",
            params![kind, owner, currency],
        )
        .await?;
    Ok(found.map(|(id,)| id))
}

/// What is owed to a shop is kept register by register, and the gateway's money too: charges at
/// two registers then touch no row in common, and wait for each other nowhere. A shop's balance is
/// the sum.
pub(crate) async fn shop_account(
    tx: &mut Tx<'_>,
    fresh: LedgerAccountId,
    (shop, register): (ShopId, DeviceId),
    currency: Currency,
    now: Timestamp,
) -> Result<LedgerAccountId, TillError> {
    let owner = format!("{shop}/{register}");
    account(tx, fresh, LedgerAccountKind::ShopPayable, &owner, currency, now).await
}

/// The gateway's money, as [`shop_account`].
pub(crate) async fn gateway_account(
    tx: &mut Tx<'_>,
    fresh: LedgerAccountId,
    register: DeviceId,
    currency: Currency,
    now: Timestamp,
) -> Result<LedgerAccountId, TillError> {
    let owner = format!("gateway/{register}");
    account(tx, fresh, LedgerAccountKind::GatewayClearing, &owner, currency, now).await
}

/// What the account may still spend: posted credits less posted and pending debits.
pub(crate) async fn available(tx: &mut Tx<'_>, id: LedgerAccountId) -> Result<i64, TillError> {
    let (available,): (i64,) = tx
        .fetch_one(
            "SELECT credits_posted - debits_posted - debits_pending \
             FROM till_ledger_accounts WHERE ledger_account_id = $1",
            params![id],
        )
        .await?;
    Ok(available)
}

/// Reserves a transfer: `pending`, to be posted or voided later. A repeat of the same is harmless.
pub(crate) async fn reserve(
    tx: &mut Tx<'_>,
    transfer: &NewTransfer,
    now: Timestamp,
) -> Result<(), TillError> {
    checked_amount(transfer)?;
    if repeats(tx, transfer).await? {
        return Ok(());
    }
    reserve_new(tx, transfer, now).await
}

/// Reserves a transfer whose id was made for this very transaction: nothing to repeat.
pub(crate) async fn reserve_new(
    tx: &mut Tx<'_>,
    transfer: &NewTransfer,
    now: Timestamp,
) -> Result<(), TillError> {
    let amount = checked_amount(transfer)?;
    // Both accounts in one statement: a charge is many statements, and each is a wait. What changes
    // one account alone is rolled back with the transaction that hears of it.
    let changed: Vec<(LedgerAccountId,)> = tx
        .fetch_all(
            "UPDATE till_ledger_accounts SET \
             debits_pending = debits_pending + CASE WHEN ledger_account_id = $2 THEN CAST($1 AS BIGINT) ELSE 0 END, \
             credits_pending = credits_pending + CASE WHEN ledger_account_id = $3 THEN CAST($1 AS BIGINT) ELSE 0 END \
             WHERE currency = $4 AND ((ledger_account_id = $2 \
             AND debits_pending + debits_posted <= 4000000000000000000 - $1 \
             AND (may_be_negative OR debits_posted + debits_pending + $1 <= credits_posted)) \
             OR (ledger_account_id = $3 \
             AND credits_pending + credits_posted <= 4000000000000000000 - $1)) \
             RETURNING ledger_account_id",
            params![amount, transfer.debit, transfer.credit, transfer.amount.currency],
        )
        .await?;
    for account in [transfer.debit, transfer.credit] {
        if !changed.contains(&(account,)) {
            return Err(missing_or_short(tx, account, transfer.amount.currency).await);
        }
    }
    insert(tx, transfer, now).await
}

/// Moves money at once: reserved and posted in one step.
pub(crate) async fn record(
    tx: &mut Tx<'_>,
    transfer: &NewTransfer,
    now: Timestamp,
) -> Result<(), TillError> {
    reserve(tx, transfer, now).await?;
    post(tx, transfer.id, transfer.amount.minor, now).await
}

/// Moves at most what was reserved; the rest of the reservation is let go. A repeat with the same
/// amount is harmless.
pub(crate) async fn post(
    tx: &mut Tx<'_>,
    id: TransferId,
    amount: i64,
    now: Timestamp,
) -> Result<(), TillError> {
    if amount > 0 && close(tx, id, TransferState::Posted, Some(amount), now).await? {
        return Ok(());
    }
    let transfer = find(tx, id).await?.ok_or(TillError::NotFound(Thing::Transfer))?;
    match transfer.state {
        TransferState::Pending if amount <= 0 => Err(LedgerError::NotPositive.into()),
        TransferState::Pending => Err(LedgerError::OverPost.into()),
        TransferState::Posted if transfer.posted.is_some_and(|m| m.minor == amount) => Ok(()),
        _ => Err(LedgerError::Closed.into()),
    }
}

/// Gives up a reserved transfer. A repeat is harmless.
pub(crate) async fn void(
    tx: &mut Tx<'_>,
    id: TransferId,
    state: TransferState,
    now: Timestamp,
) -> Result<(), TillError> {
    assert!(
        matches!(state, TransferState::Voided | TransferState::Expired),
        "a transfer is given up as voided or expired"
    );
    if close(tx, id, state, None, now).await? {
        return Ok(());
    }
    let transfer = find(tx, id).await?.ok_or(TillError::NotFound(Thing::Transfer))?;
    if transfer.state == state { Ok(()) } else { Err(LedgerError::Closed.into()) }
}

pub(crate) async fn find(tx: &mut Tx<'_>, id: TransferId) -> Result<Option<Transfer>, TillError> {
    Ok(tx
        .fetch_optional("SELECT * FROM till_transfers WHERE transfer_id = $1", params![id])
        .await?)
}

fn checked_amount(transfer: &NewTransfer) -> Result<i64, LedgerError> {
    let amount = transfer.amount.minor;
    if amount <= 0 {
        return Err(LedgerError::NotPositive);
    }
    if amount > TRANSFER_MINOR_MAX {
        return Err(LedgerError::TooLarge { limit_minor: TRANSFER_MINOR_MAX });
    }
    if transfer.debit == transfer.credit {
        return Err(LedgerError::SameAccount);
    }
    Ok(amount)
}

/// Whether this very transfer is there already.
async fn repeats(tx: &mut Tx<'_>, transfer: &NewTransfer) -> Result<bool, TillError> {
    let Some(earlier) = find(tx, transfer.id).await? else { return Ok(false) };
    let same = earlier.debit == transfer.debit
        && earlier.credit == transfer.credit
        && earlier.amount == transfer.amount
        && earlier.purpose == transfer.purpose
        && earlier.subject == transfer.subject;
    if same { Ok(true) } else { Err(LedgerError::IdReused.into()) }
}

async fn missing_or_short(tx: &mut Tx<'_>, id: LedgerAccountId, currency: Currency) -> TillError {
    let found: Result<Option<(i64,)>, StoreError> = tx
        .fetch_optional(
            "SELECT created_at FROM till_ledger_accounts \
             WHERE ledger_account_id = $1 AND currency = $2",
            params![id, currency],
        )
        .await;
    match found {
        Ok(Some(_)) => LedgerError::InsufficientFunds.into(),
        Ok(None) => LedgerError::UnknownAccount.into(),
        Err(error) => error.into(),
    }
}

async fn insert(tx: &mut Tx<'_>, transfer: &NewTransfer, now: Timestamp) -> Result<(), TillError> {
    tx.execute(
        "INSERT INTO till_transfers (transfer_id, debit_account, credit_account, currency, amount, \
         state, purpose, subject, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        params![
            transfer.id,
            transfer.debit,
            transfer.credit,
            transfer.amount.currency,
            transfer.amount.minor,
            TransferState::Pending,
            transfer.purpose,
            transfer.subject,
            now,
        ],
    )
    .await?;
    Ok(())
}

/// From `pending` to a closed state, the counters of both accounts with it; false where it was not
/// pending, or would move more than was reserved.
async fn close(
    tx: &mut Tx<'_>,
    id: TransferId,
    state: TransferState,
    posted: Option<i64>,
    now: Timestamp,
) -> Result<bool, TillError> {
    let moved = posted.unwrap_or(0);
    let closed: Option<(LedgerAccountId, LedgerAccountId, i64)> = tx
        .fetch_optional(
            "UPDATE till_transfers SET state = $1, posted_amount = $2, closed_at = $3 \
             WHERE transfer_id = $4 AND state = 'pending' AND amount >= $5 \
             RETURNING debit_account, credit_account, amount",
            params![state, posted, now, id, moved],
        )
        .await?;
    let Some((debit, credit, reserved)) = closed else { return Ok(false) };
    let changed = tx
        .execute(
            "UPDATE till_ledger_accounts SET \
             debits_pending = debits_pending - CASE WHEN ledger_account_id = $3 THEN CAST($1 AS BIGINT) ELSE 0 END, \
             debits_posted = debits_posted + CASE WHEN ledger_account_id = $3 THEN CAST($2 AS BIGINT) ELSE 0 END, \
             credits_pending = credits_pending - CASE WHEN ledger_account_id = $4 THEN CAST($1 AS BIGINT) ELSE 0 END, \
             credits_posted = credits_posted + CASE WHEN ledger_account_id = $4 THEN CAST($2 AS BIGINT) ELSE 0 END \
             WHERE ledger_account_id IN ($3, $4)",
            params![reserved, moved, debit, credit],
        )
        .await?;
    // Both are guaranteed by a foreign key, and that they differ by a check.
    assert_eq!(changed, 2, "a transfer has two accounts");
    Ok(true)
}
