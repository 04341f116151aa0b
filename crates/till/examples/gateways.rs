//! What the strict test gateway and Stripe's wire format answer to the same requests, as a table:
//!
//! `cargo run -p handfast-till --example gateways -- [ADDRESS KEY]`
//!
//! ADDRESS and KEY are of a stand-in for Stripe (localstripe: `http://127.0.0.1:8420 sk_test_12345`),
//! never of Stripe itself: the scenarios leave cards there. Without them the right column is empty.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a table for people; whatever cannot be prepared ends it"
)]

use std::sync::Arc;

use handfast_model::{
    Clock as _, Currency, ManualClock, Money, SecretText, SeededRandom, Timestamp, WalletId,
};
use handfast_store::Store;
use handfast_till::TlsRoots;
use handfast_till::gateway::{
    Authorisation, AuthoriseRequest, CaptureRequest, Gateway, GatewayError, PaymentName,
    PaymentStatus, RefundRequest, RefundStatus, SetupRequest, SetupResult, StoredCredential,
    Voided,
};
use handfast_till::stripe::{SetupPage, Stripe, StripeOptions};
use handfast_till::test_gateway::{Instrument, TestGateway, TestGatewayOptions};

/// What somebody pays with, for both gateways.
#[derive(Clone, Copy)]
enum Card {
    Good,
    Declined,
    AsksTheBank,
}

/// One gateway under test and the way to a payment method at it.
enum Side {
    Strict(Arc<TestGateway>),
    StandIn { stripe: Box<Stripe>, address: String, key: String },
}

impl Side {
    fn gateway(&self) -> &dyn Gateway {
        match self {
            Self::Strict(gateway) => &**gateway,
            Self::StandIn { stripe, .. } => &**stripe,
        }
    }

    async fn method(&self, name: &str, card: Card) -> Result<SecretText, GatewayError> {
        // localstripe asks such a card's bank at the setup already, where nobody can answer it here: it
        // is attached without one, so that the payment is what is asked about.
        if let (Self::StandIn { address, key, .. }, Card::AsksTheBank) = (self, card) {
            let (customer, method) = attach_card(address, key, card);
            return Ok(SecretText::new(format!("{customer}/{method}")));
        }
        let random = SeededRandom::new(u64::from(name.bytes().map(u32::from).sum::<u32>()));
        let wallet = WalletId::new(&ManualClock::at(Timestamp::from_micros(0)), &random);
        let reference = format!("setup-{name}-{}", nonce());
        let request = SetupRequest { reference, wallet, return_url: "http://127.0.0.1/".into() };
        let session = self.gateway().create_setup(&request).await?.session;
        match self {
            Self::Strict(gateway) => {
                let instrument = match card {
                    Card::Good => Instrument::AlwaysApproves,
                    Card::Declined => Instrument::AlwaysDeclines,
                    Card::AsksTheBank => Instrument::AsksTheBank,
                };
                gateway.choose(&session, instrument.as_str()).await.unwrap();
            }
            Self::StandIn { address, key, .. } => leave_card(address, key, &session, card),
        }
        match self.gateway().setup_result(&session).await? {
            SetupResult::Completed(method) => Ok(method.reference),
            SetupResult::Open => Err(GatewayError::NoAnswer),
        }
    }
}

fn leave_card(address: &str, key: &str, session: &str, card: Card) {
    let method = make_card(address, key, card);
    post(
        address,
        key,
        &format!("/v1/setup_intents/{session}/confirm"),
        &[("payment_method", &method)],
    );
}

fn attach_card(address: &str, key: &str, card: Card) -> (String, String) {
    let method = make_card(address, key, card);
    let customer = post(address, key, "/v1/customers", &[("description", "at the bank")]);
    post(address, key, &format!("/v1/payment_methods/{method}/attach"), &[("customer", &customer)]);
    (customer, method)
}

/// Asks the stand-in itself, beside the connector; the id of what comes back.
fn post(address: &str, key: &str, path: &str, form: &[(&str, &str)]) -> String {
    let mut answer = ureq::post(format!("{address}{path}"))
        .header("Authorization", format!("Bearer {key}"))
        .send_form(form.iter().copied())
        .unwrap();
    let body: serde_json::Value =
        serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
    body["id"].as_str().unwrap().to_owned()
}

