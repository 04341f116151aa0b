//! The Stripe connector: requests and answers translated in this one file. Payment intents with
//! manual capture, prepared before they are confirmed; setups by Checkout (Stripe's own page) or by
//! setup intent; refunds; signed webhooks. Every request that changes something carries an
//! idempotency key made of the till's own names.
//!
//! Sources: Stripe API reference (payment_intents, setup_intents, checkout sessions, refunds,
//! webhooks), as of API version 2024-06-20, which is sent with each request.

mod wire;

use handfast_model::{Currency, Money, SecretText, Timestamp};
use serde_json::Value;

use crate::gateway::{
    Answer, Authorisation, AuthoriseRequest, CaptureRequest, DisputeNotice, DisputeStage,
    GatewayError, Notice, NoticeAbout, NoticeError, Notices, PaymentName, PaymentStatus, Payments,
    RefundRequest, RefundStatus, Refunds, Refusal, ReportLine, Reports, SetupPaymentMethod,
    SetupRequest, SetupResult, SetupSession, Setups, StoredCredential, Voided,
};
use crate::notice_signature;
use crate::outward::TlsRoots;

use wire::{Form, Reply, Wire, text};

/// Stripe's public address.
pub const STRIPE: &str = "https://api.stripe.com";
/// The most rows that Stripe lists at once.
const LIST_MAX: &str = "100";

/// Where the person leaves their payment method.
#[derive(Clone, Debug)]
pub enum SetupPage {
    /// Stripe's own page (Checkout in mode `setup`).
    Checkout,
    /// A page that mounts Stripe's element; the setup intent's client secret is added to its
    /// address after `#`.
    Element(String),
}

/// How the connector is set up.
#[derive(Clone, Debug)]
pub struct StripeOptions {
    /// [`STRIPE`], or a stand-in.
    pub address: String,
    /// The secret key (`sk_...`).
    pub secret_key: SecretText,
    /// The secret of the webhook endpoint (`whsec_...`).
    pub webhook_secret: SecretText,
    /// Where the person leaves their payment method.
    pub setup_page: SetupPage,
    /// Whose certificate the address may show.
    pub roots: TlsRoots,
}

/// The Stripe connector.
pub struct Stripe {
    wire: Wire,
    webhook_secret: SecretText,
    setup_page: SetupPage,
}

impl Stripe {
    /// A connector; nothing is asked yet.
    #[must_use]
    pub fn new(options: StripeOptions) -> Self {
        let wire = Wire::new(&options.address, options.secret_key, &options.roots);
        Self { wire, webhook_secret: options.webhook_secret, setup_page: options.setup_page }
    }

    async fn customer_of(&self, request: &SetupRequest) -> Result<String, GatewayError> {
        let mut form = Form::default();
        form.add("metadata[wallet]", request.wallet);
        let key = format!("{}:customer", request.reference);
        let reply = self.wire.post("/v1/customers", form, Some(key)).await?;
        reply.done()?.text_at("id")
    }

    async fn open_checkout(&self, request: &SetupRequest) -> Result<SetupSession, GatewayError> {
        let customer = self.customer_of(request).await?;
        let mut form = Form::default();
        form.add("mode", "setup");
        form.add("customer", customer);
        form.add("payment_method_types[0]", "card");
        form.add("success_url", &request.return_url);
        form.add("cancel_url", &request.return_url);
        form.add("metadata[reference]", &request.reference);
        let key = format!("{}:checkout", request.reference);
        let reply = self.wire.post("/v1/checkout/sessions", form, Some(key)).await?.done()?;
        Ok(SetupSession { session: reply.text_at("id")?, url: reply.text_at("url")? })
    }

