//! After a capture was dealt and sealed, the template is nowhere in the process that dealt it.
//!
//! Goal: three nodes and a front run in this very process; a palm is enrolled and searched, and all
//! memory that can be written but the stacks is searched for pieces of its reference and of its
//! probes. The nodes hold shares, which are not the palm. Failure: a piece is found after the answer,
//! or none is found while the capture waits to be dealt (then the search itself is broken). Not
//! covered: swap, registers, stacks, and what a camera's driver or a browser keeps.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test stops at anything unexpected")]

use std::sync::Arc;
use std::time::Duration as StdDuration;

use handfast_model::{
    Clock as _, CompanyId, Duration, GalleryId, RelyingParty, SystemClock, SystemRandom, VenueId,
};
use handfast_palm::{probe, reference};
use handfast_vault::dealer::{Enrolment, Enrolments, Presentation, PresentedPalm};
use handfast_vault::process::{NodeOptions, RunningNode};
use handfast_vault::setup::{init, local_addresses, move_nodes};
use handfast_vault::transport::Delay;
use handfast_vault::{
    EnrolOutcome, FrontOptions, Identification, NewGallery, Purpose, SplitVault, ThresholdPolicy,
    Vault,
};

mod scan;

use scan::{inverted_pieces, occurrences, sample};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_dealt_is_nowhere_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path(), local_addresses(7411), &SystemClock, &SystemRandom).unwrap();
    let held = [0; 3].map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    move_nodes(dir.path(), held.map(|listener| listener.local_addr().unwrap().to_string()))
        .unwrap();
    let mut nodes = Vec::new();
    for word in ["a", "b", "c"] {
        let options = NodeOptions {
            dir: dir.path().join(word),
            listen: None,
            delay: Delay::default(),
            strict: true,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        };
        nodes.push(RunningNode::start(options).await.unwrap());
    }
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    let options = FrontOptions { delay: Delay::default(), clock, random };
    let split = SplitVault::open(&dir.path().join("front"), options).await.unwrap();
    split.ready(StdDuration::from_secs(60)).await.unwrap();
    let vault: Vault = split.into();

    let mut pieces = inverted_pieces(reference(&[sample()]).unwrap().vector());
    let of_reference = pieces.len();
    // A pose in the middle; each piece is a walk through all memory.
    pieces.extend(probe(&sample()).vectors().skip(20).take(1).flat_map(inverted_pieces));
    assert!(of_reference >= 4 && pieces.len() > of_reference, "telling pieces of both");
    assert_eq!(occurrences(&pieces), 0, "making the pieces left some behind");

    let company = CompanyId::new(&SystemClock, &SystemRandom);
    let until = SystemClock.now() + Duration::from_days(1);
    let palms = Enrolments::new(vec![Enrolment::from_samples(&[sample()]).unwrap()]).unwrap();
    let before = occurrences(&pieces);
    assert!(before >= pieces.len(), "the control finds the capture that waits: {before}");
    let enrolled = vault.enrol(company, palms, until).await.unwrap();
    let EnrolOutcome::Enrolled(enrolled) = enrolled else { panic!("the vault is empty") };
    assert_eq!(occurrences(&pieces), 0, "after the enrolment, of {before} before it");

    let gallery = GalleryId::new(&SystemClock, &SystemRandom);
    let party = RelyingParty::Venue(VenueId::new(&SystemClock, &SystemRandom));
    let (purpose, policy) = (Purpose::Entry, ThresholdPolicy::ENTRY);
    vault.open_gallery(NewGallery { gallery, party, purpose, policy }).await.unwrap();
    let token = vault.arm(company, enrolled[0].token, gallery, until).await.unwrap();
    let shown = PresentedPalm::from_samples(&[sample()]).unwrap();
    let found = vault.identify(gallery, Presentation::new(vec![shown]).unwrap()).await.unwrap();
    assert_eq!(found[0].identification, Identification::Match(token));
    assert_eq!(occurrences(&pieces), 0, "after the search");
    vault.close().await;
    for node in nodes {
        node.stop().await;
    }
}
