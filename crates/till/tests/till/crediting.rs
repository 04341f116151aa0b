//! Linking a payment method, and the credit for it.

use handfast_model::{Currency, Duration, Money, TransferId};
use handfast_store::test_on_both_engines;
use handfast_till::test_gateway::{Fault, Instrument, Operation};
use handfast_till::{
    CreditGrant, Label, LedgerAccountKind, PersonKey, Promotion, SetupId, Thing, TillError,
};

use crate::counter::{Counter, FUNDS_MINOR, promotion, start};

test_on_both_engines! {
    async fn credit_is_given_once_for_an_account(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        let second = at.link_method(fan.account, Instrument::AlwaysDeclines).await;
        assert_eq!(second.credit, CreditGrant::HadBefore);
        assert_eq!(second.wallet.payment_methods.len(), 2);
        assert!(second.wallet.payment_methods[0].default);
        assert_eq!(at.credit_left(&fan).await, 1_000);
        at.till.set_default_payment_method(fan.account, second.payment_method).await.unwrap();
        let wallet = at.till.wallet(fan.account).await.unwrap().unwrap();
        assert_eq!(wallet.payment_methods.iter().filter(|m| m.default).count(), 1);
        assert!(wallet.payment_methods[1].default);
        let name = promotion(Currency::Usd).name;
        let left = at.till.promotion_balance(&name).await.unwrap();
        assert_eq!(left, at.money(FUNDS_MINOR - 1_000));
        at.check_books(&[], "once an account").await;
    }

    async fn credit_is_given_once_for_a_person_with_many_accounts(store: Store) {
        let at = Counter::open(store).await;
        let person = PersonKey::parse("person-hash-1").unwrap();
        let mut granted = 0;
        for _ in 0..3 {
            let account = at.account();
            let setup = at.choose(account, Instrument::AlwaysApproves).await;
            let done = at.till.complete_setup(account, &setup, Some(&person)).await.unwrap();
            granted += usize::from(matches!(done.credit, CreditGrant::Granted(_)));
        }
        assert_eq!(granted, 1);
        at.check_books(&[], "once a person").await;
    }

    async fn the_same_setup_completed_at_once_is_one_method_and_one_credit(store: Store) {
        let at = Counter::open(store).await;
        let account = at.account();
        let setup = at.choose(account, Instrument::AlwaysApproves).await;
        let tries = (0..6).map(|_| {
            let (till, setup) = (at.till.clone(), setup.clone());
            tokio::spawn(async move { till.complete_setup(account, &setup, None).await.unwrap() })
        });
        let mut granted = 0;
        for done in tries.collect::<Vec<_>>() {
            let done = done.await.unwrap();
            granted += usize::from(matches!(done.credit, CreditGrant::Granted(_)));
            assert_eq!(done.wallet.payment_methods.len(), 1);
        }
        assert_eq!(granted, 1);
        at.check_books(&[], "at once").await;
    }

    async fn several_setups_of_one_account_at_once_give_one_credit(store: Store) {
        let at = Counter::open(store).await;
        let account = at.account();
        let mut setups = Vec::new();
        for _ in 0..4 {
            setups.push(at.choose(account, Instrument::AlwaysApproves).await);
        }
        let tries = setups.into_iter().map(|setup| {
            let till = at.till.clone();
            tokio::spawn(async move { till.complete_setup(account, &setup, None).await.unwrap() })
        });
        let mut granted = 0;
        for done in tries.collect::<Vec<_>>() {
            granted += usize::from(matches!(done.await.unwrap().credit, CreditGrant::Granted(_)));
        }
        assert_eq!(granted, 1);
        let wallet = at.till.wallet(account).await.unwrap().unwrap();
        assert_eq!(wallet.payment_methods.len(), 4);
        assert_eq!(wallet.payment_methods.iter().filter(|m| m.default).count(), 1);
        at.check_books(&[], "several setups").await;
    }

    async fn one_person_with_several_accounts_at_once_gets_one_credit(store: Store) {
        let at = Counter::open(store).await;
        let person = PersonKey::parse("person-hash-2").unwrap();
        let mut setups = Vec::new();
        for _ in 0..4 {
            let account = at.account();
            setups.push((account, at.choose(account, Instrument::AlwaysApproves).await));
        }
        let tries = setups.into_iter().map(|(account, setup)| {
            let (till, person) = (at.till.clone(), person.clone());
            tokio::spawn(async move {
                till.complete_setup(account, &setup, Some(&person)).await.unwrap().credit
            })
        });
        let mut granted = 0;
        for credit in tries.collect::<Vec<_>>() {
            granted += usize::from(matches!(credit.await.unwrap(), CreditGrant::Granted(_)));
        }
        assert_eq!(granted, 1);
        let name = promotion(Currency::Usd).name;
        let left = at.till.promotion_balance(&name).await.unwrap();
        assert_eq!(left, at.money(FUNDS_MINOR - 1_000));
        at.check_books(&[], "one person").await;
    }

    async fn an_exhausted_promotion_gives_nothing_and_the_method_is_linked(store: Store) {
        let at = Counter::open(store).await;
        at.clock.advance(Duration::from_days(40));
        let small = Promotion {
            name: Label::parse("small").unwrap(),
            credit: at.money(600),
            starts_at: start() + Duration::from_days(35),
            ends_at: start() + Duration::from_days(50),
            spend_until: start() + Duration::from_days(50),
        };
        at.till.create_promotion(&small).await.unwrap();
        at.till.create_promotion(&small).await.unwrap();
        let id = TransferId::new(&*at.clock, &*at.random);
        for _ in 0..2 {
            // The second is a repeat of the first and funds nothing.
            at.till.fund_promotion(&small.name, at.money(1_000), id).await.unwrap();
        }
        let done = at.link_method(at.account(), Instrument::AlwaysApproves).await;
        assert_eq!(done.credit, CreditGrant::Granted(at.money(600)));
        let done = at.link_method(at.account(), Instrument::AlwaysApproves).await;
        assert_eq!(done.credit, CreditGrant::Exhausted);
        assert_eq!(done.wallet.payment_methods.len(), 1);
        assert_eq!(at.till.promotion_balance(&small.name).await.unwrap(), at.money(400));
        at.check_books(&[], "exhausted").await;
    }

    async fn credit_ends_and_goes_back_to_its_promotion(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        let paid = at.paid(300, &fan).await;
        at.clock.advance(Duration::from_days(31));
        let done = at.link_method(at.account(), Instrument::AlwaysApproves).await;
        assert_eq!(done.credit, CreditGrant::NoPromotion);
        at.clock.advance(Duration::from_days(30));
        assert_eq!(at.credit_left(&fan).await, 0);
        let after = at.paid(200, &fan).await;
        assert_eq!(after.credit_used(), None, "ended credit is not spent");
        assert_eq!(at.till.end_credits().await.unwrap(), 1);
        assert_eq!(at.till.end_credits().await.unwrap(), 0);
        let name = promotion(Currency::Usd).name;
        let left = at.till.promotion_balance(&name).await.unwrap();
        assert_eq!(left, at.money(FUNDS_MINOR - 300));
        // Credit of a refund after the end comes back, and ends too.
        at.refund(&paid).await.unwrap();
        assert_eq!(at.till.end_credits().await.unwrap(), 1);
        at.check_books(&[paid, after], "ended").await;
        let kind = LedgerAccountKind::Promotion;
        assert_eq!(at.balance(kind, name.as_str()).await, FUNDS_MINOR);
    }

    async fn setups_belong_to_their_account_and_must_be_finished(store: Store) {
        let at = Counter::open(store).await;
        let (account, other) = (at.account(), at.account());
        let started = at.till.begin_setup(account, "/back/").await.unwrap();
        let early = at.till.complete_setup(account, &started.setup, None).await;
        assert!(matches!(early, Err(TillError::SetupNotFinished)));
        let session = started.url.rsplit('/').next().unwrap();
        let page = at.gateway.setup_page(session).await.unwrap();
        assert_eq!(page.instruments, Instrument::ALL);
        assert!(at.gateway.choose(session, "visa").await.is_err());
        at.gateway.choose(session, "always_approves").await.unwrap();
        assert!(at.gateway.choose(session, "always_declines").await.is_err());
        assert!(at.gateway.setup_page(session).await.is_err());
        at.link_method(other, Instrument::AlwaysApproves).await;
        for setup in [&started.setup, &SetupId::from_text("unknown")] {
            let refused = at.till.complete_setup(other, setup, None).await;
            assert!(matches!(refused, Err(TillError::NotFound(Thing::Setup))));
        }
        at.gateway.inject(Operation::Setup, Fault::AnswerLost);
        let lost = at.till.complete_setup(account, &started.setup, None).await;
        assert!(matches!(lost, Err(TillError::Gateway(_))));
        let done = at.till.complete_setup(account, &started.setup, None).await.unwrap();
        assert!(matches!(done.credit, CreditGrant::Granted(_)));
    }

    async fn a_promotions_terms_must_fit(store: Store) {
        let at = Counter::open(store).await;
        let good = promotion(Currency::Usd);
        let bad = [
            Promotion { credit: at.money(0), ..good.clone() },
            Promotion { ends_at: good.starts_at, ..good.clone() },
            Promotion { spend_until: good.starts_at, ..good.clone() },
            Promotion { credit: at.money(5), ..good.clone() },
        ];
        for terms in bad {
            let refused = at.till.create_promotion(&terms).await;
            assert!(matches!(refused, Err(TillError::PromotionTerms(_))), "{terms:?}");
        }
        let id = TransferId::new(&*at.clock, &*at.random);
        let euros = Money::new(100, Currency::Eur);
        let refused = at.till.fund_promotion(&good.name, euros, id).await;
        assert!(matches!(refused, Err(TillError::WrongCurrency { .. })));
    }

    async fn a_forgotten_account_keeps_its_books_and_nothing_else(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        let paid = at.paid(1_500, &fan).await;
        at.till.forget_account(fan.account).await.unwrap();
        let wallet = at.till.wallet(fan.account).await.unwrap().unwrap();
        assert!(wallet.payment_methods.is_empty() && wallet.shops.is_empty() && !wallet.palm_pay);
        assert_eq!(at.till.payments(fan.account).await.unwrap().len(), 1);
        at.refund(&paid).await.unwrap();
        at.check_books(&[paid], "forgotten").await;
    }
}
