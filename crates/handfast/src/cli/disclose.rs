//! `handfast disclose`: what there is about a person, and what of it an authority could get from
//! whom. Each run leaves a leaf in the public log, which counts demands and names nobody.

use std::io::Write;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use handfast_boxoffice::{Account, EmailAddress};
use handfast_tlog::{DemandOutcome, PublicText};
use serde_json::{Value, json};

use super::runtime::block_on;
use super::serve::Place;
use super::{Answer, print_json};
use crate::http::json::rfc3339;
use crate::hub::Hub;

/// Arguments of `handfast disclose`.
#[derive(Debug, Args)]
pub struct Disclose {
    /// The mail address of the person's account
    person: String,
    /// Under whose law it is demanded, for example US-CO
    #[arg(long, value_name = "LAW")]
    law: String,
    /// What becomes of the demand
    #[arg(long, value_enum)]
    outcome: Outcome,
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
    /// this address.
    pub fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let email: EmailAddress =
            self.person.parse().context("name the person by the mail address of the account")?;
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
            // A demand about somebody who is not here is a demand all the same.
            let account = hub.boxoffice.account_by_email(&email).await?;
            let people = usize::from(account.is_some());
            hub.note_demand(law, outcome, people)
                .await
                .context("without its leaf nothing is shown")?;
            hub.trust.publish().await?;
            let shown = match (&account, self.outcome) {
                (None, _) => json!({ "account": "there is none with this mail address" }),
                (Some(_), Outcome::Refused) => json!({ "handed_over": "nothing" }),
                (Some(account), Outcome::Received | Outcome::Answered) => {
                    about(&hub, account).await?
                }
            };
            let leaf = hub.trust.status().promised.saturating_sub(1);
            if self.json {
                print_json(out, &json!({ "leaf": leaf, "about": shown }))?;
            } else {
                writeln!(out, "Leaf {leaf} of the public log counts this demand.")?;
                writeln!(out, "{}", serde_json::to_string_pretty(&shown)?)?;
            }
            Ok(if account.is_some() { Answer::Positive } else { Answer::Negative })
        })
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
