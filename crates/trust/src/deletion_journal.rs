//! The list of deletions that no backup takes back.
//!
//! A leaf says that palms were deleted and not whose. So that a database restored from a backup can
//! be told whose palms are gone since, each deletion is also written to this file: that it is
//! decided, before the vault is asked to destroy anything; then the commitment of its leaf, before
//! the log is asked to take it. The file lies beside the databases, is newer than any backup of
//! theirs, and holds nothing but ids that are worthless without the database.
//!
//! Two kinds of lines: `1 COMMITMENT LINK` for a leaf, the commitment in hexadecimal, and
//! `2 CAUSE LINK` for a decision. It is read once, at the start; whatever is asked later is answered
//! from memory.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use handfast_model::LinkId;
use handfast_tlog::{Commitment, DeletionCause};

use crate::TrustError;

/// Owner reads and writes, nobody else anything.
const FILE_MODE: u32 = 0o600;
/// The first word of a leaf's line.
const LEAF: &str = "1";
/// The first word of a decision's line.
const DECISION: &str = "2";

/// The file, open for appending, and what it says.
#[derive(Debug)]
pub(crate) struct DeletionJournal {
    path: PathBuf,
    written: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    file: File,
    deletions: Deletions,
}

/// What the file says.
#[derive(Debug, Default)]
pub(crate) struct Deletions {
    /// Whose a leaf is.
    leaves: HashMap<Commitment, LinkId>,
    /// Every link whose deletion was decided, and why where that was written down.
    links: BTreeMap<LinkId, Option<DeletionCause>>,
}

/// A line that can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Leaf(Commitment, LinkId),
    Decision(DeletionCause, LinkId),
}

impl DeletionJournal {
    /// Opens the file and reads it; makes it where there is none. A line that a crash cut off is
    /// ended, so that it spoils no other.
    pub(crate) fn open(path: &Path) -> Result<Self, TrustError> {
        let failed = |source| TrustError::File { action: "open", path: path.to_owned(), source };
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(failed)?;
        }
        let file =
            OpenOptions::new().read(true).append(true).create(true).mode(FILE_MODE).open(path);
        let mut file = file.map_err(failed)?;
        let mut text = String::new();
        io::Read::read_to_string(&mut file, &mut text).map_err(failed)?;
        if !text.is_empty() && !text.ends_with('\n') {
            file.write_all(b"\n").map_err(failed)?;
        }
        let deletions = Deletions::parse(&text);
        Ok(Self { path: path.to_owned(), written: Mutex::new(Written { file, deletions }) })
    }

    /// Writes down that a link's palms are to be destroyed, and gives the cause that was written
    /// first. Durable when this returns.
    pub(crate) fn decide(
        &self,
        link: LinkId,
        cause: DeletionCause,
    ) -> Result<DeletionCause, TrustError> {
        let mut written = self.lock();
        match written.deletions.links.get(&link) {
            Some(known) => Ok(known.unwrap_or(cause)),
            None => self.add(&mut written, &[Line::Decision(cause, link)]).map(|()| cause),
        }
    }

    /// Writes down whose the leaves of deletions are; durable when this returns. What is known
    /// already is passed over.
    pub(crate) fn add_leaves(&self, leaves: &[(Commitment, LinkId)]) -> Result<(), TrustError> {
        let mut written = self.lock();
        let is_new = |leaf: &&(Commitment, LinkId)| !written.deletions.leaves.contains_key(&leaf.0);
        let new: Vec<Line> =
            leaves.iter().filter(is_new).map(|&(leaf, link)| Line::Leaf(leaf, link)).collect();
        self.add(&mut written, &new)
    }

    /// Whose the leaf of a deletion is.
    pub(crate) fn link_of(&self, leaf: Commitment) -> Option<LinkId> {
        self.lock().deletions.link_of(leaf)
    }

    /// Every link whose palms were, or are to be, destroyed.
    pub(crate) fn links(&self) -> Vec<LinkId> {
        self.lock().deletions.links().collect()
    }

    // A panic elsewhere leaves it whole: memory changes only after the file did.
    fn lock(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, written: &mut Written, lines: &[Line]) -> Result<(), TrustError> {
        if lines.is_empty() {
            return Ok(());
        }
        let text: String = lines.iter().map(|line| line.to_text()).collect();
        let added = written.file.write_all(text.as_bytes());
        let added = added.and_then(|()| written.file.sync_data());
        added.map_err(|source| {
            let (action, path) = ("write", self.path.clone());
            TrustError::File { action, path, source }
        })?;
        lines.iter().for_each(|&line| written.deletions.take(line));
        Ok(())
    }
}

