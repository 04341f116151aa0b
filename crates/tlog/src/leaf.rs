//! Leaves: what happened, in public fields that name nobody, and a commitment to the rest.
//!
//! # Format, versions 1 and 2
//! All numbers are big-endian. One byte of version (1), one byte of kind, eight bytes of seconds
//! since 1970, 32 bytes of commitment, then the kind's public fields in the order of their
//! declaration: labels are 16 bytes, texts and lists have one byte of length before them, choices
//! are one byte. Nothing may follow.
//!
//! An identification with audit tags has version 2, in which a tag is 32 bytes: the 16 of its query,
//! then the 16 of the tag itself. Everything else has version 1 (and no identification of version 1
//! has tags), so every leaf has exactly one encoding.

use handfast_model::Timestamp;
use thiserror::Error;

use crate::commitment::{Commitment, Label};
use crate::hash::TreeHash;
use crate::wire::{Fields, WireError};

/// The version of every leaf but those with audit tags.
const VERSION: u8 = 1;
/// The version of an identification with audit tags.
const VERSION_TAGGED: u8 = 2;
/// Microseconds in a leaf's unit of time. Finer times would help linking visits and nothing else.
const MICROS_PER_SECOND: i64 = 1_000_000;
/// Most audit tags in a leaf: one a palm shown, and nobody shows more hands at one pedestal.
pub const TAGS_MAX: usize = 8;
/// Most bytes of a text in public fields.
pub const TEXT_BYTES_MAX: usize = 64;
/// Most bytes of a leaf, by its widest kind; an entry bundle could carry 65,535.
pub const LEAF_BYTES_MAX: usize = 42 + 1 + 16 + 4 + 1 + TAGS_MAX * AuditTag::LEN;

/// Why bytes are not a leaf.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LeafError {
    /// A newer program wrote it.
    #[error(
        "a leaf of version {got}, but this program reads up to {VERSION_TAGGED}; use a newer one"
    )]
    Version {
        /// The version found.
        got: u8,
    },
    /// No such kind.
    #[error("a leaf of unknown kind {got}; use a newer program, or the leaf is damaged")]
    Kind {
        /// The kind found.
        got: u8,
    },
    /// The bytes do not fit the format.
    #[error("not a leaf: {0}")]
    Malformed(&'static str),
}

impl From<WireError> for LeafError {
    fn from(error: WireError) -> Self {
        Self::Malformed(error.0)
    }
}

/// Choices that are one byte each in the encoding.
macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident { $($(#[$choice_doc:meta])* $choice:ident = $code:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$choice_doc])* $choice,)* }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$choice,)*];

            const fn code(self) -> u8 {
                match self { $(Self::$choice => $code,)* }
            }

            fn take(fields: &mut Fields<'_>) -> Result<Self, LeafError> {
                match fields.u8()? {
                    $($code => Ok(Self::$choice),)*
                    _ => Err(LeafError::Malformed(concat!("no such ", stringify!($name)))),
                }
            }
        }
    )*};
}

