//! `handfast company`: the first steps of a ticketing company in a data folder, which the console then
//! takes over: the company itself, and staff who sign in by mail.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand};
use handfast_boxoffice::{BoxOffice, Company, EmailAddress, Language, Realm, Role};
use handfast_model::{SecretText, SystemClock, SystemRandom};
use handfast_store::Store;

use super::runtime::block_on;
use super::{Answer, print_json, server_url};
use crate::serve::make_private_dir;

/// Arguments of `handfast company`.
#[derive(Debug, Args)]
pub struct CompanyCommand {
    #[command(subcommand)]
    step: Step,
    /// The data folder; `found` makes it where there is none
    #[arg(long, default_value = "data", value_name = "DIR", global = true)]
    data: PathBuf,
    /// A PostgreSQL database instead of the data folder's SQLite file
    #[arg(
        long,
        value_name = "URL",
        env = "HANDFAST_DATABASE",
        hide_env_values = true,
        global = true
    )]
    database: Option<SecretText>,
    /// Where people reach the pages; the sign-in link points there
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL", global = true, value_parser = server_url::parse)]
    public_url: String,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

/// A step.
#[derive(Debug, Subcommand)]
enum Step {
    /// Found a company with its first operator
    Found {
        /// The company's name, as people know it
        name: String,
        /// The operator's mail address
        #[arg(long, value_name = "ADDRESS")]
        operator: EmailAddress,
        /// The operator's name
        #[arg(long, value_name = "NAME")]
        operator_name: String,
    },
    /// Add somebody who works for a company
    Staff {
        /// Their mail address
        email: EmailAddress,
        /// Their name
        #[arg(long)]
        name: String,
        /// operator, supervisor, steward or clerk
        #[arg(long)]
        role: Role,
        /// The company, where there are several: its name or id
        #[arg(long, value_name = "NAME")]
        company: Option<String>,
    },
    /// Make a sign-in link for somebody who works here, where no mail server sends it
    Link {
        /// Their mail address
        email: EmailAddress,
    },
}

impl CompanyCommand {
    /// Takes the step and prints what was made.
    pub fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        block_on(async {
            let office = self.open().await?;
            let email = match &self.step {
                Step::Found { name, operator, operator_name } => {
                    let company = office.create_company(name).await?;
                    let role = Role::Operator;
                    let language = Language::English;
                    let made = office
                        .create_staff_user(company.id, operator, operator_name, role, language)
                        .await;
                    made.context("the company is there, its operator not yet: add one by `staff`")?;
                    operator
                }
                Step::Staff { email, name, role, company } => {
                    let company = chosen(office.companies().await?, company.as_deref())?;
                    let language = Language::English;
                    office.create_staff_user(company.id, email, name, *role, language).await?;
                    email
                }
                Step::Link { email } => email,
            };
            office.request_sign_in(email, Realm::Staff).await?;
            let link = sign_in_link(&office, email).await?;
            if self.json {
                print_json(out, &serde_json::json!({ "sign_in": link }))?;
            } else {
                writeln!(out, "sign in once, within 15 minutes of now: {link}")?;
            }
            Ok(Answer::Positive)
        })
    }

    async fn open(&self) -> anyhow::Result<BoxOffice> {
        let database = match &self.database {
            Some(url) => url.expose().to_owned(),
            None => {
                let file = self.data.join("boxoffice.db");
                match self.step {
                    Step::Found { .. } => make_private_dir(&self.data)?,
                    Step::Staff { .. } | Step::Link { .. } => ensure!(
                        file.exists(),
                        "{} is not there; name the data folder with --data, or begin one with \
                         `handfast company found`",
                        file.display()
                    ),
                }
                format!("sqlite:{}", file.display())
            }
        };
        let store = Store::connect(&database).await.context("the database cannot be opened")?;
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
        Ok(BoxOffice::open(store, clock, random, &self.public_url).await?)
    }
}

/// The link of the newest mail to somebody. Whoever runs this command reads the database anyway.
async fn sign_in_link(office: &BoxOffice, email: &EmailAddress) -> anyhow::Result<String> {
    const NEWEST: u32 = 20;
    let mails = office.newest_mails(NEWEST).await?;
    let link = mails.into_iter().find(|mail| mail.recipient == *email).and_then(|mail| mail.link);
    link.with_context(|| {
        format!(
            "no link was made: nobody with the address {email} works here, or they got five \
                 within a quarter of an hour"
        )
    })
}

/// The company of that name or id; where there is one alone, that one.
pub(super) fn chosen(companies: Vec<Company>, wanted: Option<&str>) -> anyhow::Result<Company> {
    let names: Vec<String> = companies.iter().map(|company| company.name.clone()).collect();
    ensure!(!names.is_empty(), "no company is here yet; found one with `handfast company found`");
    let fits = |company: &Company| {
        wanted.is_none_or(|wanted| company.name == wanted || company.id.to_string() == wanted)
    };
    let mut fitting: Vec<Company> = companies.into_iter().filter(fits).collect();
    match (fitting.pop(), fitting.is_empty()) {
        (Some(company), true) => Ok(company),
        (None, _) => bail!(
            "no company here is called {}; name one with --company: {}",
            wanted.unwrap_or_default(),
            names.join(", ")
        ),
        (Some(_), false) => bail!("name one company with --company: {}", names.join(", ")),
    }
}
