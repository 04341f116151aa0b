//! What shops are told of their charges, as webhooks of the Standard Webhooks form: written down in
//! the transaction that makes it true, sent until the shop's system says 2xx or the schedule ends.
//! The body names the charge and what happened; whoever wants more reads the charge.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use handfast_model::{ChargeId, Currency, DeviceId, Duration, Money, ShopId, Timestamp};
use handfast_store::{FromRow, Row, StoreError, Tx, params};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::Till;
use crate::charge::Charge;
use crate::delivery::fresh_secret;
use crate::error::{Thing, TillError};
use crate::gateway::Answer;
use crate::shop::shop;
use crate::state::ChargeState;
use crate::text::{WebhookSecret, unguessable};

/// Pauses after an attempt that failed, as the Standard Webhooks specification suggests: quick for
/// a blip, patient for a weekend, 27 hours in all.
pub const SCHEDULE: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_minutes(5),
    Duration::from_minutes(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(10),
];
/// How many messages one round sends, so that a round ends.
const ROUND_MAX: i64 = 50;
/// "Do not send here any more."
const GONE: u16 = 410;

handfast_store::text_enum! {
    /// What happened.
    pub enum Kind {
        /// Paid.
        ChargeCaptured = "charge.captured",
        /// The money is held.
        ChargeAuthorised = "charge.authorised",
        /// The gateway said no.
        ChargeDeclined = "charge.declined",
        /// Given up; nothing was taken.
        ChargeVoided = "charge.voided",
        /// Nobody answered, or a hold was not captured in its time.
        ChargeExpired = "charge.expired",
        /// Money went back.
        ChargeRefunded = "charge.refunded",
        /// A dispute was opened.
        DisputeOpened = "dispute.opened",
        /// A dispute ended.
        DisputeClosed = "dispute.closed",
    }
}

/// What a state is worth telling as.
pub(crate) const fn kind_of(state: ChargeState) -> Option<Kind> {
    match state {
        ChargeState::Captured => Some(Kind::ChargeCaptured),
        ChargeState::Declined => Some(Kind::ChargeDeclined),
        ChargeState::Voided => Some(Kind::ChargeVoided),
        ChargeState::Expired => Some(Kind::ChargeExpired),
        ChargeState::Authorised => Some(Kind::ChargeAuthorised),
        ChargeState::Requested
        | ChargeState::Identified
        | ChargeState::Authorising
        | ChargeState::Cancelled
        | ChargeState::Unknown => None,
    }
}

/// An address that is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookEndpoint {
    /// Its id.
    pub id: String,
    /// Where messages go.
    pub url: String,
}

/// One request to a shop's system.
#[derive(Clone, Debug)]
pub struct WebhookRequest {
    /// Where.
    pub url: String,
    /// `webhook-id`, `webhook-timestamp`, `webhook-signature`.
    pub headers: [(&'static str, String); 3],
    /// JSON.
    pub body: String,
}

/// Whoever can send such a request. The answer is the HTTP status; no answer is `NoAnswer`.
pub trait WebhookSender: Send + Sync {
    /// Sends one.
    fn send<'a>(&'a self, request: &'a WebhookRequest) -> Answer<'a, u16>;
}

struct Due {
    message: String,
    endpoint: String,
    url: String,
    secret: WebhookSecret,
    old_secret: Option<WebhookSecret>,
    kind: Kind,
    at: Timestamp,
    charge: ChargeId,
    shop: ShopId,
    register: DeviceId,
    number: i64,
    amount: Money,
    attempts: i64,
}

impl FromRow for Due {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let currency: Currency = row.get("currency")?;
        Ok(Self {
            message: row.get("message_id")?,
            endpoint: row.get("endpoint_id")?,
            url: row.get("url")?,
            secret: row.get("secret")?,
            old_secret: row.get_optional("old_secret")?,
            kind: row.get("kind")?,
            at: row.get("at")?,
            charge: row.get("charge_id")?,
            shop: row.get("shop_id")?,
            register: row.get("register_id")?,
            number: row.get("number")?,
            amount: Money::new(row.get("amount")?, currency),
            attempts: row.get("attempts")?,
        })
    }
}

impl Till {
    /// Adds an address that is told of a shop's charges, and its secret (`whsec_...`), which is
    /// shown this once.
    ///
    /// # Errors
    /// [`TillError::WebhookAddress`], [`TillError::NotFound`] for an unknown shop.
    pub async fn add_webhook_endpoint(
        &self,
        shop_id: ShopId,
        url: &str,
    ) -> Result<(WebhookEndpoint, WebhookSecret), TillError> {
        if !is_allowed(url) {
            return Err(TillError::WebhookAddress);
        }
        let id = format!("whe_{}", unguessable(&*self.random));
        let secret = fresh_secret(&*self.random);
        let (endpoint, kept, now) =
            (WebhookEndpoint { id, url: url.to_owned() }, &secret, self.now());
        let row = &endpoint;
        self.store
            .transaction("webhook.add", |tx| {
                Box::pin(async move {
                    shop(tx, shop_id).await?;
                    tx.execute(
                        "INSERT INTO till_webhook_endpoints (endpoint_id, shop_id, url, secret, \
                         created_at) VALUES ($1, $2, $3, $4, $5)",
                        params![row.id, shop_id, row.url, kept, now],
                    )
                    .await?;
                    Ok::<_, TillError>(())
                })
            })
            .await?;
        Ok((endpoint, secret))
    }

