//! The test gateway's webhooks: what it would send by itself, signed as Stripe signs.

use handfast_model::{Currency, Money, Timestamp};
use handfast_store::{Tx, params};
use serde::{Deserialize, Serialize};

use super::TestGateway;
use super::books::{PaymentState, Trouble};
use crate::gateway::{DisputeNotice, DisputeStage, Notice, NoticeAbout, NoticeError, Notices};
use crate::notice_signature;

/// How long a disputed payment's evidence is taken.
const EVIDENCE_TIME: handfast_model::Duration = handfast_model::Duration::from_days(7);
/// When a webhook that was not taken comes again.
const RESENT_AFTER: handfast_model::Duration = handfast_model::Duration::from_secs(30);
/// How many webhooks one round sends.
const ROUND_MAX: i64 = 50;

/// A webhook on its way: the signature header and the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentNotice {
    /// `t=...,v1=...`
    pub signature: String,
    /// JSON.
    pub body: String,
}

/// The body of a webhook.
#[derive(Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
enum Body {
    Payment {
        id: String,
        payment: String,
    },
    Dispute {
        id: String,
        dispute: String,
        payment: String,
        amount: i64,
        currency: String,
        stage: String,
        respond_by: i64,
    },
}

pub(super) async fn about_payment(
    tx: &mut Tx<'_>,
    reference: &str,
    due_at: Timestamp,
    times: i64,
) -> Result<(), Trouble> {
    let id = format!("tge_{reference}_{}", due_at.as_micros());
    let body = Body::Payment { id: id.clone(), payment: reference.to_owned() };
    insert(tx, &id, &body, due_at, times).await
}

pub(super) async fn about_dispute(
    tx: &mut Tx<'_>,
    reference: &str,
    amount: Money,
    stage: DisputeStage,
    due_at: Timestamp,
) -> Result<(), Trouble> {
    let dispute = format!("tgd_{reference}");
    let id = format!("tge_{dispute}_{stage}");
    let body = Body::Dispute {
        id: id.clone(),
        dispute,
        payment: reference.to_owned(),
        amount: amount.minor,
        currency: amount.currency.code().to_owned(),
        stage: stage.as_str().to_owned(),
        respond_by: (due_at + EVIDENCE_TIME).as_micros(),
    };
    insert(tx, &id, &body, due_at, 1).await
}

async fn insert(
    tx: &mut Tx<'_>,
    id: &str,
    body: &Body,
    due_at: Timestamp,
    times: i64,
) -> Result<(), Trouble> {
    let text = serde_json::to_string(body).unwrap_or_default();
    tx.execute(
        "INSERT INTO tg_events (event_id, body, due_at, sends_left) VALUES ($1, $2, $3, $4) \
         ON CONFLICT DO NOTHING",
        params![id, text, due_at, times],
    )
    .await?;
    Ok(())
}

impl TestGateway {
    /// The webhooks that are due, signed; each comes as often as it is sent. Also what the gateway
    /// does by itself happens now: captures of payments that it had let go.
    ///
    /// # Errors
    /// [`handfast_store::StoreError`].
    pub async fn notices_due(&self) -> Result<Vec<SentNotice>, handfast_store::StoreError> {
        let now = self.clock.now();
        let bodies =
            self.store.transaction("test_gateway.notices", |tx| Box::pin(due(tx, now))).await;
        let bodies = match bodies {
            Ok(bodies) => bodies,
            Err(Trouble::Store(error)) => return Err(error),
            // Nothing is refused here.
            Err(Trouble::Refused(_)) => Vec::new(),
        };
        let sign = |body: String| SentNotice {
            signature: notice_signature::sign(body.as_bytes(), &self.webhook_secret, now),
            body,
        };
        Ok(bodies.into_iter().map(sign).collect())
    }

    /// A webhook was not taken: it comes again, as any gateway's does.
    ///
    /// # Errors
    /// [`handfast_store::StoreError`].
    pub async fn not_taken(&self, notice: &SentNotice) -> Result<(), handfast_store::StoreError> {
        let (due_at, body) = (self.clock.now() + RESENT_AFTER, &notice.body);
        self.store
            .transaction("test_gateway.not_taken", |tx| {
                Box::pin(async move {
                    tx.execute(
                        "UPDATE tg_events SET sends_left = sends_left + 1, due_at = $1 \
                         WHERE body = $2",
                        params![due_at, body],
                    )
                    .await
                    .map(drop)
                })
            })
            .await
    }

    /// The bank decides a dispute: the webhook that says so is due at once.
    ///
    /// # Errors
    /// [`handfast_store::StoreError`].
    pub async fn decide_dispute(
        &self,
        reference: &str,
        amount: Money,
        stage: DisputeStage,
    ) -> Result<(), handfast_store::StoreError> {
        let now = self.clock.now();
        let done = self
            .store
            .transaction("test_gateway.dispute", |tx| {
                Box::pin(about_dispute(tx, reference, amount, stage, now))
            })
            .await;
        match done {
            Ok(()) | Err(Trouble::Refused(_)) => Ok(()),
            Err(Trouble::Store(error)) => Err(error),
        }
    }
}

async fn due(tx: &mut Tx<'_>, now: Timestamp) -> Result<Vec<String>, Trouble> {
    let late: Vec<(String,)> = tx
        .fetch_all(
            "SELECT reference FROM tg_payments WHERE captures_at <= $1 AND state = 'voided'",
            params![now],
        )
        .await?;
    for (reference,) in &late {
        tx.execute(
            "UPDATE tg_payments SET state = $1, captured = amount WHERE reference = $2",
            params![PaymentState::Captured, reference],
        )
        .await?;
        about_payment(tx, reference, now, 1).await?;
    }
    let events: Vec<(String, String)> = tx
        .fetch_all(
            "SELECT event_id, body FROM tg_events WHERE due_at <= $1 AND sends_left > 0 \
             ORDER BY due_at, event_id LIMIT $2",
            params![now, ROUND_MAX],
        )
        .await?;
    for (id, _) in &events {
        tx.execute(
            "UPDATE tg_events SET sends_left = sends_left - 1 WHERE event_id = $1",
            params![id],
        )
        .await?;
    }
    Ok(events.into_iter().map(|(_, body)| body).collect())
}

impl Notices for TestGateway {
    fn read_notice(
        &self,
        signature: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Notice, NoticeError> {
        notice_signature::verify(signature, body, &self.webhook_secret, now)?;
        let body: Body = serde_json::from_slice(body).map_err(|_| NoticeError::Unreadable)?;
        Ok(match body {
            Body::Payment { id, payment } => {
                Notice { event: id, about: NoticeAbout::Payment(payment) }
            }
            Body::Dispute { id, dispute, payment, amount, currency, stage, respond_by } => {
                let currency: Currency = currency.parse().map_err(|_| NoticeError::Unreadable)?;
                let about = NoticeAbout::Dispute(DisputeNotice {
                    dispute,
                    payment,
                    amount: Money::new(amount, currency),
                    stage: stage.parse().map_err(|_| NoticeError::Unreadable)?,
                    reason: "fraudulent".to_owned(),
                    respond_by: Some(Timestamp::from_micros(respond_by)),
                });
                Notice { event: id, about }
            }
        })
    }
}