    async fn open_intent(
        &self,
        request: &SetupRequest,
        page: &str,
    ) -> Result<SetupSession, GatewayError> {
        let customer = self.customer_of(request).await?;
        let mut form = Form::default();
        form.add("customer", customer);
        form.add("usage", "off_session");
        form.add("metadata[reference]", &request.reference);
        let key = format!("{}:setup", request.reference);
        let reply = self.wire.post("/v1/setup_intents", form, Some(key)).await?.done()?;
        let secret = reply.text_at("client_secret")?;
        Ok(SetupSession { session: reply.text_at("id")?, url: format!("{page}#{secret}") })
    }

    async fn result_of(&self, session: &str) -> Result<SetupResult, GatewayError> {
        let intent = if session.starts_with("cs_") {
            let path = format!("/v1/checkout/sessions/{}?expand[]=setup_intent", plain(session)?);
            let reply = self.wire.get(&path).await?.found(Refusal::UnknownSetup)?;
            if text(&reply.body, &["status"]) != Some("complete") {
                return Ok(SetupResult::Open);
            }
            reply.body["setup_intent"].clone()
        } else {
            let path = format!("/v1/setup_intents/{}", plain(session)?);
            self.wire.get(&path).await?.found(Refusal::UnknownSetup)?.body
        };
        if text(&intent, &["status"]) != Some("succeeded") {
            return Ok(SetupResult::Open);
        }
        let ids = (text(&intent, &["customer"]), text(&intent, &["payment_method"]));
        let (Some(customer), Some(method)) = ids else { return Err(GatewayError::NoAnswer) };
        let reply = self.wire.get(&format!("/v1/payment_methods/{}", plain(method)?)).await?;
        let card = reply.done()?;
        if text(&card.body, &["customer"]).is_none() {
            // Stripe attaches by itself at the setup; a stand-in may not.
            let mut form = Form::default();
            form.add("customer", customer);
            let path = format!("/v1/payment_methods/{}/attach", plain(method)?);
            self.wire.post(&path, form, Some(format!("{method}:attach"))).await?.done()?;
        }
        Ok(SetupResult::Completed(SetupPaymentMethod {
            reference: SecretText::new(format!("{customer}/{method}")),
            label: label_of(&card.body),
            network_transaction_id: None,
        }))
    }

    async fn make_intent(&self, request: &AuthoriseRequest) -> Result<String, GatewayError> {
        let (customer, method) = customer_and_method(&request.payment_method)?;
        let mut form = Form::default();
        form.add("amount", minor_of(request.amount)?);
        form.add("currency", request.amount.currency.code().to_lowercase());
        form.add("customer", customer);
        form.add("payment_method", method);
        form.add("payment_method_types[0]", "card");
        form.add("capture_method", "manual");
        form.add("metadata[reference]", &request.payment.reference);
        form.add("metadata[stored_credential]", request.stored_credential);
        let key = format!("{}:make", request.idempotency_key);
        self.wire.post("/v1/payment_intents", form, Some(key)).await?.done()?.text_at("id")
    }

    async fn confirm(&self, request: &AuthoriseRequest) -> Result<Authorisation, GatewayError> {
        let intent = intent_of(&request.payment)?;
        let mut form = Form::default();
        // A person at a counter is present, and still cannot answer a bank's question here: where
        // one comes, the intent is cancelled below. Whoever has left is never asked.
        if request.stored_credential == StoredCredential::MerchantInitiated {
            form.add("off_session", "true");
        }
        form.add("expand[0]", "latest_charge");
        let path = format!("/v1/payment_intents/{intent}/confirm");
        let reply = self.wire.post(&path, form, Some(request.idempotency_key.clone())).await?;
        match reply.status {
            402 => Ok(Authorisation::Declined { reason: decline_code(&reply.body["error"]) }),
            _ => {
                let body = reply.done()?.body;
                match status_of(&body) {
                    Some(PaymentStatus::Authorised { network_transaction_id }) => {
                        Ok(Authorisation::Approved { network_transaction_id })
                    }
                    Some(PaymentStatus::Declined { reason }) => {
                        Ok(Authorisation::Declined { reason })
                    }
                    _ if needs_the_person(&body) => {
                        self.cancel(&intent).await?;
                        let reason = "authentication_required".to_owned();
                        Ok(Authorisation::Declined { reason })
                    }
                    _ => Err(GatewayError::NoAnswer),
                }
            }
        }
    }

