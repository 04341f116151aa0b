//! What a leaf says in public: one variant a kind, with its fields in the order of their encoding.

use crate::commitment::Label;
use crate::leaf::{LeafError, VERSION, VERSION_TAGGED};
use crate::vocabulary::{
    AccessReason, Biometrics, DeletionCause, DemandOutcome, Kind, PublicText, Purpose, Rule,
    StaffRole, Step, WideAct,
};
use crate::wire::{Fields, WireError};

/// Most audit tags in a leaf: one a palm shown, and nobody shows more hands at one pedestal.
pub const TAGS_MAX: usize = 8;

const _: () = assert!(TAGS_MAX <= u8::MAX as usize);

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
    /// Staff asked for, or decided, something that touches many people.
    FourEyes {
        /// How far it is.
        step: Step,
        /// What it is.
        act: WideAct,
        /// About how many people, as far as that is known.
        people: u32,
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
            Self::FourEyes { .. } => Kind::FourEyes,
        }
    }

    /// The version of the format in which it is written.
    pub(crate) const fn version(&self) -> u8 {
        match self {
            Self::Identify { tags, .. } if !tags.0.is_empty() => VERSION_TAGGED,
            _ => VERSION,
        }
    }

    pub(crate) fn put(&self, bytes: &mut Vec<u8>) {
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
            Self::FourEyes { step, act, people } => {
                bytes.extend_from_slice(&[step.code(), act.code()]);
                bytes.extend_from_slice(&people.to_be_bytes());
            }
        }
    }

    pub(crate) fn take(kind: Kind, fields: &mut Fields<'_>) -> Result<Self, LeafError> {
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
            Kind::FourEyes => Self::FourEyes {
                step: Step::take(fields)?,
                act: WideAct::take(fields)?,
                people: fields.u32()?,
            },
        })
    }
}

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
