//! Enrolment: ticket, consent, palms.

use handfast_model::{Duration, Timestamp};
use handfast_pedestal::{
    AgeAsked, AgeChoice, AgeSaid, AgeTerms, Answer, Attention, Biometrics, Cue, Errand,
    GuidanceState, HandsChoice, Language, Mode, Purpose, Reason, Request, Scope, Side, Situation,
    TicketCode, TicketProblem, Touch, View, WantedSide, WayOn,
};

use crate::script::{Booth, LEFT, REASONS, RIGHT, Scene, forbidden, offer, palm, situation};

fn booth() -> Booth {
    Booth::new(Mode::EnrolOutside)
}

fn palm_view(side: WantedSide, palm: u32, palms: u32, taken: u32) -> View {
    View::Palm { purpose: Purpose::Enrol, side, palm, palms, taken, wanted: 3, charge: None }
}

fn enrolled() -> Answer {
    Answer::Enrolled {
        palms: 1,
        scope: Scope::Venue,
        until: Timestamp::from_micros(9),
        enters_tonight: true,
        mail_sent: true,
    }
}

#[test]
fn both_palms_are_enrolled() {
    let mut booth = booth();
    let (event, biometrics) = (situation().event, Biometrics::Allowed);
    assert_eq!(booth.view(), View::Welcome { event, biometrics });
    assert_eq!((booth.cue(), booth.attention()), (Cue::Nothing, Attention::None));
    booth.touch(Touch::Begin);
    assert_eq!(booth.view(), View::ShowTicket { problem: None });
    assert_eq!((booth.cue(), booth.attention()), (Cue::Ticket, Attention::Code));
    booth.show(Scene::Empty, 2);
    booth.show(Scene::Code("TICKET-1"), 1);
    assert_eq!(booth.view(), View::Working {});
    let lookup = booth.only_sent();
    let Request::LookUpTicket { code, language } = lookup.request else { panic!("a lookup") };
    assert_eq!((Some(code), language), (TicketCode::parse("TICKET-1"), Language::En));
    let shown = offer(Language::En);
    booth.answer(lookup.id, Answer::ConsentOffer(shown.clone()));
    let (ticket, text, scopes) = (shown.ticket, shown.text, shown.scopes);
    let age = AgeAsked { from: 18, by_guardian: false };
    assert_eq!(booth.view(), View::Consent { ticket, text, scopes, age, anew: false });
    booth.touch(Touch::Accept { scope: Scope::Venue });
    assert_eq!(booth.view(), View::ChooseHands {});
    assert_eq!(booth.looks(), 0, "nothing biometric before a palm is asked for");
    booth.touch(Touch::Hands { choice: HandsChoice::Both });

    assert_eq!(booth.view(), palm_view(WantedSide::Either, 1, 2, 0));
    assert_eq!((booth.cue(), booth.attention()), (Cue::Nothing, Attention::Palm));
    booth.clear();
    assert_eq!(booth.cue(), Cue::Hand { side: WantedSide::Either });
    booth.show(RIGHT, 6);
    assert_eq!(booth.view(), palm_view(WantedSide::Either, 1, 2, 1));
    assert_eq!(booth.advice(), Some(GuidanceState::Ready));
    booth.show(RIGHT, 8);
    assert_eq!(booth.view(), palm_view(WantedSide::Left, 2, 2, 0));
    booth.clear();
    booth.show(LEFT, 20);

    let errand = booth.only_sent();
    assert_eq!(booth.view(), View::Working {});
    let Request::Enrol { code, consent, palms } = errand.request else { panic!("an enrolment") };
    assert_eq!(code.expose(), "TICKET-1");
    assert_eq!((consent.text_version.as_str(), consent.scope), ("1", Scope::Venue));
    let sides: Vec<Vec<Side>> =
        palms.iter().map(|palm| palm.iter().map(|taken| taken.side).collect()).collect();
    assert_eq!(sides, [[Side::Right; 3], [Side::Left; 3]]);
    booth.answer(errand.id, enrolled());
    assert_eq!(booth.screen(), "linked");
    booth.wait(Duration::from_secs(15));
    assert_eq!(booth.screen(), "welcome");
}

