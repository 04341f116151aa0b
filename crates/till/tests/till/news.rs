//! Webhooks in and out, disputes, late captures, detached methods, leases, reconciliation.

use std::sync::{Arc, Mutex};

use handfast_model::{Duration, Timestamp};
use handfast_store::{params, test_on_both_engines};
use handfast_till::gateway::{Answer, DisputeStage, GatewayError, NoticeError, Payments as _};
use handfast_till::test_gateway::{DISPUTED_AFTER, Fault, Instrument, LATE_BY, Operation};
use handfast_till::{
    CAPTURE_WITHIN, ChargeState, LEASE, LedgerAccountKind, Mismatch, NOTICE_TOLERANCE, PayOutcome,
    Received, SCHEDULE, Till, TillError, WebhookRequest, WebhookSender,
};

use crate::counter::{Counter, start};

/// The gateway's webhooks arrive; what was said to each.
async fn deliver(at: &Counter) -> Vec<Received> {
    let mut received = Vec::new();
    for notice in at.gateway.notices_due().await.unwrap() {
        let body = notice.body.as_bytes();
        received.push(at.till.receive_notice(&notice.signature, body).await.unwrap());
    }
    received
}

/// A shop's system that answers as it is told, and remembers.
#[derive(Default)]
struct Pos {
    answers: Mutex<Vec<u16>>,
    got: Mutex<Vec<WebhookRequest>>,
}

impl WebhookSender for Pos {
    fn send<'a>(&'a self, request: &'a WebhookRequest) -> Answer<'a, u16> {
        self.got.lock().unwrap().push(request.clone());
        let answer = self.answers.lock().unwrap().pop();
        Box::pin(async move { answer.ok_or(GatewayError::NoAnswer) })
    }
}

impl Pos {
    fn header(&self, message: usize, name: &str) -> String {
        let got = self.got.lock().unwrap();
        got[message].headers.iter().find(|(n, _)| *n == name).unwrap().1.clone()
    }
}

