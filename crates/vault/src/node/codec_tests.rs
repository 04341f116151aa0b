//! Bytes of everything that travels: golden ones stay, arbitrary ones are refused without harm.

use handfast_model::Timestamp;
use handfast_mpc::Role;
use handfast_palm::Side;
use proptest::prelude::*;

use super::message::{Content, Frame, Join, PeerState};
use super::names::Hash;
use super::refusal::{Reason, Refusals};
use super::testing::spec;
use super::{
    AuditRequest, Certificate, Certified, Change, Committed, DeviceName, Enrolment, Found,
    GalleryName, GalleryPurpose, Head, NodeStatus, Operation, OperationName, QueryName, Reply,
    Request, SealedShares, Search, Sought, Verdict, Vote,
};
use crate::SignedTagPart;
use crate::deployment::DeploymentId;

fn head() -> Head {
    Head { number: 7, hash: Hash([0xaa; 32]) }
}

fn changes() -> Vec<Change> {
    let (gallery, until) = (GalleryName([2; 16]), Timestamp::from_micros(9));
    vec![
        Change::OpenGallery(spec(2, GalleryPurpose::Payment)),
        Change::CloseGallery(gallery),
        Change::Enrol(Enrolment {
            gallery,
            first_slot: 5,
            sides: vec![Side::Left, Side::Right],
            until,
            consent: [3; 16],
            device: DeviceName([4; 16]),
            checks: vec![QueryName([5; 16]), QueryName([6; 16])],
            checked_at: 4,
        }),
        Change::Arm { gallery, slot: 5, until, consent: [3; 16] },
        Change::Disarm { gallery, slots: vec![5, 6] },
        Change::Delete { slots: vec![5] },
        Change::Refresh,
        Change::ProvisionDevice { device: DeviceName([4; 16]), key: [8; 32] },
        Change::RevokeDevice(DeviceName([4; 16])),
    ]
}

fn operation(change: Change) -> Operation {
    Operation { number: 8, previous: head().hash, name: OperationName([1; 16]), change }
}

fn vote() -> Vote {
    Vote { node: Role::B, verdict: Verdict::GivenUp, signature: [9; 64] }
}

fn certified() -> Certified {
    let certificate = Certificate { verdict: Verdict::Prepared, signatures: [[1; 64]; 3] };
    Certified { operation: operation(Change::Refresh), certificate }
}

fn join() -> Join {
    Join {
        gallery: GalleryName([2; 16]),
        operation: 7,
        head: head().hash,
        right_side: true,
        sought: Sought::Slot(5),
        vectors: 9,
        nonce: [3; 16],
        own: [4; 16],
        time: Timestamp::from_micros(11),
        check: [5; 32],
        strict: true,
    }
}

fn contents() -> Vec<Content> {
    let (query, attempt, page) = (QueryName([6; 16]), 2, QueryName([7; 16]));
    let name = OperationName([1; 16]);
    let mut contents: Vec<Content> =
        changes().into_iter().map(|change| Content::Proposal(operation(change))).collect();
    contents.extend([
        Content::State(PeerState { head: head(), undecided: None }),
        Content::State(PeerState {
            head: head(),
            undecided: Some((operation(Change::Refresh), None)),
        }),
        Content::State(PeerState {
            head: head(),
            undecided: Some((operation(Change::Refresh), Some(vote()))),
        }),
        Content::WantOperations(3),
        Content::Operations(vec![certified(), certified()]),
        Content::ShareCheck { operation: name, check: [1; 32], parts: vec![[2; 16]; 2] },
        Content::Declined { operation: name, refusal: Reason::DeviceUnknown.into() },
        Content::Seed { operation: name, seed: [2; 32] },
        Content::Vote { head: head(), vote: vote() },
        Content::Join { query, attempt, join: join() },
        Content::Leave { query, attempt, refusal: Reason::Stale.with(3) },
        Content::Step { query, attempt, chunk: 3, step: 17, body: vec![1, 2, 3] },
        Content::Lengths { query, attempt, part: [8; 16] },
        Content::WantRows { page, number: 7, slots: vec![1, 2] },
        Content::RowsNonce { page, lost: Role::C, nonce: [4; 16] },
        Content::Rows { page, body: vec![5; 20] },
    ]);
    contents
}

