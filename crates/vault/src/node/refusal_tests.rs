//! What a node refuses, with which reason, and that nothing has changed then.

use handfast_model::{Duration, Random as _, SeededRandom};
use handfast_mpc::{Dealt, Role};
use handfast_palm::Side;

use super::history::{DEVICE, EVENTS, HOME, History, Outcome};
use super::memory_store::Fault;
use super::message::{Content, Frame, PEER_FRAME_MAX};
use super::simulator::Weather;
use super::testing::{DIMENSION, POLICY, probe, spec};
use super::{
    Change, DeviceName, GalleryName, GalleryPurpose, NodeStatus, OperationName, QueryName, Reason,
    Refusal, Reply, Request, Search, Sought,
};

pub(super) const FAIR: Weather =
    Weather { cut: 0, double: 0, stop: 0, stop_at_write: 0, full: 0, lose_request: 0, delay: 500 };

/// A vault in which palm 0 is armed in the first gallery, in slot 1.
pub(super) fn vault() -> History {
    vault_of(3)
}

/// The same of another seed; of 1, 5 and 9 node A, B or C is strict.
pub(super) fn vault_of(seed: u64) -> History {
    let mut history = History::new(seed, FAIR);
    let until = history.simulator.now + Duration::from_days(1);
    let enrolled = history.enrol(&[(Side::Left, 0)], until);
    assert!(matches!(enrolled, Outcome::Committed(_)), "{enrolled:?}");
    let consent = [2; 16];
    history.must(Change::Arm { gallery: EVENTS[0], slot: 1, until, consent });
    history
}

pub(super) fn ask_search(history: &mut History, searches: &[Search; 3]) -> [Option<Reply>; 3] {
    history.ask(searches.clone().map(Request::Search))
}

pub(super) fn prepared(history: &mut History, shown: &[i16]) -> [Search; 3] {
    prepared_for(history, shown, Sought::Anyone)
}

pub(super) fn prepared_for(history: &mut History, shown: &[i16], sought: Sought) -> [Search; 3] {
    let now = history.challenges().unwrap();
    let query = QueryName::draw(&*history.simulator.random);
    history.searches((query, 1), (EVENTS[0], Side::Left, sought), now, shown)
}

fn refusals(replies: &[Option<Reply>; 3]) -> Vec<Reason> {
    replies
        .iter()
        .map(|reply| match reply {
            Some(Reply::Refused(refusal) | Reply::GivenUp(refusal)) => refusal.reason,
            other => panic!("{other:?} is no refusal"),
        })
        .collect()
}

/// Every node refused: for this reason, or because another one did before it was asked itself.
#[track_caller]
pub(super) fn all_refused(replies: &[Option<Reply>; 3], reason: Reason) {
    let reasons = refusals(replies);
    let known = |found: &Reason| [reason, Reason::PeerRefused].contains(found);
    assert!(reasons.contains(&reason) && reasons.iter().all(known), "{reason:?}: {reasons:?}");
}

/// What must be as before after a refusal.
fn unchanged(status: &NodeStatus) -> NodeStatus {
    NodeStatus { refusals: Default::default(), ..status.clone() }
}