test_on_both_engines! {
    async fn a_webhook_that_comes_twice_is_handled_once(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::TellsTwice).await;
        let paid = at.paid(500, &fan).await;
        assert_eq!(deliver(&at).await, [Received::Handled]);
        assert_eq!(deliver(&at).await, [Received::Duplicate]);
        assert!(deliver(&at).await.is_empty());
        at.check_books(&[paid], "twice").await;
    }

    async fn forged_and_old_webhooks_are_not_believed(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::GetsDisputed).await;
        let paid = at.paid(500, &fan).await;
        at.clock.advance(DISPUTED_AFTER);
        let notice = at.gateway.notices_due().await.unwrap().remove(0);
        let (signature, body) = (notice.signature.as_str(), notice.body.as_bytes());
        for forged in ["", "t=1", "v1=00", "t=1790000000,v1=00", "nonsense"] {
            let refused = at.till.receive_notice(forged, body).await;
            assert!(matches!(refused, Err(TillError::Notice(_))), "{forged}");
        }
        let changed = notice.body.replace("500", "400");
        let refused = at.till.receive_notice(signature, changed.as_bytes()).await;
        assert!(matches!(refused, Err(TillError::Notice(NoticeError::WrongSignature))));
        at.clock.advance(NOTICE_TOLERANCE);
        at.clock.advance(Duration::from_secs(1));
        let refused = at.till.receive_notice(signature, body).await;
        assert!(matches!(refused, Err(TillError::Notice(NoticeError::Stale))));
        assert!(at.till.disputes(paid.id).await.unwrap().is_empty());
    }

    async fn a_dispute_withholds_the_money_until_it_is_decided(store: Store) {
        let at = Counter::open(store).await;
        let shop = at.shop.to_string();
        let kind = LedgerAccountKind::ShopPayable;
        for (stage, in_the_end) in [(DisputeStage::Won, 500), (DisputeStage::Lost, 500)] {
            let fan = at.fan_without_credit(Instrument::GetsDisputed).await;
            let paid = at.paid(500, &fan).await;
            at.clock.advance(DISPUTED_AFTER);
            assert_eq!(deliver(&at).await, [Received::Handled]);
            assert_eq!(at.read(&paid).await.disputed.minor, 500);
            assert!(matches!(at.refund(&paid).await, Err(TillError::RefundedAlready)));
            let reference = paid.id.to_string();
            at.gateway.decide_dispute(&reference, at.money(500), stage).await.unwrap();
            assert_eq!(deliver(&at).await, [Received::Handled]);
            let dispute = at.till.disputes(paid.id).await.unwrap().remove(0);
            assert_eq!(dispute.stage, stage);
            assert_eq!(at.balance(kind, &shop).await, in_the_end, "{stage}");
            let evidence = at.till.evidence(at.register, paid.id).await.unwrap();
            assert_eq!(evidence.steps.last().unwrap().0, ChargeState::Captured);
            assert!(at.till.audit().await.unwrap().is_clean());
        }
    }

    async fn a_dispute_is_found_by_the_gateways_own_name_of_the_payment(store: Store) {
        let at = Counter::open(store.clone()).await;
        let fan = at.fan_without_credit(Instrument::AlwaysApproves).await;
        let (paid, other) = (at.paid(500, &fan).await, at.paid(500, &fan).await);
        // As a gateway leaves it that makes payments before they are confirmed.
        let id = paid.id;
        let named = store.transaction("name", |tx| Box::pin(async move {
            let sql = "UPDATE till_charges SET gateway_payment = 'pi_17' WHERE charge_id = $1";
            tx.execute(sql, params![id]).await
        }));
        assert_eq!(named.await.unwrap(), 1);
        at.gateway.decide_dispute("pi_17", at.money(500), DisputeStage::Open).await.unwrap();
        assert_eq!(deliver(&at).await, [Received::Handled]);
        assert_eq!(at.read(&paid).await.disputed.minor, 500);
        assert!(at.till.disputes(other.id).await.unwrap().is_empty());
        at.gateway.decide_dispute("pi_18", at.money(500), DisputeStage::Open).await.unwrap();
        assert_eq!(deliver(&at).await, [Received::NotOurs], "another merchant's");
    }

    async fn the_end_of_a_dispute_may_come_first(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::GetsDisputed).await;
        let paid = at.paid(500, &fan).await;
        let reference = paid.id.to_string();
        at.gateway.decide_dispute(&reference, at.money(500), DisputeStage::Lost).await.unwrap();
        deliver(&at).await;
        at.clock.advance(DISPUTED_AFTER);
        deliver(&at).await;
        let disputes = at.till.disputes(paid.id).await.unwrap();
        assert_eq!((disputes.len(), disputes[0].stage), (1, DisputeStage::Lost));
        let shop = at.balance(LedgerAccountKind::ShopPayable, &at.shop.to_string()).await;
        assert_eq!(shop, 0, "once");
        assert!(at.till.audit().await.unwrap().is_clean());
    }

    async fn what_is_captured_after_it_was_let_go_is_sent_back(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::CapturesLate).await;
        let charge = at.charge(1_700).await;
        assert!(matches!(at.pay(&charge, &fan).await, PayOutcome::Unknown(_)));
        at.clock.advance(CAPTURE_WITHIN);
        at.clock.advance(Duration::from_secs(1));
        at.till.resolve_due().await.unwrap();
        assert_eq!(at.read(&charge).await.state, ChargeState::Voided);
        assert_eq!(at.credit_left(&fan).await, 1_000);
        at.clock.advance(LATE_BY);
        at.gateway.inject(Operation::Refund, Fault::AnswerLost);
        assert_eq!(deliver(&at).await, [Received::Handled]);
        at.till.resolve_due().await.unwrap();
        at.till.resolve_due().await.unwrap();
        let line = at.gateway.report().await.unwrap().remove(0);
        assert_eq!((line.captured.minor, line.refunded.minor), (700, 700), "once");
        assert_eq!(at.balance(LedgerAccountKind::Suspense, "house").await, 0);
        let compared = at.till.reconcile(start(), Timestamp::MAX - Duration::from_days(2)).await;
        assert_eq!(compared.unwrap().mismatches, []);
        at.check_books(&[charge], "late capture").await;
    }

    async fn a_demand_for_the_bank_is_a_decline_at_a_counter(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AsksTheBank).await;
        let charge = at.charge(500).await;
        let PayOutcome::Declined(declined) = at.pay(&charge, &fan).await else { panic!() };
        assert_eq!(declined.reason.as_deref(), Some("authentication_required"));
        at.check_books(&[declined], "3-D Secure").await;
    }

    async fn a_removed_method_is_detached_at_the_gateway_until_it_says_so(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AlwaysApproves).await;
        let method = at.till.wallet(fan.account).await.unwrap().unwrap().payment_methods[0].id;
        at.till.remove_payment_method(fan.account, method).await.unwrap();
        for _ in 0..2 {
            at.gateway.inject(Operation::Detach, Fault::RequestLost);
            assert_eq!(at.till.detach_due().await.unwrap(), 1);
            assert_eq!(at.till.detach_due().await.unwrap(), 0, "not before its pause is over");
            at.clock.advance(Duration::from_secs(60));
        }
        at.gateway.inject(Operation::Detach, Fault::AnswerLost);
        assert_eq!(at.till.detach_due().await.unwrap(), 1);
        at.clock.advance(Duration::from_secs(60));
        assert_eq!(at.till.detach_due().await.unwrap(), 0, "a repeat is harmless");
        assert_eq!(at.gateway.detached_methods().await.unwrap(), 1);
        let other = at.fan(Instrument::AlwaysApproves).await;
        at.till.forget_account(other.account).await.unwrap();
        assert_eq!(at.till.detach_due().await.unwrap(), 0);
        assert_eq!(at.gateway.detached_methods().await.unwrap(), 2);
    }

    async fn a_starting_process_leaves_a_living_one_its_charges(store: Store) {
        let at = Counter::open(store.clone()).await;
        let fan = at.fan_without_credit(Instrument::AlwaysApproves).await;
        let charge = at.charge(500).await;
        // The first process is in the middle of its request: nothing has reached the gateway.
        at.gateway.inject(Operation::Authorise, Fault::RequestLost);
        let hover = at.hover(&charge, &fan);
        assert!(matches!(at.till.pay(&hover).await.unwrap(), PayOutcome::Unknown(_)));
        let (clock, random, gateway) = (at.clock.clone(), at.random.clone(), at.gateway.clone());
        let second = Till::open(store, gateway, clock, random).await.unwrap();
        second.recover().await.unwrap();
        assert_eq!(at.read(&charge).await.state, ChargeState::Unknown, "it may still arrive");
        at.till.resolve_due().await.unwrap();
        at.clock.advance(LEASE);
        second.resolve_due().await.unwrap();
        let given_up = at.read(&charge).await;
        assert_eq!((given_up.state, given_up.reason.as_deref()),
            (ChargeState::Voided, Some("never_arrived")), "its lease is over");
        at.check_books(&[charge], "leases").await;
    }

    async fn shops_are_told_signed_and_again_until_they_listen(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AlwaysApproves).await;
        let refused = at.till.add_webhook_endpoint(at.shop, "http://pos.example/").await;
        assert!(matches!(refused, Err(TillError::WebhookAddress)));
        let url = "https://pos.example/handfast";
        let (endpoint, secret) = at.till.add_webhook_endpoint(at.shop, url).await.unwrap();
        assert!(secret.expose().starts_with("whsec_"));
        let paid = at.paid(500, &fan).await;
        let pos = Arc::new(Pos::default());
        // Authorised and captured were told apart; both fail at first.
        assert_eq!(at.till.deliver_webhooks_due(&*pos).await.unwrap(), 0);
        assert_eq!(pos.got.lock().unwrap().len(), 2);
        assert_eq!(at.till.deliver_webhooks_due(&*pos).await.unwrap(), 0);
        assert_eq!(pos.got.lock().unwrap().len(), 2, "not before the pause is over");
        at.clock.advance(SCHEDULE[0]);
        *pos.answers.lock().unwrap() = vec![204, 500];
        assert_eq!(at.till.deliver_webhooks_due(&*pos).await.unwrap(), 1);
        assert_eq!(pos.header(0, "webhook-id"), pos.header(2, "webhook-id"), "the same message");
        assert_ne!(pos.header(0, "webhook-signature"), pos.header(2, "webhook-signature"));
        at.clock.advance(SCHEDULE[1]);
        *pos.answers.lock().unwrap() = vec![200];
        assert_eq!(at.till.deliver_webhooks_due(&*pos).await.unwrap(), 1);
        let body: String = pos.got.lock().unwrap()[0].body.clone();
        assert!(body.contains("charge.") && body.contains(&paid.id.to_string()), "{body}");
        at.refund(&paid).await.unwrap();
        *pos.answers.lock().unwrap() = vec![410];
        assert_eq!(at.till.deliver_webhooks_due(&*pos).await.unwrap(), 0);
        assert!(at.till.webhook_endpoints(at.shop).await.unwrap().is_empty(), "gone means gone");
        let twice = at.till.remove_webhook_endpoint(at.shop, &endpoint.id).await;
        assert!(matches!(twice, Err(TillError::NotFound(_))));
    }

    async fn an_address_that_was_removed_is_told_nothing_more(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AlwaysApproves).await;
        let mut endpoints = Vec::new();
        for url in ["https://pos.example/leaves", "https://pos.example/stays"] {
            endpoints.push(at.till.add_webhook_endpoint(at.shop, url).await.unwrap().0);
        }
        at.paid(500, &fan).await;
        let pos = Pos::default();
        at.till.deliver_webhooks_due(&pos).await.unwrap();
        assert_eq!(pos.got.lock().unwrap().len(), 4, "two messages to each");
        at.till.remove_webhook_endpoint(at.shop, &endpoints[0].id).await.unwrap();
        // What waits for its next try, and what happens from now on.
        at.paid(600, &fan).await;
        for pause in SCHEDULE {
            at.clock.advance(pause);
            at.till.deliver_webhooks_due(&pos).await.unwrap();
        }
        let got = pos.got.lock().unwrap();
        let to = |url: &str| got.iter().filter(|request| request.url == url).count();
        assert_eq!(to("https://pos.example/leaves"), 2, "none after it was removed");
        assert!(to("https://pos.example/stays") > 4, "the other is told on");
    }

    async fn a_shop_that_never_listens_is_given_up(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AlwaysApproves).await;
        let url = "http://127.0.0.1:9/";
        at.till.add_webhook_endpoint(at.shop, url).await.unwrap();
        let charge = at.charge(100).await;
        at.till.cancel_charge(at.register, charge.id).await.unwrap();
        at.paid(500, &fan).await;
        let pos = Pos::default();
        for pause in SCHEDULE {
            at.till.deliver_webhooks_due(&pos).await.unwrap();
            at.clock.advance(pause);
        }
        at.till.deliver_webhooks_due(&pos).await.unwrap();
        at.clock.advance(Duration::from_days(9));
        let sent = pos.got.lock().unwrap().len();
        assert_eq!(sent, 2 * (SCHEDULE.len() + 1));
        at.till.deliver_webhooks_due(&pos).await.unwrap();
        assert_eq!(pos.got.lock().unwrap().len(), sent);
    }

    async fn every_difference_to_the_gateways_report_is_named(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AlwaysApproves).await;
        let (fine, given) = (at.paid(500, &fan).await, at.paid(600, &fan).await);
        at.refund(&given).await.unwrap();
        let until = start() + Duration::from_days(1);
        let compared = at.till.reconcile(start(), until).await.unwrap();
        assert_eq!((compared.charges, compared.payments, compared.open), (2, 2, 0));
        assert_eq!(compared.mismatches, []);
        // Somebody works at the gateway past the till.
        let stray = handfast_till::gateway::AuthoriseRequest {
            idempotency_key: "stray".to_owned(),
            payment: handfast_till::gateway::PaymentName {
                reference: "stray".to_owned(),
                prepared: None,
            },
            amount: at.money(77),
            payment_method: at.gateway.any_method().await.unwrap(),
            stored_credential: handfast_till::gateway::StoredCredential::MerchantInitiated,
            initial_network_transaction_id: None,
        };
        at.gateway.authorise(&stray).await.unwrap();
        let behind = handfast_till::gateway::RefundRequest {
            idempotency_key: "by hand".to_owned(),
            reference: "by hand".to_owned(),
            payment: at.name_of(&fine),
            amount: at.money(5),
        };
        handfast_till::gateway::Refunds::refund(&*at.gateway, &behind).await.unwrap();
        let compared = at.till.reconcile(start(), until).await.unwrap();
        let expected = [
            Mismatch::Refunded { charge: fine.id, ours: 0, theirs: 5 },
            Mismatch::UnknownHere { reference: "stray".to_owned() },
        ];
        assert_eq!(compared.mismatches, expected);
    }
}
