//! The counter: one charge, one hover.

use handfast_model::{Currency, Duration, Money};
use handfast_pedestal::{
    Answer, Attention, Biometrics, Cue, GuidanceState, Mode, OpenCharge, Purpose, Reason,
    ReceiptUrl, Request, RequestId, Situation, Touch, View, WantedSide, WayOn,
};

use crate::script::{Booth, LEFT, REASONS, Scene, charge, situation};

fn counter() -> Booth {
    Booth::new(Mode::Counter)
}

/// The register opens a charge.
fn open(booth: &mut Booth, number: u64, minor: i64) -> OpenCharge {
    let charge = charge(number, minor, booth.now);
    booth.change(Situation { charge: Some(charge.clone()), ..situation() });
    charge
}

fn close(booth: &mut Booth) {
    booth.change(situation());
}

/// A hover up to its request.
fn hover(booth: &mut Booth) -> (RequestId, OpenCharge) {
    booth.show(LEFT, 8);
    assert_eq!(booth.screen(), "working");
    let errand = booth.only_sent();
    let Request::Pay { charge, .. } = errand.request else { panic!("a payment") };
    (errand.id, charge)
}

fn paid(number: u64, minor: i64) -> Answer {
    Answer::Paid {
        number,
        amount: Money::new(minor, Currency::Usd),
        credit_used: None,
        receipt_url: Some(ReceiptUrl::new("/receipt/KEY".into())),
    }
}

#[test]
fn a_charge_is_shown_and_paid_by_a_hover() {
    let mut booth = counter();
    assert_eq!(booth.view(), View::WaitingForCharge { shop_name: "Bar East".into() });
    assert_eq!((booth.attention(), booth.cue()), (Attention::None, Cue::Nothing));
    booth.show(LEFT, 5);
    assert_eq!(booth.looks(), 0, "nothing to pay, nothing to look at");
    let shown = open(&mut booth, 7, 1_250);
    let prompt = View::Palm {
        purpose: Purpose::Pay,
        side: WantedSide::Either,
        palm: 1,
        palms: 1,
        taken: 0,
        wanted: 3,
        charge: Some(shown.brief.clone()),
    };
    assert_eq!(booth.view(), prompt);
    booth.clear();
    assert_eq!(booth.cue(), Cue::Hand { side: WantedSide::Either });
    let (id, asked) = hover(&mut booth);
    assert_eq!(asked, shown);
    assert_eq!(booth.cue(), Cue::Hand { side: WantedSide::Either });
    booth.answer(id, paid(7, 1_250));
    assert_eq!(booth.screen(), "paid");
    // The snapshot may be older than the payment: the charge is not asked for again.
    booth.show(LEFT, 90);
    assert_eq!((booth.screen().as_str(), booth.sent_kinds().len()), ("waiting_for_charge", 0));
    close(&mut booth);
    open(&mut booth, 8, 300);
    assert_eq!(booth.screen(), "palm");
}

#[test]
fn a_charge_is_noticed_within_half_a_second_without_a_nudge() {
    let mut booth = counter();
    booth.situation.charge = Some(charge(7, 1_250, booth.now));
    booth.wait(Duration::from_millis(500));
    assert_eq!(booth.screen(), "palm");
}

#[test]
fn a_hand_that_lies_there_when_the_amount_appears_does_not_pay() {
    let mut booth = counter();
    booth.show(LEFT, 10);
    open(&mut booth, 7, 1_250);
    booth.show(LEFT, 60);
    assert_eq!(booth.advice(), Some(GuidanceState::TakeHandAway));
    assert!(booth.sent_kinds().is_empty());
    booth.clear();
    hover(&mut booth);
}

#[test]
fn a_changed_charge_is_a_new_question() {
    let mut booth = counter();
    open(&mut booth, 7, 1_250);
    booth.clear();
    booth.show(LEFT, 3);
    assert!(booth.samples_alive() > 0);
    let changed = open(&mut booth, 8, 9_900);
    assert_eq!(booth.samples_alive(), 0, "what was shown for another amount is gone");
    booth.show(LEFT, 30);
    assert_eq!(booth.advice(), Some(GuidanceState::TakeHandAway));
    booth.clear();
    let (_, asked) = hover(&mut booth);
    assert_eq!(asked, changed);
}

