//! What a person takes away: every leaf about them, each with its receipt.

use std::collections::HashSet;

use handfast_model::{LinkId, Timestamp};
use handfast_tlog::{LogError, Receipt, Statement};
use zeroize::Zeroizing;

use crate::opening_store::{self, Kept};
use crate::{Trust, TrustError};

/// How far a leaf has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptState {
    /// Promised or owed; in the next checkpoint, seconds from now.
    Promised,
    /// Under a checkpoint that the log's policy trusts: there is a receipt.
    Proven,
}

/// One leaf about a palm link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptLine {
    /// Its place in the log; none while it is owed.
    pub position: Option<u64>,
    /// When.
    pub at: Timestamp,
    /// What the log says in public.
    pub statement: Statement,
    /// What it says to the person: the record, as JSON.
    pub record: String,
    /// How far it has come.
    pub state: ReceiptState,
}

impl Trust {
    /// Every leaf about a palm link, the newest first.
    ///
    /// # Errors
    /// [`TrustError::Store`].
    pub async fn receipts(&self, link: LinkId) -> Result<Vec<ReceiptLine>, TrustError> {
        let kept = opening_store::of_link(&self.store, link).await?;
        let proven = self.proven();
        Ok(kept.iter().map(|kept| line_of(kept, proven)).collect())
    }

    /// The receipt of one leaf about a palm link: a `.tlog-proof` file.
    ///
    /// # Errors
    /// [`TrustError::NoSuchReceipt`]; [`LogError::NotYet`] inside [`TrustError::Log`] while no
    /// trusted checkpoint covers it.
    pub async fn receipt(&self, link: LinkId, position: u64) -> Result<Receipt, TrustError> {
        let kept = opening_store::at_position(&self.store, link, position).await?;
        let kept = kept.ok_or(TrustError::NoSuchReceipt { position })?;
        self.with_log(move |log| {
            let proof = log.prove(position)?;
            let leaf = log.leaf(position)?;
            Ok::<_, LogError>(proof.into_receipt(&leaf, &kept.opening))
        })
        .await
    }

    /// Whether something was logged about a palm link at this moment or later: its palm is not
    /// dormant then.
    ///
    /// # Errors
    /// [`TrustError::Store`].
    pub async fn used_since(&self, link: LinkId, since: Timestamp) -> Result<bool, TrustError> {
        opening_store::has_since(&self.store, link, since).await
    }

    /// Destroys what opens the leaves of every link whose last leaf is older than `before`, unless its
    /// palm is still there: `living` has at least those links that were made before then. Says how
    /// many openings went.
    ///
    /// # Errors
    /// [`TrustError::Store`].
    pub async fn forget_all(
        &self,
        before: Timestamp,
        living: &HashSet<LinkId>,
    ) -> Result<u64, TrustError> {
        let mut forgotten = 0;
        for link in opening_store::silent_since(&self.store, before).await? {
            if !living.contains(&link) {
                forgotten += opening_store::forget(&self.store, link).await?;
            }
        }
        Ok(forgotten)
    }
}

fn line_of(kept: &Kept, proven: u64) -> ReceiptLine {
    let record = Zeroizing::new(kept.opening.private_fields().to_vec());
    ReceiptLine {
        position: kept.position,
        at: kept.leaf.at(),
        statement: kept.leaf.statement().clone(),
        record: String::from_utf8_lossy(&record).into_owned(),
        state: match kept.position {
            Some(position) if position < proven => ReceiptState::Proven,
            _ => ReceiptState::Promised,
        },
    }
}
