//! The strict test gateway refuses what a strict gateway refuses.

use std::sync::Arc;

use handfast_model::{Currency, ManualClock, Money, SecretText, SeededRandom, WalletId};
use handfast_store::test_on_both_engines;
use handfast_till::gateway::{
    Authorisation, AuthoriseRequest, CaptureRequest, GatewayError, PaymentName, PaymentStatus,
    Payments as _, RefundRequest, RefundStatus, Refunds as _, Refusal, SetupRequest, SetupResult,
    Setups as _, StoredCredential, Voided,
};
use handfast_till::test_gateway::{Instrument, TestGateway};

use crate::counter::{gateway_on, open_gateway, start};

/// Payments that are captured and voided at the same moment.
const RACES: usize = 20;

struct Bench {
    gateway: TestGateway,
    method: SecretText,
}

async fn bench(instrument: Instrument) -> Bench {
    let clock = Arc::new(ManualClock::at(start()));
    bench_of(open_gateway(clock, Arc::new(SeededRandom::new(9))).await, instrument).await
}

async fn bench_of(gateway: TestGateway, instrument: Instrument) -> Bench {
    let wallet = WalletId::new(&ManualClock::at(start()), &SeededRandom::new(1));
    let (reference, return_url) = ("setup-1".to_owned(), "/".to_owned());
    let request = SetupRequest { reference, wallet, return_url };
    let session = gateway.create_setup(&request).await.unwrap();
    assert_eq!(gateway.create_setup(&request).await.unwrap(), session);
    let other = SetupRequest { return_url: "/elsewhere".to_owned(), ..request };
    assert_eq!(refusal(gateway.create_setup(&other).await), Refusal::KeyReused);
    gateway.choose(&session.session, instrument.as_str()).await.unwrap();
    let result = gateway.setup_result(&session.session).await.unwrap();
    let SetupResult::Completed(method) = result else { panic!("not completed") };
    Bench { gateway, method: method.reference }
}

