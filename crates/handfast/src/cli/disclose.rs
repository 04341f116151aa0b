//! `handfast disclose`: what there is about a person, and what of it an authority could get from
//! whom. Each run leaves a leaf in the public log, which counts demands and names nobody.

use std::io::Write;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use handfast_boxoffice::{Account, EmailAddress, WideAct};
use handfast_tlog::{DemandOutcome, PublicText};
use serde_json::{Value, json};

use super::company::chosen;
use super::runtime::block_on;
use super::serve::Place;
use super::{Answer, print_json};
use crate::http::json::rfc3339;
use crate::hub::Hub;

/// Arguments of `handfast disclose`.
#[derive(Debug, Args)]
pub struct Disclose {
    /// The mail addresses of the people's accounts
    #[arg(required = true, value_name = "ADDRESS")]
    people: Vec<EmailAddress>,
    /// Under whose law it is demanded, for example US-CO
    #[arg(long, value_name = "LAW")]
    law: String,
    /// What becomes of the demand
    #[arg(long, value_enum)]
    outcome: Outcome,
    /// About more than one person: the number of the request that a second operator approved at the
    /// console
    #[arg(long, value_name = "NUMBER")]
    approval: Option<i64>,
    /// Whose request it is, where there are several companies
    #[arg(long, value_name = "COMPANY")]
    company: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What became of a demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Outcome {
    /// It arrived; nothing is decided
    Received,
    /// Nothing is handed over
    Refused,
    /// What is printed is handed over
    Answered,
}

impl Disclose {
    /// Prints what there is, once the demand's leaf is in the log; the answer is no where nobody has
    /// one of these addresses.
    pub fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let data = self.place.data.display();
        if !self.place.data.is_dir() {
            anyhow::bail!("{data} is no folder; name the service's data folder with --data");
        }
        // Opening would begin a service there, and count the demand in a log that nobody reads.
        if !self.place.data.join("log").is_dir() {
            anyhow::bail!("{data} holds no log; name the service's data folder with --data");
        }
        let law = PublicText::new(&self.law).context("--law is a short name such as US-CO")?;
        let outcome = match self.outcome {
            Outcome::Received => DemandOutcome::Received,
            Outcome::Refused => DemandOutcome::Refused,
            Outcome::Answered => DemandOutcome::Answered,
        };
        block_on(async {
            let hub = self.place.settings(self.place.listen).open(None).await.context(
                "the data folder cannot be opened; where a service runs on it, stop that first: \
                 two programs must not write one log",
            )?;
            self.check_approval(&hub).await?;
            // A demand about somebody who is not here is a demand all the same.
            let mut accounts = Vec::new();
            for email in &self.people {
                accounts.push(hub.boxoffice.account_by_email(email).await?);
            }
            let known = accounts.iter().flatten().count();
            hub.note_demand(law, outcome, known)
                .await
                .context("without its leaf nothing is shown")?;
            hub.trust.publish().await?;
            let leaf = hub.trust.status().promised.saturating_sub(1);
            let mut shown = Vec::new();
            for account in &accounts {
                shown.push(self.shown(&hub, account.as_ref()).await?);
            }
            // About one person it is that person's.
            let shown = if shown.len() == 1 { shown.remove(0) } else { Value::Array(shown) };
            if self.json {
                print_json(out, &json!({ "leaf": leaf, "about": shown }))?;
            } else {
                writeln!(out, "Leaf {leaf} of the public log counts this demand.")?;
                writeln!(out, "{}", serde_json::to_string_pretty(&shown)?)?;
            }
            Ok(if known == accounts.len() { Answer::Positive } else { Answer::Negative })
        })
    }

    /// About more than one person a second operator has approved it; each approval serves once.
    async fn check_approval(&self, hub: &Hub) -> anyhow::Result<()> {
        if self.people.len() < 2 {
            return Ok(());
        }
        let number = self.approval.context(
            "what there is about several people takes two operators: one asks at the console under \
             \"Four eyes\", another approves, and --approval names the request",
        )?;
        let company = chosen(hub.boxoffice.companies().await?, self.company.as_deref())?;
        let people = u32::try_from(self.people.len()).unwrap_or(u32::MAX);
        let act = WideAct::Disclose { people };
        let used = hub.boxoffice.use_approval(company.id, number, &act).await;
        used.with_context(|| format!("request {number} does not allow this for {people} people"))
    }

    async fn shown(&self, hub: &Hub, account: Option<&Account>) -> anyhow::Result<Value> {
        match (account, self.outcome) {
            (None, _) => Ok(json!({ "account": "there is none with this mail address" })),
            (Some(_), Outcome::Refused) => Ok(json!({ "handed_over": "nothing" })),
            (Some(account), Outcome::Received | Outcome::Answered) => about(hub, account).await,
        }
    }
}

/// Everything that the parts of this installation hold about a person, by who holds it.
async fn about(hub: &Hub, account: &Account) -> anyhow::Result<Value> {
    let links = hub.boxoffice.links(account.id).await?;
    let ever = hub.boxoffice.links_ever(account.id).await?;
    let uses = hub.boxoffice.uses(account.id).await?;
    let consents = hub.boxoffice.consents(account.id).await?;
    let payments = hub.till.money_uses(account.id).await?;
    let wallet = hub.till.wallet(account.id).await?;
    let mut leaves = 0;
    for link in &ever {
        leaves += hub.trust.receipts(*link).await?.len();
    }
    let palms: usize = links.iter().map(|link| link.palms.len()).sum();
    Ok(json!({
        "operator": {
            "account": { "name": account.name, "email": account.email.as_str() },
            "tickets_used": uses.iter().map(|one| json!({
                "at": rfc3339(one.at), "event": one.event_name, "venue": one.venue_name,
            })).collect::<Vec<_>>(),
            "palm_links": links.iter().map(|link| json!({
                "state": link.state.as_str(),
                "hands": link.palms.iter().map(|palm| palm.side.as_str()).collect::<Vec<_>>(),
                "linked_at": rfc3339(link.created_at),
                "until": link.consent.until.map(rfc3339),
            })).collect::<Vec<_>>(),
            "palm_links_deleted": ever.len() - links.len(),
            "consents": consents.iter().map(|consent| json!({
                "text": consent.text_version, "given_at": rfc3339(consent.given_at),
                "withdrawn_at": consent.withdrawn_at.map(rfc3339),
            })).collect::<Vec<_>>(),
            "payments": payments.len(),
            "wallet": wallet.is_some(),
            "openings_of_log_leaves": leaves,
        },
        "vault": vault_part(hub, palms),
    }))
}

/// What the vault's machines hold of so many palms, alone and together.
fn vault_part(hub: &Hub, palms: usize) -> Value {
    match hub.vault.status().nodes {
        Some(_) => json!({
            "one_node_alone": format!(
                "for {palms} palms: random numbers (its share), galleries and times by pseudonymous \
                 slot; no palm and no name"
            ),
            "two_nodes_together": format!("{palms} templates of palms; no picture, no name"),
        }),
        None => json!({
            "one_machine": format!(
                "{palms} templates of palms, sealed on disk and in clear in memory; no picture"
            ),
        }),
    }
}
