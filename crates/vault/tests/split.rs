//! Three nodes over TLS and a front: an evening, absences, starts, and what is on disk.
#![expect(clippy::unwrap_used, reason = "a test stops at anything unexpected")]

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration as StdDuration;

use handfast_model::{
    Clock as _, CompanyId, DeviceId, Duration, GalleryId, PairwiseToken, Random as _, RelyingParty,
    SeededRandom, SystemClock, SystemRandom, Timestamp, VenueId,
};
use handfast_palm::{LENGTH, PROBE_VECTORS, Probe, Reference, Side};
use handfast_vault::dealer::{Enrolment, Enrolments, Presentation, PresentedPalm};
use handfast_vault::deployment::Deployment;
use handfast_vault::process::{NodeOptions, RunningNode};
use handfast_vault::setup::{init, local_addresses, move_nodes};
use handfast_vault::transport::Delay;
use handfast_vault::{
    AUDIT_INFO, AUDIT_QUERIES_MAX, AuditPart, AuditTag, Capture, EnrolOutcome, FrontOptions,
    Identification, NewGallery, NodeClient, Purpose, SplitVault, ThresholdPolicy, Vault,
    VaultError, Verification, audit_context,
};
use hpke::{Deserializable as _, Kem as _, Serializable as _};
use tempfile::TempDir;

/// Nodes answer within this, however slow the machine.
const PATIENCE: StdDuration = StdDuration::from_secs(60);

struct Deployed {
    dir: TempDir,
    nodes: Vec<Option<RunningNode>>,
    vault: Vault,
    split: SplitVault,
    company: CompanyId,
}

fn node_options(dir: &Path, word: &str, listen: Option<String>) -> NodeOptions {
    NodeOptions {
        dir: dir.join(word),
        listen,
        delay: Delay::default(),
        strict: false,
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
    }
}

async fn front(dir: &Path) -> SplitVault {
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    let options = FrontOptions { delay: Delay::default(), clock, random };
    SplitVault::open(&dir.join("front"), options).await.unwrap()
}

/// Ports that were free a moment ago.
fn free_addresses() -> [String; 3] {
    let held = [0; 3].map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap().to_string())
}

impl Deployed {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        init(dir.path(), local_addresses(7411), &SystemClock, &SystemRandom).unwrap();
        move_nodes(dir.path(), free_addresses()).unwrap();
        let mut nodes = Vec::new();
        for word in ["a", "b", "c"] {
            nodes.push(Some(
                RunningNode::start(node_options(dir.path(), word, None)).await.unwrap(),
            ));
        }
        let split = front(dir.path()).await;
        split.ready(PATIENCE).await.unwrap();
        let company = CompanyId::new(&SystemClock, &SystemRandom);
        Self { dir, nodes, vault: split.clone().into(), split, company }
    }

    async fn stop(&mut self, node: usize) {
        self.nodes[node].take().unwrap().stop().await;
    }

    async fn start(&mut self, node: usize) {
        let options = node_options(self.dir.path(), ["a", "b", "c"][node], None);
        self.nodes[node] = Some(RunningNode::start(options).await.unwrap());
        self.split.ready(PATIENCE).await.unwrap();
    }

    async fn gallery(&self) -> GalleryId {
        let gallery = GalleryId::new(&SystemClock, &SystemRandom);
        let party = RelyingParty::Venue(VenueId::new(&SystemClock, &SystemRandom));
        let (purpose, policy) = (Purpose::Entry, ThresholdPolicy::ENTRY);
        let new = NewGallery { gallery, party, purpose, policy };
        self.vault.open_gallery(new).await.unwrap();
        gallery
    }

    async fn enrol(&self, palms: Enrolments) -> Vec<PairwiseToken> {
        match self.vault.enrol(self.company, palms, tomorrow()).await.unwrap() {
            EnrolOutcome::Enrolled(palms) => palms.into_iter().map(|palm| palm.token).collect(),
            EnrolOutcome::AlreadyEnrolled => panic!("nobody has these palms"),
        }
    }

    async fn find(&self, gallery: GalleryId, side: Side, seed: u64) -> Identification {
        let shown = Presentation::new(vec![shown(side, seed)]).unwrap();
        self.vault.identify(gallery, shown).await.unwrap()[0].identification
    }
}

fn tomorrow() -> Timestamp {
    SystemClock.now() + Duration::from_days(1)
}

