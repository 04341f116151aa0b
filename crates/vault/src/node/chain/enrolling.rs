//! What an enrolment stores, and that nobody of its company has it: the references are the last
//! vectors of the duplicate checks, whose results the nodes open here and nowhere else.

use handfast_mpc::{Role, Rows, ShareSet, TOKEN, is_no_match};
use zeroize::Zeroizing;

use super::super::machine::Node;
use super::super::message::Content;
use super::super::names::{Hash, OperationName};
use super::super::operation::{Enrolment, GalleryPurpose};
use super::super::refusal::{Reason, Refusal};
use super::super::request::SealedShares;
use super::super::store::RowBytes;
use crate::share_sealing::Binding;

/// The purpose under which shares of rows of nobody are sealed.
pub const ENROLMENT_PURPOSE: u8 = 0x80;

/// What an enrolment stores.
#[derive(Debug)]
pub(super) struct Dealt {
    pub(super) shares: ShareSet,
    /// This node's parts of what the duplicate checks found.
    pub(super) parts: Vec<[u8; TOKEN]>,
}

/// What a peer says of an enrolment.
#[derive(Debug)]
pub(super) struct PeerCheck {
    pub(super) share: [u8; 32],
    pub(super) parts: Vec<[u8; TOKEN]>,
}

impl Dealt {
    /// Whether all duplicate checks found nobody: each is opened here, by the xor of three parts.
    pub(super) fn is_new(&self, peers: [&PeerCheck; 2]) -> Result<bool, Refusal> {
        if peers.iter().any(|peer| peer.parts.len() != self.parts.len()) {
            return Err(Reason::Inconsistent.into());
        }
        let mut opened = self.parts.iter().enumerate().map(|(at, own)| {
            let [next, previous] = peers.map(|peer| peer.parts[at]);
            std::array::from_fn(|byte| own[byte] ^ next[byte] ^ previous[byte])
        });
        Ok(opened.all(|value| is_no_match(&value)))
    }
}

impl Node {
    /// What an enrolment stores is what its duplicate checks compared: nobody can have one palm
    /// checked and another one stored.
    pub(super) fn checked_references(&self, enrolment: &Enrolment) -> Result<Dealt, Refusal> {
        let spec = self.roster.gallery(enrolment.gallery)?.spec;
        let (checks, palms) = (enrolment.checks.len(), enrolment.sides.len());
        if spec.purpose != GalleryPurpose::Enrolment || checks != palms {
            return Err(Reason::Unchecked.with(checks as u64));
        }
        if enrolment.first_slot != 0 {
            return Err(Reason::Limits.into());
        }
        let (mut sets, mut parts) = (Vec::new(), Vec::new());
        for (query, side) in enrolment.checks.iter().zip(&enrolment.sides) {
            let done = self.searches.duplicate_check(*query).ok_or(Reason::CheckOutdated)?;
            let there = (done.gallery, done.side) == (enrolment.gallery, *side);
            if !there || done.operation < enrolment.checked_at {
                return Err(Reason::CheckOutdated.into());
            }
            if done.by != (enrolment.device, enrolment.consent) {
                return Err(Reason::Limits.into());
            }
            sets.push(&done.reference);
            parts.push(done.part);
        }
        let shares = ShareSet::joined(&sets).ok_or(Reason::Shares)?;
        Ok(Dealt { shares, parts })
    }

    /// Rows of nobody, as they were dealt.
    pub(super) fn open_references(
        &mut self,
        name: OperationName,
        enrolment: &Enrolment,
        shares: &SealedShares,
    ) -> Result<Dealt, Refusal> {
        let spec = self.roster.gallery(enrolment.gallery)?.spec;
        if spec.purpose != GalleryPurpose::DangerUnchecked {
            return Err(Reason::Unchecked.into());
        }
        let fits = enrolment.first_slot == 0
            && shares.device == enrolment.device
            && shares.consent == enrolment.consent;
        if !fits {
            return Err(Reason::Limits.into());
        }
        let device = *self.roster.device(shares.device)?;
        let usage = Hash::of(b"handfast vault enrolment 1", &name.0);
        if !self.challenges.take(&shares.challenge, usage, self.now) {
            return Err(Reason::Challenge.into());
        }
        let binding = Binding {
            deployment: self.keys.deployment,
            challenge: shares.challenge,
            purpose: ENROLMENT_PURPOSE,
            gallery: enrolment.gallery.0,
            nonce: [0; 16],
            amount_hash: shares.amount,
            consent: shares.consent,
            model_version: spec.model_version,
            query: name.0,
            operation: shares.sealed_at,
            device: shares.device.0,
        };
        let set = self.seals.open(&device, &binding, &shares.sealed, self.now)?;
        let expected = enrolment.sides.len() * usize::from(spec.rows_per_slot);
        let fits = set.node() == self.keys.role
            && set.dimension() == usize::from(spec.dimension)
            && set.count() == expected;
        if !fits {
            return Err(Reason::Shares.with(set.count() as u64));
        }
        Ok(Dealt { shares: set, parts: Vec::new() })
    }

    /// The component that this node shares with a peer.
    pub(in crate::node) fn component_with(&self, peer: Role) -> Role {
        if peer == self.keys.role.next() { self.keys.role } else { peer }
    }

    pub(super) fn send_share_check(&mut self, peer: Role, operation: OperationName) {
        let component = self.component_with(peer);
        let dealt = self.chain.gathered.get(&operation).and_then(|there| there.dealt.as_ref());
        let Some(Dealt { shares, parts }) = dealt else { return };
        let key = self.keys.check_key(component);
        if let Ok(check) = shares.check(component, &key, &operation.0) {
            let parts = parts.clone();
            self.send(peer, Content::ShareCheck { operation, check, parts });
        }
    }

    pub(in crate::node) fn on_share_check(
        &mut self,
        from: Role,
        name: OperationName,
        share: [u8; 32],
        parts: Vec<[u8; TOKEN]>,
    ) -> Result<(), Refusal> {
        let check = PeerCheck { share, parts };
        self.gather(name, |gathered| gathered.checks[from.index()] = Some(check))
    }
}

/// The rows that an enrolment's shares become.
pub(super) fn rows_of_shares(
    role: Role,
    enrolment: &Enrolment,
    shares: &ShareSet,
) -> Result<Vec<(u64, RowBytes)>, Refusal> {
    let mut rows = Rows::new(role, shares.dimension(), shares.count());
    rows.push(shares).map_err(|_| Reason::Shares)?;
    let per_slot = shares.count() / enrolment.sides.len().max(1);
    let mut put = Vec::with_capacity(enrolment.sides.len());
    for (at, (slot, _)) in enrolment.slots().enumerate() {
        let mut bytes = Zeroizing::new(Vec::with_capacity(per_slot * rows.stored_length()));
        for row in at * per_slot..(at + 1) * per_slot {
            bytes.extend_from_slice(&rows.stored(row).map_err(|_| Reason::Shares)?);
        }
        put.push((slot, bytes));
    }
    Ok(put)
}
