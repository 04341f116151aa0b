//! The slow, obvious look at the books: everything is computed again from the rows of transfers
//! and compared with the counters and with what charges and refunds say.

use std::collections::BTreeMap;

use handfast_model::{ChargeId, Currency, LedgerAccountId, Money, RefundId, TransferId};
use handfast_store::{FromRow, Row, StoreError, Tx, params};

use crate::Till;
use crate::error::TillError;
use crate::ledger::{LedgerAccountKind, Transfer, TransferState};
use crate::refund::RefundState;
use crate::state::ChargeState;

/// What an audit found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// How many ledger accounts there are.
    pub accounts: usize,
    /// How many transfers there are.
    pub transfers: usize,
    /// The sum of all balances, by currency: zero, or the books are wrong.
    pub sums: BTreeMap<Currency, i64>,
    /// Everything that does not add up; empty when the books are right.
    pub differences: Vec<Difference>,
}

impl Audit {
    /// Whether everything adds up.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.differences.is_empty() && self.sums.values().all(|&sum| sum == 0)
    }
}

/// One thing that does not add up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// An account's counters are not the sums of its transfers.
    Counters {
        /// The account.
        account: LedgerAccountId,
        /// The counters: debits pending and posted, credits pending and posted.
        counted: Counters,
        /// The sums of the rows.
        recomputed: Counters,
    },
    /// An account that may not be negative is.
    Negative {
        /// The account.
        account: LedgerAccountId,
        /// Its balance.
        balance: i64,
    },
    /// A transfer's two accounts, or the transfer, differ in currency or are missing.
    Currency {
        /// The transfer.
        transfer: TransferId,
    },
    /// A charge's transfers do not say what the charge says.
    Charge {
        /// The charge.
        charge: ChargeId,
    },
    /// A refund's transfers do not say what the refund says.
    Refund {
        /// The refund.
        refund: RefundId,
    },
}

/// Sums of one account's transfers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Reserved to go out.
    pub debits_pending: i64,
    /// Gone out.
    pub debits_posted: i64,
    /// Announced to come in.
    pub credits_pending: i64,
    /// Come in.
    pub credits_posted: i64,
}

struct AccountRow {
    kind: LedgerAccountKind,
    currency: Currency,
    counted: Counters,
    recomputed: Counters,
}

/// One ledger account and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The account.
    pub account: LedgerAccountId,
    /// What it is for.
    pub kind: LedgerAccountKind,
    /// Whose it is: the id of a wallet or shop, the name of a promotion.
    pub owner: String,
    /// Posted credits minus posted debits.
    pub balance: Money,
    /// Reserved to go out.
    pub going_out: Money,
    /// Announced to come in.
    pub coming_in: Money,
}

impl FromRow for Balance {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let currency: Currency = row.get("currency")?;
        let money = |column| row.get(column).map(|minor| Money::new(minor, currency));
        Ok(Self {
            account: row.get("ledger_account_id")?,
            kind: row.get("kind")?,
            owner: row.get("owner")?,
            balance: money("balance")?,
            going_out: money("debits_pending")?,
            coming_in: money("credits_pending")?,
        })
    }
}

impl Till {
    /// Every ledger account and what it holds, by kind and owner.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn balances(&self) -> Result<Vec<Balance>, TillError> {
        self.store
            .read("till.balances", |tx| {
                Box::pin(async move {
                    Ok(tx
                        .fetch_all(
                            "SELECT ledger_account_id, kind, owner, currency, debits_pending, \
                             credits_pending, credits_posted - debits_posted AS balance \
                             FROM till_ledger_accounts ORDER BY kind, owner, currency",
                            params![],
                        )
                        .await?)
                })
            })
            .await
    }

    /// Recomputes every balance from the transfers, and every charge's and refund's money from its
    /// transfers, and compares. Reads one state of the database; writes nothing.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn audit(&self) -> Result<Audit, TillError> {
        self.store.read("till.audit", |tx| Box::pin(audit(tx))).await
    }
}

async fn audit(tx: &mut Tx<'_>) -> Result<Audit, TillError> {
    let mut accounts = read_accounts(tx).await?;
    let transfers: Vec<Transfer> = tx.fetch_all("SELECT * FROM till_transfers", params![]).await?;
    let mut differences = Vec::new();
    for transfer in &transfers {
        if !add_up(&mut accounts, transfer) {
            differences.push(Difference::Currency { transfer: transfer.id });
        }
    }
    let mut sums = BTreeMap::new();
    for (&account, row) in &accounts {
        let balance = row.recomputed.credits_posted - row.recomputed.debits_posted;
        *sums.entry(row.currency).or_insert(0) += balance;
        if row.counted != row.recomputed {
            let (counted, recomputed) = (row.counted, row.recomputed);
            differences.push(Difference::Counters { account, counted, recomputed });
        }
        if !row.kind.may_be_negative() && balance - row.recomputed.debits_pending < 0 {
            differences.push(Difference::Negative { account, balance });
        }
    }
    let by_id: BTreeMap<TransferId, &Transfer> = transfers.iter().map(|t| (t.id, t)).collect();
    differences.extend(audit_charges(tx, &by_id).await?);
    differences.extend(audit_refunds(tx, &by_id).await?);
    Ok(Audit { accounts: accounts.len(), transfers: transfers.len(), sums, differences })
}

