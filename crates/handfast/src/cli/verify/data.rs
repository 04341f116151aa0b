//! `handfast verify data`: whether the databases still say what the log says.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use handfast_model::{Clock as _, SecretText, SystemClock};
use handfast_tlog::{Folder, Verification, verify_folder};
use handfast_trust::{CrossCheck, Discrepancy, LoggedLeaves};
use serde_json::json;

use super::{Answer, Believed, key_of};
use crate::cli::print_json;
use crate::cli::runtime::block_on;
use crate::serve::Databases;

/// How often what differs is looked at: a running service writes the database first and publishes
/// the leaf a second later.
const LOOKS_MAX: usize = 3;
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);

/// Arguments of `handfast verify data`.
#[derive(Debug, Args)]
pub struct VerifyData {
    /// The data folder
    #[arg(long, default_value = "data", value_name = "DIR")]
    data: PathBuf,
    /// The databases' address, where they are not in the data folder
    #[arg(long, value_name = "URL", env = "HANDFAST_DATABASE", hide_env_values = true)]
    database: Option<SecretText>,
    #[command(flatten)]
    believed: Believed,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl VerifyData {
    pub(super) fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let (leaves, found) = self.look()?;
        if self.json {
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            print_json(out, &json!({ "agrees": found.is_empty(), "found": found }))?;
        } else if found.is_empty() {
            writeln!(out, "The databases say what the {} leaves of the log say.", leaves.count())?;
        } else {
            for one in &found {
                writeln!(out, "differs  {one}")?;
            }
            writeln!(out, "Somebody or something changed the databases behind the log.")?;
        }
        Ok(if found.is_empty() { Answer::Positive } else { Answer::Negative })
    }

    /// Compares until nothing differs, or for as long as a running service may need to bring
    /// databases and log together.
    fn look(&self) -> anyhow::Result<(LoggedLeaves, Vec<Discrepancy>)> {
        let databases = Databases { data: self.data.clone(), url: self.database.clone() };
        let mut looks = 1;
        loop {
            let leaves = self.leaves()?;
            let found = block_on(compare(&databases, &leaves))?;
            if found.is_empty() || looks == LOOKS_MAX {
                return Ok((leaves, found));
            }
            looks += 1;
            std::thread::sleep(BETWEEN_LOOKS);
        }
    }

    /// The log's leaves, once it is known to be what was signed.
    fn leaves(&self) -> anyhow::Result<LoggedLeaves> {
        let Some(key) = &self.believed.key else {
            anyhow::bail!("give the log's public key with --key, as it reached you another way");
        };
        let policy = self.believed.policy(key_of(key)?)?;
        let now = SystemClock.now();
        let what = Verification { policy: &policy, now, during: None, previous: None };
        let mut leaves = LoggedLeaves::default();
        let folder = Folder::read_only(&self.data.join("log"));
        let report = verify_folder(&folder, &what, &mut |_, leaf| leaves.take(leaf))
            .context("the log in the data folder cannot be read")?;
        anyhow::ensure!(
            report.is_sound(),
            "the log itself is not what was signed; see `handfast verify log`"
        );
        Ok(leaves)
    }
}

/// Where the databases and a log's leaves, once these are verified, tell different stories.
pub(crate) async fn compare(
    databases: &Databases,
    leaves: &LoggedLeaves,
) -> anyhow::Result<Vec<Discrepancy>> {
    let deletions = databases.data.join("deletions");
    let mut check =
        CrossCheck::of_openings(&databases.store("trust").await?, leaves, &deletions).await?;
    for (link, consent) in databases.boxoffice().await?.living_consents().await? {
        let purposes: Vec<&str> = consent.purposes.iter().map(|one| one.as_str()).collect();
        let scope = consent.scope.map_or("", |scope| scope.as_str());
        check.living(
            link,
            &[
                ("consent", consent.id.to_string()),
                ("text version", consent.text_version.clone()),
                ("language", consent.language.as_str().to_owned()),
                ("scope", scope.to_owned()),
                ("purposes", purposes.join(",")),
            ],
        );
    }
    check.found.sort();
    Ok(check.found)
}
