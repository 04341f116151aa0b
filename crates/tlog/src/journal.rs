//! The journal: leaves that are promised and in no checkpoint yet, in the order of their places.
//!
//! A batch is a header (magic, first place, number of leaves, bytes of leaves), the leaves as in an
//! entry bundle, and SHA-256 of all before. A file is named by its first leaf's place, and begins as
//! [`FILE_BYTES`] zeros: a batch is written over them and synced alone, where a file that grew would
//! make the disk write down its new length each time. A batch that a crash cut short was promised to
//! nobody and is dropped.

use std::io;

use sha2::{Digest as _, Sha256};

use crate::disk::Disk;
use crate::tile::push_entry;
use crate::wire::{Fields, WireError};

/// The journal's folder; it is not part of what is served.
pub(crate) const DIR: &str = "journal";
/// Bytes of a new file, and how many make it full: some seven thousand leaves. It is kept over
/// checkpoints until then; what they have published is skipped at the next start.
pub(crate) const FILE_BYTES: usize = 1 << 20;
const MAGIC: [u8; 4] = *b"HFJ1";
/// Bytes of the hash behind a batch.
const CHECK_LEN: usize = 32;
/// Digits of a file's name: enough for every 64-bit number, so that names sort by place.
const NAME_DIGITS: usize = 20;

/// The path of the file that begins with leaf `first`.
pub(crate) fn path(first: u64) -> String {
    format!("{DIR}/{first:0NAME_DIGITS$}")
}

/// The journal's files in order.
pub(crate) fn files(disk: &dyn Disk) -> io::Result<Vec<String>> {
    let names = disk.list(DIR)?.into_iter();
    let ours = names.filter(|name| name.len() == NAME_DIGITS && name.parse::<u64>().is_ok());
    Ok(ours.map(|name| format!("{DIR}/{name}")).collect())
}

/// The bytes of a batch.
pub(crate) fn encode<'a>(first: u64, leaves: impl ExactSizeIterator<Item = &'a [u8]>) -> Vec<u8> {
    let count =
        u32::try_from(leaves.len()).expect("a batch is bounded by the leaves that may wait");
    let mut payload = Vec::new();
    leaves.for_each(|leaf| push_entry(&mut payload, leaf));
    let len = u32::try_from(payload.len()).expect("leaves are short and their number is bounded");
    let mut bytes = Vec::with_capacity(payload.len() + 64);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&first.to_be_bytes());
    bytes.extend_from_slice(&count.to_be_bytes());
    bytes.extend_from_slice(&len.to_be_bytes());
    bytes.extend_from_slice(&payload);
    let check = Sha256::digest(&bytes);
    bytes.extend_from_slice(&check);
    bytes
}

/// A batch as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) first: u64,
    pub(crate) leaves: Vec<Vec<u8>>,
}

/// What a file of the journal holds.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) batches: Vec<Batch>,
    /// Bytes of whole batches.
    pub(crate) good_len: usize,
    pub(crate) end: End,
}

/// How a file of the journal ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With a whole batch, and zeros behind it.
    Whole,
    /// In a batch that a crash cut short, with nothing behind it.
    Torn,
    /// Whole batches follow a broken one: no crash does that.
    Damaged,
}

/// Reads a file of the journal.
pub(crate) fn decode(bytes: &[u8]) -> Contents {
    let (mut batches, mut good_len) = (Vec::new(), 0);
    while let Ok((batch, len)) = decode_batch(&bytes[good_len..]) {
        batches.push(batch);
        good_len += len;
    }
    let rest = &bytes[good_len..];
    let follows = |at: usize| rest[at..].starts_with(&MAGIC) && decode_batch(&rest[at..]).is_ok();
    let end = match rest.iter().all(|&byte| byte == 0) {
        true => End::Whole,
        false if (1..rest.len()).any(follows) => End::Damaged,
        false => End::Torn,
    };
    Contents { batches, good_len, end }
}

fn decode_batch(bytes: &[u8]) -> Result<(Batch, usize), WireError> {
    let mut fields = Fields::new(bytes);
    if fields.array()? != MAGIC {
        return Err(WireError("no batch begins here"));
    }
    let (first, count, len) = (fields.u64()?, fields.u32()?, fields.u32()?);
    let mut payload = Fields::new(fields.bytes(len as usize)?);
    let checked = bytes.len() - fields.rest().len();
    let check: [u8; CHECK_LEN] = fields.array()?;
    if check != *Sha256::digest(&bytes[..checked]) {
        return Err(WireError("the batch is damaged"));
    }
    let leaves: Result<Vec<_>, _> = (0..count)
        .map(|_| payload.u16().and_then(|len| payload.bytes(usize::from(len))).map(<[u8]>::to_vec))
        .collect();
    let leaves = leaves?;
    payload.finish()?;
    Ok((Batch { first, leaves }, checked + CHECK_LEN))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn batch(first: u64, leaves: &[&[u8]]) -> Vec<u8> {
        encode(first, leaves.iter().copied())
    }

    #[test]
    fn a_cut_end_is_torn_and_a_changed_middle_is_damage() {
        let (one, two) = (batch(0, &[b"a", b"bc"]), batch(2, &[b"d"]));
        let both = [one.clone(), two.clone()].concat();
        let contents = decode(&both);
        assert_eq!(contents.end, End::Whole);
        assert_eq!(contents.batches[1], Batch { first: 2, leaves: vec![b"d".to_vec()] });
        let with_room = [both.as_slice(), &[0; 1000]].concat();
        let contents = decode(&with_room);
        assert_eq!((contents.end, contents.good_len), (End::Whole, both.len()));
        for cut in one.len() + 1..both.len() {
            let contents = decode(&both[..cut]);
            assert_eq!((contents.end, contents.good_len), (End::Torn, one.len()), "cut at {cut}");
        }
        for at in 0..one.len() {
            let mut changed = both.clone();
            changed[at] ^= 1;
            assert_eq!(decode(&changed).end, End::Damaged, "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
            let _ = decode(&[MAGIC.as_slice(), &bytes].concat());
        }
    }
}
