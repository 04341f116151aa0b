//! Searches: three parts, of which only their xor says anything.

use handfast_model::PairwiseToken;
use handfast_mpc::{Role, TOKEN};
use handfast_palm::Side;

use super::Inner;
use super::operating::says_most;
use crate::VaultError;
use crate::audit::AuditTag;
use crate::deployment::Member;
use crate::node::{
    Found, GalleryName, Head, PartBinding, QueryName, Reason, Reply, Request, SealedShares, Search,
    Sought,
};

/// Attempts at one query, each with fresh keys; the nodes make no more.
const ATTEMPTS_MAX: u8 = 3;

/// What is asked of the nodes, for all attempts.
pub(super) struct Query {
    pub(super) name: QueryName,
    pub(super) gallery: GalleryName,
    pub(super) side: Side,
    pub(super) sought: Sought,
    pub(super) nonce: [u8; 16],
    /// The probe's shares, each with its node's challenge; none for a delivery.
    pub(super) shares: Option<[SealedShares; 3]>,
}

/// Where the nodes stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    pub(super) head: Head,
    pub(super) epoch: u64,
}

/// What the three parts came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opened {
    /// Nobody.
    Nothing,
    /// Somebody's token, several's xor, or that there is somebody.
    Something(PairwiseToken),
}

impl Inner {
    /// Where all three nodes stand now.
    pub(super) async fn standing(&self) -> Result<Standing, VaultError> {
        let [a, b, c] = self.nodes.ask_each(&Request::Status).await;
        for (node, reply) in [(Role::B, b?), (Role::C, c?)] {
            if !matches!(reply, Reply::Status(_)) {
                return Err(VaultError::NodeAnswer { node });
            }
        }
        match a? {
            Reply::Status(status) => Ok(Standing { head: status.head, epoch: status.epoch }),
            _ => Err(VaultError::NodeAnswer { node: Role::A }),
        }
    }

    /// Searches, and again where the list of operations moved on meanwhile; says where it stood then.
    pub(super) async fn search(
        &self,
        query: &Query,
        at: Standing,
    ) -> Result<(Opened, Standing), VaultError> {
        let (opened, _, at) = self.search_audited(query, at).await?;
        Ok((opened, at))
    }

    /// As [`Inner::search`], with the search's audit tag.
    pub(super) async fn search_audited(
        &self,
        query: &Query,
        mut at: Standing,
    ) -> Result<(Opened, AuditTag, Standing), VaultError> {
        let mut attempt = 1;
        loop {
            let error = match self.attempt(query, attempt, at).await {
                Ok((opened, tag)) => return Ok((opened, tag, at)),
                Err(error) => error,
            };
            let again = match &error {
                VaultError::Refused { refusal, .. } => is_worth_repeating(refusal.reason),
                _ => false,
            };
            if !again || attempt == ATTEMPTS_MAX {
                return Err(error);
            }
            attempt += 1;
            at = self.standing().await?;
        }
    }

    async fn attempt(
        &self,
        query: &Query,
        attempt: u8,
        at: Standing,
    ) -> Result<(Opened, AuditTag), VaultError> {
        let shares = query.shares.as_ref();
        let of_nodes = |all: &[SealedShares; 3]| all.each_ref().map(|shares| shares.challenge);
        let challenges = shares.map_or([[0; 16]; 3], of_nodes);
        let requests = Role::ALL.map(|role| {
            Request::Search(Search {
                query: query.name,
                attempt,
                gallery: query.gallery,
                side: query.side,
                at: at.head,
                epoch: at.epoch,
                sought: query.sought,
                nonce: query.nonce,
                challenges,
                shares: shares.map(|shares| shares[role.index()].clone()),
            })
        });
        let replies = self.nodes.ask_all(&requests).await;
        let (mut xor, mut tag, mut parts) = ([0; TOKEN], [0; TOKEN], Vec::with_capacity(3));
        let mut errors = Vec::new();
        for (node, reply) in Role::ALL.into_iter().zip(replies) {
            match reply {
                Ok(Reply::Found(found)) => match self.open_part(query, attempt, at, node, &found) {
                    Some(part) => {
                        add(&mut xor, part);
                        if let Some(signed) = found.audit {
                            add(&mut tag, signed.part);
                            parts.push(signed);
                        }
                    }
                    None => errors.push(VaultError::NodeAnswer { node }),
                },
                Ok(Reply::Refused(refusal)) => errors.push(refused(node, refusal)),
                Ok(_) => errors.push(VaultError::NodeAnswer { node }),
                Err(error) => errors.push(error),
            }
        }
        errors.sort_by_key(says_most);
        let audit = AuditTag { query: query.name.0, tag, parts: parts.try_into().ok() };
        match errors.into_iter().next() {
            Some(error) => Err(error),
            None if xor == [0; TOKEN] => Ok((Opened::Nothing, audit)),
            None => Ok((Opened::Something(PairwiseToken::from_bytes(xor)), audit)),
        }
    }

    /// A node's part, where it is the node's own, for this very query and to this relying party.
    fn open_part(
        &self,
        query: &Query,
        attempt: u8,
        at: Standing,
        node: Role,
        found: &Found,
    ) -> Option<[u8; TOKEN]> {
        let shares = query.shares.as_ref().map(|shares| &shares[node.index()]);
        let binding = PartBinding {
            deployment: self.deployment.id(),
            node,
            gallery: query.gallery,
            query: query.name,
            attempt,
            sought: query.sought,
            operation: at.head.number,
            nonce: query.nonce,
            amount: shares.map_or([0; 32], |shares| shares.amount),
            consent: shares.map_or([0; 16], |shares| shares.consent),
        };
        let part = found.audit.as_ref().map(|tag| &tag.part);
        let signed = binding.signed_bytes(&found.sealed, part);
        // Kept and shown to people later, when nobody could ask the node again.
        let key = self.deployment.verifying_key(Member::Node(node));
        let tag_is_signed =
            found.audit.is_none_or(|tag| tag.is_by(key, self.deployment.id(), node, query.name.0));
        let own = found.query == query.name
            && found.attempt == attempt
            && found.audit.is_some() == query.sought.has_tag()
            && tag_is_signed
            && self.deployment.verifies(Member::Node(node), &signed, &found.signature);
        if !own {
            return None;
        }
        let part = self.recipient.open(&found.sealed, &binding.to_bytes())?;
        part[..].try_into().ok()
    }
}

fn add(sum: &mut [u8; TOKEN], part: [u8; TOKEN]) {
    sum.iter_mut().zip(part).for_each(|(sum, byte)| *sum ^= byte);
}

fn refused(node: Role, refusal: crate::node::Refusal) -> VaultError {
    match refusal.reason {
        Reason::DeviceBudget | Reason::GalleryBudget | Reason::SlotBudget => {
            VaultError::BudgetExhausted { refusal }
        }
        _ => VaultError::Refused { node, refusal },
    }
}

/// Refusals after which the same search may go well: the state has moved, or a message was lost.
const fn is_worth_repeating(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Stale
            | Reason::WrongEpoch
            | Reason::TimedOut
            | Reason::PeerRefused
            | Reason::Unreachable
            | Reason::Pending
            | Reason::Busy
            | Reason::Unexpected
    )
}