#[test]
fn frames_that_are_not_right_are_counted_and_change_nothing() {
    let mut history = vault();
    let search = prepared(&mut history, &probe(0, 3));
    let query = search[0].query;
    let body = vec![1; 64];
    let step = Content::Step { query, attempt: 1, chunk: 0, step: 0, body };
    let epoch = 0;
    let frame = |content| Frame { from: Role::B, to: Role::A, epoch, content };
    let right = frame(step.clone()).to_bytes();
    let mut cases = vec![(Vec::new(), Reason::Malformed), (right.clone(), Reason::Unexpected)];
    cases.extend((1..right.len()).step_by(7).map(|end| (right[..end].to_vec(), Reason::Malformed)));
    cases.push(([&right[..], &[0]].concat(), Reason::Malformed));
    cases.push((vec![1; PEER_FRAME_MAX + 1], Reason::TooLong));
    let mut version = right.clone();
    version[0] = 9;
    cases.push((version, Reason::Version));
    let wrong_node = Frame { to: Role::C, ..frame(step.clone()) };
    cases.push((wrong_node.to_bytes(), Reason::WrongNode));
    let other = Frame { from: Role::C, ..frame(step.clone()) };
    cases.push((other.to_bytes(), Reason::WrongNode));
    cases.push((Frame { epoch: 1, ..frame(step) }.to_bytes(), Reason::WrongEpoch));
    let list = history.simulator.disks[0].operations();
    let old = list.last().unwrap().operation.clone();
    cases.push((frame(Content::Proposal(old.clone())).to_bytes(), Reason::OutOfOrder));
    let forged =
        super::Vote { node: Role::B, verdict: super::Verdict::Prepared, signature: [1; 64] };
    let vote = Content::Vote { head: old.head(), vote: forged };
    cases.push((frame(vote).to_bytes(), Reason::Signature));
    let mut forged = list.last().unwrap().clone();
    forged.operation.number += 1;
    forged.operation.previous = old.head().hash;
    forged.operation.change = Change::Refresh;
    cases.push((frame(Content::Operations(vec![forged])).to_bytes(), Reason::Signature));
    for (bytes, reason) in cases {
        let before = history.simulator.node(Role::A).unwrap().status();
        let writes = history.simulator.disks[0].writes();
        history.simulator.inject(Role::B, Role::A, &bytes);
        let after = history.simulator.node(Role::A).unwrap().status();
        assert_eq!(after.refusals.of(reason), before.refusals.of(reason) + 1, "{reason:?}");
        assert_eq!(unchanged(&after), unchanged(&before));
        assert_eq!(history.simulator.disks[0].writes(), writes);
    }
    // All this while the search still works.
    let replies = ask_search(&mut history, &search);
    assert!(replies.iter().all(|reply| matches!(reply, Some(Reply::Found(_)))), "{replies:?}");
}

/// A peer that sends nonsense can stop a search, which is then refused, and cannot change what
/// another one finds.
#[test]
fn wrong_steps_in_a_search_end_in_an_answer_or_a_refusal() {
    let mut history = vault();
    for tries in 0..40_u64 {
        let search = prepared(&mut history, &probe(0, 3));
        let asked = search.clone().map(|search| Some(Request::Search(search).to_bytes()));
        let asked = history.simulator.ask(asked);
        history.simulator.pass(Duration::from_micros((200 * tries % 4_000).cast_signed()));
        let mut draw = [0; 4];
        SeededRandom::new(tries).fill(&mut draw);
        let [step, length, chunk, from] = draw;
        let step = [0, 1, 16, 17, 32, 33, 64, 200][usize::from(step) % 8];
        // Nothing a node sends has an odd length.
        let (body, chunk) = (vec![7; 2 * usize::from(length) + 1], u32::from(chunk % 3));
        let content = Content::Step { query: search[0].query, attempt: 1, chunk, step, body };
        let from = if from % 2 == 0 { Role::B } else { Role::C };
        let frame = Frame { from, to: Role::A, epoch: 0, content };
        history.simulator.inject(from, Role::A, &frame.to_bytes());
        let replies = history.simulator.wait(asked);
        let answered =
            |reply: &Option<Reply>| matches!(reply, Some(Reply::Found(_) | Reply::Refused(_)));
        assert!(replies.iter().all(answered), "{replies:?}");
        assert!(history.look(EVENTS[0], Side::Left, Sought::Anyone, 0).is_some());
    }
    let refusals = history.simulator.node(Role::A).unwrap().status().refusals;
    assert!(refusals.of(Reason::WrongLength) > 0 && refusals.of(Reason::Unexpected) > 0);
}