/// Plays Stripe's element: the published test numbers, put together here so that no source file
/// holds one.
fn make_card(address: &str, key: &str, card: Card) -> String {
    let number = match card {
        Card::Good => "4242".repeat(4),
        Card::Declined => format!("4{}341", "0".repeat(12)),
        Card::AsksTheBank => format!("4{}3220", "0".repeat(11)),
    };
    let form = [
        ("type", "card"),
        ("card[number]", number.as_str()),
        ("card[exp_month]", "12"),
        ("card[exp_year]", "2034"),
        ("card[cvc]", "123"),
    ];
    post(address, key, "/v1/payment_methods", &form)
}

fn nonce() -> u64 {
    u64::from(std::process::id())
}

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::Usd)
}

/// A payment that is made at a gateway.
struct Payment<'a> {
    side: &'a Side,
    request: AuthoriseRequest,
}

impl<'a> Payment<'a> {
    async fn new(side: &'a Side, name: &str, card: Card) -> Result<Self, GatewayError> {
        let reference = format!("{name}-{}", nonce());
        let mut request = AuthoriseRequest {
            idempotency_key: format!("{reference}:authorise"),
            payment: PaymentName { reference, prepared: None },
            amount: usd(1_250),
            payment_method: side.method(name, card).await?,
            stored_credential: StoredCredential::CustomerPresentFirst,
            initial_network_transaction_id: None,
        };
        request.payment.prepared = side.gateway().prepare(&request).await?;
        Ok(Self { side, request })
    }

    async fn held(side: &'a Side, name: &str) -> Result<Self, GatewayError> {
        let payment = Self::new(side, name, Card::Good).await?;
        payment.authorise().await?;
        Ok(payment)
    }

    async fn authorise(&self) -> Result<Authorisation, GatewayError> {
        self.side.gateway().authorise(&self.request).await
    }

    async fn capture(&self, key: &str, minor: i64) -> Result<(), GatewayError> {
        let request = CaptureRequest {
            idempotency_key: format!("{}:{key}", self.request.payment.reference),
            payment: self.request.payment.clone(),
            amount: usd(minor),
        };
        self.side.gateway().capture(&request).await
    }

    async fn refund(&self, name: &str, minor: i64) -> Result<(), GatewayError> {
        let reference = format!("{}:{name}", self.request.payment.reference);
        let request = RefundRequest {
            idempotency_key: reference.clone(),
            reference,
            payment: self.request.payment.clone(),
            amount: usd(minor),
        };
        self.side.gateway().refund(&request).await
    }

    async fn status(&self) -> String {
        match self.side.gateway().lookup(&self.request.payment).await {
            Ok(PaymentStatus::Captured { amount }) => format!("captured {}", amount.minor),
            Ok(PaymentStatus::Authorised { .. }) => "authorised".to_owned(),
            Ok(status) => format!("{status:?}").to_lowercase(),
            Err(error) => word(&error),
        }
    }
}

fn word(error: &GatewayError) -> String {
    match error {
        GatewayError::NoAnswer => "no answer".to_owned(),
        GatewayError::Refused(refusal) => format!("refused: {refusal:?}"),
    }
}

fn said<T>(answer: Result<T, GatewayError>, good: impl FnOnce(T) -> String) -> String {
    answer.map_or_else(|error| word(&error), good)
}

fn done<T>(answer: Result<T, GatewayError>) -> String {
    said(answer, |_| "done".to_owned())
}

const SCENARIOS: [&str; 14] = [
    "authorise",
    "authorise, declined by the issuer",
    "authorise, the bank asks (3-D Secure)",
    "the same authorise again, then what is taken",
    "capture all, then what is captured",
    "capture a part, then what is captured",
    "capture more than is held",
    "capture twice under two keys",
    "void, then what stands",
    "void what is captured",
    "refund in two parts, then look one up",
    "refund more than was captured",
    "refund under the same key again",
    "authorise with a detached payment method",
];

