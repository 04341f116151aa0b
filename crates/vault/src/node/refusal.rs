//! Why a node refuses.

use std::fmt;

use super::codec::{CodecError, Reader, Writer};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// Why a node refused. A refused message or request has changed nothing.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Reason {
            $($(#[$doc])* $name = $code,)*
        }

        impl Reason {
            /// All of them, as they are counted.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            const fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// One word for counters and metrics.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

reasons! {
    /// Bytes that mean nothing.
    Malformed = 1, "the bytes are malformed";
    /// Another version; the detail is the version found.
    Version = 2, "another version is spoken there: update the older side";
    /// Longer than anything that is sent; the detail is the length.
    TooLong = 3, "the message is too long";
    /// From or for another node.
    WrongNode = 4, "the message is not for this node, or not from the node it says";
    /// Another deployment.
    WrongDeployment = 5, "that is another deployment: its certificates and files do not belong here";
    /// Of another length than follows from what is public; the detail is the length.
    WrongLength = 6, "the message has another length than follows from the gallery and the probe";
    /// Not what is awaited: repeated, too late, or out of turn.
    Unexpected = 7, "the message was not awaited: it is late, repeated or out of turn";
    /// Another share epoch; the detail is this node's.
    WrongEpoch = 8, "the shares were renewed: ask for the state and search again";
    /// The node lacks the operation, has another head, or has gone on; the detail is the number of its last one.
    Stale = 9, "the list of operations has moved: ask for the state and search again";
    /// No such gallery.
    GalleryUnknown = 10, "this node knows no such gallery";
    /// The gallery was closed.
    GalleryClosed = 11, "the gallery is closed";
    /// No room; the detail is how many it may hold.
    GalleryFull = 12, "the gallery holds as many palms as its threshold is calibrated for";
    /// A gallery, device or operation that exists already.
    Exists = 13, "that exists already, with other properties";
    /// No such slot.
    SlotUnknown = 14, "this node knows no such slot";
    /// The slot is not armed in the gallery.
    NotArmed = 15, "the slot is not armed in this gallery";
    /// Never given out, used for something else, answered, too old, or not what the query is named after.
    Challenge = 16, "the challenge was used or is too old: fetch a new one and capture again";
    /// Not provisioned, or revoked.
    DeviceUnknown = 17, "the device is not provisioned, or was revoked";
    /// Does not open, or not for what is asked.
    Seal = 18, "the sealed shares do not open for this request: capture again";
    /// Not a set of shares, of another node, or of another size; the detail is the vectors found.
    Shares = 19, "the shares do not fit the gallery";
    /// A parameter outside its limits.
    Limits = 20, "a parameter is outside its limits";
    /// The device's budget; the detail is the time, in microseconds, from when there is more.
    DeviceBudget = 21, "this device has used up its searches in this gallery";
    /// The gallery's budget; the detail as above.
    GalleryBudget = 22, "the searches in this gallery are used up";
    /// The slot's budget for 1:1; the detail as above.
    SlotBudget = 23, "this palm was compared too often: use another way";
    /// Not one to three, or not the next.
    Attempt = 24, "there are at most three attempts at a query: start a new one";
    /// Too much at once; the detail is the limit.
    Busy = 25, "the node has too much to do: try again";
    /// The holders of a component were dealt different ones.
    Inconsistent = 26, "the device dealt the nodes different shares";
    /// A peer's clock differs too much; the detail is the peer.
    ClocksApart = 27, "the clocks of two nodes are too far apart: set them";
    /// No connection to a node; the detail is the node.
    Unreachable = 28, "a node cannot be reached";
    /// Nothing came from the others in time.
    TimedOut = 29, "the other nodes did not answer in time";
    /// An operation is undecided; the detail is its number.
    Pending = 30, "an operation is still undecided: try again";
    /// The node lost rows; the detail is how many.
    Lacking = 31, "the node lacks rows: rebuild it from the others";
    /// The disk refuses.
    StoreFailed = 32, "the node cannot write to its disk";
    /// A palm was enrolled since the duplicate check.
    CheckOutdated = 33, "palms were enrolled since the duplicate check: check again";
    /// The consent ended before it began.
    UntilPassed = 34, "the consent ends before it begins";
    /// Only node A numbers operations, and they follow each other.
    OutOfOrder = 35, "operations follow each other, and node A numbers them";
    /// A signature that is not the node's.
    Signature = 36, "a signature is not that of its node";
    /// The front gave it up.
    Cancelled = 37, "the operation was given up";
    /// No such operation or query.
    Unknown = 38, "this node knows nothing of it";
    /// The peer refused; the detail is the peer.
    PeerRefused = 39, "another node refused: its own answer says why";
    /// Two nodes have different lists.
    Diverged = 40, "the nodes' lists of operations differ: stop and restore the node that was restored wrongly";
    /// The nodes opened an enrolment's duplicate check, and it found somebody.
    Duplicate = 41, "the duplicate check of this enrolment found somebody";
    /// Not one duplicate check a palm; the detail is how many were named.
    Unchecked = 42, "an enrolment needs a duplicate check for every palm";
    /// The nodes checked the lengths of what was dealt, and a vector is longer than a palm's.
    VectorTooLong = 43, "the device dealt a vector that is longer than any palm's";
}

/// A refusal, with a number that says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// See the reason; 0 where there is nothing to say.
    pub detail: u64,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.text())?;
        if self.detail == 0 { Ok(()) } else { write!(f, " ({})", self.detail) }
    }
}

impl std::error::Error for Refusal {}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, detail: 0 }
    }
}

impl From<CodecError> for Refusal {
    fn from(error: CodecError) -> Self {
        match error {
            CodecError::Version { found, .. } => Reason::Version.with(u64::from(found)),
            CodecError::TooLong { found, .. } => Reason::TooLong.with(found as u64),
            _ => Reason::Malformed.into(),
        }
    }
}

impl Reason {
    /// This reason with a detail.
    #[must_use]
    pub const fn with(self, detail: u64) -> Refusal {
        Refusal { reason: self, detail }
    }
}

impl Refusal {
    pub(crate) fn write(self, writer: &mut Writer) {
        writer.u8(self.reason as u8).u64(self.detail);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let reason = Reason::from_code(reader.u8()?);
        let reason = reason.ok_or(CodecError::Unknown { what: "a reason" })?;
        Ok(Self { reason, detail: reader.u64()? })
    }
}

/// How often each reason was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusals(std::collections::BTreeMap<Reason, u64>);

impl Refusals {
    pub(crate) fn count(&mut self, reason: Reason) {
        *self.0.entry(reason).or_default() += 1;
    }

    /// How often this one.
    #[must_use]
    pub fn of(&self, reason: Reason) -> u64 {
        self.0.get(&reason).copied().unwrap_or(0)
    }

    /// Every reason that was given, with how often.
    pub fn iter(&self) -> impl Iterator<Item = (Reason, u64)> {
        self.0.iter().map(|(reason, count)| (*reason, *count))
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.count(self.0.len());
        for (reason, count) in &self.0 {
            writer.u8(*reason as u8).u64(*count);
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let counts = reader.list("refusals", Reason::ALL.len(), 9, |reader| {
            let Refusal { reason, detail } = Refusal::read(reader)?;
            Ok((reason, detail))
        })?;
        Ok(Self(counts.into_iter().collect()))
    }
}
