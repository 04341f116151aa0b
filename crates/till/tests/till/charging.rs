//! A charge from the register to its end.

use handfast_model::{Currency, Duration, LinkId, Money};
use handfast_store::{Store, test_on_both_engines};
use handfast_till::gateway::{CaptureRequest, Payments as _, StoredCredential};
use handfast_till::test_gateway::{Fault, Instrument, LATE_BY, Operation};
use handfast_till::{
    ANSWER_TIME, ARRIVES_WITHIN, ArmedPalm, CAPTURE_WITHIN, CHARGE_MINOR_MAX, ChargeState,
    ChargeStatus, Hover, LedgerAccountKind, PayOutcome, PedestalSession, Thing, TillError,
    TurnedAway,
};

use crate::counter::{Counter, Fan, SESSION};

fn turned_away(outcome: PayOutcome) -> TurnedAway {
    match outcome {
        PayOutcome::TurnedAway(why) => why,
        other => panic!("not turned away: {other:?}"),
    }
}

test_on_both_engines! {
    async fn a_hand_pays_with_credit_first_and_the_card_for_the_rest(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        let charge = at.charge(2_500).await;
        let shown = at.till.open_charge_for_pedestal(at.pedestal).await.unwrap().unwrap();
        assert_eq!((shown.id, shown.number), (charge.id, charge.number));
        let PayOutcome::Paid(paid) = at.pay(&charge, &fan).await else { panic!("not paid") };
        assert_eq!(paid.credit_used(), Some(at.money(1_000)));
        assert_eq!(paid.card_part, at.money(1_500));
        assert_eq!(paid.stored_credential, Some(StoredCredential::CustomerPresentSubsequent));
        assert!(paid.network_transaction_id.is_some());
        assert_eq!(at.credit_left(&fan).await, 0);
        assert_eq!(at.till.open_charge_for_pedestal(at.pedestal).await.unwrap(), None);
        let receipt = at.till.receipt(paid.receipt().unwrap()).await.unwrap();
        assert_eq!(receipt.charged, at.money(1_500));
        assert_eq!(receipt.status, ChargeStatus::Captured);
        let states: Vec<ChargeState> = at.till.charge_history(paid.id).await.unwrap()
            .into_iter().map(|(state, _)| state).collect();
        assert_eq!(states, [
            ChargeState::Requested, ChargeState::Identified, ChargeState::Authorising,
            ChargeState::Authorised, ChargeState::Captured,
        ]);
        assert_eq!(at.till.payments(fan.account).await.unwrap().len(), 1);
        at.check_books(&[paid], "credit and card").await;
    }

    async fn credit_alone_pays_without_the_gateway(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysDeclines).await;
        let paid = at.paid(999, &fan).await;
        assert_eq!(at.credit_left(&fan).await, 1);
        assert!(at.gateway.report().await.unwrap().is_empty());
        at.check_books(&[paid], "credit alone").await;
    }

    async fn a_decline_takes_nothing_and_gives_the_credit_back(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysDeclines).await;
        let charge = at.charge(2_000).await;
        let PayOutcome::Declined(declined) = at.pay(&charge, &fan).await else { panic!() };
        assert_eq!(declined.reason.as_deref(), Some("insufficient_funds"));
        assert_eq!(declined.receipt(), None);
        assert_eq!(at.credit_left(&fan).await, 1_000);
        at.check_books(&[declined], "declined").await;
    }

    async fn a_repeat_of_request_and_hover_pays_once(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AlwaysApproves).await;
        let request = at.request(700);
        let first = at.till.request_charge(&request).await.unwrap();
        let second = at.till.request_charge(&request).await.unwrap();
        assert_eq!(first, second);
        let mut other = request.clone();
        other.amount = at.money(701);
        assert!(matches!(at.till.request_charge(&other).await, Err(TillError::NonceReused)));
        let PayOutcome::Paid(paid) = at.pay(&first, &fan).await else { panic!() };
        assert_eq!(at.pay(&first, &fan).await, PayOutcome::Paid(paid.clone()));
        assert_eq!(at.till.request_charge(&request).await.unwrap(), paid);
        let stranger = at.fan(Instrument::AlwaysApproves).await;
        let over = TurnedAway::Over(ChargeStatus::Captured);
        assert_eq!(turned_away(at.pay(&first, &stranger).await), over);
        at.check_books(&[paid], "repeats").await;
    }

    async fn double_taps_at_once_pay_once(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        let charge = at.charge(5_000).await;
        let hover = at.hover(&charge, &fan);
        let taps = (0..8).map(|_| {
            let till = at.till.clone();
            tokio::spawn(async move { till.pay(&hover).await.unwrap() })
        });
        for tap in taps.collect::<Vec<_>>() {
            let outcome = tap.await.unwrap();
            assert!(
                matches!(outcome, PayOutcome::Paid(_) | PayOutcome::InProgress(_)),
                "{outcome:?}"
            );
        }
        let paid = at.read(&charge).await;
        assert_eq!(paid.state, ChargeState::Captured);
        assert_eq!(at.gateway.report().await.unwrap().len(), 1);
        at.check_books(&[paid], "double taps").await;
    }

    async fn a_hand_that_is_still_searched_pays_nothing_once_its_customer_stepped_back(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        let charge = at.charge(700).await;
        let waits = at.till.step_back(at.pedestal, SESSION, charge.id).await.unwrap();
        assert_eq!(waits.state, ChargeState::Requested, "it stays with its register");
        at.till.step_back(at.pedestal, SESSION, charge.id).await.unwrap();
        assert_eq!(turned_away(at.pay(&charge, &fan).await), TurnedAway::SteppedBack);
        assert_eq!(at.read(&charge).await, waits, "nothing was reserved");
        assert_eq!(at.credit_left(&fan).await, 1_000);
        // Whoever comes next is in another session, or pays another charge.
        let session = PedestalSession::from_bytes([2; 16]);
        let next = Hover { session, ..at.hover(&charge, &fan) };
        let PayOutcome::Paid(paid) = at.till.pay(&next).await.unwrap() else { panic!("not paid") };
        let late = at.till.step_back(at.pedestal, SESSION, charge.id).await;
        assert!(matches!(late, Err(TillError::TooLateToCancel { .. })));
        at.check_books(&[paid, at.paid(100, &fan).await], "stepped back").await;
    }

    async fn of_a_step_back_and_a_hand_at_once_one_wins(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        let mut charges = Vec::new();
        for _ in 0..12 {
            let charge = at.charge(50).await;
            let (till, hover) = (at.till.clone(), at.hover(&charge, &fan));
            let paying = tokio::spawn(async move { till.pay(&hover).await.unwrap() });
            let stepped = at.till.step_back(at.pedestal, SESSION, charge.id).await;
            let (paid, after) = (paying.await.unwrap(), at.read(&charge).await);
            match stepped {
                Ok(_) => {
                    assert_eq!(paid, PayOutcome::TurnedAway(TurnedAway::SteppedBack));
                    assert_eq!(after.state, ChargeState::Requested);
                    at.till.cancel_charge(at.register, charge.id).await.unwrap();
                }
                Err(TillError::TooLateToCancel { .. }) => {
                    assert_eq!((paid, after.state), (PayOutcome::Paid(after.clone()), ChargeState::Captured));
                }
                Err(other) => panic!("{other}"),
            }
            charges.push(at.read(&charge).await);
        }
        at.check_books(&charges, "at once").await;
    }

    async fn requests_at_once_make_one_charge(store: Store) {
        let at = Counter::open(store).await;
        let request = at.request(500);
        let repeats = (0..6).map(|_| {
            let (till, request) = (at.till.clone(), request.clone());
            tokio::spawn(async move { till.request_charge(&request).await.unwrap().id })
        });
        let mut ids = Vec::new();
        for id in repeats.collect::<Vec<_>>() {
            ids.push(id.await.unwrap());
        }
        ids.dedup();
        assert_eq!(ids.len(), 1);
        at.till.cancel_charge(at.register, ids[0]).await.unwrap();
        let others = (0..6).map(|_| {
            let (till, request) = (at.till.clone(), at.request(500));
            tokio::spawn(async move { till.request_charge(&request).await })
        });
        let mut made = 0;
        for other in others.collect::<Vec<_>>() {
            match other.await.unwrap() {
                Ok(charge) => {
                    made += 1;
                    assert_eq!(charge.number, 2);
                }
                Err(TillError::RegisterBusy { number }) => assert_eq!(number, 2),
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(made, 1);
    }

    async fn two_charges_at_once_do_not_spend_the_credit_twice(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        let mut hovers = Vec::new();
        let mut charges = Vec::new();
        for _ in 0..4 {
            let (register, pedestal) = (at.device(), at.device());
            at.till.add_register(register, at.shop).await.unwrap();
            at.till.pair(register, pedestal).await.unwrap();
            let mut request = at.request(800);
            request.register = register;
            let charge = at.till.request_charge(&request).await.unwrap();
            hovers.push(Hover { pedestal, ..at.hover(&charge, &fan) });
            charges.push(charge);
        }
        let taps = hovers.into_iter().map(|hover| {
            let till = at.till.clone();
            tokio::spawn(async move { till.pay(&hover).await.unwrap() })
        });
        let mut credit = 0;
        for tap in taps.collect::<Vec<_>>() {
            let PayOutcome::Paid(paid) = tap.await.unwrap() else { panic!() };
            credit += paid.credit_part.minor;
        }
        assert_eq!(credit, 1_000);
        assert_eq!(at.credit_left(&fan).await, 0);
        at.check_books(&charges, "two charges").await;
    }

    async fn strangers_frozen_wallets_and_palm_pay_off_are_turned_away(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        let charge = at.charge(100).await;
        let stranger = Fan { token: at.token(), ..fan };
        assert_eq!(turned_away(at.pay(&charge, &stranger).await), TurnedAway::NoWallet);
        at.till.set_frozen(fan.account, true).await.unwrap();
        assert!(!at.till.may_pay_by_palm(fan.account).await.unwrap());
        assert_eq!(turned_away(at.pay(&charge, &fan).await), TurnedAway::WalletFrozen);
        at.till.set_frozen(fan.account, false).await.unwrap();
        at.till.set_palm_pay(fan.account, false).await.unwrap();
        assert_eq!(turned_away(at.pay(&charge, &fan).await), TurnedAway::PalmPayOff);
        at.till.set_palm_pay(fan.account, true).await.unwrap();
        assert!(matches!(at.pay(&charge, &fan).await, PayOutcome::Paid(_)));
        at.till.forget_link(fan.link).await.unwrap();
        let next = at.charge(100).await;
        assert_eq!(turned_away(at.pay(&next, &fan).await), TurnedAway::NoWallet);
        at.check_books(&[charge, next], "turned away").await;
    }

    async fn without_a_payment_method_only_credit_pays(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        let method = at.till.wallet(fan.account).await.unwrap().unwrap().payment_methods[0].id;
        at.till.remove_payment_method(fan.account, method).await.unwrap();
        let again = at.till.remove_payment_method(fan.account, method).await;
        assert!(matches!(again, Err(TillError::NotFound(Thing::PaymentMethod))));
        let charge = at.charge(1_001).await;
        assert_eq!(turned_away(at.pay(&charge, &fan).await), TurnedAway::NoPaymentMethod);
        at.till.cancel_charge(at.register, charge.id).await.unwrap();
        let paid = at.paid(1_000, &fan).await;
        at.check_books(&[charge, paid], "no method").await;
    }

    async fn an_unanswered_charge_expires_after_sixty_seconds(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        let first = at.charge(100).await;
        at.clock.advance(Duration::from_micros(ANSWER_TIME.as_micros() - 1));
        assert!(at.till.open_charge_for_pedestal(at.pedestal).await.unwrap().is_some());
        at.clock.advance(Duration::from_micros(1));
        assert!(at.till.open_charge_for_pedestal(at.pedestal).await.unwrap().is_none());
        assert_eq!(at.read(&first).await.status(first.expires_at), ChargeStatus::Expired);
        assert_eq!(turned_away(at.pay(&first, &fan).await), TurnedAway::Expired);
        assert_eq!(at.till.expire_due().await.unwrap(), 0, "the hover marked it already");
        let second = at.charge(100).await;
        at.clock.advance(ANSWER_TIME);
        assert_eq!(at.till.expire_due().await.unwrap(), 1);
        assert_eq!(at.read(&second).await.state, ChargeState::Expired);
        let third = at.charge(100).await;
        at.clock.advance(ANSWER_TIME);
        // The next request finds the overdue one in the way and closes it.
        let fourth = at.charge(100).await;
        assert_eq!(at.read(&third).await.state, ChargeState::Expired);
        at.check_books(&[first, second, third, fourth], "expiry").await;
    }

    async fn a_register_cancels_before_the_hand_and_has_one_open_charge(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        let charge = at.charge(100).await;
        let busy = at.till.request_charge(&at.request(200)).await;
        assert!(matches!(busy, Err(TillError::RegisterBusy { number }) if number == charge.number));
        let cancelled = at.till.cancel_charge(at.register, charge.id).await.unwrap();
        assert_eq!(cancelled.state, ChargeState::Cancelled);
        let again = at.till.cancel_charge(at.register, charge.id).await.unwrap();
        assert_eq!(again, cancelled);
        assert_eq!(turned_away(at.pay(&charge, &fan).await), TurnedAway::Cancelled);
        let paid = at.paid(200, &fan).await;
        let late = at.till.cancel_charge(at.register, paid.id).await;
        let captured = ChargeState::Captured;
        assert!(matches!(late, Err(TillError::TooLateToCancel { state }) if state == captured));
        assert_eq!(paid.number, charge.number + 1);
        let latest = at.till.latest_charges(at.register).await.unwrap();
        assert_eq!(latest.iter().map(|c| c.id).collect::<Vec<_>>(), [paid.id, charge.id]);
    }

    async fn numbers_begin_anew_at_the_shops_midnight(store: Store) {
        let at = Counter::open(store).await;
        let first = at.charge(100).await;
        at.till.cancel_charge(at.register, first.id).await.unwrap();
        let second = at.charge(100).await;
        at.till.cancel_charge(at.register, second.id).await.unwrap();
        at.clock.advance(Duration::from_hours(24));
        let third = at.charge(100).await;
        assert_eq!([first.number, second.number, third.number], [1, 2, 1]);
    }

    async fn bad_amounts_currencies_and_devices_are_refused(store: Store) {
        let at = Counter::open(store).await;
        let ask = async |minor, currency| {
            let mut request = at.request(1);
            request.amount = Money::new(minor, currency);
            at.till.request_charge(&request).await
        };
        for minor in [0, -1, i64::MIN] {
            assert!(matches!(ask(minor, Currency::Usd).await, Err(TillError::AmountNotPositive)));
        }
        for minor in [CHARGE_MINOR_MAX + 1, i64::MAX] {
            let refused = ask(minor, Currency::Usd).await;
            assert!(matches!(refused, Err(TillError::AmountTooLarge { .. })));
        }
        let refused = ask(100, Currency::Eur).await;
        assert!(matches!(refused, Err(TillError::WrongCurrency { .. })));
        let mut request = at.request(100);
        request.register = at.pedestal;
        let refused = at.till.request_charge(&request).await;
        assert!(matches!(refused, Err(TillError::NotFound(Thing::Register))));
        assert!(ask(CHARGE_MINOR_MAX, Currency::Usd).await.is_ok());
        let unpaired = at.till.open_charge_for_pedestal(at.register).await;
        assert!(matches!(unpaired, Err(TillError::NotFound(Thing::PairedPedestal))));
    }

    async fn a_pedestal_answers_only_its_own_registers_charges(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        let (register, pedestal) = (at.device(), at.device());
        at.till.add_register(register, at.shop).await.unwrap();
        at.till.pair(register, pedestal).await.unwrap();
        let twice = at.till.pair(at.register, pedestal).await;
        assert!(matches!(twice, Err(TillError::PairedAlready)));
        let charge = at.charge(100).await;
        let other = Hover { pedestal, ..at.hover(&charge, &fan) };
        let refused = at.till.pay(&other).await;
        assert!(matches!(refused, Err(TillError::NotFound(Thing::Charge))));
        at.till.unpair(at.pedestal).await.unwrap();
        let refused = at.till.pay(&at.hover(&charge, &fan)).await;
        assert!(matches!(refused, Err(TillError::NotFound(Thing::PairedPedestal))));
        assert_eq!(at.read(&charge).await.state, ChargeState::Requested);
    }

    async fn a_token_stands_for_one_wallet(store: Store) {
        let at = Counter::open(store).await;
        let (fan, other) = (
            at.fan(Instrument::AlwaysApproves).await,
            at.fan(Instrument::AlwaysApproves).await,
        );
        let link = LinkId::new(&*at.clock, &*at.random);
        let palm = ArmedPalm { shop: at.shop, token: fan.token, account: other.account, link };
        assert!(matches!(at.till.acknowledge(&palm).await, Err(TillError::TokenTaken)));
        let palm = ArmedPalm { account: fan.account, ..palm };
        at.till.acknowledge(&palm).await.unwrap();
        let wallet = at.till.wallet(fan.account).await.unwrap().unwrap();
        assert_eq!(wallet.shops.len(), 1);
        assert_eq!(at.till.shops_of_link(fan.link).await.unwrap(), wallet.shops);
        at.till.forget_palm(at.shop, fan.token).await.unwrap();
        assert!(at.till.shops_of_link(fan.link).await.unwrap().is_empty());
        assert!(at.till.wallet(fan.account).await.unwrap().unwrap().shops.is_empty());
    }

    async fn currencies_without_and_with_three_decimals_add_up(store: Store) {
        for currency in [Currency::Jpy, Currency::Kwd] {
            let name = currency.code().to_lowercase();
            let memory = Store::connect("sqlite::memory:").await.unwrap();
            let store = if currency == Currency::Jpy { store.clone() } else { memory };
            let at = Counter::open_in(store, currency).await;
            let fan = at.fan(Instrument::AlwaysApproves).await;
            let paid = at.paid(1_234, &fan).await;
            assert_eq!((paid.credit_part.minor, paid.card_part.minor), (1_000, 234), "{name}");
            at.refund(&paid).await.unwrap();
            at.check_books(&[paid], &name).await;
        }
    }

    async fn an_unknown_outcome_is_found_out_and_never_charged_again(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::TimesOut).await;
        let charge = at.charge(700).await;
        let PayOutcome::Unknown(unknown) = at.pay(&charge, &fan).await else { panic!() };
        assert_eq!(unknown.state, ChargeState::Unknown);
        assert!(matches!(at.pay(&charge, &fan).await, PayOutcome::Unknown(_)));
        let resolved = at.till.resolve_due().await.unwrap();
        assert_eq!((resolved.charges, resolved.charges_open), (1, 0));
        let PayOutcome::Paid(paid) = at.pay(&charge, &fan).await else { panic!() };
        assert!(paid.network_transaction_id.is_some());
        at.check_books(&[paid], "times out").await;
    }

    async fn a_late_answer_is_waited_for(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AnswersLate).await;
        let charge = at.charge(700).await;
        assert!(matches!(at.pay(&charge, &fan).await, PayOutcome::Unknown(_)));
        assert_eq!(at.till.resolve_due().await.unwrap().charges_open, 1);
        at.clock.advance(LATE_BY);
        assert_eq!(at.till.resolve_due().await.unwrap().charges_open, 0);
        assert_eq!(at.read(&charge).await.state, ChargeState::Captured);
        at.check_books(&[charge], "late answer").await;
    }

    async fn a_lost_request_is_fenced_before_it_is_given_up(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        at.gateway.inject(Operation::Authorise, Fault::RequestLost);
        let charge = at.charge(1_700).await;
        assert!(matches!(at.pay(&charge, &fan).await, PayOutcome::Unknown(_)));
        assert_eq!(at.till.resolve_due().await.unwrap().charges_open, 1, "it may still arrive");
        assert_eq!(at.credit_left(&fan).await, 0, "reserved until it is known");
        at.clock.advance(ARRIVES_WITHIN);
        at.clock.advance(Duration::from_micros(1));
        assert_eq!(at.till.resolve_due().await.unwrap().charges_open, 0);
        let voided = at.read(&charge).await;
        assert_eq!(voided.state, ChargeState::Voided);
        assert_eq!(voided.reason.as_deref(), Some("never_arrived"));
        assert_eq!(at.credit_left(&fan).await, 1_000);
        at.check_books(&[charge], "lost request").await;
    }

    async fn a_lost_capture_answer_is_found_out(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AlwaysApproves).await;
        let mut charges = Vec::new();
        for fault in [Fault::RequestLost, Fault::AnswerLost] {
            at.gateway.inject(Operation::Capture, fault);
            let charge = at.charge(300).await;
            assert!(matches!(at.pay(&charge, &fan).await, PayOutcome::Unknown(_)));
            at.gateway.inject(Operation::Lookup, Fault::AnswerLost);
            assert_eq!(at.till.resolve_due().await.unwrap().charges_open, 1);
            assert_eq!(at.till.resolve_due().await.unwrap().charges_open, 0);
            assert_eq!(at.read(&charge).await.state, ChargeState::Captured);
            charges.push(charge);
            at.check_books(&charges, "lost capture").await;
        }
        let shop = at.balance(LedgerAccountKind::ShopPayable, &at.shop.to_string()).await;
        assert_eq!(shop, 600);
    }

    async fn what_is_found_out_too_late_is_let_go(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::TimesOut).await;
        let charge = at.charge(700).await;
        assert!(matches!(at.pay(&charge, &fan).await, PayOutcome::Unknown(_)));
        at.clock.advance(CAPTURE_WITHIN);
        at.clock.advance(Duration::from_micros(1));
        at.gateway.inject(Operation::Void, Fault::AnswerLost);
        assert_eq!(at.till.resolve_due().await.unwrap().charges_open, 1);
        assert_eq!(at.till.resolve_due().await.unwrap().charges_open, 0);
        let voided = at.read(&charge).await;
        assert_eq!((voided.state, voided.reason.as_deref()), (ChargeState::Voided, Some("too_late")));
        at.check_books(&[charge], "too late").await;
    }

    async fn an_amount_that_differs_at_the_gateway_is_left_to_people(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::TimesOut).await;
        let charge = at.charge(700).await;
        assert!(matches!(at.pay(&charge, &fan).await, PayOutcome::Unknown(_)));
        let behind_the_till = CaptureRequest {
            idempotency_key: "by hand".to_owned(),
            payment: at.name_of(&charge),
            amount: at.money(699),
        };
        at.gateway.capture(&behind_the_till).await.unwrap();
        let resolved = at.till.resolve(charge.id).await;
        assert!(matches!(resolved, Err(TillError::GatewayDiffers)));
        let round = at.till.resolve_due().await.unwrap();
        assert_eq!((round.charges, round.charges_open), (1, 1), "the round goes on");
        assert_eq!(at.read(&charge).await.state, ChargeState::Unknown);
        assert!(at.till.audit().await.unwrap().is_clean());
    }

    async fn a_register_gives_up_an_unknown_charge(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AnswersLate).await;
        let charge = at.charge(700).await;
        assert!(matches!(at.pay(&charge, &fan).await, PayOutcome::Unknown(_)));
        let given_up = at.till.cancel_charge(at.register, charge.id).await.unwrap();
        assert_eq!(given_up.state, ChargeState::Voided);
        at.clock.advance(LATE_BY);
        assert_eq!(at.till.resolve_due().await.unwrap().charges, 0);
        at.check_books(&[charge], "given up").await;
    }

    async fn another_shop_sees_nothing_of_a_charge(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        let paid = at.paid(100, &fan).await;
        let mut shop = at.new_shop("Merchandise");
        shop.utc_offset_minutes = 0;
        let elsewhere = at.till.add_shop(&shop).await.unwrap();
        let register = at.device();
        at.till.add_register(register, elsewhere).await.unwrap();
        let taken = at.till.add_register(register, at.shop).await;
        assert!(matches!(taken, Err(TillError::RegisterTaken)));
        for refused in [
            at.till.charge(register, paid.id).await.map(|_| ()),
            at.till.cancel_charge(register, paid.id).await.map(|_| ()),
            at.till.refunds(register, paid.id).await.map(|_| ()),
        ] {
            assert!(matches!(refused, Err(TillError::NotFound(Thing::Charge))));
        }
        assert_eq!(at.till.shops_of_venue(shop.venue).await.unwrap().len(), 1);
    }
}
