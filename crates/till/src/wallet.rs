//! Wallets: one an account, with payment method references, a switch for paying by palm, and a
//! freeze.

use handfast_model::{AccountId, Money, PaymentMethodId, SecretText, ShopId, Timestamp, WalletId};
use handfast_store::{FromRow, Row, StoreError, Tx, params};

use crate::Till;
use crate::age::{self, KnownAge};
use crate::credit::{self, Credit};
use crate::detach;
use crate::error::{Thing, TillError};
use crate::loyalty::{self, LoyaltyNumber};

/// A wallet as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wallet {
    /// Its id.
    pub id: WalletId,
    /// Whose it is.
    pub account: AccountId,
    /// Whether a palm may pay from it.
    pub palm_pay: bool,
    /// Whether nothing may be paid from it for now.
    pub frozen: bool,
    /// Whether it has a PIN.
    pub has_pin: bool,
    /// Whether the PIN is asked for at every payment by palm.
    pub pin_always: bool,
    /// How often the PIN was wrong since it was right.
    pub pin_misses: i64,
    /// Loyalty numbers, by program.
    pub loyalty: Vec<LoyaltyNumber>,
    /// The age that somebody saw proof of, where somebody did.
    pub age: Option<KnownAge>,
    /// Credit that was given, where one was.
    pub credit: Option<Credit>,
    /// Payment methods, oldest first.
    pub payment_methods: Vec<PaymentMethod>,
    /// Shops where a palm of this wallet is known, by name.
    pub shops: Vec<WalletShop>,
}

impl Wallet {
    /// What credit may be spent at `now`, where there is one.
    #[must_use]
    pub fn spendable_credit(&self, now: Timestamp) -> Option<Money> {
        self.credit.filter(|credit| now < credit.spend_until).map(|credit| credit.left)
    }
}

/// A shop that knows a palm of a wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalletShop {
    /// The shop.
    pub shop: ShopId,
    /// Its name.
    pub name: String,
}

/// A payment method: a gateway's reference (not shown) and a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentMethod {
    /// Its id.
    pub id: PaymentMethodId,
    /// What the person recognises it by.
    pub label: String,
    /// Whether it pays unless another is chosen.
    pub default: bool,
}

impl FromRow for PaymentMethod {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("payment_method_id")?,
            label: row.get("label")?,
            default: row.get("is_default")?,
        })
    }
}

/// What every decision about a wallet begins with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WalletRow {
    pub id: WalletId,
    pub account: AccountId,
    pub palm_pay: bool,
    pub frozen: bool,
    pub has_pin: bool,
    pub pin_always: bool,
    pub pin_misses: i64,
}

impl FromRow for WalletRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("wallet_id")?,
            account: row.get("account_id")?,
            palm_pay: row.get("palm_pay")?,
            frozen: row.get("frozen")?,
            has_pin: row.get_optional::<String>("pin_hash")?.is_some(),
            pin_always: row.get("pin_always")?,
            pin_misses: row.get("pin_misses")?,
        })
    }
}

/// The payment method that pays, with what only the gateway may see.
#[derive(Clone, Debug)]
pub(crate) struct PayingMethod {
    pub id: PaymentMethodId,
    pub reference: SecretText,
    pub network_transaction_id: Option<String>,
}

