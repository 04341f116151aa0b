//! What a search costs each node, everything but sockets and TLS:
//! `cargo run --release -p handfast-vault --example node_search -- [ROWS] [LENGTH] [VECTORS]`.
//!
//! Three nodes run in this process, one after the other on one thread, with their disks in memory;
//! a node's cost is the processor time of its own turns. Palms are random: shares are nothing else. The
//! second line is of strict nodes, which check that every dealt vector is short.
#![expect(clippy::print_stdout, reason = "it prints a table")]

use std::collections::VecDeque;
use std::sync::Arc;

use ed25519_dalek::{Signer as _, SigningKey};
use handfast_model::{Random as _, SeededRandom, Timestamp};
use handfast_mpc::{Dealt, PairMaster, PairMasters, Role, ShareSet};
use handfast_palm::Side;
use handfast_vault::deployment::DeploymentId;
use handfast_vault::node::{
    Change, DeviceName, Effect, Enrolment, GalleryName, GalleryPurpose, GallerySpec, Input,
    MemoryDisk, Node, NodeKeys, OperationName, Policy, QueryName, Reason, Refusal, RelyingName,
    Reply, Request, SealedShares, Seals, Search, Sought,
};
use handfast_vault::share_sealing::Binding;
use rustix::time::{ClockId, clock_gettime};
use zeroize::Zeroizing;

const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);
const HOME: GalleryName = GalleryName([1; 16]);
const DEVICE: DeviceName = DeviceName([2; 16]);
/// Palms enrolled by one operation: their shares fit a request, also of long vectors.
const AT_ONCE: usize = 1_024;
/// Searches of which the median is shown.
const RUNS: usize = 9;

/// Shares in clear: sealing is measured elsewhere.
struct Open {
    role: Role,
    key: SigningKey,
}

impl Seals for Open {
    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }

    fn share_keys(&mut self, _now: Timestamp) -> Vec<u8> {
        Vec::new()
    }

    fn open(
        &mut self,
        _device: &[u8; 32],
        _binding: &Binding,
        sealed: &[u8],
        _now: Timestamp,
    ) -> Result<ShareSet, Refusal> {
        ShareSet::from_bytes(self.role, sealed).map_err(|_| Reason::Shares.into())
    }

    fn seal_audit(&mut self, _: &[u8; 32], _: &[u8; 32], _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn seal_part(&mut self, _recipient: &[u8; 32], _binding: &[u8], part: &[u8; 16]) -> Vec<u8> {
        part.to_vec()
    }
}

fn signing_key(role: Role) -> SigningKey {
    SigningKey::from_bytes(&[role.index() as u8 + 1; 32])
}

fn node(role: Role, disk: &MemoryDisk, strict: bool) -> Node {
    let master = |first: Role| PairMaster::new([first.index() as u8; 32]);
    let pair = |first: Role| Zeroizing::new([first.index() as u8; 32]);
    let keys = NodeKeys {
        role,
        deployment: DeploymentId::from_bytes([1; 16]),
        verifying: Role::ALL.map(|role| signing_key(role).verifying_key()),
        masters: PairMasters { with_next: master(role), with_previous: master(role.previous()) },
        with_next: pair(role),
        with_previous: pair(role.previous()),
    };
    let random = Arc::new(SeededRandom::new(role.index() as u64));
    let seals = Box::new(Open { role, key: signing_key(role) });
    let node = Node::open(keys, seals, Box::new(disk.store()), random).expect("an empty disk");
    let node = node.danger_allow_unchecked();
    if strict { node.strict() } else { node }
}

/// Milliseconds of processor time that this thread has used.
fn cpu_ms() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

struct Vault {
    nodes: [Node; 3],
    random: SeededRandom,
    cpu_ms: [f64; 3],
    sent: [usize; 3],
}

impl Vault {
    fn new(strict: bool) -> Self {
        let disks: [MemoryDisk; 3] = Default::default();
        let nodes = Role::ALL.map(|role| node(role, &disks[role.index()], strict));
        let random = SeededRandom::new(9);
        let mut vault = Self { nodes, random, cpu_ms: [0.0; 3], sent: [0; 3] };
        for role in Role::ALL {
            vault.run(role, &[Input::PeerUp(role.next()), Input::PeerUp(role.previous())]);
        }
        vault
    }