#[test]
fn the_same_number_with_another_amount_is_a_new_question() {
    let mut booth = counter();
    let first = open(&mut booth, 7, 1_250);
    booth.clear();
    booth.show(LEFT, 3);
    let mut dearer = first;
    dearer.brief.amount.minor = 99_000;
    booth.change(Situation { charge: Some(dearer.clone()), ..situation() });
    assert_eq!(booth.samples_alive(), 0);
    booth.show(LEFT, 30);
    assert!(booth.sent_kinds().is_empty());
    booth.clear();
    assert_eq!(hover(&mut booth).1, dearer);
}

#[test]
fn a_charge_taken_back_ends_the_prompt() {
    let mut booth = counter();
    open(&mut booth, 7, 1_250);
    booth.clear();
    booth.show(LEFT, 3);
    close(&mut booth);
    booth.assert_turned_away(Reason::ChargeCancelled, WayOn::Staff);
    assert_eq!(booth.samples_alive(), 0);
    booth.wait(Duration::from_secs(6));
    assert_eq!(booth.screen(), "waiting_for_charge");
}

#[test]
fn a_charge_expires_by_its_own_time() {
    let mut booth = counter();
    open(&mut booth, 7, 1_250);
    booth.wait(Duration::from_secs(59));
    assert_eq!(booth.screen(), "palm");
    booth.wait(Duration::from_secs(1));
    booth.assert_turned_away(Reason::ChargeExpired, WayOn::Staff);
    booth.wait(Duration::from_secs(6));
    booth.show(Scene::Empty, 10);
    booth.show(LEFT, 10);
    assert_eq!((booth.screen().as_str(), booth.sent_kinds().len()), ("waiting_for_charge", 0));
}

#[test]
fn an_expired_charge_is_not_even_shown() {
    let mut booth = counter();
    let mut expired = charge(7, 1_250, booth.now);
    expired.expires_at = booth.now;
    booth.change(Situation { charge: Some(expired), ..situation() });
    assert_eq!(booth.screen(), "waiting_for_charge");
}

#[test]
fn a_payment_under_way_is_not_touched_by_the_register_or_the_person() {
    let mut booth = counter();
    open(&mut booth, 7, 1_250);
    booth.clear();
    let (id, _) = hover(&mut booth);
    booth.touch(Touch::Cancel);
    close(&mut booth);
    booth.wait(Duration::from_secs(10));
    assert_eq!(booth.screen(), "working");
    booth.answer(id, Answer::Refused(Reason::ChargeCancelled));
    booth.assert_turned_away(Reason::ChargeCancelled, WayOn::Staff);
}

#[test]
fn an_unanswered_payment_is_unknown_and_never_asked_twice() {
    let mut booth = counter();
    open(&mut booth, 7, 1_250);
    booth.clear();
    let (id, _) = hover(&mut booth);
    booth.wait(Duration::from_secs(20));
    booth.assert_turned_away(Reason::PaymentUnknown, WayOn::Staff);
    booth.answer(id, paid(7, 1_250));
    booth.assert_turned_away(Reason::PaymentUnknown, WayOn::Staff);
    booth.wait(Duration::from_secs(6));
    booth.clear();
    booth.show(LEFT, 10);
    assert!(booth.sent_kinds().is_empty());
}

#[test]
fn every_refusal_has_a_way_on_and_ends_the_charge_or_leaves_it_open() {
    for reason in REASONS {
        let mut booth = counter();
        open(&mut booth, 7, 1_250);
        booth.clear();
        let (mut id, _) = hover(&mut booth);
        let is_miss = matches!(reason, Reason::NotRecognised | Reason::Ambiguous);
        if is_miss {
            booth.answer(id, Answer::Refused(reason));
            (id, _) = hover(&mut booth);
        }
        booth.answer(id, Answer::Refused(reason));
        let way_on = match reason {
            Reason::PaymentUnknown
            | Reason::ChargeExpired
            | Reason::ChargeCancelled
            | Reason::Internal => WayOn::Staff,
            _ => WayOn::OtherWayToPay,
        };
        booth.assert_turned_away(reason, way_on);
        booth.wait(Duration::from_secs(6));
        let stays_open = is_miss || matches!(reason, Reason::NoWallet | Reason::VaultUnavailable);
        let screen = if stays_open { "palm" } else { "waiting_for_charge" };
        assert_eq!(booth.screen(), screen, "{reason:?}");
    }
}

