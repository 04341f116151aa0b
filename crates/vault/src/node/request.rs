//! What a vault front asks a node, and what it answers.
//!
//! A front sends the same request to all three nodes, each with the shares sealed to it. A request
//! whose answer was lost is asked again with the same names, and nothing is done twice.

use handfast_mpc::Role;
use handfast_palm::Side;

use super::codec::{CodecError, Reader, Writer};
use super::message::{OPERATIONS_PER_PAGE, read_head, read_role, write_head};
use super::names::{DeviceName, GalleryName, Hash, Head, OperationName, QueryName};
use super::operation::{Certificate, Certified, Change};
use super::refusal::{Refusal, Refusals};
use crate::audit::{AUDIT_QUERIES_MAX, SignedTagPart};
use crate::deployment::DeploymentId;

/// Version of requests and replies. Since 2 a node says whether it is strict, and signs its part of an
/// audit tag by itself; since 3 it does so where there is a tag alone, and a search's name follows from
/// all three nodes' challenges.
pub const REQUEST_VERSION: u16 = 3;
/// Longest request: the shares of an enrolment of synthetic palms. The transport refuses longer
/// ones before it reads them.
pub const REQUEST_MAX: usize = 4 << 20;
/// Longest sealed set of shares.
const SEALED_MAX: usize = REQUEST_MAX - 1024;
/// Longest set of a node's public keys, and longest sealed part: a few keys and signatures.
const KEYS_MAX: usize = 4096;
/// Longest sealed components: encapsulated key, 16 bytes a query, tag.
const AUDIT_SEALED_MAX: usize = 32 + 16 * AUDIT_QUERIES_MAX + 16;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// Who is there, and where it stands. Answer: [`Reply::Status`].
    Status,
    /// A single-use challenge, and the keys to seal shares to. Answer: [`Reply::Challenge`].
    Challenge,
    /// Do this, once. Answer: [`Reply::Committed`], [`Reply::GivenUp`], or a refusal.
    Operate {
        /// Drawn by the front: asking again with the same name does it once.
        name: OperationName,
        /// What; of an enrolment `first_slot` is 0.
        change: Change,
        /// The node's shares of the references, for an enrolment.
        shares: Option<SealedShares>,
    },
    /// What became of an operation. Answers as `Operate`; [`super::Reason::Unknown`] where the node
    /// never heard of it.
    OperationState(OperationName),
    /// Search, compare or deliver. Answer: [`Reply::Found`].
    Search(Search),
    /// Give this node back the rows that it lacks. Answer: [`Reply::Rebuilt`].
    Rebuild,
    /// A person's values of queries, for that person's device. Answer: [`Reply::Audit`].
    Audit(AuditRequest),
    /// The list from this number on, a page of it. Answer: [`Reply::Operations`].
    Operations {
        /// The first one wanted.
        from: u64,
    },
}

/// What a person's audit asks of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRequest {
    /// The person's slot.
    pub slot: u64,
    /// The X25519 key of the person's device.
    pub recipient: [u8; 32],
    /// The searches, in the order of the values.
    pub queries: Vec<[u8; 16]>,
}

/// Shares as a device sealed them for one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedShares {
    /// The device, which signed them.
    pub device: DeviceName,
    /// A challenge of this node that was not used for anything else.
    pub challenge: [u8; 16],
    /// Reference of the consent that the person gave.
    pub consent: [u8; 16],
    /// What is paid, hashed; zeros elsewhere.
    pub amount: [u8; 32],
    /// The head's number when they were sealed: the search is at this operation or a later one.
    pub sealed_at: u64,
    /// The sealed bytes: see [`super::Seals::open`].
    pub sealed: Vec<u8>,
}

/// What a search looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sought {
    /// Whoever of the gallery's side it is.
    Anyone,
    /// Whether it is this slot's palm (1:1).
    Slot(u64),
    /// Whether anybody is like it: a duplicate check, in a gallery for enrolment only.
    Duplicate,
    /// No comparison: the relying party's token of an armed slot.
    Delivery(u64),
}

/// One attempt at a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// The same in every attempt: [`QueryName::of`] challenges and nonce; drawn by the front for a
    /// delivery.
    pub query: QueryName,
    /// 1, 2 or 3.
    pub attempt: u8,
    /// Where.
    pub gallery: GalleryName,
    /// Which hand.
    pub side: Side,
    /// Up to which operation the gallery is searched.
    pub at: Head,
    /// The epoch of shares.
    pub epoch: u64,
    /// What is looked for.
    pub sought: Sought,
    /// Drawn by the relying party for this one search.
    pub nonce: [u8; 16],
    /// What A, B and C gave for this search; zeros for a delivery.
    pub challenges: [[u8; 16]; 3],
    /// The probe; none for [`Sought::Delivery`].
    pub shares: Option<SealedShares>,
}

