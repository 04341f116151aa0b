//! The entry lane: hover, verdict, next.

use handfast_model::Duration;
use handfast_pedestal::{
    Answer, Attention, Biometrics, Cue, Direction, GuidanceState, Mode, Purpose, Reason, Request,
    RequestId, Side, Situation, Touch, View, WantedSide, WayOn,
};

use crate::script::{Booth, LEFT, REASONS, RIGHT, Scene, forbidden, situation};

/// A lane that nobody stands at.
fn lane() -> Booth {
    let mut booth = Booth::new(Mode::EntryLane);
    booth.clear();
    booth
}

/// A hover up to its search.
fn hover(booth: &mut Booth) -> RequestId {
    booth.show(LEFT, 8);
    assert_eq!(booth.screen(), "working");
    let errand = booth.only_sent();
    assert!(matches!(errand.request, Request::Identify { .. }));
    errand.id
}

fn identified(available: u32) -> Answer {
    Answer::Identified { available, max: 8 }
}

const IN: Answer = Answer::Admitted { count: 1, direction: Direction::Left };

#[test]
fn a_palm_with_one_ticket_enters_without_a_touch() {
    let mut booth = lane();
    let welcome = View::Welcome { event: situation().event, biometrics: Biometrics::Allowed };
    assert_eq!(booth.view(), welcome);
    let start = booth.now;
    booth.show(LEFT, 2);
    let asks = View::Palm {
        purpose: Purpose::Enter,
        side: WantedSide::Either,
        palm: 1,
        palms: 1,
        taken: 1,
        wanted: 3,
        charge: None,
    };
    assert_eq!(booth.view(), asks);
    booth.show(LEFT, 2);
    assert_eq!(booth.view(), View::Working {});
    assert!(booth.now - start <= Duration::from_millis(300), "little of the second is spent");
    let search = booth.only_sent();
    let Request::Identify { presentation } = search.request else { panic!("a search") };
    assert_eq!(presentation.len(), 3);
    booth.answer(search.id, identified(1));
    let entry = booth.only_sent();
    assert!(matches!(
        entry.request,
        Request::Admit { identified, count: 1 } if identified == search.id
    ));
    booth.answer(entry.id, IN);
    assert_eq!(booth.view(), View::Admitted { count: 1, direction: Direction::Left });
    booth.wait(Duration::from_secs(2));
    assert_eq!(booth.screen(), "welcome");
}

#[test]
fn a_hand_that_does_not_hold_long_is_searched_with_what_there_is() {
    let mut booth = lane();
    booth.show(LEFT, 2);
    booth.show(Scene::Awkward(GuidanceState::Blurred), 6);
    assert_eq!(booth.screen(), "working");
    let Request::Identify { presentation } = booth.only_sent().request else { panic!("a search") };
    assert_eq!(presentation.len(), 1);
    // ... even where the camera stops.
    let mut booth = lane();
    booth.show(LEFT, 2);
    booth.wait(Duration::from_millis(400));
    assert_eq!(booth.sent_kinds(), ["Identify"]);
}

#[test]
fn several_tickets_let_the_person_choose() {
    let mut booth = lane();
    let search = hover(&mut booth);
    booth.answer(search, Answer::Identified { available: 5, max: 4 });
    assert_eq!(booth.view(), View::ChooseCount { available: 5, max: 4 });
    for count in [0, 5, u32::MAX] {
        booth.touch(Touch::Count { count });
        assert_eq!(booth.screen(), "choose_count");
    }
    booth.touch(Touch::Count { count: 3 });
    booth.touch(Touch::Count { count: 2 });
    let entry = booth.only_sent();
    assert!(matches!(
        entry.request,
        Request::Admit { identified, count: 3 } if identified == search
    ));
    booth.answer(entry.id, Answer::Admitted { count: 3, direction: Direction::Straight });
    assert_eq!(booth.view(), View::Admitted { count: 3, direction: Direction::Straight });
}

#[test]
fn never_more_than_eight_enter_at_a_time() {
    let mut booth = lane();
    let search = hover(&mut booth);
    booth.answer(search, Answer::Identified { available: 40, max: 40 });
    assert_eq!(booth.view(), View::ChooseCount { available: 40, max: 8 });
}

#[test]
fn a_person_who_does_not_choose_enters_with_nobody_and_is_forgotten() {
    let leave: [fn(&mut Booth); 3] = [
        |booth| booth.wait(Duration::from_secs(20)),
        |booth| booth.touch(Touch::Cancel),
        |booth| booth.change(forbidden()),
    ];
    for leave in leave {
        let mut booth = lane();
        let search = hover(&mut booth);
        booth.answer(search, identified(2));
        leave(&mut booth);
        let released = booth.only_sent();
        assert!(
            matches!(released.request, Request::Release { identified } if identified == search)
        );
        assert_eq!(booth.screen(), "welcome");
        booth.touch(Touch::Count { count: 2 });
        assert!(booth.sent_kinds().is_empty());
    }
}

