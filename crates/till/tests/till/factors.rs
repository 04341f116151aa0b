//! PIN, phone, limits, loyalty, age: what a palm alone may not do, and what it brings along.

use handfast_model::{Currency, Duration, Money, TransferId};
use handfast_store::{params, test_on_both_engines};
use handfast_till::test_gateway::Instrument;
use handfast_till::{
    AGE_COUNTS, Charge, ChargeState, Discount, FACTOR_TIME, Factor, Label, LedgerAccountKind,
    Limits, Off, PIN_MISSES_MAX, PayOutcome, Pin, RefundState, SecondFactor, TillError, TurnedAway,
};

use crate::counter::{Counter, Fan, SESSION, start};

fn pin(text: &str) -> Pin {
    Pin::parse(text).unwrap()
}

async fn with_pin(at: &Counter, always: bool) -> Fan {
    let fan = at.fan_without_credit(Instrument::AlwaysApproves).await;
    at.till.set_pin(fan.account, &pin("2580"), always).await.unwrap();
    fan
}

fn wanted(outcome: PayOutcome) -> SecondFactor {
    match outcome {
        PayOutcome::SecondFactor(wanted) => wanted,
        other => panic!("no second factor: {other:?}"),
    }
}

async fn enter(at: &Counter, charge: &Charge, text: &str) -> PayOutcome {
    at.till.enter_pin(at.pedestal, charge.id, &pin(text)).await.unwrap()
}

