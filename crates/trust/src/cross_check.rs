//! Whether the openings still say what the log says: somebody who edits the database behind the log
//! is named here.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use handfast_model::{LinkId, Timestamp};
use handfast_store::Store;
use handfast_tlog::{Commitment, Draft, Kind, Leaf, Statement, TreeHash};
use serde_json::Value;
use thiserror::Error;

use crate::TrustError;
use crate::deletion_journal::Deletions;
use crate::opening_store::{self, Kept, MIGRATIONS};

/// Where database and log tell different stories.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
#[non_exhaustive]
pub enum Discrepancy {
    /// A row is said to be in the log, which is not that long.
    #[error("the opening of link {link} names leaf {position}, which the log does not have")]
    NoSuchLeaf {
        /// Whose.
        link: LinkId,
        /// Which leaf.
        position: u64,
    },
    /// A row does not open its leaf: one of the two was changed.
    #[error("the opening of link {link} does not open leaf {position}: the row was changed")]
    OpeningChanged {
        /// Whose.
        link: LinkId,
        /// Which leaf.
        position: u64,
    },
    /// A palm that the log says is gone is used or kept on.
    #[error("link {link} is kept as living, and leaf {position} says that its palms were deleted")]
    DeletedAndLiving {
        /// Whose.
        link: LinkId,
        /// Which leaf.
        position: u64,
    },
    /// A palm whose deletion was decided is used or kept on.
    #[error(
        "link {link} is kept as living, and the list of deletions says that its palms are to be \
         destroyed: restart the service, which destroys them"
    )]
    DecidedAndLiving {
        /// Whose.
        link: LinkId,
    },
    /// Nothing here knows whose a deletion was.
    #[error("leaf {position} tells of a deletion that the list of deletions does not know")]
    DeletionUnknown {
        /// Which leaf.
        position: u64,
    },
    /// A link that no leaf tells of.
    #[error("link {link} is living, and no leaf tells of its enrolment and consent")]
    NeverLogged {
        /// Whose.
        link: LinkId,
    },
    /// The consent in the database is not the one that was logged.
    #[error("the consent of link {link} says {field} = {now}, and leaf {position} says {logged}")]
    ConsentChanged {
        /// Whose.
        link: LinkId,
        /// Which leaf.
        position: u64,
        /// What differs.
        field: &'static str,
        /// What was logged.
        logged: String,
        /// What the database says.
        now: String,
    },
}

/// Of a leaf, what it says in public and its commitment, hashed: enough to tell another one.
type LeafDigest = [u8; 16];

fn digest_of(statement: &Statement, commitment: Commitment) -> LeafDigest {
    // The time in the log may differ from that in the opening's draft.
    let timeless = Draft { statement: statement.clone(), commitment };
    let timeless = Leaf::new(Timestamp::from_micros(0), timeless).encode();
    let hash = TreeHash::of_leaf(&timeless);
    std::array::from_fn(|at| hash.as_bytes()[at])
}

/// The leaves of a verified log, as far as openings are compared with them: 16 bytes each, so that a log
/// of ten million fits into the memory of any machine.
#[derive(Clone, Debug, Default)]
pub struct LoggedLeaves {
    digests: Vec<LeafDigest>,
    deletions: Vec<(u64, Commitment)>,
}

impl LoggedLeaves {
    /// Takes the next leaf of the log.
    pub fn take(&mut self, leaf: &Leaf) {
        if leaf.statement().kind() == Kind::Delete {
            self.deletions.push((self.digests.len() as u64, leaf.commitment()));
        }
        self.digests.push(digest_of(leaf.statement(), leaf.commitment()));
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.digests.len()
    }

    fn digest(&self, position: u64) -> Option<LeafDigest> {
        self.digests.get(usize::try_from(position).ok()?).copied()
    }
}