fn frames() -> Vec<Vec<u8>> {
    let frame = |content| Frame { from: Role::A, to: Role::C, epoch: 2, content }.to_bytes();
    contents().into_iter().map(frame).collect()
}

fn shares() -> SealedShares {
    SealedShares {
        device: DeviceName([4; 16]),
        challenge: [1; 16],
        consent: [2; 16],
        amount: [3; 32],
        sealed_at: 6,
        sealed: vec![7; 10],
    }
}

fn requests() -> Vec<Vec<u8>> {
    let search = Search {
        query: QueryName([6; 16]),
        attempt: 1,
        gallery: GalleryName([2; 16]),
        side: Side::Right,
        at: head(),
        epoch: 3,
        sought: Sought::Anyone,
        nonce: [8; 16],
        challenges: [[1; 16], [2; 16], [3; 16]],
        shares: Some(shares()),
    };
    let name = OperationName([1; 16]);
    let mut requests: Vec<Request> = changes()
        .into_iter()
        .map(|change| Request::Operate { name, change, shares: None })
        .collect();
    requests.extend([
        Request::Status,
        Request::Challenge,
        Request::Operate { name, change: Change::Refresh, shares: Some(shares()) },
        Request::OperationState(name),
        Request::Search(Search { sought: Sought::Delivery(3), shares: None, ..search.clone() }),
        Request::Search(search),
        Request::Rebuild,
        Request::Operations { from: 4 },
        Request::Audit(AuditRequest { slot: 5, recipient: [9; 32], queries: vec![[6; 16]; 2] }),
    ]);
    requests.iter().map(Request::to_bytes).collect()
}

fn replies() -> Vec<Vec<u8>> {
    let mut refusals = Refusals::default();
    refusals.count(Reason::Stale);
    let status = NodeStatus {
        role: Role::C,
        deployment: DeploymentId::from_bytes([1; 16]),
        head: head(),
        epoch: 1,
        undecided: 8,
        slots: 2,
        lacking: 1,
        galleries: 3,
        searching: 4,
        row_bytes: 5,
        peers_up: [true, false],
        store_works: true,
        strict: false,
        refusals,
    };
    let certificate = certified().certificate;
    let replies = [
        Reply::Status(status),
        Reply::Challenge { challenge: [1; 16], keys: vec![2; 4], head: head(), epoch: 1 },
        Reply::Committed(Committed { head: head(), certificate, first_slot: 3, done: [4; 64] }),
        Reply::GivenUp(Reason::Inconsistent.into()),
        Reply::Found(Found {
            query: QueryName([6; 16]),
            attempt: 1,
            sealed: vec![5; 64],
            signature: [6; 64],
            audit: Some(SignedTagPart { part: [7; 16], signature: [8; 64] }),
        }),
        Reply::Found(Found {
            query: QueryName([6; 16]),
            attempt: 1,
            sealed: vec![5; 64],
            signature: [6; 64],
            audit: None,
        }),
        Reply::Rebuilt { rows: 9 },
        Reply::Operations(vec![certified()]),
        Reply::Refused(Reason::DeviceBudget.with(77)),
        Reply::Audit { sealed: vec![3; 80], signature: [4; 64] },
    ];
    replies.iter().map(Reply::to_bytes).collect()
}

