//! Operations: what changes the nodes' common state, numbered, chained and certified.

use ed25519_dalek::{Signature, Verifier, VerifyingKey};
use handfast_model::Timestamp;
use handfast_mpc::{DIMENSION_MAX, Role, THRESHOLD_MAX, VECTORS_MAX};
use handfast_palm::Side;

use super::codec::{CodecError, Reader, Writer};
use super::names::{DeviceName, GalleryName, Hash, Head, OperationName, QueryName, RelyingName};
use super::refusal::{Reason, Refusal};
use crate::deployment::DeploymentId;

/// Version of the bytes of operations, which their hashes and signatures cover.
pub const OPERATION_VERSION: u16 = 1;
/// Most palms in one enrolment, and slots in one change: two for a person; synthetic ones by the
/// thousand, as many as a set of shares has vectors.
pub const SLOTS_PER_CHANGE_MAX: usize = VECTORS_MAX;
/// Most rows of a slot.
pub const ROWS_PER_SLOT_MAX: u8 = 8;
/// Most comparisons of a slot, rows times vectors: a chunk's longest step stays within a frame.
pub(crate) const LAYERS_MAX: usize = 1024;
/// Longest encoded operation: a list of slots, and what stands around it.
pub const OPERATION_LENGTH_MAX: usize = 8 * SLOTS_PER_CHANGE_MAX + 1024;

/// What a gallery is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GalleryPurpose {
    /// Whether a palm is enrolled already: the gallery in which a company's palms have their home.
    Enrolment,
    /// Entering an event.
    Entry,
    /// Paying at a shop.
    Payment,
    /// Benches: rows that belong to nobody are stored without a duplicate check. No node opens such
    /// a gallery but one that was started for that: see [`super::Node::danger_allow_unchecked`].
    DangerUnchecked,
}

impl GalleryPurpose {
    /// Whether palms are stored by enrolling them here.
    pub(crate) const fn is_home(self) -> bool {
        matches!(self, Self::Enrolment | Self::DangerUnchecked)
    }
}

/// From which score on a palm is recognised, how many there may be, and how often it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Threshold of a search of the whole gallery.
    pub identify: u16,
    /// Threshold against one named slot.
    pub verify: u16,
    /// Most slots armed on each side: what the thresholds are calibrated for.
    pub slots_max: u32,
    /// Most vectors of a probe.
    pub vectors_max: u16,
    /// Searches that one device may make within an hour.
    pub device_hourly: u32,
    /// Searches within an hour, of all devices together.
    pub gallery_hourly: u32,
    /// Comparisons of one slot (1:1) within an hour.
    pub slot_hourly: u32,
}

/// A gallery as it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GallerySpec {
    /// Its name.
    pub gallery: GalleryName,
    /// Who gets the tokens of palms found in it.
    pub party: RelyingName,
    /// The party's public key, to which parts of tokens are sealed.
    pub recipient: [u8; 32],
    /// What it is searched for.
    pub purpose: GalleryPurpose,
    /// Which templates: both sides of a comparison are of one version.
    pub model_version: u16,
    /// Numbers in a vector.
    pub dimension: u16,
    /// Rows of a slot.
    pub rows_per_slot: u8,
    /// Thresholds and budgets, as long as the gallery is open.
    pub policy: Policy,
}