/// Numbers without any pattern, as long together as a palm's.
fn vector(random: &SeededRandom) -> Vec<i8> {
    let mut bytes = vec![0; LENGTH];
    random.fill(&mut bytes);
    let numbers = || bytes.iter().map(|byte| f64::from(*byte) - 127.5);
    let length = numbers().map(|number| number * number).sum::<f64>().sqrt();
    numbers().map(|number| (number / length * 125.0).round() as i8).collect()
}

fn reference(seed: u64) -> Reference {
    Reference::from_vector(vector(&SeededRandom::new(seed))).unwrap()
}

/// A probe of which one vector is like the palm's.
fn probe(seed: u64) -> Probe {
    let random = SeededRandom::new(seed ^ 0xffff_0000);
    let mut vectors: Vec<i8> = (0..PROBE_VECTORS).flat_map(|_| vector(&random)).collect();
    let like = &mut vectors[3 * LENGTH..4 * LENGTH];
    like.copy_from_slice(reference(seed).vector());
    like.iter_mut().step_by(3).for_each(|value| *value = 0);
    Probe::from_vectors(vectors).unwrap()
}

fn shown(side: Side, seed: u64) -> PresentedPalm {
    PresentedPalm::from_probes(side, vec![probe(seed)]).unwrap()
}

fn enrolment(side: Side, seed: u64) -> Enrolment {
    Enrolment::from_templates(side, reference(seed), vec![probe(seed)]).unwrap()
}

fn left(seed: u64) -> Enrolments {
    Enrolments::new(vec![enrolment(Side::Left, seed)]).unwrap()
}

