//! What operators see and do about the webhooks of a shop: what was sent and how it went, sending
//! again, another secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use handfast_model::{ChargeId, Duration, Random, ShopId, Timestamp};
use handfast_store::{FromRow, Row, StoreError, params};

use crate::Till;
use crate::error::{Thing, TillError};
use crate::notification::Kind;
use crate::text::WebhookSecret;

/// How long messages are signed with the old secret beside the new one: a day to put the new one in
/// place.
pub const OLD_SECRET_SIGNS: Duration = Duration::from_hours(24);
/// How many messages a page lists.
const DELIVERIES_MAX: i64 = 50;

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is sent, or sent again, at its time.
    Waiting,
    /// Taken.
    Delivered,
    /// Given up after the whole schedule, or because the address went away.
    GivenUp,
}

impl DeliveryState {
    /// Its name for pages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::GivenUp => "given_up",
        }
    }
}

/// One message to one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// `webhook-id`.
    pub message: String,
    /// What happened.
    pub kind: Kind,
    /// Of which charge.
    pub charge: ChargeId,
    /// Its number at the counter.
    pub number: i64,
    /// When it happened.
    pub at: Timestamp,
    /// How often it was sent.
    pub attempts: i64,
    /// The address's last answer: an HTTP status, none where it did not answer.
    pub last_status: Option<i64>,
    /// When it is sent next.
    pub next_at: Option<Timestamp>,
    /// When it was taken.
    pub delivered_at: Option<Timestamp>,
}

impl Delivery {
    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> DeliveryState {
        match (&self.delivered_at, &self.next_at) {
            (Some(_), _) => DeliveryState::Delivered,
            (None, Some(_)) => DeliveryState::Waiting,
            (None, None) => DeliveryState::GivenUp,
        }
    }
}

impl FromRow for Delivery {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            message: row.get("message_id")?,
            kind: row.get("kind")?,
            charge: row.get("charge_id")?,
            number: row.get("number")?,
            at: row.get("at")?,
            attempts: row.get("attempts")?,
            last_status: row.get_optional("last_status")?,
            next_at: row.get_optional("next_at")?,
            delivered_at: row.get_optional("delivered_at")?,
        })
    }
}

/// A secret in the form of the specification: `whsec_` and 32 random bytes.
pub(crate) fn fresh_secret(random: &dyn Random) -> WebhookSecret {
    let mut bytes = [0_u8; 32];
    random.fill(&mut bytes);
    WebhookSecret::from_text(&format!("whsec_{}", BASE64.encode(bytes)))
}

impl Till {
    /// The latest messages to an address of a shop, newest first.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn webhook_deliveries(
        &self,
        at: ShopId,
        endpoint: &str,
    ) -> Result<Vec<Delivery>, TillError> {
        self.store
            .read("webhook.deliveries", |tx| {
                Box::pin(async move {
                    Ok(tx
                        .fetch_all(
                            "SELECT m.*, c.number FROM till_webhook_messages m \
                             JOIN till_webhook_endpoints e ON e.endpoint_id = m.endpoint_id \
                             JOIN till_charges c ON c.charge_id = m.charge_id \
                             WHERE m.endpoint_id = $1 AND e.shop_id = $2 \
                             ORDER BY m.at DESC, m.message_id DESC LIMIT $3",
                            params![endpoint, at, DELIVERIES_MAX],
                        )
                        .await?)
                })
            })
            .await
    }

    /// Sends a message again at once, under its own id, and from there on by the schedule.
    ///
    /// # Errors
    /// [`TillError::NotFound`] where it was delivered, or is not one of the shop's.
    pub async fn send_webhook_again(&self, at: ShopId, message: &str) -> Result<(), TillError> {
        let now = self.now();
        self.store
            .transaction("webhook.again", |tx| {
                Box::pin(async move {
                    let changed = tx
                        .execute(
                            "UPDATE till_webhook_messages SET next_at = $1, attempts = 0 \
                             WHERE message_id = $2 AND delivered_at IS NULL AND endpoint_id IN \
                             (SELECT endpoint_id FROM till_webhook_endpoints \
                             WHERE shop_id = $3 AND removed_at IS NULL)",
                            params![now, message, at],
                        )
                        .await?;
                    crate::wallet::found(changed, Thing::WebhookMessage)
                })
            })
            .await
    }

    /// Gives an address another secret, which is shown this once. For [`OLD_SECRET_SIGNS`] messages
    /// carry the signatures of both.
    ///
    /// # Errors
    /// [`TillError::NotFound`].
    pub async fn roll_webhook_secret(
        &self,
        at: ShopId,
        endpoint: &str,
    ) -> Result<WebhookSecret, TillError> {
        let secret = fresh_secret(&*self.random);
        let (kept, until) = (&secret, self.now() + OLD_SECRET_SIGNS);
        self.store
            .transaction("webhook.roll", |tx| {
                Box::pin(async move {
                    let changed = tx
                        .execute(
                            "UPDATE till_webhook_endpoints SET old_secret = secret, \
                             old_secret_until = $1, secret = $2 \
                             WHERE endpoint_id = $3 AND shop_id = $4 AND removed_at IS NULL",
                            params![until, kept, endpoint, at],
                        )
                        .await?;
                    crate::wallet::found(changed, Thing::WebhookEndpoint)
                })
            })
            .await?;
        Ok(secret)
    }
}
