//! A data folder stays with the nodes elsewhere that have its palms.

use std::path::Path;
use std::sync::Arc;

use handfast_model::{ManualClock, SystemRandom};
use handfast_vault::setup::{init, local_addresses};

use super::restored::Nodes;
use super::ten_years::START;
use crate::hub::Hub;
use crate::serve::{Settings, VaultChoice};

async fn opened(data: &Path, vault: VaultChoice) -> anyhow::Result<Hub> {
    let settings = Settings { vault, ..Settings::of_test(data) };
    let clock = Arc::new(ManualClock::at(START));
    settings.open_with(clock, Arc::new(SystemRandom), None).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_whose_palms_are_with_nodes_elsewhere_begins_no_other_vault() {
    let dir = tempfile::tempdir().unwrap();
    let (data, there, others) =
        (dir.path().join("data"), dir.path().join("there"), dir.path().join("others"));
    let clock = Arc::new(ManualClock::at(START));
    for folders in [&there, &others] {
        init(folders, local_addresses(7451), &*clock, &SystemRandom).unwrap();
    }
    let nodes = Nodes::start(&there, &clock).await;
    let hub = opened(&data, VaultChoice::Front(there.join("front"))).await.unwrap();
    hub.vault.clone().close().await;
    drop(hub);
    for other in
        [VaultChoice::LocalNodes, VaultChoice::Plain, VaultChoice::Front(others.join("front"))]
    {
        let refused = opened(&data, other.clone()).await.err().unwrap().to_string();
        assert!(
            refused.contains("nodes elsewhere: name their front with --vault-front"),
            "{refused}"
        );
        assert!(!data.join("nodes").exists() && !data.join("vault").exists(), "{other:?}");
    }
    // The same front by another name is the same.
    std::os::unix::fs::symlink(&there, dir.path().join("name")).unwrap();
    let hub = opened(&data, VaultChoice::Front(dir.path().join("name/front"))).await.unwrap();
    hub.vault.clone().close().await;
    nodes.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_front_of_this_machines_nodes_is_here_by_any_name() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::os::unix::fs::symlink(&data, dir.path().join("name")).unwrap();
    let clock = Arc::new(ManualClock::at(START));
    init(&data.join("nodes"), local_addresses(7461), &*clock, &SystemRandom).unwrap();
    let nodes = Nodes::start(&data.join("nodes"), &clock).await;
    let front = dir.path().join("name/nodes/front");
    let hub = opened(&data, VaultChoice::Front(front)).await.unwrap();
    assert!(!data.join("vault-front").exists(), "these are its own nodes");
    hub.vault.clone().close().await;
    nodes.stop().await;
}
