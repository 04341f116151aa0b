//! A company from nothing, over HTTP: founded on the command line, set up, sold at the window and
//! online, given back, settled; and who may do none of it.

use std::path::Path;
use std::sync::Arc;

use handfast_boxoffice::BoxOffice;
use handfast_model::{SystemClock, SystemRandom};
use handfast_store::Store;
use serde_json::{Value, json};

use crate::{Running, handfast};

/// The last part of a sign-in link.
fn key_of(link: &str) -> String {
    link.rsplit('/').next().unwrap().to_owned()
}

/// Somebody who is signed in, or nobody.
struct Caller<'a> {
    service: &'a Running,
    cookie: String,
}

impl<'a> Caller<'a> {
    fn nobody(service: &'a Running) -> Self {
        Self { service, cookie: String::new() }
    }

    fn sign_in(service: &'a Running, key: &str) -> Self {
        let url = format!("{}/api/v1/session", service.url);
        let answer = ureq::post(&url).header("x-handfast", "1").send_json(json!({ "key": key }));
        let answer = answer.unwrap();
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        Self { service, cookie: cookie.split(';').next().unwrap().to_owned() }
    }

    fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Vec<u8>) {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}/api/v1{path}", self.service.url))
            .header("cookie", &self.cookie)
            .header("x-handfast", "1")
            .header("content-type", "application/json")
            .body(body.map(|body| body.to_string()).unwrap_or_default())
            .unwrap();
        let mut answer = agent.run(request).unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_vec().unwrap())
    }

    #[track_caller]
    fn json(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let (status, answer) = self.ask(method, path, body);
        let said = String::from_utf8_lossy(&answer).into_owned();
        assert!((200..300).contains(&status), "{method} {path}: {status} {said}");
        serde_json::from_slice(&answer).unwrap_or(Value::Null)
    }
}

/// The newest mail's link, read from the outbox as a mail server would get it.
fn newest_link(data: &Path, to: &str) -> String {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let place = format!("sqlite:{}", data.join("boxoffice.db").display());
        let store = Store::connect(&place).await.unwrap();
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
        let office = BoxOffice::open(store, clock, random, "").await.unwrap();
        let mails = office.newest_mails(20).await.unwrap();
        let mail = mails.into_iter().find(|mail| mail.recipient.as_str() == to);
        mail.and_then(|mail| mail.link).unwrap()
    })
}

/// A venue with a gate and a lane, an event tonight, a product with a price and a free one.
fn set_up(operator: &Caller<'_>) -> String {
    let venue = json!({ "name": "Harbour Hall", "utc_offset_minutes": 120 });
    let venue = operator.json("POST", "/console/venues", Some(venue));
    let venue_id = venue["venue_id"].as_str().unwrap();
    let gates = format!("/console/venues/{venue_id}/gates");
    let venue = operator.json("POST", &gates, Some(json!({ "name": "Quay" })));
    let gate = venue["gates"][0]["gate_id"].as_str().unwrap();
    let lane = json!({ "name": "Lane 1", "direction": "left", "passing": "entry" });
    operator.json("POST", &format!("{gates}/{gate}/lanes"), Some(lane));
    let event = json!({
        "venue_id": venue_id, "name": "Harbour Night", "doors_at": "2031-06-01T18:00:00+02:00",
        "starts_at": "2031-06-01T20:00:00+02:00", "ends_at": "2031-06-01T23:30:00+02:00",
        "biometrics": "forbidden",
    });
    let event = operator.json("POST", "/console/events", Some(event));
    let event_id = event["event_id"].as_str().unwrap().to_owned();
    for (name, minor, capacity) in [("Pier", 1_250, 3), ("Lawn", 0, 10)] {
        let price = json!({ "minor": minor, "currency": "EUR" });
        let product =
            json!({ "name": name, "price": price, "capacity": capacity, "on_sale": true });
        operator.json("PUT", &format!("/console/events/{event_id}/products"), Some(product));
    }
    event_id
}

