//! What three real nodes sign of a search reaches its person, and whoever checks their receipt.

use std::sync::Arc;

use axum::extract::State;
use handfast_model::{ManualClock, SystemRandom};
use handfast_palm::Side;
use handfast_tlog::Purpose;
use handfast_vault::dealer::{Presentation, PresentedPalm};
use handfast_vault::setup::{init, local_addresses};
use serde_json::Value;

use super::restored::{Nodes, probe, two_people};
use super::ten_years::{START, World};
use crate::cli::verify::nodes::{Computed, NodeKeys};
use crate::http::trust::audit;
use crate::serve::{Settings, VaultChoice};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_shows_that_the_nodes_computed_its_tag() {
    let dir = tempfile::tempdir().unwrap();
    let folders = dir.path().join("nodes");
    let settings = Settings {
        vault: VaultChoice::Front(folders.join("front")),
        ..Settings::of_test(dir.path())
    };
    let clock = Arc::new(ManualClock::at(START));
    init(&folders, local_addresses(7431), &*clock, &SystemRandom).unwrap();
    let nodes = Nodes::start(&folders, &clock).await;
    let mut world = World::with(&settings, clock).await;
    let gallery = two_people(&mut world).await;
    let link = world.palms[0].link;
    let (hub, venue) = (Arc::new(world.hub), world.venue.id);
    let palm = PresentedPalm::from_probes(Side::Left, vec![probe(1)]).unwrap();
    let found = hub.vault.identify(gallery, Presentation::new(vec![palm]).unwrap()).await.unwrap();
    let device = hub.boxoffice.devices(venue).await.unwrap().remove(0);
    let promised = hub.promise_search(Purpose::Entry, &[gallery], &device, &found).await;
    let promised = promised.unwrap().remove(0);
    let position = promised.position();
    hub.trust.keep(link, promised).await.unwrap();
    hub.trust.publish().await.unwrap();
    let receipt = hub.trust.receipt(link, position).await.unwrap();
    let record: Value = serde_json::from_slice(receipt.opening().private_fields()).unwrap();
    let shown = serde_json::to_vec(&audit::nodes(State(hub)).await.0).unwrap();
    let keys = NodeKeys::parse(&shown).unwrap();
    let computed = Computed::of(receipt.leaf().statement(), &record, Some(&keys));
    assert_eq!(computed, Computed::ByTheNodes, "{record}");
    nodes.stop().await;
}
