//! What reaches beyond the counter: orders paid online, goods let go while the gateway is silent,
//! mails about money, webhooks that operators look after.

use std::sync::Mutex;

use handfast_model::{Duration, Money};
use handfast_store::{params, test_on_both_engines};
use handfast_till::gateway::{Answer, GatewayError, StoredCredential};
use handfast_till::test_gateway::{Fault, Instrument, Operation};
use handfast_till::{
    AlarmKey, ChargeState, ChargeStatus, DeliveryState, Description, MailAbout, OLD_SECRET_SIGNS,
    OfflineFloor, OrderPayment, Origin, OwedMail, PayOutcome, RefundOrder, TillError, TurnedAway,
    WebhookRequest, WebhookSender,
};

use crate::counter::{Counter, Fan};

impl Counter {
    fn order(&self, fan: &Fan, minor: i64) -> OrderPayment {
        OrderPayment {
            register: self.register,
            account: fan.account,
            amount: self.money(minor),
            description: Description::parse("Order 17").unwrap(),
            nonce: self.nonce(),
        }
    }

    /// A charge whose one authorise gets lost on its way.
    async fn unanswered(&self, minor: i64, fan: &Fan) -> PayOutcome {
        let charge = self.charge(minor).await;
        self.gateway.inject(Operation::Authorise, Fault::RequestLost);
        self.pay(&charge, fan).await
    }

    /// Rounds of a till whose gateway is there again, until nothing is left to do.
    async fn rounds(&self) {
        for _ in 0..4 {
            self.clock.advance(Duration::from_secs(61));
            self.till.resolve_due().await.unwrap();
            self.till.replay_offline_due().await.unwrap();
        }
    }
}

/// A shop's system that always says the same.
struct Says(u16, Mutex<Vec<WebhookRequest>>);

impl WebhookSender for Says {
    fn send<'a>(&'a self, request: &'a WebhookRequest) -> Answer<'a, u16> {
        self.1.lock().unwrap().push(request.clone());
        let said = if self.0 == 0 { Err(GatewayError::NoAnswer) } else { Ok(self.0) };
        Box::pin(async move { said })
    }
}

fn floor(charge_max: i64, sum_max: i64) -> Option<OfflineFloor> {
    Some(OfflineFloor { charge_max, sum_max })
}

