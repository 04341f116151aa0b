//! A backup of a service that goes on, and a service that starts from it.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::{Running, run};

/// A demo with its stations.
struct Demo(Running);

impl Demo {
    fn start(data: &Path) -> Self {
        Self(Running::on("demo", data, &[]))
    }

    fn ask(&self, path: &str, key: &str, body: Option<Value>) -> Value {
        let url = format!("{}/api/v1{path}", self.0.url);
        let key = format!("Bearer {key}");
        let answer = match body {
            Some(body) => ureq::post(url).header("authorization", key).send_json(body),
            None => ureq::post(url).send_empty(),
        };
        answer.unwrap().body_mut().read_json().unwrap()
    }

    fn codes(&self) -> Vec<String> {
        let evening: Value = serde_json::from_str(&self.0.get("/api/v1/demo")).unwrap();
        let tickets = evening["fans"][1]["tickets"].as_array().unwrap();
        tickets.iter().map(|ticket| ticket["code"].as_str().unwrap().to_owned()).collect()
    }

    fn redeem(&self, code: &str) -> String {
        let key = self.ask("/demo/stations/scan/key", "", None);
        let scan = json!({ "code": code, "nonce": format!("backup-{}", fresh(code)) });
        let verdict = self.ask("/admissions", key["api_key"].as_str().unwrap(), Some(scan));
        verdict["outcome"].as_str().unwrap().to_owned()
    }
}

/// A nonce for each question: the process's own count, so that no question repeats another.
fn fresh(code: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", &code[code.len() - 6..], NEXT.fetch_add(1, Ordering::Relaxed))
}

fn backup(to: &Path, data: &Path) -> Output {
    let arguments = ["backup", to.to_str().unwrap(), "--data", data.to_str().unwrap(), "--json"];
    run(&arguments)
}

#[test]
fn a_service_starts_from_a_copy_made_while_it_ran() {
    let dir = tempfile::tempdir().unwrap();
    let (data, copy) = (dir.path().join("data"), dir.path().join("copy"));
    let demo = Demo::start(&data);
    let codes = demo.codes();
    assert_eq!(demo.redeem(&codes[0]), "ok");
    let output = backup(&copy, &data);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["log_leaves"].as_u64() > Some(0), "{report}");
    assert_eq!(demo.redeem(&codes[1]), "ok");
    drop(demo);

    let restored = Demo::start(&copy);
    assert_eq!(restored.redeem(&codes[0]), "already_redeemed", "what was done before is there");
    assert_eq!(restored.redeem(&codes[1]), "ok", "what was done after is not");
}

#[test]
fn a_copy_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let (data, copy) = (dir.path().join("data"), dir.path().join("copy"));
    drop(Demo::start(&data));
    assert_eq!(backup(&copy, &data).status.code(), Some(0));
    let mut folders = vec![copy];
    while let Some(folder) = folders.pop() {
        assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o077, 0, "{folder:?}");
        for entry in folder.read_dir().unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0),
            }
        }
    }
}

#[test]
fn what_cannot_be_a_backup_is_wrong_use() {
    let dir = tempfile::tempdir().unwrap();
    let (data, empty) = (dir.path().join("data"), dir.path().join("empty"));
    std::fs::create_dir(&empty).unwrap();
    drop(Demo::start(&data));
    for (to, from, needle) in [
        (dir.path().join("copy"), dir.path().join("nowhere"), "is no folder"),
        (dir.path().join("copy"), empty.clone(), "holds no database"),
        (empty, data.clone(), "is there already"),
        (data.join("copy"), data.clone(), "lies in the data folder"),
        (data.join("a/b/../../copy"), data, "lies in the data folder"),
    ] {
        let output = backup(&to, &from);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(needle), "{said}");
    }
    assert!(!dir.path().join("copy").exists());
    assert!(!dir.path().join("copy.unfinished").exists());
}
