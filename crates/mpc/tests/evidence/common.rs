//! What several of these tests need: keys for three nodes, and parties run to their end.

use std::collections::VecDeque;

use handfast_model::Random;
use handfast_mpc::{
    Message, OwnNonce, PairMaster, PairMasters, Parameters, Party, PeerNonces, QueryContext,
    QueryKeys, ResultPart, Role, Selection, TokenKey, Turn,
};

/// One query's keys for all three nodes, chunk by chunk.
pub fn chunk_keys(random: &dyn Random, chunks: u32) -> [Vec<QueryKeys>; 3] {
    let mut query = [0; 16];
    random.fill(&mut query);
    let context = QueryContext { query, attempt: 1, operation: 1, gallery: [1; 16] };
    let nonces = Role::ALL.map(|_| OwnNonce::draw(random));
    let public = nonces.each_ref().map(OwnNonce::public);
    let master = |role: Role| PairMaster::new([role.index() as u8; 32]);
    let mut nonces = nonces.into_iter();
    Role::ALL.map(|role| {
        let masters =
            PairMasters { with_next: master(role), with_previous: master(role.previous()) };
        let peers = PeerNonces {
            next: public[role.next().index()],
            previous: public[role.previous().index()],
        };
        let own = nonces.next().unwrap();
        QueryKeys::derive_chunks(role, &masters, &context, own, peers, chunks).unwrap()
    })
}

/// A relying party's token keys, told apart by a number.
pub fn token_selection(party: u8, role: Role) -> Selection {
    let key = |role: Role| TokenKey::new([party.wrapping_mul(3) + role.index() as u8; 32]);
    Selection::token(key(role), key(role.previous()))
}

/// Runs three parties to their end.
pub fn run(
    parameters: &Parameters,
    keys: [QueryKeys; 3],
    products: [Vec<u16>; 3],
    selections: impl Fn(Role) -> Vec<Selection>,
) -> [Vec<ResultPart>; 3] {
    let mut links: [[VecDeque<Message>; 3]; 3] = Default::default();
    let mut parts: [Vec<ResultPart>; 3] = Default::default();
    let mut parties = Vec::new();
    for (role, (keys, products)) in Role::ALL.into_iter().zip(keys.into_iter().zip(products)) {
        let (party, turn) =
            Party::start(role, parameters.clone(), keys, products, selections(role)).unwrap();
        parties.push(party);
        take(turn, &mut links, &mut parts[role.index()]);
    }
    loop {
        let ready = parties.iter_mut().find_map(|party| {
            let to = party.role().index();
            let message = links[party.awaited()?.from.index()][to].pop_front()?;
            Some((party, message))
        });
        let Some((party, message)) = ready else { break };
        let at = party.role().index();
        take(party.step(&message).unwrap(), &mut links, &mut parts[at]);
    }
    assert!(parties.iter().all(|party| party.awaited().is_none()), "a party waits for ever");
    parts
}

fn take(turn: Turn, links: &mut [[VecDeque<Message>; 3]; 3], parts: &mut Vec<ResultPart>) {
    match turn {
        Turn::Done(done) => *parts = done,
        Turn::Wait(messages) => {
            for message in messages {
                links[message.from.index()][message.to.index()].push_back(message);
            }
        }
    }
}
