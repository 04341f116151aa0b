//! The scenarios on a real pretix, through its REST API alone.

use std::path::PathBuf;
use std::process::Command;

use handfast_boxoffice::{AntiPassback, EntryMode};
use serde_json::{Value, json};

use crate::scenarios::{Deed, Holder, List, Scenario};

const DEFAULT_ADDRESS: &str = "http://127.0.0.1:8345";

/// A pretix that answers.
pub struct Pretix {
    organizer: String,
    token: String,
    seed: Value,
    agent: ureq::Agent,
}

struct Ticket {
    secret: String,
}

impl Pretix {
    /// The pretix of this machine, where one answers and its seed is known.
    pub fn connect() -> Option<Self> {
        let address = std::env::var("HANDFAST_PRETIX").unwrap_or_else(|_| DEFAULT_ADDRESS.into());
        let home = std::env::var("PEERS_HOME").map(PathBuf::from).or_else(|_| {
            std::env::var("HOME").map(|home| PathBuf::from(home).join(".cache/handfast-peers"))
        });
        let folder = home.ok()?.join("pretix");
        let token = std::fs::read_to_string(folder.join("token")).ok()?.trim().to_owned();
        let seed = std::fs::read_to_string(folder.join("seed.json")).ok()?;
        let seed = serde_json::from_str(&seed).ok()?;
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let organizer = format!("{address}/api/v1/organizers/redrocks/");
        let pretix = Self { organizer, token, seed, agent };
        let version = format!("{address}/api/v1/version");
        pretix.agent.get(&version).header("authorization", pretix.token()).call().ok()?;
        Some(pretix)
    }

    /// Codes of so many fresh paid tickets.
    pub fn secrets(&self, count: usize) -> Vec<String> {
        const EACH: usize = 20;
        let mut secrets = Vec::with_capacity(count);
        while secrets.len() < count {
            let positions: Vec<Value> = (0..EACH.min(count - secrets.len()))
                .map(|number| self.position("aw26", Holder::Paid, number as i64 + 1))
                .collect();
            let body = json!({
                "email": "rate@example.org", "locale": "en", "sales_channel": "web",
                "status": "p", "payment_provider": "manual", "positions": positions,
                "fees": [], "send_email": false,
            });
            let order = self.made("events/aw26/orders/", &body);
            let positions = order["positions"].as_array().unwrap();
            secrets.extend(
                positions.iter().map(|position| position["secret"].as_str().unwrap().to_owned()),
            );
        }
        secrets
    }

    /// A check-in list that lets every ticket in once.
    pub fn plain_list(&self) -> i64 {
        let body = json!({
            "name": "Rate", "all_products": true, "limit_products": [], "subevent": null,
            "include_pending": false, "allow_multiple_entries": false,
            "allow_entry_after_exit": false, "addon_match": false, "rules": {},
        });
        self.made("events/aw26/checkinlists/", &body)["id"].as_i64().unwrap()
    }

    /// Whether a ticket is let in.
    pub fn redeem(&self, list: i64, secret: &str, nonce: &str) -> bool {
        let body = json!({
            "secret": secret, "lists": [list], "nonce": nonce, "questions_supported": false,
            "type": "entry",
        });
        self.post("checkinrpc/redeem/", &body).1["status"] == "ok"
    }

    /// Each scenario's outcomes, in order.
    pub fn run_all(&self, scenarios: &[Scenario]) -> Vec<Vec<String>> {
        scenarios.iter().map(|scenario| self.run(scenario)).collect()
    }