/// What a node answers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// See [`Request::Status`].
    Status(NodeStatus),
    /// See [`Request::Challenge`].
    Challenge {
        /// Sixteen bytes for one use.
        challenge: [u8; 16],
        /// The node's public keys of the day, as [`super::Seals::share_keys`] gives them.
        keys: Vec<u8>,
        /// Where the node stands.
        head: Head,
        /// The epoch of shares.
        epoch: u64,
    },
    /// The operation is in the list, and this node has done it.
    Committed(Committed),
    /// The operation will never be done.
    GivenUp(Refusal),
    /// The node's part of what was found.
    Found(Found),
    /// How many rows were given back.
    Rebuilt {
        /// Rows.
        rows: u64,
    },
    /// The node's components for a person's audit; see [`crate::AuditPart`].
    Audit {
        /// Sealed to the person's device.
        sealed: Vec<u8>,
        /// The node's signature over [`crate::audit_signed`].
        signature: [u8; 64],
    },
    /// A page of the list; empty at its end.
    Operations(Vec<Certified>),
    /// Refused; nothing has changed.
    Refused(Refusal),
}

/// A committed operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The head of the list that ends with it.
    pub head: Head,
    /// What makes it certain.
    pub certificate: Certificate,
    /// The first slot of an enrolment; 0 otherwise.
    pub first_slot: u64,
    /// This node's signature that it has done it: of a deletion, that keys and rows are destroyed.
    pub done: [u8; 64],
}

impl Committed {
    /// What a node signs when it has done an operation.
    #[must_use]
    pub fn done_bytes(deployment: DeploymentId, node: Role, head: Head) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.raw(b"handfast vault done 1").raw(&deployment.to_bytes()).u8(node.index() as u8);
        write_head(head, &mut writer);
        writer.0
    }
}

/// One node's part of a search's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The query.
    pub query: QueryName,
    /// The attempt.
    pub attempt: u8,
    /// The part of the token, sealed to the relying party; see [`super::PartBinding`].
    pub sealed: Vec<u8>,
    /// The node's signature over binding, audit tag's part and sealed part.
    pub signature: [u8; 64],
    /// The node's part of the audit tag, for the log, and for whoever is shown the tag; none of duplicate
    /// checks and deliveries, which have no tag.
    pub audit: Option<SignedTagPart>,
}

/// Where a node stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStatus {
    /// Which node it is.
    pub role: Role,
    /// Its deployment.
    pub deployment: DeploymentId,
    /// Its list's end.
    pub head: Head,
    /// The epoch of shares.
    pub epoch: u64,
    /// The undecided operation's number; 0 where there is none.
    pub undecided: u64,
    /// Palms stored.
    pub slots: u64,
    /// Rows that it lacks.
    pub lacking: u64,
    /// Galleries open.
    pub galleries: u32,
    /// Searches under way.
    pub searching: u32,
    /// Bytes that all rows take in memory.
    pub row_bytes: u64,
    /// Whether its peers are connected: the next node, the previous one.
    pub peers_up: [bool; 2],
    /// Whether its last write to disk succeeded.
    pub store_works: bool,
    /// Whether it takes part in searches only where the lengths of what was dealt are checked.
    pub strict: bool,
    /// What it refused so far.
    pub refusals: Refusals,
}

const STATUS: u8 = 1;
const CHALLENGE: u8 = 2;
const OPERATE: u8 = 3;
const OPERATION_STATE: u8 = 4;
const SEARCH: u8 = 5;
const REBUILD: u8 = 6;
const OPERATIONS: u8 = 7;
const GIVEN_UP: u8 = 8;
const REFUSED: u8 = 9;
const AUDIT: u8 = 10;

