//! Statements: what moved into and out of a shop's or a wallet's ledger accounts, newest first, page
//! by page. A page is found by index, so it costs the same however long the history is.

use handfast_model::{
    AccountId, Currency, DeviceId, LedgerAccountId, Money, Timestamp, TransferId,
};
use handfast_store::{Tx, params};

use crate::Till;
use crate::error::TillError;
use crate::ledger::{LedgerAccountKind, Purpose, Transfer, TransferState};
use crate::shop::register;
use crate::wallet::wallet_of;

/// Lines of a page.
pub const STATEMENT_PAGE_MAX: i64 = 100;

/// Ids are texts of digits and small letters that sort by time, on either engine; none is above this.
const AFTER_ALL: &str = "xfr_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz";

/// One line: a transfer, seen from the accounts whose statement it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementLine {
    /// The transfer.
    pub transfer: TransferId,
    /// When it was made.
    pub at: Timestamp,
    /// Why.
    pub purpose: Purpose,
    /// What it is for, as an id.
    pub subject: String,
    /// Where it stands.
    pub state: TransferState,
    /// What came in (above zero) or went out (below); what is reserved where it is pending.
    pub amount: Money,
}

/// A page of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Posted credits less posted debits, by currency: now, whatever the page.
    pub balances: Vec<Money>,
    /// Newest first.
    pub lines: Vec<StatementLine>,
    /// Where the next page begins, if there is one.
    pub next: Option<TransferId>,
}

impl Till {
    /// A page of the statement of the register's shop: what it is owed, and why. `before` is the
    /// `next` of the page before.
    ///
    /// # Errors
    /// [`TillError::NotFound`] where the device is no register.
    pub async fn shop_statement(
        &self,
        device: DeviceId,
        before: Option<TransferId>,
    ) -> Result<Statement, TillError> {
        self.store
            .read("statement.shop", |tx| {
                Box::pin(async move {
                    let at = register(tx, device).await?;
                    let kind = LedgerAccountKind::ShopPayable;
                    page(tx, kind, &at.shop.to_string(), before).await
                })
            })
            .await
    }

    /// A page of the statement of an account's credit.
    ///
    /// # Errors
    /// [`TillError::NotFound`] without a wallet.
    pub async fn credit_statement(
        &self,
        account: AccountId,
        before: Option<TransferId>,
    ) -> Result<Statement, TillError> {
        self.store
            .read("statement.credit", |tx| {
                Box::pin(async move {
                    let wallet = wallet_of(tx, account).await?;
                    let kind = LedgerAccountKind::WalletCredit;
                    page(tx, kind, &wallet.id.to_string(), before).await
                })
            })
            .await
    }
}

async fn page(
    tx: &mut Tx<'_>,
    kind: LedgerAccountKind,
    owner: &str,
    before: Option<TransferId>,
) -> Result<Statement, TillError> {
    // What is owed to a shop is kept register by register.
    let registers = format!("{owner}/%");
    let accounts: Vec<(LedgerAccountId, Currency, i64)> = tx
        .fetch_all(
            "SELECT ledger_account_id, currency, credits_posted - debits_posted \
             FROM till_ledger_accounts WHERE kind = $1 \
             AND (owner = $2 OR owner LIKE $3)",
            params![kind, owner, registers],
        )
        .await?;
    let mut lines = Vec::new();
    for &(account, ..) in &accounts {
        lines.extend(lines_of(tx, account, before).await?);
    }
    lines.sort_by_key(|line| std::cmp::Reverse(line.transfer));
    let page_max = usize::try_from(STATEMENT_PAGE_MAX).unwrap_or(usize::MAX);
    let is_more = lines.len() > page_max;
    lines.truncate(page_max);
    let next = lines.last().filter(|_| is_more).map(|line| line.transfer);
    let balances = Currency::ALL.into_iter().filter_map(|currency| {
        let mut of_it = accounts.iter().filter(|(_, c, _)| *c == currency).peekable();
        of_it.peek()?;
        Some(Money::new(of_it.map(|(.., minor)| minor).sum(), currency))
    });
    Ok(Statement { balances: balances.collect(), lines, next })
}

/// One more than a page of one account's transfers: two walks along an index each.
async fn lines_of(
    tx: &mut Tx<'_>,
    account: LedgerAccountId,
    before: Option<TransferId>,
) -> Result<Vec<StatementLine>, TillError> {
    let before = before.map_or_else(|| AFTER_ALL.to_owned(), |id| id.to_string());
    let credits: Vec<Transfer> = tx
        .fetch_all(
            "SELECT * FROM till_transfers WHERE credit_account = $1 AND transfer_id < $2 \
             ORDER BY transfer_id DESC LIMIT $3",
            params![account, before, STATEMENT_PAGE_MAX + 1],
        )
        .await?;
    let debits: Vec<Transfer> = tx
        .fetch_all(
            "SELECT * FROM till_transfers WHERE debit_account = $1 AND transfer_id < $2 \
             ORDER BY transfer_id DESC LIMIT $3",
            params![account, before, STATEMENT_PAGE_MAX + 1],
        )
        .await?;
    let line = |transfer: &Transfer, sign: i64| StatementLine {
        transfer: transfer.id,
        at: transfer.created_at,
        purpose: transfer.purpose,
        subject: transfer.subject.clone(),
        state: transfer.state,
        amount: Money::new(
            sign * transfer.posted.unwrap_or(transfer.amount).minor,
            transfer.amount.currency,
        ),
    };
    let mut lines: Vec<StatementLine> = credits.iter().map(|t| line(t, 1)).collect();
    lines.extend(debits.iter().map(|t| line(t, -1)));
    Ok(lines)
}
