//! Which changes a node refuses, with which reason, and that nothing has changed then.

use handfast_model::Duration;
use handfast_mpc::Role;
use handfast_palm::Side;

use super::history::{EVENTS, HOME, History, Outcome};
use super::memory_store::Fault;
use super::refusal_testing::{ask_search, refused_for, vault};
use super::testing::{probe, spec};
use super::{
    Change, DeviceName, GalleryName, GalleryPurpose, OperationName, QueryName, Reason, Refusal,
    Reply, Request, Sought,
};

#[test]
fn a_full_disk_stops_changes_until_there_is_space() {
    let mut history = vault();
    for node in 0..3 {
        history.simulator.disks[node].set_fault(Fault::Full);
        let until = history.simulator.now + Duration::from_days(1);
        let name = OperationName::draw(&*history.simulator.random);
        let change = Change::Arm { gallery: EVENTS[1], slot: 1, until, consent: [node as u8; 16] };
        let operate = Request::Operate { name, change, shares: None };
        let replies = history.ask_all(&operate);
        let committed = replies.iter().filter(|reply| matches!(reply, Some(Reply::Committed(_))));
        assert_eq!(committed.count(), 0, "two nodes cannot commit");
        assert!(!history.simulator.node(Role::ALL[node]).unwrap().status().store_works);
        history.simulator.disks[node].set_fault(Fault::None);
        history.simulator.pass(Duration::from_secs(12));
        // It was given up while the disk was full, or is done now that there is space.
        let replies = history.ask_all(&Request::OperationState(name));
        let committed = |reply: &Option<Reply>| matches!(reply, Some(Reply::Committed(_)));
        let given_up = |reply: &Option<Reply>| matches!(reply, Some(Reply::GivenUp(_)));
        assert!(replies.iter().all(committed) || replies.iter().all(given_up), "{replies:?}");
        history.must(Change::Arm { gallery: EVENTS[1], slot: 1, until, consent: [9; 16] });
    }
    history.check_agreement();
}

/// A duplicate check of a palm, and the operation at which it was made.
fn checked(history: &mut History, side: Side, shown: &[i16]) -> (QueryName, u64) {
    let opened = history.search(HOME, side, Sought::Duplicate, shown);
    let opened = opened.expect("nothing goes wrong");
    (opened.query, opened.at.number)
}

#[test]
fn a_front_cannot_enrol_past_the_duplicate_check() {
    let mut history = vault();
    let until = history.simulator.now + Duration::from_days(1);
    let palms = [(Side::Left, 4)];
    let without = history.enrol_unchecked(&palms, until, Vec::new(), 0);
    assert!(refused_for(&without, Reason::Unchecked), "{without:?}");
    let invented = history.enrol_unchecked(&palms, until, vec![QueryName([9; 16])], 0);
    assert!(refused_for(&invented, Reason::CheckOutdated), "{invented:?}");
    let shown = history.shown_to_enrol(4);
    let (query, at) = checked(&mut history, Side::Right, &shown);
    let other_side = history.enrol_unchecked(&palms, until, vec![query], at);
    assert!(refused_for(&other_side, Reason::CheckOutdated), "{other_side:?}");
    // Palm 0 is there: its check says so, to the nodes as well.
    let shown = history.shown_to_enrol(0);
    let (query, at) = checked(&mut history, Side::Left, &shown);
    let twice = history.enrol_unchecked(&[(Side::Left, 0)], until, vec![query], at);
    assert!(matches!(twice, Outcome::GivenUp), "{twice:?}");
    let counted = Role::ALL.map(|role| history.simulator.node(role).unwrap().status().refusals);
    assert!(counted.iter().any(|refusals| refusals.of(Reason::Duplicate) > 0));
    // The reference is part of what is checked: a stranger's probes in front of it change nothing.
    let shown = [probe(77, 3), super::testing::palm(0)].concat();
    let (query, at) = checked(&mut history, Side::Left, &shown);
    let hidden = history.enrol_unchecked(&[(Side::Left, 0)], until, vec![query], at);
    assert!(matches!(hidden, Outcome::GivenUp), "{hidden:?}");
    assert_eq!(history.stored(u64::MAX).len(), 1);
    let enrolled = history.enrol(&palms, until);
    assert!(matches!(enrolled, Outcome::Committed(_)), "{enrolled:?}");
    history.check_agreement();
}

