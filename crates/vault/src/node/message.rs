//! What nodes send each other: a header of one length, and a body whose length follows from it and
//! from what is public.

use handfast_model::Timestamp;
use handfast_mpc::{Role, TOKEN};

use super::codec::{CodecError, Reader, Writer};
use super::names::{GalleryName, Hash, Head, OperationName, QueryName};
use super::operation::{
    Certified, OPERATION_LENGTH_MAX, Operation, SLOTS_PER_CHANGE_MAX, Verdict, Vote,
};
use super::refusal::Refusal;
use super::request::Sought;

/// Version of frames between nodes. Since 2 a check of shares carries the sender's parts of the
/// enrolment's duplicate checks, and node A says what it will not number; since 3 nodes may be strict.
pub const PEER_VERSION: u16 = 3;
/// Longest frame: a chunk's longest step (2 MiB, see `search.rs`) and what stands around it. The
/// transport refuses longer ones before it reads them.
pub const PEER_FRAME_MAX: usize = 4 << 20;
/// Bytes before the body: version, kind, name, attempt, step, chunk, from, to, epoch, length.
pub const HEADER: usize = 2 + 1 + 16 + 1 + 1 + 4 + 1 + 1 + 8 + 4;
/// Most operations in one answer to a node that catches up.
pub(crate) const OPERATIONS_PER_PAGE: usize = 256;
/// Most rows given back in one message.
pub(crate) const ROWS_PER_PAGE: usize = 1024;
/// Longest body of given-back rows.
const PAGE_BYTES_MAX: usize = PEER_FRAME_MAX - 1024;

/// A frame as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) from: Role,
    pub(crate) to: Role,
    pub(crate) epoch: u64,
    pub(crate) content: Content,
}

/// What a frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Where the sender stands: sent on every new connection, and when something is amiss.
    State(PeerState),
    /// Asks for the operations from this number on.
    WantOperations(u64),
    /// A page of them.
    Operations(Vec<Certified>),
    /// An operation to prepare; from A.
    Proposal(Operation),
    /// An operation that A will not number, and why; from A.
    Declined { operation: OperationName, refusal: Refusal },
    /// The sender's keyed hash of the component that both were dealt, and its parts of what the
    /// enrolment's duplicate checks found, one a palm.
    ShareCheck { operation: OperationName, check: [u8; 32], parts: Vec<[u8; TOKEN]> },
    /// The sender's seed for a renewal of shares.
    Seed { operation: OperationName, seed: [u8; 32] },
    /// The sender's signed word on an operation.
    Vote { head: Head, vote: Vote },
    /// The sender takes part in an attempt at a query.
    Join { query: QueryName, attempt: u8, join: Join },
    /// The sender gave an attempt up.
    Leave { query: QueryName, attempt: u8, refusal: Refusal },
    /// A step of a comparison.
    Step { query: QueryName, attempt: u8, chunk: u32, step: u8, body: Vec<u8> },
    /// The sender's part of whether a vector that was dealt for the search is too long.
    Lengths { query: QueryName, attempt: u8, part: [u8; TOKEN] },
    /// Asks for rows that the sender lost.
    WantRows { page: QueryName, number: u64, slots: Vec<u64> },
    /// A helper's nonce for the other helper.
    RowsNonce { page: QueryName, lost: Role, nonce: [u8; 16] },
    /// A helper's part of the rows.
    Rows { page: QueryName, body: Vec<u8> },
}

/// Where a node stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PeerState {
    pub(crate) head: Head,
    /// The undecided operation that it has stored, and its word on it.
    pub(crate) undecided: Option<(Operation, Option<Vote>)>,
}