    /// The addresses of a shop.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn webhook_endpoints(&self, at: ShopId) -> Result<Vec<WebhookEndpoint>, TillError> {
        let rows: Vec<(String, String)> = self
            .store
            .read("webhook.list", |tx| {
                Box::pin(async move {
                    tx.fetch_all(
                        "SELECT endpoint_id, url FROM till_webhook_endpoints \
                         WHERE shop_id = $1 AND removed_at IS NULL ORDER BY created_at",
                        params![at],
                    )
                    .await
                })
            })
            .await
            .map_err(TillError::Store)?;
        Ok(rows.into_iter().map(|(id, url)| WebhookEndpoint { id, url }).collect())
    }

    /// Removes an address of a shop: what waits for it is not sent any more.
    ///
    /// # Errors
    /// [`TillError::NotFound`].
    pub async fn remove_webhook_endpoint(&self, at: ShopId, id: &str) -> Result<(), TillError> {
        let now = self.now();
        self.store
            .transaction("webhook.remove", |tx| {
                Box::pin(async move {
                    let changed = tx
                        .execute(
                            "UPDATE till_webhook_endpoints SET removed_at = $1 \
                             WHERE endpoint_id = $2 AND shop_id = $3 AND removed_at IS NULL",
                            params![now, id, at],
                        )
                        .await?;
                    crate::wallet::found(changed, Thing::WebhookEndpoint)?;
                    silence(tx, id).await
                })
            })
            .await
    }

    /// Sends what is due; how many went through. Each is claimed for its next time before it is
    /// sent, so that processes side by side do not send it at once and a death costs one pause.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn deliver_webhooks_due(
        &self,
        sender: &dyn WebhookSender,
    ) -> Result<usize, TillError> {
        let now = self.now();
        let due: Vec<Due> =
            self.store.transaction("webhook.claim", |tx| Box::pin(claim(tx, now))).await?;
        let mut delivered = 0;
        for due in due {
            let answer = sender.send(&request_of(&due, self.now())).await;
            self.webhook_answered(&due.message, answer.as_ref().ok().copied()).await?;
            match answer {
                Ok(status) if (200..300).contains(&status) => delivered += 1,
                Ok(GONE) => self.webhook_gone(&due.endpoint).await?,
                Ok(_) | Err(_) => {
                    tracing::info!(attempts = due.attempts, "a webhook was not taken");
                }
            }
        }
        Ok(delivered)
    }

    async fn webhook_answered(&self, message: &str, status: Option<u16>) -> Result<(), TillError> {
        let taken = status.is_some_and(|status| (200..300).contains(&status));
        let (now, status) = (self.now(), status.map(i64::from));
        self.store
            .transaction("webhook.answered", |tx| {
                Box::pin(async move {
                    let sql = if taken {
                        "UPDATE till_webhook_messages SET last_status = $1, last_at = $2, \
                         delivered_at = $2, next_at = NULL WHERE message_id = $3"
                    } else {
                        "UPDATE till_webhook_messages SET last_status = $1, last_at = $2 \
                         WHERE message_id = $3"
                    };
                    tx.execute(sql, params![status, now, message]).await?;
                    Ok(())
                })
            })
            .await
    }

    async fn webhook_gone(&self, endpoint: &str) -> Result<(), TillError> {
        let now = self.now();
        self.store
            .transaction("webhook.gone", |tx| {
                Box::pin(async move {
                    tx.execute(
                        "UPDATE till_webhook_endpoints SET removed_at = $1 \
                         WHERE endpoint_id = $2 AND removed_at IS NULL",
                        params![now, endpoint],
                    )
                    .await?;
                    silence(tx, endpoint).await
                })
            })
            .await
    }
}

/// TLS, or this machine alone: a charge's number and amount are nobody else's business.
fn is_allowed(url: &str) -> bool {
    const LENGTH_MAX: usize = 500;
    let host_of = |rest: &str| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        (!authority.is_empty() && !authority.contains('@')).then(|| authority.to_owned())
    };
    let plain = url.len() <= LENGTH_MAX && url.bytes().all(|c| c.is_ascii_graphic());
    if !plain {
        return false;
    }
    if let Some(rest) = url.strip_prefix("https://") {
        return host_of(rest).is_some();
    }
    let Some(rest) = url.strip_prefix("http://") else { return false };
    host_of(rest).is_some_and(|authority| {
        let host = authority.rsplit_once(':').map_or(authority.as_str(), |(host, _)| host);
        host == "127.0.0.1" || host == "localhost" || host == "[::1]"
    })
}

