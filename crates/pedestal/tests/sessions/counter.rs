//! The counter: one charge, one hover.

use handfast_model::{Currency, Duration, Money};
use handfast_pedestal::{
    Answer, Attention, Biometrics, Cue, EnteredPin, GuidanceState, Input, Mode, OpenCharge,
    Purpose, Reason, ReceiptUrl, Request, RequestId, Situation, Touch, View, WantedSide, WayOn,
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
    assert_eq!(booth.screen(), "paying");
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
        held: false,
        discount: None,
    }
}

fn pin_wanted(booth: &Booth, tries_left: Option<u32>) -> Answer {
    Answer::FactorWanted { tries_left, until: booth.now + Duration::from_secs(60) }
}

/// The one question about what became of the charge.
fn asked_outcome(booth: &mut Booth) -> RequestId {
    let errand = booth.only_sent();
    assert!(matches!(errand.request, Request::Outcome { .. }), "{errand:?}");
    errand.id
}

#[test]
fn a_charge_is_shown_and_paid_by_a_hover() {
    let mut booth = counter();
    let biometrics = Biometrics::Allowed;
    assert_eq!(booth.view(), View::WaitingForCharge { shop_name: "Bar East".into(), biometrics });
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
    assert_eq!((booth.screen().as_str(), booth.samples_alive()), ("paying", 0));
    let id = asked_outcome(&mut booth);
    booth.answer(id, Answer::Refused(Reason::ChargeCancelled));
    booth.assert_turned_away(Reason::ChargeCancelled, WayOn::Nothing);
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
    booth.assert_turned_away(Reason::ChargeExpired, WayOn::Nothing);
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
fn a_payment_under_way_can_be_stopped_until_the_money_is_taken() {
    for (answer, screen) in [
        (Answer::Refused(Reason::ChargeCancelled), "turned_away"),
        // Too late: the money was taken before the hub heard of it.
        (paid(7, 1_250), "paid"),
    ] {
        let mut booth = counter();
        open(&mut booth, 7, 1_250);
        booth.clear();
        let (first, _) = hover(&mut booth);
        booth.touch(Touch::Cancel);
        let errand = booth.only_sent();
        assert!(matches!(errand.request, Request::StepBack { .. }), "{errand:?}");
        assert_eq!(booth.screen(), "paying");
        booth.answer(first, paid(7, 1_250));
        assert_eq!(booth.screen(), "paying", "what the hub says to the last question counts");
        booth.answer(errand.id, answer);
        assert_eq!(booth.screen(), screen);
    }
}

#[test]
fn a_pin_is_asked_for_and_a_wrong_one_asked_again() {
    let mut booth = counter();
    let shown = open(&mut booth, 7, 12_500);
    booth.clear();
    let (id, _) = hover(&mut booth);
    let answer = pin_wanted(&booth, Some(5));
    booth.answer(id, answer);
    let pad = |tries_left, wrong| View::Pin { charge: shown.brief.clone(), tries_left, wrong };
    assert_eq!(booth.view(), pad(Some(5), false));
    assert_eq!((booth.attention(), booth.samples_alive()), (Attention::None, 0));
    booth.touch(Touch::Pin { pin: None });
    assert!(booth.sent_kinds().is_empty(), "what is no PIN is not even asked about");
    booth.touch(Touch::Pin { pin: EnteredPin::parse("0000") });
    let errand = booth.only_sent();
    let Request::EnterPin { charge, pin } = errand.request else { panic!("a PIN") };
    assert_eq!((charge, pin.expose()), (shown.charge_id, "0000"));
    booth.touch(Touch::Pin { pin: EnteredPin::parse("2580") });
    assert!(booth.sent_kinds().is_empty(), "one try at a time");
    let answer = pin_wanted(&booth, Some(4));
    booth.answer(errand.id, answer);
    assert_eq!(booth.view(), pad(Some(4), true));
    booth.touch(Touch::Pin { pin: EnteredPin::parse("2580") });
    let id = booth.only_sent().id;
    booth.answer(id, paid(7, 12_500));
    assert_eq!(booth.screen(), "paid");
}

#[test]
fn a_phone_confirms_what_waits_at_the_pedestal() {
    let mut booth = counter();
    open(&mut booth, 7, 12_500);
    booth.clear();
    let (id, _) = hover(&mut booth);
    let answer = pin_wanted(&booth, None);
    booth.answer(id, answer);
    booth.touch(Touch::Pin { pin: EnteredPin::parse("2580") });
    assert!(booth.sent_kinds().is_empty(), "no PIN, no pad");
    booth.wait(Duration::from_secs(2));
    let id = asked_outcome(&mut booth);
    let answer = pin_wanted(&booth, None);
    booth.answer(id, answer);
    assert_eq!(booth.screen(), "pin");
    // A nudge asks at once.
    booth.give(Input::Changed);
    let id = asked_outcome(&mut booth);
    booth.answer(id, Answer::StillPaying);
    assert_eq!(booth.screen(), "paying");
    booth.wait(Duration::from_secs(2));
    let id = asked_outcome(&mut booth);
    booth.answer(id, paid(7, 12_500));
    assert_eq!(booth.screen(), "paid");
}

#[test]
fn a_phone_pays_while_the_palm_is_waited_for() {
    let mut booth = counter();
    open(&mut booth, 7, 1_250);
    close(&mut booth);
    let id = asked_outcome(&mut booth);
    booth.answer(id, paid(7, 1_250));
    assert_eq!(booth.screen(), "paid");
}

#[test]
fn nobody_waits_for_a_second_factor_for_ever() {
    let mut booth = counter();
    open(&mut booth, 7, 12_500);
    booth.clear();
    let (id, _) = hover(&mut booth);
    let answer = pin_wanted(&booth, Some(5));
    booth.answer(id, answer);
    booth.wait(Duration::from_secs(60));
    booth.assert_turned_away(Reason::ChargeExpired, WayOn::Nothing);
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
            Reason::PaymentUnknown | Reason::AgeNotKnown | Reason::Internal => WayOn::Staff,
            Reason::ChargeExpired | Reason::ChargeCancelled => WayOn::Nothing,
            _ => WayOn::OtherWayToPay,
        };
        booth.assert_turned_away(reason, way_on);
        booth.wait(Duration::from_secs(6));
        let stays_open = is_miss
            || matches!(
                reason,
                Reason::NoWallet
                    | Reason::WalletFrozen
                    | Reason::AgeNotKnown
                    | Reason::VaultUnavailable
            );
        let screen = if stays_open { "palm" } else { "waiting_for_charge" };
        assert_eq!(booth.screen(), screen, "{reason:?}");
    }
}