#[test]
fn one_palm_is_enrolled_within_twenty_seconds_of_system_time() {
    let mut booth = booth();
    let start = booth.now;
    let errand = booth.reach_enrolling();
    booth.answer(errand.id, enrolled());
    assert_eq!(booth.screen(), "linked");
    assert!(booth.now - start < Duration::from_secs(20));
}

#[test]
fn whoever_agreed_to_words_that_do_not_hold_reads_the_present_ones_and_agrees_anew() {
    let mut booth = booth();
    let Errand { id, request } = booth.reach_enrolling();
    let Request::Enrol { consent, .. } = &request else { panic!("an enrolment") };
    assert_eq!(consent.text_version, "1");
    drop(request);
    let mut present = offer(Language::En);
    present.text.version = "2".into();
    booth.answer(id, Answer::ConsentOffer(present.clone()));
    let View::Consent { text, anew: true, .. } = booth.view() else { panic!("the consent, anew") };
    assert_eq!(text, present.text);
    assert_eq!(booth.samples_alive(), 0, "palms of another consent are gone");
    let looks = booth.looks();
    booth.show(RIGHT, 20);
    assert_eq!(booth.looks(), looks, "nothing biometric before the new consent");
    // Why it is asked anew is told in every language.
    booth.touch(Touch::Language { language: Language::De });
    let lookup = booth.only_sent();
    present.text.version = "3".into();
    booth.answer(lookup.id, Answer::ConsentOffer(present.clone()));
    let View::Consent { text, anew: true, .. } = booth.view() else { panic!("the consent, anew") };
    assert_eq!(text, present.text);
    // Nothing else is asked again: neither the ticket nor who stands there.
    booth.touch(Touch::Accept { scope: Scope::Venue });
    booth.touch(Touch::Hands { choice: HandsChoice::One });
    booth.clear();
    booth.show(LEFT, 20);
    let again = booth.only_sent();
    let Request::Enrol { code, consent, .. } = again.request else { panic!("an enrolment") };
    assert_eq!((code.expose(), consent.text_version.as_str()), ("TICKET-1", "3"));
    booth.answer(again.id, enrolled());
    assert_eq!(booth.screen(), "linked");
}

#[test]
fn a_ticket_that_cannot_be_linked_any_more_is_told_as_such() {
    let mut booth = booth();
    let errand = booth.reach_enrolling();
    drop(errand.request);
    booth.answer(errand.id, Answer::TicketProblem(TicketProblem::AlreadyRedeemed));
    let problem = Some(TicketProblem::AlreadyRedeemed);
    assert_eq!(booth.view(), View::ShowTicket { problem });
    assert_eq!(booth.samples_alive(), 0);
}

#[test]
fn a_hand_that_is_there_before_the_question_has_to_leave() {
    let mut booth = booth();
    booth.reach_palm(HandsChoice::One);
    booth.show(LEFT, 60);
    assert_eq!(booth.view(), palm_view(WantedSide::Either, 1, 1, 0));
    assert_eq!(booth.advice(), Some(GuidanceState::TakeHandAway));
    // Two frames without a hand are a flicker, not an empty place.
    booth.show(Scene::Empty, 2);
    booth.show(LEFT, 30);
    assert_eq!(booth.advice(), Some(GuidanceState::TakeHandAway));
    booth.clear();
    assert_eq!(booth.advice(), Some(GuidanceState::NoHand));
    booth.show(LEFT, 20);
    assert_eq!(booth.sent_kinds(), ["Enrol"]);
}

