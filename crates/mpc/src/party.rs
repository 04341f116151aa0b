//! One node's part in a comparison, as a machine that takes and gives messages.

use std::fmt;

use thiserror::Error;

use crate::adder::Adder;
use crate::bits::{Products, SharedBits};
use crate::kernel::{BITS, Path, planes};
use crate::keys::{KeyError, QueryKeys};
use crate::message::{
    Message, bytes_of_numbers, bytes_of_words, numbers_of_bytes, put_words, words_of_bytes,
};
use crate::selection::{ResultPart, Selection};
use crate::{Role, Shape, Step, Threshold};

/// Why a party did not start or refused a message. A refused message changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PartyError {
    /// Summands, slots or live bits of another number than the shape says.
    #[error("{found} {what} were given, the comparison's shape has {expected}")]
    Input {
        /// What was given.
        what: &'static str,
        /// How many the shape has.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// Not the message that is awaited.
    #[error(
        "a message of step {step:?} from {from} to {to} came where {awaited:?} is awaited: deliver each connection's messages in order"
    )]
    Unexpected {
        /// The step it says.
        step: Step,
        /// The sender it says.
        from: Role,
        /// The receiver it says.
        to: Role,
        /// What is awaited; nothing after the end.
        awaited: Option<Awaited>,
    },
    /// A body of another length than follows from the shape.
    #[error(
        "a message of step {step:?} has {found} bytes, the comparison's shape gives {expected}"
    )]
    WrongLength {
        /// Its step.
        step: Step,
        /// Bytes that the shape gives.
        expected: usize,
        /// Bytes it has.
        found: usize,
    },
    /// The keys were used for another comparison.
    #[error(transparent)]
    Keys(#[from] KeyError),
}

/// The one message that a party waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// Its step.
    pub step: Step,
    /// Its sender.
    pub from: Role,
    /// Bytes of its body.
    pub length: usize,
}

/// What is public of a comparison.
#[derive(Clone, Debug)]
pub struct Parameters {
    shape: Shape,
    threshold: Threshold,
    slots: Vec<u64>,
    live: Vec<u64>,
    /// Bits of a number: 16, fewer only to enumerate everything.
    width: usize,
}

impl Parameters {
    /// `slots` names the slots in their order; `live` has a bit for each, in words of 64 slots, least
    /// significant first: what the comparison says of a slot whose bit is not set is dropped. Bits
    /// beyond the last slot do not count.
    ///
    /// # Errors
    /// When there are not as many as the shape says.
    pub fn new(
        shape: Shape,
        threshold: Threshold,
        slots: Vec<u64>,
        mut live: Vec<u64>,
    ) -> Result<Self, PartyError> {
        check("slots", shape.slots(), slots.len())?;
        check("words of live bits", shape.slot_words(), live.len())?;
        let padding = shape.slots_padded() - shape.slots();
        if let Some(last) = live.last_mut() {
            *last &= u64::MAX >> padding;
        }
        Ok(Self { shape, threshold, slots, live, width: BITS })
    }

    /// The same with numbers of fewer bits.
    #[cfg(test)]
    pub(crate) fn with_width(mut self, width: usize) -> Self {
        self.width = width;
        self
    }
}

fn check(what: &'static str, expected: usize, found: usize) -> Result<(), PartyError> {
    if expected == found { Ok(()) } else { Err(PartyError::Input { what, expected, found }) }
}

/// What a party does next.
#[derive(Debug)]
pub enum Turn {
    /// Sends these and waits; see [`Party::awaited`].
    Wait(Vec<Message>),
    /// Is done: its part of each selection, in the order given. There is nothing left to send.
    Done(Vec<ResultPart>),
}

/// Where a party stands; what is held is what the next message is put together with.
enum State {
    /// A: its summands, until C's arrive.
    AwaitsSummands { own: Vec<u16> },
    /// C: until B's summands arrive.
    AwaitsShared,
    /// C: the planes that it shares with B, until A's arrive.
    AwaitsSplit { shared: Vec<Vec<u64>> },
    /// The bits' own carries.
    AwaitsCarries { sums: Vec<SharedBits>, products: Products },
    /// A later round of the adder.
    AwaitsAdder { level: u8, adder: Adder, products: Products },
    /// A round of the OR; `rest` is a layer without a partner.
    AwaitsOr { level: u8, rest: SharedBits, products: Products },
    /// The parts were given out, or an internal error ended the run.
    Ended,
}

/// One node in one comparison.
pub struct Party {
    role: Role,
    parameters: Parameters,
    keys: QueryKeys,
    selections: Vec<Selection>,
    state: State,
}

impl fmt::Debug for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Party({}, awaits {:?})", self.role, self.awaited())
    }
}