fn both(left: u64, right: u64) -> Enrolments {
    Enrolments::new(vec![enrolment(Side::Left, left), enrolment(Side::Right, right)]).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_evening_on_three_nodes() {
    let deployed = Deployed::new().await;
    let Deployed { vault, company, .. } = &deployed;
    let company = *company;
    let tokens = deployed.enrol(both(1, 2)).await;
    let again = vault.enrol(company, both(3, 2), tomorrow()).await.unwrap();
    assert_eq!(again, EnrolOutcome::AlreadyEnrolled);
    let other = deployed.enrol(left(5)).await[0];
    assert_eq!(vault.status().palms, 3);

    let (gallery, elsewhere) = (deployed.gallery().await, deployed.gallery().await);
    let mut armed = Vec::new();
    for token in &tokens {
        armed.push(vault.arm(company, *token, gallery, tomorrow()).await.unwrap());
    }
    let there = vault.arm(company, other, elsewhere, tomorrow()).await.unwrap();
    assert_eq!(vault.arm(company, other, elsewhere, tomorrow()).await.unwrap(), there);
    assert_eq!(vault.armed(gallery).await.unwrap(), 2);
    assert!(!armed.contains(&tokens[0]), "every party has tokens of its own");

    assert_eq!(deployed.find(gallery, Side::Left, 1).await, Identification::Match(armed[0]));
    assert_eq!(deployed.find(gallery, Side::Right, 2).await, Identification::Match(armed[1]));
    assert_eq!(deployed.find(gallery, Side::Left, 5).await, Identification::NoMatch);
    assert_eq!(deployed.find(elsewhere, Side::Left, 5).await, Identification::Match(there));
    assert_eq!(deployed.find(gallery, Side::Left, 9).await, Identification::NoMatch);

    let verify = |token, seed| vault.verify(gallery, token, shown(Side::Left, seed));
    assert_eq!(verify(armed[0], 1).await.unwrap(), Verification::Match);
    assert_eq!(verify(armed[0], 5).await.unwrap(), Verification::NoMatch);
    assert_eq!(verify(there, 5).await.unwrap(), Verification::NotArmed);

    vault.disarm(company, tokens[1], gallery).await.unwrap();
    vault.disarm(company, tokens[1], gallery).await.unwrap();
    assert_eq!(deployed.find(gallery, Side::Right, 2).await, Identification::NoMatch);
    let receipt = vault.delete(company, &tokens).await.unwrap();
    assert_eq!(receipt.palms, 2);
    assert_eq!(deployed.find(gallery, Side::Left, 1).await, Identification::NoMatch);
    let again = vault.delete(company, &tokens).await;
    assert!(matches!(again, Err(VaultError::PalmUnknown)));
    deployed.enrol(both(1, 2)).await;
}

/// The values of the queries, as the person's own device opens them.
fn opened(secret: [u8; 32], parts: &[AuditPart], queries: &[[u8; 16]]) -> Vec<[u8; 16]> {
    type Kem = hpke::kem::X25519HkdfSha256;
    let secret = <Kem as hpke::Kem>::PrivateKey::from_bytes(&secret).unwrap();
    let recipient: [u8; 32] = Kem::sk_to_pk(&secret).to_bytes().into();
    let mut values = vec![[0; 16]; queries.len()];
    for part in parts {
        let (encapsulated, ciphertext) = part.sealed.split_first_chunk::<32>().unwrap();
        let encapsulated = <Kem as hpke::Kem>::EncappedKey::from_bytes(encapsulated).unwrap();
        let plain = hpke::single_shot_open::<hpke::aead::AesGcm256, hpke::kdf::HkdfSha256, Kem>(
            &hpke::OpModeR::Base,
            &secret,
            &encapsulated,
            AUDIT_INFO,
            ciphertext,
            &audit_context(&recipient, queries),
        );
        let plain = plain.unwrap();
        assert_eq!(plain.len(), 16 * queries.len());
        for (value, component) in values.iter_mut().zip(plain.as_chunks::<16>().0) {
            value.iter_mut().zip(component).for_each(|(sum, byte)| *sum ^= byte);
        }
    }
    values
}

/// A person finds the search that found them, and nothing else, in what the log shows to all.
async fn audits(vault: &Vault, company: CompanyId, gallery: GalleryId) -> Vec<AuditTag> {
    let mut palms = Vec::new();
    for seed in [1, 5] {
        let enrolled = vault.enrol(company, left(seed), tomorrow()).await.unwrap();
        let EnrolOutcome::Enrolled(enrolled) = enrolled else { panic!("nobody has it") };
        vault.arm(company, enrolled[0].token, gallery, tomorrow()).await.unwrap();
        palms.push(enrolled[0].token);
    }
    let mut tags = Vec::new();
    for seed in [5, 9, 1, 1] {
        let shown = Presentation::new(vec![shown(Side::Left, seed)]).unwrap();
        tags.push(vault.identify(gallery, shown).await.unwrap()[0].audit);
    }
    let distinct: HashSet<_> = tags.iter().map(|audit| audit.tag).collect();
    assert_eq!(distinct.len(), tags.len(), "tags of one person are not alike, nor those of nobody");
    let queries: Vec<[u8; 16]> = tags.iter().map(|audit| audit.query).collect();
    let secret = [0x42; 32];
    let recipient = {
        type Kem = hpke::kem::X25519HkdfSha256;
        let secret = <Kem as hpke::Kem>::PrivateKey::from_bytes(&secret).unwrap();
        Kem::sk_to_pk(&secret).to_bytes().into()
    };
    for (palm, expected) in
        palms.iter().zip([[false, false, true, true], [true, false, false, false]])
    {
        let parts = vault.audit_parts(company, *palm, &queries, recipient).await.unwrap();
        let values = opened(secret, &parts, &queries);
        let found: Vec<bool> = values.iter().zip(&tags).map(|(v, audit)| *v == audit.tag).collect();
        assert_eq!(found, expected);
    }
    vault.delete(company, &palms[..1]).await.unwrap();
    let gone = vault.audit_parts(company, palms[0], &queries, recipient).await;
    assert!(matches!(gone, Err(VaultError::PalmUnknown)));
    let many = vec![[0; 16]; AUDIT_QUERIES_MAX + 1];
    let many = vault.audit_parts(company, palms[1], &many, recipient).await;
    assert!(matches!(many, Err(VaultError::TooManyQueries { .. })));
    tags
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_person_finds_the_searches_that_found_them() {
    let deployed = Deployed::new().await;
    let gallery = deployed.gallery().await;
    let tags = audits(&deployed.vault, deployed.company, gallery).await;
    // What a hub would log in its place is none that the nodes signed.
    let deployment = Deployment::load(deployed.dir.path()).unwrap();
    for audit in tags {
        assert!(audit.is_of(&deployment));
        let mut lie = audit;
        lie.tag[0] ^= 1;
        assert!(!lie.is_of(&deployment));
    }
    let dir = tempfile::tempdir().unwrap();
    let plain = Vault::open(dir.path(), Arc::new(SystemClock), Arc::new(SystemRandom)).await;
    let plain = plain.unwrap();
    let party = RelyingParty::Venue(VenueId::new(&SystemClock, &SystemRandom));
    let (purpose, policy) = (Purpose::Entry, ThresholdPolicy::ENTRY);
    plain.open_gallery(NewGallery { gallery, party, purpose, policy }).await.unwrap();
    audits(&plain, deployed.company, gallery).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_device_is_revoked_while_the_front_is_at_work_and_let_in_again_with_a_new_key() {
    let deployed = Deployed::new().await;
    let token = deployed.enrol(left(1)).await[0];
    let gallery = deployed.gallery().await;
    let armed = deployed.vault.arm(deployed.company, token, gallery, tomorrow()).await.unwrap();
    let lanes = [0; 2].map(|_| DeviceId::new(&SystemClock, &SystemRandom));
    let find = async |lane: DeviceId| {
        let capture = Capture { device: Some(lane), consent: [7; 16] };
        let shown = Presentation::new(vec![shown(Side::Left, 1)]).unwrap();
        let found = deployed.vault.captured(capture).identify(gallery, shown).await?;
        Ok::<_, VaultError>(found[0].identification)
    };
    for lane in lanes {
        assert_eq!(find(lane).await.unwrap(), Identification::Match(armed));
    }
    let options = FrontOptions {
        delay: Delay::default(),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
    };
    let client = NodeClient::connect(&deployed.dir.path().join("front"), options).unwrap();
    client.ready(PATIENCE).await.unwrap();
    client.revoke_device(lanes[0]).await.unwrap();
    assert!(matches!(find(lanes[0]).await, Err(VaultError::DeviceRevoked { .. })));
    assert!(matches!(
        client.add_device(lanes[0]).await,
        Err(VaultError::DeviceRevoked { device }) if device == lanes[0]
    ));
    assert_eq!(find(lanes[1]).await.unwrap(), Identification::Match(armed), "the other goes on");
    // The nodes refuse what it sealed, whatever its front thinks.
    let list = deployed.dir.path().join("front/devices.json");
    let aside = list.with_extension("aside");
    std::fs::rename(&list, &aside).unwrap();
    let refused = find(lanes[0]).await.unwrap_err();
    assert!(matches!(refused, VaultError::Refused { .. }), "{refused}");
    std::fs::rename(&aside, &list).unwrap();
    client.rotate_device(lanes[0]).await.unwrap();
    assert_eq!(find(lanes[0]).await.unwrap(), Identification::Match(armed));
    // An enrolment is bound to device and consent as well.
    let capture = Capture { device: Some(lanes[0]), consent: [8; 16] };
    let enrolling = deployed.vault.captured(capture);
    let enrolled = enrolling.enrol(deployed.company, left(2), tomorrow()).await.unwrap();
    assert!(matches!(enrolled, EnrolOutcome::Enrolled(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_is_away_is_named_and_comes_back_with_everything() {
    let mut deployed = Deployed::new().await;
    let token = deployed.enrol(left(1)).await[0];
    let gallery = deployed.gallery().await;
    let armed = deployed.vault.arm(deployed.company, token, gallery, tomorrow()).await.unwrap();
    for node in 0..3 {
        deployed.stop(node).await;
        let shown = Presentation::new(vec![shown(Side::Left, 1)]).unwrap();
        let error = deployed.vault.identify(gallery, shown).await.unwrap_err();
        let VaultError::Unavailable { node: named, .. } = &error else { panic!("{error}") };
        assert_eq!(named.index(), node, "{error}");
        // A deletion that cannot be carried out is kept, and carried out later.
        deployed.start(node).await;
        assert_eq!(deployed.find(gallery, Side::Left, 1).await, Identification::Match(armed));
    }
    deployed.stop(2).await;
    let deleted = deployed.vault.delete(deployed.company, &[token]).await;
    assert!(matches!(deleted, Err(VaultError::Unavailable { .. })));
    deployed.start(2).await;
    assert_eq!(deployed.vault.status().palms, 0, "what was decided is carried out");
    deployed.enrol(left(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_front_that_starts_anew_knows_what_it_knew() {
    let deployed = Deployed::new().await;
    let token = deployed.enrol(left(1)).await[0];
    let gallery = deployed.gallery().await;
    let armed = deployed.vault.arm(deployed.company, token, gallery, tomorrow()).await.unwrap();
    let Deployed { dir, nodes, vault, split, company } = deployed;
    drop(split);
    vault.close().await;
    let split = front(dir.path()).await;
    split.ready(PATIENCE).await.unwrap();
    let deployed = Deployed { vault: split.clone().into(), split, dir, nodes, company };
    assert_eq!(deployed.find(gallery, Side::Left, 1).await, Identification::Match(armed));
    assert_eq!(deployed.vault.palms(company), [token]);
    deployed.split.refresh().await.unwrap();
    assert_eq!(deployed.find(gallery, Side::Left, 1).await, Identification::Match(armed));
    let needle = token.as_bytes();
    for entry in std::fs::read_dir(deployed.dir.path().join("front")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(needle.len()).any(|window| window == needle), "a token in clear");
    }
}
