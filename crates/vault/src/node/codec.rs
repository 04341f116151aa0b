//! Bytes of messages, requests and operations: little-endian numbers, lengths before what varies,
//! nothing left over. Every list has a limit that is checked before room is made for it.

use handfast_model::Timestamp;
use handfast_palm::Side;
use thiserror::Error;

/// Why bytes were not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CodecError {
    /// They end too early.
    #[error("the bytes end too early")]
    Truncated,
    /// There are more than were read.
    #[error("{left} bytes are left over")]
    LeftOver {
        /// How many.
        left: usize,
    },
    /// A list or text longer than it may be.
    #[error("{what} has {found} entries, {max} are the most")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// The limit.
        max: usize,
        /// What was given.
        found: usize,
    },
    /// A value that means nothing.
    #[error("{what} has an unknown value")]
    Unknown {
        /// What has it.
        what: &'static str,
    },
    /// A version that this build does not read.
    #[error("version {found} was given, this build speaks {expected}: update the older side")]
    Version {
        /// The version this build speaks.
        expected: u16,
        /// The version found.
        found: u16,
    },
}

/// Reads from the front of some bytes.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], CodecError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(CodecError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(CodecError::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, CodecError> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16, CodecError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, CodecError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, CodecError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(crate) fn time(&mut self) -> Result<Timestamp, CodecError> {
        Ok(Timestamp::from_micros(i64::from_le_bytes(self.array()?)))
    }

    pub(crate) fn flag(&mut self, what: &'static str) -> Result<bool, CodecError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(CodecError::Unknown { what }),
        }
    }

    pub(crate) fn side(&mut self) -> Result<Side, CodecError> {
        match self.u8()? {
            0 => Ok(Side::Left),
            1 => Ok(Side::Right),
            _ => Err(CodecError::Unknown { what: "a side" }),
        }
    }

    /// The number of entries of a list, each of which takes at least `least` bytes.
    pub(crate) fn count(
        &mut self,
        what: &'static str,
        max: usize,
        least: usize,
    ) -> Result<usize, CodecError> {
        let found = self.u32()? as usize;
        if found > max {
            return Err(CodecError::TooLong { what, max, found });
        }
        if found.saturating_mul(least) > self.0.len() {
            return Err(CodecError::Truncated);
        }
        Ok(found)
    }

    pub(crate) fn bytes(&mut self, what: &'static str, max: usize) -> Result<&'a [u8], CodecError> {
        let count = self.count(what, max, 1)?;
        self.take(count)
    }

    pub(crate) fn list<T>(
        &mut self,
        what: &'static str,
        max: usize,
        least: usize,
        mut read: impl FnMut(&mut Self) -> Result<T, CodecError>,
    ) -> Result<Vec<T>, CodecError> {
        let count = self.count(what, max, least)?;
        (0..count).map(|_| read(self)).collect()
    }

    pub(crate) const fn end(self) -> Result<(), CodecError> {
        if self.0.is_empty() { Ok(()) } else { Err(CodecError::LeftOver { left: self.0.len() }) }
    }
}

/// Appends what [`Reader`] reads.
#[derive(Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn u8(&mut self, value: u8) -> &mut Self {
        self.raw(&[value])
    }

    pub(crate) fn u16(&mut self, value: u16) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    pub(crate) fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    pub(crate) fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    pub(crate) fn time(&mut self, value: Timestamp) -> &mut Self {
        self.raw(&value.as_micros().to_le_bytes())
    }

    pub(crate) fn side(&mut self, side: Side) -> &mut Self {
        self.u8(u8::from(side == Side::Right))
    }

    /// A length of something whose limit is far below 2^32.
    pub(crate) fn count(&mut self, count: usize) -> &mut Self {
        self.u32(count as u32)
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.count(bytes.len()).raw(bytes)
    }
}
