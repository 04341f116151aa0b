//! Whose a palm is, for the person's own receipts.

use handfast_model::{LinkId, PairwiseToken, ShopId};
use handfast_store::params;

use crate::{Till, TillError};

impl Till {
    /// The link of the palm that a shop knows by `token`.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn link_of_palm(
        &self,
        shop: ShopId,
        token: PairwiseToken,
    ) -> Result<Option<LinkId>, TillError> {
        let found: Option<(LinkId,)> = self
            .store
            .read("shop_token.link", |tx| {
                Box::pin(async move {
                    let sql = "SELECT link_id FROM till_shop_tokens \
                               WHERE shop_id = $1 AND token = $2";
                    Ok::<_, TillError>(tx.fetch_optional(sql, params![shop, token]).await?)
                })
            })
            .await?;
        Ok(found.map(|(link,)| link))
    }
}
