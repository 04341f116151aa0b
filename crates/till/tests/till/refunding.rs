//! Money back.

use handfast_store::test_on_both_engines;
use handfast_till::gateway::{RefundRequest, Refunds as _};
use handfast_till::test_gateway::{Fault, Instrument, Operation};
use handfast_till::{
    ChargeState, ChargeStatus, LedgerAccountKind, MoneyUseKind, RefundOrder, RefundState, TillError,
};

use crate::counter::Counter;

test_on_both_engines! {
    async fn a_refund_goes_back_to_where_the_money_came_from(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        let paid = at.paid(2_500, &fan).await;
        let refund = at.refund(&paid).await.unwrap();
        assert_eq!(refund.state, RefundState::Done);
        assert_eq!((refund.credit_part.minor, refund.card_part.minor), (1_000, 1_500));
        assert_eq!(at.credit_left(&fan).await, 1_000);
        let charge = at.read(&paid).await;
        assert_eq!(charge.status(paid.created_at), ChargeStatus::Refunded);
        let receipt = at.till.receipt(paid.receipt().unwrap()).await.unwrap();
        assert_eq!(receipt.status, ChargeStatus::Refunded);
        assert!(receipt.refunded_at.is_some());
        let uses = at.till.money_uses(fan.account).await.unwrap();
        assert!(uses.iter().any(|u| u.kind == MoneyUseKind::Refunded && u.amount == paid.amount));
        assert_eq!(at.balance(LedgerAccountKind::GatewayClearing, "gateway").await, 0);
        at.check_books(&[paid], "refund").await;
    }

    async fn a_second_refund_gives_nothing(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        let paid = at.paid(2_500, &fan).await;
        let order = RefundOrder::all(at.register, paid.id, at.nonce());
        let first = at.till.refund_charge(&order).await.unwrap();
        assert_eq!(at.till.refund_charge(&order).await.unwrap(), first);
        assert!(matches!(at.refund(&paid).await, Err(TillError::RefundedAlready)));
        let other = at.paid(1_100, &fan).await;
        let reused = RefundOrder { charge: other.id, ..order };
        assert!(matches!(at.till.refund_charge(&reused).await, Err(TillError::NonceReused)));
        at.check_books(&[paid, other], "second refund").await;
    }

    async fn refunds_at_once_give_back_once(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        let paid = at.paid(2_500, &fan).await;
        let taps = (0..8).map(|_| {
            let (till, nonce) = (at.till.clone(), at.nonce());
            let order = RefundOrder::all(at.register, paid.id, nonce);
            tokio::spawn(async move { till.refund_charge(&order).await })
        });
        let mut done = 0;
        for tap in taps.collect::<Vec<_>>() {
            match tap.await.unwrap() {
                Ok(_) => done += 1,
                Err(TillError::RefundedAlready) => {}
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(done, 1);
        at.check_books(&[paid], "refunds at once").await;
    }

    async fn only_what_was_captured_is_refunded(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AlwaysDeclines).await;
        let charge = at.charge(500).await;
        let refused = at.refund(&charge).await;
        assert!(matches!(
            refused,
            Err(TillError::NotRefundable { state: ChargeState::Requested })
        ));
        at.pay(&charge, &fan).await;
        let refused = at.refund(&charge).await;
        assert!(matches!(refused, Err(TillError::NotRefundable { state: ChargeState::Declined })));
    }

    async fn a_lost_refund_is_found_out_and_given_once(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AlwaysApproves).await;
        for fault in [Fault::RequestLost, Fault::AnswerLost] {
            let paid = at.paid(900, &fan).await;
            at.gateway.inject(Operation::Refund, fault);
            let refund = at.refund(&paid).await.unwrap();
            assert_eq!(refund.state, RefundState::Unknown);
            assert!(at.read(&paid).await.refund_under_way());
            assert!(matches!(at.refund(&paid).await, Err(TillError::RefundedAlready)));
            let resolved = at.till.resolve_due().await.unwrap();
            assert_eq!((resolved.refunds, resolved.refunds_open), (1, 0));
            let charge = at.read(&paid).await;
            assert_eq!(charge.status(paid.created_at), ChargeStatus::Refunded);
            at.check_books(&[paid], "lost refund").await;
        }
    }

    async fn a_refund_that_the_gateway_refuses_moves_nothing(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        let paid = at.paid(1_900, &fan).await;
        // Somebody gave a cent back at the gateway, past the till: all of it would be too much.
        let behind_the_till = RefundRequest {
            idempotency_key: "by hand".to_owned(),
            reference: "by hand".to_owned(),
            payment: at.name_of(&paid),
            amount: at.money(1),
        };
        at.gateway.refund(&behind_the_till).await.unwrap();
        let refund = at.refund(&paid).await.unwrap();
        assert_eq!(refund.state, RefundState::Refused);
        assert_eq!(refund.reason.as_deref(), Some("refused_by_gateway"));
        assert_eq!(at.credit_left(&fan).await, 0);
        let charge = at.read(&paid).await;
        assert_eq!(charge.status(paid.created_at), ChargeStatus::Captured);
        assert!(!charge.refund_under_way());
        assert_eq!(at.refund(&paid).await.unwrap().state, RefundState::Refused);
        assert!(at.till.audit().await.unwrap().is_clean());
    }

    async fn a_frozen_wallet_still_gets_its_money_back(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        let paid = at.paid(400, &fan).await;
        at.till.set_frozen(fan.account, true).await.unwrap();
        assert_eq!(at.refund(&paid).await.unwrap().state, RefundState::Done);
        assert_eq!(at.credit_left(&fan).await, 1_000);
    }
}
