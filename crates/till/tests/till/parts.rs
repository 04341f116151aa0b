//! Tips, cash, items, holds, partial refunds: a charge that is not one plain amount.

use handfast_model::{Currency, Duration, Money, Timestamp};
use handfast_store::test_on_both_engines;
use handfast_till::gateway::StoredCredential;
use handfast_till::test_gateway::{Fault, Instrument, Operation};
use handfast_till::{
    ChargeLine, ChargeRequest, ChargeState, ChargeStatus, HOLD_TIME, LATE_TIP_WITHIN, LateTip,
    PayOutcome, RefundOrder, RefundState, TillError,
};

use crate::counter::{Counter, Fan};

async fn part(at: &Counter, charge: &handfast_till::Charge, minor: i64) -> Result<i64, TillError> {
    let all = RefundOrder::all(at.register, charge.id, at.nonce());
    let refund = at.till.refund_charge(&RefundOrder { minor: Some(minor), ..all }).await?;
    assert_eq!(refund.state, RefundState::Done);
    Ok(refund.credit_part.minor + refund.card_part.minor)
}

async fn held(at: &Counter, fan: &Fan, minor: i64) -> handfast_till::Charge {
    let request = ChargeRequest { hold: true, ..at.request(minor) };
    let charge = at.till.request_charge(&request).await.unwrap();
    match at.pay(&charge, fan).await {
        PayOutcome::Held(charge) => charge,
        other => panic!("not held: {other:?}"),
    }
}

fn late(at: &Counter, charge: &handfast_till::Charge, minor: i64) -> LateTip {
    LateTip { register: at.register, charge: charge.id, minor, nonce: at.nonce() }
}

