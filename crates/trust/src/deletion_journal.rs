//! The list of deletions that no backup takes back.
//!
//! A leaf says that palms were deleted and not whose. So that a database restored from a backup can
//! be told whose palms are gone since, each deletion is also written to this file, before anything
//! else: the leaf's commitment and the link. It lies beside the databases, is in no backup of
//! theirs, and holds nothing but ids that are worthless without the database.
//!
//! One line a deletion: `1 COMMITMENT LINK`, the commitment in hexadecimal.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use handfast_model::LinkId;
use handfast_tlog::Commitment;

use crate::TrustError;

/// Owner reads and writes, nobody else anything.
const FILE_MODE: u32 = 0o600;
const VERSION: &str = "1";

/// The file, open for appending.
#[derive(Debug)]
pub(crate) struct DeletionJournal {
    path: PathBuf,
    file: Mutex<File>,
}

/// What the file says.
pub(crate) type Deletions = HashMap<Commitment, LinkId>;

impl DeletionJournal {
    pub(crate) fn open(path: &Path) -> Result<Self, TrustError> {
        let failed = |source| TrustError::File { action: "open", path: path.to_owned(), source };
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(failed)?;
        }
        let file = OpenOptions::new().append(true).create(true).mode(FILE_MODE).open(path);
        let file = file.map_err(failed)?;
        Ok(Self { path: path.to_owned(), file: Mutex::new(file) })
    }

    /// Writes a deletion down; durable when this returns. A line that a crash cut off is ended first,
    /// so that it spoils no other.
    pub(crate) fn add(&self, commitment: Commitment, link: LinkId) -> Result<(), TrustError> {
        let line = format!("{VERSION} {} {link}\n", hex(commitment));
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let written = self.end_of_line().and_then(|end| {
            file.write_all(format!("{end}{line}").as_bytes()).and_then(|()| file.sync_data())
        });
        written.map_err(|source| TrustError::File {
            action: "write",
            path: self.path.clone(),
            source,
        })
    }

    fn end_of_line(&self) -> io::Result<&'static str> {
        use std::io::{Read as _, Seek as _, SeekFrom};
        let mut file = File::open(&self.path)?;
        if file.metadata()?.len() == 0 {
            return Ok("");
        }
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        Ok(if last == *b"\n" { "" } else { "\n" })
    }

    /// Everything that was written down. Half a line, as a crash leaves it, is none.
    pub(crate) fn read(&self) -> Result<Deletions, TrustError> {
        let text = std::fs::read_to_string(&self.path).map_err(|source| TrustError::File {
            action: "read",
            path: self.path.clone(),
            source,
        })?;
        Ok(text.lines().filter_map(parse).collect())
    }
}

fn parse(line: &str) -> Option<(Commitment, LinkId)> {
    let mut words = line.split(' ');
    let (version, commitment, link) = (words.next()?, words.next()?, words.next()?);
    if version != VERSION || words.next().is_some() || commitment.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(commitment.get(at..at + 2)?, 16).ok()?;
    }
    Some((Commitment::from_bytes(bytes), link.parse().ok()?))
}

fn hex(commitment: Commitment) -> String {
    commitment.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use handfast_model::{ManualClock, SeededRandom, Timestamp};

    use super::*;

    #[test]
    fn what_was_written_is_read_and_half_a_line_spoils_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new").join("deletions");
        let clock = ManualClock::at(Timestamp::from_micros(0));
        let random = SeededRandom::new(3);
        let entry = |byte| (Commitment::from_bytes([byte; 32]), LinkId::new(&clock, &random));
        let (first, second) = (entry(1), entry(2));
        let journal = DeletionJournal::open(&path).unwrap();
        assert!(journal.read().unwrap().is_empty());
        journal.add(first.0, first.1).unwrap();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"1 0202").unwrap();
        let journal = DeletionJournal::open(&path).unwrap();
        journal.add(second.0, second.1).unwrap();
        let read = journal.read().unwrap();
        assert_eq!(read, Deletions::from([first, second]));
        // The golden line.
        assert_eq!(parse(&format!("1 {} {}", "01".repeat(32), first.1)), Some(first));
        for line in ["", "2 00 x", "1 00 x", &format!("1 {} x", "é".repeat(32))] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