impl Request {
    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.u16(REQUEST_VERSION);
        match self {
            Self::Status => {
                writer.u8(STATUS);
            }
            Self::Challenge => {
                writer.u8(CHALLENGE);
            }
            Self::Operate { name, change, shares } => {
                writer.u8(OPERATE).raw(&name.0);
                change.write(&mut writer);
                write_shares(shares.as_ref(), &mut writer);
            }
            Self::OperationState(name) => {
                writer.u8(OPERATION_STATE).raw(&name.0);
            }
            Self::Search(search) => {
                writer.u8(SEARCH);
                search.write(&mut writer);
            }
            Self::Rebuild => {
                writer.u8(REBUILD);
            }
            Self::Audit(AuditRequest { slot, recipient, queries }) => {
                writer.u8(AUDIT).u64(*slot).raw(recipient).count(queries.len());
                queries.iter().for_each(|query| {
                    writer.raw(query);
                });
            }
            Self::Operations { from } => {
                writer.u8(OPERATIONS).u64(*from);
            }
        }
        writer.0
    }

    /// Reads what [`Request::to_bytes`] wrote.
    ///
    /// # Errors
    /// When the bytes are anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = versioned(bytes, REQUEST_MAX)?;
        let request = match reader.u8()? {
            STATUS => Self::Status,
            CHALLENGE => Self::Challenge,
            OPERATE => Self::Operate {
                name: OperationName(reader.array()?),
                change: Change::read(&mut reader)?,
                shares: read_shares(&mut reader)?,
            },
            OPERATION_STATE => Self::OperationState(OperationName(reader.array()?)),
            SEARCH => Self::Search(Search::read(&mut reader)?),
            REBUILD => Self::Rebuild,
            AUDIT => Self::Audit(AuditRequest {
                slot: reader.u64()?,
                recipient: reader.array()?,
                queries: reader.list("queries", AUDIT_QUERIES_MAX, 16, Reader::array)?,
            }),
            OPERATIONS => Self::Operations { from: reader.u64()? },
            _ => return Err(CodecError::Unknown { what: "a kind of request" }),
        };
        reader.end()?;
        Ok(request)
    }
}

/// A reader behind the version.
fn versioned(bytes: &[u8], max: usize) -> Result<Reader<'_>, CodecError> {
    if bytes.len() > max {
        return Err(CodecError::TooLong { what: "a request", max, found: bytes.len() });
    }
    let mut reader = Reader::new(bytes);
    let found = reader.u16()?;
    if found == REQUEST_VERSION {
        Ok(reader)
    } else {
        Err(CodecError::Version { expected: REQUEST_VERSION, found })
    }
}

fn write_shares(shares: Option<&SealedShares>, writer: &mut Writer) {
    let Some(shares) = shares else {
        writer.u8(0);
        return;
    };
    writer.u8(1).raw(&shares.device.0).raw(&shares.challenge).raw(&shares.consent);
    writer.raw(&shares.amount).u64(shares.sealed_at).bytes(&shares.sealed);
}

fn read_shares(reader: &mut Reader<'_>) -> Result<Option<SealedShares>, CodecError> {
    if !reader.flag("shares")? {
        return Ok(None);
    }
    Ok(Some(SealedShares {
        device: DeviceName(reader.array()?),
        challenge: reader.array()?,
        consent: reader.array()?,
        amount: reader.array()?,
        sealed_at: reader.u64()?,
        sealed: reader.bytes("sealed shares", SEALED_MAX)?.to_vec(),
    }))
}

impl Search {
    /// All that is sought, whatever the attempt and wherever the list stands.
    pub(crate) fn usage(&self) -> Hash {
        let mut writer = Writer::default();
        writer.raw(&self.query.0).raw(&self.gallery.0).side(self.side);
        self.sought.write(&mut writer);
        writer.raw(&self.nonce);
        write_shares(self.shares.as_ref(), &mut writer);
        Hash::of(b"handfast vault sought 1", &writer.0)
    }

    fn write(&self, writer: &mut Writer) {
        writer.raw(&self.query.0).u8(self.attempt).raw(&self.gallery.0).side(self.side);
        write_head(self.at, writer);
        writer.u64(self.epoch);
        self.sought.write(writer);
        writer.raw(&self.nonce);
        self.challenges.iter().for_each(|challenge| {
            writer.raw(challenge);
        });
        write_shares(self.shares.as_ref(), writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            query: QueryName(reader.array()?),
            attempt: reader.u8()?,
            gallery: GalleryName(reader.array()?),
            side: reader.side()?,
            at: read_head(reader)?,
            epoch: reader.u64()?,
            sought: Sought::read(reader)?,
            nonce: reader.array()?,
            challenges: [reader.array()?, reader.array()?, reader.array()?],
            shares: read_shares(reader)?,
        })
    }
}

impl Sought {
    /// Whether the search has an audit tag: where a person is looked for.
    pub(crate) const fn has_tag(self) -> bool {
        matches!(self, Self::Anyone | Self::Slot(_))
    }

    pub(crate) fn write(self, writer: &mut Writer) {
        let (code, slot) = match self {
            Self::Anyone => (0, 0),
            Self::Slot(slot) => (1, slot),
            Self::Duplicate => (2, 0),
            Self::Delivery(slot) => (3, slot),
        };
        writer.u8(code).u64(slot);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        match (reader.u8()?, reader.u64()?) {
            (0, 0) => Ok(Self::Anyone),
            (1, slot) => Ok(Self::Slot(slot)),
            (2, 0) => Ok(Self::Duplicate),
            (3, slot) => Ok(Self::Delivery(slot)),
            _ => Err(CodecError::Unknown { what: "what is sought" }),
        }
    }
}