#[test]
fn a_capture_of_no_living_hand_pays_nothing_and_five_end_the_charge() {
    let mut booth = counter();
    open(&mut booth, 7, 1_250);
    for time in 1..=5 {
        booth.clear();
        booth.log.suspects.set(1);
        booth.show(LEFT, 6);
        booth.assert_turned_away(Reason::CaptureRefused, WayOn::OtherWayToPay);
        assert_eq!(booth.sent_kinds(), ["CaptureRefused"]);
        assert_eq!(booth.samples_alive(), 0);
        booth.wait(Duration::from_secs(6));
        let screen = if time < 5 { "palm" } else { "waiting_for_charge" };
        assert_eq!(booth.screen(), screen, "after {time}");
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
fn a_charge_that_waits_for_the_vault_is_sent_on_once_and_asked_again_when_it_is_back() {
    let mut booth = counter();
    let open_charge = open(&mut booth, 7, 1_250);
    booth.clear();
    booth.show(LEFT, 3);
    let away = Situation {
        charge: Some(open_charge.clone()),
        biometrics: Biometrics::Unavailable,
        ..situation()
    };
    booth.change(away.clone());
    booth.assert_turned_away(Reason::VaultUnavailable, WayOn::OtherWayToPay);
    assert_eq!(booth.samples_alive(), 0);
    booth.touch(Touch::Cancel);
    booth.change(away);
    let biometrics = Biometrics::Unavailable;
    assert_eq!(booth.view(), View::WaitingForCharge { shop_name: "Bar East".into(), biometrics });
    booth.change(Situation { charge: Some(open_charge), ..situation() });
    assert_eq!(booth.screen(), "palm", "the same charge, now that palms can be compared");
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