async fn silence(tx: &mut Tx<'_>, endpoint: &str) -> Result<(), TillError> {
    tx.execute(
        "UPDATE till_webhook_messages SET next_at = NULL WHERE endpoint_id = $1",
        params![endpoint],
    )
    .await?;
    Ok(())
}

/// Writes down that a shop is to be told; costs one statement where nobody listens.
pub(crate) async fn enqueue(
    tx: &mut Tx<'_>,
    charge: &Charge,
    kind: Kind,
    now: Timestamp,
) -> Result<(), TillError> {
    // The same news has the same id, whoever writes it down.
    let (refunded, disputed) = (charge.refunded.minor, charge.disputed.minor);
    let once = format!("{}_{kind}_{}_{refunded}_{disputed}", charge.id, charge.steps);
    tx.execute(
        "INSERT INTO till_webhook_messages (message_id, endpoint_id, kind, charge_id, at, \
         attempts, next_at) \
         SELECT 'msg_' || endpoint_id || '_' || $1, endpoint_id, $2, $3, $4, 0, $4 \
         FROM till_webhook_endpoints WHERE shop_id = $5 AND removed_at IS NULL \
         ON CONFLICT DO NOTHING",
        params![once, kind, charge.id, now, charge.shop],
    )
    .await?;
    Ok(())
}

async fn claim(tx: &mut Tx<'_>, now: Timestamp) -> Result<Vec<Due>, TillError> {
    let due: Vec<Due> = tx
        .fetch_all(
            "SELECT m.message_id, m.endpoint_id, m.kind, m.at, m.attempts, m.charge_id, e.url, \
             e.secret, \
             CASE WHEN e.old_secret_until > $1 THEN e.old_secret END AS old_secret, c.shop_id, c.register_id, c.number, c.amount, c.currency \
             FROM till_webhook_messages m \
             JOIN till_webhook_endpoints e ON e.endpoint_id = m.endpoint_id \
             JOIN till_charges c ON c.charge_id = m.charge_id \
             WHERE m.next_at <= $1 AND e.removed_at IS NULL \
             ORDER BY m.next_at, m.message_id LIMIT $2",
            params![now, ROUND_MAX],
        )
        .await?;
    for message in &due {
        let attempt = usize::try_from(message.attempts).unwrap_or(usize::MAX);
        let next_at = SCHEDULE.get(attempt).map(|&pause| now + pause);
        tx.execute(
            "UPDATE till_webhook_messages SET attempts = attempts + 1, next_at = $1 \
             WHERE message_id = $2",
            params![next_at, message.message],
        )
        .await?;
    }
    Ok(due)
}

fn request_of(due: &Due, now: Timestamp) -> WebhookRequest {
    let body = serde_json::json!({
        "type": due.kind.as_str(),
        "timestamp": due.at.as_micros() / 1_000_000,
        "data": {
            "charge_id": due.charge.to_string(),
            "shop_id": due.shop.to_string(),
            "register_id": due.register.to_string(),
            "number": due.number,
            "amount": { "minor": due.amount.minor, "currency": due.amount.currency.code() },
        },
    })
    .to_string();
    let seconds = (now.as_micros() / 1_000_000).to_string();
    // Both while a secret changes: whoever verifies takes either.
    let secrets = [Some(&due.secret), due.old_secret.as_ref()];
    let signatures = secrets.into_iter().flatten();
    let signatures = signatures.map(|secret| sign(secret, &due.message, &seconds, &body));
    let signature = signatures.collect::<Vec<_>>().join(" ");
    WebhookRequest {
        url: due.url.clone(),
        headers: [
            ("webhook-id", due.message.clone()),
            ("webhook-timestamp", seconds),
            ("webhook-signature", signature),
        ],
        body,
    }
}

/// `v1,BASE64(HMAC-SHA256(key, id.seconds.body))`, the key being what stands base64 after `whsec_`.
#[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104)")]
fn sign(secret: &WebhookSecret, id: &str, seconds: &str, body: &str) -> String {
    let text = secret.expose();
    let key = BASE64.decode(text.strip_prefix("whsec_").unwrap_or(text)).unwrap_or_default();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("any length");
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification (standard-webhooks, symmetric signature).
    #[test]
    fn the_specifications_example_is_signed_the_same() {
        let secret = WebhookSecret::from_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let body = r#"{"test": 2432232314}"#;
        let signed = sign(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn addresses_need_tls_or_this_machine() {
        for good in ["https://pos.example/hook", "http://127.0.0.1:9000/x", "http://[::1]:8/"] {
            assert!(is_allowed(good), "{good}");
        }
        for bad in [
            "",
            "https://",
            "http://pos.example/hook",
            "ftp://pos.example",
            "https://user@pos.example/",
            "http://127.0.0.1@evil.example/",
            "https://pos.example/ space",
            "javascript:alert(1)",
        ] {
            assert!(!is_allowed(bad), "{bad}");
        }
    }
}