#[test]
fn requests_that_are_not_right_are_refused_with_their_reason() {
    let mut history = vault();
    let right = Request::Challenge.to_bytes();
    let mut newer = right.clone();
    newer[0] = 9;
    let long = vec![0; super::REQUEST_MAX + 1];
    for (bytes, reason) in [
        (right[..2].to_vec(), Reason::Malformed),
        ([&right[..], &[1]].concat(), Reason::Malformed),
        (newer, Reason::Version),
        (long, Reason::TooLong),
    ] {
        let asked = history.simulator.ask([Some(bytes), None, None]);
        let [reply, ..] = history.simulator.wait(asked);
        assert!(matches!(reply, Some(Reply::Refused(Refusal { reason: r, .. })) if r == reason));
    }
}

#[test]
fn searches_out_of_place_are_refused() {
    let mut history = vault();
    let shown = probe(0, 3);
    let right = prepared(&mut history, &shown);
    let with = |change: fn(&mut Search)| {
        right.clone().map(|mut search| {
            change(&mut search);
            search
        })
    };
    let cases: [([Search; 3], Reason); 9] = [
        (with(|search| search.attempt = 0), Reason::Attempt),
        (with(|search| search.attempt = 4), Reason::Attempt),
        (with(|search| search.epoch = 7), Reason::WrongEpoch),
        (with(|search| search.at.number += 1), Reason::Stale),
        (with(|search| search.at.hash.0[0] ^= 1), Reason::Stale),
        (with(|search| search.gallery = GalleryName([99; 16])), Reason::GalleryUnknown),
        (with(|search| search.sought = Sought::Slot(77)), Reason::NotArmed),
        (with(|search| search.sought = Sought::Duplicate), Reason::Limits),
        (with(|search| search.nonce = [9; 16]), Reason::Seal),
    ];
    for (searches, reason) in cases {
        let mut searches = searches;
        let query = QueryName::draw(&*history.simulator.random);
        searches.iter_mut().for_each(|search| search.query = query);
        let replies = ask_search(&mut history, &searches);
        all_refused(&replies, reason);
    }
}

#[test]
fn shares_serve_one_query_of_a_known_device() {
    let mut history = vault();
    let shown = probe(0, 3);
    let first = prepared(&mut history, &shown);
    let replies = ask_search(&mut history, &first);
    assert!(replies.iter().all(|reply| matches!(reply, Some(Reply::Found(_)))));
    assert_eq!(ask_search(&mut history, &first), replies, "a lost answer comes byte for byte");
    let mut replayed = first.clone();
    replayed.iter_mut().for_each(|search| search.query = QueryName([0xee; 16]));
    all_refused(&ask_search(&mut history, &replayed), Reason::Challenge);
    let mut changed = first;
    changed.iter_mut().for_each(|search| search.nonce = [1; 16]);
    changed.iter_mut().for_each(|search| search.side = Side::Right);
    all_refused(&ask_search(&mut history, &changed), Reason::Unexpected);
    let late = prepared(&mut history, &shown);
    history.simulator.pass(Duration::from_secs(61));
    all_refused(&ask_search(&mut history, &late), Reason::Challenge);
    let mut stranger = prepared(&mut history, &shown);
    for search in &mut stranger {
        search.shares.as_mut().unwrap().device = DeviceName([1; 16]);
    }
    all_refused(&ask_search(&mut history, &stranger), Reason::DeviceUnknown);
    history.must(Change::RevokeDevice(DEVICE));
    let revoked = prepared(&mut history, &shown);
    all_refused(&ask_search(&mut history, &revoked), Reason::DeviceUnknown);
}

