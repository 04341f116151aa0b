//! The binary: command line, configuration, HTTP, wiring. It decides nothing of the domain.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
