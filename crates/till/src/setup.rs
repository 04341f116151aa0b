//! Linking a payment method: the person leaves it on a page of the gateway's own, and comes back.

use handfast_model::{AccountId, LedgerAccountId, PaymentMethodId, TransferId, WalletId};
use handfast_store::{Tx, params};

use crate::Till;
use crate::credit::{self, CreditGrant, GrantIds};
use crate::error::{Thing, TillError};
use crate::gateway::{SetupPaymentMethod, SetupRequest, SetupResult};
use crate::text::{Label, PersonKey, SetupId};
use crate::wallet::{Wallet, WalletRow, choose_default, ensure_wallet, find_wallet, view};

/// A setup that was begun: the person goes to `url`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetupStarted {
    /// Names the setup when the person comes back.
    pub setup: SetupId,
    /// The gateway's page.
    pub url: String,
}

/// A setup that is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetupDone {
    /// The wallet with its new payment method.
    pub wallet: Wallet,
    /// The new payment method.
    pub payment_method: PaymentMethodId,
    /// What became of the credit for linking one.
    pub credit: CreditGrant,
}

/// A setup as it stands.
struct SetupRow {
    wallet: WalletRow,
    session: Option<String>,
    done: Option<PaymentMethodId>,
}

impl Till {
    /// Begins the setup of a payment method, making the account's wallet where it has none. The
    /// gateway's page sends the person back to `return_base` followed by the setup's id.
    ///
    /// # Errors
    /// [`TillError::Gateway`] where the gateway cannot open a page, [`TillError::Store`].
    pub async fn begin_setup(
        &self,
        account: AccountId,
        return_base: &str,
    ) -> Result<SetupStarted, TillError> {
        let setup = SetupId::new(&*self.random);
        let (id, now) = (&setup, self.now());
        let fresh = WalletId::new(&*self.clock, &*self.random);
        let wallet = self
            .store
            .transaction("setup.begin", |tx| {
                Box::pin(async move {
                    let wallet = ensure_wallet(tx, account, fresh, now).await?;
                    tx.execute(
                        "INSERT INTO till_setups (setup_id, wallet_id, created_at) \
                         VALUES ($1, $2, $3)",
                        params![id, wallet.id, now],
                    )
                    .await?;
                    Ok::<_, TillError>(wallet.id)
                })
            })
            .await?;
        let request = SetupRequest {
            reference: setup.expose().to_owned(),
            wallet,
            return_url: format!("{return_base}{}", setup.expose()),
        };
        let page = self.gateway.create_setup(&request).await?;
        let session = &page.session;
        self.store
            .transaction("setup.opened", |tx| {
                Box::pin(async move {
                    tx.execute(
                        "UPDATE till_setups SET session = $1 WHERE setup_id = $2",
                        params![session, id],
                    )
                    .await?;
                    Ok::<_, TillError>(())
                })
            })
            .await?;
        Ok(SetupStarted { setup, url: page.url })
    }

    /// Completes a setup after the person came back: stores the payment method (the first becomes
    /// the default) and gives the credit for linking one, once a person: once for the account, and
    /// once for `person` where the caller knows a key across accounts. A repeat is harmless.
    ///
    /// # Errors
    /// [`TillError::NotFound`] where the setup is not this account's,
    /// [`TillError::SetupNotFinished`], [`TillError::Gateway`], [`TillError::Store`].
    pub async fn complete_setup(
        &self,
        account: AccountId,
        setup: &SetupId,
        person: Option<&PersonKey>,
    ) -> Result<SetupDone, TillError> {
        let row =
            self.store.read("setup.read", |tx| Box::pin(read_setup(tx, account, setup))).await?;
        if row.done.is_some() {
            return self.setup_done(account, setup).await;
        }
        let session = row.session.ok_or(TillError::SetupNotFinished)?;
        let method = match self.gateway.setup_result(&session).await? {
            SetupResult::Open => return Err(TillError::SetupNotFinished),
            SetupResult::Completed(method) => method,
        };
        let label = Label::parse(&method.label)?;
        self.store_setup(account, setup, person, &method, &label).await
    }

    async fn setup_done(
        &self,
        account: AccountId,
        setup: &SetupId,
    ) -> Result<SetupDone, TillError> {
        self.store
            .read("setup.done", |tx| {
                Box::pin(async move {
                    let row = read_setup(tx, account, setup).await?;
                    let payment_method = row.done.ok_or(TillError::SetupNotFinished)?;
                    let wallet = view(tx, row.wallet).await?;
                    let had = wallet.credit.is_some();
                    let credit =
                        if had { CreditGrant::HadBefore } else { CreditGrant::NoPromotion };
                    Ok(SetupDone { wallet, payment_method, credit })
                })
            })
            .await
    }

    async fn store_setup(
        &self,
        account: AccountId,
        setup: &SetupId,
        person: Option<&PersonKey>,
        method: &SetupPaymentMethod,
        label: &Label,
    ) -> Result<SetupDone, TillError> {
        let (now, fresh) = (self.now(), PaymentMethodId::new(&*self.clock, &*self.random));
        let ids = &GrantIds {
            transfer: TransferId::new(&*self.clock, &*self.random),
            wallet_credit: LedgerAccountId::new(&*self.clock, &*self.random),
        };
        self.store
            .transaction("setup.complete", |tx| {
                Box::pin(async move {
                    let row = read_setup(tx, account, setup).await?;
                    if let Some(payment_method) = row.done {
                        // Another request completed it between the read and now.
                        let wallet = view(tx, row.wallet).await?;
                        let credit = CreditGrant::HadBefore;
                        return Ok(SetupDone { wallet, payment_method, credit });
                    }
                    tx.execute(
                        "INSERT INTO till_payment_methods (payment_method_id, wallet_id, reference, \
                         label, network_transaction_id, is_default, created_at) \
                         VALUES ($1, $2, $3, $4, $5, FALSE, $6)",
                        params![
                            fresh,
                            row.wallet.id,
                            method.reference.expose(),
                            label.as_str(),
                            method.network_transaction_id,
                            now
                        ],
                    )
                    .await?;
                    choose_default(tx, row.wallet.id).await?;
                    tx.execute(
                        "UPDATE till_setups SET payment_method_id = $1 WHERE setup_id = $2",
                        params![fresh, setup],
                    )
                    .await?;
                    let credit = credit::grant(tx, &row.wallet, person, ids, now).await?;
                    let wallet = view(tx, row.wallet).await?;
                    Ok(SetupDone { wallet, payment_method: fresh, credit })
                })
            })
            .await
    }
}

async fn read_setup(
    tx: &mut Tx<'_>,
    account: AccountId,
    setup: &SetupId,
) -> Result<SetupRow, TillError> {
    let not_found = TillError::NotFound(Thing::Setup);
    let Some(wallet) = find_wallet(tx, account).await? else { return Err(not_found) };
    let row: Option<(Option<String>, Option<PaymentMethodId>)> = tx
        .fetch_optional(
            "SELECT session, payment_method_id FROM till_setups \
             WHERE setup_id = $1 AND wallet_id = $2",
            params![setup, wallet.id],
        )
        .await?;
    let (session, done) = row.ok_or(not_found)?;
    Ok(SetupRow { wallet, session, done })
}
