//! Rules and epochs that leave a leaf when they change: the log says what was, and what is now.

use handfast_store::{Store, StoreError, params};
use handfast_tlog::{Label, Rule, Statement};

use crate::{Record, Trust, TrustError};

/// Stands in for a rule where the epoch of shares is kept.
const EPOCH: i64 = 0;

impl Trust {
    /// Logs a rule's value where it is another one than when it was last logged, before it is
    /// followed; the first value is logged as a change from 0. Says whether there was a change. A
    /// crash between leaf and database logs the same change twice.
    ///
    /// # Errors
    /// Where the log does not promise the leaf, or the database fails: then the value is to be
    /// noted again.
    pub async fn note_rule(&self, rule: Rule, place: Label, new: i64) -> Result<bool, TrustError> {
        let key = (i64::from(rule.code()), place.as_bytes().to_vec());
        let known = read(&self.store, &key).await?;
        if known == Some(new) {
            return Ok(false);
        }
        let old = known.unwrap_or_default();
        let change = Statement::PolicyChange { rule, place, old, new };
        let _leaf = self.promise(change, &Record::Nothing).await?;
        write(&self.store, &key, new).await?;
        Ok(true)
    }

    /// Logs that the nodes renewed their shares, where this epoch was not logged yet. They begin in
    /// epoch 0.
    ///
    /// # Errors
    /// As [`Trust::note_rule`].
    pub async fn note_epoch(&self, epoch: u64) -> Result<bool, TrustError> {
        let key = (EPOCH, Vec::new());
        let known = read(&self.store, &key).await?.unwrap_or_default();
        if known == epoch.cast_signed() {
            return Ok(false);
        }
        let _leaf = self.promise(Statement::Refresh { epoch }, &Record::Nothing).await?;
        write(&self.store, &key, epoch.cast_signed()).await?;
        Ok(true)
    }
}

type Key = (i64, Vec<u8>);

async fn read(store: &Store, (rule, place): &Key) -> Result<Option<i64>, TrustError> {
    let read = store.read("trust.logged_value", |tx| {
        Box::pin(async move {
            let sql = "SELECT value FROM logged_values WHERE rule = $1 AND place = $2";
            let found: Option<(i64,)> =
                tx.fetch_optional(sql, params![*rule, place.clone()]).await?;
            Ok::<_, StoreError>(found.map(|(value,)| value))
        })
    });
    Ok(read.await?)
}

async fn write(store: &Store, (rule, place): &Key, value: i64) -> Result<(), TrustError> {
    let written = store.transaction("trust.keep_logged_value", |tx| {
        Box::pin(async move {
            let sql = "INSERT INTO logged_values (rule, place, value) VALUES ($1, $2, $3)
                       ON CONFLICT (rule, place) DO UPDATE SET value = $3";
            tx.execute(sql, params![*rule, place.clone(), value]).await.map(drop)
        })
    });
    Ok(written.await?)
}
