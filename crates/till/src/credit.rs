//! Credit for linking a payment method: once a person, by palm or phone alike, from a funded
//! account, with an end, never paid out in cash (no transfer leads from it to a gateway).

use handfast_model::{
    AccountId, Currency, LedgerAccountId, Money, Timestamp, TransferId, WalletId,
};
use handfast_store::{Tx, params};

use crate::Till;
use crate::error::{Thing, TillError};
use crate::ledger::{self, LedgerAccountKind, NewTransfer, Purpose};
use crate::loyalty;
use crate::text::{Label, PersonKey};
use crate::wallet::{WalletRow, wallet_of};

/// The owner of the ledger account that promotions are funded from: the house, of which there is
/// one a till.
const HOUSE: &str = "house";
/// How many ended credits one transaction takes back, so that none runs long.
const ENDED_CREDITS_BATCH: i64 = 100;

/// A promotion's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promotion {
    /// Its name.
    pub name: Label,
    /// What each person gets.
    pub credit: Money,
    /// From when it is given.
    pub starts_at: Timestamp,
    /// Until when it is given.
    pub ends_at: Timestamp,
    /// Until when it may be spent; what is left then goes back to the promotion.
    pub spend_until: Timestamp,
}

/// A wallet's credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credit {
    /// What is left and not reserved.
    pub left: Money,
    /// Until when it may be spent.
    pub spend_until: Timestamp,
}

/// What became of the credit for linking a payment method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreditGrant {
    /// It was given.
    Granted(Money),
    /// This person had it before.
    HadBefore,
    /// No promotion runs now.
    NoPromotion,
    /// The promotion has no money left.
    Exhausted,
}

/// Ids made before the transaction, so that a repeat of it uses the same.
#[derive(Clone, Copy)]
pub(crate) struct GrantIds {
    pub transfer: TransferId,
    pub wallet_credit: LedgerAccountId,
}

type PromotionRow = (String, i64, Currency, Timestamp, Timestamp, Timestamp);

impl Till {
    /// Sets up a promotion, without money yet. A repeat of the same terms is harmless.
    ///
    /// # Errors
    /// [`TillError::PromotionTerms`] where the terms contradict each other, or a promotion of that
    /// name has others.
    pub async fn create_promotion(&self, promotion: &Promotion) -> Result<(), TillError> {
        if promotion.credit.minor <= 0 || promotion.credit.minor > ledger::TRANSFER_MINOR_MAX {
            return Err(TillError::PromotionTerms(
                "the credit must be above zero and transferable",
            ));
        }
        if promotion.starts_at >= promotion.ends_at || promotion.ends_at > promotion.spend_until {
            return Err(TillError::PromotionTerms(
                "it must start before it ends, and end no later than its credit",
            ));
        }
        self.store
            .transaction("promotion.create", |tx| Box::pin(create_promotion(tx, promotion)))
            .await
    }

    /// Gives a promotion money to give away. `transfer` is the caller's id: a repeat is harmless.
    ///
    /// # Errors
    /// [`TillError::NotFound`], [`TillError::WrongCurrency`], [`TillError::Ledger`].
    pub async fn fund_promotion(
        &self,
        name: &Label,
        amount: Money,
        transfer: TransferId,
    ) -> Result<(), TillError> {
        let (now, fresh) = (self.now(), [self.fresh_ledger_account(), self.fresh_ledger_account()]);
        self.store
            .transaction("promotion.fund", |tx| {
                Box::pin(async move {
                    let expected = promotion_currency(tx, name).await?;
                    if expected != amount.currency {
                        return Err(TillError::WrongCurrency { expected, got: amount.currency });
                    }
                    let (kind, owner) = (LedgerAccountKind::PromotionFunding, HOUSE);
                    let debit = ledger::account(tx, fresh[0], kind, owner, expected, now).await?;
                    let (kind, owner) = (LedgerAccountKind::Promotion, name.as_str());
                    let credit = ledger::account(tx, fresh[1], kind, owner, expected, now).await?;
                    let purpose = Purpose::PromotionFunding;
                    let subject = name.as_str().to_owned();
                    let transfer =
                        NewTransfer { id: transfer, debit, credit, amount, purpose, subject };
                    ledger::record(tx, &transfer, now).await
                })
            })
            .await
    }