/// A new palm's place in an enrolment; its slot is the enrolment's first one and those after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// The company's gallery of purpose [`GalleryPurpose::Enrolment`], its only one.
    pub gallery: GalleryName,
    /// The first new slot; 0 until node A numbers the operation.
    pub first_slot: u64,
    /// The palms' sides, in the order of their shares.
    pub sides: Vec<Side>,
    /// When the consent to be checked against later enrolments ends.
    pub until: Timestamp,
    /// Reference of the consent.
    pub consent: [u8; 16],
    /// The device that dealt the shares.
    pub device: DeviceName,
    /// The duplicate checks, one a palm, that found nobody: the nodes open them before they store
    /// anything. None in a gallery of purpose [`GalleryPurpose::DangerUnchecked`].
    pub checks: Vec<QueryName>,
    /// The operation up to which they searched at least: no palm was enrolled in the gallery since.
    pub checked_at: u64,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// Opens a gallery; the same again changes nothing.
    OpenGallery(GallerySpec),
    /// Closes it for good.
    CloseGallery(GalleryName),
    /// Stores palms and arms them in their company's gallery.
    Enrol(Enrolment),
    /// Arms a slot in a gallery, or changes until when.
    Arm {
        /// Where.
        gallery: GalleryName,
        /// Which.
        slot: u64,
        /// Until when.
        until: Timestamp,
        /// Reference of the consent.
        consent: [u8; 16],
    },
    /// Disarms slots.
    Disarm {
        /// Where.
        gallery: GalleryName,
        /// Which, ascending.
        slots: Vec<u64>,
    },
    /// Deletes palms: their keys are destroyed, then their rows.
    Delete {
        /// Which, ascending.
        slots: Vec<u64>,
    },
    /// Gives every row new shares.
    Refresh,
    /// Lets a device deal shares, or gives it another key.
    ProvisionDevice {
        /// Its name.
        device: DeviceName,
        /// Its Ed25519 key.
        key: [u8; 32],
    },
    /// Takes a device out of use.
    RevokeDevice(DeviceName),
}

/// A change with its place in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its number, from 1.
    pub number: u64,
    /// The hash of the operation before it.
    pub previous: Hash,
    /// The name under which it was asked for.
    pub name: OperationName,
    /// What it changes.
    pub change: Change,
}

impl Operation {
    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.u16(OPERATION_VERSION).u64(self.number).raw(&self.previous.0).raw(&self.name.0);
        self.change.write(&mut writer);
        writer.0
    }

    /// Reads what [`Operation::to_bytes`] wrote.
    ///
    /// # Errors
    /// When the bytes are anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let found = reader.u16()?;
        if found != OPERATION_VERSION {
            return Err(CodecError::Version { expected: OPERATION_VERSION, found });
        }
        let operation = Self {
            number: reader.u64()?,
            previous: Hash(reader.array()?),
            name: OperationName(reader.array()?),
            change: Change::read(&mut reader)?,
        };
        reader.end()?;
        Ok(operation)
    }

    /// The head of a list that ends with it.
    #[must_use]
    pub fn head(&self) -> Head {
        Head {
            number: self.number,
            hash: Hash::of(b"handfast vault operation 1", &self.to_bytes()),
        }
    }
}

const OPEN: u8 = 1;
const CLOSE: u8 = 2;
// 3 is nothing: it replaced a gallery's budgets, which are those that it was opened with.
const ENROL: u8 = 4;
const ARM: u8 = 5;
const DISARM: u8 = 6;
const DELETE: u8 = 7;
const REFRESH: u8 = 8;
const PROVISION: u8 = 9;
const REVOKE: u8 = 10;

