//! The command line and the service as processes of their own: started, asked, cut off, killed.
#![expect(clippy::unwrap_used, reason = "a step that fails fails its test")]

mod backup;
mod company;
mod demo;
mod lane;
mod log;
mod vault;
mod wrong_input;

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// A process of ours, stopped with the test as by a power cut.
struct Running {
    child: Child,
    /// What it said when it was ready.
    ready: Value,
    url: String,
}

impl Running {
    /// Starts a command that says in one line of JSON when it answers.
    fn start(arguments: &[&str]) -> Self {
        let mut child = handfast(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|error| {
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("{arguments:?}: {error}\n{said}")
        });
        let url = ready["url"].as_str().unwrap_or_default().to_owned();
        Self { child, ready, url }
    }

    /// `serve` or `demo` on a data folder and a free port.
    fn on(command: &str, data: &Path, more: &[&str]) -> Self {
        let mut arguments = vec![command, "--json", "--listen", "127.0.0.1:0", "--data"];
        arguments.push(data.to_str().unwrap());
        arguments.extend(more);
        Self::start(&arguments)
    }

    fn get(&self, path: &str) -> String {
        let url = format!("{}{path}", self.url);
        ureq::get(url).call().unwrap().body_mut().read_to_string().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn handfast(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_handfast"));
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::piped());
    command.env("HANDFAST_LOG", "error");
    command
}

fn run(arguments: &[&str]) -> Output {
    handfast(arguments).output().unwrap()
}