/// A hash over all of them: changes when any of them changes.
fn digest(all: &[Vec<u8>]) -> String {
    let Hash(bytes) = Hash::of(b"golden", &all.concat());
    bytes[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Frames, requests and replies are of version 3.
#[test]
fn golden_bytes_stay() {
    let (mut requests, mut replies) = (requests(), replies());
    // Audits came later: what was there before is as it was.
    let audits = [requests.pop(), replies.pop()].map(Option::unwrap);
    let digests = [&frames(), &requests, &replies, &audits.to_vec()].map(|all| digest(all));
    assert_eq!(digests, GOLDEN);
    let step =
        Content::Step { query: QueryName([6; 16]), attempt: 2, chunk: 3, step: 17, body: vec![9] };
    let bytes = Frame { from: Role::A, to: Role::C, epoch: 2, content: step }.to_bytes();
    let name = [6; 16];
    let expected =
        [&[3, 0, 10][..], &name, &[2, 17, 3, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 9]];
    assert_eq!(bytes, expected.concat());
    assert_eq!(bytes.len(), super::message::HEADER + 1);
}

const GOLDEN: [&str; 4] =
    ["1a0549f299fb5b48", "e96f19b7c71e1eae", "c1920902ba358302", "3144046968dc2693"];

#[test]
fn what_is_written_is_read_and_every_cut_is_refused() {
    for bytes in frames() {
        assert_eq!(Frame::from_bytes(&bytes).unwrap().to_bytes(), bytes);
        assert!((0..bytes.len()).all(|end| Frame::from_bytes(&bytes[..end]).is_err()));
    }
    for bytes in requests() {
        assert_eq!(Request::from_bytes(&bytes).unwrap().to_bytes(), bytes);
        assert!((0..bytes.len()).all(|end| Request::from_bytes(&bytes[..end]).is_err()));
    }
    for bytes in replies() {
        assert_eq!(Reply::from_bytes(&bytes).unwrap().to_bytes(), bytes);
        assert!((0..bytes.len()).all(|end| Reply::from_bytes(&bytes[..end]).is_err()));
    }
}

/// Whoever could replace the budgets of an open gallery would have none.
#[test]
fn nothing_replaces_what_a_gallery_was_opened_with() {
    let opened = operation(Change::OpenGallery(spec(2, GalleryPurpose::Entry))).to_bytes();
    let closed = operation(Change::CloseGallery(GalleryName([2; 16]))).to_bytes();
    let at = closed.len() - 17;
    assert_eq!(closed[at], 2);
    // As it was written once: number, gallery, thresholds and budgets.
    let policy = &opened[opened.len() - 22..];
    let replaced = [&closed[..at], &[3], &closed[at + 1..], policy].concat();
    assert!(Operation::from_bytes(&replaced).is_err());
}

#[test]
fn lists_have_limits_before_room_is_made() {
    let mut slots = Request::Operate {
        name: OperationName([1; 16]),
        change: Change::Delete { slots: vec![1] },
        shares: None,
    }
    .to_bytes();
    let at = slots.len() - 1 - 8 - 4;
    slots[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(Request::from_bytes(&slots).is_err());
    let unsorted = Change::Delete { slots: vec![2, 1] };
    let bytes = Request::Operate { name: OperationName([1; 16]), change: unsorted, shares: None };
    assert!(Request::from_bytes(&bytes.to_bytes()).is_err(), "a set of slots has one form");
}

proptest! {
    /// Whatever is read is written as it was: nothing has two forms, and nothing panics.
    #[test]
    fn arbitrary_bytes_are_read_or_refused(
        which in 0..64_usize, at in any::<prop::sample::Index>(), value: u8, tail: Vec<u8>,
    ) {
        for all in [frames(), requests(), replies()] {
            let mut bytes = all[which % all.len()].clone();
            let at = at.index(bytes.len());
            bytes[at] = value;
            for bytes in [bytes.clone(), tail.clone(), [&bytes[..at], &tail].concat()] {
                if let Ok(frame) = Frame::from_bytes(&bytes) {
                    prop_assert_eq!(frame.to_bytes(), bytes.clone());
                }
                if let Ok(request) = Request::from_bytes(&bytes) {
                    prop_assert_eq!(request.to_bytes(), bytes.clone());
                }
                if let Ok(operation) = Operation::from_bytes(&bytes) {
                    prop_assert_eq!(operation.to_bytes(), bytes.clone());
                }
                // Counts of refusals are a map: their order is not the bytes'.
                drop(Reply::from_bytes(&bytes));
            }
        }
    }
}