    /// Gives a node inputs, and every node what follows; the replies of A, B, C.
    fn run(&mut self, first: Role, inputs: &[Input<'_>]) -> Vec<(Role, Reply)> {
        let mut links: VecDeque<(Role, Role, Vec<u8>)> = VecDeque::new();
        let mut replies = Vec::new();
        let mut work = [false; 3];
        let copy = |input: &Input<'_>| match input {
            Input::PeerUp(peer) => Input::PeerUp(*peer),
            _ => Input::Tick,
        };
        for input in inputs {
            self.turn(first, copy(input), &mut links, &mut replies, &mut work);
        }
        self.drain(&mut links, &mut replies, &mut work);
        replies
    }

    fn turn(
        &mut self,
        role: Role,
        input: Input<'_>,
        links: &mut VecDeque<(Role, Role, Vec<u8>)>,
        replies: &mut Vec<(Role, Reply)>,
        work: &mut [bool; 3],
    ) {
        let before = cpu_ms();
        let effects = self.nodes[role.index()].handle(input, NOW);
        self.cpu_ms[role.index()] += cpu_ms() - before;
        for effect in effects {
            match effect {
                Effect::ToPeer { to, bytes } => {
                    self.sent[role.index()] += bytes.len();
                    links.push_back((role, to, bytes));
                }
                Effect::Reply { bytes, .. } => {
                    replies.push((role, Reply::from_bytes(&bytes).expect("a reply")));
                }
                Effect::Work => work[role.index()] = true,
            }
        }
    }

    fn drain(
        &mut self,
        links: &mut VecDeque<(Role, Role, Vec<u8>)>,
        replies: &mut Vec<(Role, Reply)>,
        work: &mut [bool; 3],
    ) {
        loop {
            if let Some((from, to, bytes)) = links.pop_front() {
                self.turn(to, Input::Peer { from, bytes: &bytes }, links, replies, work);
            } else if let Some(role) = Role::ALL.into_iter().find(|role| work[role.index()]) {
                work[role.index()] = false;
                self.turn(role, Input::Work, links, replies, work);
            } else {
                return;
            }
        }
    }

    fn ask(&mut self, requests: [Request; 3]) -> Vec<Reply> {
        let mut links = VecDeque::new();
        let (mut replies, mut work) = (Vec::new(), [false; 3]);
        for (role, request) in Role::ALL.into_iter().zip(requests) {
            let bytes = request.to_bytes();
            let input = Input::Request { connection: 1, request: 1, bytes: &bytes };
            self.turn(role, input, &mut links, &mut replies, &mut work);
        }
        self.drain(&mut links, &mut replies, &mut work);
        replies.sort_by_key(|(role, _)| *role);
        replies.into_iter().map(|(_, reply)| reply).collect()
    }

    fn operate(&mut self, change: &Change, shares: [Option<SealedShares>; 3]) {
        let name = OperationName::draw(&self.random);
        let requests =
            shares.map(|shares| Request::Operate { name, change: change.clone(), shares });
        let replies = self.ask(requests);
        let done = replies.iter().filter(|reply| matches!(reply, Reply::Committed(_))).count();
        assert_eq!(done, 3, "{replies:?}");
    }

    fn seal(&mut self, numbers: &[i16], dimension: usize) -> [Option<SealedShares>; 3] {
        let sets = Dealt::deal(numbers, dimension, &self.random).expect("vectors").sets;
        let challenges = self.ask([Request::Challenge, Request::Challenge, Request::Challenge]);
        let mut challenges = challenges.into_iter();
        sets.map(|set| {
            let challenge = match challenges.next() {
                Some(Reply::Challenge { challenge, .. }) => challenge,
                other => panic!("{other:?} is no challenge"),
            };
            let (device, consent, amount) = (DEVICE, [0; 16], [0; 32]);
            let sealed = set.to_bytes().to_vec();
            Some(SealedShares { device, challenge, consent, amount, sealed_at: 0, sealed })
        })
    }
}