#[test]
fn the_hand_has_to_leave_before_the_next_person() {
    let mut booth = lane();
    let search = hover(&mut booth);
    booth.answer(search, Answer::Refused(Reason::NoTicket));
    booth.assert_turned_away(Reason::NoTicket, WayOn::Staff);
    booth.show(LEFT, 200);
    assert_eq!((booth.screen().as_str(), booth.sent_kinds().len()), ("welcome", 0));
    assert_eq!(booth.advice(), Some(GuidanceState::TakeHandAway));
    booth.clear();
    hover(&mut booth);
}

#[test]
fn a_hand_that_left_during_the_outcome_does_not_delay_the_next_person() {
    let mut booth = lane();
    let search = hover(&mut booth);
    booth.answer(search, identified(1));
    let entry = booth.only_sent();
    booth.answer(entry.id, IN);
    booth.show(Scene::Empty, 32);
    assert_eq!(booth.screen(), "welcome");
    hover(&mut booth);
}

#[test]
fn nothing_is_taken_while_an_outcome_is_shown() {
    let mut booth = lane();
    let search = hover(&mut booth);
    booth.answer(search, identified(1));
    let entry = booth.only_sent();
    booth.answer(entry.id, IN);
    booth.show(Scene::Empty, 5);
    booth.show(RIGHT, 10);
    assert_eq!((booth.screen().as_str(), booth.samples_alive()), ("admitted", 0));
    assert!(booth.sent_kinds().is_empty());
}

#[test]
fn who_is_not_recognised_gets_one_more_search_with_fresh_frames() {
    for miss in [Reason::NotRecognised, Reason::Ambiguous] {
        let mut booth = lane();
        let first = hover(&mut booth);
        let seen_until = booth.frames_seen();
        booth.answer(first, Answer::Refused(miss));
        assert_eq!(booth.screen(), "palm");
        booth.show(LEFT, 8);
        let second = booth.only_sent();
        let Request::Identify { presentation } = &second.request else { panic!("a search") };
        assert!(presentation.iter().all(|taken| taken.frame > seen_until));
        booth.answer(second.id, Answer::Refused(miss));
        booth.assert_turned_away(miss, WayOn::QrLane);
        // The next person starts with a first attempt again.
        booth.show(Scene::Empty, 100);
        let third = hover(&mut booth);
        booth.answer(third, Answer::Refused(miss));
        assert_eq!(booth.screen(), "palm");
    }
}

#[test]
fn who_leaves_between_two_searches_leaves_no_attempt_behind() {
    let mut booth = lane();
    let first = hover(&mut booth);
    booth.answer(first, Answer::Refused(Reason::NotRecognised));
    booth.clear();
    assert_eq!(booth.screen(), "welcome");
    let other = hover(&mut booth);
    booth.answer(other, Answer::Refused(Reason::NotRecognised));
    assert_eq!(booth.screen(), "palm");
}

#[test]
fn every_refusal_has_a_way_on() {
    for reason in REASONS {
        let mut booth = lane();
        let mut search = hover(&mut booth);
        if matches!(reason, Reason::NotRecognised | Reason::Ambiguous) {
            booth.answer(search, Answer::Refused(reason));
            search = hover(&mut booth);
        }
        booth.answer(search, Answer::Refused(reason));
        let way_on = match reason {
            Reason::NotRecognised
            | Reason::Ambiguous
            | Reason::NoBiometrics
            | Reason::CaptureTimeout
            | Reason::CaptureRefused
            | Reason::VaultUnavailable => WayOn::QrLane,
            _ => WayOn::Staff,
        };
        booth.assert_turned_away(reason, way_on);
        assert_eq!(booth.samples_alive(), 0);
        booth.show(Scene::Empty, 100);
        assert_eq!(booth.screen(), "welcome");
    }
}

#[test]
fn a_refused_entry_is_shown() {
    let mut booth = lane();
    let search = hover(&mut booth);
    booth.answer(search, identified(1));
    let entry = booth.only_sent();
    booth.answer(entry.id, Answer::Refused(Reason::AlreadyRedeemed));
    booth.assert_turned_away(Reason::AlreadyRedeemed, WayOn::Staff);
}

#[test]
fn a_palm_without_a_ticket_that_could_enter_is_told_so() {
    for none in [identified(0), Answer::Identified { available: 3, max: 0 }] {
        let mut booth = lane();
        let search = hover(&mut booth);
        booth.answer(search, none);
        booth.assert_turned_away(Reason::NoTicket, WayOn::Staff);
    }
}

