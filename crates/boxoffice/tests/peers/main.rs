//! One table of redemption scenarios, run against our admission engine and a real pretix.
//!
//! Goal: every reason in pretix's vocabulary, re-entry, exits, anti-passback, groups, windows, with
//! the outcomes side by side. A failure: an outcome of ours that is not the table's; a pretix that
//! answers other than the table says; a difference without an explanation.
//!
//! Ours always runs. A pretix runs where one answers at `HANDFAST_PRETIX` (default
//! `http://127.0.0.1:8345`, started by ../shared/peers/pretix/run.sh, whose folder `PEERS_HOME`
//! names); elsewhere the test says that it skips. `HANDFAST_WRITE_DOCS=1` writes the table into
//! docs/ticketing.md.

#![expect(clippy::unwrap_used, reason = "a step that fails fails its test")]

mod ours;
mod pretix;
mod rate;
mod scenarios;
mod table;

use handfast_store::testing::TestStore;

use crate::scenarios::SCENARIOS;

#[test]
fn scenarios_come_out_as_the_table_says() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ours = runtime.block_on(async {
        let home = TestStore::sqlite().await;
        let outcomes = ours::run_all(home.store.clone(), SCENARIOS).await;
        home.remove().await;
        outcomes
    });
    let theirs = match pretix::Pretix::connect() {
        Some(pretix) => Some(pretix.run_all(SCENARIOS)),
        None => {
            println!("skipped the peer: no pretix answers; start peers/pretix/run.sh");
            None
        }
    };
    for (number, scenario) in SCENARIOS.iter().enumerate() {
        let name = scenario.name;
        let wanted: Vec<&str> = scenario.steps.iter().map(|step| step.ours).collect();
        assert_eq!(ours[number], wanted, "ours: {name}");
        if let Some(theirs) = &theirs {
            let wanted: Vec<&str> = scenario.steps.iter().map(|step| step.theirs).collect();
            assert_eq!(theirs[number], wanted, "pretix: {name}");
        }
        let differs = scenario.steps.iter().any(|step| !step.is_alike());
        assert_eq!(differs, !scenario.because.is_empty(), "explain, or do not: {name}");
    }
    if theirs.is_some() && std::env::var_os("HANDFAST_WRITE_DOCS").is_some() {
        table::write();
    }
}

#[test]
fn the_documents_table_is_this_table() {
    assert_eq!(table::committed(), table::markdown(), "run with HANDFAST_WRITE_DOCS=1");
}
