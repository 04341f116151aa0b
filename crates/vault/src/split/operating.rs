//! Operations: done by all three nodes, or by none.

use std::time::Duration as StdDuration;

use handfast_mpc::Role;
use tokio::time::{Instant, sleep};

use super::nodes::Nodes;
use crate::VaultError;
use crate::deployment::Member;
use crate::node::{
    Change, Committed, Head, OperationName, Reason, Refusal, Reply, Request, SealedShares,
};

/// While another operation is undecided, this one is asked for again so often.
const AGAIN_EVERY: StdDuration = StdDuration::from_millis(20);
/// And for so long: a node that hangs makes the others wait for its connection to end.
const AGAIN_FOR: StdDuration = StdDuration::from_secs(12);

/// An operation that all three nodes have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) head: Head,
    /// An enrolment's first slot.
    pub(super) first_slot: u64,
}

impl Nodes {
    /// Has a change made by all three nodes, once, whatever is asked how often with one name.
    pub(super) async fn operate(
        &self,
        name: OperationName,
        change: &Change,
        shares: Option<[SealedShares; 3]>,
    ) -> Result<Done, VaultError> {
        self.check_all_up()?;
        let mut shares = shares.map(|shares| shares.map(Some)).unwrap_or_default().into_iter();
        let requests = Role::ALL.map(|_| Request::Operate {
            name,
            change: change.clone(),
            shares: shares.next().flatten(),
        });
        let deadline = Instant::now() + AGAIN_FOR;
        loop {
            match self.agree(self.ask_all(&requests).await) {
                Err(VaultError::Refused { refusal, .. })
                    if is_passing(refusal.reason) && Instant::now() < deadline =>
                {
                    sleep(AGAIN_EVERY).await;
                }
                agreed => return agreed,
            }
        }
    }

    /// What became of an operation; `None` where it was given up, or none of the nodes heard of it.
    pub(super) async fn outcome(&self, name: OperationName) -> Result<Option<Done>, VaultError> {
        self.check_all_up()?;
        match self.agree(self.ask_each(&Request::OperationState(name)).await) {
            Ok(done) => Ok(Some(done)),
            Err(VaultError::GivenUp { .. }) => Ok(None),
            Err(VaultError::Refused { refusal, .. }) if refusal.reason == Reason::Unknown => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Three answers to one operation. Anything but three times "done" is an error; which one, of
    /// several, is the one that says most.
    fn agree(&self, replies: [Result<Reply, VaultError>; 3]) -> Result<Done, VaultError> {
        let mut done: Option<Done> = None;
        let mut errors = Vec::new();
        for (node, reply) in Role::ALL.into_iter().zip(replies) {
            match reply {
                Ok(Reply::Committed(committed)) => match self.check(node, &committed) {
                    Some(said) if done.is_none_or(|done| done == said) => done = Some(said),
                    _ => errors.push(VaultError::NodeAnswer { node }),
                },
                Ok(Reply::GivenUp(refusal)) => errors.push(VaultError::GivenUp { refusal }),
                Ok(Reply::Refused(refusal)) => errors.push(VaultError::Refused { node, refusal }),
                Ok(_) => errors.push(VaultError::NodeAnswer { node }),
                Err(error) => errors.push(error),
            }
        }
        errors.sort_by_key(says_most);
        match (errors.into_iter().next(), done) {
            (Some(error), _) => Err(error),
            (None, Some(done)) => Ok(done),
            (None, None) => Err(VaultError::NodeAnswer { node: Role::A }),
        }
    }

    /// A node's word that it did an operation, where its signature and all three votes are right.
    fn check(&self, node: Role, committed: &Committed) -> Option<Done> {
        let Committed { head, certificate, first_slot, done } = committed;
        let keys = Role::ALL.map(|role| *self.deployment().verifying_key(Member::Node(role)));
        let id = self.deployment().id();
        let signed = Committed::done_bytes(id, node, *head);
        let valid = certificate.is_valid(id, *head, &keys)
            && self.deployment().verifies(Member::Node(node), &signed, done);
        valid.then_some(Done { head: *head, first_slot: *first_slot })
    }
}

/// A refusal that ends by itself. Nodes that start find each other within seconds; one that is away
/// is away for the front too, which is another error.
const fn is_passing(reason: Reason) -> bool {
    matches!(reason, Reason::Pending | Reason::Busy | Reason::OutOfOrder | Reason::Unreachable)
}

/// Errors that say most come first: a reason of a node's own before one that points to another
/// node, and that a node is gone before both, because then nothing else could be done.
pub(super) fn says_most(error: &VaultError) -> u8 {
    match error {
        VaultError::Unavailable { .. } => 0,
        VaultError::GivenUp { refusal } | VaultError::Refused { refusal, .. } => {
            3 + points_elsewhere(refusal)
        }
        VaultError::BudgetExhausted { .. } => 1,
        _ => 2,
    }
}

const fn points_elsewhere(refusal: &Refusal) -> u8 {
    match refusal.reason {
        Reason::PeerRefused | Reason::TimedOut | Reason::Cancelled | Reason::Unexpected => 4,
        Reason::Unreachable | Reason::Pending => 2,
        Reason::Unknown => 1,
        _ => 0,
    }
}