impl Party {
    /// Starts with the node's summands of the inner products ([`crate::local_products`]).
    ///
    /// # Errors
    /// When there are not as many as the shape says, or the keys were used before.
    pub fn start(
        role: Role,
        parameters: Parameters,
        keys: QueryKeys,
        products: Vec<u16>,
        selections: Vec<Selection>,
    ) -> Result<(Self, Turn), PartyError> {
        check("summands", parameters.shape.comparisons(), products.len())?;
        let mut party = Self { role, parameters, keys, selections, state: State::Ended };
        let mut own = products;
        party.keys.streams(Step::Reshare)?.add_zero(&mut own);
        if party.parameters.width < BITS {
            own.iter_mut().for_each(|number| *number %= 1 << party.parameters.width);
        }
        let turn = match role {
            Role::A => {
                party.state = State::AwaitsSummands { own };
                Turn::Wait(Vec::new())
            }
            Role::B => party.start_b(&own)?,
            Role::C => {
                let message = party.message(Step::Reshare, bytes_of_numbers(&own));
                party.state = State::AwaitsShared;
                Turn::Wait(vec![message])
            }
        };
        Ok((party, turn))
    }

    /// The node whose part this is.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The message it waits for; `None` after the end.
    #[must_use]
    pub fn awaited(&self) -> Option<Awaited> {
        let words = self.parameters.shape.comparison_words();
        let (step, length) = match &self.state {
            State::AwaitsSummands { .. } | State::AwaitsShared => {
                (Step::Reshare, 2 * self.parameters.shape.comparisons())
            }
            State::AwaitsSplit { .. } => {
                let from = self.role.next();
                let length = 8 * self.parameters.width * words;
                return Some(Awaited { step: Step::Split, from, length });
            }
            State::AwaitsCarries { products, .. } => (Step::And(0), 8 * products.words().len()),
            State::AwaitsAdder { level, products, .. } => {
                (Step::And(*level), 8 * products.words().len())
            }
            State::AwaitsOr { level, products, .. } => {
                (Step::Or(*level), 8 * products.words().len())
            }
            State::Ended => return None,
        };
        Some(Awaited { step, from: self.role.previous(), length })
    }

    /// Takes the awaited message.
    ///
    /// # Errors
    /// When it is any other; nothing has changed then.
    pub fn step(&mut self, message: &Message) -> Result<Turn, PartyError> {
        self.check_awaited(message)?;
        match std::mem::replace(&mut self.state, State::Ended) {
            State::AwaitsSummands { own } => self.split(&own, &message.body),
            State::AwaitsShared => {
                let shared = self.planes(&numbers_of_bytes(&message.body));
                self.state = State::AwaitsSplit { shared };
                Ok(Turn::Wait(Vec::new()))
            }
            State::AwaitsSplit { shared } => {
                let words = self.parameters.shape.comparison_words();
                let masked = message.body.chunks_exact(8 * words).map(words_of_bytes);
                let sums = masked.zip(shared);
                let sums =
                    sums.map(|(own, previous)| SharedBits { own, previous }).collect::<Vec<_>>();
                let carries = self.carries_of_bc(&sums);
                Ok(Turn::Wait(vec![self.send_carries(sums, carries)?]))
            }
            State::AwaitsCarries { sums, products } => {
                let words = self.parameters.shape.comparison_words();
                let carries = products.complete(&message.body, words);
                self.add(1, Adder::new(sums, carries))
            }
            State::AwaitsAdder { level, adder, products } => {
                let words = self.parameters.shape.comparison_words();
                let adder = adder.joined(products.complete(&message.body, words));
                self.add(level + 1, adder)
            }
            State::AwaitsOr { level, rest, products } => {
                let words = products.words().len();
                let mut layers = products.complete(&message.body, words).pop().unwrap_or_default();
                layers.append(rest);
                self.or(level + 1, layers)
            }
            State::Ended => Ok(Turn::Done(Vec::new())),
        }
    }

    fn check_awaited(&self, message: &Message) -> Result<(), PartyError> {
        let Message { step, from, to, ref body } = *message;
        let awaited = self.awaited();
        match awaited {
            Some(expected) if (expected.step, expected.from, self.role) == (step, from, to) => {
                let (expected, found) = (expected.length, body.len());
                if expected == found {
                    Ok(())
                } else {
                    Err(PartyError::WrongLength { step, expected, found })
                }
            }
            _ => Err(PartyError::Unexpected { step, from, to, awaited }),
        }
    }

    fn message(&self, step: Step, body: Vec<u8>) -> Message {
        Message { step, from: self.role, to: self.role.next(), body }
    }

    fn planes(&self, numbers: &[u16]) -> Vec<Vec<u64>> {
        planes(Path::best(), numbers).into_iter().take(self.parameters.width).collect()
    }

