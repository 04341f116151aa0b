//! What the demo prints is followed to the letter.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::{handfast, run};

/// How often the nodes are asked: each question waits for seconds until all are there.
const QUESTIONS_MAX: usize = 6;
/// How often a node is started whose predecessor has not left yet.
const STARTS_MAX: usize = 200;

/// A process that ends with the test.
struct Ours(Child);

impl Drop for Ours {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn status(front: &Path) -> Value {
    let output = run(&["vault", "status", front.to_str().unwrap(), "--json"]);
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

#[test]
fn the_printed_command_brings_the_same_node_back() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("my data");
    let arguments = ["demo", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
    let mut demo = Ours(handfast(&arguments).stdout(Stdio::piped()).spawn().unwrap());
    let mut said = BufReader::new(demo.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = said.find(|line| line.trim_start().starts_with("node B: kill ")).unwrap();
    let (stop, restart) = line.trim().split_once("; back: ").unwrap();
    let stop = stop.strip_prefix("node B: ").unwrap();
    assert!(said.any(|line| line.contains("Ctrl-C ends it")));
    let front = data.join("nodes/front");
    let before = status(&front);
    assert_eq!((&before["ok"], &before["nodes"]["b"]["strict"]), (&true.into(), &true.into()));

    // From another folder, as from another terminal.
    let shell = |command: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(home.path());
        shell
    };
    assert!(shell(stop).status().unwrap().success());
    // The one that was told to stop may still be leaving, and then the new one says so and ends.
    let started = (0..STARTS_MAX).find_map(|_| {
        let mut node =
            Ours(shell(&format!("exec {restart}")).stdout(Stdio::piped()).spawn().unwrap());
        let mut first = String::new();
        BufReader::new(node.0.stdout.take().unwrap()).read_line(&mut first).unwrap();
        first.starts_with("Node B of the vault listens at").then_some(node)
    });
    let _node = started.unwrap_or_else(|| panic!("{restart}"));
    let mut answers = (0..QUESTIONS_MAX).map(|_| status(&front));
    let after = answers.find(|after| after["ok"] == true).unwrap();
    assert_eq!(after["nodes"]["b"]["strict"], true, "{after}");
    assert_eq!(after["nodes"]["b"]["palms"], before["nodes"]["b"]["palms"]);
}