    fn token(&self) -> String {
        format!("Token {}", self.token)
    }

    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}{path}", self.organizer);
        let answer = self.agent.post(&url).header("authorization", self.token()).send_json(body);
        let mut answer = answer.unwrap();
        let status = answer.status().as_u16();
        (status, answer.body_mut().read_json().unwrap_or(Value::Null))
    }

    fn made(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.post(path, body);
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    fn run(&self, scenario: &Scenario) -> Vec<String> {
        // The other event alone signs its codes, and is days away.
        let elsewhere = matches!(scenario.holder, Holder::Revoked | Holder::Tomorrow);
        let event = if elsewhere { "deer26" } else { "aw26" };
        let list = self.list(event, &scenario.list);
        let ticket = self.ticket(event, scenario.holder);
        let mut nonce = String::new();
        let mut outcomes = Vec::new();
        for (number, step) in scenario.steps.iter().enumerate() {
            if !matches!(step.deed, Deed::InAgain | Deed::Annul) {
                nonce = format!("{}-{number}", list);
            }
            outcomes.push(self.deed(event, step.deed, step.minute, (list, &ticket, &nonce)));
        }
        outcomes
    }

    fn item(&self, event: &str, product: &str) -> i64 {
        let name = match product {
            "VIP" => "vip",
            "Parking" => "parking",
            _ => "ga",
        };
        self.seed["events"][event]["items"][name].as_i64().unwrap()
    }

    fn list(&self, event: &str, list: &List) -> i64 {
        let products: Vec<i64> = list.products.iter().map(|name| self.item(event, name)).collect();
        let rules: Value = match (list.pretix_rule, list.anti_passback) {
            (Some(rule), _) => serde_json::from_str(rule).unwrap(),
            (None, (AntiPassback::None | AntiPassback::Soft, _)) => json!({}),
            (None, other) => panic!("write {other:?} as pretix's rule"),
        };
        let body = json!({
            "name": "Scenario", "all_products": products.is_empty(), "limit_products": products,
            "subevent": null, "include_pending": list.include_unpaid,
            "allow_multiple_entries": list.entry == EntryMode::Multiple,
            "allow_entry_after_exit": list.entry != EntryMode::Single,
            "addon_match": list.addon_match, "rules": rules,
        });
        self.made(&format!("events/{event}/checkinlists/"), &body)["id"].as_i64().unwrap()
    }

    fn ticket(&self, event: &str, holder: Holder) -> Ticket {
        if holder == Holder::Unknown {
            return Ticket { secret: "nosuchsecret".to_owned() };
        }
        let event = if holder == Holder::OtherEvent { "deer26" } else { event };
        let order = self.order(event, holder);
        let position = &order["positions"][0];
        let (code, id) = (order["code"].as_str().unwrap(), &position["id"]);
        let secret = position["secret"].as_str().unwrap().to_owned();
        match holder {
            Holder::Cancelled => {
                let path = format!("events/{event}/orders/{code}/mark_canceled/");
                self.made(&path, &json!({ "send_email": false }));
            }
            Holder::Blocked => {
                let path = format!("events/{event}/orderpositions/{id}/add_block/");
                self.made(&path, &json!({ "name": "api:scenario" }));
            }
            Holder::Revoked => {
                let path = format!("events/{event}/orderpositions/{id}/regenerate_secrets/");
                self.made(&path, &json!({}));
            }
            _ => {}
        }
        Ticket { secret }
    }

    fn order(&self, event: &str, holder: Holder) -> Value {
        let mut positions = vec![self.position(event, holder, 1)];
        if let Holder::WithParking(count) = holder {
            for number in 0..i64::from(count) {
                positions.push(json!({
                    "positionid": number + 2, "item": self.item(event, "Parking"),
                    "variation": null, "price": "25.00", "attendee_email": null, "addon_to": 1,
                    "answers": [], "subevent": null,
                }));
            }
        }
        if holder == Holder::Group {
            positions.push(self.position(event, holder, 2));
            positions.push(self.position(event, holder, 3));
        }
        let pending = matches!(holder, Holder::Unpaid | Holder::Unapproved);
        let mut body = json!({
            "email": "scenario@example.org", "locale": "en", "sales_channel": "web",
            "status": if pending { "n" } else { "p" },
            "payment_provider": if pending { "banktransfer" } else { "manual" },
            "positions": positions, "fees": [], "send_email": false,
        });
        if holder == Holder::Unapproved {
            body["require_approval"] = json!(true);
        }
        self.made(&format!("events/{event}/orders/"), &body)
    }

    fn position(&self, event: &str, holder: Holder, number: i64) -> Value {
        let product = if holder == Holder::Vip { "VIP" } else { "General admission" };
        let mut position = json!({
            "positionid": number, "item": self.item(event, product), "variation": null,
            "price": "65.00", "attendee_email": null, "addon_to": null, "answers": [],
            "subevent": null,
            "attendee_name_parts": {
                "_scheme": "given_family", "given_name": "Ann", "family_name": "Arbor",
            },
        });
        match holder {
            Holder::NotYetValid => position["valid_from"] = json!(at(60)),
            Holder::NoLongerValid => position["valid_until"] = json!(at(-60)),
            _ => {}
        }
        position
    }

    fn deed(
        &self,
        event: &str,
        deed: Deed,
        minute: i64,
        (list, ticket, nonce): (i64, &Ticket, &str),
    ) -> String {
        if deed == Deed::Annul {
            let body = json!({
                "lists": [list], "nonce": nonce, "error_explanation": "did not turn",
            });
            let (status, _) = self.post("checkinrpc/annul/", &body);
            return if status < 300 { "ok" } else { "refused" }.to_owned();
        }
        let mut body = json!({
            "secret": ticket.secret, "lists": [list], "nonce": nonce,
            "questions_supported": true, "datetime": at(minute),
            "type": if deed == Deed::Out { "exit" } else { "entry" },
        });
        if deed == Deed::Force {
            body["force"] = json!(true);
        }
        if deed == Deed::InAnswering {
            let question = self.seed["events"][event]["question"].to_string();
            body["answers"] = json!({ question: "true" });
        }
        let (_, answer) = self.post("checkinrpc/redeem/", &body);
        match answer["status"].as_str() {
            Some("ok") => "ok".to_owned(),
            Some("incomplete") => "incomplete".to_owned(),
            _ => answer["reason"].as_str().unwrap_or("no reason").to_owned(),
        }
    }
}

/// So many minutes from now, as pretix reads it. The machine's own clock: the peer's is real.
fn at(minute: i64) -> String {
    let offset = format!("{minute:+} minutes");
    let date = Command::new("date").args(["-u", "-d", &offset, "+%Y-%m-%dT%H:%M:%SZ"]).output();
    String::from_utf8(date.unwrap().stdout).unwrap().trim().to_owned()
}
