//! The table in docs/ticketing.md, between its two marks.

use crate::scenarios::{Deed, SCENARIOS, Step};

const BEGIN: &str = "<!-- scenarios: printed by `HANDFAST_WRITE_DOCS=1 cargo test -p handfast-boxoffice --test peers` -->\n";
const END: &str = "<!-- end of scenarios -->";
const RATE_BEGIN: &str = "<!-- rate: printed by `HANDFAST_WRITE_DOCS=1 scripts/pretix-postgres.sh cargo test -p handfast-boxoffice --test peers rate -- --ignored` -->\n";
const RATE_END: &str = "<!-- end of rate -->";

fn path() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/ticketing.md")
}

fn text() -> String {
    std::fs::read_to_string(path()).unwrap_or_default()
}

/// What the document holds between the marks.
pub fn committed() -> String {
    let text = text();
    let inside = text.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END));
    inside.map(|(table, _)| table.to_owned()).unwrap_or_default()
}

/// Writes the table where the marks are.
pub fn write() {
    write_between(BEGIN, END, &markdown());
}

/// Writes how quick both are.
pub fn write_rate(rows: &str) {
    write_between(RATE_BEGIN, RATE_END, rows);
}

fn write_between(begin: &str, end: &str, table: &str) {
    let text = text();
    let (head, rest) = text.split_once(begin).expect("docs/ticketing.md has the marks");
    let (_, tail) = rest.split_once(end).expect("docs/ticketing.md has both marks");
    std::fs::write(path(), format!("{head}{begin}{table}{end}{tail}")).unwrap();
}

/// The table.
pub fn markdown() -> String {
    let mut table =
        "| scenario | steps | Handfast | pretix | why they differ |\n|---|---|---|---|---|\n"
            .to_owned();
    for scenario in SCENARIOS {
        let words = |word: fn(&Step) -> String| {
            scenario.steps.iter().map(word).collect::<Vec<_>>().join(", ")
        };
        table.push_str(&format!(
            "| {} | {} | {} | {} | {} |\n",
            scenario.name,
            words(deed),
            words(|step| step.ours.to_owned()),
            words(|step| step.theirs.to_owned()),
            scenario.because,
        ));
    }
    table
}

fn deed(step: &Step) -> String {
    let deed = match step.deed {
        Deed::In => "in".to_owned(),
        Deed::Out => "out".to_owned(),
        Deed::InAgain => "in, same nonce".to_owned(),
        Deed::InAnswering => "in, answered".to_owned(),
        Deed::InFor(people) => format!("in for {people}"),
        Deed::Force => "force".to_owned(),
        Deed::Annul => "annul".to_owned(),
    };
    if step.minute == 0 { deed } else { format!("{deed} (+{} min)", step.minute) }
}