/// What the openings say, each checked against its leaf.
#[derive(Debug, Default)]
pub struct CrossCheck {
    /// What was found so far.
    pub found: Vec<Discrepancy>,
    consents: HashMap<LinkId, (u64, Value)>,
    deleted: HashMap<LinkId, u64>,
    decided: HashSet<LinkId>,
}

impl CrossCheck {
    /// Compares every opening with its leaf, and every deletion with the list of deletions in the
    /// file `deletions`. `leaves` are those of a log that was verified.
    ///
    /// # Errors
    /// [`TrustError::Store`], [`TrustError::File`].
    pub async fn of_openings(
        store: &Store,
        leaves: &LoggedLeaves,
        deletions: &Path,
    ) -> Result<Self, TrustError> {
        store.migrate(&MIGRATIONS).await?;
        let mut check = Self::default();
        check.take_deletions(leaves, &Deletions::read(deletions)?);
        let mut from = 0;
        loop {
            let some = opening_store::logged_from(store, from).await?;
            let Some(last) = some.last().and_then(|kept| kept.position) else { return Ok(check) };
            from = last + 1;
            some.iter().for_each(|kept| check.take_opening(leaves, kept));
        }
    }

    /// Openings come in the order of the log: the newest consent to enter holds.
    fn take_opening(&mut self, leaves: &LoggedLeaves, kept: &Kept) {
        let (link, Some(position)) = (kept.link, kept.position) else { return };
        let Some(logged) = leaves.digest(position) else {
            return self.found.push(Discrepancy::NoSuchLeaf { link, position });
        };
        if logged != digest_of(kept.leaf.statement(), kept.opening.commitment()) {
            return self.found.push(Discrepancy::OpeningChanged { link, position });
        }
        match kept.leaf.statement().kind() {
            Kind::Delete => drop(self.deleted.insert(link, position)),
            Kind::Identify => return,
            _ => {}
        }
        let record: Value =
            serde_json::from_slice(kept.opening.private_fields()).unwrap_or_default();
        if record["@type"] == "dpv:ConsentRecord" && record["handfast:scope"] != "shops" {
            self.consents.insert(link, (position, record));
        }
    }

    fn take_deletions(&mut self, leaves: &LoggedLeaves, listed: &Deletions) {
        self.decided.extend(listed.links());
        for &(position, commitment) in &leaves.deletions {
            match listed.link_of(commitment) {
                Some(link) => drop(self.deleted.insert(link, position)),
                None => self.found.push(Discrepancy::DeletionUnknown { position }),
            }
        }
    }

    /// Compares a living link and its consent, as (field, value), with what was logged.
    pub fn living(&mut self, link: LinkId, consent: &[(&'static str, String)]) {
        if let Some(&position) = self.deleted.get(&link) {
            self.found.push(Discrepancy::DeletedAndLiving { link, position });
        } else if self.decided.contains(&link) {
            self.found.push(Discrepancy::DecidedAndLiving { link });
        }
        let Some((position, record)) = self.consents.get(&link) else {
            self.found.push(Discrepancy::NeverLogged { link });
            return;
        };
        for (field, now) in consent {
            let logged = logged_field(record, field);
            if logged != *now {
                self.found.push(Discrepancy::ConsentChanged {
                    link,
                    position: *position,
                    field,
                    logged,
                    now: now.clone(),
                });
            }
        }
    }
}

/// A field of a consent record, by our names for it.
fn logged_field(record: &Value, field: &str) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match field {
        "consent" => text(&record["dct:identifier"]),
        "text version" => text(&record["dpv:hasNotice"]["dct:hasVersion"]),
        "language" => text(&record["dpv:hasNotice"]["dct:language"]),
        "scope" => text(&record["handfast:scope"]),
        "purposes" => {
            let purposes = record["dpv:hasProcess"].as_array().cloned().unwrap_or_default();
            let name = |one: &Value| text(&one["dpv:hasPurpose"]["@id"]).replace("handfast:", "");
            purposes.iter().map(name).collect::<Vec<_>>().join(",")
        }
        _ => String::new(),
    }
}
