//! Rules and epochs that leave a leaf when they change: the log says what was, and what is now.

use std::collections::BTreeMap;

use handfast_tlog::{Label, Rule, Statement};

use crate::{Record, Trust, TrustError};

/// What the log last said of each rule at each place, and of the nodes' shares. It is read from the
/// log at the start and kept nowhere else: no crash makes one change two.
#[derive(Debug, Default)]
pub(crate) struct LoggedValues {
    rules: BTreeMap<(u8, Label), i64>,
    epoch: u64,
}

impl LoggedValues {
    /// Takes the next leaf of the log.
    pub(crate) fn take(&mut self, statement: &Statement) {
        match statement {
            Statement::PolicyChange { rule, place, new, .. } => {
                self.rules.insert((rule.code(), *place), *new);
            }
            Statement::Refresh { epoch } => self.epoch = *epoch,
            _ => {}
        }
    }
}

impl Trust {
    /// Logs a rule's value where it is another one than when it was last logged, before it is
    /// followed; the first value is logged as a change from 0. Says whether there was a change.
    ///
    /// # Errors
    /// Where the log does not promise the leaf: then the value is to be noted again.
    pub async fn note_rule(&self, rule: Rule, place: Label, new: i64) -> Result<bool, TrustError> {
        let mut logged = self.logged.lock().await;
        let known = logged.rules.get(&(rule.code(), place)).copied();
        if known == Some(new) {
            return Ok(false);
        }
        let change = Statement::PolicyChange { rule, place, old: known.unwrap_or_default(), new };
        let _leaf = self.promise(change.clone(), &Record::Nothing).await?;
        logged.take(&change);
        Ok(true)
    }

    /// Logs that the nodes renewed their shares, where this epoch was not logged yet. They begin in
    /// epoch 0.
    ///
    /// # Errors
    /// As [`Trust::note_rule`].
    pub async fn note_epoch(&self, epoch: u64) -> Result<bool, TrustError> {
        let mut logged = self.logged.lock().await;
        if logged.epoch == epoch {
            return Ok(false);
        }
        let refresh = Statement::Refresh { epoch };
        let _leaf = self.promise(refresh.clone(), &Record::Nothing).await?;
        logged.take(&refresh);
        Ok(true)
    }
}
