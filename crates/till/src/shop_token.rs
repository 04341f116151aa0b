//! What a shop knows a palm by, and the wallet it stands for.

use handfast_model::{AccountId, LinkId, PairwiseToken, ShopId};
use handfast_store::{Tx, params};

use crate::Till;
use crate::error::TillError;
use crate::shop::shop;
use crate::wallet::{WalletRow, WalletShop, wallet_of};

/// A palm that was armed at a shop for an account.
#[derive(Clone, Copy, Debug)]
pub struct ArmedPalm {
    /// The shop.
    pub shop: ShopId,
    /// What the shop knows the palm by.
    pub token: PairwiseToken,
    /// Whose palm it is.
    pub account: AccountId,
    /// The link it belongs to: forgotten with it.
    pub link: LinkId,
}

impl Till {
    /// Records that a palm stands for an account's wallet at a shop. A repeat is harmless.
    ///
    /// # Errors
    /// [`TillError::NotFound`] for an unknown shop or an account without a wallet,
    /// [`TillError::TokenTaken`] where the token stands for another wallet.
    pub async fn acknowledge(&self, palm: &ArmedPalm) -> Result<(), TillError> {
        let now = self.now();
        self.store
            .transaction("shop_token.acknowledge", |tx| {
                Box::pin(async move {
                    shop(tx, palm.shop).await?;
                    let wallet = wallet_of(tx, palm.account).await?;
                    tx.execute(
                        "INSERT INTO till_shop_tokens (shop_id, token, wallet_id, link_id, \
                         acknowledged_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
                        params![palm.shop, palm.token, wallet.id, palm.link, now],
                    )
                    .await?;
                    let owner = wallet_of_token(tx, palm.shop, palm.token).await?;
                    if owner.is_some_and(|owner| owner.id == wallet.id) {
                        Ok(())
                    } else {
                        Err(TillError::TokenTaken)
                    }
                })
            })
            .await
    }

    /// The shops where palms of a link are known, by name.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn shops_of_link(&self, link: LinkId) -> Result<Vec<WalletShop>, TillError> {
        let found: Vec<(ShopId, String)> = self
            .store
            .read("shop_token.of_link", |tx| {
                Box::pin(async move {
                    Ok::<_, TillError>(
                        tx.fetch_all(
                            "SELECT DISTINCT s.shop_id, s.name FROM till_shop_tokens t \
                             JOIN till_shops s ON s.shop_id = t.shop_id \
                             WHERE t.link_id = $1 ORDER BY s.name, s.shop_id",
                            params![link],
                        )
                        .await?,
                    )
                })
            })
            .await?;
        Ok(found.into_iter().map(|(shop, name)| WalletShop { shop, name }).collect())
    }

    /// Forgets one palm at one shop. Unknown, no harm.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn forget_palm(&self, at: ShopId, token: PairwiseToken) -> Result<(), TillError> {
        self.store
            .transaction("shop_token.forget", |tx| {
                Box::pin(async move {
                    tx.execute(
                        "DELETE FROM till_shop_tokens WHERE shop_id = $1 AND token = $2",
                        params![at, token],
                    )
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    /// Forgets all palms of a link at all shops. Unknown, no harm.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn forget_link(&self, link: LinkId) -> Result<(), TillError> {
        self.store
            .transaction("shop_token.forget_link", |tx| {
                Box::pin(async move {
                    tx.execute("DELETE FROM till_shop_tokens WHERE link_id = $1", params![link])
                        .await?;
                    Ok(())
                })
            })
            .await
    }
}

/// The wallet behind a palm at a shop; nobody else plans a payment from it until the transaction ends,
/// for its limits count what was paid before.
pub(crate) async fn wallet_of_token(
    tx: &mut Tx<'_>,
    at: ShopId,
    token: PairwiseToken,
) -> Result<Option<WalletRow>, TillError> {
    Ok(tx
        .fetch_locked_optional(
            "SELECT w.* FROM till_shop_tokens t JOIN till_wallets w ON w.wallet_id = t.wallet_id \
             WHERE t.shop_id = $1 AND t.token = $2",
            "w",
            params![at, token],
        )
        .await?)
}
