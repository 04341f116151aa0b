//! A witness cosigns what continues what it has seen, and nothing else; a log with a quorum proves
//! from cosigned checkpoints alone.

use std::sync::Arc;

use handfast_model::Clock;
use handfast_tlog::{
    AddCheckpoint, AtOpen, Disk, Folder, Log, LogConfig, LogError, TrustError, Witness,
    WitnessError, WitnessRefusal, verify_folder,
};

use crate::common::{all, clock, config, cosigner, draft, drafts, group, ignore, log_key};
use crate::sim_disk::{Fault, SimDisk};

fn witness(disk: &Arc<SimDisk>) -> Witness {
    let logs = vec![log_key().public().clone()];
    Witness::open(disk.clone(), cosigner("witness.example.net", 7), logs, clock()).unwrap()
}

fn log_of(leaves: &[std::ops::Range<u64>]) -> Log {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let log = Log::open(disk, config(AtOpen::CheckEverything), clock()).unwrap();
    for range in leaves {
        log.append_all(drafts(range.start, range.end)).unwrap();
        log.publish().unwrap();
    }
    log
}

#[test]
fn a_witness_follows_a_log_and_refuses_every_other_story() {
    let disk = Arc::new(SimDisk::new(2));
    let log = log_of(&[0..300]);
    let first = witness(&disk);
    let status = |result: Result<String, WitnessRefusal>| result.unwrap_err().http_status();
    assert!(first.add_checkpoint(&log.request_to_witness(0).unwrap()).is_ok());
    assert_eq!(first.seen(log_key().public().name()), Some(300));
    // A restart forgets nothing.
    drop(first);
    disk.restart();
    let again = witness(&disk);
    assert_eq!(status(again.add_checkpoint(&log.request_to_witness(0).unwrap())), 409);
    assert!(again.add_checkpoint(&log.request_to_witness(300).unwrap()).is_ok(), "once more");
    let forked = log_of(&[0..299, 1_000..1_001]);
    let refused = again.add_checkpoint(&forked.request_to_witness(300).unwrap());
    assert!(matches!(refused, Err(WitnessRefusal::Forked { size: 300 })));
    let longer = log_of(&[0..299, 1_000..1_200]);
    assert_eq!(status(again.add_checkpoint(&longer.request_to_witness(300).unwrap())), 422);
    let shorter = log_of(&[0..200]);
    let mut request = shorter.request_to_witness(200).unwrap();
    assert_eq!(status(again.add_checkpoint(&request)), 409);
    request.old = 300;
    assert_eq!(status(again.add_checkpoint(&request)), 400);
    log.append_all(drafts(300, 900)).unwrap();
    log.publish().unwrap();
    let request = log.request_to_witness(300).unwrap();
    let mut cut = request.clone();
    cut.proof.pop();
    assert_eq!(status(again.add_checkpoint(&cut)), 422);
    assert_eq!(again.seen(log_key().public().name()), Some(300), "a refusal changes nothing");
    let body = request.to_string();
    assert_eq!(AddCheckpoint::parse(body.as_bytes()).unwrap(), request);
    assert!(again.add_checkpoint(&request).is_ok());
    let resigned = body.replace("\n900\n", "\n901\n");
    let resigned = AddCheckpoint::parse(resigned.as_bytes()).unwrap();
    assert_eq!(status(again.add_checkpoint(&resigned)), 403);
    let nobody = Witness::open(disk, cosigner("w", 8), vec![], clock()).unwrap();
    assert_eq!(status(nobody.add_checkpoint(&request)), 404);
}

#[test]
fn a_witness_never_cosigns_what_it_could_not_store_and_never_starts_over() {
    let log = log_of(&[0..5]);
    let request = log.request_to_witness(0).unwrap();
    let forked = log_of(&[100..105]).request_to_witness(0).unwrap();
    for at in 0..8 {
        let disk = Arc::new(SimDisk::new(at));
        disk.plan(at, Fault::Crash);
        let cosigned = witness(&disk).add_checkpoint(&request).is_ok();
        disk.restart();
        let again = witness(&disk);
        if cosigned {
            assert!(again.add_checkpoint(&forked).is_err(), "crash at {at}");
        }
    }
    let disk = Arc::new(SimDisk::new(1));
    witness(&disk).add_checkpoint(&request).unwrap();
    let path = format!("seen/{}", disk.list("seen").unwrap()[0]);
    disk.set_len(&path, 9).unwrap();
    let logs = vec![log_key().public().clone()];
    let opened = Witness::open(disk, cosigner("w", 8), logs, clock());
    assert!(matches!(opened, Err(WitnessError::Damaged { .. })));
}