    async fn take(&self, request: &CaptureRequest) -> Result<(), GatewayError> {
        let intent = intent_of(&request.payment)?;
        let mut form = Form::default();
        form.add("amount_to_capture", minor_of(request.amount)?);
        let path = format!("/v1/payment_intents/{intent}/capture");
        let key = Some(request.idempotency_key.clone());
        let reply = self.wire.post(&path, form, key).await?;
        reply.done().map(drop)
    }

    async fn cancel(&self, intent: &str) -> Result<Voided, GatewayError> {
        let path = format!("/v1/payment_intents/{intent}/cancel");
        let key = Some(format!("{intent}:cancel"));
        let reply = self.wire.post(&path, Form::default(), key).await?;
        if (200..300).contains(&reply.status) {
            return Ok(Voided::Done);
        }
        // Refused: because it is captured, or was cancelled before. The intent itself says.
        let path = format!("/v1/payment_intents/{intent}");
        let body = self.wire.get(&path).await?.found(Refusal::UnknownPayment)?.body;
        match status_of(&body) {
            Some(PaymentStatus::Captured { .. }) => Ok(Voided::AlreadyCaptured),
            Some(PaymentStatus::Voided) => Ok(Voided::Done),
            _ => Err(GatewayError::NoAnswer),
        }
    }

    async fn status(&self, payment: &PaymentName) -> Result<PaymentStatus, GatewayError> {
        let Some(intent) = &payment.prepared else { return Ok(PaymentStatus::NotFound) };
        let path = format!("/v1/payment_intents/{}?expand[]=latest_charge", plain(intent)?);
        let body = self.wire.get(&path).await?.found(Refusal::UnknownPayment)?.body;
        Ok(status_of(&body).unwrap_or(PaymentStatus::Pending))
    }

    async fn give_back(&self, request: &RefundRequest) -> Result<(), GatewayError> {
        let intent = intent_of(&request.payment)?;
        let mut form = Form::default();
        form.add("payment_intent", &intent);
        form.add("amount", minor_of(request.amount)?);
        form.add("metadata[reference]", &request.reference);
        let key = Some(request.idempotency_key.clone());
        self.wire.post("/v1/refunds", form, key).await?.done().map(drop)
    }

    async fn refund_status(
        &self,
        reference: &str,
        payment: &PaymentName,
    ) -> Result<RefundStatus, GatewayError> {
        let intent = intent_of(payment)?;
        let path = format!("/v1/refunds?payment_intent={intent}&limit={LIST_MAX}");
        let body = self.wire.get(&path).await?.done()?.body;
        let refunds = body["data"].as_array().cloned().unwrap_or_default();
        let ours = |refund: &&Value| {
            text(refund, &["metadata", "reference"]) == Some(reference)
                && text(refund, &["status"]) != Some("failed")
        };
        match refunds.iter().find(ours) {
            None => Ok(RefundStatus::NotFound),
            Some(refund) => Ok(RefundStatus::Done { amount: amount_at(refund, "amount")? }),
        }
    }

