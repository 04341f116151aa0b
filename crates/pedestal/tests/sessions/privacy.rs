//! What a session holds, and that it lets go of it.

use handfast_pedestal::{HandsChoice, Mode, Purpose, Request, Scope, Touch};

use crate::script::{Booth, LEFT, RIGHT, Scene};

#[test]
fn a_frame_is_gone_before_the_next_one_comes() {
    let mut booth = Booth::new(Mode::EnrolOutside);
    booth.reach_palm(HandsChoice::Both);
    for scene in [Scene::Empty, LEFT, Scene::Dazzled, LEFT, RIGHT] {
        booth.show(scene, 10);
        assert_eq!(booth.frames_alive(), 0);
    }
}

#[test]
fn no_frame_reaches_the_palm_engine_before_consent_or_the_reader_after_the_ticket() {
    let mut booth = Booth::new(Mode::EnrolOutside);
    booth.show(LEFT, 5);
    booth.touch(Touch::Begin);
    booth.show(LEFT, 5);
    booth.show(Scene::Code("TICKET-1"), 1);
    booth.show(LEFT, 5);
    booth.touch(Touch::Cancel);
    drop(booth.sent());
    booth.reach_consent();
    booth.show(LEFT, 5);
    let reads = booth.log.code_reads.get();
    booth.touch(Touch::Accept { scope: Scope::Event });
    booth.show(LEFT, 5);
    assert_eq!(booth.looks(), 0);
    booth.touch(Touch::Hands { choice: HandsChoice::One });
    booth.show(LEFT, 5);
    assert_eq!(booth.looks(), 4, "the first came before the question could be read");
    assert_eq!(booth.log.code_reads.get(), reads);
    assert!(booth.log.looks.borrow().iter().all(|look| look.purpose == Purpose::Enrol));
}

#[test]
fn samples_live_only_as_long_as_the_request_they_were_packed_into() {
    let mut booth = Booth::new(Mode::EnrolOutside);
    let errand = booth.reach_enrolling();
    let Request::Enrol { palms, .. } = errand.request else { panic!("an enrolment") };
    assert_eq!(booth.samples_alive(), 3, "the session holds none beside the packed ones");
    drop(palms);
    assert_eq!(booth.samples_alive(), 0);

    let mut booth = Booth::new(Mode::EntryLane);
    booth.clear();
    booth.show(LEFT, 8);
    let errand = booth.only_sent();
    assert_eq!(booth.samples_alive(), 3);
    drop(errand);
    assert_eq!(booth.samples_alive(), 0);
}

#[test]
fn a_lost_connection_forgets_everything() {
    let mut booth = Booth::new(Mode::EnrolOutside);
    booth.reach_palm(HandsChoice::Both);
    booth.clear();
    booth.show(LEFT, 14);
    booth.clear();
    booth.show(RIGHT, 8);
    assert!(booth.samples_alive() > 3);
    booth.disconnect();
    assert_eq!((booth.samples_alive(), booth.frames_alive()), (0, 0));
}

#[test]
fn a_hand_that_leaves_takes_its_frames_with_it() {
    let mut booth = Booth::new(Mode::EntryLane);
    booth.clear();
    booth.show(LEFT, 3);
    assert!(booth.samples_alive() > 0);
    booth.clear();
    // What was good before it left is searched or gone, never kept.
    drop(booth.sent());
    assert_eq!(booth.samples_alive(), 0);
}

#[test]
fn nothing_prints_a_code_or_a_palm() {
    let mut booth = Booth::new(Mode::EnrolOutside);
    booth.touch(Touch::Begin);
    booth.show(Scene::Code("SECRET-CODE"), 1);
    let lookup = booth.only_sent();
    assert!(!format!("{lookup:?}").contains("SECRET"));
    let touch: Touch =
        serde_json::from_str(r#"{"type":"ticket_code","code":"SECRET-CODE"}"#).expect("a touch");
    assert!(!format!("{touch:?}").contains("SECRET"));
}
