//! What the till needs of the process around it: its rounds, webhooks in and out, the gateway that
//! is configured, codes for phones.

use std::sync::Arc;
use std::time::Duration as StdDuration;

use anyhow::Context as _;
use handfast_model::SecretText;
use handfast_till::gateway::{Answer, Gateway, GatewayError};
use handfast_till::stripe::{STRIPE, SetupPage, Stripe, StripeOptions};
use handfast_till::test_gateway::TestGateway;
use handfast_till::{PayKey, TillError, WebhookRequest, WebhookSender};

use crate::hub::{Hub, SharedHub};
use crate::qr;

/// How often charges are resolved and expired: an unanswered one ends within this of its time.
const MONEY_EVERY: StdDuration = StdDuration::from_secs(1);
/// Every so many rounds, what is never urgent: days that are over, credit whose time is.
const SLOW_ROUNDS: u64 = 60;
/// How long a shop's system may take for a webhook; it is sent again later.
const WEBHOOK_TIMEOUT: StdDuration = StdDuration::from_secs(10);

/// The gateway that is configured: Stripe where its keys are in the environment, the embedded test
/// gateway otherwise.
pub(crate) fn gateway(test: &Arc<TestGateway>) -> anyhow::Result<Arc<dyn Gateway>> {
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
        address.starts_with("http://"),
        "this program speaks no TLS to a gateway yet: start a proxy on this machine that does, and \
         name it with HANDFAST_STRIPE_ADDRESS=http://127.0.0.1:PORT",
    );
    let options = StripeOptions {
        address,
        secret_key: SecretText::new(secret_key),
        webhook_secret: SecretText::new(webhook_secret),
        setup_page: SetupPage::Checkout,
    };
    Ok(Arc::new(Stripe::new(options)))
}

/// The till's rounds, until the process ends.
pub(crate) async fn look_after(hub: SharedHub) {
    let mut every = tokio::time::interval(MONEY_EVERY);
    let sender = HttpSender::new();
    for round in 0_u64.. {
        every.tick().await;
        match hub.till.resolve_due().await {
            Ok(resolved) if resolved.expired > 0 => hub.stations.changed(),
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "open charges could not be looked after"),
        }
        let rounds = async {
            hub.hear_the_test_gateway().await?;
            hub.till.detach_due().await?;
            hub.till.deliver_webhooks_due(&sender).await?;
            if round % SLOW_ROUNDS == 0 {
                hub.till.end_credits().await?;
                hub.till.close_days_due().await?;
            }
            Ok::<_, TillError>(())
        };
        if let Err(error) = rounds.await {
            tracing::error!(%error, "the till's rounds failed; tried again soon");
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
    fn new() -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(WEBHOOK_TIMEOUT))
            // A redirect could lead a signed message anywhere.
            .max_redirects(0)
            .build()
            .into();
        Self { agent }
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