choices! {
    /// What a leaf tells about; the byte behind the version.
    Kind {
        /// Palms were enrolled.
        Enrol = 1,
        /// Palms were put into a gallery.
        Arm = 2,
        /// Palms were taken out of a gallery.
        Disarm = 3,
        /// A gallery was searched, or a palm was verified.
        Identify = 4,
        /// Palms were deleted.
        Delete = 5,
        /// The nodes renewed their shares.
        Refresh = 6,
        /// A rule or threshold was changed.
        PolicyChange = 7,
        /// A machine began to run a version of a program.
        SoftwareVersion = 8,
        /// Staff read personal data.
        StaffAccess = 9,
        /// An authority demanded data.
        LegalDemand = 10,
        /// Palms were allowed or forbidden at an event.
        BiometricsSwitched = 11,
    }
    /// Why a palm was used.
    Purpose {
        /// Whether the palm is enrolled already.
        DuplicateCheck = 1,
        /// To enter.
        Entry = 2,
        /// To pay.
        Payment = 3,
        /// To show an age.
        Age = 4,
        /// To collect loyalty.
        Loyalty = 5,
    }
    /// Why palms were deleted.
    DeletionCause {
        /// The person asked.
        Person = 1,
        /// Staff did it for the person.
        Staff = 2,
        /// Nobody used them for as long as the policy allows.
        Dormant = 3,
        /// Their event is over.
        EventOver = 4,
        /// The consent was withdrawn or ran out.
        ConsentEnded = 5,
    }
    /// Which rule changed.
    Rule {
        /// The score at which a palm opens a lane.
        EntryThreshold = 1,
        /// The score at which a palm pays.
        PaymentThreshold = 2,
        /// The score at which two palms are one.
        DuplicateThreshold = 3,
        /// Most palms in a gallery.
        GallerySizeMax = 4,
        /// Days until an unused palm goes.
        DormantDays = 5,
        /// The youngest age in years.
        MinimumAge = 6,
        /// Searches that a device may make in an hour.
        SearchBudget = 7,
    }
    /// Whose hands read personal data.
    StaffRole {
        /// Runs the machines.
        Operator = 1,
        /// Works at the gate.
        Steward = 2,
        /// Leads stewards.
        Supervisor = 3,
        /// Works at a counter.
        Clerk = 4,
    }
    /// Why staff read personal data.
    AccessReason {
        /// The person asked for help.
        Support = 1,
        /// A dispute about a payment or an admission.
        Dispute = 2,
        /// Something broke.
        Incident = 3,
        /// An audit.
        Audit = 4,
        /// An authority's demand.
        LegalDemand = 5,
    }
    /// What became of a demand.
    DemandOutcome {
        /// It arrived.
        Received = 1,
        /// Nothing was handed over.
        Refused = 2,
        /// Something was handed over.
        Answered = 3,
    }
    /// Whether palms may be used at an event.
    Biometrics {
        /// They may.
        Allowed = 1,
        /// No camera opens for a palm.
        Forbidden = 2,
    }
}

/// A short public text: 1 to [`TEXT_BYTES_MAX`] ASCII letters, digits, dots, plus, minus and
/// spaces. No underscore and no at sign: neither an id nor a mail address fits in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicText(String);

impl PublicText {
    /// Takes a text.
    ///
    /// # Errors
    /// Where it is empty, too long or has other characters.
    pub fn new(text: &str) -> Result<Self, LeafError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b".+- ".contains(&b);
        if text.is_empty() || text.len() > TEXT_BYTES_MAX || !text.bytes().all(plain) {
            return Err(LeafError::Malformed(
                "a public text has 1 to 64 letters, digits, dots, plus, minus and spaces",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn take(fields: &mut Fields<'_>) -> Result<Self, LeafError> {
        let len = usize::from(fields.u8()?);
        let bytes = fields.bytes(len)?;
        Self::new(std::str::from_utf8(bytes).map_err(|_| LeafError::Malformed("not ASCII"))?)
    }

    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.push(self.0.len() as u8);
        bytes.extend_from_slice(self.0.as_bytes());
    }
}

const _: () = assert!(TEXT_BYTES_MAX <= u8::MAX as usize);
const _: () = assert!(TAGS_MAX <= u8::MAX as usize);

/// One per palm that was looked for, found or not: by it the person alone recognises a use of their
/// own palm. To everybody else it is 16 random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AuditTag {
    /// The query: with it the person asks what the tag would be, had it been their palm.
    pub query: [u8; Self::HALF],
    /// The tag that the search opened.
    pub tag: [u8; Self::HALF],
}

impl AuditTag {
    /// Bytes of the query, and of the tag.
    pub const HALF: usize = 16;
    /// Bytes in all.
    pub const LEN: usize = 2 * Self::HALF;
}

/// The audit tags of one identification, at most [`TAGS_MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditTags(Vec<AuditTag>);

impl AuditTags {
    /// Takes tags.
    ///
    /// # Errors
    /// Where there are more than [`TAGS_MAX`].
    pub fn new(tags: Vec<AuditTag>) -> Result<Self, LeafError> {
        if tags.len() > TAGS_MAX {
            return Err(LeafError::Malformed("a leaf has at most 8 audit tags; append two leaves"));
        }
        Ok(Self(tags))
    }

