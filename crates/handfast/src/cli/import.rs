//! `handfast import`: tickets from a CSV file into a service's box office.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;
use handfast_boxoffice::{BoxOffice, ImportReport};
use handfast_model::{SecretText, SystemClock, SystemRandom};
use handfast_store::Store;

use super::company::chosen;
use super::runtime::block_on;
use super::{Answer, print_json};

/// Arguments of `handfast import`.
#[derive(Debug, Args)]
pub struct Import {
    /// The CSV file: order, event, product, name, email; and where wanted code, state, people,
    /// valid_from, valid_until
    file: PathBuf,
    /// List every bad row and write nothing
    #[arg(long)]
    dry_run: bool,
    /// The company that sold them, where there are several: its name or id
    #[arg(long, value_name = "NAME")]
    company: Option<String>,
    /// The data folder
    #[arg(long, default_value = "data", value_name = "DIR")]
    data: PathBuf,
    /// A PostgreSQL database instead of the data folder's SQLite file
    #[arg(long, value_name = "URL", env = "HANDFAST_DATABASE", hide_env_values = true)]
    database: Option<SecretText>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Import {
    /// Imports and prints what was found.
    pub fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let file = std::fs::read(&self.file)
            .with_context(|| format!("{} cannot be read", self.file.display()))?;
        let report = block_on(self.import(&file))?;
        if self.json {
            print_json(out, &report)?;
        } else {
            self.print(out, &report)?;
        }
        Ok(if report.bad.is_empty() { Answer::Positive } else { Answer::Negative })
    }

    async fn import(&self, file: &[u8]) -> anyhow::Result<ImportReport> {
        let database = match &self.database {
            Some(url) => url.expose().to_owned(),
            None => {
                let path = self.data.join("boxoffice.db");
                if !path.exists() {
                    bail!("{} is not there; name the data folder with --data", path.display());
                }
                format!("sqlite:{}", path.display())
            }
        };
        let store = Store::connect(&database).await.context("the database cannot be opened")?;
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
        let boxoffice = BoxOffice::open(store, clock, random, "").await?;
        let company = chosen(boxoffice.companies().await?, self.company.as_deref())?;
        let progress = |done: usize, all: usize| {
            // Where nobody listens any more the import goes on.
            drop(writeln!(std::io::stderr(), "{done} of {all} orders"));
        };
        Ok(boxoffice.import_tickets(company.id, file, self.dry_run, progress).await?)
    }

    fn print(&self, out: &mut dyn Write, report: &ImportReport) -> anyhow::Result<()> {
        for row in &report.bad {
            writeln!(out, "line {}: {}", row.line, row.reason)?;
        }
        let ImportReport { rows, orders, tickets, already_there, .. } = report;
        let done = match (report.imported, report.bad.len()) {
            (true, _) => "imported".to_owned(),
            (false, 0) => "would be imported".to_owned(),
            (false, bad) => format!("nothing was imported: {bad} bad rows; of the others"),
        };
        writeln!(
            out,
            "{rows} rows: {done} {tickets} tickets of {orders} orders; {already_there} orders were there"
        )?;
        Ok(())
    }
}
