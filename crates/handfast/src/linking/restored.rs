//! A database that says less, or something else, than the log: put back from a backup, or edited.

use std::collections::BTreeMap;
use std::path::Path;

use handfast_store::{StoreError, params};
use handfast_tlog::Leaf;
use handfast_trust::{CrossCheck, Discrepancy};

use super::LinkingError;
use super::ten_years::World;
use crate::serve::Databases;

/// Changes the box office's database behind everybody's back.
async fn edit(dir: &Path, sql: &'static str) {
    let store = Databases { data: dir.to_owned(), url: None }.store("boxoffice").await.unwrap();
    let edited = store.transaction("test.edit", |tx| {
        Box::pin(async move { tx.execute(sql, params![]).await.map(drop) })
    });
    let edited: Result<(), StoreError> = edited.await;
    edited.unwrap();
}

/// What `handfast verify data` finds.
async fn found(world: &World, dir: &Path) -> Vec<Discrepancy> {
    let databases = Databases { data: dir.to_owned(), url: None };
    world.hub.trust.publish().await.unwrap();
    let read = world.hub.trust.read_from(0, Vec::<Leaf>::new(), |all, leaf| all.push(leaf.clone()));
    let leaves: BTreeMap<u64, Leaf> = (0..).zip(read.await.unwrap().1).collect();
    let store = databases.store("trust").await.unwrap();
    let mut check = CrossCheck::of_openings(&store, &leaves).await.unwrap();
    for (link, consent) in world.hub.boxoffice.living_consents().await.unwrap() {
        let scope = consent.scope.map_or("", |scope| scope.as_str());
        check.living(link, &[("consent", consent.id.to_string()), ("scope", scope.to_owned())]);
    }
    check.found
}

#[tokio::test]
async fn nobody_who_left_comes_back_with_a_backup_and_edits_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path(), None).await;
    world.link().await;
    world.delete_one().await;
    world.link().await;
    let (gone, there) = (world.palms[0].link, world.palms[1].link);
    assert!(found(&world, dir.path()).await.is_empty());

    // As a backup from before the deletion has it.
    let restored = "UPDATE links SET state = 'confirmed', ended_at = NULL, deleted_at = NULL,
                    receipt_id = NULL WHERE state = 'deleted'";
    edit(dir.path(), restored).await;
    let named = found(&world, dir.path()).await;
    assert!(
        matches!(named[..], [Discrepancy::DeletedAndLiving { link, .. }] if link == gone),
        "{named:?}"
    );
    world.hub.replay_deletions().await.unwrap();
    let living: Vec<_> = world.hub.boxoffice.living_consents().await.unwrap();
    assert_eq!(living.iter().map(|(link, _)| *link).collect::<Vec<_>>(), [there]);
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

    // Without the list of deletions nothing is served: whose the deletions were nobody knows.
    std::fs::write(dir.path().join("deletions"), b"").unwrap();
    let refused = world.hub.replay_deletions().await;
    assert!(matches!(refused, Err(LinkingError::DeletionsUnknown { count: 1, .. })), "{refused:?}");
}