fn refusal<T: std::fmt::Debug>(answer: Result<T, GatewayError>) -> Refusal {
    match answer {
        Err(GatewayError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

fn named(reference: &str) -> PaymentName {
    PaymentName { reference: reference.to_owned(), prepared: None }
}

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::Usd)
}

impl Bench {
    fn authorise(&self, name: &str, amount: Money) -> AuthoriseRequest {
        AuthoriseRequest {
            idempotency_key: format!("{name}:key"),
            payment: named(name),
            amount,
            payment_method: self.method.clone(),
            stored_credential: StoredCredential::CustomerPresentFirst,
            initial_network_transaction_id: None,
        }
    }

    async fn hold(&self, name: &str, amount: Money) -> Result<Authorisation, GatewayError> {
        self.gateway.authorise(&self.authorise(name, amount)).await
    }

    async fn take(&self, key: &str, name: &str, amount: Money) -> Result<(), GatewayError> {
        let (idempotency_key, payment) = (key.to_owned(), named(name));
        self.gateway.capture(&CaptureRequest { idempotency_key, payment, amount }).await
    }

    async fn give_back(&self, name: &str, of: &str, amount: Money) -> Result<(), GatewayError> {
        let (idempotency_key, reference) = (format!("{name}:key"), name.to_owned());
        let payment = named(of);
        let request = RefundRequest { idempotency_key, reference, payment, amount };
        self.gateway.refund(&request).await
    }
}

#[tokio::test]
async fn amounts_and_currencies_are_checked() {
    let bench = bench(Instrument::AlwaysApproves).await;
    for minor in [0, -1, i64::MIN] {
        assert_eq!(refusal(bench.hold("p", usd(minor)).await), Refusal::AmountNotPositive);
    }
    assert_eq!(refusal(bench.hold("p", usd(i64::MAX)).await), Refusal::AmountTooLarge);
    let euros = Money::new(5, Currency::Eur);
    assert_eq!(refusal(bench.hold("p", euros).await), Refusal::CurrencyNotEnabled);
    let mut request = bench.authorise("p", usd(5));
    request.payment_method = SecretText::new("unknown".to_owned());
    let refused = bench.gateway.authorise(&request).await;
    assert_eq!(refusal(refused), Refusal::UnknownPaymentMethod);
    assert_eq!(bench.gateway.lookup(&named("p")).await.unwrap(), PaymentStatus::NotFound);
}

#[tokio::test]
async fn a_key_repeats_one_request_only() {
    let bench = bench(Instrument::AlwaysApproves).await;
    let first = bench.hold("p", usd(500)).await.unwrap();
    assert_eq!(bench.hold("p", usd(500)).await.unwrap(), first);
    assert_eq!(refusal(bench.hold("p", usd(501)).await), Refusal::KeyReused);
    let mut request = bench.authorise("p", usd(500));
    request.idempotency_key = "another".to_owned();
    let refused = bench.gateway.authorise(&request).await;
    assert_eq!(refusal(refused), Refusal::ReferenceTaken);
    assert_eq!(bench.gateway.report().await.unwrap().len(), 1);
}

#[tokio::test]
async fn captures_are_once_and_at_most_what_is_held() {
    let bench = bench(Instrument::AlwaysApproves).await;
    bench.hold("p", usd(500)).await.unwrap();
    assert_eq!(refusal(bench.take("k1", "p", usd(501)).await), Refusal::OverCapture);
    let yen = Money::new(5, Currency::Jpy);
    assert_eq!(refusal(bench.take("k2", "p", yen).await), Refusal::CurrencyDiffers);
    assert_eq!(refusal(bench.take("k3", "unknown", usd(5)).await), Refusal::UnknownPayment);
    bench.take("k4", "p", usd(500)).await.unwrap();
    bench.take("k4", "p", usd(500)).await.unwrap();
    assert_eq!(refusal(bench.take("k5", "p", usd(500)).await), Refusal::AlreadyCaptured);
    assert_eq!(bench.gateway.void(&named("p")).await.unwrap(), Voided::AlreadyCaptured);
    let captured = PaymentStatus::Captured { amount: usd(500) };
    assert_eq!(bench.gateway.lookup(&named("p")).await.unwrap(), captured);
}

#[tokio::test]
async fn refunds_are_at_most_what_was_captured() {
    let bench = bench(Instrument::AlwaysApproves).await;
    bench.hold("p", usd(500)).await.unwrap();
    assert_eq!(refusal(bench.give_back("r1", "p", usd(1)).await), Refusal::NotCaptured);
    bench.take("k", "p", usd(500)).await.unwrap();
    assert_eq!(refusal(bench.give_back("r2", "p", usd(501)).await), Refusal::OverRefund);
    bench.give_back("r3", "p", usd(300)).await.unwrap();
    bench.give_back("r3", "p", usd(300)).await.unwrap();
    assert_eq!(refusal(bench.give_back("r3", "p", usd(200)).await), Refusal::KeyReused);
    assert_eq!(refusal(bench.give_back("r4", "p", usd(201)).await), Refusal::OverRefund);
    let done = RefundStatus::Done { amount: usd(300) };
    assert_eq!(bench.gateway.lookup_refund("r3", &named("p")).await.unwrap(), done);
    assert_eq!(
        bench.gateway.lookup_refund("r4", &named("p")).await.unwrap(),
        RefundStatus::NotFound
    );
}

#[tokio::test]
async fn a_void_fences_what_has_not_arrived() {
    let bench = bench(Instrument::AlwaysApproves).await;
    assert_eq!(bench.gateway.void(&named("late")).await.unwrap(), Voided::Done);
    assert_eq!(refusal(bench.hold("late", usd(500)).await), Refusal::VoidedBefore);
    assert_eq!(bench.gateway.lookup(&named("late")).await.unwrap(), PaymentStatus::Voided);
    bench.hold("held", usd(500)).await.unwrap();
    assert_eq!(bench.gateway.void(&named("held")).await.unwrap(), Voided::Done);
    assert_eq!(refusal(bench.take("k", "held", usd(500)).await), Refusal::NotAuthorised);
}

#[tokio::test]
async fn instruments_do_what_their_names_say() {
    let declines = bench(Instrument::AlwaysDeclines).await;
    let reason = "insufficient_funds".to_owned();
    let answer = declines.hold("p", usd(5)).await.unwrap();
    assert_eq!(answer, Authorisation::Declined { reason });
    let silent = bench(Instrument::TimesOut).await;
    assert_eq!(silent.hold("p", usd(5)).await, Err(GatewayError::NoAnswer));
    let status = silent.gateway.lookup(&named("p")).await.unwrap();
    assert!(matches!(status, PaymentStatus::Authorised { .. }));
    let late = bench(Instrument::AnswersLate).await;
    assert_eq!(late.hold("p", usd(5)).await, Err(GatewayError::NoAnswer));
    assert_eq!(late.gateway.lookup(&named("p")).await.unwrap(), PaymentStatus::Pending);
    assert_eq!(refusal(late.take("k", "p", usd(5)).await), Refusal::NotAuthorised);
}

test_on_both_engines! {
    async fn what_is_taken_and_let_go_at_once_is_one_of_the_two(store: Store) {
        let (clock, random) = (ManualClock::at(start()), SeededRandom::new(9));
        let gateway = gateway_on(store, Arc::new(clock), Arc::new(random)).await;
        let bench = bench_of(gateway, Instrument::AlwaysApproves).await;
        for n in 0..RACES {
            let name = format!("p{n}");
            bench.hold(&name, usd(500)).await.unwrap();
            let payment = named(&name);
            let (taken, let_go) = tokio::join!(
                bench.take(&name, &name, usd(500)),
                bench.gateway.void(&payment),
            );
            let status = bench.gateway.lookup(&payment).await.unwrap();
            let seen = (taken, let_go.unwrap(), status);
            let captured = PaymentStatus::Captured { amount: usd(500) };
            let refused = Err(GatewayError::Refused(Refusal::NotAuthorised));
            assert!(
                seen == (Ok(()), Voided::AlreadyCaptured, captured)
                    || seen == (refused, Voided::Done, PaymentStatus::Voided),
                "{seen:?}"
            );
        }
    }
}