/// What nodes must agree on to compare, and the sender's share of making it fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Join {
    pub(crate) gallery: GalleryName,
    pub(crate) operation: u64,
    pub(crate) head: Hash,
    pub(crate) right_side: bool,
    pub(crate) sought: Sought,
    pub(crate) vectors: u16,
    /// The relying party's nonce.
    pub(crate) nonce: [u8; 16],
    /// The sender's own fresh nonce.
    pub(crate) own: [u8; 16],
    /// The sender's clock.
    pub(crate) time: Timestamp,
    /// The sender's keyed hash of the component that the receiver was dealt too; zeros where no
    /// shares are dealt.
    pub(crate) check: [u8; 32],
    /// Whether the sender takes part only where the vectors' lengths are checked.
    pub(crate) strict: bool,
}

const STATE: u8 = 1;
const WANT_OPERATIONS: u8 = 2;
const OPERATIONS: u8 = 3;
const PROPOSAL: u8 = 4;
const SHARE_CHECK: u8 = 5;
const SEED: u8 = 6;
const VOTE: u8 = 7;
const JOIN: u8 = 8;
const LEAVE: u8 = 9;
const STEP: u8 = 10;
const WANT_ROWS: u8 = 11;
const ROWS_NONCE: u8 = 12;
const ROWS: u8 = 13;
const DECLINED: u8 = 14;
const LENGTHS: u8 = 15;

/// The fields of a header that not every kind uses.
#[derive(Default)]
struct Fields {
    kind: u8,
    name: [u8; 16],
    attempt: u8,
    step: u8,
    chunk: u32,
}

impl Frame {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let (fields, body) = self.content.parts();
        let mut writer = Writer(Vec::with_capacity(HEADER + body.len()));
        writer.u16(PEER_VERSION).u8(fields.kind).raw(&fields.name).u8(fields.attempt);
        writer.u8(fields.step).u32(fields.chunk);
        writer.u8(self.from.index() as u8).u8(self.to.index() as u8).u64(self.epoch);
        writer.bytes(&body);
        writer.0
    }

    /// Reads a frame; whether it is for this node, of this epoch and awaited is for others to say.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        if bytes.len() > PEER_FRAME_MAX {
            let (what, max, found) = ("a frame", PEER_FRAME_MAX, bytes.len());
            return Err(CodecError::TooLong { what, max, found });
        }
        let mut reader = Reader::new(bytes);
        let found = reader.u16()?;
        if found != PEER_VERSION {
            return Err(CodecError::Version { expected: PEER_VERSION, found });
        }
        let (kind, name) = (reader.u8()?, reader.array()?);
        let fields =
            Fields { kind, name, attempt: reader.u8()?, step: reader.u8()?, chunk: reader.u32()? };
        let (from, to) = (read_role(&mut reader)?, read_role(&mut reader)?);
        let epoch = reader.u64()?;
        let body = reader.bytes("a body", PEER_FRAME_MAX)?;
        reader.end()?;
        let content = Content::read(&fields, body)?;
        // A header field that its kind does not use is zero: every frame has one form.
        let used = content.fields();
        if (used.name, used.attempt, used.step, used.chunk)
            != (fields.name, fields.attempt, fields.step, fields.chunk)
        {
            return Err(CodecError::Unknown { what: "an unused field" });
        }
        Ok(Self { from, to, epoch, content })
    }
}

pub(crate) fn read_role(reader: &mut Reader<'_>) -> Result<Role, CodecError> {
    let index = usize::from(reader.u8()?);
    Role::from_index(index).ok_or(CodecError::Unknown { what: "a node" })
}

