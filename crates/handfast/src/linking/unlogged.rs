//! Links that were made and have no leaf yet: their enrolment was cut short by a crash, or the log or
//! a database failed just then.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{StreamExt as _, TryStreamExt as _};
use handfast_boxoffice::LivingLink;

use super::Result;
use crate::hub::Hub;

/// Leaves that are put together at once: they share the log's syncs.
const LOGGED_AT_ONCE: usize = 64;

/// How many links may be without a leaf: at a start nobody knows, later those whose enrolment did not
/// come to its end. Only then all links are compared with the log.
#[derive(Debug)]
pub(crate) struct Unlogged(AtomicU64);

impl Default for Unlogged {
    fn default() -> Self {
        Self(AtomicU64::new(1))
    }
}

impl Unlogged {
    /// A link is about to be made.
    pub(crate) fn expect_one(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// It has its leaf, or was not made.
    pub(crate) fn had_one(&self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Hub {
    /// Logs the enrolment of each living link that no leaf tells of, before its palms are armed
    /// anywhere.
    pub(crate) async fn log_unlogged_links(&self) -> Result<()> {
        if self.unlogged.0.load(Ordering::SeqCst) == 0 {
            return Ok(());
        }
        let _no_enrolment_is_half_done = self.enrolments.write().await;
        let logged = self.trust.enrolled_links().await?;
        let mut owed = self.boxoffice.living_links().await?;
        let mut palms = HashSet::new();
        for company in self.boxoffice.companies().await? {
            palms.extend(self.vault.palms(company.id));
        }
        // What the vault has no palms of was enrolled by nobody: `verify data` names it.
        owed.retain(|link| {
            let held = link.palms.iter().any(|palm| palms.contains(&palm.company_token));
            held && !logged.contains(&link.id)
        });
        if !owed.is_empty() {
            tracing::warn!(count = owed.len(), "palm links without a leaf are logged now");
        }
        futures_util::stream::iter(owed)
            .map(Ok)
            .try_for_each_concurrent(LOGGED_AT_ONCE, |link: LivingLink| async move {
                self.log_enrolment(link.account_id, link.id, link.venue_id).await
            })
            .await?;
        self.unlogged.0.store(0, Ordering::SeqCst);
        Ok(())
    }
}