    /// The tags.
    #[must_use]
    pub fn as_slice(&self) -> &[AuditTag] {
        &self.0
    }
}

/// What happened, in public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// Palms were enrolled.
    Enrol {
        /// Where.
        place: Label,
        /// How many.
        palms: u32,
    },
    /// Palms were put into a gallery.
    Arm {
        /// What they may be used for there.
        purpose: Purpose,
        /// Whose gallery.
        place: Label,
        /// How many.
        palms: u32,
    },
    /// Palms were taken out of a gallery.
    Disarm {
        /// What they could be used for there.
        purpose: Purpose,
        /// Whose gallery.
        place: Label,
        /// How many.
        palms: u32,
    },
    /// A gallery was searched, or one palm verified (then `searched` is 1).
    Identify {
        /// Why.
        purpose: Purpose,
        /// Where.
        place: Label,
        /// How many palms were compared with.
        searched: u32,
        /// For the people whose palms were found.
        tags: AuditTags,
    },
    /// Palms were deleted.
    Delete {
        /// Why.
        cause: DeletionCause,
        /// How many.
        palms: u32,
    },
    /// The nodes renewed their shares.
    Refresh {
        /// The epoch that began.
        epoch: u64,
    },
    /// A rule or threshold was changed.
    PolicyChange {
        /// Which rule.
        rule: Rule,
        /// For which gallery, event or company.
        place: Label,
        /// What it was.
        old: i64,
        /// What it is now.
        new: i64,
    },
    /// A machine began to run a version of a program.
    SoftwareVersion {
        /// The program.
        component: PublicText,
        /// Its version.
        version: PublicText,
        /// SHA-256 of the program file.
        digest: [u8; 32],
    },
    /// Staff read personal data.
    StaffAccess {
        /// In which role.
        role: StaffRole,
        /// Why.
        reason: AccessReason,
        /// About how many people.
        people: u32,
    },
    /// An authority demanded data.
    LegalDemand {
        /// Under whose law, for example `US-CO`.
        jurisdiction: PublicText,
        /// What became of it.
        outcome: DemandOutcome,
        /// About how many people.
        people: u32,
    },
    /// Palms were allowed or forbidden at an event.
    BiometricsSwitched {
        /// Which event.
        event: Label,
        /// What holds from now on.
        to: Biometrics,
    },
}