#[test]
fn a_company_has_one_gallery_for_its_palms_and_none_without_checks() {
    let mut history = vault();
    let mut second = spec(9, GalleryPurpose::Enrolment);
    second.party = spec(1, GalleryPurpose::Enrolment).party;
    let unchecked = spec(9, GalleryPurpose::DangerUnchecked);
    for (spec, reason) in [(second, Reason::Exists), (unchecked, Reason::Unchecked)] {
        let opened = history.operate(Change::OpenGallery(spec), None);
        assert!(refused_for(&opened, reason), "{opened:?}");
    }
    history.check_agreement();
}

#[test]
fn of_two_fronts_that_enrol_one_palm_one_succeeds() {
    let mut history = vault();
    let until = history.simulator.now + Duration::from_days(1);
    let shown = history.shown_to_enrol(6);
    let mut checks = Vec::new();
    for _ in 0..2 {
        let now = history.challenges().unwrap();
        let search = (HOME, Side::Left, Sought::Duplicate);
        let searches = history.searches(search, now, &shown);
        let replies = ask_search(&mut history, &searches);
        assert!(replies.iter().all(|reply| matches!(reply, Some(Reply::Found(_)))));
        checks.push((searches[0].query, now.1.number));
    }
    let mut ended = Vec::new();
    for (query, at) in checks {
        ended.push(history.enrol_unchecked(&[(Side::Left, 6)], until, vec![query], at));
    }
    assert!(matches!(ended[0], Outcome::Committed(_)), "{:?}", ended[0]);
    let refused = matches!(
        ended[1],
        Outcome::Refused(Refusal { reason: Reason::CheckOutdated, .. }) | Outcome::Unknown
    );
    assert!(refused, "{:?}", ended[1]);
    history.check_agreement();
    assert_eq!(history.stored(u64::MAX).len(), 2);
}

#[test]
fn two_fronts_changes_follow_each_other() {
    let mut history = vault();
    let until = history.simulator.now + Duration::from_days(1);
    let mut asked = Vec::new();
    for at in 0..20_u8 {
        let name = OperationName([at + 1; 16]);
        let gallery = EVENTS[usize::from(at % 2)];
        let change = Change::Arm { gallery, slot: 1, until, consent: [at; 16] };
        let bytes = Request::Operate { name, change, shares: None }.to_bytes();
        asked.push(history.simulator.ask([Some(bytes.clone()), Some(bytes.clone()), Some(bytes)]));
    }
    for requests in asked {
        let replies = history.simulator.wait(requests);
        assert!(replies.iter().all(|reply| matches!(reply, Some(Reply::Committed(_)))));
    }
    history.check_agreement();
}

#[test]
fn changes_that_make_no_sense_are_refused() {
    let mut history = vault();
    let until = history.simulator.now + Duration::from_days(1);
    let past = history.simulator.now - Duration::from_secs(1);
    let (gallery, consent) = (EVENTS[0], [0; 16]);
    let mut lax = spec(9, GalleryPurpose::Entry);
    lax.policy.identify = 0;
    let mut other = spec(2, GalleryPurpose::Entry);
    other.policy.verify = 1;
    let cases = [
        (Change::Arm { gallery, slot: 99, until, consent }, Reason::SlotUnknown),
        (Change::Arm { gallery, slot: 1, until: past, consent }, Reason::UntilPassed),
        (Change::Delete { slots: vec![1, 99] }, Reason::SlotUnknown),
        (Change::CloseGallery(GalleryName([9; 16])), Reason::GalleryUnknown),
        (Change::OpenGallery(lax), Reason::Limits),
        (Change::OpenGallery(other), Reason::Exists),
        (Change::RevokeDevice(DeviceName([9; 16])), Reason::DeviceUnknown),
    ];
    let before = history.simulator.disks[0].operations().len();
    for (change, reason) in cases {
        let name = OperationName::draw(&*history.simulator.random);
        let operate = Request::Operate { name, change, shares: None };
        let asked_at = history.simulator.now;
        let replies = history.ask_all(&operate);
        let [reply, ..] = &replies;
        let refused = matches!(reply, Some(Reply::Refused(refusal)) if refusal.reason == reason);
        assert!(refused, "{reason:?}: {reply:?}");
        // What A does not number the others do not wait for.
        assert!(replies.iter().all(Option::is_some), "{reason:?}: {replies:?}");
        assert!(history.simulator.now - asked_at < Duration::from_secs(1), "{reason:?}");
    }
    history.must(Change::OpenGallery(spec(2, GalleryPurpose::Entry)));
    assert_eq!(history.simulator.disks[0].operations().len(), before + 1, "the same again");
    history.check_agreement();
}