#[test]
fn a_picture_that_may_hide_a_hand_is_no_proof_of_an_empty_place() {
    let mut booth = booth();
    booth.reach_palm(HandsChoice::One);
    booth.show(Scene::Dazzled, 20);
    assert_eq!(booth.advice(), Some(GuidanceState::Glare));
    booth.show(LEFT, 30);
    assert_eq!(booth.advice(), Some(GuidanceState::TakeHandAway));
    assert!(booth.sent_kinds().is_empty());
}

#[test]
fn over_a_dark_ground_an_empty_place_is_dark() {
    let mut booth = booth();
    booth.reach_palm(HandsChoice::One);
    booth.show(Scene::Dark, 8);
    assert_eq!(booth.advice(), Some(GuidanceState::TooDark));
    booth.show(LEFT, 20);
    assert_eq!(booth.sent_kinds(), ["Enrol"]);
}

#[test]
fn the_second_palm_arrives_anew_and_is_of_the_other_hand() {
    let mut booth = booth();
    booth.reach_palm(HandsChoice::Both);
    booth.clear();
    booth.show(LEFT, 14);
    assert_eq!(booth.view(), palm_view(WantedSide::Right, 2, 2, 0));
    booth.show(LEFT, 10);
    assert_eq!(booth.advice(), Some(GuidanceState::TakeHandAway));
    booth.clear();
    booth.show(LEFT, 30);
    assert_eq!(booth.advice(), Some(GuidanceState::WrongHand));
    assert_eq!(booth.view(), palm_view(WantedSide::Right, 2, 2, 0));
    booth.show(RIGHT, 20);
    assert_eq!(booth.sent_kinds(), ["Enrol"]);
}

#[test]
fn a_capture_is_of_one_hand_from_its_first_frame_to_its_last() {
    let mut booth = booth();
    booth.reach_palm(HandsChoice::One);
    booth.clear();
    booth.show(LEFT, 8);
    assert_eq!(booth.view(), palm_view(WantedSide::Either, 1, 1, 1));
    booth.show(RIGHT, 20);
    let Request::Enrol { palms, .. } = booth.only_sent().request else { panic!("an enrolment") };
    assert!(palms[0].iter().all(|taken| taken.side == Side::Right));
}

#[test]
fn a_moving_or_poorly_held_hand_gives_no_frame() {
    let mut booth = booth();
    booth.reach_palm(HandsChoice::One);
    booth.clear();
    for step in 0..40 {
        let x = if step % 2 == 0 { 0.4 } else { 0.5 };
        booth.show(Scene::Palm { side: Side::Left, x, sharpness: 0.8 }, 1);
    }
    assert_eq!(booth.advice(), Some(GuidanceState::HoldStill));
    assert_eq!(booth.view(), palm_view(WantedSide::Either, 1, 1, 0));
    let advices = [
        GuidanceState::Closer,
        GuidanceState::Further,
        GuidanceState::TooDark,
        GuidanceState::Glare,
        GuidanceState::Tilt,
        GuidanceState::OpenFingers,
        GuidanceState::OneHandOnly,
        GuidanceState::Blurred,
        GuidanceState::MoveToCentre,
    ];
    for advice in advices {
        booth.show(Scene::Awkward(advice), 2);
        assert_eq!(booth.advice(), Some(advice));
    }
    assert_eq!(booth.view(), palm_view(WantedSide::Either, 1, 1, 0));
    assert!(booth.sent_kinds().is_empty());
}

#[test]
fn the_hold_progress_grows_while_the_hand_is_still() {
    let mut booth = booth();
    booth.reach_palm(HandsChoice::One);
    booth.clear();
    let mut holds = vec![booth.hold()];
    while booth.screen() == "palm" {
        booth.show(LEFT, 1);
        if booth.screen() == "palm" {
            holds.push(booth.hold());
        }
    }
    assert!(holds.is_sorted(), "{holds:?}");
    assert!(holds.last().is_some_and(|last| *last > 0.8 && *last < 1.0), "{holds:?}");
}