impl Reply {
    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.u16(REQUEST_VERSION);
        match self {
            Self::Status(status) => {
                writer.u8(STATUS);
                status.write(&mut writer);
            }
            Self::Challenge { challenge, keys, head, epoch } => {
                writer.u8(CHALLENGE).raw(challenge).bytes(keys);
                write_head(*head, &mut writer);
                writer.u64(*epoch);
            }
            Self::Committed(committed) => {
                writer.u8(OPERATE);
                write_head(committed.head, &mut writer);
                committed.certificate.write(&mut writer);
                writer.u64(committed.first_slot).raw(&committed.done);
            }
            Self::GivenUp(refusal) => {
                writer.u8(GIVEN_UP);
                refusal.write(&mut writer);
            }
            Self::Found(found) => {
                writer.u8(SEARCH).raw(&found.query.0).u8(found.attempt).bytes(&found.sealed);
                writer.raw(&found.signature).u8(u8::from(found.audit.is_some()));
                if let Some(SignedTagPart { part, signature }) = &found.audit {
                    writer.raw(part).raw(signature);
                }
            }
            Self::Rebuilt { rows } => {
                writer.u8(REBUILD).u64(*rows);
            }
            Self::Audit { sealed, signature } => {
                writer.u8(AUDIT).bytes(sealed).raw(signature);
            }
            Self::Operations(operations) => {
                writer.u8(OPERATIONS).count(operations.len());
                operations.iter().for_each(|operation| operation.write(&mut writer));
            }
            Self::Refused(refusal) => {
                writer.u8(REFUSED);
                refusal.write(&mut writer);
            }
        }
        writer.0
    }

    /// Reads what [`Reply::to_bytes`] wrote.
    ///
    /// # Errors
    /// When the bytes are anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = versioned(bytes, super::message::PEER_FRAME_MAX)?;
        let reply = match reader.u8()? {
            STATUS => Self::Status(NodeStatus::read(&mut reader)?),
            CHALLENGE => Self::Challenge {
                challenge: reader.array()?,
                keys: reader.bytes("keys", KEYS_MAX)?.to_vec(),
                head: read_head(&mut reader)?,
                epoch: reader.u64()?,
            },
            OPERATE => Self::Committed(Committed {
                head: read_head(&mut reader)?,
                certificate: Certificate::read(&mut reader)?,
                first_slot: reader.u64()?,
                done: reader.array()?,
            }),
            GIVEN_UP => Self::GivenUp(Refusal::read(&mut reader)?),
            SEARCH => Self::Found(Found {
                query: QueryName(reader.array()?),
                attempt: reader.u8()?,
                sealed: reader.bytes("a sealed part", KEYS_MAX)?.to_vec(),
                signature: reader.array()?,
                audit: match reader.flag("an audit tag")? {
                    true => {
                        Some(SignedTagPart { part: reader.array()?, signature: reader.array()? })
                    }
                    false => None,
                },
            }),
            REBUILD => Self::Rebuilt { rows: reader.u64()? },
            OPERATIONS => Self::Operations(reader.list(
                "operations",
                OPERATIONS_PER_PAGE,
                1,
                Certified::read,
            )?),
            AUDIT => Self::Audit {
                sealed: reader.bytes("sealed components", AUDIT_SEALED_MAX)?.to_vec(),
                signature: reader.array()?,
            },
            REFUSED => Self::Refused(Refusal::read(&mut reader)?),
            _ => return Err(CodecError::Unknown { what: "a kind of reply" }),
        };
        reader.end()?;
        Ok(reply)
    }
}

impl NodeStatus {
    fn write(&self, writer: &mut Writer) {
        writer.u8(self.role.index() as u8).raw(&self.deployment.to_bytes());
        write_head(self.head, writer);
        writer.u64(self.epoch).u64(self.undecided).u64(self.slots).u64(self.lacking);
        writer.u32(self.galleries).u32(self.searching).u64(self.row_bytes);
        for flag in [self.peers_up[0], self.peers_up[1], self.store_works, self.strict] {
            writer.u8(u8::from(flag));
        }
        self.refusals.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            role: read_role(reader)?,
            deployment: DeploymentId::from_bytes(reader.array()?),
            head: read_head(reader)?,
            epoch: reader.u64()?,
            undecided: reader.u64()?,
            slots: reader.u64()?,
            lacking: reader.u64()?,
            galleries: reader.u32()?,
            searching: reader.u32()?,
            row_bytes: reader.u64()?,
            peers_up: [reader.flag("a connection")?, reader.flag("a connection")?],
            store_works: reader.flag("the store")?,
            strict: reader.flag("strictness")?,
            refusals: Refusals::read(reader)?,
        })
    }
}