impl Statement {
    /// Which kind it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Enrol { .. } => Kind::Enrol,
            Self::Arm { .. } => Kind::Arm,
            Self::Disarm { .. } => Kind::Disarm,
            Self::Identify { .. } => Kind::Identify,
            Self::Delete { .. } => Kind::Delete,
            Self::Refresh { .. } => Kind::Refresh,
            Self::PolicyChange { .. } => Kind::PolicyChange,
            Self::SoftwareVersion { .. } => Kind::SoftwareVersion,
            Self::StaffAccess { .. } => Kind::StaffAccess,
            Self::LegalDemand { .. } => Kind::LegalDemand,
            Self::BiometricsSwitched { .. } => Kind::BiometricsSwitched,
        }
    }

    /// The version of the format in which it is written.
    const fn version(&self) -> u8 {
        match self {
            Self::Identify { tags, .. } if !tags.0.is_empty() => VERSION_TAGGED,
            _ => VERSION,
        }
    }

    fn put(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Enrol { place, palms } => {
                bytes.extend_from_slice(place.as_bytes());
                bytes.extend_from_slice(&palms.to_be_bytes());
            }
            Self::Arm { purpose, place, palms } | Self::Disarm { purpose, place, palms } => {
                bytes.push(purpose.code());
                bytes.extend_from_slice(place.as_bytes());
                bytes.extend_from_slice(&palms.to_be_bytes());
            }
            Self::Identify { purpose, place, searched, tags } => {
                bytes.push(purpose.code());
                bytes.extend_from_slice(place.as_bytes());
                bytes.extend_from_slice(&searched.to_be_bytes());
                bytes.push(tags.0.len() as u8);
                for AuditTag { query, tag } in &tags.0 {
                    bytes.extend_from_slice(query);
                    bytes.extend_from_slice(tag);
                }
            }
            Self::Delete { cause, palms } => {
                bytes.push(cause.code());
                bytes.extend_from_slice(&palms.to_be_bytes());
            }
            Self::Refresh { epoch } => bytes.extend_from_slice(&epoch.to_be_bytes()),
            Self::PolicyChange { rule, place, old, new } => {
                bytes.push(rule.code());
                bytes.extend_from_slice(place.as_bytes());
                bytes.extend_from_slice(&old.to_be_bytes());
                bytes.extend_from_slice(&new.to_be_bytes());
            }
            Self::SoftwareVersion { component, version, digest } => {
                component.put(bytes);
                version.put(bytes);
                bytes.extend_from_slice(digest);
            }
            Self::StaffAccess { role, reason, people } => {
                bytes.extend_from_slice(&[role.code(), reason.code()]);
                bytes.extend_from_slice(&people.to_be_bytes());
            }
            Self::LegalDemand { jurisdiction, outcome, people } => {
                jurisdiction.put(bytes);
                bytes.push(outcome.code());
                bytes.extend_from_slice(&people.to_be_bytes());
            }
            Self::BiometricsSwitched { event, to } => {
                bytes.extend_from_slice(event.as_bytes());
                bytes.push(to.code());
            }
        }
    }

    fn take(kind: Kind, fields: &mut Fields<'_>) -> Result<Self, LeafError> {
        let label = |fields: &mut Fields<'_>| fields.array().map(Label::from_bytes);
        // Fields are read in the order of their declaration, which is that of the encoding.
        Ok(match kind {
            Kind::Enrol => Self::Enrol { place: label(fields)?, palms: fields.u32()? },
            Kind::Arm => Self::Arm {
                purpose: Purpose::take(fields)?,
                place: label(fields)?,
                palms: fields.u32()?,
            },
            Kind::Disarm => Self::Disarm {
                purpose: Purpose::take(fields)?,
                place: label(fields)?,
                palms: fields.u32()?,
            },
            Kind::Identify => Self::Identify {
                purpose: Purpose::take(fields)?,
                place: label(fields)?,
                searched: fields.u32()?,
                tags: take_tags(fields)?,
            },
            Kind::Delete => {
                Self::Delete { cause: DeletionCause::take(fields)?, palms: fields.u32()? }
            }
            Kind::Refresh => Self::Refresh { epoch: fields.u64()? },
            Kind::PolicyChange => Self::PolicyChange {
                rule: Rule::take(fields)?,
                place: label(fields)?,
                old: fields.u64()?.cast_signed(),
                new: fields.u64()?.cast_signed(),
            },
            Kind::SoftwareVersion => Self::SoftwareVersion {
                component: PublicText::take(fields)?,
                version: PublicText::take(fields)?,
                digest: fields.array()?,
            },
            Kind::StaffAccess => Self::StaffAccess {
                role: StaffRole::take(fields)?,
                reason: AccessReason::take(fields)?,
                people: fields.u32()?,
            },
            Kind::LegalDemand => Self::LegalDemand {
                jurisdiction: PublicText::take(fields)?,
                outcome: DemandOutcome::take(fields)?,
                people: fields.u32()?,
            },
            Kind::BiometricsSwitched => {
                Self::BiometricsSwitched { event: label(fields)?, to: Biometrics::take(fields)? }
            }
        })
    }
}

fn take_tags(fields: &mut Fields<'_>) -> Result<AuditTags, LeafError> {
    let count = usize::from(fields.u8()?);
    if count > TAGS_MAX {
        return Err(LeafError::Malformed("more than 8 audit tags"));
    }
    let tag = |fields: &mut Fields<'_>| {
        Ok::<_, WireError>(AuditTag { query: fields.array()?, tag: fields.array()? })
    };
    let tags: Result<_, WireError> = (0..count).map(|_| tag(fields)).collect();
    Ok(AuditTags(tags?))
}