#[test]
fn a_frame_much_less_sharp_than_the_others_is_not_taken() {
    let mut booth = booth();
    booth.reach_palm(HandsChoice::One);
    booth.clear();
    booth.show(LEFT, 6);
    booth.show(Scene::Palm { side: Side::Left, x: 0.5, sharpness: 0.3 }, 20);
    assert_eq!(booth.advice(), Some(GuidanceState::Blurred));
    assert!(booth.sent_kinds().is_empty());
    // ... and the other way round the dull ones make room.
    booth.touch(Touch::Cancel);
    booth.reach_palm(HandsChoice::One);
    booth.clear();
    booth.show(Scene::Palm { side: Side::Left, x: 0.5, sharpness: 0.3 }, 6);
    let dull_until = booth.frames_seen();
    booth.show(LEFT, 20);
    let Request::Enrol { palms, .. } = booth.only_sent().request else { panic!("an enrolment") };
    assert!(palms[0].iter().all(|taken| taken.frame > dull_until));
}

#[test]
fn frames_of_two_hovers_are_not_put_together() {
    let mut booth = booth();
    booth.reach_palm(HandsChoice::One);
    booth.clear();
    booth.show(LEFT, 8);
    booth.clear();
    let left_at = booth.frames_seen();
    booth.show(LEFT, 20);
    let Request::Enrol { palms, .. } = booth.only_sent().request else { panic!("an enrolment") };
    assert!(palms[0].iter().all(|taken| taken.frame > left_at));
}

#[test]
fn a_gap_without_frames_starts_the_capture_again() {
    let mut booth = booth();
    booth.reach_palm(HandsChoice::One);
    booth.clear();
    booth.show(LEFT, 8);
    let gap_at = booth.frames_seen();
    booth.wait(Duration::from_secs(2));
    booth.show(LEFT, 20);
    let Request::Enrol { palms, .. } = booth.only_sent().request else { panic!("an enrolment") };
    assert!(palms[0].iter().all(|taken| taken.frame > gap_at));
}

#[test]
fn a_capture_of_no_living_hand_enrols_nothing_and_drops_the_first_palm_too() {
    let mut booth = booth();
    booth.reach_palm(HandsChoice::Both);
    booth.clear();
    booth.show(LEFT, 14);
    assert!(booth.samples_alive() > 0, "the first palm is kept for the second");
    booth.log.suspects.set(2);
    booth.clear();
    booth.show(RIGHT, 40);
    booth.assert_turned_away(Reason::CaptureRefused, WayOn::QrLane);
    assert_eq!(booth.sent_kinds(), ["CaptureRefused", "CaptureRefused"]);
    assert_eq!(booth.samples_alive(), 0);
}

#[test]
fn a_living_hand_that_looked_like_none_once_is_captured_again() {
    let mut booth = booth();
    booth.reach_palm(HandsChoice::One);
    booth.log.suspects.set(1);
    booth.clear();
    booth.show(LEFT, 40);
    assert_eq!(booth.sent_kinds(), ["CaptureRefused", "Enrol"]);
}

#[test]
fn frames_that_make_no_template_are_taken_again() {
    let mut booth = booth();
    booth.log.unfit_palms.set(1);
    booth.reach_palm(HandsChoice::One);
    booth.clear();
    booth.show(LEFT, 14);
    assert_eq!(booth.screen(), "palm");
    booth.show(LEFT, 14);
    assert_eq!(booth.sent_kinds(), ["Enrol"]);
}

#[test]
fn palms_that_do_not_belong_together_are_both_taken_again() {
    let mut booth = booth();
    booth.log.unfit_enrolments.set(1);
    booth.reach_palm(HandsChoice::Both);
    for round in 0..2 {
        assert_eq!(booth.view(), palm_view(WantedSide::Either, 1, 2, 0), "round {round}");
        booth.clear();
        booth.show(LEFT, 14);
        booth.clear();
        booth.show(RIGHT, 14);
    }
    assert_eq!(booth.sent_kinds(), ["Enrol"]);
}