    /// B: its summands are the bits v that it shares with C; of u it has A's random bits.
    fn start_b(&mut self, own: &[u16]) -> Result<Turn, PartyError> {
        let reshare = self.message(Step::Reshare, bytes_of_numbers(own));
        let words = self.parameters.shape.comparison_words();
        let mut random = self.keys.streams(Step::Split)?;
        let planes = self.planes(own).into_iter();
        let sums: Vec<SharedBits> =
            planes.map(|own| SharedBits { own, previous: random.with_previous(words) }).collect();
        let carries = self.carries_of_bc(&sums);
        let carries = self.send_carries(sums, carries)?;
        Ok(Turn::Wait(vec![reshare, carries]))
    }

    /// A: u = x_A + x_C - T becomes random bits, which B has too, and u xor those, for C.
    fn split(&mut self, own: &[u16], received: &[u8]) -> Result<Turn, PartyError> {
        let threshold = self.parameters.threshold.get();
        let u: Vec<u16> = own
            .iter()
            .zip(received.as_chunks::<2>().0)
            .map(|(own, c)| own.wrapping_add(u16::from_le_bytes(*c)).wrapping_sub(threshold))
            .collect();
        let words = self.parameters.shape.comparison_words();
        let mut random = self.keys.streams(Step::Split)?;
        let mut body = vec![0; 8 * self.parameters.width * words];
        let mut sums = Vec::with_capacity(self.parameters.width);
        for (mut masked, part) in self.planes(&u).into_iter().zip(body.chunks_exact_mut(8 * words))
        {
            let own = random.with_next(words);
            masked.iter_mut().zip(&own).for_each(|(word, random)| *word ^= random);
            put_words(&masked, part);
            sums.push(SharedBits { own, previous: masked });
        }
        let split = Message { step: Step::Split, from: Role::A, to: Role::C, body };
        let nothing = Products::of(vec![0; (self.parameters.width - 1) * words]);
        let carries = self.send_carries(sums, nothing)?;
        Ok(Turn::Wait(vec![split, carries]))
    }

    /// u & v below the highest bit: u = r xor m with r at A and B, m at A and C; v at B and C. So
    /// B has r & v and C has m & v, each the AND of its two components; A has nothing to add.
    fn carries_of_bc(&self, sums: &[SharedBits]) -> Products {
        let words = self.parameters.shape.comparison_words();
        let mut own = Vec::with_capacity((self.parameters.width - 1) * words);
        for bits in &sums[..self.parameters.width - 1] {
            own.extend(bits.own.iter().zip(&bits.previous).map(|(a, b)| a & b));
        }
        Products::of(own)
    }

    fn send_carries(
        &mut self,
        sums: Vec<SharedBits>,
        products: Products,
    ) -> Result<Message, PartyError> {
        let products = products.hidden(Step::And(0), &mut self.keys)?;
        let message = self.message(Step::And(0), bytes_of_words(products.words()));
        self.state = State::AwaitsCarries { sums, products };
        Ok(message)
    }

    /// The next round of the adder, or after the last one the OR of what it says.
    fn add(&mut self, level: u8, adder: Adder) -> Result<Turn, PartyError> {
        if adder.groups() == 1 {
            // The highest bit is set where the score is below the threshold.
            return self.or(0, adder.top_bit());
        }
        let step = Step::And(level);
        let products = adder.products(self.parameters.shape.comparison_words());
        let products = products.hidden(step, &mut self.keys)?;
        let message = self.message(step, bytes_of_words(products.words()));
        self.state = State::AwaitsAdder { level, adder, products };
        Ok(Turn::Wait(vec![message]))
    }

    /// The next round of the OR over a slot's comparisons: none matches where all are below, so
    /// that a + b + ab over matches is ab over what is below. `below` has whole layers of slots.
    fn or(&mut self, level: u8, below: SharedBits) -> Result<Turn, PartyError> {
        let slot_words = self.parameters.shape.slot_words();
        let layers = below.own.len() / slot_words;
        if layers == 1 {
            return self.select(below);
        }
        let step = Step::Or(level);
        let half = layers / 2 * slot_words;
        let (pairs, rest) = below.split_at(2 * half);
        let (first, second) = (
            (&pairs.own[..half], &pairs.previous[..half]),
            (&pairs.own[half..], &pairs.previous[half..]),
        );
        let mut products = Products::with_capacity(half);
        products.and_halves(first, second);
        let products = products.hidden(step, &mut self.keys)?;
        let message = self.message(step, bytes_of_words(products.words()));
        self.state = State::AwaitsOr { level, rest, products };
        Ok(Turn::Wait(vec![message]))
    }

    fn select(&mut self, below: SharedBits) -> Result<Turn, PartyError> {
        let matches = below.negated(self.role).masked(&self.parameters.live);
        let mut parts = Vec::with_capacity(self.selections.len());
        for selection in &self.selections {
            parts.push(selection.part(&matches, &self.parameters.slots, &mut self.keys)?);
        }
        Ok(Turn::Done(parts))
    }
}