impl Deletions {
    /// Reads the file and leaves it as it is, for whoever looks at a service that runs. No file is
    /// no deletion.
    pub(crate) fn read(path: &Path) -> Result<Self, TrustError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Self::parse(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(TrustError::File { action: "read", path: path.to_owned(), source }),
        }
    }

    fn parse(text: &str) -> Self {
        let mut deletions = Self::default();
        text.lines().filter_map(Line::parse).for_each(|line| deletions.take(line));
        deletions
    }

    pub(crate) fn link_of(&self, leaf: Commitment) -> Option<LinkId> {
        self.leaves.get(&leaf).copied()
    }

    pub(crate) fn links(&self) -> impl Iterator<Item = LinkId> {
        self.links.keys().copied()
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::Leaf(leaf, link) => {
                self.leaves.insert(leaf, link);
                self.links.entry(link).or_default();
            }
            Line::Decision(cause, link) => {
                self.links.entry(link).or_default().get_or_insert(cause);
            }
        }
    }
}

impl Line {
    fn to_text(self) -> String {
        match self {
            Self::Leaf(leaf, link) => format!("{LEAF} {} {link}\n", hex::encode(leaf.as_bytes())),
            Self::Decision(cause, link) => format!("{DECISION} {} {link}\n", word_of(cause)),
        }
    }

    /// Half a line, as a crash leaves it, is none.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (kind, what, link) = (words.next()?, words.next()?, words.next()?);
        if words.next().is_some() {
            return None;
        }
        let link = link.parse().ok()?;
        match kind {
            LEAF => {
                let mut bytes = [0; 32];
                hex::decode_to_slice(what, &mut bytes).ok()?;
                Some(Self::Leaf(Commitment::from_bytes(bytes), link))
            }
            DECISION => {
                let cause = DeletionCause::ALL.iter().find(|cause| word_of(**cause) == what)?;
                Some(Self::Decision(*cause, link))
            }
            _ => None,
        }
    }
}

const fn word_of(cause: DeletionCause) -> &'static str {
    match cause {
        DeletionCause::Person => "person",
        DeletionCause::Staff => "staff",
        DeletionCause::Dormant => "dormant",
        DeletionCause::EventOver => "event_over",
        DeletionCause::ConsentEnded => "consent_ended",
    }
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
        let (first, second, third) = (entry(1), entry(2), entry(3));
        let journal = DeletionJournal::open(&path).unwrap();
        assert!(journal.links().is_empty());
        journal.add_leaves(&[first]).unwrap();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"1 0202").unwrap();
        let journal = DeletionJournal::open(&path).unwrap();
        let (asked, slept) = (DeletionCause::Person, DeletionCause::Dormant);
        assert_eq!(journal.decide(second.1, asked).unwrap(), asked);
        assert_eq!(journal.decide(second.1, slept).unwrap(), asked, "the first cause holds");
        journal.add_leaves(&[first, second, third]).unwrap();
        let again = DeletionJournal::open(&path).unwrap();
        let mut links = [first.1, second.1, third.1];
        links.sort_unstable();
        for journal in [&journal, &again] {
            assert_eq!(journal.links(), links);
            assert_eq!(journal.link_of(second.0), Some(second.1));
            assert_eq!(journal.link_of(Commitment::from_bytes([9; 32])), None);
            assert_eq!(journal.decide(second.1, slept).unwrap(), asked);
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 5, "nothing is written twice");
    }

    #[test]
    fn the_golden_lines_stay_and_others_are_none() {
        let clock = ManualClock::at(Timestamp::from_micros(0));
        let link = LinkId::new(&clock, &SeededRandom::new(3));
        let leaf = Line::Leaf(Commitment::from_bytes([1; 32]), link);
        assert_eq!(leaf.to_text(), format!("1 {} {link}\n", "01".repeat(32)));
        assert_eq!(Line::parse(leaf.to_text().trim_end()), Some(leaf));
        for (&cause, word) in DeletionCause::ALL.iter().zip([
            "person",
            "staff",
            "dormant",
            "event_over",
            "consent_ended",
        ]) {
            let decision = Line::Decision(cause, link);
            assert_eq!(decision.to_text(), format!("2 {word} {link}\n"));
            assert_eq!(Line::parse(decision.to_text().trim_end()), Some(decision));
        }
        for line in [
            "",
            "3 00 x",
            "1 00 x",
            "2 person",
            "2 person lnk_",
            &format!("2 nobody {link}"),
            &format!("2 person {link} x"),
            &format!("1 {} {link}", "é".repeat(32)),
        ] {
            assert_eq!(Line::parse(line), None, "{line}");
        }
    }
}