test_on_both_engines! {
    async fn above_a_limit_the_pin_is_asked_for_and_pays(store: Store) {
        let at = Counter::open(store).await;
        let fan = with_pin(&at, false).await;
        let below = at.paid(10_000, &fan).await;
        assert_eq!(below.factor, Factor::None);
        let above = at.charge(10_001).await;
        let asked = wanted(at.pay(&above, &fan).await);
        assert_eq!((asked.charge.state, asked.tries_left), (ChargeState::Identified, Some(5)));
        assert_eq!(wanted(at.pay(&above, &fan).await).charge.id, above.id, "a repeat asks again");
        let wrong = wanted(enter(&at, &above, "0000").await);
        assert_eq!(wrong.tries_left, Some(PIN_MISSES_MAX - 1));
        let PayOutcome::Paid(paid) = enter(&at, &above, "2580").await else { panic!() };
        assert_eq!(paid.factor, Factor::Pin);
        let wallet = at.till.wallet(fan.account).await.unwrap().unwrap();
        assert_eq!(wallet.pin_misses, 0, "the right one forgives the wrong ones");
        assert!(matches!(enter(&at, &above, "2580").await, PayOutcome::Paid(_)), "a repeat");
        at.check_books(&[below, paid], "PIN").await;
    }

    async fn a_day_and_a_week_have_their_sums(store: Store) {
        let at = Counter::open(store).await;
        let fan = with_pin(&at, false).await;
        let limits = Limits { charge_minor: 1_000, day_minor: 1_500, week_minor: 2_000 };
        at.till.set_limits(fan.account, at.currency, limits).await.unwrap();
        let mut charges = vec![at.paid(1_000, &fan).await];
        let over_the_day = at.charge(501).await;
        wanted(at.pay(&over_the_day, &fan).await);
        let PayOutcome::Paid(with_factor) = enter(&at, &over_the_day, "2580").await else { panic!() };
        charges.push(with_factor);
        charges.push(at.paid(500, &fan).await);
        at.clock.advance(Duration::from_hours(25));
        charges.push(at.paid(500, &fan).await);
        let over_the_week = at.charge(1).await;
        wanted(at.pay(&over_the_week, &fan).await);
        at.till.cancel_charge(at.register, over_the_week.id).await.unwrap();
        at.clock.advance(Duration::from_days(7));
        charges.push(at.paid(1_000, &fan).await);
        at.check_books(&charges, "limits").await;
        for bad in [(-1, 5, 5), (6, 5, 5), (5, 5, 4), (1, 1, i64::MAX)] {
            let (charge_minor, day_minor, week_minor) = bad;
            let limits = Limits { charge_minor, day_minor, week_minor };
            let refused = at.till.set_limits(fan.account, Currency::Usd, limits).await;
            assert!(matches!(refused, Err(TillError::LimitOutOfRange { .. })), "{bad:?}");
        }
    }

    async fn five_misses_freeze_the_wallet_and_a_new_pin_thaws_it(store: Store) {
        let at = Counter::open(store).await;
        let fan = with_pin(&at, true).await;
        let charge = at.charge(100).await;
        wanted(at.pay(&charge, &fan).await);
        for miss in 1..PIN_MISSES_MAX {
            let left = wanted(enter(&at, &charge, "0000").await).tries_left;
            assert_eq!(left, Some(PIN_MISSES_MAX - miss));
        }
        let frozen = enter(&at, &charge, "0000").await;
        assert_eq!(frozen, PayOutcome::TurnedAway(TurnedAway::WalletFrozen));
        let let_go = at.read(&charge).await;
        assert_eq!((let_go.state, let_go.reason.as_deref()), (ChargeState::Voided, Some("pin_missed")));
        let next = at.charge(100).await;
        let refused = at.pay(&next, &fan).await;
        assert_eq!(refused, PayOutcome::TurnedAway(TurnedAway::WalletFrozen));
        at.till.set_pin(fan.account, &pin("1379"), false).await.unwrap();
        assert!(matches!(at.pay(&next, &fan).await, PayOutcome::Paid(_)));
        at.till.set_frozen(fan.account, true).await.unwrap();
        at.till.set_pin(fan.account, &pin("2580"), false).await.unwrap();
        let wallet = at.till.wallet(fan.account).await.unwrap().unwrap();
        assert!(wallet.frozen, "whom staff froze, a PIN does not thaw");
        for obvious in ["1111", "1234", "87654321"] {
            let refused = at.till.set_pin(fan.account, &pin(obvious), false).await;
            assert!(matches!(refused, Err(TillError::PinUnfit)), "{obvious}");
        }
        at.check_books(&[charge, next], "frozen").await;
    }

    async fn tries_at_once_are_counted_before_they_are_compared(store: Store) {
        let at = Counter::open(store).await;
        let fan = with_pin(&at, true).await;
        let charge = at.charge(100).await;
        wanted(at.pay(&charge, &fan).await);
        let tries = (0..8).map(|_| {
            let (till, pedestal, id) = (at.till.clone(), at.pedestal, charge.id);
            tokio::spawn(async move { till.enter_pin(pedestal, id, &pin("0000")).await })
        });
        for attempt in tries.collect::<Vec<_>>() {
            // Whatever each was told, none of them paid.
            let outcome = attempt.await.unwrap();
            assert!(!matches!(outcome, Ok(PayOutcome::Paid(_))));
        }
        let wallet = at.till.wallet(fan.account).await.unwrap().unwrap();
        assert!(wallet.frozen && wallet.pin_misses == PIN_MISSES_MAX, "{wallet:?}");
        at.check_books(&[charge], "guessing").await;
    }

    async fn a_death_over_the_fifth_wrong_pin_leaves_no_sixth(store: Store) {
        let at = Counter::open(store.clone()).await;
        let fan = with_pin(&at, true).await;
        let charge = at.charge(100).await;
        wanted(at.pay(&charge, &fan).await);
        // Counted, and then the process was gone before it compared.
        let counted = store.transaction("count", |tx| Box::pin(async move {
            tx.execute("UPDATE till_wallets SET pin_misses = $1", params![PIN_MISSES_MAX]).await
        }));
        assert_eq!(counted.await.unwrap(), 1);
        let sixth = enter(&at, &charge, "2580").await;
        assert_eq!(sixth, PayOutcome::TurnedAway(TurnedAway::WalletFrozen));
        let wallet = at.till.wallet(fan.account).await.unwrap().unwrap();
        assert!(wallet.frozen, "{wallet:?}");
        assert_eq!(at.read(&charge).await.state, ChargeState::Voided);
        at.check_books(&[charge], "a death").await;
    }

    async fn a_wrong_pin_whose_charge_was_let_go_meanwhile_freezes_all_the_same(store: Store) {
        let at = Counter::open(store.clone()).await;
        let fan = with_pin(&at, true).await;
        let charge = at.charge(100).await;
        wanted(at.pay(&charge, &fan).await);
        for _ in 1..PIN_MISSES_MAX {
            enter(&at, &charge, "0000").await;
        }
        // Comparing takes tens of milliseconds; the register takes the charge back in them, or
        // before, or after: the fifth miss counts in every order in which it was counted at all.
        let (till, pedestal, id) = (at.till.clone(), at.pedestal, charge.id);
        let fifth = tokio::spawn(async move { till.enter_pin(pedestal, id, &pin("0000")).await });
        let cancelled = at.till.cancel_charge(at.register, charge.id).await;
        let fifth = fifth.await.unwrap();
        let wallet = at.till.wallet(fan.account).await.unwrap().unwrap();
        let counted = wallet.pin_misses == PIN_MISSES_MAX;
        assert_eq!(wallet.frozen, counted, "{wallet:?} {fifth:?} {cancelled:?}");
        at.check_books(&[charge], "taken back").await;
    }

    async fn without_a_pin_the_phone_confirms(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AlwaysApproves).await;
        let other = at.fan_without_credit(Instrument::AlwaysApproves).await;
        let charge = at.charge(20_000).await;
        assert_eq!(wanted(at.pay(&charge, &fan).await).tries_left, None);
        let key = charge.pay_key().unwrap();
        let theirs = at.till.pay_by_phone(other.account, key).await.unwrap();
        assert!(matches!(theirs, PayOutcome::TurnedAway(TurnedAway::Over(_))), "{theirs:?}");
        let PayOutcome::Paid(paid) = at.till.pay_by_phone(fan.account, key).await.unwrap() else {
            panic!()
        };
        assert_eq!(paid.factor, Factor::Phone);
        assert!(matches!(
            at.till.outcome_at(at.pedestal, charge.id).await.unwrap(),
            PayOutcome::Paid(_)
        ));
        at.check_books(&[paid], "phone").await;
    }

    async fn a_phone_pays_without_a_palm_and_only_once(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AlwaysApproves).await;
        at.till.set_palm_pay(fan.account, false).await.unwrap();
        let charge = at.charge(50_000).await;
        let key = charge.pay_key().unwrap().clone();
        let taps = (0..6).map(|_| {
            let (till, key, account) = (at.till.clone(), key.clone(), fan.account);
            tokio::spawn(async move { till.pay_by_phone(account, &key).await.unwrap() })
        });
        for tap in taps.collect::<Vec<_>>() {
            let outcome = tap.await.unwrap();
            assert!(matches!(outcome, PayOutcome::Paid(_) | PayOutcome::InProgress(_)));
        }
        at.check_books(&[charge], "phone alone").await;
    }

    async fn nobody_waits_for_a_second_factor_for_ever(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        at.till.set_pin(fan.account, &pin("2580"), true).await.unwrap();
        let charge = at.charge(400).await;
        wanted(at.pay(&charge, &fan).await);
        assert_eq!(at.credit_left(&fan).await, 600, "reserved while the PIN is waited for");
        at.clock.advance(FACTOR_TIME);
        let late = enter(&at, &charge, "2580").await;
        assert!(matches!(late, PayOutcome::TurnedAway(TurnedAway::Over(_))), "{late:?}");
        assert_eq!(at.credit_left(&fan).await, 1_000);
        let second = at.charge(400).await;
        wanted(at.pay(&second, &fan).await);
        at.clock.advance(FACTOR_TIME);
        assert_eq!(at.till.expire_due().await.unwrap(), 1);
        assert_eq!(at.read(&second).await.reason.as_deref(), Some("no_second_factor"));
        at.check_books(&[charge, second], "no factor").await;
    }

    async fn the_person_and_the_register_can_stop_what_waits_for_a_pin(store: Store) {
        let at = Counter::open(store).await;
        let fan = with_pin(&at, true).await;
        let first = at.charge(100).await;
        wanted(at.pay(&first, &fan).await);
        let stopped = at.till.step_back(at.pedestal, SESSION, first.id).await.unwrap();
        assert_eq!((stopped.state, stopped.reason.as_deref()),
            (ChargeState::Voided, Some("given_up_by_person")));
        let second = at.charge(100).await;
        wanted(at.pay(&second, &fan).await);
        let stopped = at.till.cancel_charge(at.register, second.id).await.unwrap();
        assert_eq!(stopped.state, ChargeState::Voided);
        at.check_books(&[first, second], "stopped").await;
    }

    async fn a_loyalty_discount_comes_off_and_the_shop_gets_all(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AlwaysApproves).await;
        let (name, program) = (Label::parse("Ten off").unwrap(), Label::parse("Friends").unwrap());
        let discount = Discount {
            name: name.clone(),
            shop: at.shop,
            program: program.clone(),
            off: Off::Percent(10),
            starts_at: start(),
            ends_at: start() + Duration::from_days(1),
        };
        at.till.create_discount(&discount).await.unwrap();
        at.till.create_discount(&discount).await.unwrap();
        let changed = Discount { off: Off::Fixed(5), ..discount.clone() };
        let refused = at.till.create_discount(&changed).await;
        assert!(matches!(refused, Err(TillError::DiscountTerms(_))));
        let number = Label::parse("L-77").unwrap();
        at.till.set_loyalty(fan.account, &program, &number).await.unwrap();
        assert_eq!(at.paid(1_000, &fan).await.discount.minor, 0, "it has no money yet");
        let id = TransferId::new(&*at.clock, &*at.random);
        at.till.fund_discount(&name, at.money(150), id).await.unwrap();
        let paid = at.paid(1_000, &fan).await;
        assert_eq!((paid.amount.minor, paid.discount.minor, paid.asked.minor), (900, 100, 1_000));
        let short = at.paid(1_000, &fan).await;
        assert_eq!(short.discount.minor, 0, "no more than it has");
        let shop = at.balance(LedgerAccountKind::ShopPayable, &at.shop.to_string()).await;
        assert_eq!(shop, 3_000, "the promotion pays the rest");
        at.refund(&paid).await.unwrap();
        let left = at.till.promotion_balance(&name).await.unwrap();
        assert_eq!(left, at.money(150), "a discount goes back with the last of its charge");
        assert!(at.till.audit().await.unwrap().is_clean());
        let other = at.fan(Instrument::AlwaysApproves).await;
        let taken = at.till.set_loyalty(other.account, &program, &number).await;
        assert!(matches!(taken, Err(TillError::LoyaltyTaken)));
    }

    async fn an_age_is_seen_once_and_answered_with_yes(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AlwaysApproves).await;
        let mut request = at.request(500);
        request.age = Some(21);
        let beer = at.till.request_charge(&request).await.unwrap();
        let away = at.pay(&beer, &fan).await;
        assert_eq!(away, PayOutcome::TurnedAway(TurnedAway::AgeNotKnown));
        at.till.cancel_charge(at.register, beer.id).await.unwrap();
        let unanswered = at.till.verify_age(at.register, beer.id, 21).await;
        assert!(matches!(unanswered, Err(TillError::NotFound(_))));
        let water = at.paid(200, &fan).await;
        at.till.verify_age(at.register, water.id, 18).await.unwrap();
        let again = at.till.request_charge(&request_of(&at, 21)).await.unwrap();
        let away = at.pay(&again, &fan).await;
        assert_eq!(away, PayOutcome::TurnedAway(TurnedAway::AgeNotKnown), "18 is not 21");
        at.till.verify_age(at.register, water.id, 21).await.unwrap();
        assert!(matches!(at.pay(&again, &fan).await, PayOutcome::Paid(_)));
        at.clock.advance(AGE_COUNTS);
        let later = at.till.request_charge(&request_of(&at, 21)).await.unwrap();
        let away = at.pay(&later, &fan).await;
        assert_eq!(away, PayOutcome::TurnedAway(TurnedAway::AgeNotKnown), "it does not last");
        let known = at.till.wallet(fan.account).await.unwrap().unwrap().age.unwrap();
        assert_eq!((known.years, known.verified_by.as_str()), (21, "Pretzels & Lager"));
    }

    async fn a_frozen_owners_refund_still_arrives(store: Store) {
        let at = Counter::open(store).await;
        let fan = with_pin(&at, false).await;
        let paid = at.paid(300, &fan).await;
        at.till.set_frozen(fan.account, true).await.unwrap();
        assert_eq!(at.refund(&paid).await.unwrap().state, RefundState::Done);
        let zero = Money::new(0, Currency::Usd);
        assert_eq!(at.read(&paid).await.disputed, zero);
    }
}

fn request_of(at: &Counter, years: u8) -> handfast_till::ChargeRequest {
    handfast_till::ChargeRequest { age: Some(years), ..at.request(500) }
}