fn fill(vault: &mut Vault, rows: usize, dimension: usize, vectors: usize) {
    vault.operate(&Change::ProvisionDevice { device: DEVICE, key: [0; 32] }, [None, None, None]);
    let policy = Policy {
        identify: 1 << 13,
        verify: 1 << 13,
        slots_max: u32::MAX,
        vectors_max: vectors as u16,
        device_hourly: u32::MAX,
        gallery_hourly: u32::MAX,
        slot_hourly: u32::MAX,
    };
    let spec = GallerySpec {
        gallery: HOME,
        party: RelyingName([1; 16]),
        recipient: [0; 32],
        purpose: GalleryPurpose::DangerUnchecked,
        model_version: 1,
        dimension: dimension as u16,
        rows_per_slot: 1,
        policy,
    };
    vault.operate(&Change::OpenGallery(spec), [None, None, None]);
    let mut left = rows;
    while left > 0 {
        let count = left.min(AT_ONCE);
        left -= count;
        let mut bytes = vec![0; count * dimension];
        vault.random.fill(&mut bytes);
        let numbers: Vec<i16> = bytes.iter().map(|byte| i16::from(byte % 5) - 2).collect();
        let shares = vault.seal(&numbers, dimension);
        let enrolment = Enrolment {
            gallery: HOME,
            first_slot: 0,
            sides: vec![Side::Left; count],
            until: Timestamp::MAX,
            consent: [0; 16],
            device: DEVICE,
            checks: Vec::new(),
            checked_at: 0,
        };
        vault.operate(&Change::Enrol(enrolment), shares);
    }
}

fn search(vault: &mut Vault, dimension: usize, vectors: usize) {
    let shares = vault.seal(&vec![1; dimension * vectors], dimension);
    let status = vault.nodes[0].status();
    let nonce = [0; 16];
    let of = |shares: &Option<SealedShares>| shares.as_ref().map_or([0; 16], |it| it.challenge);
    let challenges = shares.each_ref().map(of);
    let query = QueryName::of(&challenges, &nonce);
    let requests = shares.map(|shares| {
        Request::Search(Search {
            query,
            attempt: 1,
            gallery: HOME,
            side: Side::Left,
            at: status.head,
            epoch: status.epoch,
            sought: Sought::Duplicate,
            nonce,
            challenges,
            shares,
        })
    });
    (vault.cpu_ms, vault.sent) = ([0.0; 3], [0; 3]);
    let replies = vault.ask(requests);
    let found = replies.iter().filter(|reply| matches!(reply, Reply::Found(_))).count();
    assert_eq!(found, 3, "{replies:?}");
}

fn main() {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse().expect("a number"));
    let mut next = |default| numbers.next().unwrap_or(default);
    let (rows, dimension, vectors) = (next(10_000), next(512), next(1));
    let mut vaults = [false, true].map(|strict| {
        let mut vault = Vault::new(strict);
        fill(&mut vault, rows, dimension, vectors);
        vault
    });
    let mut slowest = [vec![], vec![]];
    for _ in 0..RUNS {
        for (vault, slowest) in vaults.iter_mut().zip(&mut slowest) {
            search(vault, dimension, vectors);
            slowest.push(vault.cpu_ms.iter().copied().fold(0.0, f64::max));
        }
    }
    println!("   rows length            whole ms  sent bytes a row  row bytes");
    for ((vault, slowest), strict) in vaults.iter().zip(&mut slowest).zip(["", "strict"]) {
        slowest.sort_by(f64::total_cmp);
        let sent = vault.sent.iter().max().copied().unwrap_or(0);
        println!(
            "{rows:>7} {dimension:>5} x {vectors:<3} {strict:>6} {:>8.2} {:>17.2} {:>10.1}",
            slowest[RUNS / 2],
            sent as f64 / rows as f64,
            vault.nodes[0].status().row_bytes as f64 / rows as f64,
        );
    }
}
