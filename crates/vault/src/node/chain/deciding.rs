//! The undecided operation: this node's word on it, and what three words decide.

use handfast_mpc::Role;

use super::super::machine::Node;
use super::super::message::Content;
use super::super::names::Head;
use super::super::operation::{Certificate, Certified, Change, Operation, Verdict, Vote};
use super::super::refusal::{Reason, Refusal};
use super::super::request::Reply;
use super::super::store::{Batch, Undecided};
use super::enrolling::rows_of_shares;
use super::{Current, EARLY_VOTES_MAX};

impl Node {
    /// Takes up an operation that follows the list.
    pub(super) fn adopt(&mut self, operation: Operation) {
        let mut current = Current::new(operation, self.now);
        let early = std::mem::take(&mut self.chain.early_votes);
        for (head, vote) in early {
            if head == current.head {
                current.votes[vote.node.index()] = Some(vote);
            } else if head.number > self.roster.head.number {
                self.chain.early_votes.push_back((head, vote));
            }
        }
        current.refusal = self.roster.check(&current.operation).err();
        self.chain.current = Some(current);
        self.advance();
    }

    pub(in crate::node) fn on_vote(
        &mut self,
        from: Role,
        head: Head,
        vote: Vote,
    ) -> Result<(), Refusal> {
        if vote.node != from {
            return Err(Reason::WrongNode.into());
        }
        if !vote.is_valid(self.keys.deployment, head, &self.keys.verifying[from.index()]) {
            return Err(Reason::Signature.into());
        }
        match &mut self.chain.current {
            Some(current) if current.head == head => {
                // A word that is given up is never taken back.
                if current.said(from) != Some(Verdict::GivenUp) {
                    current.votes[from.index()] = Some(vote);
                }
                self.advance();
                Ok(())
            }
            _ if head.number == self.roster.head.number + 1 => {
                if self.chain.early_votes.len() >= EARLY_VOTES_MAX {
                    self.chain.early_votes.pop_front();
                }
                self.chain.early_votes.push_back((head, vote));
                Ok(())
            }
            _ => Err(Reason::Unexpected.into()),
        }
    }

    /// Does what can be done for the undecided operation: says this node's word, and decides.
    pub(in crate::node) fn advance(&mut self) {
        let role = self.keys.role;
        let Some(current) = &self.chain.current else { return };
        let given_up_by = Role::ALL
            .into_iter()
            .find(|&node| node != role && current.said(node) == Some(Verdict::GivenUp));
        match (current.said(role), given_up_by) {
            (Some(Verdict::GivenUp), _) => {}
            (_, Some(node)) => {
                let refusal = Reason::PeerRefused.with(node.index() as u64);
                self.give_up(refusal);
            }
            (Some(Verdict::Prepared), None) => {}
            (None, None) => match self.ready() {
                Ok(true) => self.prepare(),
                Ok(false) => {}
                Err(refusal) => self.give_up(refusal),
            },
        }
        let Some(current) = &self.chain.current else { return };
        if let Some(certificate) = current.certificate(Verdict::Prepared) {
            let operation = current.operation.clone();
            // Where the disk fails the next tick tries again.
            if self.commit(operation, certificate).is_ok() {
                self.propose();
            }
        } else if current.certificate(Verdict::GivenUp).is_some() {
            self.forget_current();
            self.propose();
        }
    }

    /// Whether this node has all that it needs to store the operation; a refusal where it will not.
    pub(super) fn ready(&mut self) -> Result<bool, Refusal> {
        let Some(current) = &self.chain.current else { return Ok(false) };
        let name = current.operation.name;
        let gathered = self.chain.gathered.get(&name);
        let refusal = current.refusal.or_else(|| gathered.and_then(|there| there.refused));
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        // Whoever asked A asked this node as well, or not at all.
        self.check_unchecked(&current.operation.change)?;
        match &current.operation.change {
            Change::Enrol(_) => {
                let Some(gathered) = gathered else { return Ok(false) };
                let Some(dealt) = &gathered.dealt else { return Ok(false) };
                let peers = [self.keys.role.next(), self.keys.role.previous()];
                let [Some(next), Some(previous)] =
                    peers.map(|peer| gathered.checks[peer.index()].as_ref())
                else {
                    return Ok(false);
                };
                for (peer, check) in peers.into_iter().zip([next, previous]) {
                    let component = self.component_with(peer);
                    let key = self.keys.check_key(component);
                    let same = dealt.shares.verify_check(component, &key, &name.0, &check.share);
                    if same != Ok(true) {
                        return Err(Reason::Inconsistent.into());
                    }
                }
                if dealt.is_new([next, previous])? {
                    Ok(true)
                } else {
                    Err(Reason::Duplicate.into())
                }
            }
            Change::Refresh if !self.lacking.is_empty() => {
                Err(Reason::Lacking.with(self.lacking.len() as u64))
            }
            Change::Refresh => Ok(self.gather_seeds()),
            _ => Ok(true),
        }
    }

