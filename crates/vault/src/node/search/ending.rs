//! The end of a search: in a strict one the nodes have opened among themselves whether what was dealt is
//! short, and only then lets each its part go.

use handfast_mpc::{Role, TOKEN, is_no_match};

use super::super::machine::Node;
use super::super::message::{Content, Join};
use super::super::refusal::{Reason, Refusal};
use super::super::request::{Found, Reply};
use super::{Answer, DuplicateCheck, Key};
use crate::audit::SignedTagPart;

impl Node {
    /// Tells the peers this node's part of what was found of the lengths, once all checks are done here.
    pub(super) fn tell_lengths(&mut self, key: Key, part: [u8; TOKEN]) {
        let Some(attempt) = self.searches.active.get_mut(&key) else { return };
        attempt.lengths[self.keys.role.index()] = Some(part);
        let (query, attempt) = key;
        self.send_both(&Content::Lengths { query, attempt, part });
        self.open_lengths(key);
    }

    pub(in crate::node) fn on_lengths(
        &mut self,
        from: Role,
        key: Key,
        part: [u8; TOKEN],
    ) -> Result<(), Refusal> {
        let attempt = self.searches.active.get_mut(&key).ok_or(Reason::Unexpected)?;
        let strict = attempt.run.as_ref().is_some_and(|run| run.lengths.is_some());
        let there = &mut attempt.lengths[from.index()];
        if !strict || there.is_some() {
            return Err(Reason::Unexpected.into());
        }
        *there = Some(part);
        attempt.moved = self.now;
        self.open_lengths(key);
        Ok(())
    }

    /// Once all three parts are there: their xor is zero where every vector is short.
    fn open_lengths(&mut self, key: Key) {
        let Some(attempt) = self.searches.active.get_mut(&key) else { return };
        let [Some(a), Some(b), Some(c)] = attempt.lengths else { return };
        let opened: [u8; TOKEN] = std::array::from_fn(|at| a[at] ^ b[at] ^ c[at]);
        let lengths = attempt.run.as_mut().and_then(|run| run.lengths.as_mut());
        match lengths.filter(|_| is_no_match(&opened)) {
            Some(lengths) => {
                lengths.short = true;
                self.complete(key);
            }
            None => self.leave(key, Reason::VectorTooLong.into()),
        }
    }

    /// Answers, once all chunks are done here and, in a strict search, what was dealt is known to be
    /// short.
    pub(super) fn complete(&mut self, key: Key) {
        let run = self.searches.active.get_mut(&key).and_then(|attempt| attempt.run.as_mut());
        let Some(run) = run.filter(|run| run.is_done()) else { return };
        let sums = std::mem::take(&mut run.sums);
        self.answer(key, &sums);
    }

    /// Seals a part of what was found, with its part of an audit tag where there is one, and answers.
    pub(super) fn answer(&mut self, key: Key, sums: &[[u8; TOKEN]]) {
        let Some(attempt) = self.searches.active.remove(&key) else { return };
        self.searches.order.retain(|there| *there != key);
        let Some(part) = sums.first() else { return };
        let binding = attempt.binding.to_bytes();
        let sealed = self.seals.seal_part(&attempt.recipient, &binding, part);
        let (query, number) = key;
        // Where there is no tag nothing is signed that could be taken for one of this query.
        let audit = sums.get(1).map(|part| {
            let (deployment, node) = (self.keys.deployment, self.keys.role);
            let bytes = SignedTagPart::signed_bytes(deployment, node, query.0, part);
            SignedTagPart { part: *part, signature: self.seals.sign(&bytes) }
        });
        let signed = attempt.binding.signed_bytes(&sealed, audit.map(|tag| tag.part).as_ref());
        let signature = self.seals.sign(&signed);
        // A node lets one part of a query go: a later attempt finds the challenge spent.
        if let Some(challenge) = &attempt.challenge {
            self.challenges.spend(challenge);
        }
        let found = Found { query, attempt: number, sealed, signature, audit };
        let bytes = Reply::Found(found).to_bytes();
        for waiter in attempt.waiters {
            self.reply_bytes(waiter, bytes.clone());
        }
        let since = self.now;
        if let Some((by, reference)) = attempt.reference {
            let (Join { gallery, operation, .. }, side) = (attempt.join, attempt.side);
            let part = *part;
            let check = DuplicateCheck { gallery, side, operation, part, by, reference, since };
            self.searches.checks.insert(query, check);
        }
        let answer = Answer { digest: attempt.digest, bytes, since };
        self.searches.answers.insert(key, answer);
    }
}
