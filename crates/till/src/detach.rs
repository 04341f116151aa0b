//! Telling the gateway that a payment method was removed: written down in the transaction that
//! removes it, told until the gateway says so.

use handfast_model::{Duration, PaymentMethodId, SecretText, Timestamp, WalletId};
use handfast_store::{Tx, params};

use crate::Till;
use crate::error::TillError;
use crate::gateway::GatewayError;

/// The first pause after an attempt that failed; it doubles from there.
const RETRY_FIRST: Duration = Duration::from_secs(2);
/// The longest pause: a gateway that was away for a day is told within an hour of its return.
const RETRY_LAST: Duration = Duration::from_hours(1);
/// How many are told in one round, so that a round ends.
const ROUND_MAX: i64 = 50;

/// Notes that the gateway is to forget one payment method of a wallet, or all of them.
pub(crate) async fn enqueue(
    tx: &mut Tx<'_>,
    wallet: WalletId,
    method: Option<PaymentMethodId>,
    now: Timestamp,
) -> Result<(), TillError> {
    tx.execute(
        "INSERT INTO till_detachments (payment_method_id, reference, attempts, next_at) \
         SELECT payment_method_id, reference, 0, $1 FROM till_payment_methods \
         WHERE wallet_id = $2 AND removed_at IS NULL \
         AND (payment_method_id = $3 OR $3 IS NULL)",
        params![now, wallet, method],
    )
    .await?;
    Ok(())
}

impl Till {
    /// Tells the gateway of payment methods that were removed; how many it still has to be told of
    /// again. Call it every second or two.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn detach_due(&self) -> Result<usize, TillError> {
        let now = self.now();
        let due: Vec<(PaymentMethodId, String, i64)> = self
            .store
            .read("detach.due", |tx| {
                Box::pin(async move {
                    tx.fetch_all(
                        "SELECT payment_method_id, reference, attempts FROM till_detachments \
                         WHERE next_at <= $1 ORDER BY next_at LIMIT $2",
                        params![now, ROUND_MAX],
                    )
                    .await
                })
            })
            .await
            .map_err(TillError::Store)?;
        let mut left = 0;
        for (method, reference, attempts) in due {
            match self.gateway.detach(&SecretText::new(reference)).await {
                Ok(()) => self.detached(method).await?,
                Err(error) => {
                    // A refusal is tried again too: a wrong API key is put right some day.
                    if let GatewayError::Refused(refusal) = error {
                        tracing::warn!(%refusal, "the gateway does not detach a payment method");
                    }
                    self.detach_later(method, attempts).await?;
                    left += 1;
                }
            }
        }
        Ok(left)
    }

    async fn detached(&self, method: PaymentMethodId) -> Result<(), TillError> {
        self.store
            .transaction("detach.done", |tx| {
                Box::pin(async move {
                    tx.execute(
                        "DELETE FROM till_detachments WHERE payment_method_id = $1",
                        params![method],
                    )
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    async fn detach_later(&self, method: PaymentMethodId, attempts: i64) -> Result<(), TillError> {
        let next_at = self.now() + pause_after(attempts);
        self.store
            .transaction("detach.later", |tx| {
                Box::pin(async move {
                    tx.execute(
                        "UPDATE till_detachments SET attempts = attempts + 1, next_at = $1 \
                         WHERE payment_method_id = $2",
                        params![next_at, method],
                    )
                    .await?;
                    Ok(())
                })
            })
            .await
    }
}

fn pause_after(attempts: i64) -> Duration {
    let doubled = RETRY_FIRST.as_micros().saturating_mul(1 << attempts.clamp(0, 20));
    Duration::from_micros(doubled.min(RETRY_LAST.as_micros()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_end_at_an_hour() {
        assert_eq!(pause_after(0), RETRY_FIRST);
        assert_eq!(pause_after(3), Duration::from_secs(16));
        assert_eq!(pause_after(i64::MAX), RETRY_LAST);
    }
}
