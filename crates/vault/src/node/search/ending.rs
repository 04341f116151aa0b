//! The end of a search: in a strict one the nodes open among themselves whether what was dealt is
//! short, and only then lets each its part go.

use handfast_mpc::{Role, TOKEN, is_no_match};

use super::super::machine::Node;
use super::super::message::{Content, Join};
use super::super::refusal::{Reason, Refusal};
use super::super::request::{Found, Reply};
use super::{Answer, DuplicateCheck, Key};
use crate::audit::SignedTagPart;

impl Node {
    /// All chunks are done here: answers, or in a strict search tells the peers this node's part of
    /// what was found of the lengths.
    pub(super) fn chunks_done(&mut self, key: Key) {
        let Some(attempt) = self.searches.active.get_mut(&key) else { return };
        let Some(lengths) = attempt.run.as_ref().and_then(|run| run.lengths.as_ref()) else {
            return self.complete(key);
        };
        let part = lengths.part;
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
        let Some(attempt) = self.searches.active.get(&key) else { return };
        let [Some(a), Some(b), Some(c)] = attempt.lengths else { return };
        let opened: [u8; TOKEN] = std::array::from_fn(|at| a[at] ^ b[at] ^ c[at]);
        if is_no_match(&opened) {
            self.complete(key);
        } else {
            self.leave(key, Reason::VectorTooLong.into());
        }
    }

    /// Seals this node's part and answers.
    fn complete(&mut self, key: Key) {
        let sums = self.searches.active.get_mut(&key).and_then(|attempt| attempt.run.as_mut());
        let sums = sums.map(|run| std::mem::take(&mut run.sums)).unwrap_or_default();
        self.answer(key, &sums);
    }

    /// Seals a part of what was found, with its part of an audit tag where there is one, and answers.
    pub(super) fn answer(&mut self, key: Key, sums: &[[u8; TOKEN]]) {
        let Some(attempt) = self.searches.active.remove(&key) else { return };
        self.searches.order.retain(|there| *there != key);
        let Some(part) = sums.first() else { return };
        let binding = attempt.binding.to_bytes();
        let sealed = self.seals.seal_part(&attempt.recipient, &binding, part);
        let audit = sums.get(1).copied().unwrap_or_default();
        let signature = self.seals.sign(&attempt.binding.signed_bytes(&sealed, &audit));
        let (query, number) = key;
        let tag =
            SignedTagPart::signed_bytes(self.keys.deployment, self.keys.role, query.0, &audit);
        let audit_signature = self.seals.sign(&tag);
        let found = Found { query, attempt: number, sealed, signature, audit, audit_signature };
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
