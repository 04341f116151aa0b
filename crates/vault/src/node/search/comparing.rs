//! The comparison itself: chunk by chunk, messages in whatever order they come.

use handfast_mpc::{Message, Party, ProbeWeights, ResultPart, Role, Step, TOKEN, Turn};

use super::super::lengths::LengthPlan;
use super::super::machine::Node;
use super::super::message::Content;
use super::super::refusal::{Reason, Refusal};
use super::super::windows::Windows;
use super::Key;
use super::run::Chunk;

/// Messages of a chunk that came before their turn; a chunk has few steps.
const WAITING_MAX: usize = 32;
/// Bytes of a comparison in one step: more than any step takes; the party checks each exactly.
const COMPARISON_BYTES_MAX: usize = 8;

impl Node {
    /// The next chunk of the search that is least advanced, together with others that go through
    /// the same rows.
    pub(in crate::node) fn work(&mut self) {
        let group = self.searches.next_work(&self.windows);
        let Some(first) = group.first().and_then(|key| self.searches.active.get(key)) else {
            return;
        };
        let (Some(plan), Some(run)) = (first.plan.clone(), &first.run) else { return };
        let Some(chunk) = run.next() else { return };
        if chunk >= run.gallery {
            if let Some(key) = group.first() {
                self.begin_chunk(*key, chunk, Vec::new());
            }
            return;
        }
        let probes: Vec<&ProbeWeights> = group
            .iter()
            .filter_map(|key| self.searches.active.get(key)?.run.as_ref())
            .map(|run| &run.probe)
            .collect();
        match plan.products(chunk, &probes) {
            Ok(products) => {
                for (key, products) in group.into_iter().zip(products) {
                    self.begin_chunk(key, chunk, products);
                }
            }
            Err(error) => {
                tracing::error!(node = %self.keys.role, %error, "a probe does not fit its gallery");
                for key in group {
                    self.leave(key, Reason::Shares.into());
                }
            }
        }
    }

    pub(super) fn begin_chunk(&mut self, key: Key, chunk: u32, products: Vec<u16>) {
        let role = self.keys.role;
        let Some(attempt) = self.searches.active.get_mut(&key) else { return };
        let (Some(plan), Some(run)) = (&attempt.plan, &mut attempt.run) else { return };
        let Some(keys) = run.keys.get_mut(chunk as usize).and_then(Option::take) else { return };
        let parts = match &run.lengths {
            Some(lengths) if lengths.plan.has(chunk) => lengths.chunk(chunk),
            _ => plan
                .parameters(chunk, run.probe.count(), run.time)
                .map(|parameters| (parameters, products, attempt.selections.clone())),
        };
        let started = parts.and_then(|(parameters, summands, selections)| {
            Ok(Party::start(role, parameters, keys, summands, selections)?)
        });
        let (party, turn) = match started {
            Ok(started) => started,
            Err(error) => {
                tracing::error!(node = %role, %error, "a chunk does not fit its search");
                return self.leave(key, Reason::Shares.into());
            }
        };
        run.begun += 1;
        let mut waiting = Vec::new();
        for (of, message) in std::mem::take(&mut attempt.early) {
            if of == chunk {
                waiting.push(message);
            } else {
                attempt.early.push((of, message));
            }
        }
        let seen = waiting.iter().map(|message| (message.from, message.step.code())).collect();
        run.open.insert(chunk, Chunk { party, waiting, seen });
        attempt.moved = self.now;
        self.take_turn(key, chunk, turn);
        self.step_chunk(key, chunk);
    }

