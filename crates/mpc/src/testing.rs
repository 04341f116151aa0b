//! What several tests need: three nodes' keys, and three parties run in one place.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use handfast_model::SeededRandom;

use crate::keys::{OwnNonce, PairMaster, PairMasters, PeerNonces, QueryContext, QueryKeys};
use crate::selection::{ResultPart, Selection, TokenKey};
use crate::{Message, Parameters, Party, Role, Turn};

fn bytes(seed: u8, at: usize) -> [u8; 32] {
    [seed.wrapping_mul(31) ^ (at as u8) << 6 ^ 0x15; 32]
}

pub(crate) fn masters(seed: u8) -> [PairMasters; 3] {
    let master = |role: Role| PairMaster::new(bytes(seed, role.index()));
    Role::ALL
        .map(|role| PairMasters { with_next: master(role), with_previous: master(role.previous()) })
}

pub(crate) fn query_keys(seed: u8) -> [QueryKeys; 3] {
    let random = SeededRandom::new(seed.into());
    let context = QueryContext { query: [seed; 16], attempt: 1, operation: 9, gallery: [3; 16] };
    let nonces = Role::ALL.map(|_| OwnNonce::draw(&random));
    let public = nonces.each_ref().map(OwnNonce::public);
    let mut nonces = nonces.into_iter();
    let masters = masters(seed);
    Role::ALL.map(|role| {
        let peers = PeerNonces {
            next: public[role.next().index()],
            previous: public[role.previous().index()],
        };
        let masters = &masters[role.index()];
        QueryKeys::derive(role, masters, &context, nonces.next().unwrap(), peers).unwrap()
    })
}

pub(crate) fn token_keys(seed: u8) -> [TokenKey; 3] {
    [0, 1, 2].map(|at| TokenKey::new(bytes(seed ^ 0x2a, at)))
}

pub(crate) fn token_selection(keys: &[TokenKey; 3], role: Role) -> Selection {
    Selection::token(keys[role.index()].clone(), keys[role.previous().index()].clone())
}

pub(crate) fn length_selection(keys: &[TokenKey; 3], role: Role) -> Selection {
    Selection::length(&keys[role.index()], &keys[role.previous().index()], &[1; 16])
}

thread_local! {
    /// Which node is computing, and every key and counter that one used.
    static NODE: Cell<Option<Role>> = const { Cell::new(None) };
    static COUNTERS: RefCell<Vec<Used>> = const { RefCell::new(Vec::new()) };
}

/// A node, a key, and a counter whose block that node took from the key's stream.
pub(crate) type Used = (Option<Role>, [u8; 32], u64);

pub(crate) fn note_counter(key: &[u8; 32], counter: u64) {
    COUNTERS.with_borrow_mut(|used| used.push((NODE.get(), *key, counter)));
}

/// Everything that was used on this thread since the last call.
pub(crate) fn used_counters() -> Vec<Used> {
    COUNTERS.take()
}

/// Runs three parties to their end; every message that each received, its parts, and the longest
/// chain of messages that wait for each other.
pub(crate) struct Run {
    pub(crate) received: [Vec<Message>; 3],
    pub(crate) parts: [Vec<ResultPart>; 3],
    pub(crate) rounds: usize,
}

/// Messages on their way, by sender and receiver, each with its round.
type Links = [[VecDeque<(usize, Message)>; 3]; 3];

pub(crate) fn run(
    parameters: &Parameters,
    keys: [QueryKeys; 3],
    products: [Vec<u16>; 3],
    selections: impl Fn(Role) -> Vec<Selection>,
) -> Run {
    let mut run = Run { received: Default::default(), parts: Default::default(), rounds: 0 };
    let mut links = Links::default();
    let mut parties = Vec::new();
    // The round up to which each node has heard.
    let mut heard = [0; 3];
    for (role, (keys, products)) in Role::ALL.into_iter().zip(keys.into_iter().zip(products)) {
        NODE.set(Some(role));
        let (party, turn) =
            Party::start(role, parameters.clone(), keys, products, selections(role)).unwrap();
        parties.push(party);
        take(turn, 0, &mut links, &mut run.parts[role.index()]);
    }
    loop {
        let ready = parties.iter_mut().find_map(|party| {
            let awaited = party.awaited()?;
            let to = party.role().index();
            let (round, message) = links[awaited.from.index()][to].pop_front()?;
            Some((party, round, message))
        });
        let Some((party, round, message)) = ready else { break };
        let to = party.role().index();
        heard[to] = round.max(heard[to]);
        NODE.set(Some(party.role()));
        let turn = party.step(&message).unwrap();
        run.received[to].push(message);
        take(turn, heard[to], &mut links, &mut run.parts[to]);
    }
    assert!(parties.iter().all(|party| party.awaited().is_none()), "a party waits for ever");
    assert!(links.as_flattened().iter().all(VecDeque::is_empty), "a message nobody wants");
    run.rounds = heard.into_iter().max().unwrap_or(0);
    run
}

fn take(turn: Turn, round: usize, links: &mut Links, parts: &mut Vec<ResultPart>) {
    match turn {
        Turn::Done(done) => *parts = done,
        Turn::Wait(messages) => {
            for message in messages {
                links[message.from.index()][message.to.index()].push_back((round + 1, message));
            }
        }
    }
}