async fn play(side: &Side, number: usize) -> Result<String, GatewayError> {
    let name = &format!("s{number}");
    Ok(match number {
        0 => said(Payment::new(side, name, Card::Good).await?.authorise().await, answer),
        1 => said(Payment::new(side, name, Card::Declined).await?.authorise().await, answer),
        2 => said(Payment::new(side, name, Card::AsksTheBank).await?.authorise().await, answer),
        3 => {
            let payment = Payment::held(side, name).await?;
            let again = said(payment.authorise().await, answer);
            payment.capture("capture", 1_250).await?;
            format!("{again}; {}", payment.status().await)
        }
        4 | 5 => {
            let payment = Payment::held(side, name).await?;
            payment.capture("capture", if number == 4 { 1_250 } else { 1_000 }).await?;
            payment.status().await
        }
        6 => done(Payment::held(side, name).await?.capture("capture", 1_251).await),
        7 => {
            let payment = Payment::held(side, name).await?;
            payment.capture("first", 1_250).await?;
            done(payment.capture("second", 1_250).await)
        }
        8 | 9 => {
            let payment = Payment::held(side, name).await?;
            if number == 9 {
                payment.capture("capture", 1_250).await?;
            }
            let voided = side.gateway().void(&payment.request.payment).await;
            let voided = said(voided, |voided| match voided {
                Voided::Done => "done".to_owned(),
                Voided::AlreadyCaptured => "already captured".to_owned(),
            });
            format!("{voided}; {}", payment.status().await)
        }
        10..=12 => refunds(side, name, number).await?,
        _ => {
            let payment = Payment::new(side, name, Card::Good).await?;
            side.gateway().detach(&payment.request.payment_method).await?;
            said(payment.authorise().await, answer)
        }
    })
}

async fn refunds(side: &Side, name: &str, number: usize) -> Result<String, GatewayError> {
    let payment = Payment::held(side, name).await?;
    payment.capture("capture", 1_250).await?;
    Ok(match number {
        10 => {
            payment.refund("first", 500).await?;
            payment.refund("second", 750).await?;
            let reference = format!("{}:second", payment.request.payment.reference);
            let found = side.gateway().lookup_refund(&reference, &payment.request.payment).await;
            said(found, |status| match status {
                RefundStatus::Done { amount } => format!("done {}", amount.minor),
                RefundStatus::NotFound => "not found".to_owned(),
            })
        }
        11 => done(payment.refund("all and more", 1_251).await),
        _ => {
            payment.refund("once", 700).await?;
            let again = done(payment.refund("once", 700).await);
            let rest = done(payment.refund("rest", 550).await);
            format!("{again}; the rest: {rest}")
        }
    })
}

fn answer(answer: Authorisation) -> String {
    match answer {
        Authorisation::Approved { .. } => "approved".to_owned(),
        Authorisation::Declined { reason } => format!("declined: {reason}"),
    }
}

#[tokio::main]
async fn main() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_790_000_000_000_000)));
    let options = TestGatewayOptions {
        merchant: "Scenarios".to_owned(),
        page_base: "/setup/".to_owned(),
        currencies: vec![Currency::Usd],
    };
    let store = Store::connect("sqlite::memory:").await.unwrap();
    let random = Arc::new(SeededRandom::new(clock.now().as_micros().unsigned_abs()));
    let strict = TestGateway::open(store, clock, random, options).await.unwrap();
    let strict = Side::Strict(Arc::new(strict));
    let mut arguments = std::env::args().skip(1);
    let stand_in = match (arguments.next(), arguments.next()) {
        (Some(address), Some(key)) => {
            let stripe = Stripe::new(StripeOptions {
                address: address.clone(),
                secret_key: SecretText::new(key.clone()),
                webhook_secret: SecretText::new("whsec_none".to_owned()),
                setup_page: SetupPage::Element("http://127.0.0.1/".to_owned()),
                roots: TlsRoots::default(),
            });
            Some(Side::StandIn { stripe: Box::new(stripe), address, key })
        }
        _ => None,
    };
    println!("| scenario | strict test gateway | Stripe connector at the stand-in |");
    println!("|---|---|---|");
    for (number, scenario) in SCENARIOS.iter().enumerate() {
        let left = play(&strict, number).await.unwrap_or_else(|error| word(&error));
        let right = match &stand_in {
            Some(side) => play(side, number).await.unwrap_or_else(|error| word(&error)),
            None => "(none was named)".to_owned(),
        };
        let mark = if left == right || stand_in.is_none() { "" } else { " ≠" };
        println!("| {scenario} | {left} | {right}{mark} |");
    }
}