/// What is to be logged; the log adds the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// What happened, in public.
    pub statement: Statement,
    /// Stands for the private fields.
    pub commitment: Commitment,
}

/// A leaf of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    at: Timestamp,
    draft: Draft,
}

impl Leaf {
    /// A leaf at a time, cut to whole seconds. Times before 1970 become 1970.
    #[must_use]
    pub fn new(at: Timestamp, draft: Draft) -> Self {
        let seconds = at.as_micros().max(0) / MICROS_PER_SECOND;
        Self { at: Timestamp::from_micros(seconds * MICROS_PER_SECOND), draft }
    }

    /// When, in whole seconds. Along a log times never go back.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// What happened.
    #[must_use]
    pub const fn statement(&self) -> &Statement {
        &self.draft.statement
    }

    /// Stands for the private fields.
    #[must_use]
    pub const fn commitment(&self) -> Commitment {
        self.draft.commitment
    }

    /// The bytes that are hashed and stored.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LEAF_BYTES_MAX);
        let statement = &self.draft.statement;
        bytes.extend_from_slice(&[statement.version(), statement.kind().code()]);
        bytes.extend_from_slice(&(self.at.as_micros() / MICROS_PER_SECOND).to_be_bytes());
        bytes.extend_from_slice(self.draft.commitment.as_bytes());
        statement.put(&mut bytes);
        debug_assert!(bytes.len() <= LEAF_BYTES_MAX, "the limit covers the widest kind");
        bytes
    }

    /// Reads a leaf.
    ///
    /// # Errors
    /// Where the bytes are none, or of a version or kind that is not known.
    pub fn decode(bytes: &[u8]) -> Result<Self, LeafError> {
        let mut fields = Fields::new(bytes);
        let version = match fields.u8()? {
            known @ (VERSION | VERSION_TAGGED) => known,
            got => return Err(LeafError::Version { got }),
        };
        let kind = Kind::take(&mut fields)
            .map_err(|error| bytes.get(1).map_or(error, |&got| LeafError::Kind { got }))?;
        let micros = i64::try_from(fields.u64()?)
            .ok()
            .and_then(|seconds| seconds.checked_mul(MICROS_PER_SECOND))
            .ok_or(LeafError::Malformed("its time is beyond all clocks"))?;
        let commitment = Commitment::from_bytes(fields.array()?);
        let statement = Statement::take(kind, &mut fields)?;
        fields.finish()?;
        if statement.version() != version {
            return Err(LeafError::Malformed("its kind is written in another version"));
        }
        Ok(Self { at: Timestamp::from_micros(micros), draft: Draft { statement, commitment } })
    }

    /// Its hash in the tree.
    #[must_use]
    pub fn hash(&self) -> TreeHash {
        TreeHash::of_leaf(&self.encode())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

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
            Statement::StaffAccess {
                role: StaffRole::Clerk,
                reason: AccessReason::Dispute,
                people: 1,
            },
            Statement::LegalDemand {
                jurisdiction: text("US-CO"),
                outcome: DemandOutcome::Refused,
                people: 40,
            },
            Statement::BiometricsSwitched { event: place, to: Biometrics::Forbidden },
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
        let statement =
            Statement::Identify { purpose: Purpose::Entry, place, searched: 10_000, tags };
        Draft { statement, commitment: Commitment::from_bytes([0xcc; 32]) }
    }

    #[test]
    fn no_leaf_is_wider_than_the_limit() {
        let tag = AuditTag { query: [1; 16], tag: [2; 16] };
        let tags = AuditTags::new(vec![tag; TAGS_MAX]).unwrap();
        let place = Label::from_bytes([0; 16]);
        let tagged = Statement::Identify { purpose: Purpose::Entry, place, searched: 1, tags };
        let widest = text(&"x".repeat(TEXT_BYTES_MAX));
        let worded = Statement::SoftwareVersion {
            component: widest.clone(),
            version: widest,
            digest: [0; 32],
        };
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
}
