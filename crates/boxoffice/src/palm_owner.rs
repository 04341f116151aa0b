//! Whose a palm is, for the person's own receipts.

use handfast_model::{AccountId, LinkId, PairwiseToken, VenueId};
use handfast_store::params;

use crate::{BoxOffice, Consent, Result, link};

impl BoxOffice {
    /// The living link of the palm that a venue knows by `token`.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Store`].
    pub async fn link_of_palm(
        &self,
        venue: VenueId,
        token: &PairwiseToken,
    ) -> Result<Option<LinkId>> {
        self.store
            .read("link.of_palm", |tx| {
                Box::pin(async move {
                    let found = link::find_by_venue_token(tx, venue, token).await?;
                    Ok(found.map(|link| link.id))
                })
            })
            .await
    }

    /// A living link's consent as it holds now; `None` where the link has ended.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Store`].
    pub async fn consent_of_link(&self, id: LinkId) -> Result<Option<Consent>> {
        self.store
            .read("link.consent", |tx| {
                Box::pin(async move {
                    let sql = "SELECT c.id, c.text_version, c.language, c.purposes, c.scope,
                                      c.until, c.given_at, c.withdrawn_at, c.age_said,
                                      c.age_said_by, c.age_said_at
                               FROM consents c JOIN links k ON k.id = c.link_id
                               WHERE c.link_id = $1 AND c.withdrawn_at IS NULL
                                 AND k.state IN ('pending', 'confirmed')";
                    Ok(tx.fetch_optional(sql, params![id]).await?)
                })
            })
            .await
    }

    /// Every link that is or was an account's, deleted ones included, the newest first: their
    /// receipts stay the person's.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Store`].
    pub async fn links_ever(&self, account: AccountId) -> Result<Vec<LinkId>> {
        self.store
            .read("link.ever_of_account", |tx| {
                Box::pin(async move {
                    let sql = "SELECT id FROM links WHERE account_id = $1 \
                               ORDER BY created_at DESC, id DESC";
                    let ids: Vec<(LinkId,)> = tx.fetch_all(sql, params![account]).await?;
                    Ok(ids.into_iter().map(|(id,)| id).collect())
                })
            })
            .await
    }
}
