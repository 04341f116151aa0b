//! Which searches a node refuses, with which reason, and which go on beside changes.

use handfast_model::Duration;
use handfast_mpc::{Dealt, Role};
use handfast_palm::Side;

use super::history::{DEVICE, EVENTS, HOME, History, Outcome};
use super::refusal_testing::{
    all_refused, ask_search, prepared, prepared_for, refusals, vault, vault_with,
};
use super::testing::{DIMENSION, POLICY, probe};
use super::{
    Change, DeviceName, GalleryName, Policy, QueryName, Reason, Refusal, Reply, Request, Search,
    Sought,
};

#[test]
fn searches_out_of_place_are_refused() {
    type Alter = fn(&mut Search);
    let mut history = vault();
    let shown = probe(0, 3);
    let cases: [(Alter, Reason); 10] = [
        (|search| search.attempt = 0, Reason::Attempt),
        (|search| search.attempt = 4, Reason::Attempt),
        (|search| search.epoch = 7, Reason::WrongEpoch),
        (|search| search.at.number += 1, Reason::Stale),
        (|search| search.at.hash.0[0] ^= 1, Reason::Stale),
        (|search| search.gallery = GalleryName([99; 16]), Reason::GalleryUnknown),
        (|search| search.sought = Sought::Slot(77), Reason::NotArmed),
        (|search| search.sought = Sought::Duplicate, Reason::Limits),
        (|search| search.nonce = [9; 16], Reason::Challenge),
        (|search| search.query = QueryName([9; 16]), Reason::Challenge),
    ];
    for (change, reason) in cases {
        let mut searches = prepared(&mut history, &shown);
        searches.iter_mut().for_each(change);
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
    for search in &mut replayed {
        search.nonce = [0xee; 16];
        search.query = QueryName::of(&search.challenges, &search.nonce);
    }
    all_refused(&ask_search(&mut history, &replayed), Reason::Challenge);
    let mut other_use = prepared(&mut history, &shown);
    for search in &mut other_use {
        search.nonce = [0xee; 16];
        search.query = QueryName::of(&search.challenges, &search.nonce);
    }
    all_refused(&ask_search(&mut history, &other_use), Reason::Seal);
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
        let fresh = prepared(&mut history, &other);
        mixed.clone_from(&fresh);
        let binding = {
            let shares = fresh[node.index()].shares.as_ref().unwrap();
            let mut binding = history.binding(1, EVENTS[0], fresh[0].query.0, fresh[0].nonce);
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
fn budgets_end_and_are_refused_with_their_reason() {
    let limits = [
        (Policy { device_hourly: 2, ..POLICY }, Sought::Anyone, Reason::DeviceBudget),
        (Policy { gallery_hourly: 2, ..POLICY }, Sought::Anyone, Reason::GalleryBudget),
        (Policy { slot_hourly: 2, ..POLICY }, Sought::Slot(1), Reason::SlotBudget),
    ];
    for (policy, sought, reason) in limits {
        let mut history = vault_with(policy);
        for _ in 0..2 {
            assert!(history.look(EVENTS[0], Side::Left, sought, 0).is_some());
        }
        let over = prepared_for(&mut history, &probe(0, 3), sought);
        all_refused(&ask_search(&mut history, &over), reason);
        let counted = Role::ALL
            .map(|role| history.simulator.node(role).unwrap().status().refusals.of(reason));
        assert!(counted.iter().sum::<u64>() > 0, "{reason:?} is not counted");
        nothing_free_pays(&mut history, sought, reason);
    }
}

/// An attempt that cost nothing does not make the next one at a query of its name free.
fn nothing_free_pays(history: &mut History, sought: Sought, reason: Reason) {
    let attempt = |searches: &[Search; 3], attempt| {
        searches.clone().map(|search| Search { attempt, ..search })
    };
    let over = prepared_for(history, &probe(0, 3), sought);
    let delivery =
        over.clone().map(|search| Search { sought: Sought::Delivery(1), shares: None, ..search });
    let delivered = ask_search(history, &delivery);
    assert!(delivered.iter().all(|reply| matches!(reply, Some(Reply::Found(_)))), "{delivered:?}");
    all_refused(&ask_search(history, &attempt(&over, 2)), reason);
    // Each node has heard that another one left an attempt before it was asked for it itself.
    let over = prepared_for(history, &probe(0, 3), sought);
    for (number, leaves) in [(1, Role::A), (2, Role::B)] {
        let searches = attempt(&over, number);
        let mut first = [None, None, None];
        let stray = Search { epoch: 7, ..searches[leaves.index()].clone() };
        first[leaves.index()] = Some(Request::Search(stray).to_bytes());
        let asked = history.simulator.ask(first);
        history.simulator.wait(asked);
        history.simulator.pass(Duration::from_millis(50));
        let mut others = searches.map(|search| Some(Request::Search(search).to_bytes()));
        others[leaves.index()] = None;
        let asked = history.simulator.ask(others);
        for (role, reply) in Role::ALL.into_iter().zip(history.simulator.wait(asked)) {
            let left =
                matches!(reply, Some(Reply::Refused(Refusal { reason: Reason::PeerRefused, .. })));
            assert!(left || role == leaves, "{reply:?}");
        }
    }
    all_refused(&ask_search(history, &attempt(&over, 3)), reason);
}

#[test]
fn a_closed_gallery_is_searched_no_more() {
    let mut history = vault();
    history.must(Change::CloseGallery(EVENTS[0]));
    let search = prepared(&mut history, &probe(0, 3));
    all_refused(&ask_search(&mut history, &search), Reason::GalleryClosed);
    assert_eq!(history.stored(u64::MAX).len(), 1, "its palms stay enrolled");
}

/// A hub that could have two tags of one query signed would log the one, and find somebody by the other.
#[test]
fn no_node_signs_two_tags_of_a_query() {
    let mut history = vault();
    let shown = probe(0, 3);
    // What has no tag leaves nothing signed that could pass for one.
    let now = history.challenges().unwrap();
    let checked = history.searches((HOME, Side::Left, Sought::Duplicate), now, &probe(7, 3));
    for reply in ask_search(&mut history, &checked) {
        assert!(matches!(reply, Some(Reply::Found(found)) if found.audit.is_none()));
    }
    let again = |searches: &[Search; 3], change: fn(&mut Search)| {
        let mut searches = searches.clone();
        for search in &mut searches {
            search.attempt += 1;
            change(search);
        }
        searches
    };
    // Once it has answered a node takes part in no other attempt, with the same probe or another.
    let answered = prepared(&mut history, &shown);
    let replies = ask_search(&mut history, &answered);
    assert!(replies.iter().all(|reply| matches!(reply, Some(Reply::Found(_)))), "{replies:?}");
    all_refused(&ask_search(&mut history, &again(&answered, |_| {})), Reason::Challenge);
    // Another search cannot take the name of one that was made before.
    let mut renamed = prepared(&mut history, &probe(9, 3));
    renamed.iter_mut().for_each(|search| search.query = answered[0].query);
    renamed.iter_mut().for_each(|search| search.attempt = 3);
    all_refused(&ask_search(&mut history, &renamed), Reason::Challenge);
    // An attempt that came to nothing is repeated as it was, and not as another search.
    let first = prepared(&mut history, &shown);
    let [a, b, _] = first.clone().map(|search| Some(Request::Search(search).to_bytes()));
    history.simulator.ask([a, b, None]);
    history.simulator.pass(Duration::from_millis(50));
    let other_hand = again(&first, |search| search.side = Side::Right);
    all_refused(&ask_search(&mut history, &other_hand), Reason::Challenge);
}

/// Of one query one attempt is under way: one that a later attempt has replaced is never answered.
#[test]
fn a_later_attempt_ends_the_one_before() {
    let mut history = vault();
    let first = prepared(&mut history, &probe(0, 3));
    let [a, b, _] = first.clone().map(|search| Some(Request::Search(search).to_bytes()));
    let unanswered = history.simulator.ask([a, b, None]);
    history.simulator.pass(Duration::from_millis(50));
    let second = first.clone().map(|search| Search { attempt: 2, ..search });
    let replies = ask_search(&mut history, &second);
    assert!(replies.iter().all(|reply| matches!(reply, Some(Reply::Found(_)))), "{replies:?}");
    let ended = |reply: &Option<Reply>| {
        matches!(
            reply,
            Some(Reply::Refused(Refusal { reason: Reason::Attempt | Reason::PeerRefused, .. }))
        )
    };
    let [a, b, _] = history.simulator.wait(unanswered);
    assert!(ended(&a) && ended(&b), "{a:?} {b:?}");
    let [_, _, c] = first.map(|search| Some(Request::Search(search).to_bytes()));
    let late = history.simulator.ask([None, None, c]);
    let [_, _, late] = history.simulator.wait(late);
    assert!(matches!(late, Some(Reply::Refused(_))), "{late:?}");
}