#[test]
fn every_refusal_of_the_hub_is_shown_with_a_way_on() {
    for reason in REASONS {
        let mut booth = booth();
        let errand = booth.reach_enrolling();
        booth.answer(errand.id, Answer::Refused(reason));
        let way_on = match reason {
            Reason::AlreadyLinked => WayOn::SignIn,
            Reason::CaptureTimeout | Reason::NotRecognised | Reason::Ambiguous => WayOn::TryAgain,
            Reason::DeclinedConsent
            | Reason::TooYoung
            | Reason::GuardianWanted
            | Reason::NoBiometrics
            | Reason::VaultUnavailable
            | Reason::CaptureRefused => WayOn::QrLane,
            _ => WayOn::Staff,
        };
        booth.assert_turned_away(reason, way_on);
        drop(errand);
        assert_eq!(booth.samples_alive(), 0, "{reason:?}");
        booth.wait(Duration::from_secs(6));
        assert_eq!(booth.screen(), "welcome");
    }
}

#[test]
fn a_lookup_may_be_refused_outright() {
    let mut booth = booth();
    booth.touch(Touch::Begin);
    booth.show(Scene::Code("TICKET-1"), 1);
    let lookup = booth.only_sent();
    booth.answer(lookup.id, Answer::Refused(Reason::NoBiometrics));
    booth.assert_turned_away(Reason::NoBiometrics, WayOn::QrLane);
    booth.touch(Touch::Begin);
    assert_eq!(booth.screen(), "show_ticket");
}

#[test]
fn each_problem_with_a_ticket_is_shown_and_another_code_may_follow() {
    let problems = [
        TicketProblem::UnknownCode,
        TicketProblem::OtherEvent,
        TicketProblem::AlreadyRedeemed,
        TicketProblem::NotValid,
        TicketProblem::EventOver,
    ];
    for problem in problems {
        let mut booth = booth();
        booth.touch(Touch::Begin);
        booth.show(Scene::Code("BAD"), 1);
        let lookup = booth.only_sent();
        booth.answer(lookup.id, Answer::TicketProblem(problem));
        assert_eq!(booth.view(), View::ShowTicket { problem: Some(problem) });
        // The same code is still before the camera: it is not asked again at every frame.
        booth.show(Scene::Code("BAD"), 10);
        assert!(booth.sent_kinds().is_empty());
        booth.show(Scene::Code("GOOD"), 1);
        assert_eq!(booth.sent_kinds(), ["LookUpTicket"]);
    }
}

#[test]
fn a_refused_code_may_be_shown_again_after_a_while() {
    let mut booth = booth();
    booth.touch(Touch::Begin);
    booth.show(Scene::Code("BAD"), 1);
    let lookup = booth.only_sent();
    booth.answer(lookup.id, Answer::TicketProblem(TicketProblem::UnknownCode));
    booth.wait(Duration::from_secs(5));
    booth.show(Scene::Code("BAD"), 1);
    assert_eq!(booth.sent_kinds(), ["LookUpTicket"]);
}

#[test]
fn a_code_may_be_typed_on_the_welcome_screen_and_on_the_ticket_screen() {
    let mut booth = booth();
    booth.touch(Touch::TicketCode { code: TicketCode::parse("TYPED") });
    assert_eq!(booth.sent_kinds(), ["LookUpTicket"]);
    booth.touch(Touch::Cancel);
    booth.touch(Touch::Begin);
    booth.touch(Touch::TicketCode { code: None });
    let problem = Some(TicketProblem::UnknownCode);
    assert_eq!(booth.view(), View::ShowTicket { problem });
    booth.touch(Touch::TicketCode { code: TicketCode::parse("TYPED") });
    assert_eq!(booth.sent_kinds(), ["LookUpTicket"]);
}

