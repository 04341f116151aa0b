//! The command line: what every command shares. One file a command below `cli/`.

mod backup;
mod bench;
mod calibrate;
mod company;
mod compare;
mod demo;
mod disclose;
mod encode;
mod eval;
mod folder;
mod import;
mod lane;
mod liveness;
mod openapi;
mod picture_file;
mod policies;
mod redeem;
mod rehearse;
mod runtime;
mod scan_cards;
mod serve;
mod server_url;
mod stopwatch;
mod synth;
mod vault;
pub(crate) mod verify;
mod witness;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

/// The exit code of wrong use, as clap has it for wrong arguments.
const WRONG_USE: u8 = 2;
/// The exit code of a negative answer.
const NEGATIVE: u8 = 1;

/// Open palm identity: link a palm, enter, pay, delete.
#[derive(Debug, Parser)]
#[command(name = "handfast", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done; for a question, the answer is yes
  1  done, and the answer is no: no match, a picture refused
  2  wrong use, or an input that cannot be read; the message says what to do";

/// One line and one file a command: add the next one here and in [`run_command`].
#[derive(Debug, Subcommand)]
enum Command {
    /// Find the palm in a picture and say what the engine makes of it
    Encode(encode::Encode),
    /// Compare two pictures or template files of a palm
    Compare(compare::Compare),
    /// Measure error rates over folders of palms
    Eval(eval::Eval),
    /// Find the threshold that a wanted error asks for
    Calibrate(calibrate::Calibrate),
    /// Measure how well living hands are told from artefacts
    Liveness(liveness::LivenessCommand),
    /// Draw procedural hands as pictures and videos
    Synth(synth::Synth),
    /// Run the service on a data folder
    Serve(serve::Serve),
    /// Live an evening on this machine: everything seeded, everything running
    Demo(demo::DemoCommand),
    /// Redeem a ticket by its code, as an agent's scan does
    Redeem(redeem::Redeem),
    /// Play an evening of a venue against real processes, in compressed time
    Rehearse(rehearse::Rehearse),
    /// Run a lane that goes on deciding when the service does not answer
    Lane(lane::Lane),
    /// Set a ticketing company up, and who works there
    Company(company::CompanyCommand),
    /// Import tickets from a CSV file
    Import(import::Import),
    /// Copy a data folder while it is in use
    Backup(backup::Backup),
    /// Look for card numbers in logs, databases and test output
    ScanCards(scan_cards::ScanCards),
    /// Check a transparency log or a receipt, without believing the service
    Verify(verify::Verify),
    /// Run a witness: cosign what continues the logs seen before
    Witness(witness::WitnessCommand),
    /// Show what there is about a person, and log that it was demanded
    Disclose(disclose::Disclose),
    /// Print how long palms are kept, by law and by policy, with sources
    Policies(policies::Policies),
    /// Run and look after the nodes of a split vault
    Vault(vault::VaultCommand),
    /// Measure how long things take on this machine
    Bench(bench::Bench),
    /// Print the OpenAPI document of the service
    #[command(name = "openapi")]
    OpenApi(openapi::OpenApiCommand),
    /// Print who may call which route
    Routes(openapi::Routes),
}

fn run_command(command: Command, out: &mut dyn Write) -> anyhow::Result<Answer> {
    match command {
        Command::Encode(encode) => encode.run(out),
        Command::Compare(compare) => compare.run(out),
        Command::Eval(eval) => eval.run(out),
        Command::Calibrate(calibrate) => calibrate.run(out),
        Command::Liveness(liveness) => liveness.run(out),
        Command::Synth(synth) => synth.run(out),
        Command::Serve(serve) => serve.run(out),
        Command::Demo(demo) => demo.run(out),
        Command::Redeem(redeem) => redeem.run(out),
        Command::Rehearse(rehearse) => rehearse.run(out),
        Command::Lane(lane) => lane.run(out),
        Command::Company(company) => company.run(out),
        Command::Import(import) => import.run(out),
        Command::Backup(backup) => backup.run(out),
        Command::ScanCards(scan) => scan.run(out),
        Command::Verify(verify) => verify.run(out),
        Command::Witness(witness) => witness.run(out),
        Command::Disclose(disclose) => disclose.run(out),
        Command::Policies(policies) => policies.run(out),
        Command::Vault(vault) => vault.run(out),
        Command::Bench(bench) => bench.run(out),
        Command::OpenApi(openapi) => openapi.run(out),
        Command::Routes(routes) => routes.run(out),
    }
}

/// What a command came to, where it went well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done; yes.
    Positive,
    /// Done; no.
    Negative,
}

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let mut out = io::stdout().lock();
    let result = run_command(cli.command, &mut out)
        .and_then(|answer| out.flush().map(|()| answer).map_err(Into::into));
    match result {
        Ok(Answer::Positive) => ExitCode::SUCCESS,
        Ok(Answer::Negative) => ExitCode::from(NEGATIVE),
        // Whoever reads has read enough (`handfast eval ... | head`).
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Where even stderr is gone, the exit code is all that is left to say it.
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::from(WRONG_USE)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// Prints a value as JSON, for a command's `--json`.
fn print_json(out: &mut dyn Write, value: &impl serde::Serialize) -> anyhow::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value).context("the answer could not be printed")?;
    writeln!(out)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_of_a_command_line_is_printed() {
        for line in [
            "redeem HF1.X --api-key swordfish",
            "lane --api-key swordfish",
            "lane --code swordfish",
            "serve --database postgres://u:swordfish@h/d",
            "serve --mail-from a@b.example --mail-server smtps://u:swordfish@h",
            "demo --database postgres://u:swordfish@h/d",
            "import f.csv --database postgres://u:swordfish@h/d",
            "company link a@b.example --database postgres://u:swordfish@h/d",
            "verify data --database postgres://u:swordfish@h/d",
            "bench redeem --danger-database postgres://u:swordfish@h/d",
            "bench charge --danger-database postgres://u:swordfish@h/d",
        ] {
            let command = Cli::try_parse_from(["handfast"].into_iter().chain(line.split(' ')));
            let printed = format!("{:?}", command.unwrap());
            assert!(!printed.contains("swordfish"), "{line}: {printed}");
        }
    }
}
