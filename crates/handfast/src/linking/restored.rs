//! A database that says less, or something else, than the log: put back from a backup, cut short by a
//! crash, or edited.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use handfast_model::{Clock as _, Duration, LinkId, ManualClock, Random as _, SeededRandom};
use handfast_palm::{LENGTH, PROBE_VECTORS, Probe, Reference, Side};
use handfast_store::{StoreError, params};
use handfast_tlog::{DeletionCause, Kind, Leaf};
use handfast_trust::{Discrepancy, LoggedLeaves};
use handfast_vault::dealer::{Enrolment, Enrolments, Presentation, PresentedPalm};
use handfast_vault::process::{NodeOptions, RunningNode};
use handfast_vault::setup::{init, local_addresses, move_nodes};
use handfast_vault::{EnrolOutcome, Identification, NewGallery, Purpose, ThresholdPolicy};
use tempfile::TempDir;

use super::LinkingError;
use super::ten_years::World;
use crate::cli::verify::data::compare;
use crate::serve::{Databases, Settings, VaultChoice, recover};

/// What a service goes on with whatever is put back: its log, its keys, the list of deletions.
const NEVER_PUT_BACK: [&str; 3] = ["log", "keys", "deletions"];

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let name = entry.unwrap().file_name();
            copy(&from.join(&name), &to.join(&name));
        }
    } else if !from.to_string_lossy().ends_with("-shm") {
        std::fs::copy(from, to).unwrap();
    }
}

fn backup_of(dir: &Path) -> TempDir {
    let backup = tempfile::tempdir().unwrap();
    copy(dir, backup.path());
    backup
}

/// A data folder in which the backup was put back, beside what never is.
fn put_back(backup: &Path, present: &Path) -> TempDir {
    let restored = backup_of(backup);
    for name in NEVER_PUT_BACK {
        let (from, to) = (present.join(name), restored.path().join(name));
        if to.is_dir() {
            std::fs::remove_dir_all(&to).unwrap();
        }
        copy(&from, &to);
    }
    restored
}

/// Changes the box office's database behind everybody's back.
async fn edit(dir: &Path, sql: &'static str) {
    let store = Databases { data: dir.to_owned(), url: None }.store("boxoffice").await.unwrap();
    let edited = store.transaction("test.edit", |tx| {
        Box::pin(async move { tx.execute(sql, params![]).await.map(drop) })
    });
    let edited: Result<(), StoreError> = edited.await;
    edited.unwrap();
}

async fn leaves(world: &World) -> BTreeMap<u64, Leaf> {
    world.hub.trust.publish().await.unwrap();
    let read = world.hub.trust.read_from(0, Vec::<Leaf>::new(), |all, leaf| all.push(leaf.clone()));
    (0..).zip(read.await.unwrap().1).collect()
}

/// What `handfast verify data` finds.
async fn found(world: &World, dir: &Path) -> Vec<Discrepancy> {
    let databases = Databases { data: dir.to_owned(), url: None };
    let mut logged = LoggedLeaves::default();
    leaves(world).await.values().for_each(|leaf| logged.take(leaf));
    compare(&databases, &logged).await.unwrap()
}

async fn living(world: &World) -> Vec<LinkId> {
    let living = world.hub.boxoffice.living_consents().await.unwrap();
    living.into_iter().map(|(link, _)| link).collect()
}

/// How many leaves tell of deletions.
async fn deletions_logged(world: &World) -> usize {
    let leaves = leaves(world).await;
    leaves.values().filter(|leaf| leaf.statement().kind() == Kind::Delete).count()
}