#[test]
fn declining_ends_without_anything_biometric() {
    let mut booth = booth();
    booth.reach_consent();
    booth.show(LEFT, 10);
    booth.touch(Touch::Decline);
    booth.assert_turned_away(Reason::DeclinedConsent, WayOn::QrLane);
    assert_eq!(booth.looks(), 0);
}

#[test]
fn only_an_offered_scope_can_be_accepted_and_a_double_tap_does_nothing() {
    let mut booth = booth();
    booth.reach_consent();
    booth.touch(Touch::Accept { scope: Scope::Company });
    assert_eq!(booth.screen(), "consent");
    booth.touch(Touch::Accept { scope: Scope::Event });
    booth.touch(Touch::Accept { scope: Scope::Venue });
    booth.touch(Touch::Hands { choice: HandsChoice::One });
    booth.touch(Touch::Hands { choice: HandsChoice::Both });
    booth.clear();
    booth.show(LEFT, 20);
    let Request::Enrol { consent, palms, .. } = booth.only_sent().request else {
        panic!("an enrolment");
    };
    assert_eq!((consent.scope, palms.len()), (Scope::Event, 1));
}

#[test]
fn somebody_younger_needs_a_guardian_and_nobody_asks_for_a_date_of_birth() {
    let mut booth = booth();
    booth.reach_consent();
    booth.touch(Touch::Younger);
    assert_eq!(booth.view(), View::Younger { minimum: 13, own_consent_from: 18 });
    booth.touch(Touch::Accept { scope: Scope::Event });
    assert_eq!(booth.screen(), "younger", "nothing is accepted without an answer");
    booth.clear();
    booth.touch(Touch::Age { choice: AgeChoice::Minor });
    assert!(matches!(booth.only_sent().request, Request::AskGuardian { .. }));
    booth.assert_turned_away(Reason::GuardianWanted, WayOn::QrLane);
    assert_eq!(booth.attention(), Attention::None, "no palm was looked at");
}

#[test]
fn somebody_too_young_goes_on_with_the_code() {
    let mut booth = booth();
    booth.reach_consent();
    booth.touch(Touch::Younger);
    booth.touch(Touch::Age { choice: AgeChoice::TooYoung });
    booth.assert_turned_away(Reason::TooYoung, WayOn::QrLane);
}

#[test]
fn with_a_guardians_consent_the_person_reads_and_accepts_themselves() {
    let mut booth = booth();
    booth.reach_consent_with(AgeTerms { minimum: 13, own_consent_from: 18, guardian: true });
    booth.touch(Touch::Younger);
    booth.touch(Touch::Age { choice: AgeChoice::Minor });
    let View::Consent { age, .. } = booth.view() else { panic!("the consent") };
    assert_eq!(age, AgeAsked { from: 13, by_guardian: true });
    booth.touch(Touch::Accept { scope: Scope::Event });
    booth.touch(Touch::Hands { choice: HandsChoice::One });
    booth.clear();
    booth.show(LEFT, 20);
    let Request::Enrol { consent, .. } = booth.only_sent().request else { panic!("an enrolment") };
    assert_eq!(consent.age, AgeSaid::ByGuardian);
}

#[test]
fn a_venue_for_grown_people_takes_nobody_younger_whoever_consents() {
    let mut booth = booth();
    booth.reach_consent_with(AgeTerms { minimum: 21, own_consent_from: 18, guardian: true });
    let View::Consent { age, .. } = booth.view() else { panic!("the consent") };
    assert_eq!(age, AgeAsked { from: 21, by_guardian: false });
    booth.touch(Touch::Younger);
    booth.assert_turned_away(Reason::TooYoung, WayOn::QrLane);
}

