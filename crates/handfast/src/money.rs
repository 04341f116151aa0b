//! What the till needs of the process around it: its rounds, webhooks in and out, the gateway that
//! is configured, codes for phones.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration as StdDuration;

use anyhow::Context as _;
use handfast_model::SecretText;
use handfast_till::gateway::{Answer, Gateway, GatewayError};
use handfast_till::stripe::{STRIPE, SetupPage, Stripe, StripeOptions};
use handfast_till::test_gateway::TestGateway;
use handfast_till::{PayKey, TillError, TlsRoots, WebhookRequest, WebhookSender};

use crate::hub::{Hub, SharedHub};
use crate::qr;

/// How often charges are resolved and expired: an unanswered one ends within this of its time.
const MONEY_EVERY: StdDuration = StdDuration::from_secs(1);
/// Every so many rounds, what is never urgent: days that are over, credit whose time is.
const SLOW_ROUNDS: u64 = 60;
/// How long a shop's system may take for a webhook; it is sent again later.
const WEBHOOK_TIMEOUT: StdDuration = StdDuration::from_secs(10);

/// How far away the test gateway is, for whoever measures what a customer waits.
pub(crate) const TEST_GATEWAY_MS: &str = "HANDFAST_TEST_GATEWAY_MS";
/// Connectors give up on a gateway at 20 seconds; above this it would look dead, not far.
const TEST_GATEWAY_MS_MAX: u64 = 5_000;

/// The gateway that is configured: Stripe where its keys are in the environment, the embedded test
/// gateway otherwise.
pub(crate) fn gateway(
    test: &Arc<TestGateway>,
    roots: &TlsRoots,
) -> anyhow::Result<Arc<dyn Gateway>> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let Some(secret_key) = variable("HANDFAST_STRIPE_KEY") else {
        return Ok(test.clone());
    };
    let webhook_secret = variable("HANDFAST_STRIPE_WEBHOOK_SECRET").context(
        "HANDFAST_STRIPE_KEY is set and HANDFAST_STRIPE_WEBHOOK_SECRET is not: copy the signing \
         secret of the webhook endpoint, too",
    )?;
    let address = variable("HANDFAST_STRIPE_ADDRESS").unwrap_or_else(|| STRIPE.to_owned());
    anyhow::ensure!(
        address.starts_with("https://") || is_this_machine(&address),
        "HANDFAST_STRIPE_ADDRESS is neither https://... nor http:// on this machine: the secret key \
         would travel in clear",
    );
    let options = StripeOptions {
        address,
        secret_key: SecretText::new(secret_key),
        webhook_secret: SecretText::new(webhook_secret),
        setup_page: SetupPage::Checkout,
        roots: roots.clone(),
    };
    Ok(Arc::new(Stripe::new(options)))
}

/// How far away the test gateway plays to be, in milliseconds a request (`HANDFAST_TEST_GATEWAY_MS`).
pub(crate) fn test_gateway_latency() -> anyhow::Result<std::time::Duration> {
    let Ok(text) = std::env::var(TEST_GATEWAY_MS) else { return Ok(std::time::Duration::ZERO) };
    let millis = text.parse().ok().filter(|millis| *millis <= TEST_GATEWAY_MS_MAX);
    let millis = millis.with_context(|| {
        format!("{TEST_GATEWAY_MS} is `{text}`; give milliseconds up to {TEST_GATEWAY_MS_MAX}")
    })?;
    Ok(std::time::Duration::from_millis(millis))
}

fn is_this_machine(address: &str) -> bool {
    let rest = address.strip_prefix("http://").unwrap_or_default();
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    ["127.0.0.1", "localhost", "[::1]"].contains(&host)
}

/// The roots of a PEM file instead of the public ones, where one is named.
pub(crate) fn roots(file: Option<&Path>) -> anyhow::Result<TlsRoots> {
    let Some(file) = file else { return Ok(TlsRoots::default()) };
    let pem = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    TlsRoots::from_pem(&pem).with_context(|| format!("{} cannot be used", file.display()))
}

/// The till's rounds, until the process ends.
pub(crate) async fn look_after(hub: SharedHub) {
    let mut every = tokio::time::interval(MONEY_EVERY);
    for round in 0_u64.. {
        every.tick().await;
        match hub.till.resolve_due().await {
            Ok(resolved) if resolved.expired > 0 => hub.stations.changed(),
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "open charges could not be looked after"),
        }
        // What fails in one of them holds up no other.
        let mut looked_after = vec![
            hub.hear_the_test_gateway().await,
            hub.till.detach_due().await.map(drop),
            hub.till.replay_offline_due().await.map(drop),
        ];
        if round % SLOW_ROUNDS == 0 {
            looked_after.push(hub.till.end_credits().await.map(drop));
            looked_after.push(hub.till.close_days_due().await.map(drop));
        }
        for error in looked_after.into_iter().filter_map(Result::err) {
            tracing::error!(%error, "one of the till's rounds failed; tried again soon");
        }
    }
}

/// Shops' webhooks, until the process ends. Apart from the till's rounds: a shop's system that does
/// not answer takes its time, and no charge may wait for it.
pub(crate) async fn deliver_webhooks(hub: SharedHub) {
    let mut every = tokio::time::interval(MONEY_EVERY);
    let sender = HttpSender::new(&hub.roots);
    loop {
        every.tick().await;
        if let Err(error) = hub.till.deliver_webhooks_due(&sender).await {
            tracing::error!(%error, "webhooks could not be delivered; tried again soon");
        }
    }
}