    /// What a promotion may still give away.
    ///
    /// # Errors
    /// [`TillError::NotFound`].
    pub async fn promotion_balance(&self, name: &Label) -> Result<Money, TillError> {
        self.store
            .read("promotion.balance", |tx| {
                Box::pin(async move {
                    let currency = promotion_currency(tx, name).await?;
                    let kind = LedgerAccountKind::Promotion;
                    let account = ledger::find_account(tx, kind, name.as_str(), currency).await?;
                    let minor = match account {
                        Some(account) => ledger::available(tx, account).await?,
                        None => 0,
                    };
                    Ok(Money::new(minor, currency))
                })
            })
            .await
    }

    /// Takes back what is left of an account's credit, for fraud; the person does not get another.
    ///
    /// # Errors
    /// [`TillError::NotFound`] where the account has no wallet.
    pub async fn take_back_credit(&self, account: AccountId) -> Result<(), TillError> {
        let (now, id) = (self.now(), self.fresh_transfer());
        self.store
            .transaction("credit.take_back", |tx| {
                Box::pin(async move {
                    let wallet = wallet_of(tx, account).await?;
                    take_back(tx, wallet.id, id, now).await
                })
            })
            .await
    }

    /// Returns credit whose time is over to its promotion; how many wallets had any. Call it now
    /// and then (credit is not spendable after its end whether or not this ran).
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn end_credits(&self) -> Result<usize, TillError> {
        let now = self.now();
        let ended: Vec<(WalletId,)> = self
            .store
            .read("credit.ended", |tx| {
                Box::pin(async move {
                    tx.fetch_all(
                        "SELECT c.wallet_id FROM till_linking_credits c \
                         JOIN till_ledger_accounts a ON a.kind = 'wallet_credit' \
                         AND a.owner = c.wallet_id AND a.currency = c.currency \
                         WHERE c.spend_until <= $1 \
                         AND a.credits_posted - a.debits_posted - a.debits_pending > 0 LIMIT $2",
                        params![now, ENDED_CREDITS_BATCH],
                    )
                    .await
                })
            })
            .await
            .map_err(TillError::Store)?;
        for &(wallet,) in &ended {
            let id = self.fresh_transfer();
            self.store
                .transaction("credit.end", |tx| Box::pin(take_back(tx, wallet, id, now)))
                .await?;
        }
        Ok(ended.len())
    }
}

async fn create_promotion(tx: &mut Tx<'_>, promotion: &Promotion) -> Result<(), TillError> {
    tx.execute(
        "INSERT INTO till_promotions (name, credit, currency, starts_at, ends_at, spend_until) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        params![
            promotion.name.as_str(),
            promotion.credit.minor,
            promotion.credit.currency,
            promotion.starts_at,
            promotion.ends_at,
            promotion.spend_until,
        ],
    )
    .await?;
    let stored: PromotionRow = tx
        .fetch_one(
            "SELECT name, credit, currency, starts_at, ends_at, spend_until \
             FROM till_promotions WHERE name = $1",
            params![promotion.name.as_str()],
        )
        .await?;
    let wanted = (
        promotion.name.as_str().to_owned(),
        promotion.credit.minor,
        promotion.credit.currency,
        promotion.starts_at,
        promotion.ends_at,
        promotion.spend_until,
    );
    if stored == wanted {
        Ok(())
    } else {
        Err(TillError::PromotionTerms("another promotion of that name exists; choose a new name"))
    }
}

async fn promotion_currency(tx: &mut Tx<'_>, name: &Label) -> Result<Currency, TillError> {
    let found: Option<(Currency,)> = tx
        .fetch_optional(
            "SELECT currency FROM till_promotions WHERE name = $1",
            params![name.as_str()],
        )
        .await?;
    match found {
        Some((currency,)) => Ok(currency),
        // Discounts are funded and kept as promotions are.
        None => loyalty::currency_of(tx, name).await?.ok_or(TillError::NotFound(Thing::Promotion)),
    }
}

