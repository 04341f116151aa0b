//! The transparency log as outsiders meet it: served, copied, verified, witnessed, tampered with.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::{Running, run};

/// How often a verifier asks until a fresh checkpoint is cosigned; each question starts a process,
/// and checkpoints come every second.
const QUESTIONS_MAX: usize = 600;

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        match path.is_dir() {
            true => copy(&path, &to.join(name)),
            false => drop(fs::copy(&path, to.join(name)).unwrap()),
        }
    }
}

/// Asks until the log has published at least one leaf.
fn verified(arguments: &[&str]) -> Value {
    for _ in 0..QUESTIONS_MAX {
        let output = run(arguments);
        let Ok(report) = serde_json::from_str::<Value>(&stdout(&output)) else { continue };
        if report["leaves"].as_u64() > Some(0) {
            assert_eq!(output.status.code(), Some(0), "{report}");
            return report;
        }
    }
    panic!("{arguments:?} never saw a leaf");
}

#[test]
fn a_served_log_verifies_and_a_changed_copy_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let service = Running::on("serve", &data, &["--vault", "plain"]);
    let key = service.get("/log/key");
    let key = key.trim();
    let seen = dir.path().join("seen");
    let seen = seen.to_str().unwrap();
    let report = verified(&["verify", "log", &service.url, "--key", key, "--seen", seen, "--json"]);
    assert_eq!(report["sound"], true);
    assert_eq!(report["kinds"]["SoftwareVersion"], 1, "the program says which one it is");
    assert!(Path::new(seen).exists());

    let mirror = dir.path().join("mirror");
    copy(&data.join("log"), &mirror);
    let folder = mirror.to_str().unwrap();
    assert_eq!(
        run(&["verify", "log", folder, "--key", key, "--seen", seen]).status.code(),
        Some(0)
    );
    let bundle = fs::read_dir(mirror.join("tile/entries/000.p")).unwrap().next().unwrap();
    let bundle = bundle.unwrap().path();
    let mut bytes = fs::read(&bundle).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&bundle, bytes).unwrap();
    let changed = run(&["verify", "log", folder, "--key", key]);
    assert_eq!(changed.status.code(), Some(1), "{}", stdout(&changed));
    assert!(stdout(&changed).contains("was changed"), "{}", stdout(&changed));
    // Another log's checkpoint does not continue what was seen.
    let other = Running::on("serve", &dir.path().join("other"), &["--vault", "plain"]);
    let other_key = other.get("/log/key");
    verified(&["verify", "log", &other.url, "--key", other_key.trim(), "--json"]);
    let forked = run(&["verify", "log", &other.url, "--key", other_key.trim(), "--seen", seen]);
    assert_eq!(forked.status.code(), Some(1), "{}", stdout(&forked));
}

#[test]
fn a_witness_cosigns_what_continues() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let key = Running::on("serve", &data, &["--vault", "plain"]).get("/log/key");
    let key = key.trim().to_owned();
    let witness_data = dir.path().join("witness");
    let witness_data = witness_data.to_str().unwrap();
    let witness = Running::start(&[
        "witness",
        "--json",
        "--listen",
        "127.0.0.1:0",
        "--data",
        witness_data,
        "--log",
        &key,
    ]);
    let witness_key = witness.get("/key");
    let witness_key = witness_key.trim();
    let address = format!("{}={witness_key}", witness.url);
    let service = Running::on("serve", &data, &["--vault", "plain", "--witness", &address]);
    let arguments =
        ["verify", "log", &service.url, "--key", &key, "--witness", witness_key, "--json"];
    let report = verified(&arguments);
    assert_eq!(report["cosigned"].as_array().map(Vec::len), Some(1));
}

#[test]
fn wrong_input_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("receipt");
    fs::write(&file, "c2sp.org/tlog-proof@v1\nindex 0\n").unwrap();
    let file = file.to_str().unwrap();
    let empty = dir.path().to_str().unwrap();
    let key = "example.com/log+00000000+AAAA";
    for (arguments, needle) in [
        (vec!["verify", "receipt", file], "--key"),
        (vec!["verify", "receipt", file, "--key", key], "neither a public key"),
        (vec!["verify", "log", "nowhere"], "neither a folder nor an address"),
        (vec!["verify", "log", empty], "--key"),
        (vec!["witness", "--log", "nonsense", "--data", empty], "no log's public key"),
        (vec!["serve", "--witness", "http://x", "--data", empty], "URL=KEY"),
    ] {
        let output = run(&arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(message.contains(needle), "{arguments:?}: {message}");
        assert!(!message.contains("panicked"), "{arguments:?}: {message}");
    }
}