#[test]
fn an_unanswered_search_and_an_unanswered_entry_end_in_time() {
    let mut booth = lane();
    let search = hover(&mut booth);
    booth.wait(Duration::from_secs(3));
    booth.assert_turned_away(Reason::VaultUnavailable, WayOn::QrLane);
    booth.answer(search, identified(1));
    assert!(booth.sent_kinds().is_empty(), "a late answer lets nobody in");

    let mut booth = lane();
    let search = hover(&mut booth);
    booth.answer(search, identified(1));
    let entry = booth.only_sent();
    booth.wait(Duration::from_secs(5));
    booth.assert_turned_away(Reason::Internal, WayOn::Staff);
    booth.answer(entry.id, IN);
    booth.assert_turned_away(Reason::Internal, WayOn::Staff);
}

#[test]
fn a_hand_that_gives_no_good_frame_is_sent_on() {
    let mut booth = lane();
    booth.show(Scene::Awkward(GuidanceState::OpenFingers), 100);
    assert_eq!(booth.advice(), Some(GuidanceState::OpenFingers));
    booth.show(Scene::Awkward(GuidanceState::OpenFingers), 25);
    booth.assert_turned_away(Reason::CaptureTimeout, WayOn::QrLane);
    let report = booth.only_sent();
    assert!(matches!(report.request, Request::CaptureFailed { last: GuidanceState::OpenFingers }));
}

#[test]
fn who_holds_well_only_when_sent_on_leaves_nothing_behind() {
    let mut booth = lane();
    booth.show(Scene::Awkward(GuidanceState::OpenFingers), 125);
    booth.assert_turned_away(Reason::CaptureTimeout, WayOn::QrLane);
    drop(booth.sent());
    for _ in 0..5 {
        booth.show(LEFT, 1);
        assert_eq!(booth.samples_alive(), 0);
    }
    assert!(booth.sent_kinds().is_empty());
}

#[test]
fn a_dark_or_dazzled_lane_is_patient() {
    for (scene, advice) in
        [(Scene::Dark, GuidanceState::TooDark), (Scene::Dazzled, GuidanceState::Glare)]
    {
        let mut booth = lane();
        booth.show(scene, 300);
        assert_eq!((booth.screen().as_str(), booth.advice()), ("welcome", Some(advice)));
        assert!(booth.sent_kinds().is_empty());
    }
}

#[test]
fn a_cancelled_search_lets_nobody_in() {
    let mut booth = lane();
    let search = hover(&mut booth);
    booth.touch(Touch::Cancel);
    booth.answer(search, identified(1));
    assert_eq!((booth.screen().as_str(), booth.sent_kinds().len()), ("welcome", 0));
    assert_eq!(booth.samples_alive(), 0);
}

#[test]
fn a_capture_of_no_living_hand_is_sent_to_the_other_lane_and_searched_nowhere() {
    let mut booth = lane();
    booth.log.suspects.set(2);
    booth.show(LEFT, 12);
    booth.assert_turned_away(Reason::CaptureRefused, WayOn::QrLane);
    assert_eq!(booth.sent_kinds(), ["CaptureRefused", "CaptureRefused"]);
    assert_eq!(booth.samples_alive(), 0);
    booth.show(LEFT, 100);
    assert!(booth.sent_kinds().is_empty(), "what is still there has to leave first");
    booth.clear();
    booth.show(RIGHT, 6);
    assert_eq!(booth.sent_kinds(), ["Identify"]);
}

#[test]
fn a_living_hand_that_looked_like_none_once_is_captured_again() {
    let mut booth = lane();
    booth.log.suspects.set(1);
    booth.show(LEFT, 12);
    assert_eq!(booth.sent_kinds(), ["CaptureRefused", "Identify"]);
}

#[test]
fn frames_that_make_no_template_are_taken_again() {
    let mut booth = lane();
    booth.log.unfit_presentations.set(1);
    booth.show(LEFT, 4);
    assert_eq!(booth.screen(), "palm");
    booth.show(LEFT, 4);
    assert_eq!(booth.sent_kinds(), ["Identify"]);
}

#[test]
fn a_lane_whose_vault_is_away_says_so_and_opens_by_itself_when_it_is_back() {
    let mut booth = lane();
    booth.show(LEFT, 2);
    booth.change(Situation { biometrics: Biometrics::Unavailable, ..situation() });
    let (event, biometrics) = (situation().event, Biometrics::Unavailable);
    assert_eq!(booth.view(), View::Welcome { event: event.clone(), biometrics });
    assert_eq!((booth.attention(), booth.samples_alive()), (Attention::None, 0));
    booth.touch(Touch::Begin);
    assert_eq!(booth.screen(), "welcome");
    booth.change(situation());
    assert_eq!(booth.view(), View::Welcome { event, biometrics: Biometrics::Allowed });
    assert_eq!(booth.attention(), Attention::Palm);
}