    async fn report(
        &self,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<ReportLine>, GatewayError> {
        let seconds = |at: Timestamp| at.as_micros().div_euclid(1_000_000);
        let mut lines = Vec::new();
        let mut after = String::new();
        loop {
            let path = format!(
                "/v1/payment_intents?limit={LIST_MAX}&created[gte]={}&created[lt]={}\
                 &expand[]=data.latest_charge{after}",
                seconds(from),
                seconds(until),
            );
            let body = self.wire.get(&path).await?.done()?.body;
            let page = body["data"].as_array().cloned().unwrap_or_default();
            lines.extend(page.iter().filter_map(line_of));
            let last = page.last().and_then(|intent| text(intent, &["id"]).map(str::to_owned));
            match last {
                Some(id) if body["has_more"].as_bool() == Some(true) => {
                    after = format!("&starting_after={}", plain(&id)?);
                }
                _ => return Ok(lines),
            }
        }
    }
}

/// An id as it may stand in an address: what a gateway gave us, and nothing that leads elsewhere.
fn plain(id: &str) -> Result<&str, GatewayError> {
    let fits = !id.is_empty() && id.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
    if fits { Ok(id) } else { Err(GatewayError::Refused(Refusal::UnknownPayment)) }
}

fn intent_of(payment: &PaymentName) -> Result<String, GatewayError> {
    let unknown = GatewayError::Refused(Refusal::UnknownPayment);
    plain(payment.prepared.as_deref().ok_or(unknown)?).map(str::to_owned)
}

/// A payment method reference is `customer/method`: Stripe wants both.
fn customer_and_method(reference: &SecretText) -> Result<(&str, &str), GatewayError> {
    let unknown = GatewayError::Refused(Refusal::UnknownPaymentMethod);
    reference.expose().split_once('/').ok_or(unknown)
}

/// Stripe takes three-decimal currencies in steps of ten of the smallest unit.
fn minor_of(amount: Money) -> Result<i64, GatewayError> {
    if amount.currency.decimals() == 3 && amount.minor % 10 != 0 {
        return Err(GatewayError::Refused(Refusal::CurrencyNotEnabled));
    }
    Ok(amount.minor)
}

fn amount_at(body: &Value, field: &str) -> Result<Money, GatewayError> {
    let minor = body[field].as_i64().ok_or(GatewayError::NoAnswer)?;
    Ok(Money::new(minor, currency_of(body).ok_or(GatewayError::NoAnswer)?))
}

fn currency_of(body: &Value) -> Option<Currency> {
    text(body, &["currency"])?.to_uppercase().parse().ok()
}

/// What stands on the card, as far as a person needs it to tell two apart.
fn label_of(method: &Value) -> String {
    let brand = text(method, &["card", "brand"]).unwrap_or("card");
    match text(method, &["card", "last4"]) {
        Some(last) => format!("{brand} ending in {last}"),
        None => brand.to_owned(),
    }
}

fn decline_code(error: &Value) -> String {
    let code = text(error, &["decline_code"]).or_else(|| text(error, &["code"]));
    code.unwrap_or("card_declined").to_owned()
}

fn needs_the_person(intent: &Value) -> bool {
    text(intent, &["status"]) == Some("requires_action")
}

/// What a payment intent's status means; `None` where it is not known yet, the default.
fn status_of(intent: &Value) -> Option<PaymentStatus> {
    match text(intent, &["status"])? {
        "requires_capture" => {
            Some(PaymentStatus::Authorised { network_transaction_id: network_id_of(intent) })
        }
        "succeeded" => captured_amount(intent).map(|amount| PaymentStatus::Captured { amount }),
        "canceled" => Some(PaymentStatus::Voided),
        "requires_payment_method" if intent["last_payment_error"].is_object() => {
            Some(PaymentStatus::Declined { reason: decline_code(&intent["last_payment_error"]) })
        }
        _ => None,
    }
}

fn network_id_of(intent: &Value) -> Option<String> {
    let path = ["latest_charge", "payment_method_details", "card", "network_transaction_id"];
    text(intent, &path).map(str::to_owned)
}

/// `amount_received`, or what the charge says where a stand-in leaves that out.
fn captured_amount(intent: &Value) -> Option<Money> {
    let currency = currency_of(intent)?;
    let charge = &intent["latest_charge"];
    let minor = intent["amount_received"]
        .as_i64()
        .or_else(|| charge["amount_captured"].as_i64())
        .or_else(|| intent["amount"].as_i64())?;
    Some(Money::new(minor, currency))
}

fn line_of(intent: &Value) -> Option<ReportLine> {
    let reference = text(intent, &["metadata", "reference"])?.to_owned();
    let currency = currency_of(intent)?;
    let money = |minor| Money::new(minor, currency);
    let status = status_of(intent);
    let held = match &status {
        Some(PaymentStatus::Authorised { .. }) => intent["amount"].as_i64()?,
        _ => 0,
    };
    let captured = match &status {
        Some(PaymentStatus::Captured { amount }) => amount.minor,
        _ => 0,
    };
    let refunded = intent["latest_charge"]["amount_refunded"].as_i64().unwrap_or(0);
    Some(ReportLine {
        reference,
        held: money(held),
        captured: money(captured),
        refunded: money(refunded),
    })
}

impl Setups for Stripe {
    fn create_setup<'a>(&'a self, request: &'a SetupRequest) -> Answer<'a, SetupSession> {
        Box::pin(async move {
            match &self.setup_page {
                SetupPage::Checkout => self.open_checkout(request).await,
                SetupPage::Element(page) => self.open_intent(request, page).await,
            }
        })
    }