impl Till {
    /// The wallet of an account, if it has one.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn wallet(&self, account: AccountId) -> Result<Option<Wallet>, TillError> {
        self.store
            .read("wallet.read", |tx| {
                Box::pin(async move {
                    match find_wallet(tx, account).await? {
                        Some(row) => view(tx, row).await.map(Some),
                        None => Ok(None),
                    }
                })
            })
            .await
    }

    /// Lets palms pay from the wallet, or no more. The consent for it is the caller's to record;
    /// arming and disarming the palms too.
    ///
    /// # Errors
    /// [`TillError::NotFound`] where the account has no wallet.
    pub async fn set_palm_pay(&self, account: AccountId, on: bool) -> Result<(), TillError> {
        self.store
            .transaction("wallet.palm_pay", |tx| {
                Box::pin(async move {
                    let changed = tx
                        .execute(
                            "UPDATE till_wallets SET palm_pay = $1 WHERE account_id = $2",
                            params![on, account],
                        )
                        .await?;
                    found(changed, Thing::Wallet)
                })
            })
            .await
    }

    /// Freezes the wallet (nothing may be paid from it; refunds still arrive), or thaws it.
    ///
    /// # Errors
    /// [`TillError::NotFound`] where the account has no wallet.
    pub async fn set_frozen(&self, account: AccountId, frozen: bool) -> Result<(), TillError> {
        self.store
            .transaction("wallet.freeze", |tx| {
                Box::pin(async move {
                    let changed = tx
                        .execute(
                            "UPDATE till_wallets SET frozen = $1 WHERE account_id = $2",
                            params![frozen, account],
                        )
                        .await?;
                    found(changed, Thing::Wallet)
                })
            })
            .await
    }

    /// Whether a palm of the account should be armed at shops: palm pay is on and not frozen.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn may_pay_by_palm(&self, account: AccountId) -> Result<bool, TillError> {
        self.store
            .read("wallet.may_pay", |tx| {
                Box::pin(async move {
                    let wallet = find_wallet(tx, account).await?;
                    Ok(wallet.is_some_and(|wallet| wallet.palm_pay && !wallet.frozen))
                })
            })
            .await
    }

    /// Makes a payment method the one that pays.
    ///
    /// # Errors
    /// [`TillError::NotFound`] where it is not one of the account's.
    pub async fn set_default_payment_method(
        &self,
        account: AccountId,
        method: PaymentMethodId,
    ) -> Result<(), TillError> {
        self.store
            .transaction("payment_method.default", |tx| {
                Box::pin(async move {
                    let wallet = wallet_of(tx, account).await?;
                    clear_default(tx, wallet.id).await?;
                    let changed = tx
                        .execute(
                            "UPDATE till_payment_methods SET is_default = TRUE WHERE wallet_id = $1 \
                             AND payment_method_id = $2 AND removed_at IS NULL",
                            params![wallet.id, method],
                        )
                        .await?;
                    found(changed, Thing::PaymentMethod)
                })
            })
            .await
    }

    /// Removes a payment method: its reference is forgotten here at once and at the gateway as soon
    /// as it answers ([`Till::detach_due`]); its label stays in past payments. The oldest that is
    /// left becomes the default.
    ///
    /// # Errors
    /// [`TillError::NotFound`] where it is not one of the account's.
    pub async fn remove_payment_method(
        &self,
        account: AccountId,
        method: PaymentMethodId,
    ) -> Result<(), TillError> {
        let now = self.now();
        self.store
            .transaction("payment_method.remove", |tx| {
                Box::pin(async move {
                    let wallet = wallet_of(tx, account).await?;
                    detach::enqueue(tx, wallet.id, Some(method), now).await?;
                    let changed = tx
                        .execute(
                            "UPDATE till_payment_methods \
                             SET removed_at = $1, is_default = FALSE, reference = '' \
                             WHERE wallet_id = $2 AND payment_method_id = $3 \
                             AND removed_at IS NULL",
                            params![now, wallet.id, method],
                        )
                        .await?;
                    found(changed, Thing::PaymentMethod)?;
                    choose_default(tx, wallet.id).await
                })
            })
            .await
    }

    /// Forgets what the till can forget of an account: payment method references (at the gateway
    /// too), shop tokens, PIN, loyalty numbers, age, limits and the switch. Charges and transfers stay, as the books must. No wallet, no harm.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn forget_account(&self, account: AccountId) -> Result<(), TillError> {
        let now = self.now();
        self.store
            .transaction("wallet.forget", |tx| {
                Box::pin(async move {
                    let Some(wallet) = find_wallet(tx, account).await? else { return Ok(()) };
                    detach::enqueue(tx, wallet.id, None, now).await?;
                    tx.execute(
                        "UPDATE till_payment_methods \
                         SET removed_at = $1, is_default = FALSE, reference = '' \
                         WHERE wallet_id = $2 AND removed_at IS NULL",
                        params![now, wallet.id],
                    )
                    .await?;
                    tx.execute(
                        "DELETE FROM till_shop_tokens WHERE wallet_id = $1",
                        params![wallet.id],
                    )
                    .await?;
                    for forget in [
                        "UPDATE till_wallets SET palm_pay = FALSE, pin_hash = NULL, \
                         pin_misses = 0 WHERE wallet_id = $1",
                        "DELETE FROM till_loyalty WHERE wallet_id = $1",
                        "DELETE FROM till_ages WHERE wallet_id = $1",
                        "DELETE FROM till_limits WHERE wallet_id = $1",
                    ] {
                        tx.execute(forget, params![wallet.id]).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}

/// "Nothing changed" as "there is no such thing".
pub(crate) fn found(changed: u64, thing: Thing) -> Result<(), TillError> {
    if changed == 0 { Err(TillError::NotFound(thing)) } else { Ok(()) }
}

pub(crate) async fn find_wallet(
    tx: &mut Tx<'_>,
    account: AccountId,
) -> Result<Option<WalletRow>, TillError> {
    Ok(tx
        .fetch_optional("SELECT * FROM till_wallets WHERE account_id = $1", params![account])
        .await?)
}

pub(crate) async fn wallet_of(tx: &mut Tx<'_>, account: AccountId) -> Result<WalletRow, TillError> {
    find_wallet(tx, account).await?.ok_or(TillError::NotFound(Thing::Wallet))
}

/// As [`wallet_of`]; nobody else plans a payment from it until the transaction ends.
pub(crate) async fn wallet_locked(
    tx: &mut Tx<'_>,
    account: AccountId,
) -> Result<WalletRow, TillError> {
    let sql = "SELECT w.* FROM till_wallets w WHERE w.account_id = $1";
    let found = tx.fetch_locked_optional(sql, "w", params![account]).await?;
    found.ok_or(TillError::NotFound(Thing::Wallet))
}

/// The wallet of an account, made with the id `fresh` where there is none yet.
pub(crate) async fn ensure_wallet(
    tx: &mut Tx<'_>,
    account: AccountId,
    fresh: WalletId,
    now: Timestamp,
) -> Result<WalletRow, TillError> {
    tx.execute(
        "INSERT INTO till_wallets (wallet_id, account_id, palm_pay, frozen, created_at) \
         VALUES ($1, $2, FALSE, FALSE, $3) ON CONFLICT (account_id) DO NOTHING",
        params![fresh, account, now],
    )
    .await?;
    wallet_of(tx, account).await
}

pub(crate) async fn view(tx: &mut Tx<'_>, row: WalletRow) -> Result<Wallet, TillError> {
    let payment_methods = tx
        .fetch_all(
            "SELECT payment_method_id, label, is_default FROM till_payment_methods \
             WHERE wallet_id = $1 AND removed_at IS NULL ORDER BY payment_method_id",
            params![row.id],
        )
        .await?;
    let shops: Vec<(ShopId, String)> = tx
        .fetch_all(
            "SELECT DISTINCT s.shop_id, s.name FROM till_shop_tokens t \
             JOIN till_shops s ON s.shop_id = t.shop_id WHERE t.wallet_id = $1 ORDER BY s.name",
            params![row.id],
        )
        .await?;
    Ok(Wallet {
        id: row.id,
        account: row.account,
        palm_pay: row.palm_pay,
        frozen: row.frozen,
        has_pin: row.has_pin,
        pin_always: row.pin_always,
        pin_misses: row.pin_misses,
        loyalty: loyalty::of_wallet(tx, row.id).await?,
        age: age::of_wallet(tx, row.id).await?,
        credit: credit::of_wallet(tx, row.id).await?,
        payment_methods,
        shops: shops.into_iter().map(|(shop, name)| WalletShop { shop, name }).collect(),
    })
}

/// The method that pays, if the wallet has any.
pub(crate) async fn paying_method(
    tx: &mut Tx<'_>,
    wallet: WalletId,
) -> Result<Option<PayingMethod>, TillError> {
    let found: Option<(PaymentMethodId, String, Option<String>)> = tx
        .fetch_optional(
            "SELECT payment_method_id, reference, network_transaction_id \
             FROM till_payment_methods WHERE wallet_id = $1 AND is_default",
            params![wallet],
        )
        .await?;
    Ok(found.map(|(id, reference, network_transaction_id)| PayingMethod {
        id,
        reference: SecretText::new(reference),
        network_transaction_id,
    }))
}

pub(crate) async fn clear_default(tx: &mut Tx<'_>, wallet: WalletId) -> Result<(), TillError> {
    tx.execute(
        "UPDATE till_payment_methods SET is_default = FALSE WHERE wallet_id = $1 AND is_default",
        params![wallet],
    )
    .await?;
    Ok(())
}

/// Makes the oldest method the default where none is.
pub(crate) async fn choose_default(tx: &mut Tx<'_>, wallet: WalletId) -> Result<(), TillError> {
    if paying_method(tx, wallet).await?.is_some() {
        return Ok(());
    }
    tx.execute(
        "UPDATE till_payment_methods SET is_default = TRUE WHERE payment_method_id = \
         (SELECT MIN(payment_method_id) FROM till_payment_methods \
          WHERE wallet_id = $1 AND removed_at IS NULL)",
        params![wallet],
    )
    .await?;
    Ok(())
}
