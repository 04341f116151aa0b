//! Which frames and requests a node refuses, with which reason, and that nothing has changed then.

use handfast_model::{Duration, Random as _, SeededRandom};
use handfast_mpc::Role;
use handfast_palm::Side;

use super::history::EVENTS;
use super::message::{Content, Frame, PEER_FRAME_MAX};
use super::refusal_testing::{ask_search, prepared, vault};
use super::testing::probe;
use super::{Change, NodeStatus, Reason, Refusal, Reply, Request, Sought};

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