    fn setup_result<'a>(&'a self, session: &'a str) -> Answer<'a, SetupResult> {
        Box::pin(self.result_of(session))
    }

    fn detach<'a>(&'a self, payment_method: &'a SecretText) -> Answer<'a, ()> {
        Box::pin(async move {
            let (_, method) = customer_and_method(payment_method)?;
            let path = format!("/v1/payment_methods/{}/detach", plain(method)?);
            let key = Some(format!("{method}:detach"));
            let reply = self.wire.post(&path, Form::default(), key).await?;
            // Unknown, or detached before: what is wanted is so.
            if reply.status == 404 || reply.status == 400 { Ok(()) } else { reply.done().map(drop) }
        })
    }
}

impl Payments for Stripe {
    /// Stripe cannot fence a name that it has not heard of, but it cancels an intent for good.
    fn prepares(&self) -> bool {
        true
    }

    fn prepare<'a>(&'a self, request: &'a AuthoriseRequest) -> Answer<'a, Option<String>> {
        Box::pin(async move { self.make_intent(request).await.map(Some) })
    }

    fn authorise<'a>(&'a self, request: &'a AuthoriseRequest) -> Answer<'a, Authorisation> {
        Box::pin(self.confirm(request))
    }

    fn capture<'a>(&'a self, request: &'a CaptureRequest) -> Answer<'a, ()> {
        Box::pin(self.take(request))
    }

    fn void<'a>(&'a self, payment: &'a PaymentName) -> Answer<'a, Voided> {
        Box::pin(async move { self.cancel(&intent_of(payment)?).await })
    }

    fn lookup<'a>(&'a self, payment: &'a PaymentName) -> Answer<'a, PaymentStatus> {
        Box::pin(self.status(payment))
    }
}

impl Refunds for Stripe {
    fn refund<'a>(&'a self, request: &'a RefundRequest) -> Answer<'a, ()> {
        Box::pin(self.give_back(request))
    }

    fn lookup_refund<'a>(
        &'a self,
        reference: &'a str,
        payment: &'a PaymentName,
    ) -> Answer<'a, RefundStatus> {
        Box::pin(self.refund_status(reference, payment))
    }
}

