//! Cosignatures (C2SP tlog-cosignature, version 1): "at this time, the biggest consistent tree of
//! this log that I have seen has this root".

use handfast_model::{Duration, Timestamp};
use thiserror::Error;

use crate::checkpoint::SignedCheckpoint;
use crate::note::{KeyKind, NoteError, NoteSignature, SecretKey, VerifierKey};

const MICROS_PER_SECOND: i64 = 1_000_000;
/// Bytes of the time before the signature.
const TIME_LEN: usize = 8;
/// How far a cosigner's clock may be ahead of ours: clocks without a time server drift by minutes.
pub const CLOCK_SKEW_MAX: Duration = Duration::from_minutes(5);

/// What a cosigner signs: the time, then the whole text of the checkpoint.
fn message(text: &str, seconds: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {seconds}\n{text}").into_bytes()
}

/// The key of the wrong kind was given.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{name} is not a key for cosignatures; make one of that kind")]
pub struct NotACosigner {
    /// Whose key.
    pub name: String,
}

/// Who vouches for checkpoints of logs: an outside witness or a vault node. Its key signs nothing
/// else.
#[derive(Clone, Debug)]
pub struct Cosigner(SecretKey);

impl Cosigner {
    /// With its key.
    ///
    /// # Errors
    /// Where the key is of another kind.
    pub fn new(key: SecretKey) -> Result<Self, NotACosigner> {
        match key.public().kind() {
            KeyKind::Cosignature => Ok(Self(key)),
            KeyKind::Note => Err(NotACosigner { name: key.public().name().to_owned() }),
        }
    }

    /// Its public key.
    #[must_use]
    pub const fn public(&self) -> &VerifierKey {
        self.0.public()
    }

    /// Cosigns. Whoever calls has checked that the checkpoint follows from all that it cosigned.
    pub(crate) fn cosign(&self, checkpoint: &SignedCheckpoint, now: Timestamp) -> NoteSignature {
        let seconds = (now.as_micros().max(0) / MICROS_PER_SECOND).cast_unsigned();
        let message = message(checkpoint.note().text(), seconds);
        self.0.sign(&message, &seconds.to_be_bytes())
    }
}

/// When `cosigner` cosigned this text, if this line is its valid cosignature.
pub(crate) fn cosigned_at(
    text: &str,
    line: &NoteSignature,
    cosigner: &VerifierKey,
) -> Option<Timestamp> {
    if cosigner.kind() != KeyKind::Cosignature || !line.claims(cosigner) {
        return None;
    }
    let (time, signature) = line.bytes().split_first_chunk::<TIME_LEN>()?;
    let seconds = u64::from_be_bytes(*time);
    let at = i64::try_from(seconds).ok()?.checked_mul(MICROS_PER_SECOND)?;
    cosigner.has_signed(&message(text, seconds), signature).then_some(Timestamp::from_micros(at))
}

/// Cosigners of whom so many must have cosigned: "2 of the 3 nodes".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CosignerGroup {
    /// What the group is called in messages.
    pub name: String,
    /// Who belongs to it.
    pub members: Vec<VerifierKey>,
    /// How many of them are enough.
    pub needed: usize,
}

/// Why a checkpoint is not trusted, or a policy cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TrustError {
    /// The policy contradicts itself.
    #[error("the trust policy cannot be used: {0}")]
    Policy(String),
    /// The log did not sign it.
    #[error("the checkpoint is not the log's")]
    Log(#[source] NoteError),
    /// Too few cosigned.
    #[error(
        "{got} of the {needed} needed {group} cosigned the checkpoint; wait for the next one, or \
         ask them why"
    )]
    Quorum {
        /// The group that lacks cosignatures.
        group: String,
        /// Valid cosignatures.
        got: usize,
        /// How many are needed.
        needed: usize,
    },
}

/// Whom a verifier believes: the log's key, and groups of cosigners each of which must reach its
/// number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustPolicy {
    log: VerifierKey,
    groups: Vec<CosignerGroup>,
}

/// A valid cosignature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// Who.
    pub name: String,
    /// When, by their clock.
    pub at: Timestamp,
}

impl TrustPolicy {
    /// A policy. Without groups the log's own signature is enough, which catches damage and theft
    /// but not a log that shows different trees to different people.
    ///
    /// # Errors
    /// Where a key is of the wrong kind or counted twice, or a number cannot be reached.
    pub fn new(log: VerifierKey, groups: Vec<CosignerGroup>) -> Result<Self, TrustError> {
        if log.kind() != KeyKind::Note {
            return Err(TrustError::Policy(format!("{} is not a log's key", log.name())));
        }
        for group in &groups {
            if group.needed == 0 || group.needed > group.members.len() {
                return Err(TrustError::Policy(format!(
                    "{} of {} {} cannot be needed",
                    group.needed,
                    group.members.len(),
                    group.name
                )));
            }
        }
        let members: Vec<&VerifierKey> = groups.iter().flat_map(|group| &group.members).collect();
        for (at, member) in members.iter().enumerate() {
            if member.kind() != KeyKind::Cosignature {
                return Err(TrustError::Policy(format!("{} is not a cosigner", member.name())));
            }
            if members[..at]
                .iter()
                .any(|other| other.id() == member.id() || other.name() == member.name())
            {
                return Err(TrustError::Policy(format!("{} is counted twice", member.name())));
            }
        }
        Ok(Self { log, groups })
    }

    /// The log's key.
    #[must_use]
    pub const fn log(&self) -> &VerifierKey {
        &self.log
    }

    /// Whether anybody but the log has to sign.
    #[must_use]
    pub const fn needs_cosigners(&self) -> bool {
        !self.groups.is_empty()
    }