#[test]
fn malformed_requests_are_refused() {
    let body = log_of(&[0..5]).request_to_witness(0).unwrap().to_string();
    for broken in [
        String::new(),
        body.replace("old 0", "old 00"),
        body.replace("old 0", "old -1"),
        body.replace("old 0", "new 0"),
        body.replace("old 0\n", "old 0\nAAAA\n"),
        body.replace(
            "old 0\n",
            &format!("old 0\n{}", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n".repeat(64)),
        ),
        body[..body.len() / 2].to_owned(),
    ] {
        let refusal = AddCheckpoint::parse(broken.as_bytes()).unwrap_err();
        assert_eq!(refusal.http_status(), 400, "{broken}");
    }
}

#[test]
fn a_log_with_a_quorum_proves_what_enough_have_cosigned() {
    let dir = tempfile::tempdir().unwrap();
    let names = ["node.a", "node.b", "node.c"];
    let nodes: Vec<_> = (10..).zip(names).map(|(seed, name)| cosigner(name, seed)).collect();
    let cosigners = || vec![group("nodes", &nodes.iter().collect::<Vec<_>>(), 2)];
    let open = || {
        let disk = Arc::new(Folder::exclusive(dir.path()).unwrap());
        let at_open = AtOpen::CheckEverything;
        Log::open(disk, LogConfig { key: log_key(), cosigners: cosigners(), at_open }, clock())
            .unwrap()
    };
    let log = open();
    let witnesses: Vec<Witness> = nodes
        .iter()
        .map(|node| {
            let logs = vec![log_key().public().clone()];
            Witness::open(Arc::new(SimDisk::new(1)), node.clone(), logs, clock()).unwrap()
        })
        .collect();
    let promise = log.append(draft(0)).unwrap();
    log.publish().unwrap();
    let request = log.request_to_witness(0).unwrap();
    assert_eq!(log.add_cosignatures(&witnesses[0].add_checkpoint(&request).unwrap()).unwrap(), 1);
    assert!(matches!(log.prove(0), Err(LogError::NotYet { what: "cosigned", .. })));
    // A newer checkpoint does not make the second answer, which is for the older one, worthless.
    log.append(draft(1)).unwrap();
    log.publish().unwrap();
    assert!(log.add_cosignatures("\u{2014} nobody AAAAAAAA\n").is_err());
    log.add_cosignatures(&witnesses[2].add_checkpoint(&request).unwrap()).unwrap();
    let status = log.status();
    assert_eq!((status.promised, status.signed, status.cosigned), (2, 2, 1));
    let proof = log.prove(0).unwrap();
    let proven = proof.verify(promise.leaf(), log.policy(), clock().now()).unwrap();
    let names: Vec<&str> = proven.cosigned.iter().map(|by| by.name.as_str()).collect();
    assert_eq!((names, proven.size), (vec!["node.a", "node.c"], 1));
    // Whoever trusts another quorum does not trust this proof.
    let strict = handfast_tlog::TrustPolicy::new(
        log_key().public().clone(),
        vec![group("nodes", &nodes.iter().collect::<Vec<_>>(), 3)],
    );
    let refused = strict.unwrap().check(proof.checkpoint(), clock().now());
    assert!(matches!(refused, Err(TrustError::Quorum { got: 2, needed: 3, .. })));
    // It stays so across a restart, and the folder verifies with the cosigned checkpoint.
    let policy = log.policy().clone();
    drop(log);
    assert_eq!(open().status().cosigned, 1);
    let source = Folder::read_only(dir.path());
    let report = verify_folder(&source, &all(&policy), &mut ignore).unwrap();
    assert!(report.is_sound() && report.size == 1 && report.cosigned.len() == 2);
}