#[tokio::test]
async fn no_palm_that_was_deleted_comes_back_with_a_backup() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path(), None).await;
    world.link().await;
    world.link().await;
    let (gone, there) = (world.palms[0].link, world.palms[1].link);
    let (company, held) = (world.company.id, world.hub.vault.status().palms);
    let backup = backup_of(dir.path());
    world.delete_one().await;
    let kept: Vec<_> = world.hub.vault.palms(company);
    assert_eq!(kept.len(), held - 1);
    world.hub.trust.publish().await.unwrap();

    let restored = put_back(backup.path(), dir.path());
    let world = world.started_on(&Settings::of_test(restored.path())).await;
    // The control: the backup does bring back the palm, and its link.
    assert_eq!(world.hub.vault.palms(company).len(), held);
    assert!(living(&world).await.contains(&gone));
    let named = found(&world, restored.path()).await;
    let is_named = |one: &Discrepancy| matches!(one, Discrepancy::DeletedAndLiving { link, .. } if *link == gone);
    assert!(named.iter().any(is_named), "the log alone knows of the deletion: {named:?}");

    recover(&world.hub).await.unwrap();
    let after = world.hub.vault.palms(company);
    assert!(after.iter().all(|palm| kept.contains(palm)), "a deleted palm is in the vault again");
    assert_eq!(living(&world).await, [there]);
    assert_eq!(deletions_logged(&world).await, 1, "one deletion has one leaf");
    // A second start finds nothing left to do.
    recover(&world.hub).await.unwrap();
    assert_eq!(deletions_logged(&world).await, 1);
    assert_eq!(world.hub.vault.palms(company).len(), after.len());
}

#[tokio::test]
async fn whoever_left_stays_out_while_the_vault_does_not_answer() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path(), None).await;
    for _ in 0..3 {
        world.link().await;
    }
    let there = world.palms[2].link;
    let backup = backup_of(dir.path());
    world.delete_one().await;
    world.delete_one().await;
    world.hub.trust.publish().await.unwrap();
    let restored = put_back(backup.path(), dir.path());
    let world = world.started_on(&Settings::of_test(restored.path())).await;
    world.hub.vault.clone().close().await;
    world.hub.replay_deletions().await.unwrap();
    assert_eq!(living(&world).await, [there], "no link lives again, the vault away or not");
    assert!(world.hub.carry_due_deletions().await.is_err());
    let due = world.hub.boxoffice.due_deletions().await.unwrap();
    assert_eq!(due.len(), 2, "what the vault owes stays due, all of it");
}

#[tokio::test]
async fn a_crash_at_any_step_of_a_deletion_leaves_its_leaf_and_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path(), None).await;
    for _ in 0..3 {
        world.link().await;
    }
    let backup = backup_of(dir.path());
    let links: Vec<LinkId> = world.palms.iter().map(|palm| palm.link).collect();
    let (hub, account) = (&world.hub, world.account);
    // Decided, and nothing more.
    let due = hub.boxoffice.end_link(account, links[0]).await.unwrap();
    hub.trust.decide_deletion(due.link_id, DeletionCause::Person).await.unwrap();
    // Destroyed in the vault, and no leaf of it yet.
    let due = hub.boxoffice.end_link(account, links[1]).await.unwrap();
    hub.trust.decide_deletion(due.link_id, DeletionCause::Person).await.unwrap();
    let palms: Vec<_> = due.palms.iter().map(|palm| palm.company_token).collect();
    hub.vault.delete(due.company_id, &palms).await.unwrap();
    // Logged, and not acknowledged.
    let due = hub.boxoffice.end_link(account, links[2]).await.unwrap();
    hub.trust.decide_deletion(due.link_id, DeletionCause::Person).await.unwrap();
    let palms: Vec<_> = due.palms.iter().map(|palm| palm.company_token).collect();
    let receipt = hub.vault.delete(due.company_id, &palms).await.unwrap();
    hub.log_deletion(&due, Some(&receipt), DeletionCause::Person).await.unwrap();
    hub.trust.publish().await.unwrap();
    let restored = put_back(backup.path(), dir.path());

    // The same folder after the crash, and one in which all of it is forgotten but the list.
    let crashed = put_back(dir.path(), dir.path());
    for (folder, world_of) in [(&crashed, "crash"), (&restored, "backup")] {
        world = world.started_on(&Settings::of_test(folder.path())).await;
        recover(&world.hub).await.unwrap();
        assert_eq!(living(&world).await, [], "{world_of}");
        assert_eq!(deletions_logged(&world).await, 3, "{world_of}");
        assert_eq!(world.hub.boxoffice.due_deletions().await.unwrap(), [], "{world_of}");
        assert_eq!(world.hub.vault.palms(world.company.id), [], "{world_of}: strays went as well");
        world.hub.trust.publish().await.unwrap();
    }
}