impl Content {
    fn fields(&self) -> Fields {
        let of = |kind| Fields { kind, ..Fields::default() };
        match self {
            Self::State(_) => of(STATE),
            Self::WantOperations(_) => of(WANT_OPERATIONS),
            Self::Operations(_) => of(OPERATIONS),
            Self::Proposal(_) => of(PROPOSAL),
            Self::ShareCheck { operation, .. } => Fields { name: operation.0, ..of(SHARE_CHECK) },
            Self::Declined { operation, .. } => Fields { name: operation.0, ..of(DECLINED) },
            Self::Seed { operation, .. } => Fields { name: operation.0, ..of(SEED) },
            Self::Vote { .. } => of(VOTE),
            Self::Join { query, attempt, .. } => {
                Fields { name: query.0, attempt: *attempt, ..of(JOIN) }
            }
            Self::Leave { query, attempt, .. } => {
                Fields { name: query.0, attempt: *attempt, ..of(LEAVE) }
            }
            Self::Lengths { query, attempt, .. } => {
                Fields { name: query.0, attempt: *attempt, ..of(LENGTHS) }
            }
            Self::Step { query, attempt, chunk, step, .. } => {
                let (attempt, step, chunk) = (*attempt, *step, *chunk);
                Fields { kind: STEP, name: query.0, attempt, step, chunk }
            }
            Self::WantRows { page, .. } => Fields { name: page.0, ..of(WANT_ROWS) },
            Self::RowsNonce { page, .. } => Fields { name: page.0, ..of(ROWS_NONCE) },
            Self::Rows { page, .. } => Fields { name: page.0, ..of(ROWS) },
        }
    }

    fn parts(&self) -> (Fields, std::borrow::Cow<'_, [u8]>) {
        let mut writer = Writer::default();
        match self {
            // The longest bodies are not copied.
            Self::Step { body, .. } | Self::Rows { body, .. } => {
                return (self.fields(), body.into());
            }
            Self::State(state) => state.write(&mut writer),
            Self::WantOperations(from) => {
                writer.u64(*from);
            }
            Self::Operations(operations) => {
                writer.count(operations.len());
                operations.iter().for_each(|operation| operation.write(&mut writer));
            }
            Self::Proposal(operation) => {
                writer.raw(&operation.to_bytes());
            }
            Self::ShareCheck { check, parts, .. } => {
                writer.raw(check).count(parts.len());
                parts.iter().for_each(|part| {
                    writer.raw(part);
                });
            }
            Self::Seed { seed, .. } => {
                writer.raw(seed);
            }
            Self::Declined { refusal, .. } => refusal.write(&mut writer),
            Self::Vote { head, vote } => {
                write_head(*head, &mut writer);
                write_vote(vote, &mut writer);
            }
            Self::Join { join, .. } => join.write(&mut writer),
            Self::Leave { refusal, .. } => refusal.write(&mut writer),
            Self::Lengths { part, .. } => {
                writer.raw(part);
            }
            Self::WantRows { number, slots, .. } => {
                writer.u64(*number).count(slots.len());
                slots.iter().for_each(|slot| {
                    writer.u64(*slot);
                });
            }
            Self::RowsNonce { lost, nonce, .. } => {
                writer.u8(lost.index() as u8).raw(nonce);
            }
        }
        (self.fields(), writer.0.into())
    }

    fn read(fields: &Fields, body: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(body);
        let (query, attempt) = (QueryName(fields.name), fields.attempt);
        let operation = OperationName(fields.name);
        let page = query;
        let content = match fields.kind {
            STEP => {
                let (chunk, step, body) = (fields.chunk, fields.step, body.to_vec());
                return Ok(Self::Step { query, attempt, chunk, step, body });
            }
            ROWS if body.len() <= PAGE_BYTES_MAX => {
                return Ok(Self::Rows { page, body: body.to_vec() });
            }
            STATE => Self::State(PeerState::read(&mut reader)?),
            WANT_OPERATIONS => Self::WantOperations(reader.u64()?),
            OPERATIONS => Self::Operations(reader.list(
                "operations",
                OPERATIONS_PER_PAGE,
                1,
                Certified::read,
            )?),
            PROPOSAL if body.len() <= OPERATION_LENGTH_MAX => {
                return Ok(Self::Proposal(Operation::from_bytes(body)?));
            }
            SHARE_CHECK => Self::ShareCheck {
                operation,
                check: reader.array()?,
                parts: reader.list("parts", SLOTS_PER_CHANGE_MAX, TOKEN, Reader::array)?,
            },
            DECLINED => Self::Declined { operation, refusal: Refusal::read(&mut reader)? },
            SEED => Self::Seed { operation, seed: reader.array()? },
            VOTE => Self::Vote { head: read_head(&mut reader)?, vote: read_vote(&mut reader)? },
            JOIN => Self::Join { query, attempt, join: Join::read(&mut reader)? },
            LEAVE => Self::Leave { query, attempt, refusal: Refusal::read(&mut reader)? },
            LENGTHS => Self::Lengths { query, attempt, part: reader.array()? },
            WANT_ROWS => Self::WantRows {
                page,
                number: reader.u64()?,
                slots: reader.list("slots", ROWS_PER_PAGE, 8, Reader::u64)?,
            },
            ROWS_NONCE => {
                Self::RowsNonce { page, lost: read_role(&mut reader)?, nonce: reader.array()? }
            }
            _ => return Err(CodecError::Unknown { what: "a kind of message" }),
        };
        reader.end()?;
        Ok(content)
    }
}

