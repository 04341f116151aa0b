//! Every kind of leaf, written and read.

use proptest::prelude::*;

use super::*;
use crate::commitment::Label;
use crate::statement::AuditTags;
use crate::vocabulary::{
    AccessReason, Biometrics, DeletionCause, DemandOutcome, PublicText, Purpose, Rule, StaffRole,
    Step, TEXT_BYTES_MAX, WideAct,
};

fn text(text: &str) -> PublicText {
    PublicText::new(text).unwrap()
}

/// One leaf of each kind, always the same.
pub(crate) fn one_of_each() -> Vec<Leaf> {
    let place = Label::from_bytes([0x11; 16]);
    let purpose = Purpose::Entry;
    let tag = AuditTag { query: [0xab; 16], tag: [0xaa; 16] };
    let tags = AuditTags::new(vec![tag; 2]).unwrap();
    let statements = [
        Statement::Enrol { place, palms: 2 },
        Statement::Arm { purpose, place, palms: 1 },
        Statement::Disarm { purpose: Purpose::Payment, place, palms: 1 },
        Statement::Identify { purpose, place, searched: 10_000, tags },
        Statement::Delete { cause: DeletionCause::Person, palms: 2 },
        Statement::Refresh { epoch: 7 },
        Statement::PolicyChange { rule: Rule::EntryThreshold, place, old: -1, new: 6_600 },
        Statement::SoftwareVersion {
            component: text("handfast"),
            version: text("0.1.0"),
            digest: [3; 32],
        },
        Statement::StaffAccess { role: StaffRole::Clerk, reason: AccessReason::Dispute, people: 1 },
        Statement::LegalDemand {
            jurisdiction: text("US-CO"),
            outcome: DemandOutcome::Refused,
            people: 40,
        },
        Statement::BiometricsSwitched { event: place, to: Biometrics::Forbidden },
        Statement::FourEyes { step: Step::Approved, act: WideAct::EndPalms, people: 300 },
    ];
    let commitment = Commitment::from_bytes([0xcc; 32]);
    let at = Timestamp::from_micros(1_790_000_000_999_999);
    statements.map(|statement| Leaf::new(at, Draft { statement, commitment })).into()
}

#[test]
fn every_kind_round_trips() {
    let leaves = one_of_each();
    assert_eq!(leaves.len(), Kind::ALL.len(), "a new kind is missing here");
    for leaf in leaves {
        assert_eq!(Leaf::decode(&leaf.encode()), Ok(leaf));
    }
}

#[test]
fn the_golden_leaves_stay() {
    // Made by another program, from the format's description above. Behind version and kind,
    // all have the same time and commitment.
    let head = concat!(
        "000000006ab13b80",
        "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
    );
    let golden = [
        ("0101", "1111111111111111111111111111111100000002"),
        ("0102", "021111111111111111111111111111111100000001"),
        ("0103", "031111111111111111111111111111111100000001"),
        (
            "0204",
            concat!(
                "021111111111111111111111111111111100002710",
                "02ababababababababababababababababaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                "ababababababababababababababababaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            ),
        ),
        ("0105", "0100000002"),
        ("0106", "0000000000000007"),
        ("0107", "0111111111111111111111111111111111ffffffffffffffff00000000000019c8"),
        (
            "0108",
            "0868616e646661737405302e312e300303030303030303030303030303030303030303030303030303030303030303",
        ),
        ("0109", "040200000001"),
        ("010a", "0555532d434f0200000028"),
        ("010b", "1111111111111111111111111111111102"),
        ("010c", "02010000012c"),
    ];
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    for (leaf, (start, fields)) in one_of_each().iter().zip(golden) {
        assert_eq!(hex(&leaf.encode()), format!("{start}{head}{fields}"));
    }
    let untagged = Leaf::new(one_of_each()[0].at(), untagged());
    let fields = "02111111111111111111111111111111110000271000";
    assert_eq!(hex(&untagged.encode()), format!("0104{head}{fields}"));
    assert_eq!(Leaf::decode(&untagged.encode()), Ok(untagged));
}

/// An identification as version 1 has it: no audit tags.
fn untagged() -> Draft {
    let place = Label::from_bytes([0x11; 16]);
    let tags = AuditTags::default();
    let statement = Statement::Identify { purpose: Purpose::Entry, place, searched: 10_000, tags };
    Draft { statement, commitment: Commitment::from_bytes([0xcc; 32]) }
}

#[test]
fn no_leaf_is_wider_than_the_limit() {
    let tag = AuditTag { query: [1; 16], tag: [2; 16] };
    let tags = AuditTags::new(vec![tag; TAGS_MAX]).unwrap();
    let place = Label::from_bytes([0; 16]);
    let tagged = Statement::Identify { purpose: Purpose::Entry, place, searched: 1, tags };
    let widest = text(&"x".repeat(TEXT_BYTES_MAX));
    let worded =
        Statement::SoftwareVersion { component: widest.clone(), version: widest, digest: [0; 32] };
    let len = |statement| {
        let commitment = Commitment::from_bytes([0; 32]);
        Leaf::new(Timestamp::MAX, Draft { statement, commitment }).encode().len()
    };
    assert_eq!(len(tagged), LEAF_BYTES_MAX);
    assert!(len(worded) < LEAF_BYTES_MAX);
}

#[test]
fn texts_hold_neither_ids_nor_addresses() {
    for refused in ["", "tkt_06b3x1k2m4n6p8r0t2w4y6z801", "fan@example.com", "a\n", "ü"] {
        assert!(PublicText::new(refused).is_err(), "{refused}");
    }
    assert!(PublicText::new(&"x".repeat(TEXT_BYTES_MAX + 1)).is_err());
}

#[test]
fn unknown_versions_kinds_and_tails_are_refused() {
    let good = one_of_each().remove(0).encode();
    let with = |at: usize, byte| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        Leaf::decode(&bytes)
    };
    assert_eq!(with(0, 3), Err(LeafError::Version { got: 3 }));
    assert!(with(0, 2).is_err(), "an enrolment has no version 2");
    assert_eq!(with(1, 0), Err(LeafError::Kind { got: 0 }));
    assert!(with(2, 0xff).is_err(), "a time beyond all clocks");
    assert!(Leaf::decode(&[good.as_slice(), &[0]].concat()).is_err());
    for len in 0..good.len() {
        assert!(Leaf::decode(&good[..len]).is_err(), "{len} bytes");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_and_have_one_encoding(
        version in 1_u8..3, kind in 0_u8..13,
        mut bytes in proptest::collection::vec(any::<u8>(), 0..330), low in any::<bool>(),
    ) {
        if low && bytes.len() > 10 {
            // Near misses get deeper into the decoder than noise.
            bytes[..2].copy_from_slice(&[version, kind]);
            bytes[2..8].fill(0);
            bytes.iter_mut().skip(42).for_each(|byte| *byte %= 6);
        }
        if let Ok(leaf) = Leaf::decode(&bytes) {
            prop_assert_eq!(leaf.encode(), bytes);
        }
    }

    #[test]
    fn a_changed_byte_never_decodes_to_the_same_leaf(which in 0_usize..11, at in 0_usize..220, flip in 1_u8..) {
        let leaf = one_of_each().remove(which);
        let mut bytes = leaf.encode();
        let at = at % bytes.len();
        bytes[at] ^= flip;
        prop_assert_ne!(Leaf::decode(&bytes), Ok(leaf));
    }
}