#[tokio::test]
async fn edits_behind_the_log_are_named_and_without_the_list_nothing_starts() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path(), None).await;
    world.link().await;
    world.delete_one().await;
    world.link().await;
    let there = world.palms[1].link;
    assert!(found(&world, dir.path()).await.is_empty());
    edit(dir.path(), "UPDATE consents SET scope = 'everywhere' WHERE withdrawn_at IS NULL").await;
    let unreadable = world.hub.boxoffice.living_consents().await;
    assert!(unreadable.is_err(), "a word that is none is not taken for one");
    let widen = "UPDATE consents SET scope = CASE (SELECT scope FROM links WHERE id = link_id)
                 WHEN 'company' THEN 'venue' ELSE 'company' END WHERE withdrawn_at IS NULL";
    edit(dir.path(), widen).await;
    let named = found(&world, dir.path()).await;
    assert!(
        matches!(&named[..], [Discrepancy::ConsentChanged { link, field: "scope", .. }] if *link == there),
        "{named:?}"
    );

    // Whose the deletions were nobody knows: the list is empty, and the openings are from before.
    let restored = put_back(dir.path(), dir.path());
    std::fs::write(restored.path().join("deletions"), b"").unwrap();
    for name in ["trust.db", "trust.db-wal"] {
        drop(std::fs::remove_file(restored.path().join(name)));
    }
    let world = world.started_on(&Settings::of_test(restored.path())).await;
    let refused = world.hub.replay_deletions().await;
    assert!(matches!(refused, Err(LinkingError::DeletionsUnknown { count: 1, .. })), "{refused:?}");
    assert!(recover(&world.hub).await.is_err());
}

/// Three nodes in this process, on folders below `dir`.
pub(super) struct Nodes(Vec<RunningNode>);

impl Nodes {
    pub(super) async fn start(dir: &Path, clock: &Arc<ManualClock>) -> Self {
        let held = [0; 3].map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        let addresses = held.map(|listener| listener.local_addr().unwrap().to_string());
        move_nodes(dir, addresses).unwrap();
        let mut nodes = Vec::new();
        for word in ["a", "b", "c"] {
            let options = NodeOptions {
                dir: dir.join(word),
                listen: None,
                delay: handfast_vault::transport::Delay::default(),
                strict: false,
                clock: clock.clone(),
                random: Arc::new(handfast_model::SystemRandom),
            };
            nodes.push(RunningNode::start(options).await.unwrap());
        }
        Self(nodes)
    }

    pub(super) async fn stop(self) {
        for node in self.0 {
            node.stop().await;
        }
    }
}

fn template(seed: u64) -> Vec<i8> {
    let mut bytes = vec![0; LENGTH];
    SeededRandom::new(seed).fill(&mut bytes);
    let numbers = || bytes.iter().map(|byte| f64::from(*byte) - 127.5);
    let length = numbers().map(|number| number * number).sum::<f64>().sqrt();
    numbers().map(|number| (number / length * 125.0).round() as i8).collect()
}

pub(super) fn probe(seed: u64) -> Probe {
    Probe::from_vectors(template(seed).repeat(PROBE_VECTORS)).unwrap()
}