#[test]
fn five_misses_end_a_charge() {
    let mut booth = counter();
    open(&mut booth, 7, 1_250);
    let mut misses = 0;
    while booth.screen() != "waiting_for_charge" {
        booth.clear();
        if booth.screen() == "palm" {
            let (id, _) = hover(&mut booth);
            misses += 1;
            booth.answer(id, Answer::Refused(Reason::NotRecognised));
        }
        assert!(misses <= 5);
    }
    assert_eq!(misses, 5);
    open(&mut booth, 8, 300);
    assert_eq!(booth.screen(), "palm", "the next charge starts anew");
}

#[test]
fn the_customer_may_cancel_the_prompt() {
    let mut booth = counter();
    open(&mut booth, 7, 1_250);
    booth.clear();
    booth.show(LEFT, 3);
    booth.touch(Touch::Cancel);
    assert_eq!((booth.screen().as_str(), booth.samples_alive()), ("waiting_for_charge", 0));
    booth.wait(Duration::from_secs(2));
    assert_eq!(booth.screen(), "waiting_for_charge");
}

#[test]
fn an_event_without_biometrics_takes_no_palm_payments() {
    let mut booth = counter();
    let open_charge = charge(7, 1_250, booth.now);
    let biometrics = Biometrics::Forbidden;
    booth.change(Situation { charge: Some(open_charge), biometrics, ..situation() });
    booth.assert_turned_away(Reason::NoBiometrics, WayOn::OtherWayToPay);
    booth.show(LEFT, 200);
    assert_eq!((booth.screen().as_str(), booth.looks()), ("waiting_for_charge", 0));
}

#[test]
fn the_switch_turned_during_a_prompt_ends_it() {
    let mut booth = counter();
    let open_charge = open(&mut booth, 7, 1_250);
    booth.clear();
    booth.show(LEFT, 3);
    let biometrics = Biometrics::Forbidden;
    booth.change(Situation { charge: Some(open_charge), biometrics, ..situation() });
    booth.assert_turned_away(Reason::NoBiometrics, WayOn::OtherWayToPay);
    assert_eq!(booth.samples_alive(), 0);
}

#[test]
fn a_silent_hub_ends_the_prompt_and_its_return_brings_it_back() {
    let mut booth = counter();
    open(&mut booth, 7, 1_250);
    booth.clear();
    booth.show(LEFT, 3);
    booth.hub_is_silent = true;
    booth.wait(Duration::from_secs(16));
    booth.assert_turned_away(Reason::VaultUnavailable, WayOn::OtherWayToPay);
    let sent = booth.sent_kinds();
    assert!(sent.len() <= 1, "at most what was hovered before: {sent:?}");
    booth.wait(Duration::from_secs(6));
    assert_eq!(booth.view(), View::Working {});
    booth.hub_is_silent = false;
    booth.wait(Duration::from_secs(3));
    assert_eq!(booth.screen(), "palm");
}

#[test]
fn an_answer_about_the_past_counts_for_nothing() {
    let mut booth = counter();
    booth.hub_is_silent = true;
    close(&mut booth);
    let old = booth.unanswered.pop().expect("a question");
    booth.hub_is_silent = false;
    open(&mut booth, 7, 1_250);
    assert_eq!(booth.screen(), "palm");
    // The older question was answered before the charge was opened, and arrives now.
    booth.answer(old, Answer::Situation(situation()));
    assert_eq!(booth.screen(), "palm");
}

#[test]
fn frames_that_make_no_template_are_taken_again() {
    let mut booth = counter();
    booth.log.unfit_presentations.set(1);
    open(&mut booth, 7, 1_250);
    booth.clear();
    booth.show(LEFT, 4);
    assert_eq!(booth.screen(), "palm");
    hover(&mut booth);
}