test_on_both_engines! {
    async fn refunds_in_parts_never_exceed_the_charge(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        let paid = at.paid(2_500, &fan).await;
        assert_eq!(part(&at, &paid, 600).await.unwrap(), 600);
        for bad in [0, -1, i64::MIN] {
            assert!(matches!(part(&at, &paid, bad).await, Err(TillError::AmountNotPositive)));
        }
        let over = part(&at, &paid, 1_901).await;
        assert!(matches!(over, Err(TillError::OverRefund { left_minor: 1_900 })), "{over:?}");
        // The card first (1,500 of it in all), then the credit.
        assert_eq!(part(&at, &paid, 1_000).await.unwrap(), 1_000);
        let charge = at.read(&paid).await;
        assert_eq!((charge.refunded.minor, charge.status(charge.created_at)),
            (1_600, ChargeStatus::Captured));
        assert_eq!(at.credit_left(&fan).await, 100);
        assert_eq!(part(&at, &paid, 900).await.unwrap(), 900);
        assert!(matches!(part(&at, &paid, 1).await, Err(TillError::RefundedAlready)));
        assert_eq!(at.credit_left(&fan).await, 1_000);
        at.check_books(&[paid], "in parts").await;
    }

    async fn refunds_in_parts_at_once_never_exceed_the_charge(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        let paid = at.paid(2_500, &fan).await;
        let taps = (0..10).map(|_| {
            let (till, register, id, nonce) = (at.till.clone(), at.register, paid.id, at.nonce());
            let order = RefundOrder { minor: Some(400), ..RefundOrder::all(register, id, nonce) };
            tokio::spawn(async move { till.refund_charge(&order).await })
        });
        let mut done = 0;
        for tap in taps.collect::<Vec<_>>() {
            match tap.await.unwrap() {
                Ok(_) => done += 1,
                Err(TillError::OverRefund { .. } | TillError::RefundedAlready) => {}
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(done, 6, "six times 400 fit 2,500");
        at.check_books(&[paid], "at once").await;
    }

    async fn a_sale_is_split_with_cash_and_tipped(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AlwaysApproves).await;
        let mut request = at.request(2_000);
        (request.tip_minor, request.cash_minor) = (300, 1_000);
        let charge = at.till.request_charge(&request).await.unwrap();
        assert_eq!((charge.amount.minor, charge.tip.minor, charge.cash.minor), (1_300, 300, 1_000));
        assert_eq!(at.till.request_charge(&request).await.unwrap(), charge);
        request.cash_minor = 900;
        let reused = at.till.request_charge(&request).await;
        assert!(matches!(reused, Err(TillError::NonceReused)));
        let PayOutcome::Paid(paid) = at.pay(&charge, &fan).await else { panic!() };
        let receipt = at.till.receipt(paid.receipt().unwrap()).await.unwrap();
        assert_eq!((receipt.amount.minor, receipt.tip.minor, receipt.cash.minor), (1_300, 300, 1_000));
        for (tip, cash) in [(-1, 0), (0, -1), (0, 2_000), (0, 5_000), (i64::MAX, 0), (0, i64::MAX)] {
            let mut bad = at.request(2_000);
            (bad.tip_minor, bad.cash_minor) = (tip, cash);
            let refused = at.till.request_charge(&bad).await;
            assert!(matches!(
                refused,
                Err(TillError::AmountNotPositive
                    | TillError::CashCoversAll
                    | TillError::AmountTooLarge { .. })
            ), "{tip} {cash}");
        }
        let report = at.till.day_report(at.register, None).await.unwrap();
        assert_eq!((report.sums.taken, report.sums.tips, report.sums.cash), (1_300, 300, 1_000));
        at.check_books(&[paid], "split").await;
    }

    async fn items_add_up_and_carry_their_tax(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AlwaysApproves).await;
        let lines = vec![
            ChargeLine::new("Lager", 2, 595, 190_000).unwrap(),
            ChargeLine::new("Pretzel", 1, 107, 70_000).unwrap(),
        ];
        let request = ChargeRequest { lines: lines.clone(), ..at.request(1_297) };
        let charge = at.till.request_charge(&request).await.unwrap();
        assert_eq!(charge.tax.minor, 190 + 7);
        let PayOutcome::Paid(paid) = at.pay(&charge, &fan).await else { panic!() };
        let receipt = at.till.receipt(paid.receipt().unwrap()).await.unwrap();
        assert_eq!(receipt.lines, lines);
        let wrong = ChargeRequest { lines: lines.clone(), ..at.request(1_296) };
        let refused = at.till.request_charge(&wrong).await;
        assert!(matches!(refused, Err(TillError::LinesDiffer { .. })));
        at.till.set_tax_included(at.shop, false).await.unwrap();
        let on_top = ChargeRequest { lines, ..at.request(1_297 + 226 + 7) };
        assert_eq!(at.till.request_charge(&on_top).await.unwrap().tax.minor, 233);
    }

    async fn a_hold_is_captured_in_part_and_the_rest_let_go(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        let tab = held(&at, &fan, 2_500).await;
        assert_eq!(at.till.resolve_due().await.unwrap().charges, 0, "a hold is nothing to find out");
        let over = at.till.capture_charge(at.register, tab.id, Some(2_501)).await;
        assert!(matches!(over, Err(TillError::OverCapture { held_minor: 2_500 })));
        let taken = at.till.capture_charge(at.register, tab.id, Some(1_700)).await.unwrap();
        assert_eq!((taken.state, taken.amount.minor), (ChargeState::Captured, 1_700));
        assert_eq!((taken.credit_part.minor, taken.card_part.minor), (1_000, 700));
        let again = at.till.capture_charge(at.register, tab.id, Some(1_700)).await.unwrap();
        assert_eq!(again.amount.minor, 1_700);
        let more = at.till.capture_charge(at.register, tab.id, Some(1_701)).await;
        assert!(matches!(more, Err(TillError::NotHeld { .. })));
        // So little that credit pays it all: the gateway's hold is let go.
        let other = at.fan(Instrument::AlwaysApproves).await;
        let small = held(&at, &other, 2_500).await;
        let taken_small = at.till.capture_charge(at.register, small.id, Some(400)).await.unwrap();
        assert_eq!((taken_small.credit_part.minor, taken_small.card_part.minor), (400, 0));
        assert_eq!(at.credit_left(&other).await, 600);
        at.check_books(&[taken, taken_small], "holds").await;
    }

    async fn a_lost_capture_of_a_part_is_found_out(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AlwaysApproves).await;
        let mut charges = Vec::new();
        for (fault, minor) in [(Fault::RequestLost, 900), (Fault::AnswerLost, 1_100)] {
            let tab = held(&at, &fan, 2_000).await;
            at.gateway.inject(Operation::Capture, fault);
            let lost = at.till.capture_charge(at.register, tab.id, Some(minor)).await.unwrap();
            assert_eq!(lost.state, ChargeState::Unknown);
            assert_eq!(at.till.resolve_due().await.unwrap().charges_open, 0);
            assert_eq!(at.read(&tab).await.amount.minor, minor);
            charges.push(tab);
        }
        at.check_books(&charges, "lost part").await;
    }

    async fn holds_are_voided_by_hand_or_expire(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        let by_hand = held(&at, &fan, 1_500).await;
        let voided = at.till.cancel_charge(at.register, by_hand.id).await.unwrap();
        assert_eq!(voided.state, ChargeState::Voided);
        let forgotten = held(&at, &fan, 1_500).await;
        let on_credit = held(&at, &at.fan(Instrument::AlwaysApproves).await, 300).await;
        at.clock.advance(HOLD_TIME);
        let late = at.till.capture_charge(at.register, forgotten.id, None).await;
        assert!(matches!(late, Err(TillError::NotHeld { .. })));
        at.till.resolve_due().await.unwrap();
        for charge in [&forgotten, &on_credit] {
            let expired = at.read(charge).await;
            assert_eq!((expired.state, expired.reason.as_deref()),
                (ChargeState::Expired, Some("hold_over")));
        }
        assert_eq!(at.credit_left(&fan).await, 1_000);
        at.check_books(&[by_hand, forgotten, on_credit], "holds end").await;
    }

    async fn a_late_tip_is_a_charge_of_its_own_and_once(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan_without_credit(Instrument::AlwaysApproves).await;
        let paid = at.paid(2_000, &fan).await;
        for (minor, _why) in [(0, "nothing"), (-5, "less"), (1_001, "more than half")] {
            assert!(at.till.add_late_tip(&late(&at, &paid, minor)).await.is_err(), "{minor}");
        }
        let tip = late(&at, &paid, 400);
        let PayOutcome::Paid(tipped) = at.till.add_late_tip(&tip).await.unwrap() else { panic!() };
        assert_eq!(tipped.tip_of, Some(paid.id));
        assert_eq!(tipped.stored_credential, Some(StoredCredential::MerchantInitiated));
        assert!(matches!(at.till.add_late_tip(&tip).await.unwrap(), PayOutcome::Paid(_)));
        let twice = at.till.add_late_tip(&late(&at, &paid, 400)).await;
        assert!(matches!(twice, Err(TillError::TipRefused(_))));
        let of_a_tip = at.till.add_late_tip(&late(&at, &tipped, 10)).await;
        assert!(matches!(of_a_tip, Err(TillError::TipRefused(_))));
        let old = at.paid(2_000, &fan).await;
        at.clock.advance(LATE_TIP_WITHIN);
        at.clock.advance(Duration::from_secs(1));
        let too_late = at.till.add_late_tip(&late(&at, &old, 10)).await;
        assert!(matches!(too_late, Err(TillError::TipRefused(_))));
        at.check_books(&[paid, tipped, old], "late tip").await;
    }

    async fn a_day_is_not_closed_over_a_charge_of_its_last_second(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        at.paid(2_500, &fan).await;
        let today = at.till.day_report(at.register, None).await.unwrap();
        // The shop's local time is six hours behind.
        let midnight = Timestamp::from_micros(0) + Duration::from_days(today.day + 1)
            + Duration::from_hours(6);
        at.clock.advance(midnight - at.till_now());
        at.clock.advance(Duration::from_secs(1));
        // A charge that looked at the clock a second ago may still wait to be written.
        assert_eq!(at.till.close_days_due().await.unwrap(), 0);
        at.clock.advance(Duration::from_minutes(10));
        assert_eq!(at.till.close_days_due().await.unwrap(), 1);
    }

    async fn a_day_is_closed_once_and_stays_as_it_was(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        let paid = at.paid(2_500, &fan).await;
        part(&at, &paid, 500).await.unwrap();
        let open = at.charge(100).await;
        assert_eq!(at.till.close_days_due().await.unwrap(), 0, "today is not over");
        let today = at.till.day_report(at.register, None).await.unwrap();
        assert_eq!((today.open, today.closed_at), (1, None));
        assert_eq!((today.sums.charges, today.sums.taken, today.sums.given_back), (1, 2_500, 500));
        assert_eq!((today.sums.by_credit, today.sums.by_card), (1_000, 1_500));
        at.clock.advance(Duration::from_hours(24));
        assert_eq!(at.till.close_days_due().await.unwrap(), 0, "a charge of it is open");
        at.till.expire_due().await.unwrap();
        assert_eq!(at.read(&open).await.state, ChargeState::Expired);
        assert_eq!(at.till.close_days_due().await.unwrap(), 1);
        assert_eq!(at.till.close_days_due().await.unwrap(), 0);
        part(&at, &paid, 300).await.unwrap();
        let closed = at.till.day_report(at.register, Some(today.day)).await.unwrap();
        assert!(closed.closed_at.is_some());
        assert_eq!(closed.sums, today.sums, "later refunds are another day's");
        let charges = at.till.charges_of_day(at.register, today.day).await.unwrap();
        assert_eq!(charges.len(), 2);
        let next = at.till.day_report(at.register, None).await.unwrap();
        assert_eq!((next.sums.charges, next.sums.given_back), (0, 300));
    }

    async fn statements_add_up_page_by_page(store: Store) {
        let at = Counter::open(store).await;
        let fan = at.fan(Instrument::AlwaysApproves).await;
        for _ in 0..60 {
            let paid = at.paid(150, &fan).await;
            part(&at, &paid, 50).await.unwrap();
        }
        let (mut lines, mut before, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = at.till.shop_statement(at.register, before).await.unwrap();
            assert_eq!(page.balances, [Money::new(6_000, Currency::Usd)]);
            lines.extend(page.lines);
            pages += 1;
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        let sum: i64 = lines.iter().map(|line| line.amount.minor).sum();
        assert_eq!((sum, pages), (6_000, 2));
        let mut ids: Vec<_> = lines.iter().map(|line| line.transfer).collect();
        assert!(ids.is_sorted_by(|a, b| a > b), "newest first, none twice");
        ids.dedup();
        assert_eq!(ids.len(), lines.len());
        let own = at.till.credit_statement(fan.account, None).await.unwrap();
        let left: i64 = own.lines.iter().map(|line| line.amount.minor).sum();
        assert_eq!(left, at.credit_left(&fan).await);
    }
}