    pub(crate) fn cosigners(&self) -> impl Iterator<Item = &VerifierKey> {
        self.groups.iter().flat_map(|group| &group.members)
    }

    /// Checks the log's signature and every group's cosignatures, and says who cosigned.
    /// Cosignatures from beyond `now` and [`CLOCK_SKEW_MAX`] do not count.
    ///
    /// # Errors
    /// Where the log's signature or enough cosignatures are missing.
    pub fn check(
        &self,
        checkpoint: &SignedCheckpoint,
        now: Timestamp,
    ) -> Result<Vec<Cosigned>, TrustError> {
        checkpoint.check_log(&self.log).map_err(TrustError::Log)?;
        let mut all = Vec::new();
        for group in &self.groups {
            let before = all.len();
            all.extend(
                group.members.iter().filter_map(|member| cosigned_by(checkpoint, member, now)),
            );
            let got = all.len() - before;
            if got < group.needed {
                let (group, needed) = (group.name.clone(), group.needed);
                return Err(TrustError::Quorum { group, got, needed });
            }
        }
        Ok(all)
    }
}

fn cosigned_by(
    checkpoint: &SignedCheckpoint,
    member: &VerifierKey,
    now: Timestamp,
) -> Option<Cosigned> {
    let note = checkpoint.note();
    let times = note.signatures().iter().filter_map(|line| cosigned_at(note.text(), line, member));
    let at = times.filter(|&at| at <= now + CLOCK_SKEW_MAX).max()?;
    Some(Cosigned { name: member.name().to_owned(), at })
}

#[cfg(test)]
mod tests {
    use handfast_model::SeededRandom;

    use super::*;
    use crate::checkpoint::Checkpoint;
    use crate::hash::TreeHash;

    fn secret(name: &str, kind: KeyKind) -> SecretKey {
        let seed = name.bytes().map(u64::from).sum();
        SecretKey::generate(name, kind, &SeededRandom::new(seed)).unwrap()
    }

    fn cosigner(name: &str) -> Cosigner {
        Cosigner::new(secret(name, KeyKind::Cosignature)).unwrap()
    }

    fn group(name: &str, members: &[&Cosigner], needed: usize) -> CosignerGroup {
        let members = members.iter().map(|cosigner| cosigner.public().clone()).collect();
        CosignerGroup { name: name.to_owned(), members, needed }
    }

    fn checkpoint(log: &SecretKey) -> SignedCheckpoint {
        let root = TreeHash::of_leaf(b"root");
        let origin = log.public().name().to_owned();
        SignedCheckpoint::sign(Checkpoint { origin, size: 9, root }, log)
    }

    const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

    #[test]
    fn each_group_needs_its_number() {
        let log = secret("example.com/log", KeyKind::Note);
        let (a, b, c, w) =
            (cosigner("node.a"), cosigner("node.b"), cosigner("node.c"), cosigner("witness"));
        let policy = TrustPolicy::new(
            log.public().clone(),
            vec![group("nodes", &[&a, &b, &c], 2), group("witnesses", &[&w], 1)],
        )
        .unwrap();
        let mut signed = checkpoint(&log);
        let lacking = |signed: &SignedCheckpoint| match policy.check(signed, NOW) {
            Err(TrustError::Quorum { group, got, .. }) => (group, got),
            other => panic!("{other:?}"),
        };
        signed.set_signature(a.cosign(&signed, NOW));
        signed.set_signature(a.cosign(&signed, NOW + Duration::from_secs(1)));
        assert_eq!(lacking(&signed), ("nodes".to_owned(), 1), "twice by one is once");
        signed.set_signature(c.cosign(&signed, NOW));
        assert_eq!(lacking(&signed), ("witnesses".to_owned(), 0));
        signed.set_signature(w.cosign(&signed, NOW));
        let again = SignedCheckpoint::parse(signed.to_string().as_bytes()).unwrap();
        let names: Vec<String> =
            policy.check(&again, NOW).unwrap().into_iter().map(|by| by.name).collect();
        assert_eq!(names, ["node.a", "node.c", "witness"]);
    }

    #[test]
    fn cosignatures_from_the_future_or_for_another_text_do_not_count() {
        let log = secret("example.com/log", KeyKind::Note);
        let w = cosigner("witness");
        let policy =
            TrustPolicy::new(log.public().clone(), vec![group("witnesses", &[&w], 1)]).unwrap();
        let mut signed = checkpoint(&log);
        let late = NOW + CLOCK_SKEW_MAX + Duration::from_secs(1);
        signed.set_signature(w.cosign(&signed, late));
        assert!(policy.check(&signed, NOW).is_err());
        assert!(policy.check(&signed, late).is_ok());
        let origin = "example.com/log".to_owned();
        let other = Checkpoint { origin, size: 10, root: TreeHash::of_leaf(b"fork") };
        let mut moved = SignedCheckpoint::sign(other, &log);
        moved.set_signature(w.cosign(&signed, NOW));
        assert!(policy.check(&moved, NOW).is_err(), "a cosignature moved to another checkpoint");
    }

    #[test]
    fn policies_that_cannot_hold_are_refused() {
        let log = secret("example.com/log", KeyKind::Note);
        let w = cosigner("witness");
        let refused = |groups| TrustPolicy::new(log.public().clone(), groups).is_err();
        assert!(refused(vec![group("witnesses", &[&w], 2)]));
        assert!(refused(vec![group("witnesses", &[&w], 0)]));
        assert!(refused(vec![group("nodes", &[&w], 1), group("witnesses", &[&w], 1)]));
        assert!(TrustPolicy::new(w.public().clone(), vec![]).is_err());
        assert!(Cosigner::new(log).is_err());
    }
}