/// Two left palms through three nodes, each with a link; the gallery in which both are armed.
pub(super) async fn two_people(world: &mut World) -> handfast_model::GalleryId {
    let company = world.company.id;
    let until = world.clock.now() + Duration::from_days(100);
    let gallery = handfast_model::GalleryId::new(&*world.clock, &SeededRandom::new(77));
    let venue = handfast_model::VenueId::new(&*world.clock, &SeededRandom::new(78));
    let party = handfast_model::RelyingParty::Venue(venue);
    let (purpose, policy) = (Purpose::Entry, ThresholdPolicy::ENTRY);
    world.hub.vault.open_gallery(NewGallery { gallery, party, purpose, policy }).await.unwrap();
    for seed in [1, 2] {
        let reference = Reference::from_vector(template(seed)).unwrap();
        let palm = Enrolment::from_templates(Side::Left, reference, vec![probe(seed)]).unwrap();
        let palms = Enrolments::new(vec![palm]).unwrap();
        let enrolled = world.hub.vault.enrol(company, palms, until).await.unwrap();
        let EnrolOutcome::Enrolled(enrolled) = enrolled else { panic!("both are new") };
        world.hub.vault.arm(company, enrolled[0].token, gallery, until).await.unwrap();
        world.unused.push(enrolled[0].token);
        world.link().await;
    }
    gallery
}

/// Whether a palm is found in a gallery by the nodes.
async fn is_found(world: &World, gallery: handfast_model::GalleryId, seed: u64) -> bool {
    let shown = PresentedPalm::from_probes(Side::Left, vec![probe(seed)]).unwrap();
    let shown = Presentation::new(vec![shown]).unwrap();
    let found = world.hub.vault.identify(gallery, shown).await.unwrap();
    matches!(found[0].identification, Identification::Match(_))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_palm_that_was_deleted_comes_back_with_old_copies_of_the_nodes() {
    let dir = tempfile::tempdir().unwrap();
    let nodes_of = |data: &Path| data.join("nodes");
    let settings = |data: &Path| {
        let vault = VaultChoice::Front(nodes_of(data).join("front"));
        Settings { vault, ..Settings::of_test(data) }
    };
    let clock = Arc::new(ManualClock::at(super::ten_years::START));
    let random = handfast_model::SystemRandom;
    init(&nodes_of(dir.path()), local_addresses(7411), &*clock, &random).unwrap();
    let nodes = Nodes::start(&nodes_of(dir.path()), &clock).await;
    let mut world = World::with(&settings(dir.path()), clock.clone()).await;
    let gallery = two_people(&mut world).await;
    let backup = backup_of(dir.path());
    let (gone, there) = (world.palms[0].link, world.palms[1].link);
    assert!(is_found(&world, gallery, 1).await && is_found(&world, gallery, 2).await);
    world.delete_one().await;
    assert!(!is_found(&world, gallery, 1).await);
    world.hub.trust.publish().await.unwrap();
    nodes.stop().await;

    // One node's folder is an old copy: it follows the others before it serves.
    let one = put_back(dir.path(), dir.path());
    std::fs::remove_dir_all(nodes_of(one.path()).join("c")).unwrap();
    copy(&nodes_of(backup.path()).join("c"), &nodes_of(one.path()).join("c"));
    let nodes = Nodes::start(&nodes_of(one.path()), &clock).await;
    let world = world.started_on(&settings(one.path())).await;
    recover(&world.hub).await.unwrap();
    assert!(!is_found(&world, gallery, 1).await && is_found(&world, gallery, 2).await);
    nodes.stop().await;

    // Everything is an old copy, all three nodes and every database: the list of deletions is not.
    let all = put_back(backup.path(), dir.path());
    let nodes = Nodes::start(&nodes_of(all.path()), &clock).await;
    let world = world.started_on(&settings(all.path())).await;
    assert!(is_found(&world, gallery, 1).await, "the control: the copies do bring the palm back");
    assert!(living(&world).await.contains(&gone));
    recover(&world.hub).await.unwrap();
    assert!(!is_found(&world, gallery, 1).await && is_found(&world, gallery, 2).await);
    assert_eq!(living(&world).await, [there]);
    assert_eq!(world.hub.vault.palms(world.company.id).len(), 1);
    nodes.stop().await;
}