/// Gives the credit for linking a payment method, if a promotion runs, has the money, and this
/// person did not have it before. Two constraints of the database say "once": the account's, and
/// the person's where the caller knows a key.
pub(crate) async fn grant(
    tx: &mut Tx<'_>,
    wallet: &WalletRow,
    person: Option<&PersonKey>,
    ids: &GrantIds,
    now: Timestamp,
) -> Result<CreditGrant, TillError> {
    let running: Option<PromotionRow> = tx
        .fetch_optional(
            "SELECT name, credit, currency, starts_at, ends_at, spend_until FROM till_promotions \
             WHERE starts_at <= $1 AND ends_at > $1 ORDER BY starts_at, name LIMIT 1",
            params![now],
        )
        .await?;
    let Some((name, minor, currency, _, _, spend_until)) = running else {
        return Ok(CreditGrant::NoPromotion);
    };
    if had_before(tx, wallet.account, person).await? {
        return Ok(CreditGrant::HadBefore);
    }
    let kind = LedgerAccountKind::Promotion;
    let source = ledger::find_account(tx, kind, &name, currency).await?;
    let Some(source) = source else { return Ok(CreditGrant::Exhausted) };
    if ledger::available(tx, source).await? < minor {
        return Ok(CreditGrant::Exhausted);
    }
    let (kind, owner) = (LedgerAccountKind::WalletCredit, wallet.id.to_string());
    let credit = ledger::account(tx, ids.wallet_credit, kind, &owner, currency, now).await?;
    let amount = Money::new(minor, currency);
    let transfer = NewTransfer {
        id: ids.transfer,
        debit: source,
        credit,
        amount,
        purpose: Purpose::LinkingCredit,
        subject: wallet.id.to_string(),
    };
    ledger::record(tx, &transfer, now).await?;
    tx.execute(
        "INSERT INTO till_linking_credits (account_id, person_key, wallet_id, promotion, \
         transfer_id, currency, spend_until, granted_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            wallet.account,
            person.map(PersonKey::as_str),
            wallet.id,
            name,
            ids.transfer,
            currency,
            spend_until,
            now,
        ],
    )
    .await?;
    Ok(CreditGrant::Granted(amount))
}

async fn had_before(
    tx: &mut Tx<'_>,
    account: AccountId,
    person: Option<&PersonKey>,
) -> Result<bool, TillError> {
    // `person_key = NULL` is never true: without a key only the account counts.
    let earlier: Option<(AccountId,)> = tx
        .fetch_optional(
            "SELECT account_id FROM till_linking_credits \
             WHERE account_id = $1 OR person_key = $2 LIMIT 1",
            params![account, person.map(PersonKey::as_str)],
        )
        .await?;
    Ok(earlier.is_some())
}

/// The wallet's credit, if it was ever given one.
pub(crate) async fn of_wallet(
    tx: &mut Tx<'_>,
    wallet: WalletId,
) -> Result<Option<Credit>, TillError> {
    let given: Option<(Currency, Timestamp, i64)> = tx
        .fetch_optional(
            "SELECT c.currency, c.spend_until, \
             a.credits_posted - a.debits_posted - a.debits_pending \
             FROM till_linking_credits c JOIN till_ledger_accounts a \
             ON a.kind = 'wallet_credit' AND a.owner = c.wallet_id AND a.currency = c.currency \
             WHERE c.wallet_id = $1",
            params![wallet],
        )
        .await?;
    Ok(given.map(|(currency, spend_until, minor)| Credit {
        left: Money::new(minor, currency),
        spend_until,
    }))
}

/// The ledger account of a wallet's credit, which exists since the credit was given.
pub(crate) async fn wallet_account(
    tx: &mut Tx<'_>,
    wallet: WalletId,
    currency: Currency,
) -> Result<LedgerAccountId, TillError> {
    let kind = LedgerAccountKind::WalletCredit;
    ledger::find_account(tx, kind, &wallet.to_string(), currency)
        .await?
        .ok_or(TillError::Corrupt { column: "till_linking_credits.wallet_id" })
}

/// Moves what is left of a wallet's credit back to its promotion.
async fn take_back(
    tx: &mut Tx<'_>,
    wallet: WalletId,
    id: TransferId,
    now: Timestamp,
) -> Result<(), TillError> {
    let given: Option<(String, Currency)> = tx
        .fetch_optional(
            "SELECT promotion, currency FROM till_linking_credits WHERE wallet_id = $1",
            params![wallet],
        )
        .await?;
    let Some((promotion, currency)) = given else { return Ok(()) };
    let debit = wallet_account(tx, wallet, currency).await?;
    let left = ledger::available(tx, debit).await?;
    if left <= 0 {
        return Ok(());
    }
    let credit = ledger::find_account(tx, LedgerAccountKind::Promotion, &promotion, currency)
        .await?
        .ok_or(TillError::Corrupt { column: "till_linking_credits.promotion" })?;
    let amount = Money::new(left, currency);
    let (purpose, subject) = (Purpose::CreditEnd, wallet.to_string());
    let transfer = NewTransfer { id, debit, credit, amount, purpose, subject };
    ledger::record(tx, &transfer, now).await
}