impl Notices for Stripe {
    fn read_notice(
        &self,
        signature: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Notice, NoticeError> {
        notice_signature::verify(signature, body, &self.webhook_secret, now)?;
        let event: Value = serde_json::from_slice(body).map_err(|_| NoticeError::Unreadable)?;
        let id = text(&event, &["id"]).ok_or(NoticeError::Unreadable)?.to_owned();
        let kind = text(&event, &["type"]).ok_or(NoticeError::Unreadable)?;
        let about = about_of(kind, &event["data"]["object"]);
        Ok(Notice { event: id, about: about.unwrap_or(NoticeAbout::Other) })
    }
}

fn about_of(kind: &str, object: &Value) -> Option<NoticeAbout> {
    if kind.starts_with("payment_intent.") || kind.starts_with("charge.refund") {
        let reference = text(object, &["metadata", "reference"])?;
        return Some(NoticeAbout::Payment(reference.to_owned()));
    }
    let stage = match kind {
        "charge.dispute.created" => DisputeStage::Open,
        "charge.dispute.closed" if text(object, &["status"]) == Some("won") => DisputeStage::Won,
        "charge.dispute.closed" => DisputeStage::Lost,
        _ => return None,
    };
    let due = object["evidence_details"]["due_by"].as_i64();
    Some(NoticeAbout::Dispute(DisputeNotice {
        dispute: text(object, &["id"])?.to_owned(),
        // The dispute inherits nothing of the intent's metadata unless its charge is expanded.
        payment: text(object, &["charge", "metadata", "reference"])
            .or_else(|| text(object, &["metadata", "reference"]))
            .or_else(|| text(object, &["payment_intent"]))?
            .to_owned(),
        amount: amount_at(object, "amount").ok()?,
        stage,
        reason: text(object, &["reason"]).unwrap_or("general").to_owned(),
        respond_by: due.map(|seconds| Timestamp::from_micros(seconds.saturating_mul(1_000_000))),
    }))
}

impl Reports for Stripe {
    fn payments_made<'a>(
        &'a self,
        from: Timestamp,
        until: Timestamp,
    ) -> Answer<'a, Vec<ReportLine>> {
        Box::pin(self.report(from, until))
    }
}

impl Reply {
    /// The body of a request that was carried out; a refusal otherwise.
    fn done(self) -> Result<Self, GatewayError> {
        match self.status {
            200..=299 => Ok(self),
            401 | 403 => Err(GatewayError::Refused(Refusal::Unauthenticated)),
            // A conflict of keys in flight, too many requests, or a fault of theirs: not known.
            409 | 429 | 500..=599 => Err(GatewayError::NoAnswer),
            _ => Err(GatewayError::Refused(refusal_of(&self.body["error"]))),
        }
    }

    fn found(self, missing: Refusal) -> Result<Self, GatewayError> {
        if self.status == 404 { Err(GatewayError::Refused(missing)) } else { self.done() }
    }

    fn text_at(&self, field: &str) -> Result<String, GatewayError> {
        text(&self.body, &[field]).map(str::to_owned).ok_or(GatewayError::NoAnswer)
    }
}