    pub(in crate::node) fn on_step(
        &mut self,
        from: Role,
        key: Key,
        chunk: u32,
        (code, body): (u8, Vec<u8>),
    ) -> Result<(), Refusal> {
        let step = step_of(code).ok_or(Reason::Malformed)?;
        let message = Message { step, from, to: self.keys.role, body };
        let attempt = self.searches.active.get_mut(&key).ok_or(Reason::Unexpected)?;
        let Some(plan) = &attempt.plan else { return Err(Reason::Unexpected.into()) };
        let vectors = usize::from(attempt.join.vectors);
        // Whether the search is strict this node may hear later.
        let gallery = plan.chunks(vectors);
        let lengths = LengthPlan::new(plan.dimension(), vectors, gallery, self.windows.chunk);
        let shape = if lengths.has(chunk) {
            lengths.shape(chunk).map_err(|_| Reason::Limits)?
        } else if chunk < gallery {
            plan.shape(chunk, vectors).map_err(|_| Reason::Limits)?
        } else {
            return Err(Reason::Limits.into());
        };
        let comparisons = shape.comparisons();
        if message.body.len() > COMPARISON_BYTES_MAX * comparisons {
            return Err(Reason::WrongLength.with(message.body.len() as u64));
        }
        let (begun, before) = match &attempt.run {
            Some(run) => (run.begun, run.before(chunk).ok_or(Reason::Limits)?),
            None => (0, chunk.checked_sub(gallery).unwrap_or(chunk)),
        };
        if before >= begun {
            let same = |(of, there): &(u32, Message)| {
                *of == chunk && there.from == from && there.step == step
            };
            let far = before - begun >= Windows::AHEAD_MAX;
            if far || attempt.early.iter().any(same) {
                return Err(Reason::Unexpected.into());
            }
            attempt.early.push((chunk, message));
            return Ok(());
        }
        let open = attempt.run.as_mut().and_then(|run| run.open.get_mut(&chunk));
        let open = open.ok_or(Reason::Unexpected)?;
        // A step refused for its length may come again.
        let awaited = open.party.awaited();
        let wrong = awaited.filter(|awaited| {
            (awaited.step, awaited.from) == (step, from) && awaited.length != message.body.len()
        });
        if wrong.is_some() {
            return Err(Reason::WrongLength.with(message.body.len() as u64));
        }
        if open.waiting.len() >= WAITING_MAX || !open.seen.insert((from, code)) {
            return Err(Reason::Unexpected.into());
        }
        open.waiting.push(message);
        attempt.moved = self.now;
        self.step_chunk(key, chunk);
        Ok(())
    }

    /// Takes the messages whose turn it is.
    pub(super) fn step_chunk(&mut self, key: Key, chunk: u32) {
        loop {
            let open = self
                .searches
                .active
                .get_mut(&key)
                .and_then(|attempt| attempt.run.as_mut()?.open.get_mut(&chunk));
            let Some(open) = open else { return };
            let Some(awaited) = open.party.awaited() else { return };
            let next = open
                .waiting
                .iter()
                .position(|message| (message.step, message.from) == (awaited.step, awaited.from));
            let Some(next) = next else { return };
            let message = open.waiting.swap_remove(next);
            match open.party.step(&message) {
                Ok(turn) => self.take_turn(key, chunk, turn),
                Err(error) => {
                    // Nothing has changed: the right one may still come.
                    open.seen.remove(&(message.from, message.step.code()));
                    tracing::warn!(node = %self.keys.role, %error, "a step was refused");
                    self.refusals.count(Reason::WrongLength);
                    return;
                }
            }
        }
    }

    pub(super) fn take_turn(&mut self, key: Key, chunk: u32, turn: Turn) {
        let (query, attempt) = key;
        match turn {
            Turn::Wait(messages) => {
                for Message { step, to, body, .. } in messages {
                    let step = step.code();
                    self.send(to, Content::Step { query, attempt, chunk, step, body });
                }
            }
            Turn::Done(parts) => {
                let run = self.searches.active.get_mut(&key);
                let Some(run) = run.and_then(|attempt| attempt.run.as_mut()) else { return };
                run.open.remove(&chunk);
                match &mut run.lengths {
                    Some(lengths) if lengths.plan.has(chunk) => {
                        parts.iter().for_each(|part| add(&mut lengths.part, part));
                        let part = lengths.part;
                        if run.lengths_are_done() {
                            return self.tell_lengths(key, part);
                        }
                    }
                    _ => {
                        let sums = run.sums.iter_mut().zip(&parts);
                        sums.for_each(|(sum, part)| add(sum, part));
                    }
                }
                self.complete(key);
            }
        }
    }
}

fn add(sum: &mut [u8; TOKEN], part: &ResultPart) {
    sum.iter_mut().zip(part.bytes()).for_each(|(sum, part)| *sum ^= part);
}

/// The step with this number.
fn step_of(code: u8) -> Option<Step> {
    let step = match code {
        0 => Step::Reshare,
        1 => Step::Split,
        16..32 => Step::And(code - 16),
        32..64 => Step::Or(code - 32),
        _ => return None,
    };
    (step.code() == code).then_some(step)
}
