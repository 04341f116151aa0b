//! The binary: command line, configuration, HTTP, wiring. It decides nothing of the domain.

mod cli;
mod demo;
mod errands;
mod http;
mod hub;
mod leaves;
mod linking;
mod qr;
mod serve;
mod simulated;
mod station;
mod stations;
mod witnesses;

fn main() -> std::process::ExitCode {
    cli::run()
}
