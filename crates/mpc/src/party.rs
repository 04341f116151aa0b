//! One node's part in a comparison, as a machine that takes and gives messages.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::adder::Adder;
use crate::bits::{Products, SharedBits};
use crate::digits::{Carried, Digits, carries, split};
use crate::kernel::Path;
use crate::keys::{KeyError, QueryKeys};
use crate::message::{Message, bytes_of_numbers, bytes_of_words, xor_bytes};
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
    /// How numbers are cut into digits; shorter numbers only to enumerate everything.
    digits: Digits,
    path: Path,
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
        Ok(Self { shape, threshold, slots, live, digits: Digits::WORD, path: Path::best() })
    }

    /// The same computed with other instructions than the fastest ones, for measuring.
    ///
    /// # Panics
    /// When this machine lacks them.
    #[must_use]
    pub fn with_path(mut self, path: Path) -> Self {
        assert!(path.is_available(), "this machine lacks the instructions of {path:?}");
        self.path = path;
        self
    }

    /// The same with shorter numbers.
    #[cfg(test)]
    pub(crate) const fn with_digits(mut self, digits: Digits) -> Self {
        self.digits = digits;
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
    /// A: the sum of the summands that it has, until those of `from` arrive.
    AwaitsSummands { sum: Vec<u16>, from: Role },
    /// C: its part v of the numbers, until its share of A's tables arrives.
    AwaitsSplit { v: Zeroizing<Vec<u16>> },
    /// B and C: the digits' carries. `hidden` is what was sent of them, `other` the component that
    /// the receiver lacks.
    AwaitsCarries { top: SharedBits, hidden: Vec<u64>, other: Vec<u64> },
    /// A round of the adder.
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
        let messages = match role {
            Role::A => {
                party.state = State::AwaitsSummands { sum: products, from: Role::B };
                Vec::new()
            }
            Role::B => party.start_b(products)?,
            Role::C => party.start_c(products)?,
        };
        Ok((party, Turn::Wait(messages)))
    }

    /// The node whose part this is.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The message it waits for; `None` after the end.
    #[must_use]
    pub fn awaited(&self) -> Option<Awaited> {
        let Parameters { shape, digits, .. } = self.parameters;
        let words = shape.comparison_words();
        let previous = self.role.previous();
        let (step, from, length) = match &self.state {
            State::AwaitsSummands { from, .. } => (Step::Reshare, *from, 2 * shape.comparisons()),
            State::AwaitsSplit { .. } => (Step::Split, Role::A, 8 * digits.tables() * words),
            State::AwaitsCarries { .. } => {
                let from = if self.role == Role::B { Role::C } else { Role::B };
                (Step::And(0), from, 8 * digits.carries() * words)
            }
            State::AwaitsAdder { level, products, .. } => {
                (Step::And(*level), previous, 8 * products.words().len())
            }
            State::AwaitsOr { level, products, .. } => {
                (Step::Or(*level), previous, 8 * products.words().len())
            }
            State::Ended => return None,
        };
        Some(Awaited { step, from, length })
    }

    /// Takes the awaited message.
    ///
    /// # Errors
    /// When it is any other; nothing has changed then.
    pub fn step(&mut self, message: &Message) -> Result<Turn, PartyError> {
        self.check_awaited(message)?;
        let words = self.parameters.shape.comparison_words();
        match std::mem::replace(&mut self.state, State::Ended) {
            State::AwaitsSummands { mut sum, from } => {
                for (sum, two) in sum.iter_mut().zip(message.body.as_chunks::<2>().0) {
                    *sum = sum.wrapping_add(u16::from_le_bytes(*two));
                }
                if from == Role::B {
                    self.state = State::AwaitsSummands { sum, from: Role::C };
                    Ok(Turn::Wait(Vec::new()))
                } else {
                    self.split(sum)
                }
            }
            State::AwaitsSplit { v } => self.select_carries(&v, &message.body),
            State::AwaitsCarries { top, mut hidden, other } => {
                xor_bytes(&mut hidden, &message.body);
                let (own, previous) =
                    if self.role == Role::B { (hidden, other) } else { (other, hidden) };
                self.add(1, Adder::new(top, SharedBits { own, previous }.planes(words)))
            }
            State::AwaitsAdder { level, adder, products } => {
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

    fn message(&self, step: Step, to: Role, body: Vec<u8>) -> Message {
        Message { step, from: self.role, to, body }
    }

    /// Two random numbers a comparison that B and C have: B hides its summands with the first one, C
    /// with the second one, and their sum v is what A's number u lacks.
    fn hide_summands(
        &mut self,
        mut summands: Vec<u16>,
    ) -> Result<(Message, Zeroizing<Vec<u16>>), PartyError> {
        let count = summands.len();
        let mut random = self.keys.streams(Step::Reshare)?;
        let stream =
            if self.role == Role::B { &mut random.with_next } else { &mut random.with_previous };
        let (mut of_b, of_c) = (stream.numbers(count), stream.numbers(count));
        let hiding = if self.role == Role::B { &of_b } else { &of_c };
        let mask = self.parameters.digits.mask();
        for (summand, random) in summands.iter_mut().zip(hiding.iter()) {
            *summand = summand.wrapping_sub(*random) & mask;
        }
        of_b.iter_mut().zip(of_c.iter()).for_each(|(v, c)| *v = v.wrapping_add(*c));
        Ok((self.message(Step::Reshare, Role::A, bytes_of_numbers(&summands)), of_b))
    }

    /// B: it has all that it needs to select carries.
    fn start_b(&mut self, summands: Vec<u16>) -> Result<Vec<Message>, PartyError> {
        let (reshare, v) = self.hide_summands(summands)?;
        let mut random = self.keys.streams(Step::Split)?;
        let next_tables = |words: &mut [u64]| random.with_previous.xor_words(words);
        let Carried { shares, top, top_share } =
            carries(self.parameters.path, self.parameters.digits, &v, true, next_tables);
        let top = SharedBits { own: top, previous: top_share };
        Ok(vec![reshare, self.send_carries(Role::C, shares, top)?])
    }

    fn start_c(&mut self, summands: Vec<u16>) -> Result<Vec<Message>, PartyError> {
        let (reshare, v) = self.hide_summands(summands)?;
        self.state = State::AwaitsSplit { v };
        Ok(vec![reshare])
    }

    /// C: selects carries from what A sent.
    fn select_carries(&mut self, v: &[u16], received: &[u8]) -> Result<Turn, PartyError> {
        let mut rest = received;
        let next_tables = |words: &mut [u64]| {
            let (tables, later) = rest.split_at(8 * words.len());
            xor_bytes(words, tables);
            rest = later;
        };
        let Carried { shares, top, top_share } =
            carries(self.parameters.path, self.parameters.digits, v, false, next_tables);
        let top = SharedBits { own: top_share, previous: top };
        Ok(Turn::Wait(vec![self.send_carries(Role::B, shares, top)?]))
    }

    /// A: u = score - v - T becomes tables of its digits, shared between B and C. Of the carries A
    /// has two random components; the third one is what B and C make up the rest with.
    fn split(&mut self, mut u: Vec<u16>) -> Result<Turn, PartyError> {
        let Parameters { threshold, digits, path, .. } = self.parameters;
        u.iter_mut().for_each(|sum| *sum = sum.wrapping_sub(threshold.get()));
        let mut random = self.keys.streams(Step::Split)?;
        let hide = |words: &mut [u64]| random.with_next.xor_words(words);
        let (body, top) = split(path, digits, &u, hide);
        let split = self.message(Step::Split, Role::C, body);
        let words = self.parameters.shape.comparison_words();
        let count = digits.carries() * words;
        let mut random = self.keys.streams(Step::And(0))?;
        let (own, previous) = (random.with_next.words(count), random.with_previous.words(count));
        let adder = Adder::new(top, SharedBits { own, previous }.planes(words));
        let turn = self.add(1, adder)?;
        Ok(match turn {
            Turn::Wait(mut messages) => {
                messages.insert(0, split);
                Turn::Wait(messages)
            }
            // Numbers of one digit in a single layer end here, and none are that short.
            Turn::Done(parts) => Turn::Done(parts),
        })
    }

    /// B and C share the carries: component A is random bits of A and B, component C of C and A, and
    /// each tells the other its share less the one of these that the other lacks.
    fn send_carries(
        &mut self,
        to: Role,
        shares: Vec<u64>,
        top: SharedBits,
    ) -> Result<Message, PartyError> {
        let count = shares.len();
        let mut random = self.keys.streams(Step::And(0))?;
        let stream =
            if self.role == Role::B { &mut random.with_previous } else { &mut random.with_next };
        let (mut hidden, other) = (shares, stream.words(count));
        hidden.iter_mut().zip(&other).for_each(|(share, random)| *share ^= random);
        let message = self.message(Step::And(0), to, bytes_of_words(&hidden));
        self.state = State::AwaitsCarries { top, hidden, other };
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
        let message = self.message(step, self.role.next(), bytes_of_words(products.words()));
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
        let message = self.message(step, self.role.next(), bytes_of_words(products.words()));
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
