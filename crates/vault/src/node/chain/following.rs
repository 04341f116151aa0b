//! Nodes that do not stand at the same operation: each says where it stands, and the one behind
//! follows the other's certified list.

use handfast_mpc::Role;

use super::super::machine::Node;
use super::super::message::{Content, OPERATIONS_PER_PAGE, PeerState};
use super::super::names::Head;
use super::super::operation::{Certified, Change, Operation, Verdict, Vote};
use super::super::refusal::{Reason, Refusal};
use super::super::store::Batch;
use super::WAIT;

/// Bytes in a page of operations.
const PAGE_BYTES: usize = 1 << 20;

impl Node {
    pub(in crate::node) fn send_state(&mut self, peer: Role) {
        let undecided = self.chain.current.as_ref().and_then(|current| {
            let vote = current.votes[self.keys.role.index()];
            let bound = vote.is_some() || current.seed_stored;
            bound.then(|| (current.operation.clone(), vote))
        });
        let state = PeerState { head: self.roster.head, undecided };
        self.send(peer, Content::State(state));
    }

    /// Everything that a peer may have missed of the undecided operation.
    pub(super) fn send_about_current(&mut self, peer: Role) {
        let Some(current) = &self.chain.current else { return };
        let (name, head) = (current.operation.name, current.head);
        let vote = current.votes[self.keys.role.index()];
        self.send_share_check(peer, name);
        self.send_seed(peer);
        if let Some(vote) = vote {
            self.send(peer, Content::Vote { head, vote });
        }
    }

    pub(in crate::node) fn on_state(
        &mut self,
        from: Role,
        state: PeerState,
    ) -> Result<(), Refusal> {
        self.peers[from.index()].heard = true;
        let own = self.roster.head;
        if state.head.number > own.number {
            self.send(from, Content::WantOperations(own.number + 1));
            return Ok(());
        }
        if state.head.number < own.number {
            // It asks for what it lacks when it hears where this node stands.
            self.send_state(from);
            return Ok(());
        }
        if state.head.hash != own.hash {
            tracing::error!(node = %self.keys.role, peer = %from, "two lists of operations differ");
            return Err(Reason::Diverged.into());
        }
        if let Some((operation, vote)) = state.undecided {
            self.on_peers_undecided(from, operation, vote)?;
        }
        if let Some(current) = &self.chain.current {
            if self.keys.role == Role::A {
                self.send(from, Content::Proposal(current.operation.clone()));
            }
            self.send_about_current(from);
        }
        self.propose();
        Ok(())
    }

    /// A peer stands at the same head and has stored an undecided operation.
    pub(super) fn on_peers_undecided(
        &mut self,
        from: Role,
        operation: Operation,
        vote: Option<Vote>,
    ) -> Result<(), Refusal> {
        let head = operation.head();
        let Head { number, hash } = self.roster.head;
        if (operation.number, operation.previous) != (number + 1, hash) {
            return Err(Reason::OutOfOrder.with(number));
        }
        let valid = |vote: &Vote| {
            let key = &self.keys.verifying[from.index()];
            vote.node == from && vote.is_valid(self.keys.deployment, head, key)
        };
        if !vote.as_ref().is_none_or(valid) {
            return Err(Reason::Signature.into());
        }
        // All three gave it up before: the peer did not hear of it.
        let given_up = self.chain.given_up.contains_key(&operation.name);
        match &self.chain.current {
            None if !given_up => self.adopt(operation),
            Some(current) if current.head == head => {}
            // Somebody gave it up, so that it can never be committed: this node's word against it,
            // which the peer needs to be rid of it, binds this node to nothing.
            current
                if given_up
                    || current.is_some()
                        && vote.is_some_and(|vote| vote.verdict == Verdict::GivenUp) =>
            {
                let (role, verdict) = (self.keys.role, Verdict::GivenUp);
                let sign = |bytes: &[u8]| self.seals.sign(bytes);
                let vote = Vote::sign(self.keys.deployment, role, verdict, head, sign);
                self.send(from, Content::Vote { head, vote });
                return Ok(());
            }
            _ => return Err(Reason::Pending.with(number + 1)),
        }
        match vote {
            Some(vote) => self.on_vote(from, head, vote),
            None => Ok(()),
        }
    }

    pub(in crate::node) fn page_of_operations(
        &mut self,
        from: u64,
    ) -> Result<Vec<Certified>, Refusal> {
        let (mut page, mut bytes) = (Vec::new(), 0);
        let read = self.store.operations(from.max(1), &mut |certified| {
            bytes += certified.operation.to_bytes().len() + 256;
            page.push(certified);
            page.len() < OPERATIONS_PER_PAGE && bytes < PAGE_BYTES
        });
        self.stored(read)?;
        Ok(page)
    }

    pub(in crate::node) fn on_want_operations(
        &mut self,
        from: Role,
        number: u64,
    ) -> Result<(), Refusal> {
        let page = self.page_of_operations(number)?;
        self.send(from, Content::Operations(page));
        Ok(())
    }

    /// Follows the list that a peer has, one certificate after the other.
    pub(in crate::node) fn on_operations(
        &mut self,
        from: Role,
        operations: Vec<Certified>,
    ) -> Result<(), Refusal> {
        let mut followed = false;
        for Certified { operation, certificate } in operations {
            if operation.number <= self.roster.head.number {
                continue;
            }
            self.roster.check(&operation)?;
            let head = operation.head();
            let certain = certificate.verdict == Verdict::Prepared
                && certificate.is_valid(self.keys.deployment, head, &self.keys.verifying);
            if !certain {
                return Err(Reason::Signature.into());
            }
            if self.chain.current.as_ref().is_some_and(|current| current.head != head) {
                self.drop_overtaken()?;
            }
            self.commit(operation, certificate)?;
            followed = true;
        }
        if followed {
            // Perhaps there is more.
            self.send(from, Content::WantOperations(self.roster.head.number + 1));
        } else {
            for peer in [self.keys.role.next(), self.keys.role.previous()] {
                self.send_state(peer);
            }
        }
        Ok(())
    }

    /// Another operation took the place of the one that is undecided here, which therefore was given
    /// up: this node comes from a backup.
    pub(super) fn drop_overtaken(&mut self) -> Result<(), Refusal> {
        let mut batch = Batch { undecided: Some(None), ..Batch::default() };
        let current = self.chain.current.as_ref().map(|current| &current.operation.change);
        if let Some(Change::Enrol(enrolment)) = current {
            batch.destroy = enrolment.slots().map(|(slot, _)| slot).collect();
        }
        let committed = self.store.commit(batch);
        self.stored(committed)?;
        self.chain.current = None;
        Ok(())
    }

    /// Tells the peers now and then that an operation is undecided here: what one of them said or
    /// decided may have been lost with a connection that only they had.
    pub(super) fn ask_about_current(&mut self) {
        let now = self.now;
        let Some(current) = &mut self.chain.current else { return };
        if now < current.asked || now >= current.asked + WAIT {
            current.asked = now;
            for peer in [self.keys.role.next(), self.keys.role.previous()] {
                self.send_state(peer);
            }
        }
    }
}
