//! A node's keys of the day: what is sealed to a node is sealed to a key that lives two days.
//!
//! Recorded traffic would otherwise bring a deleted palm back for whoever takes the node's key
//! later. A key is offered for a day, opens for another one what is under way, and is then
//! destroyed; it is in no backup.

use std::fmt;

use handfast_model::{Duration, Random, Timestamp};
use hpke::{Deserializable as _, Kem as _, Serializable as _};
use zeroize::Zeroizing;

use crate::deployment::{Deployment, DeploymentId, Member};
use crate::identity::NodeSecrets;
use crate::share_sealing::Kem;

/// A new key is made every day.
pub const OFFERED_FOR: Duration = Duration::from_hours(24);
/// After this a key's private half is destroyed.
pub const KEPT_FOR: Duration = Duration::from_hours(48);
/// Most keys that exist at once; a clock that jumps about makes more.
const KEYS_MAX: usize = 8;
const MAGIC: [u8; 8] = *b"HFDAYKY1";
const ENTRY: usize = 4 + 8 + 32;
const NOTICE_LABEL: &[u8] = b"handfast vault 1 key of the day";

/// Names a key of a node: ascending, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DailyKeyId(pub u32);

/// The public half of a node's key of the day.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DailyPublicKey {
    /// Which one.
    pub id: DailyKeyId,
    /// The X25519 key.
    pub key: [u8; 32],
}

/// A key of the day, as its node signs and announces it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedDailyKey {
    key: DailyPublicKey,
    signature: [u8; 64],
}

impl SignedDailyKey {
    /// Bytes of a notice.
    pub const LEN: usize = 4 + 32 + 64;

    /// Id, key, signature.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..4].copy_from_slice(&self.key.id.0.to_le_bytes());
        bytes[4..36].copy_from_slice(&self.key.key);
        bytes[36..].copy_from_slice(&self.signature);
        bytes
    }

    /// Reads a notice; who may use it, [`SignedDailyKey::verify`] says.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let (id, rest) = bytes.split_first_chunk::<4>().expect("long enough");
        let (key, signature) = rest.split_first_chunk::<32>().expect("long enough");
        let key = DailyPublicKey { id: DailyKeyId(u32::from_le_bytes(*id)), key: *key };
        Self { key, signature: signature.try_into().expect("64 are left") }
    }

    /// The key, where `node` of this deployment signed it.
    #[must_use]
    pub fn verify(
        &self,
        deployment: &Deployment,
        node: handfast_mpc::Role,
    ) -> Option<&DailyPublicKey> {
        let message = notice_message(deployment.id(), node, &self.key);
        deployment.verifies(Member::Node(node), &message, &self.signature).then_some(&self.key)
    }
}

fn notice_message(id: DeploymentId, node: handfast_mpc::Role, key: &DailyPublicKey) -> Vec<u8> {
    let node = [node.index() as u8];
    [NOTICE_LABEL, &id.to_bytes(), &node, &key.id.0.to_le_bytes(), &key.key].concat()
}

struct DailyKey {
    id: DailyKeyId,
    made_at: Timestamp,
    secret: <Kem as hpke::Kem>::PrivateKey,
}

/// A node's keys of the last days. Private halves are zeroed when dropped; `Debug` prints nothing
/// of them.
#[derive(Default)]
pub struct DailyKeys(Vec<DailyKey>);

impl fmt::Debug for DailyKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DailyKeys({})", self.0.len())
    }
}

impl DailyKeys {
    /// Makes a new key where the newest is a day old or none is there, and destroys those that are
    /// two days old. Whether anything changed: then [`DailyKeys::to_bytes`] is to be kept in place of
    /// what was kept before, and that destroyed.
    pub fn renew(&mut self, now: Timestamp, random: &dyn Random) -> bool {
        let before = self.0.len();
        // A key from the future was made before the clock was set back: its age cannot be told.
        self.0.retain(|key| key.made_at <= now && now - key.made_at < KEPT_FOR);
        let mut changed = self.0.len() != before;
        if self.0.last().is_none_or(|newest| now - newest.made_at >= OFFERED_FOR) {
            let mut seed = Zeroizing::new([0; 32]);
            random.fill(&mut seed[..]);
            let (secret, _) = Kem::derive_keypair(&seed[..]);
            // Named by the minute of its making, so that a name is not used again after a file
            // was lost.
            let minute = u32::try_from(now.as_micros().max(0) / 60_000_000).unwrap_or(u32::MAX);
            let after_last = self.0.last().map_or(0, |newest| newest.id.0.saturating_add(1));
            self.0.push(DailyKey { id: DailyKeyId(minute.max(after_last)), made_at: now, secret });
            changed = true;
        }
        if self.0.len() > KEYS_MAX {
            self.0.drain(..self.0.len() - KEYS_MAX);
        }
        changed
    }

    /// The key offered now; `None` before the first [`DailyKeys::renew`].
    #[must_use]
    pub fn offered(&self) -> Option<DailyPublicKey> {
        self.0.last().map(|newest| {
            let public = Kem::sk_to_pk(&newest.secret).to_bytes();
            DailyPublicKey { id: newest.id, key: public.into() }
        })
    }

    /// The key offered now, signed by its node.
    #[must_use]
    pub fn notice(&self, node: &NodeSecrets) -> Option<SignedDailyKey> {
        let key = self.offered()?;
        let signature = node.sign(&notice_message(node.deployment_id(), node.role(), &key));
        Some(SignedDailyKey { key, signature })
    }

