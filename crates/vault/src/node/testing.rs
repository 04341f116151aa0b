//! What the node's tests share: keys, seals without encryption, and palms of few numbers.

use ed25519_dalek::{Signer as _, SigningKey};
use handfast_model::{Random, SeededRandom, Timestamp};
use handfast_mpc::{PairMaster, PairMasters, Role, ShareSet};
use zeroize::Zeroizing;

use super::names::Hash;
use super::refusal::{Reason, Refusal};
use super::{GalleryName, GalleryPurpose, GallerySpec, NodeKeys, Policy, RelyingName, Seals};
use crate::deployment::DeploymentId;
use crate::share_sealing::Binding;

pub(super) const DEPLOYMENT: DeploymentId = DeploymentId::from_bytes([0xd0; 16]);
pub(super) const START: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);
pub(super) const DIMENSION: usize = 64;
pub(super) const MODEL: u16 = 1;

pub(super) fn signing_key(role: Role) -> SigningKey {
    SigningKey::from_bytes(&[role.index() as u8 + 1; 32])
}

pub(super) fn node_keys(role: Role) -> NodeKeys {
    let master = |first: Role| PairMaster::new([first.index() as u8 + 0x50; 32]);
    let pair = |first: Role| Zeroizing::new([first.index() as u8 + 0x70; 32]);
    NodeKeys {
        role,
        deployment: DEPLOYMENT,
        verifying: Role::ALL.map(|role| signing_key(role).verifying_key()),
        masters: PairMasters { with_next: master(role), with_previous: master(role.previous()) },
        with_next: pair(role),
        with_previous: pair(role.previous()),
    }
}

/// What a device does with shares in these tests: nothing but bind them.
pub(super) fn seal(device: &[u8; 32], binding: &Binding, set: &ShareSet) -> Vec<u8> {
    let bound = [&binding.to_bytes()[..], device].concat();
    [&Hash::of(b"sealed", &bound).0[..], &set.to_bytes()].concat()
}

/// Seals that bind and do not hide.
pub(super) struct PlainSeals {
    pub(super) role: Role,
    pub(super) key: SigningKey,
}

impl PlainSeals {
    pub(super) fn of(role: Role) -> Self {
        Self { role, key: signing_key(role) }
    }
}

impl Seals for PlainSeals {
    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }

    fn share_keys(&mut self, _now: Timestamp) -> Vec<u8> {
        vec![self.role.index() as u8]
    }

    fn open(
        &mut self,
        device: &[u8; 32],
        binding: &Binding,
        sealed: &[u8],
        _now: Timestamp,
    ) -> Result<ShareSet, Refusal> {
        let bound = [&binding.to_bytes()[..], device].concat();
        match sealed.split_first_chunk::<32>() {
            Some((hash, bytes)) if *hash == Hash::of(b"sealed", &bound).0 => {
                ShareSet::from_bytes(self.role, bytes).map_err(|_| Reason::Shares.into())
            }
            _ => Err(Reason::Seal.into()),
        }
    }

    fn seal_part(&mut self, recipient: &[u8; 32], binding: &[u8], part: &[u8; 16]) -> Vec<u8> {
        [&part_seal(recipient, binding)[..], part].concat()
    }

    fn seal_audit(
        &mut self,
        recipient: &[u8; 32],
        context: &[u8; 32],
        components: &[u8],
    ) -> Option<Vec<u8>> {
        Some([&part_seal(recipient, context)[..], components].concat())
    }
}

pub(super) fn part_seal(recipient: &[u8; 32], binding: &[u8]) -> [u8; 32] {
    Hash::of(b"part", &[&recipient[..], binding].concat()).0
}

pub(super) const POLICY: Policy = Policy {
    identify: 7_000,
    verify: 6_000,
    slots_max: 1_000,
    vectors_max: 16,
    device_hourly: 100_000,
    gallery_hourly: 100_000,
    slot_hourly: 100_000,
};

pub(super) fn spec(gallery: u8, purpose: GalleryPurpose) -> GallerySpec {
    GallerySpec {
        gallery: GalleryName([gallery; 16]),
        party: RelyingName([gallery ^ 0x80; 16]),
        recipient: [gallery; 32],
        purpose,
        model_version: MODEL,
        dimension: DIMENSION as u16,
        rows_per_slot: 1,
        policy: POLICY,
    }
}

/// The palm number `seed`: its squared length is close to 2^14.
pub(super) fn palm(seed: u64) -> Vec<i16> {
    let random = SeededRandom::new(seed);
    let mut bytes = [0; DIMENSION];
    random.fill(&mut bytes);
    let raw: Vec<f64> = bytes.iter().map(|byte| f64::from(*byte) - 127.5).collect();
    let length = raw.iter().map(|x| x * x).sum::<f64>().sqrt();
    raw.iter().map(|x| (x * 126.0 / length) as i16).collect()
}

/// What its owner shows: several vectors, of which one is like it.
pub(super) fn probe(seed: u64, vectors: usize) -> Vec<i16> {
    let mut all = Vec::with_capacity(vectors * DIMENSION);
    for at in 0..vectors {
        let of = if at == vectors / 2 { seed } else { seed ^ 0xdead_0000 ^ ((at as u64) << 40) };
        all.extend(palm(of));
    }
    all
}

pub(super) fn score(one: &[i16], other: &[i16]) -> i32 {
    one.iter().zip(other).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum()
}