#[test]
fn a_company_is_founded_set_up_and_sells() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let founded = handfast(&["company", "found", "Harbour Tickets", "--json"])
        .args(["--operator", "olga@example.org", "--operator-name", "Olga", "--data"])
        .arg(&data)
        .output()
        .unwrap();
    assert!(founded.status.success(), "{}", String::from_utf8_lossy(&founded.stderr));
    let founded: Value = serde_json::from_slice(&founded.stdout).unwrap();
    let service = Running::on("serve", &data, &["--vault", "plain"]);
    let operator = Caller::sign_in(&service, &key_of(founded["sign_in"].as_str().unwrap()));
    let event = set_up(&operator);

    // The window: sold, printed, one too many refused, given back.
    let nobody = Caller::nobody(&service);
    let sale = |quantity: u32, nonce: &str| {
        json!({
            "event_id": event, "lines": [{ "product": "Pier", "quantity": quantity }],
            "nonce": nonce, "name": "Walk Up", "language": "en", "tender": "cash",
        })
    };
    assert_eq!(nobody.ask("POST", "/window/orders", Some(sale(1, "nobody-01"))).0, 401);
    let order = operator.json("POST", "/window/orders", Some(sale(2, "window-01")));
    let again = operator.json("POST", "/window/orders", Some(sale(2, "window-01")));
    assert_eq!(order["order_id"], again["order_id"]);
    assert_eq!((&order["state"], &order["amount"]["minor"]), (&json!("paid"), &json!(2_500)));
    assert_eq!(operator.ask("POST", "/window/orders", Some(sale(2, "window-02"))).0, 409);
    let id = order["order_id"].as_str().unwrap();
    let pdf = operator.ask("GET", &format!("/window/orders/{id}/tickets.pdf"), None).1;
    assert!(pdf.starts_with(b"%PDF"));
    let tickets = json!([order["tickets"][0]["ticket_id"]]);
    let back = json!({ "ticket_ids": tickets, "reason": "ill" });
    let after = operator.json("POST", &format!("/window/orders/{id}/refund"), Some(back));
    assert_eq!((&after["refunded_minor"], &after["refund_owed_minor"]), (&json!(1_250), &json!(0)));

    // Online: a newcomer joins and orders what is free; what costs money waits for a wallet.
    let join = json!({ "email": "zoe@example.org", "name": "Zoe", "language": "de" });
    assert_eq!(nobody.ask("POST", "/sales/join", Some(join)).0, 202);
    let fan = Caller::sign_in(&service, &key_of(&newest_link(&data, "zoe@example.org")));
    let lines = |product: &str| json!([{ "product": product, "quantity": 2 }]);
    let new = json!({ "event_id": event, "lines": lines("Lawn"), "nonce": "online-01" });
    assert_eq!(fan.json("POST", "/me/orders", Some(new))["state"], "paid");
    let new = json!({ "event_id": event, "lines": lines("Pier"), "nonce": "online-02" });
    let held = fan.json("POST", "/me/orders", Some(new));
    assert_eq!(held["state"], "pending");
    let pay = format!("/me/orders/{}/pay", held["order_id"].as_str().unwrap());
    let unpaid = fan.json("POST", &pay, Some(json!({})));
    assert_eq!((&unpaid["reason"], &unpaid["paying"]), (&json!("no_wallet"), &json!(false)));

    // Another's things, and another role's, are nobody's business.
    assert_eq!(fan.ask("GET", "/console/venues", None).0, 403);
    assert_eq!(fan.ask("GET", &format!("/me/orders/{id}"), None).0, 404);
    let csv = operator.ask("GET", &format!("/console/events/{event}/settlement.csv"), None).1;
    let csv = String::from_utf8(csv).unwrap();
    assert!(csv.contains("Lawn") && csv.contains("Pier"), "{csv}");
    let actions = operator.json("GET", "/console/actions", None);
    let kinds: Vec<&str> =
        actions.as_array().unwrap().iter().filter_map(|one| one["action"].as_str()).collect();
    for kind in ["sell", "refund", "print", "set_up"] {
        assert!(kinds.contains(&kind), "{kind} is not recorded: {kinds:?}");
    }
}
