//! The binary: command line, configuration, HTTP, wiring. It decides nothing of the domain.

mod cli;
mod consent_reference;
mod day_pdf;
mod demo;
mod errands;
mod http;
mod hub;
mod leaves;
mod linking;
mod local_nodes;
mod local_time;
mod money;
mod own_command;
mod panic_place;
mod post;
mod qr;
mod sales;
mod serve;
mod simulated;
mod station;
mod stations;
mod wide_acts;
mod witnesses;

fn main() -> std::process::ExitCode {
    panic_place::tell_place_only();
    cli::run()
}