async fn read_accounts(
    tx: &mut Tx<'_>,
) -> Result<BTreeMap<LedgerAccountId, AccountRow>, TillError> {
    type Columns = (LedgerAccountId, LedgerAccountKind, Currency, i64, i64, i64, i64);
    let rows: Vec<Columns> = tx
        .fetch_all(
            "SELECT ledger_account_id, kind, currency, debits_pending, debits_posted, \
             credits_pending, credits_posted FROM till_ledger_accounts",
            params![],
        )
        .await?;
    let account = |(id, kind, currency, debits_pending, debits_posted, pending, posted)| {
        let counted = Counters {
            debits_pending,
            debits_posted,
            credits_pending: pending,
            credits_posted: posted,
        };
        (id, AccountRow { kind, currency, counted, recomputed: Counters::default() })
    };
    Ok(rows.into_iter().map(account).collect())
}

/// Adds one transfer to both its accounts; false where it does not fit them.
fn add_up(accounts: &mut BTreeMap<LedgerAccountId, AccountRow>, transfer: &Transfer) -> bool {
    let pending = match transfer.state {
        TransferState::Pending => transfer.amount.minor,
        TransferState::Posted | TransferState::Voided | TransferState::Expired => 0,
    };
    let posted = transfer.posted.map_or(0, |money| money.minor);
    let mut fits = true;
    match accounts.get_mut(&transfer.debit) {
        Some(debit) => {
            debit.recomputed.debits_pending += pending;
            debit.recomputed.debits_posted += posted;
            fits &= debit.currency == transfer.amount.currency;
        }
        None => fits = false,
    }
    match accounts.get_mut(&transfer.credit) {
        Some(credit) => {
            credit.recomputed.credits_pending += pending;
            credit.recomputed.credits_posted += posted;
            fits &= credit.currency == transfer.amount.currency;
        }
        None => fits = false,
    }
    fits
}

/// Whether a part of a charge or refund and its transfer agree.
fn part_agrees(
    transfers: &BTreeMap<TransferId, &Transfer>,
    part: i64,
    id: Option<TransferId>,
    wanted: &[TransferState],
) -> bool {
    match id.map(|id| transfers.get(&id)) {
        None => part == 0,
        Some(None) => false,
        // A hold that was captured in part: what was posted counts, and nothing of it may be.
        Some(Some(transfer)) if wanted == [TransferState::Posted] => match transfer.posted {
            Some(posted) => posted.minor == part && part <= transfer.amount.minor,
            None => part == 0 && transfer.state == TransferState::Voided,
        },
        Some(Some(transfer)) => transfer.amount.minor == part && wanted.contains(&transfer.state),
    }
}

async fn audit_charges(
    tx: &mut Tx<'_>,
    transfers: &BTreeMap<TransferId, &Transfer>,
) -> Result<Vec<Difference>, TillError> {
    type Columns = (ChargeId, ChargeState, i64, i64, Option<TransferId>, Option<TransferId>);
    let rows: Vec<Columns> = tx
        .fetch_all(
            "SELECT charge_id, state, credit_part, card_part, credit_transfer, card_transfer \
             FROM till_charges",
            params![],
        )
        .await?;
    let mut differences = Vec::new();
    for (charge, state, credit_part, card_part, credit, card) in rows {
        let wanted: &[TransferState] = match state {
            ChargeState::Requested | ChargeState::Cancelled => &[],
            ChargeState::Identified
            | ChargeState::Authorising
            | ChargeState::Authorised
            | ChargeState::Unknown => &[TransferState::Pending],
            ChargeState::Captured => &[TransferState::Posted],
            ChargeState::Voided | ChargeState::Declined | ChargeState::Expired => {
                &[TransferState::Voided, TransferState::Expired]
            }
        };
        let agrees = part_agrees(transfers, credit_part, credit, wanted)
            && part_agrees(transfers, card_part, card, wanted);
        if !agrees {
            differences.push(Difference::Charge { charge });
        }
    }
    Ok(differences)
}

async fn audit_refunds(
    tx: &mut Tx<'_>,
    transfers: &BTreeMap<TransferId, &Transfer>,
) -> Result<Vec<Difference>, TillError> {
    type Columns = (RefundId, RefundState, i64, i64, Option<TransferId>, Option<TransferId>);
    let rows: Vec<Columns> = tx
        .fetch_all(
            "SELECT refund_id, state, credit_part, card_part, credit_transfer, card_transfer \
             FROM till_refunds",
            params![],
        )
        .await?;
    let mut differences = Vec::new();
    for (refund, state, credit_part, card_part, credit, card) in rows {
        let wanted = match state {
            RefundState::Asking | RefundState::Unknown => TransferState::Pending,
            RefundState::Done => TransferState::Posted,
            RefundState::Refused => TransferState::Voided,
        };
        let agrees = part_agrees(transfers, credit_part, credit, &[wanted])
            && part_agrees(transfers, card_part, card, &[wanted]);
        if !agrees {
            differences.push(Difference::Refund { refund });
        }
    }
    Ok(differences)
}