impl Change {
    pub(crate) fn write(&self, writer: &mut Writer) {
        match self {
            Self::OpenGallery(spec) => {
                writer.u8(OPEN).raw(&spec.gallery.0).raw(&spec.party.0).raw(&spec.recipient);
                writer.u8(spec.purpose as u8).u16(spec.model_version);
                writer.u16(spec.dimension).u8(spec.rows_per_slot);
                spec.policy.write(writer);
            }
            Self::CloseGallery(gallery) => {
                writer.u8(CLOSE).raw(&gallery.0);
            }
            Self::Enrol(enrolment) => {
                writer.u8(ENROL);
                enrolment.write(writer);
            }
            Self::Arm { gallery, slot, until, consent } => {
                writer.u8(ARM).raw(&gallery.0).u64(*slot).time(*until).raw(consent);
            }
            Self::Disarm { gallery, slots } => {
                writer.u8(DISARM).raw(&gallery.0);
                write_slots(slots, writer);
            }
            Self::Delete { slots } => {
                writer.u8(DELETE);
                write_slots(slots, writer);
            }
            Self::Refresh => {
                writer.u8(REFRESH);
            }
            Self::ProvisionDevice { device, key } => {
                writer.u8(PROVISION).raw(&device.0).raw(key);
            }
            Self::RevokeDevice(device) => {
                writer.u8(REVOKE).raw(&device.0);
            }
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let gallery = |reader: &mut Reader<'_>| Ok(GalleryName(reader.array()?));
        Ok(match reader.u8()? {
            OPEN => Self::OpenGallery(GallerySpec::read(reader)?),
            CLOSE => Self::CloseGallery(gallery(reader)?),
            ENROL => Self::Enrol(Enrolment::read(reader)?),
            ARM => Self::Arm {
                gallery: gallery(reader)?,
                slot: reader.u64()?,
                until: reader.time()?,
                consent: reader.array()?,
            },
            DISARM => Self::Disarm { gallery: gallery(reader)?, slots: read_slots(reader)? },
            DELETE => Self::Delete { slots: read_slots(reader)? },
            REFRESH => Self::Refresh,
            PROVISION => {
                Self::ProvisionDevice { device: DeviceName(reader.array()?), key: reader.array()? }
            }
            REVOKE => Self::RevokeDevice(DeviceName(reader.array()?)),
            _ => return Err(CodecError::Unknown { what: "a change" }),
        })
    }
}

fn write_slots(slots: &[u64], writer: &mut Writer) {
    writer.count(slots.len());
    slots.iter().for_each(|slot| {
        writer.u64(*slot);
    });
}

/// Slots ascend, so that a set of them has one form.
fn read_slots(reader: &mut Reader<'_>) -> Result<Vec<u64>, CodecError> {
    let slots = reader.list("slots", SLOTS_PER_CHANGE_MAX, 8, Reader::u64)?;
    if slots.is_empty() || !slots.is_sorted_by(|a, b| a < b) {
        return Err(CodecError::Unknown { what: "a list of slots" });
    }
    Ok(slots)
}

impl GallerySpec {
    fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            gallery: GalleryName(reader.array()?),
            party: RelyingName(reader.array()?),
            recipient: reader.array()?,
            purpose: match reader.u8()? {
                0 => GalleryPurpose::Enrolment,
                1 => GalleryPurpose::Entry,
                2 => GalleryPurpose::Payment,
                3 => GalleryPurpose::DangerUnchecked,
                _ => return Err(CodecError::Unknown { what: "a purpose" }),
            },
            model_version: reader.u16()?,
            dimension: reader.u16()?,
            rows_per_slot: reader.u8()?,
            policy: Policy::read(reader)?,
        })
    }

    /// Whether every number is within its limits.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let fits = (1..=DIMENSION_MAX).contains(&usize::from(self.dimension))
            && (1..=ROWS_PER_SLOT_MAX).contains(&self.rows_per_slot);
        if fits { self.policy.check(self.rows_per_slot) } else { Err(Reason::Limits.into()) }
    }
}

impl Policy {
    fn write(&self, writer: &mut Writer) {
        writer.u16(self.identify).u16(self.verify).u32(self.slots_max).u16(self.vectors_max);
        writer.u32(self.device_hourly).u32(self.gallery_hourly).u32(self.slot_hourly);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            identify: reader.u16()?,
            verify: reader.u16()?,
            slots_max: reader.u32()?,
            vectors_max: reader.u16()?,
            device_hourly: reader.u32()?,
            gallery_hourly: reader.u32()?,
            slot_hourly: reader.u32()?,
        })
    }

    pub(crate) fn check(&self, rows_per_slot: u8) -> Result<(), Refusal> {
        let thresholds = 1..=THRESHOLD_MAX;
        let fits = thresholds.contains(&self.identify)
            && thresholds.contains(&self.verify)
            && self.vectors_max > 0
            && usize::from(self.vectors_max) * usize::from(rows_per_slot) <= LAYERS_MAX
            && self.slots_max > 0;
        if fits { Ok(()) } else { Err(Reason::Limits.into()) }
    }
}