#[test]
fn an_event_without_biometrics_never_looks() {
    let mut booth = Booth::new(Mode::EntryLane);
    booth.change(forbidden());
    let (event, biometrics) = (situation().event, Biometrics::Forbidden);
    assert_eq!(booth.view(), View::Welcome { event, biometrics });
    assert_eq!((booth.attention(), booth.advice()), (Attention::None, None));
    booth.touch(Touch::Begin);
    booth.clear();
    booth.show(LEFT, 30);
    assert_eq!((booth.looks(), booth.sent_kinds().len()), (0, 0));
    assert_eq!(booth.cue(), Cue::Nothing);
}

#[test]
fn without_an_event_or_the_hubs_word_the_lane_never_looks() {
    let mut booth = Booth::new(Mode::EntryLane);
    booth.change(Situation { event: None, ..situation() });
    booth.show(LEFT, 30);
    assert_eq!(booth.view(), View::Welcome { event: None, biometrics: Biometrics::Allowed });
    assert_eq!(booth.looks(), 0);

    let mut booth = lane();
    booth.hub_is_silent = true;
    booth.wait(Duration::from_secs(16));
    let looks = booth.looks();
    booth.show(LEFT, 30);
    assert_eq!((booth.view(), booth.looks()), (View::Working {}, looks));
    booth.hub_is_silent = false;
    booth.wait(Duration::from_secs(3));
    assert_eq!(booth.screen(), "welcome");
}

#[test]
fn the_switch_turned_during_a_hover_ends_it_at_once() {
    let mut booth = lane();
    booth.show(LEFT, 3);
    assert!(booth.samples_alive() > 0);
    booth.change(forbidden());
    assert_eq!((booth.screen().as_str(), booth.samples_alive()), ("welcome", 0));
    let looks = booth.looks();
    booth.show(LEFT, 10);
    assert_eq!(booth.looks(), looks);
}

#[test]
fn the_switch_turned_during_a_search_lets_nobody_in() {
    let mut booth = lane();
    let search = hover(&mut booth);
    booth.change(forbidden());
    booth.answer(search, identified(1));
    assert!(booth.sent_kinds().is_empty());
}

#[test]
fn an_entry_under_way_is_finished_without_looking_when_the_switch_is_turned() {
    let mut booth = lane();
    let search = hover(&mut booth);
    booth.answer(search, identified(1));
    let entry = booth.only_sent();
    booth.change(forbidden());
    let looks = booth.looks();
    booth.show(LEFT, 3);
    booth.answer(entry.id, IN);
    assert_eq!(booth.screen(), "admitted");
    booth.show(LEFT, 40);
    assert_eq!((booth.screen().as_str(), booth.looks()), ("welcome", looks));
}

#[test]
fn another_event_starts_the_lane_anew() {
    let mut booth = lane();
    booth.show(LEFT, 3);
    let mut other = situation();
    other.event.as_mut().expect("an event").name = "Second night".into();
    booth.change(other.clone());
    assert_eq!(booth.samples_alive(), 0);
    booth.show(LEFT, 20);
    assert_eq!(booth.advice(), Some(GuidanceState::TakeHandAway));
    let biometrics = Biometrics::Allowed;
    assert_eq!(booth.view(), View::Welcome { event: other.event, biometrics });
}

#[test]
fn somebody_who_asks_first_gets_the_prompt_and_a_simulated_hand_its_cue() {
    let mut booth = lane();
    assert_eq!(booth.cue(), Cue::Nothing);
    booth.touch(Touch::Begin);
    assert_eq!(booth.screen(), "palm");
    let hand = Cue::Hand { side: WantedSide::Either };
    assert_eq!(booth.cue(), hand);
    let search = hover(&mut booth);
    assert_eq!(booth.cue(), hand, "the hand stays until the verdict");
    booth.answer(search, Answer::Refused(Reason::NoTicket));
    assert_eq!(booth.cue(), Cue::Nothing);
    booth.show(Scene::Empty, 100);
    assert_eq!((booth.screen().as_str(), booth.cue()), ("welcome", Cue::Nothing));
    booth.touch(Touch::Begin);
    booth.wait(Duration::from_secs(15));
    assert_eq!(booth.screen(), "welcome");
}

#[test]
fn both_hands_may_enter() {
    for (scene, side) in [(LEFT, Side::Left), (RIGHT, Side::Right)] {
        let mut booth = lane();
        booth.show(scene, 8);
        let Request::Identify { presentation } = booth.only_sent().request else {
            panic!("a search");
        };
        assert!(presentation.iter().all(|taken| taken.side == side));
    }
}
