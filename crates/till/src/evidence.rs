//! What the till can show when a payment is disputed: where, when and how it was paid, step by step.
//! Never a template, a sample or a name.

use handfast_model::{ChargeId, DeviceId, Timestamp};
use handfast_store::params;

use crate::Till;
use crate::charge::{Charge, charge_at_shop};
use crate::error::TillError;
use crate::line::{self, ChargeLine};
use crate::state::ChargeState;

/// The evidence for one charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The charge: shop, register, pedestal, amounts, stored-credential flag, network id, factor.
    pub charge: Charge,
    /// Every state it went through, and when.
    pub steps: Vec<(ChargeState, Timestamp)>,
    /// What was sold.
    pub lines: Vec<ChargeLine>,
    /// When the wallet was opened.
    pub wallet_since: Option<Timestamp>,
    /// Payments of the same wallet before this one that were not disputed.
    pub earlier_payments: i64,
}

impl Till {
    /// Everything the till has on a charge, for its shop's answer to a dispute.
    ///
    /// # Errors
    /// [`TillError::NotFound`] where there is no such charge at that shop.
    pub async fn evidence(&self, device: DeviceId, id: ChargeId) -> Result<Evidence, TillError> {
        self.store
            .read("evidence.read", |tx| {
                Box::pin(async move {
                    let charge = charge_at_shop(tx, device, id).await?;
                    let steps = tx
                        .fetch_all(
                            "SELECT state, at FROM till_charge_steps WHERE charge_id = $1 \
                             ORDER BY step",
                            params![id],
                        )
                        .await?;
                    let lines = line::of_charge(tx, id).await?;
                    let since: Option<(Timestamp,)> = tx
                        .fetch_optional(
                            "SELECT created_at FROM till_wallets WHERE wallet_id = $1",
                            params![charge.wallet],
                        )
                        .await?;
                    let (earlier_payments,): (i64,) = tx
                        .fetch_one(
                            "SELECT COUNT(*) FROM till_charges WHERE wallet_id = $1 \
                             AND charge_id < $2 AND state = 'captured' AND disputed = 0",
                            params![charge.wallet, id],
                        )
                        .await?;
                    let wallet_since = since.map(|(at,)| at);
                    Ok(Evidence { charge, steps, lines, wallet_since, earlier_payments })
                })
            })
            .await
    }
}