/// Says every second that this process is alive, however long a gateway takes to answer its rounds:
/// otherwise another process would take the payments that are being asked for orphans.
pub(crate) async fn stay_alive(hub: SharedHub) {
    let mut every = tokio::time::interval(MONEY_EVERY);
    loop {
        every.tick().await;
        if let Err(error) = hub.till.renew_lease().await {
            tracing::error!(%error, "the till's lease could not be renewed; tried again soon");
        }
    }
}

impl Hub {
    /// The embedded gateway's webhooks take the way that any gateway's take, but for the network.
    async fn hear_the_test_gateway(&self) -> Result<(), TillError> {
        for notice in self.test_gateway.notices_due().await? {
            let heard = self.till.receive_notice(&notice.signature, notice.body.as_bytes()).await;
            if let Err(error) = heard {
                tracing::warn!(%error, "a webhook of the test gateway was not taken; it comes again");
                self.test_gateway.not_taken(&notice).await?;
            }
        }
        Ok(())
    }

    /// A charge as a QR code for a phone, where it can be drawn.
    pub(crate) fn pay_qr(&self, key: &PayKey) -> Option<String> {
        qr::svg(&format!("{}/portal#/pay/{}", self.public_url, key.expose())).ok()
    }
}

/// Sends webhooks by HTTP.
struct HttpSender {
    agent: ureq::Agent,
}

impl HttpSender {
    fn new(roots: &TlsRoots) -> Self {
        Self { agent: roots.agent(WEBHOOK_TIMEOUT) }
    }
}

impl WebhookSender for HttpSender {
    fn send<'a>(&'a self, request: &'a WebhookRequest) -> Answer<'a, u16> {
        let mut call = self.agent.post(&request.url).header("Content-Type", "application/json");
        for (name, value) in &request.headers {
            call = call.header(*name, value);
        }
        let body = request.body.clone();
        Box::pin(async move {
            let sent = tokio::task::spawn_blocking(move || call.send(body)).await;
            match sent {
                Ok(Ok(response)) => Ok(response.status().as_u16()),
                Ok(Err(_)) | Err(_) => Err(GatewayError::NoAnswer),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use handfast_till::gateway::{PaymentName, PaymentStatus};

    use super::*;
    use crate::post::test_https::TestHttps;

    fn request(url: String) -> WebhookRequest {
        let header = |name| (name, "x".to_owned());
        let headers =
            [header("webhook-id"), header("webhook-timestamp"), header("webhook-signature")];
        WebhookRequest { url, headers, body: "{}".to_owned() }
    }

    #[tokio::test]
    async fn webhooks_go_through_tls_to_whom_the_roots_vouch_for() {
        let server = TestHttps::open("204 No Content", "").await;
        let sender = HttpSender::new(&server.roots());
        assert_eq!(sender.send(&request(server.url("/hook"))).await, Ok(204));
        assert!(server.heads()[0].starts_with("POST /hook HTTP/1.1"));
        // The public roots do not vouch for it, nor do another's.
        let impostor = TestHttps::open("204 No Content", "").await;
        for roots in [TlsRoots::default(), server.roots()] {
            let sent = HttpSender::new(&roots).send(&request(impostor.url("/hook"))).await;
            assert_eq!(sent, Err(GatewayError::NoAnswer));
        }
        assert!(impostor.heads().is_empty(), "not a byte of it was told");
        let moved = TestHttps::open("302 Found\r\nLocation: https://elsewhere.example/", "").await;
        let sent = HttpSender::new(&moved.roots()).send(&request(moved.url("/"))).await;
        assert_eq!(sent, Ok(302), "a redirect leads nowhere");
    }

    #[tokio::test]
    async fn stripe_is_reached_by_tls() {
        let intent = r#"{"id":"pi_1","status":"succeeded","currency":"usd","amount":1250,"amount_received":1250}"#;
        let server = TestHttps::open("200 OK", intent).await;
        let stripe = Stripe::new(StripeOptions {
            address: server.url(""),
            secret_key: SecretText::new("sk_test_1".to_owned()),
            webhook_secret: SecretText::new("whsec_1".to_owned()),
            setup_page: SetupPage::Checkout,
            roots: server.roots(),
        });
        let prepared = Some("pi_1".to_owned());
        let name = PaymentName { reference: "chg".to_owned(), prepared };
        let status = handfast_till::gateway::Payments::lookup(&stripe, &name).await.unwrap();
        assert!(matches!(status, PaymentStatus::Captured { amount } if amount.minor == 1_250));
        assert!(server.heads()[0].to_lowercase().contains("authorization: bearer sk_test_1"));
    }

    #[test]
    fn keys_travel_in_clear_on_this_machine_alone() {
        for good in ["http://127.0.0.1:8420", "http://localhost:1", "http://[::1]:8/v1"] {
            assert!(is_this_machine(good), "{good}");
        }
        for bad in ["http://127.0.0.1.evil.example", "http://api.stripe.com", "ftp://localhost", ""]
        {
            assert!(!is_this_machine(bad), "{bad}");
        }
    }
}