test_on_both_engines! {
    async fn an_order_is_paid_once_however_often_it_is_sent(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        // Somebody stands at the same register: an order does not wait for them.
        let waiting = at.charge(700).await;
        let order = at.order(&fan, 4_500);
        let taps: Vec<_> = (0..6)
            .map(|_| {
                let (till, order) = (at.till.clone(), order.clone());
                tokio::spawn(async move { till.pay_order(&order).await })
            })
            .collect();
        let mut paid = None;
        for tap in taps {
            match tap.await.unwrap().unwrap() {
                PayOutcome::Paid(charge) => paid = Some(charge),
                PayOutcome::InProgress(_) => {}
                other => panic!("{other:?}"),
            }
        }
        let paid = paid.unwrap();
        assert_eq!((paid.credit_part.minor, paid.card_part.minor), (1_000, 3_500));
        assert_eq!(paid.origin, Origin::Order);
        let other = OrderPayment { amount: at.money(4_501), ..order };
        assert!(matches!(at.till.pay_order(&other).await, Err(TillError::NonceReused)));
        at.till.cancel_charge(at.register, waiting.id).await.unwrap();
        at.check_books(&[paid], "order").await;
    }

    async fn an_order_that_nobody_can_pay_leaves_nothing_and_can_be_sent_again(store: Store) {
        let at = Counter::open(store).await;
        let fan = Fan { account: at.account(), ..at.fan(Instrument::AlwaysApproves).await };
        let order = at.order(&fan, 4_500);
        let nobody = at.till.pay_order(&order).await.unwrap();
        assert_eq!(nobody, PayOutcome::TurnedAway(TurnedAway::NoWallet));
        at.till.begin_setup(fan.account, "/back/").await.unwrap();
        let nothing = at.till.pay_order(&order).await.unwrap();
        assert_eq!(nothing, PayOutcome::TurnedAway(TurnedAway::NoPaymentMethod));
        at.link_method(fan.account, Instrument::AlwaysApproves).await;
        let PayOutcome::Paid(paid) = at.till.pay_order(&order).await.unwrap() else { panic!() };
        at.till.set_frozen(fan.account, true).await.unwrap();
        let frozen = at.till.pay_order(&at.order(&fan, 100)).await.unwrap();
        assert_eq!(frozen, PayOutcome::TurnedAway(TurnedAway::WalletFrozen));
        for minor in [0, -1, i64::MAX] {
            assert!(at.till.pay_order(&at.order(&fan, minor)).await.is_err(), "{minor}");
        }
        at.check_books(&[paid], "again").await;
    }

    async fn a_declined_order_stays_declined_under_its_nonce(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AlwaysDeclines).await;
        let order = at.order(&fan, 900);
        for _ in 0..2 {
            let outcome = at.till.pay_order(&order).await.unwrap();
            let PayOutcome::Declined(charge) = outcome else { panic!("{outcome:?}") };
            assert_eq!(charge.state, ChargeState::Declined);
        }
        let unknown = OrderPayment { register: at.device(), ..at.order(&fan, 900) };
        assert!(matches!(at.till.pay_order(&unknown).await, Err(TillError::NotFound(_))));
    }

    async fn an_order_that_was_closed_never_begins(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AlwaysApproves).await;
        let order = at.order(&fan, 900);
        assert_eq!(at.till.order_charge(at.register, &order.nonce).await.unwrap(), None);
        for _ in 0..2 {
            assert_eq!(at.till.close_order(at.register, &order.nonce).await.unwrap(), None);
        }
        let late = at.till.pay_order(&order).await.unwrap();
        assert_eq!(late, PayOutcome::TurnedAway(TurnedAway::Cancelled));
        assert!(at.gateway.report().await.unwrap().is_empty(), "nothing was asked for");
        let nobody = at.till.close_order(at.device(), &order.nonce).await;
        assert!(matches!(nobody, Err(TillError::NotFound(_))));
        // Closing what began changes nothing of it.
        let order = at.order(&fan, 900);
        let PayOutcome::Paid(paid) = at.till.pay_order(&order).await.unwrap() else { panic!() };
        let found = at.till.close_order(at.register, &order.nonce).await.unwrap();
        assert_eq!(found.as_ref(), Some(&paid));
        assert_eq!(at.till.order_charge(at.register, &order.nonce).await.unwrap(), found);
        at.check_books(&[paid], "closed").await;
    }

    async fn an_order_is_closed_or_paid_never_both(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AlwaysApproves).await;
        let mut all = Vec::new();
        for _ in 0..8 {
            let order = at.order(&fan, 900);
            let (paid, closed) = tokio::join!(
                at.till.pay_order(&order),
                at.till.close_order(at.register, &order.nonce),
            );
            match (paid.unwrap(), closed.unwrap()) {
                (PayOutcome::TurnedAway(TurnedAway::Cancelled), None) => {}
                (PayOutcome::Paid(charge), Some(found)) => {
                    assert_eq!(charge.id, found.id);
                    all.push(charge);
                }
                other => panic!("{other:?}"),
            }
        }
        at.check_books(&all, "closed or paid").await;
    }

    async fn nothing_goes_offline_unless_the_shop_says_so_and_within_its_floor(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AlwaysApproves).await;
        assert!(matches!(at.unanswered(500, &fan).await, PayOutcome::Unknown(_)));
        for bad in [floor(0, 10), floor(-1, 10), floor(11, 10), floor(10, i64::MAX)] {
            let refused = at.till.set_offline_floor(at.shop, bad).await;
            assert!(matches!(refused, Err(TillError::LimitOutOfRange { .. })), "{bad:?}");
        }
        at.till.set_offline_floor(at.shop, floor(500, 1_200)).await.unwrap();
        assert!(matches!(at.unanswered(501, &fan).await, PayOutcome::Unknown(_)), "one charge");
        for _ in 0..2 {
            let accepted = at.unanswered(500, &fan).await;
            assert!(matches!(accepted, PayOutcome::AcceptedOffline(_)), "{accepted:?}");
        }
        assert!(matches!(at.unanswered(201, &fan).await, PayOutcome::Unknown(_)), "in sum");
        let sums = at.till.offline_sums(at.shop).await.unwrap();
        assert_eq!((sums.open, sums.paid, sums.lost), ((2, 1_000), (0, 0), (0, 0)));
        at.till.set_offline_floor(at.shop, None).await.unwrap();
        assert!(matches!(at.unanswered(100, &fan).await, PayOutcome::Unknown(_)), "off again");
    }

    async fn what_was_let_go_is_charged_later_once_as_merchant_initiated(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AlwaysApproves).await;
        at.till.set_offline_floor(at.shop, floor(2_000, 5_000)).await.unwrap();
        let outcome = at.unanswered(1_500, &fan).await;
        let PayOutcome::AcceptedOffline(first) = outcome else { panic!("{outcome:?}") };
        assert_eq!(first.status(at.till_now()), ChargeStatus::AcceptedOffline);
        at.rounds().await;
        let sums = at.till.offline_sums(at.shop).await.unwrap();
        assert_eq!((sums.open, sums.paid, sums.lost), ((0, 0), (1, 1_500), (0, 0)));
        let charges = at.till.latest_charges(at.register).await.unwrap();
        let replay = charges.iter().find(|charge| charge.origin == Origin::Replay).unwrap();
        assert_eq!(replay.stored_credential, Some(StoredCredential::MerchantInitiated));
        assert_eq!((replay.state, replay.amount.minor), (ChargeState::Captured, 1_500));
        assert_eq!(at.read(&first).await.state, ChargeState::Voided);
        let taken: i64 =
            at.gateway.report().await.unwrap().iter().map(|line| line.captured.minor).sum();
        assert_eq!(taken, 1_500, "once");
        at.check_books(&[first, replay.clone()], "replayed").await;
    }

    async fn what_the_gateway_took_after_all_is_not_charged_again(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AlwaysApproves).await;
        at.till.set_offline_floor(at.shop, floor(2_000, 5_000)).await.unwrap();
        let charge = at.charge(1_500).await;
        at.gateway.inject(Operation::Authorise, Fault::AnswerLost);
        let outcome = at.pay(&charge, &fan).await;
        assert!(matches!(outcome, PayOutcome::AcceptedOffline(_)), "{outcome:?}");
        // However late it is heard of: the goods are gone.
        at.clock.advance(Duration::from_hours(3));
        at.rounds().await;
        let sums = at.till.offline_sums(at.shop).await.unwrap();
        assert_eq!((sums.open, sums.paid, sums.lost), ((0, 0), (1, 1_500), (0, 0)));
        assert_eq!(at.read(&charge).await.state, ChargeState::Captured);
        assert_eq!(at.till.latest_charges(at.register).await.unwrap().len(), 1);
        at.check_books(&[charge], "taken after all").await;
    }

    async fn what_stays_unpaid_is_counted_as_lost(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AlwaysDeclines).await;
        at.till.set_offline_floor(at.shop, floor(2_000, 5_000)).await.unwrap();
        let outcome = at.unanswered(1_500, &fan).await;
        assert!(matches!(outcome, PayOutcome::AcceptedOffline(_)), "{outcome:?}");
        for _ in 0..3 {
            at.rounds().await;
            at.clock.advance(Duration::from_hours(73));
        }
        at.rounds().await;
        let sums = at.till.offline_sums(at.shop).await.unwrap();
        assert_eq!((sums.open, sums.paid, sums.lost), ((0, 0), (0, 0), (1, 1_500)));
        let charges = at.till.latest_charges(at.register).await.unwrap();
        let replays = charges.iter().filter(|charge| charge.origin == Origin::Replay).count();
        assert_eq!(replays, 3, "three tries and no more");
        at.check_books(&charges, "lost").await;
    }

    async fn every_payment_and_refund_owes_one_mail(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        let paid = at.paid(2_500, &fan).await;
        let declining = at.fan_without_credit(Instrument::AlwaysDeclines).await;
        let declined = at.charge(100).await;
        at.pay(&declined, &declining).await;
        let mails = at.till.mails_owed().await.unwrap();
        let [mail] = mails.as_slice() else { panic!("{mails:?}") };
        assert_eq!((mail.about, mail.charge, mail.account),
            (MailAbout::Payment, paid.id, fan.account));
        assert_eq!((mail.amount.minor, mail.credit.minor), (2_500, 1_000));
        assert_eq!(at.till.mails_owed().await.unwrap(), mails, "until it is handed over");
        at.till.mail_handed_over(mail).await.unwrap();
        let all = RefundOrder::all(at.register, paid.id, at.nonce());
        let part = RefundOrder { minor: Some(600), ..all };
        let refund = at.till.refund_charge(&part).await.unwrap();
        at.till.refund_charge(&part).await.unwrap();
        let mails: Vec<OwedMail> = at.till.mails_owed().await.unwrap();
        let [mail] = mails.as_slice() else { panic!("{mails:?}") };
        assert_eq!((mail.about, mail.amount), (MailAbout::Refund(refund.id), at.money(600)));
        at.till.mail_handed_over(mail).await.unwrap();
        assert!(at.till.mails_owed().await.unwrap().is_empty());
    }

    async fn a_refund_of_a_charge_from_before_mails_owes_one(store: Store) {
        let at = Counter::open(store.clone()).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        let paid = at.paid(2_500, &fan).await;
        // As a charge is that was paid by a program that knew of no mails.
        let old = store.transaction("old", |tx| Box::pin(async move {
            tx.execute("UPDATE till_charges SET mail_owed = FALSE", params![]).await
        }));
        old.await.unwrap();
        let refund = at.refund(&paid).await.unwrap();
        let mails = at.till.mails_owed().await.unwrap();
        let [mail] = mails.as_slice() else { panic!("{mails:?}") };
        assert_eq!(mail.about, MailAbout::Refund(refund.id));
        assert!(at.till.alarm(&mail.alarm).await.is_ok());
    }

    async fn this_was_not_me_freezes_the_wallet_once(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        at.paid(500, &fan).await;
        let key = at.till.mails_owed().await.unwrap().remove(0).alarm;
        let unknown = at.till.raise_alarm(&AlarmKey::from_text("0")).await;
        assert!(matches!(unknown, Err(TillError::NotFound(_))));
        assert_eq!(at.till.alarm(&key).await.unwrap().raised_at, None);
        let raised = at.till.raise_alarm(&key).await.unwrap();
        assert_eq!(raised.amount, Money::new(500, at.currency));
        assert!(raised.raised_at.is_some());
        let next = at.charge(500).await;
        let away = at.pay(&next, &fan).await;
        assert_eq!(away, PayOutcome::TurnedAway(TurnedAway::WalletFrozen));
        assert!(!at.till.may_pay_by_palm(fan.account).await.unwrap());
        at.till.set_frozen(fan.account, false).await.unwrap();
        assert_eq!(at.till.raise_alarm(&key).await.unwrap(), raised, "an old mail freezes nothing");
        assert!(!at.till.wallet(fan.account).await.unwrap().unwrap().frozen);
    }

    async fn operators_see_deliveries_send_again_and_change_the_secret(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        let url = "https://pos.example/handfast";
        let (endpoint, old) = at.till.add_webhook_endpoint(at.shop, url).await.unwrap();
        at.paid(500, &fan).await;
        at.till.deliver_webhooks_due(&Says(503, Mutex::default())).await.unwrap();
        let seen = at.till.webhook_deliveries(at.shop, &endpoint.id).await.unwrap();
        let [message] = seen.as_slice() else { panic!("{seen:?}") };
        assert_eq!((message.state(), message.attempts, message.last_status),
            (DeliveryState::Waiting, 1, Some(503)));
        let elsewhere = at.till.add_shop(&at.new_shop("Elsewhere")).await.unwrap();
        let foreign = at.till.send_webhook_again(elsewhere, &message.message).await;
        assert!(matches!(foreign, Err(TillError::NotFound(_))));
        assert!(at.till.roll_webhook_secret(elsewhere, &endpoint.id).await.is_err());
        assert!(at.till.webhook_deliveries(elsewhere, &endpoint.id).await.unwrap().is_empty());

        let new = at.till.roll_webhook_secret(at.shop, &endpoint.id).await.unwrap();
        assert_ne!(old.expose(), new.expose());
        at.till.send_webhook_again(at.shop, &message.message).await.unwrap();
        let takes = Says(204, Mutex::default());
        assert_eq!(at.till.deliver_webhooks_due(&takes).await.unwrap(), 1);
        let signatures = takes.1.lock().unwrap()[0].headers[2].1.clone();
        assert_eq!(signatures.split(' ').count(), 2, "the old secret still verifies");
        let seen = at.till.webhook_deliveries(at.shop, &endpoint.id).await.unwrap();
        assert_eq!((seen[0].state(), seen[0].last_status), (DeliveryState::Delivered, Some(204)));
        let twice = at.till.send_webhook_again(at.shop, &message.message).await;
        assert!(matches!(twice, Err(TillError::NotFound(_))), "delivered is delivered");

        at.clock.advance(OLD_SECRET_SIGNS);
        at.paid(200, &fan).await;
        assert_eq!(at.till.deliver_webhooks_due(&takes).await.unwrap(), 1);
        let signatures = takes.1.lock().unwrap()[1].headers[2].1.clone();
        assert_eq!(signatures.split(' ').count(), 1);
    }
}