#[test]
fn probes_of_zeros_find_nobody_and_misshapen_ones_are_refused() {
    let mut history = vault();
    let zeros = vec![0; 3 * DIMENSION];
    let opened = history.search(EVENTS[0], Side::Left, Sought::Anyone, &zeros).unwrap();
    assert_eq!(opened.value, [0; 16]);
    // What is dealt nobody sees: a probe that is too long is answered with something, and breaks
    // nothing.
    let huge = vec![i16::MAX; 3 * DIMENSION];
    assert!(history.search(EVENTS[0], Side::Left, Sought::Anyone, &huge).is_some());
    let many = probe(0, usize::from(POLICY.vectors_max) + 1);
    let many = prepared(&mut history, &many);
    all_refused(&ask_search(&mut history, &many), Reason::Shares);
    assert!(history.look(EVENTS[0], Side::Left, Sought::Anyone, 0).is_some());
}

#[test]
fn a_search_goes_on_while_a_palm_is_deleted() {
    let mut history = vault();
    let until = history.simulator.now + Duration::from_days(1);
    let enrolled = history.enrol(&[(Side::Left, 4)], until);
    assert!(matches!(enrolled, Outcome::Committed(_)));
    history.must(Change::Arm { gallery: EVENTS[0], slot: 2, until, consent: [0; 16] });
    let mut done = 0;
    for wait in 0..40_u64 {
        let deleted = 2 + wait;
        let search = prepared(&mut history, &probe(0, 3));
        let requests = search.clone().map(|search| Some(Request::Search(search).to_bytes()));
        let asked = history.simulator.ask(requests);
        history.simulator.pass(Duration::from_micros(100 * wait.cast_signed()));
        history.must(Change::Delete { slots: vec![deleted] });
        let replies = history.simulator.wait(asked);
        // A node that heard of the deletion before the search says so; one that searches goes on.
        done += usize::from(replies.iter().all(|reply| matches!(reply, Some(Reply::Found(_)))));
        let ended = |reply: &Option<Reply>| {
            matches!(reply, Some(Reply::Found(_)))
                || matches!(reply, Some(Reply::Refused(refusal))
                    if [Reason::Stale, Reason::PeerRefused].contains(&refusal.reason))
        };
        assert!(replies.iter().all(ended), "{replies:?}");
        let enrolled = history.enrol(&[(Side::Left, 4)], until);
        assert!(matches!(enrolled, Outcome::Committed(_)), "{enrolled:?}");
        let slot = deleted + 1;
        history.must(Change::Arm { gallery: EVENTS[0], slot, until, consent: [0; 16] });
    }
    assert!(done >= 30, "{done} of 40 searches went on");
    history.check_agreement();
}

#[test]
fn inconsistent_dealing_is_noticed() {
    let mut history = vault();
    let (one, other) = (prepared(&mut history, &probe(0, 3)), probe(0, 3));
    let sets = Dealt::deal(&other, DIMENSION, &*history.simulator.random).unwrap().sets;
    for node in Role::ALL {
        let mut mixed = one.clone();
        let query = QueryName::draw(&*history.simulator.random);
        let challenges = history.challenges().unwrap();
        let fresh = history.searches(
            (query, 1),
            (EVENTS[0], Side::Left, Sought::Anyone),
            challenges,
            &other,
        );
        mixed.clone_from(&fresh);
        let binding = {
            let shares = fresh[node.index()].shares.as_ref().unwrap();
            let mut binding = history.binding(1, EVENTS[0], query.0, fresh[0].nonce);
            binding.challenge = shares.challenge;
            binding.operation = shares.sealed_at;
            binding
        };
        let foreign = History::seal_for(&binding, &sets[node.index()]);
        mixed[node.index()].shares = Some(foreign);
        let replies = ask_search(&mut history, &mixed);
        let reasons = refusals(&replies);
        assert!(reasons.contains(&Reason::Inconsistent), "{reasons:?}");
        let known = [Reason::Inconsistent, Reason::PeerRefused];
        assert!(reasons.iter().all(|reason| known.contains(reason)), "{reasons:?}");
    }
}

