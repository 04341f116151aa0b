//! An operator who edits the files behind the log is detected, and what was edited is named.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use handfast_model::{Clock, Duration, TimeWindow};
use handfast_tlog::{
    AtOpen, Folder, Kind, Log, LogError, Opening, Problem, ProofError, Receipt, Report, TreeHash,
    Verification, read_checkpoint, verify_checkpoint, verify_folder,
};

use crate::common::{START, all, clock, config, draft, drafts, folder, grown, ignore, policy};

const SIZE: u64 = 70_000;

fn verify(dir: &Path) -> Report {
    verify_folder(&Folder::read_only(dir), &all(&policy()), &mut ignore).unwrap()
}

fn reopen(dir: &Path, at_open: AtOpen) -> Result<Log, LogError> {
    Log::open(Arc::new(Folder::exclusive(dir).unwrap()), config(at_open), clock())
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Every tile file of the log.
fn tiles(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![dir.join("tile")];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

#[test]
fn a_sound_log_is_sound_and_its_tiles_are_those_of_the_specification() {
    let (dir, log) = folder(SIZE);
    drop(log);
    let report = verify(dir.path());
    assert!(report.is_sound(), "{:?}", report.problems);
    assert_eq!((report.size, report.leaves, report.kinds[&Kind::Delete]), (SIZE, SIZE, SIZE));
    // 273 full and one partial at level 0, as many bundles, 1 and 1 at level 1, 1 at level 2.
    assert_eq!(report.tiles, 274 + 274 + 2 + 1);
    assert!(reopen(dir.path(), AtOpen::CheckEverything).is_ok());
    let count = tiles(dir.path()).len() as u64;
    let widths = "partial tiles of full ones are gone";
    assert!((report.tiles..report.tiles + 20).contains(&count), "{widths}: {count}");
}

#[test]
fn a_changed_leaf_is_named_even_when_its_hashes_are_changed_along() {
    let (dir, log) = folder(SIZE);
    drop(log);
    let bundle = dir.path().join("tile/entries/100");
    let original = fs::read(&bundle).unwrap();
    // The commitment of the second leaf: 2 + 47 bytes further than that of the first.
    flip(&bundle, 2 + 47 + 2 + 20);
    let problems = verify(dir.path()).problems;
    let named = |problem: &Problem, wanted: u64| matches!(problem, Problem::LeafDiffers { index, path, .. } if *index == wanted && path == "tile/entries/100");
    assert!(problems.len() == 1 && named(&problems[0], 25_601), "{problems:?}");
    match reopen(dir.path(), AtOpen::CheckEverything) {
        Err(LogError::Differs { problems }) => assert!(named(&problems[0], 25_601)),
        other => panic!("{other:?}"),
    }
    // Now the hash of that leaf, too.
    let changed = fs::read(&bundle).unwrap();
    let hash = TreeHash::of_leaf(&changed[2 + 47 + 2..2 * (2 + 47)]);
    let tile = dir.path().join("tile/0/100");
    let mut hashes = fs::read(&tile).unwrap();
    hashes[32..64].copy_from_slice(hash.as_bytes());
    fs::write(&tile, hashes).unwrap();
    let problems = verify(dir.path()).problems;
    let tile_named = |problem: &Problem| matches!(problem, Problem::TileDiffers { path, above } if path == "tile/0/100" && above == "tile/1/000");
    assert!(problems.len() == 1 && tile_named(&problems[0]), "{problems:?}");
    fs::write(&bundle, original).unwrap();
    assert!(verify(dir.path()).problems.iter().any(|problem| named(problem, 25_601)));
}

#[test]
fn a_flipped_bit_or_cut_end_in_any_file_is_found() {
    let size = 66_000;
    let (dir, log) = folder(size);
    drop(log);
    let sound = verify(dir.path());
    let files = tiles(dir.path());
    // Every file of the upper levels and of the edge, and some of the many in between.
    let of_interest = files.iter().enumerate().filter(|(at, path)| {
        let level = path.strip_prefix(dir.path().join("tile")).unwrap().to_str().unwrap();
        level.starts_with(['1', '2']) || level.contains("/257") || at % 29 == 0
    });
    let mut read = 0;
    for (_, path) in of_interest {
        let bytes = fs::read(path).unwrap();
        let is_needed = {
            fs::rename(path, path.with_extension("away")).unwrap();
            let missing = verify(dir.path());
            fs::rename(path.with_extension("away"), path).unwrap();
            !missing.is_sound()
        };
        if !is_needed {
            continue;
        }
        read += 1;
        flip(path, bytes.len() / 2);
        assert!(!verify(dir.path()).is_sound(), "flipped {}", path.display());
        fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(!verify(dir.path()).is_sound(), "cut {}", path.display());
        fs::write(path, bytes).unwrap();
    }
    assert!(read > 10, "{read} files were tried");
    assert_eq!(verify(dir.path()).root, sound.root);
    assert!(verify(dir.path()).is_sound());
}

#[test]
fn a_rebuilt_tree_and_a_checkpoint_by_another_key_do_not_pass() {
    let (dir, log) = folder(1_000);
    drop(log);
    let signed = read_checkpoint(&Folder::read_only(dir.path()), "checkpoint").unwrap();
    // All files of a shorter history, under the longer one's checkpoint.
    let (other, log) = folder(999);
    log.append(draft(5)).unwrap();
    log.publish().unwrap();
    drop(log);
    let source = Folder::read_only(other.path());
    let report = verify_checkpoint(&source, &signed, &all(&policy()), &mut ignore);
    assert!(matches!(report.problems[0], Problem::Root { size: 1_000 }), "{:?}", report.problems);
    fs::copy(dir.path().join("checkpoint"), other.path().join("checkpoint")).unwrap();
    assert!(matches!(reopen(other.path(), AtOpen::CheckEdge), Err(LogError::Differs { .. })));
    // A checkpoint that the log's key never signed.
    let text = fs::read_to_string(dir.path().join("checkpoint")).unwrap();
    fs::write(dir.path().join("checkpoint"), text.replace("\n1000\n", "\n999\n")).unwrap();
    assert!(matches!(verify(dir.path()).problems[0], Problem::Untrusted(_)));
    let opened = reopen(dir.path(), AtOpen::CheckEdge);
    assert!(matches!(opened, Err(LogError::Checkpoint { .. })), "{opened:?}");
    fs::remove_file(dir.path().join("checkpoint")).unwrap();
    let opened = reopen(dir.path(), AtOpen::CheckEdge);
    assert!(matches!(opened, Err(LogError::CheckpointMissing { .. })), "{opened:?}");
}

#[test]
fn a_log_that_forks_or_shrinks_behind_what_was_seen_is_refused() {
    let (dir, log) = folder(300);
    let seen = log.checkpoint();
    drop(log);
    let what = |seen| Verification { previous: Some(seen), ..all(Box::leak(Box::new(policy()))) };
    let continued = grown(Arc::new(Folder::exclusive(dir.path()).unwrap()), 700);
    drop(continued);
    let source = Folder::read_only(dir.path());
    assert!(verify_folder(&source, &what(&seen), &mut ignore).unwrap().is_sound());
    // The same key signs another history: the fork that a witness is there for.
    for (kept, total) in [(299, 700), (299, 299)] {
        let (forked, log) = folder(kept);
        if total > kept {
            log.append_all(drafts(10_000, 10_000 + total - kept)).unwrap();
            log.publish().unwrap();
        }
        drop(log);
        let source = Folder::read_only(forked.path());
        let report = verify_folder(&source, &what(&seen), &mut ignore).unwrap();
        assert!(matches!(report.problems[0], Problem::Forked(_)), "{:?}", report.problems);
    }
}

#[test]
fn an_edited_journal_is_named() {
    let (dir, log) = folder(10);
    for number in 10..13 {
        log.append(draft(number)).unwrap();
    }
    drop(log);
    let path = dir.path().join(format!("journal/{:020}", 0));
    let bytes = fs::read(&path).unwrap();
    let batch_of = |number: u64| {
        let start = [b"HFJ1".as_slice(), &number.to_be_bytes()].concat();
        bytes.windows(start.len()).position(|window| window == start).unwrap()
    };
    flip(&path, batch_of(10) + 30);
    let opened = reopen(dir.path(), AtOpen::CheckEdge);
    let good = batch_of(10);
    assert!(
        matches!(opened, Err(LogError::JournalDamaged { offset, .. }) if offset == good),
        "{opened:?}"
    );
    let renamed = dir.path().join(format!("journal/{:020}", 11));
    fs::remove_file(&path).unwrap();
    fs::write(&renamed, &bytes[batch_of(11)..]).unwrap();
    let opened = reopen(dir.path(), AtOpen::CheckEdge);
    assert!(
        matches!(opened, Err(LogError::JournalGap { expected: 10, found: 11, .. })),
        "{opened:?}"
    );
    fs::remove_file(&renamed).unwrap();
    fs::write(&path, &bytes).unwrap();
    let log = reopen(dir.path(), AtOpen::CheckEdge).unwrap();
    assert_eq!(log.status().promised, 13);
    assert_eq!(log.publish().unwrap().checkpoint().size, 13);
    drop(log);
    // A journal that tells another story of what is published already.
    fs::write(&path, &bytes[..batch_of(11)]).unwrap();
    assert!(reopen(dir.path(), AtOpen::CheckEdge).is_ok(), "the same story is fine");
    let (forked, log) = folder(10);
    log.append(draft(77)).unwrap();
    drop(log);
    let journal = format!("journal/{:020}", 0);
    fs::copy(forked.path().join(&journal), dir.path().join(&journal)).unwrap();
    let opened = reopen(dir.path(), AtOpen::CheckEdge);
    assert!(matches!(opened, Err(LogError::JournalDiffers { index: 10, .. })), "{opened:?}");
}

#[test]
fn a_time_window_reads_its_own_leaves_and_no_others() {
    let (dir, log) = folder(20_000);
    drop(log);
    let (source, policy) = (Folder::read_only(dir.path()), policy());
    let mut times = Vec::new();
    verify_folder(&source, &all(&policy), &mut |_, leaf| times.push(leaf.at())).unwrap();
    let second = |at| START + Duration::from_secs(at);
    for (start, end) in [(0, 1), (2, 3), (3, 9), (5, 5), (0, 100), (90, 100), (-9, 0)] {
        let window = TimeWindow { start: second(start), end: second(end) };
        let what = Verification { during: Some(window), ..all(&policy) };
        let mut seen = Vec::new();
        let report =
            verify_folder(&source, &what, &mut |index, _| seen.push(index as usize)).unwrap();
        assert!(report.is_sound(), "{start}..{end}: {:?}", report.problems);
        let wanted: Vec<usize> =
            (0..times.len()).filter(|&at| window.contains(times[at])).collect();
        assert_eq!(seen, wanted, "{start}..{end}");
        assert_eq!(report.leaves, wanted.len() as u64);
    }
    // A change inside is found, one far outside is not read.
    flip(&dir.path().join("tile/entries/002"), 30);
    let early = TimeWindow { start: second(0), end: second(5) };
    let what = Verification { during: Some(early), ..all(&policy) };
    assert!(!verify_folder(&source, &what, &mut ignore).unwrap().is_sound());
    let late = TimeWindow { start: *times.last().unwrap(), end: second(1_000) };
    let what = Verification { during: Some(late), ..all(&policy) };
    let report = verify_folder(&source, &what, &mut ignore).unwrap();
    assert!(report.is_sound() && report.leaves > 0, "{:?}", report.problems);
}

#[test]
fn a_receipt_proves_its_own_private_fields_and_nothing_else() {
    let (_dir, log) = folder(500);
    let random = handfast_model::SeededRandom::new(3);
    let opening = Opening::new(b"left palm of somebody", &random).unwrap();
    let mut wanted = draft(0);
    wanted.commitment = opening.commitment();
    let promise = log.append(wanted).unwrap();
    assert!(matches!(log.prove(promise.index()), Err(LogError::NotYet { .. })));
    log.publish().unwrap();
    let leaf = log.leaf(promise.index()).unwrap();
    let proof = log.prove(promise.index()).unwrap();
    let receipt = proof.clone().into_receipt(&leaf, &opening);
    let (text, now) = (receipt.to_string(), clock().now());
    let again = Receipt::parse(text.as_bytes()).unwrap();
    assert_eq!(again, receipt);
    let proven = again.verify(&policy(), now).unwrap();
    assert_eq!((proven.index, proven.size), (500, 501));
    let other = Opening::new(b"left palm of somebody else", &random).unwrap();
    let forged = proof.clone().into_receipt(&leaf, &other);
    assert_eq!(forged.verify(&policy(), now), Err(ProofError::Opening));
    // A leaf that opens but is not in the log.
    let mut invented = draft(1);
    invented.commitment = other.commitment();
    let invented = handfast_tlog::Leaf::new(now, invented);
    let forged = proof.into_receipt(&invented, &other);
    assert!(matches!(forged.verify(&policy(), now), Err(ProofError::Tree(_))));
    for cut in (0..text.len()).step_by(7) {
        let cut = Receipt::parse(&text.as_bytes()[..cut]);
        assert!(cut.and_then(|receipt| receipt.verify(&policy(), now)).is_err());
    }
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        if let Ok(changed) = Receipt::parse(&bytes) {
            assert!(changed.verify(&policy(), now).is_err(), "byte {at}");
        }
    }
}