pub(crate) fn write_head(head: Head, writer: &mut Writer) {
    writer.u64(head.number).raw(&head.hash.0);
}

pub(crate) fn read_head(reader: &mut Reader<'_>) -> Result<Head, CodecError> {
    Ok(Head { number: reader.u64()?, hash: Hash(reader.array()?) })
}

fn write_vote(vote: &Vote, writer: &mut Writer) {
    writer.u8(vote.node.index() as u8).u8(vote.verdict as u8).raw(&vote.signature);
}

fn read_vote(reader: &mut Reader<'_>) -> Result<Vote, CodecError> {
    Ok(Vote {
        node: read_role(reader)?,
        verdict: Verdict::read(reader)?,
        signature: reader.array()?,
    })
}

impl PeerState {
    fn write(&self, writer: &mut Writer) {
        write_head(self.head, writer);
        match &self.undecided {
            None => {
                writer.u8(0);
            }
            Some((operation, vote)) => {
                writer.u8(1).bytes(&operation.to_bytes());
                match vote {
                    None => {
                        writer.u8(0);
                    }
                    Some(vote) => {
                        writer.u8(1);
                        write_vote(vote, writer);
                    }
                }
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let head = read_head(reader)?;
        if !reader.flag("an undecided operation")? {
            return Ok(Self { head, undecided: None });
        }
        let operation = Operation::from_bytes(reader.bytes("an operation", OPERATION_LENGTH_MAX)?)?;
        let vote = if reader.flag("a vote")? { Some(read_vote(reader)?) } else { None };
        Ok(Self { head, undecided: Some((operation, vote)) })
    }
}

impl Join {
    fn write(&self, writer: &mut Writer) {
        writer.raw(&self.gallery.0).u64(self.operation).raw(&self.head.0);
        writer.u8(u8::from(self.right_side));
        self.sought.write(writer);
        writer.u16(self.vectors).raw(&self.nonce).raw(&self.own).time(self.time).raw(&self.check);
        writer.u8(u8::from(self.strict));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            gallery: GalleryName(reader.array()?),
            operation: reader.u64()?,
            head: Hash(reader.array()?),
            right_side: reader.flag("a side")?,
            sought: Sought::read(reader)?,
            vectors: reader.u16()?,
            nonce: reader.array()?,
            own: reader.array()?,
            time: reader.time()?,
            check: reader.array()?,
            strict: reader.flag("strictness")?,
        })
    }

    /// Whether both mean the same comparison.
    pub(crate) fn agrees_with(&self, other: &Self) -> bool {
        let Self { gallery, operation, head, right_side, sought, vectors, nonce, .. } = *other;
        (self.gallery, self.operation, self.head, self.right_side)
            == (gallery, operation, head, right_side)
            && (self.sought, self.vectors, self.nonce) == (sought, vectors, nonce)
    }
}