fn refusal_of(error: &Value) -> Refusal {
    match (text(error, &["type"]), text(error, &["code"])) {
        (Some("idempotency_error"), _) => Refusal::KeyReused,
        (_, Some("amount_too_large")) => Refusal::AmountTooLarge,
        (_, Some("amount_too_small" | "parameter_invalid_integer")) => Refusal::AmountNotPositive,
        (_, Some("charge_already_refunded" | "refund_amount_exceeds_available")) => {
            Refusal::OverRefund
        }
        (_, Some("charge_already_captured")) => Refusal::AlreadyCaptured,
        (_, Some("payment_intent_unexpected_state")) => Refusal::NotAuthorised,
        (_, Some("resource_missing")) => Refusal::UnknownPayment,
        _ => Refusal::Other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stripe() -> Stripe {
        Stripe::new(StripeOptions {
            address: STRIPE.to_owned(),
            secret_key: SecretText::new("sk_test_none".to_owned()),
            webhook_secret: SecretText::new("whsec_test".to_owned()),
            setup_page: SetupPage::Checkout,
            roots: TlsRoots::default(),
        })
    }

    #[test]
    fn statuses_are_translated_and_unknown_ones_are_pending() {
        let intent = |status: &str| json!({"status": status, "currency": "usd", "amount": 1250});
        let captured = PaymentStatus::Captured { amount: Money::new(1_250, Currency::Usd) };
        assert_eq!(status_of(&intent("succeeded")), Some(captured));
        assert_eq!(status_of(&intent("canceled")), Some(PaymentStatus::Voided));
        for open in ["processing", "requires_confirmation", "requires_payment_method", "new_one"] {
            assert_eq!(status_of(&intent(open)), None, "{open}");
        }
        let mut declined = intent("requires_payment_method");
        declined["last_payment_error"] = json!({"decline_code": "insufficient_funds"});
        let reason = "insufficient_funds".to_owned();
        assert_eq!(status_of(&declined), Some(PaymentStatus::Declined { reason }));
        for nonsense in
            [json!(null), json!([]), json!({"status": 7}), json!({"status": "succeeded"})]
        {
            assert_eq!(status_of(&nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_part_that_was_captured_counts_and_not_what_was_asked() {
        let intent = json!({"status": "succeeded", "currency": "jpy", "amount": 500,
            "amount_received": 300});
        let amount = Money::new(300, Currency::Jpy);
        assert_eq!(status_of(&intent), Some(PaymentStatus::Captured { amount }));
    }

    #[test]
    fn signed_events_are_read_and_others_are_not() {
        let now = Timestamp::from_micros(1_790_000_000_000_000);
        let body = json!({"id": "evt_1", "type": "charge.dispute.created", "data": {"object": {
            "id": "dp_1", "amount": 900, "currency": "usd", "reason": "fraudulent",
            "charge": {"metadata": {"reference": "chg_x"}},
            "evidence_details": {"due_by": 1_790_600_000}}}})
        .to_string();
        let stripe = stripe();
        let signature = notice_signature::sign(body.as_bytes(), &stripe.webhook_secret, now);
        let notice = stripe.read_notice(&signature, body.as_bytes(), now).unwrap();
        let NoticeAbout::Dispute(dispute) = notice.about else { panic!("{notice:?}") };
        assert_eq!((dispute.payment.as_str(), dispute.amount.minor), ("chg_x", 900));
        assert_eq!(dispute.stage, DisputeStage::Open);
        // As Stripe sends it, with its charge not expanded.
        let body = body
            .replace(r#"{"metadata":{"reference":"chg_x"}}"#, r#""ch_1","payment_intent":"pi_1""#);
        let signature = notice_signature::sign(body.as_bytes(), &stripe.webhook_secret, now);
        let notice = stripe.read_notice(&signature, body.as_bytes(), now).unwrap();
        let NoticeAbout::Dispute(dispute) = notice.about else { panic!("{notice:?}") };
        assert_eq!(dispute.payment, "pi_1");
        let forged = stripe.read_notice("t=1,v1=00", body.as_bytes(), now);
        assert_eq!(forged, Err(NoticeError::WrongSignature));
        let nonsense = b"{]";
        let signature = notice_signature::sign(nonsense, &stripe.webhook_secret, now);
        let refused = stripe.read_notice(&signature, nonsense, now);
        assert_eq!(refused, Err(NoticeError::Unreadable));
    }

    #[test]
    fn ids_that_lead_elsewhere_are_not_put_into_addresses() {
        for id in ["", "pi_1/../x", "pi_1?x=1", "pi 1", "pi_\u{e9}"] {
            assert!(plain(id).is_err(), "{id}");
        }
        assert_eq!(plain("pi_3AbC").unwrap(), "pi_3AbC");
    }

    #[test]
    fn three_decimals_go_in_steps_of_ten() {
        assert_eq!(minor_of(Money::new(1_230, Currency::Kwd)).unwrap(), 1_230);
        assert!(minor_of(Money::new(1_234, Currency::Kwd)).is_err());
    }
}
