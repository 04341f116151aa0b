//! The dealer's last step: templates become three sets of shares, each sealed to its node and
//! signed by the device, and are zeroed.

use handfast_model::Random;
use handfast_mpc::{Dealt, Role};
use handfast_palm::{FORMAT_VERSION, LENGTH, Probe, Reference};
use zeroize::Zeroizing;

use super::nodes::Nodes;
use crate::VaultError;
use crate::daily_keys::{DailyPublicKey, SignedDailyKey};
use crate::deployment::Deployment;
use crate::node::{DeviceName, GalleryName, Head, QueryName, Reply, Request, SealedShares};
use crate::share_sealing::{Binding, DeviceKey, seal_shares};

/// The purpose in the binding of a reference that is stored; those of probes are the gallery's.
const REFERENCE_PURPOSE: u8 = 0x80;

/// What the three nodes gave for one set of shares: used once.
pub(super) struct Challenges {
    of_nodes: [NodeChallenge; 3],
}

struct NodeChallenge {
    challenge: [u8; 16],
    key: DailyPublicKey,
    head: Head,
    epoch: u64,
}

impl Challenges {
    /// Fetches one challenge from each node.
    pub(super) async fn fetch(nodes: &Nodes, deployment: &Deployment) -> Result<Self, VaultError> {
        let [a, b, c] = nodes.ask_each(&Request::Challenge).await;
        let of = |role, reply| NodeChallenge::from_reply(role, reply, deployment);
        Ok(Self { of_nodes: [of(Role::A, a?)?, of(Role::B, b?)?, of(Role::C, c?)?] })
    }

    /// The list's end, where all three were asked: node A's, which is never behind.
    pub(super) const fn head(&self) -> Head {
        self.of_nodes[0].head
    }

    /// The name of the one search that these challenges are for.
    pub(super) fn query(&self, nonce: &[u8; 16]) -> QueryName {
        QueryName::of(&self.of_nodes.each_ref().map(|node| node.challenge), nonce)
    }

    pub(super) const fn epoch(&self) -> u64 {
        self.of_nodes[0].epoch
    }
}

impl NodeChallenge {
    fn from_reply(role: Role, reply: Reply, deployment: &Deployment) -> Result<Self, VaultError> {
        let (challenge, keys, head, epoch) = match reply {
            Reply::Challenge { challenge, keys, head, epoch } => (challenge, keys, head, epoch),
            Reply::Refused(refusal) => return Err(VaultError::Refused { node: role, refusal }),
            _ => return Err(VaultError::NodeAnswer { node: role }),
        };
        let notice = <[u8; SignedDailyKey::LEN]>::try_from(keys).ok();
        let notice = notice.map(|bytes| SignedDailyKey::from_bytes(&bytes));
        let key = notice.as_ref().and_then(|notice| notice.verify(deployment, role)).cloned();
        // Shares go to nobody's key but the node's own.
        let key = key.ok_or(VaultError::NodeAnswer { node: role })?;
        Ok(Self { challenge, key, head, epoch })
    }
}

/// What shares are sealed for.
#[derive(Clone, Copy)]
pub(super) struct Use {
    /// The purpose's code.
    pub(super) purpose: u8,
    pub(super) gallery: GalleryName,
    pub(super) nonce: [u8; 16],
    pub(super) amount: [u8; 32],
    pub(super) consent: [u8; 16],
    /// The query's name, or the enrolment's.
    pub(super) query: [u8; 16],
}

impl Use {
    /// Storing rows of nobody.
    pub(super) const fn reference(
        gallery: GalleryName,
        operation: [u8; 16],
        consent: [u8; 16],
    ) -> Self {
        let (nonce, amount) = ([0; 16], [0; 32]);
        Self { purpose: REFERENCE_PURPOSE, gallery, nonce, amount, consent, query: operation }
    }
}

/// The device that this process captures with.
pub(super) struct Device {
    pub(super) name: DeviceName,
    pub(super) key: DeviceKey,
}

/// Shares of probes: every frame's vectors, one after the other.
pub(super) fn deal_probes(probes: &[Probe], random: &dyn Random) -> Result<Dealt, VaultError> {
    let vectors = probes.iter().flat_map(Probe::vectors);
    deal(vectors, probes.iter().map(|probe| probe.vectors().len()).sum(), random)
}

/// Shares of a duplicate check: the probes' vectors, and as the last one the reference, which the
/// nodes store if nobody is like any of them.
pub(super) fn deal_enrolment(
    probes: &[Probe],
    reference: &Reference,
    random: &dyn Random,
) -> Result<Dealt, VaultError> {
    let vectors = probes.iter().flat_map(Probe::vectors).chain([reference.vector()]);
    let count = probes.iter().map(|probe| probe.vectors().len()).sum::<usize>() + 1;
    deal(vectors, count, random)
}

fn deal<'a>(
    vectors: impl Iterator<Item = &'a [i8]>,
    count: usize,
    random: &dyn Random,
) -> Result<Dealt, VaultError> {
    // Room for all from the start: a vector that grows leaves its old contents in freed memory.
    let mut numbers: Zeroizing<Vec<i16>> = Zeroizing::new(Vec::with_capacity(count * LENGTH));
    numbers.extend(vectors.flatten().map(|number| i16::from(*number)));
    Dealt::deal(&numbers, LENGTH, random).map_err(|_| VaultError::NotDealt)
}

/// Seals each node's shares for one use; they are zeroed with it.
pub(super) fn seal(
    dealt: Dealt,
    usage: &Use,
    challenges: &Challenges,
    deployment: &Deployment,
    device: &Device,
    random: &dyn Random,
) -> Result<[SealedShares; 3], VaultError> {
    let sealed_at = challenges.head().number;
    let mut sealed = Vec::with_capacity(3);
    for (role, shares) in Role::ALL.into_iter().zip(dealt.sets) {
        let node = &challenges.of_nodes[role.index()];
        let binding = Binding {
            deployment: deployment.id(),
            challenge: node.challenge,
            purpose: usage.purpose,
            gallery: usage.gallery.0,
            nonce: usage.nonce,
            amount_hash: usage.amount,
            consent: usage.consent,
            model_version: u16::from(FORMAT_VERSION),
            query: usage.query,
            operation: sealed_at,
            device: device.name.0,
        };
        let bytes = seal_shares(shares, &binding, &node.key, &device.key, random)
            .map_err(|_| VaultError::NodeAnswer { node: role })?;
        sealed.push(SealedShares {
            device: device.name,
            challenge: node.challenge,
            consent: usage.consent,
            amount: usage.amount,
            sealed_at,
            sealed: bytes.as_bytes().to_vec(),
        });
    }
    Ok(sealed.try_into().expect("three were sealed"))
}