impl Enrolment {
    fn write(&self, writer: &mut Writer) {
        writer.raw(&self.gallery.0).u64(self.first_slot).count(self.sides.len());
        self.sides.iter().for_each(|side| {
            writer.side(*side);
        });
        writer.time(self.until).raw(&self.consent).raw(&self.device.0);
        writer.count(self.checks.len());
        self.checks.iter().for_each(|check| {
            writer.raw(&check.0);
        });
        writer.u64(self.checked_at);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let enrolment = Self {
            gallery: GalleryName(reader.array()?),
            first_slot: reader.u64()?,
            sides: reader.list("sides", SLOTS_PER_CHANGE_MAX, 1, Reader::side)?,
            until: reader.time()?,
            consent: reader.array()?,
            device: DeviceName(reader.array()?),
            checks: reader.list("checks", SLOTS_PER_CHANGE_MAX, 16, |reader| {
                Ok(QueryName(reader.array()?))
            })?,
            checked_at: reader.u64()?,
        };
        if enrolment.sides.is_empty() {
            return Err(CodecError::Unknown { what: "an enrolment of nobody" });
        }
        Ok(enrolment)
    }

    /// The new slots.
    pub fn slots(&self) -> impl Iterator<Item = (u64, Side)> {
        (self.first_slot..).zip(self.sides.iter().copied())
    }
}

/// What a node says of an operation; it never says both of one operation before all three gave it
/// up, so that an operation is committed or given up, never both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is stored, and can be committed at any time.
    Prepared,
    /// The node will not prepare it, or saw another node's word that it will not.
    GivenUp,
}

/// A node's signed word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// The node.
    pub node: Role,
    /// What it says.
    pub verdict: Verdict,
    /// Its signature over deployment, verdict, number and hash.
    pub signature: [u8; 64],
}

fn vote_bytes(deployment: DeploymentId, node: Role, verdict: Verdict, head: Head) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.raw(b"handfast vault vote 1").raw(&deployment.to_bytes()).u8(node.index() as u8);
    writer.u8(verdict as u8).u64(head.number).raw(&head.hash.0);
    writer.0
}

impl Vote {
    pub(crate) fn sign(
        deployment: DeploymentId,
        node: Role,
        verdict: Verdict,
        head: Head,
        sign: impl FnOnce(&[u8]) -> [u8; 64],
    ) -> Self {
        let signature = sign(&vote_bytes(deployment, node, verdict, head));
        Self { node, verdict, signature }
    }

    /// Whether the node said this of the operation with this head.
    #[must_use]
    pub fn is_valid(&self, deployment: DeploymentId, head: Head, key: &VerifyingKey) -> bool {
        let bytes = vote_bytes(deployment, self.node, self.verdict, head);
        key.verify(&bytes, &Signature::from_bytes(&self.signature)).is_ok()
    }
}

/// Three signatures of A, B and C that say the same of one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// What they say.
    pub verdict: Verdict,
    /// A's, B's, C's.
    pub signatures: [[u8; 64]; 3],
}

impl Certificate {
    /// Whether all three nodes signed it.
    #[must_use]
    pub fn is_valid(&self, deployment: DeploymentId, head: Head, keys: &[VerifyingKey; 3]) -> bool {
        Role::ALL.into_iter().all(|node| {
            let signature = self.signatures[node.index()];
            let vote = Vote { node, verdict: self.verdict, signature };
            vote.is_valid(deployment, head, &keys[node.index()])
        })
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.u8(self.verdict as u8).raw(self.signatures.as_flattened());
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let verdict = Verdict::read(reader)?;
        Ok(Self { verdict, signatures: [reader.array()?, reader.array()?, reader.array()?] })
    }
}

impl Verdict {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        match reader.u8()? {
            0 => Ok(Self::Prepared),
            1 => Ok(Self::GivenUp),
            _ => Err(CodecError::Unknown { what: "a verdict" }),
        }
    }
}

/// An operation in the list, with what makes it certain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certified {
    /// The operation.
    pub operation: Operation,
    /// Its certificate; the verdict is [`Verdict::Prepared`].
    pub certificate: Certificate,
}

impl Certified {
    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.bytes(&self.operation.to_bytes());
        self.certificate.write(writer);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let operation = Operation::from_bytes(reader.bytes("an operation", OPERATION_LENGTH_MAX)?)?;
        Ok(Self { operation, certificate: Certificate::read(reader)? })
    }
}