#[test]
fn another_language_asks_for_the_text_in_it() {
    let mut booth = booth();
    booth.reach_consent();
    booth.touch(Touch::Language { language: Language::De });
    assert_eq!(booth.screen(), "working");
    let lookup = booth.only_sent();
    assert!(matches!(lookup.request, Request::LookUpTicket { language: Language::De, .. }));
    booth.answer(lookup.id, Answer::ConsentOffer(offer(Language::De)));
    booth.touch(Touch::Accept { scope: Scope::Event });
    booth.touch(Touch::Hands { choice: HandsChoice::One });
    booth.clear();
    booth.show(LEFT, 20);
    let Request::Enrol { consent, .. } = booth.only_sent().request else { panic!("an enrolment") };
    assert_eq!(consent.language, Language::De);
}

type Step = (&'static str, fn(&mut Booth));

/// Every screen before storing, with the way to it.
const STEPS: [Step; 5] = [
    ("show_ticket", |booth| booth.touch(Touch::Begin)),
    ("working", |booth| {
        booth.touch(Touch::Begin);
        booth.show(Scene::Code("TICKET-1"), 1);
    }),
    ("consent", Booth::reach_consent),
    ("choose_hands", |booth| {
        booth.reach_consent();
        booth.touch(Touch::Accept { scope: Scope::Event });
    }),
    ("palm", |booth| {
        booth.reach_palm(HandsChoice::Both);
        booth.clear();
        booth.show(LEFT, 14);
        booth.clear();
        booth.show(RIGHT, 8);
    }),
];

#[test]
fn cancel_forgets_everything_on_every_screen() {
    for (screen, go) in STEPS {
        let mut booth = booth();
        go(&mut booth);
        assert_eq!(booth.screen(), screen);
        booth.touch(Touch::Cancel);
        assert_eq!(booth.screen(), "welcome");
        assert_eq!((booth.samples_alive(), booth.frames_alive()), (0, 0), "{screen}");
    }
}

#[test]
fn every_screen_gives_up_after_its_time() {
    let left = [
        ("show_ticket", 90, None),
        ("working", 5, Some((Reason::Internal, WayOn::Staff))),
        ("consent", 300, None),
        ("choose_hands", 60, None),
        ("palm", 30, Some((Reason::CaptureTimeout, WayOn::TryAgain))),
    ];
    for ((screen, go), (same, seconds, turned_away)) in STEPS.into_iter().zip(left) {
        assert_eq!(screen, same);
        let mut booth = booth();
        go(&mut booth);
        // The palm was asked for before its frames were shown.
        let slack = if screen == "palm" { 4 } else { 1 };
        booth.wait(Duration::from_secs(seconds - slack));
        assert_eq!(booth.screen(), screen);
        booth.wait(Duration::from_secs(slack));
        match turned_away {
            Some((reason, way_on)) => booth.assert_turned_away(reason, way_on),
            None => assert_eq!(booth.screen(), "welcome"),
        }
        drop(booth.sent());
        assert_eq!(booth.samples_alive(), 0, "{screen}");
    }
}

#[test]
fn a_capture_that_fails_is_reported_with_its_last_advice() {
    let mut booth = booth();
    booth.reach_palm(HandsChoice::One);
    booth.clear();
    for _ in 0..40 {
        booth.show(Scene::Awkward(GuidanceState::Tilt), 12);
    }
    let last = booth.only_sent();
    assert!(matches!(last.request, Request::CaptureFailed { last: GuidanceState::Tilt }));
}

#[test]
fn what_is_being_stored_is_not_cancelled_and_ends_with_an_answer_or_its_time() {
    let mut booth = booth();
    let errand = booth.reach_enrolling();
    booth.touch(Touch::Cancel);
    booth.change(forbidden());
    assert_eq!(booth.screen(), "working");
    booth.wait(Duration::from_secs(15));
    booth.assert_turned_away(Reason::VaultUnavailable, WayOn::QrLane);
    booth.answer(errand.id, enrolled());
    booth.assert_turned_away(Reason::VaultUnavailable, WayOn::QrLane);
}

#[test]
fn late_answers_of_a_cancelled_session_are_ignored() {
    let mut booth = booth();
    booth.touch(Touch::Begin);
    booth.show(Scene::Code("TICKET-1"), 1);
    let cancelled = booth.only_sent();
    booth.touch(Touch::Cancel);
    booth.answer(cancelled.id, Answer::ConsentOffer(offer(Language::En)));
    assert_eq!(booth.screen(), "welcome");
    booth.touch(Touch::Begin);
    booth.show(Scene::Code("TICKET-2"), 1);
    booth.answer(cancelled.id, Answer::ConsentOffer(offer(Language::En)));
    assert_eq!(booth.screen(), "working");
    let lookup = booth.only_sent();
    booth.answer(lookup.id, Answer::ConsentOffer(offer(Language::En)));
    assert_eq!(booth.screen(), "consent");
    booth.answer(lookup.id, Answer::TicketProblem(TicketProblem::NotValid));
    assert_eq!(booth.screen(), "consent", "an answer is taken once");
}

#[test]
fn an_answer_of_the_wrong_kind_is_a_fault_of_ours() {
    let mut booth = booth();
    booth.touch(Touch::Begin);
    booth.show(Scene::Code("TICKET-1"), 1);
    let lookup = booth.only_sent();
    booth.answer(lookup.id, enrolled());
    booth.assert_turned_away(Reason::Internal, WayOn::Staff);
}

#[test]
fn an_event_without_biometrics_does_not_even_begin() {
    let mut booth = booth();
    booth.change(forbidden());
    booth.touch(Touch::Begin);
    booth.assert_turned_away(Reason::NoBiometrics, WayOn::QrLane);
    booth.touch(Touch::Cancel);
    booth.touch(Touch::TicketCode { code: TicketCode::parse("TYPED") });
    booth.assert_turned_away(Reason::NoBiometrics, WayOn::QrLane);
    booth.show(LEFT, 10);
    assert_eq!((booth.looks(), booth.sent_kinds().len()), (0, 0));
}

#[test]
fn nobody_begins_to_enrol_while_the_vault_is_away() {
    let mut booth = booth();
    let away = Situation { biometrics: Biometrics::Unavailable, ..situation() };
    booth.change(away);
    booth.touch(Touch::Begin);
    booth.assert_turned_away(Reason::VaultUnavailable, WayOn::QrLane);
    booth.show(LEFT, 10);
    assert_eq!((booth.looks(), booth.sent_kinds().len()), (0, 0));
    booth.touch(Touch::Cancel);
    booth.change(situation());
    booth.touch(Touch::Begin);
    assert_eq!(booth.screen(), "show_ticket");
}

#[test]
fn the_switch_turned_during_a_capture_ends_it_at_once() {
    let mut booth = booth();
    booth.reach_palm(HandsChoice::Both);
    booth.clear();
    booth.show(LEFT, 14);
    assert!(booth.samples_alive() > 0);
    let looks = booth.looks();
    booth.change(forbidden());
    booth.assert_turned_away(Reason::NoBiometrics, WayOn::QrLane);
    assert_eq!(booth.samples_alive(), 0);
    booth.show(LEFT, 10);
    assert_eq!(booth.looks(), looks);
}

#[test]
fn a_silent_hub_ends_a_capture() {
    let mut booth = booth();
    booth.reach_palm(HandsChoice::One);
    booth.hub_is_silent = true;
    booth.wait(Duration::from_secs(20));
    let looks = booth.looks();
    booth.show(palm(Side::Left), 5);
    assert_eq!(booth.looks(), looks);
    assert_eq!(booth.samples_alive(), 0);
}

#[test]
fn nothing_begins_before_the_hub_has_said_what_applies() {
    let mut booth = booth();
    booth.hub_is_silent = true;
    booth.wait(Duration::from_secs(20));
    assert_eq!(booth.view(), View::Working {});
    booth.touch(Touch::Begin);
    assert_eq!(booth.view(), View::Working {});
    booth.hub_is_silent = false;
    booth.wait(Duration::from_secs(3));
    assert_eq!(booth.screen(), "welcome");
}