#[test]
fn an_older_operation_is_served_until_somebody_is_disarmed() {
    let mut history = vault();
    let until = history.simulator.now + Duration::from_days(1);
    let shown = probe(0, 3);
    let before_arming = prepared(&mut history, &shown);
    let enrolled = history.enrol(&[(Side::Left, 4)], until);
    assert!(matches!(enrolled, Outcome::Committed(_)));
    history.must(Change::Arm { gallery: EVENTS[0], slot: 2, until, consent: [0; 16] });
    let replies = ask_search(&mut history, &before_arming);
    assert!(replies.iter().all(|reply| matches!(reply, Some(Reply::Found(_)))), "{replies:?}");
    let before_disarming = prepared(&mut history, &shown);
    history.must(Change::Disarm { gallery: EVENTS[0], slots: vec![2] });
    all_refused(&ask_search(&mut history, &before_disarming), Reason::Stale);
}

#[test]
fn clocks_an_hour_apart_refuse_searches_and_nothing_else() {
    let mut history = vault();
    history.simulator.skew[1] = Duration::from_hours(1);
    history.simulator.pass(Duration::from_secs(1));
    let search = prepared(&mut history, &probe(0, 3));
    let reasons = refusals(&ask_search(&mut history, &search));
    assert!(reasons.contains(&Reason::ClocksApart), "{reasons:?}");
    history.must(Change::Disarm { gallery: EVENTS[0], slots: vec![1] });
    history.simulator.skew[1] = Duration::ZERO;
    history.simulator.pass(Duration::from_secs(1));
    assert!(history.look(EVENTS[0], Side::Left, Sought::Anyone, 0).is_some());
    history.check_agreement();
}

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
    let query = QueryName::draw(&*history.simulator.random);
    let opened = history.search_as(query, HOME, side, Sought::Duplicate, shown);
    (query, opened.expect("nothing goes wrong").at.number)
}

pub(super) fn refused_for(outcome: &Outcome, reason: Reason) -> bool {
    matches!(outcome, Outcome::Refused(refusal) if refusal.reason == reason)
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
        let query = QueryName::draw(&*history.simulator.random);
        let search = (HOME, Side::Left, Sought::Duplicate);
        let searches = history.searches((query, 1), search, now, &shown);
        let replies = ask_search(&mut history, &searches);
        assert!(replies.iter().all(|reply| matches!(reply, Some(Reply::Found(_)))));
        checks.push((query, now.1.number));
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
fn budgets_end_and_are_refused_with_their_reason() {
    let mut history = vault();
    let limits = [
        (super::Policy { device_hourly: 2, ..POLICY }, Sought::Anyone, Reason::DeviceBudget),
        (super::Policy { gallery_hourly: 2, ..POLICY }, Sought::Anyone, Reason::GalleryBudget),
        (super::Policy { slot_hourly: 2, ..POLICY }, Sought::Slot(1), Reason::SlotBudget),
    ];
    for (policy, sought, reason) in limits {
        history.simulator.pass_idle(Duration::from_hours(2));
        history.must(Change::SetPolicy(EVENTS[0], policy));
        for _ in 0..2 {
            assert!(history.look(EVENTS[0], Side::Left, sought, 0).is_some());
        }
        let over = prepared_for(&mut history, &probe(0, 3), sought);
        all_refused(&ask_search(&mut history, &over), reason);
        let counted = Role::ALL
            .map(|role| history.simulator.node(role).unwrap().status().refusals.of(reason));
        assert!(counted.iter().sum::<u64>() > 0, "{reason:?} is not counted");
    }
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

#[test]
fn a_closed_gallery_is_searched_no_more() {
    let mut history = vault();
    history.must(Change::CloseGallery(EVENTS[0]));
    let search = prepared(&mut history, &probe(0, 3));
    all_refused(&ask_search(&mut history, &search), Reason::GalleryClosed);
    assert_eq!(history.stored(u64::MAX).len(), 1, "its palms stay enrolled");
}