    /// Stores what the operation brings, then signs.
    pub(super) fn prepare(&mut self) {
        let Some(current) = &self.chain.current else { return };
        let name = current.operation.name;
        let mut put = Vec::new();
        if let Change::Enrol(enrolment) = &current.operation.change {
            let dealt = self.chain.gathered.get(&name).and_then(|there| there.dealt.as_ref());
            let Some(dealt) = dealt else { return };
            match rows_of_shares(self.keys.role, enrolment, &dealt.shares) {
                Ok(rows) => put = rows,
                Err(refusal) => return self.give_up(refusal),
            }
        }
        // Kept until it is decided: reading a thousand rows again takes longer than storing them.
        let rows = put.iter().map(|(slot, bytes)| (*slot, Some(bytes.clone()))).collect();
        if !self.say(Verdict::Prepared, Batch { put, ..Batch::default() }) {
            return;
        }
        if let Some(current) = &mut self.chain.current {
            current.rows = Some(rows);
        }
        if let Some(gathered) = self.chain.gathered.get_mut(&name) {
            gathered.dealt = None;
        }
    }

    pub(super) fn give_up(&mut self, refusal: Refusal) {
        let Some(current) = &mut self.chain.current else { return };
        current.refusal = current.refusal.or(Some(refusal));
        let mut batch = Batch::default();
        if current.said(self.keys.role) == Some(Verdict::Prepared)
            && let Change::Enrol(enrolment) = &current.operation.change
        {
            batch.destroy = enrolment.slots().map(|(slot, _)| slot).collect();
        }
        self.say(Verdict::GivenUp, batch);
    }

    /// Stores this node's word, then says it; `false` where the disk fails, to be tried again.
    pub(super) fn say(&mut self, verdict: Verdict, mut batch: Batch) -> bool {
        let Some(current) = &self.chain.current else { return false };
        let (role, head) = (self.keys.role, current.head);
        let sign = |bytes: &[u8]| self.seals.sign(bytes);
        let vote = Vote::sign(self.keys.deployment, role, verdict, head, sign);
        let operation = current.operation.clone();
        let seeds = match verdict {
            Verdict::Prepared => current.seeds.clone(),
            Verdict::GivenUp => None,
        };
        batch.undecided = Some(Some(Undecided { operation, vote: Some(vote), seeds }));
        let committed = self.store.commit(batch);
        if self.stored(committed).is_err() {
            return false;
        }
        if let Some(current) = &mut self.chain.current {
            current.votes[role.index()] = Some(vote);
        }
        self.send_both(&Content::Vote { head, vote });
        true
    }

    /// Appends an operation to the list and does it.
    pub(super) fn commit(
        &mut self,
        operation: Operation,
        certificate: Certificate,
    ) -> Result<(), Refusal> {
        let current = self.chain.current.as_mut().filter(|current| current.operation == operation);
        let kept = match &operation.change {
            Change::Enrol(_) => current.and_then(|current| current.rows.take()),
            _ => None,
        };
        let rows = match kept {
            Some(rows) => rows,
            None => {
                let rows = self.rows_for(&operation);
                self.stored(rows)?
            }
        };
        let append = vec![Certified { operation: operation.clone(), certificate }];
        let mut batch = Batch { undecided: Some(None), append, ..Batch::default() };
        if let Change::Delete { slots } = &operation.change {
            batch.destroy.clone_from(slots);
        }
        let committed = if operation.change == Change::Refresh {
            self.commit_renewal(batch)
        } else {
            self.store.commit(batch)
        };
        self.stored(committed)?;
        self.chain.current = None;
        if let Change::Enrol(enrolment) = &operation.change {
            self.searches.forget_checks(&enrolment.checks);
        }
        let followed = self.follow(&operation, &rows);
        self.rows_fit = followed.is_ok();
        self.stored(followed)?;
        if let Some(gathered) = self.chain.gathered.remove(&operation.name) {
            for waiter in gathered.waiters {
                self.on_operation_state(waiter, operation.name)
                    .unwrap_or_else(|refusal| self.refuse(waiter, refusal));
            }
        }
        Ok(())
    }

    /// All three gave it up: nothing of it remains.
    pub(super) fn forget_current(&mut self) {
        let Some(current) = &self.chain.current else { return };
        let name = current.operation.name;
        let refusal = current.refusal.unwrap_or(Reason::Cancelled.into());
        let batch = Batch { undecided: Some(None), ..Batch::default() };
        let committed = self.store.commit(batch);
        if self.stored(committed).is_err() {
            return;
        }
        self.chain.current = None;
        self.chain.note_given_up(name, refusal);
        if let Some(gathered) = self.chain.gathered.remove(&name) {
            self.refusals.count(refusal.reason);
            for waiter in gathered.waiters {
                self.reply(waiter, &Reply::GivenUp(refusal));
            }
        }
    }
}