    /// What opens what was sealed to a key; `None` where it was destroyed or never was.
    pub(crate) fn secret(
        &self,
        id: DailyKeyId,
        now: Timestamp,
    ) -> Option<&<Kem as hpke::Kem>::PrivateKey> {
        let key = self.0.iter().find(|key| key.id == id)?;
        (now - key.made_at < KEPT_FOR).then_some(&key.secret)
    }

    /// What to keep, where nobody else reads and nothing is backed up.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAGIC.len() + self.0.len() * ENTRY));
        bytes.extend_from_slice(&MAGIC);
        for key in &self.0 {
            bytes.extend_from_slice(&key.id.0.to_le_bytes());
            bytes.extend_from_slice(&key.made_at.as_micros().to_le_bytes());
            let secret = Zeroizing::new(<[u8; 32]>::from(key.secret.to_bytes()));
            bytes.extend_from_slice(&secret[..]);
        }
        bytes
    }

    /// Reads what was kept; `None` where it is damaged or of another version.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let entries = bytes.strip_prefix(&MAGIC)?;
        let (entries, rest) = entries.as_chunks::<ENTRY>();
        if !rest.is_empty() || entries.len() > KEYS_MAX {
            return None;
        }
        let mut keys: Vec<DailyKey> = Vec::with_capacity(entries.len());
        for entry in entries {
            let (id, rest) = entry.split_first_chunk::<4>()?;
            let (made_at, secret) = rest.split_first_chunk::<8>()?;
            let id = DailyKeyId(u32::from_le_bytes(*id));
            if keys.last().is_some_and(|last| last.id >= id) {
                return None;
            }
            let made_at = Timestamp::from_micros(i64::from_le_bytes(*made_at));
            let secret = <Kem as hpke::Kem>::PrivateKey::from_bytes(secret).ok()?;
            keys.push(DailyKey { id, made_at, secret });
        }
        Some(Self(keys))
    }
}

#[cfg(test)]
mod tests {
    use handfast_model::SeededRandom;
    use handfast_mpc::Role;

    use super::*;
    use crate::deployment_testing::deployment;

    fn at_hours(hours: i64) -> Timestamp {
        Timestamp::from_micros(1_790_000_000_000_000) + Duration::from_hours(hours)
    }

    #[test]
    fn keys_change_daily_and_are_destroyed_after_two_days() {
        let random = SeededRandom::new(1);
        let mut keys = DailyKeys::default();
        assert!(keys.renew(at_hours(0), &random));
        let first = keys.offered().unwrap();
        assert!(!keys.renew(at_hours(23), &random));
        assert_eq!(keys.offered().unwrap(), first);
        assert!(keys.renew(at_hours(24), &random));
        let second = keys.offered().unwrap();
        assert!(second.id > first.id && second.key != first.key);
        assert!(keys.secret(first.id, at_hours(47)).is_some());
        // Even before it is destroyed it is not used any more.
        assert!(keys.secret(first.id, at_hours(48)).is_none());
        assert!(keys.renew(at_hours(48), &random));
        assert!(keys.secret(first.id, at_hours(1)).is_none(), "it is gone");
        let kept = keys.to_bytes();
        let first_secret = Kem::derive_keypair(&[0; 32]).0.to_bytes();
        assert!(!kept.windows(32).any(|window| window == &first_secret[..]));
    }

    #[test]
    fn a_clock_that_jumps_back_starts_anew() {
        let random = SeededRandom::new(1);
        let mut keys = DailyKeys::default();
        keys.renew(at_hours(100), &random);
        let first = keys.offered().unwrap();
        assert!(keys.renew(at_hours(0), &random));
        assert_ne!(keys.offered().unwrap(), first);
        for hour in 0..400 {
            keys.renew(at_hours(hour * 7 % 400), &random);
            assert!(keys.0.len() <= KEYS_MAX && keys.offered().is_some());
        }
    }

    #[test]
    fn kept_bytes_are_read_and_others_are_not() {
        let random = SeededRandom::new(2);
        let mut keys = DailyKeys::default();
        keys.renew(at_hours(0), &random);
        keys.renew(at_hours(30), &random);
        let bytes = keys.to_bytes();
        let read = DailyKeys::from_bytes(&bytes).unwrap();
        assert_eq!(read.offered(), keys.offered());
        for end in 0..bytes.len() {
            let cut = DailyKeys::from_bytes(&bytes[..end]);
            assert!(cut.is_none_or(|keys| keys.0.len() < 2), "{end}");
        }
        let twice = [&bytes[..], &bytes[MAGIC.len()..]].concat();
        assert!(DailyKeys::from_bytes(&twice).is_none());
    }

    #[test]
    fn a_notice_is_the_nodes_own() {
        let (deployment, [a, ..], _) = deployment(1);
        let mut keys = DailyKeys::default();
        assert!(keys.notice(&a).is_none());
        keys.renew(at_hours(0), &SeededRandom::new(1));
        let notice = SignedDailyKey::from_bytes(&keys.notice(&a).unwrap().to_bytes());
        assert_eq!(notice.verify(&deployment, Role::A), keys.offered().as_ref());
        assert!(notice.verify(&deployment, Role::B).is_none());
        for at in 0..SignedDailyKey::LEN {
            let mut bytes = notice.to_bytes();
            bytes[at] ^= 1;
            let changed = SignedDailyKey::from_bytes(&bytes);
            assert!(changed.verify(&deployment, Role::A).is_none(), "byte {at}");
        }
    }
}
