//! Two companies with everything that a path or a body can name, and all kinds of callers.

use std::sync::Arc;

use axum::Router;
use handfast_boxoffice::{
    AdmissionRequest, Biometrics, CURRENT_VERSION, Company, DeviceKind, DeviceMode, Direction,
    GUARDIAN_VERSION, Language, ListTerms, NewDevice, NewEvent, NewLink, NewOrder, NewTicket,
    OrderState, PalmHandle, Presented, Product, Realm, Role, Scope, Side, Ticket, WideAct,
};
use handfast_model::{
    AccountId, AdmissionId, CheckInListId, Currency, DeviceId, Duration, EventId, GateId, LaneId,
    LinkId, ManualClock, Money, SeededRandom, ShopId, Timestamp, VenueId,
};
use handfast_till::test_gateway::Instrument;
use handfast_till::{Label, NewShop};
use serde_json::json;
use tempfile::TempDir;

use crate::hub::SharedHub;
use crate::serve::Settings;

const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

/// Somebody who asks.
pub(super) struct Caller {
    pub(super) name: String,
    /// Under which headings of the placed routes this caller passes.
    pub(super) may: Vec<&'static str>,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Caller {
    fn by_session(name: &str, may: &[&'static str], key: &str) -> Self {
        let headers = vec![("cookie", format!("handfast_session={key}"))];
        Self { name: name.to_owned(), may: may.to_vec(), headers }
    }

    fn by_api_key(name: &str, may: &[&'static str], key: &str) -> Self {
        let headers = vec![("authorization", format!("Bearer {key}"))];
        Self { name: name.to_owned(), may: may.to_vec(), headers }
    }

    pub(super) fn by_cookie(&self) -> bool {
        self.headers.first().is_some_and(|(name, _)| *name == "cookie")
    }
}

/// A company with one of everything.
struct House {
    company: Company,
    venue: VenueId,
    area: String,
    gate: GateId,
    lane: LaneId,
    event: EventId,
    list: CheckInListId,
    account: AccountId,
    tickets: Vec<Ticket>,
    shop: ShopId,
    pedestal: (DeviceId, String),
    scanner: (DeviceId, String),
    next_scanner: (DeviceId, String),
    spare: DeviceId,
    register: (DeviceId, String),
    endpoint: String,
}

pub(super) struct World {
    pub(super) service: Router,
    pub(super) callers: Vec<Caller>,
    /// A scanner of the same company at another lane.
    pub(super) next_lane: Caller,
    pub(super) passage_nonce: &'static str,
    own: House,
    other: House,
    admission: AdmissionId,
    link: LinkId,
    charge: String,
    setup: String,
    payment_method: String,
    _dir: TempDir,
}

impl World {
    pub(super) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (clock, random) = (Arc::new(ManualClock::at(NOW)), Arc::new(SeededRandom::new(1_013)));
        let settings = Settings::of_test(dir.path());
        let hub: SharedHub = Arc::new(settings.open_with(clock, random, None).await.unwrap());
        let own = House::build(&hub, "own").await;
        let other = House::build(&hub, "other").await;
        let link = link(&hub, &own).await;
        let passage_nonce = "passage-0001";
        let presented = Presented::Code(own.tickets[0].code.as_str());
        let request =
            AdmissionRequest { device_id: own.scanner.0, nonce: passage_nonce, presented };
        let admission = hub.boxoffice.admit(&request).await.unwrap().admission_id;
        let (payment_method, setup) = payment(&hub, own.account).await;
        let asker = "asker@own.example".parse().unwrap();
        let (role, language) = (Role::Operator, Language::English);
        let asker =
            hub.boxoffice.create_staff_user(own.company.id, &asker, "Asker", role, language).await;
        let act = WideAct::ExportOrders { event_id: own.event };
        hub.boxoffice.ask_approval(asker.unwrap().id, &act, "an audit").await.unwrap();
        let mut callers = callers(&hub, &own, "own").await;
        callers.extend(self::callers(&hub, &other, "other").await);
        callers.push(revoked(&hub, &own).await);
        callers.extend(nobodies(&hub, &callers).await);
        let next_lane = Caller::by_api_key("own: next lane's scanner", &[], &own.next_scanner.1);
        let service = crate::http::service(hub.clone());
        let charge = charge(&service, &callers).await;
        Self {
            service,
            callers,
            next_lane,
            passage_nonce,
            own,
            other,
            admission,
            link,
            charge,
            setup,
            payment_method,
            _dir: dir,
        }
    }

    fn caller(&self, name: &str) -> &Caller {
        self.callers.iter().find(|caller| caller.name == name).unwrap()
    }

    /// Whose the objects are that [`World::path`] names, among those who may call such a route.
    pub(super) fn owner(&self, who: &str) -> &Caller {
        self.caller(match who {
            "fan" => "own: fan",
            "watchers" | "window" | "operators" => "own: operator",
            "scanners" | "scanners-even-revoked" | "devices" => "own: scanner",
            "registers" => "own: register",
            other => panic!("who owns what {other} may call?"),
        })
    }

    /// Others who may call such a route, for objects of their own.
    pub(super) fn strangers(&self, who: &str) -> Vec<&Caller> {
        let may = |caller: &&Caller| caller.may.contains(&who);
        self.callers
            .iter()
            .filter(|caller| caller.name.starts_with("other: "))
            .filter(may)
            .collect()
    }

    /// The path with the objects of the first company in it.
    pub(super) fn path(&self, template: &str) -> String {
        let own = &self.own;
        let part = |part: &str| match part {
            "{link_id}" => self.link.to_string(),
            "{event_id}" => own.event.to_string(),
            "{ticket_id}" => own.tickets[1].id.to_string(),
            "{order_id}" => own.tickets[1].order_id.to_string(),
            "{venue_id}" => own.venue.to_string(),
            "{gate_id}" => own.gate.to_string(),
            "{list_id}" => own.list.to_string(),
            "{device_id}" => own.spare.to_string(),
            "{admission_id}" => self.admission.to_string(),
            "{charge_id}" => self.charge.clone(),
            "{shop_id}" => own.shop.to_string(),
            "{endpoint_id}" => own.endpoint.clone(),
            "{setup}" => self.setup.clone(),
            "{id}" => self.payment_method.clone(),
            "{message_id}" => "msg_unknown".to_owned(),
            "{position}" => "0".to_owned(),
            "{number}" => "1".to_owned(),
            part => {
                assert!(!part.starts_with('{'), "whose is {part}? Say so in matrix/world.rs");
                part.to_owned()
            }
        };
        let path = template.split('/').map(part).collect::<Vec<_>>().join("/");
        // The one route whose query is not optional.
        if path.ends_with("/tickets") { format!("{path}?text=Ana") } else { path }
    }

    /// A body that the owner may send; empty where the route takes none.
    pub(super) fn body(&self, route: &str) -> Option<String> {
        let own = &self.own;
        let why = json!({ "reason": "a reason" });
        let terms = serde_json::to_value(ListTerms::plain("Another")).unwrap();
        let body = match route {
            "PATCH /api/v1/me/links/{link_id}" => json!({ "scope": "venue" }),
            "POST /api/v1/me/links/{link_id}/move" => json!({ "code": "HF1.UNKNOWN" }),
            "POST /api/v1/me/links/{link_id}/audit" => {
                json!({ "recipient": format!("09{}", "00".repeat(31)), "queries": [] })
            }
            "PATCH /api/v1/console/events/{event_id}" => json!({ "biometrics": "forbidden" }),
            "PATCH /api/v1/console/tickets/{ticket_id}" => {
                json!({ "state": "blocked", "reason": "a reason" })
            }
            "POST /api/v1/console/tickets/{ticket_id}/force" => json!({
                "device_id": own.scanner.0, "nonce": "forced-0001", "reason": "a reason",
            }),
            "POST /api/v1/console/admissions/{admission_id}/correct" => why,
            "POST /api/v1/console/events/{event_id}/devices" => {
                json!({ "name": "New", "kind": "scanner", "lane_id": own.lane })
            }
            "POST /api/v1/me/tickets/{ticket_id}/offer" => json!({ "email": "new@example.org" }),
            "POST /api/v1/window/orders/{order_id}/refund" => {
                json!({ "ticket_ids": [own.tickets[2].id], "reason": "a reason" })
            }
            "POST /api/v1/window/orders/{order_id}/paid" => json!({ "tender": "cash" }),
            "POST /api/v1/window/tickets/{ticket_id}/exchange" => {
                json!({ "product": "Stand", "reason": "a reason" })
            }
            "POST /api/v1/console/venues/{venue_id}/areas" => json!({ "name": "Bowl" }),
            "POST /api/v1/console/venues/{venue_id}/gates" => json!({ "name": "East" }),
            "POST /api/v1/console/venues/{venue_id}/gates/{gate_id}/lanes" => {
                json!({ "name": "9", "direction": "left" })
            }
            "PUT /api/v1/console/events/{event_id}/products" => json!({
                "name": "Extra", "price": { "minor": 100, "currency": "USD" }, "on_sale": false,
            }),
            "POST /api/v1/console/events/{event_id}/lists"
            | "PUT /api/v1/console/lists/{list_id}" => terms,
            "POST /api/v1/console/shops/{shop_id}/webhooks" => {
                json!({ "url": "https://example.org/second" })
            }
            "PUT /api/v1/me/tickets/{ticket_id}/guardian-consent"
            | "PUT /api/v1/window/tickets/{ticket_id}/guardian-consent" => {
                json!({ "text_version": GUARDIAN_VERSION, "language": "en" })
            }
            "POST /api/v1/console/approvals/{number}" => json!({ "approve": true }),
            "PUT /api/v1/console/shops/{shop_id}/offline-floor" => json!({}),
            "POST /api/v1/charges/{charge_id}/refund" => json!({ "nonce": "refund-0001" }),
            "POST /api/v1/charges/{charge_id}/capture" => json!({}),
            "POST /api/v1/charges/{charge_id}/tip" => json!({ "minor": 1, "nonce": "tip-0001" }),
            "POST /api/v1/charges/{charge_id}/age" => json!({ "years": 30 }),
            "POST /api/v1/me/links/{link_id}/confirm"
            | "POST /api/v1/console/devices/{device_id}/invitation"
            | "POST /api/v1/me/orders/{order_id}/pay"
            | "POST /api/v1/me/tickets/{ticket_id}/rotating-code"
            | "POST /api/v1/charges/{charge_id}/cancel"
            | "POST /api/v1/console/approvals/{number}/orders.csv"
            | "POST /api/v1/console/shops/{shop_id}/deliveries/{message_id}/retry"
            | "POST /api/v1/console/shops/{shop_id}/webhooks/{endpoint_id}/secret"
            | "POST /api/v1/me/wallet/setup/{setup}/complete"
            | "PUT /api/v1/me/wallet/payment-methods/{id}/default" => {
                return Some(String::new());
            }
            _ => return None,
        };
        Some(body.to_string())
    }

    /// Whether a request of the owner leaves an object that others of the test need in a state that
    /// refuses them; greater is later.
    pub(super) fn takes_away(&self, route: &str) -> u8 {
        match route {
            "DELETE /api/v1/me/tickets/{ticket_id}/offer" => 1,
            "POST /api/v1/charges/{charge_id}/cancel" => 1,
            "PATCH /api/v1/console/tickets/{ticket_id}" => 2,
            "POST /api/v1/window/tickets/{ticket_id}/exchange" => 3,
            "POST /api/v1/window/orders/{order_id}/refund" => 4,
            route if route.starts_with("DELETE") => 5,
            _ => 0,
        }
    }

    /// Requests that name the first company's objects in a body, or beneath an object of the
    /// caller's own.
    pub(super) fn crossed(&self) -> Vec<(&Caller, String, String)> {
        let (own, other) = (&self.own, &self.other);
        let operator = self.caller("other: operator");
        let empty = || json!({});
        let asking = |act: serde_json::Value| json!({ "act": act, "reason": "a reason" });
        let cases = [
            (
                "POST /api/v1/console/approvals".to_owned(),
                asking(json!({ "act": "end_palms_of_event", "event_id": own.event })),
            ),
            (
                "POST /api/v1/console/approvals".to_owned(),
                asking(json!({ "act": "set_minimum_age", "venue_id": own.venue, "years": 16 })),
            ),
            (
                "POST /api/v1/window/orders".to_owned(),
                json!({ "event_id": own.event, "nonce": "crossed-0001", "name": "Eve",
                        "lines": [{ "product": "Floor", "quantity": 1 }], "language": "en",
                        "tender": "cash" }),
            ),
            (
                "POST /api/v1/console/events".to_owned(),
                json!({ "venue_id": own.venue, "name": "Foreign", "biometrics": "allowed",
                        "doors_at": "2026-12-01T18:00:00Z", "starts_at": "2026-12-01T19:00:00Z",
                        "ends_at": "2026-12-01T23:00:00Z" }),
            ),
            (
                "POST /api/v1/console/explain".to_owned(),
                json!({ "device_id": own.scanner.0, "code": "HF1.UNKNOWN" }),
            ),
            (
                format!("POST /api/v1/console/tickets/{}/force", other.tickets[1].id),
                json!({ "device_id": own.scanner.0, "nonce": "crossed-0002", "reason": "why" }),
            ),
            (
                format!("POST /api/v1/console/events/{}/devices", other.event),
                json!({ "name": "New", "kind": "scanner", "lane_id": own.lane }),
            ),
            (
                format!("POST /api/v1/console/venues/{}/gates", other.venue),
                json!({ "name": "West", "area_id": own.area }),
            ),
            (
                format!("POST /api/v1/console/venues/{}/gates/{}/lanes", other.venue, own.gate),
                json!({ "name": "9", "direction": "left" }),
            ),
            (
                format!("POST /api/v1/window/orders/{}/refund", other.tickets[0].order_id),
                json!({ "ticket_ids": [own.tickets[0].id], "reason": "why" }),
            ),
            (
                format!("DELETE /api/v1/console/shops/{}/webhooks/{}", other.shop, own.endpoint),
                empty(),
            ),
            (
                format!(
                    "POST /api/v1/console/shops/{}/webhooks/{}/secret",
                    other.shop, own.endpoint
                ),
                empty(),
            ),
        ];
        cases.into_iter().map(|(route, body)| (operator, route, body.to_string())).collect()
    }
}

impl House {
    async fn build(hub: &SharedHub, name: &str) -> Self {
        let boxoffice = &hub.boxoffice;
        let company = boxoffice.create_company(&format!("{name} tickets")).await.unwrap();
        let venue = boxoffice.create_venue(company.id, &format!("{name} hall")).await.unwrap().id;
        let area = boxoffice.create_area(venue, "Floor").await.unwrap().id.to_string();
        let gate = boxoffice.create_gate(venue, None, "North").await.unwrap().id;
        let mut lanes = Vec::new();
        for lane in ["1", "2"] {
            let lane = boxoffice.create_lane(gate, lane, Direction::Straight, &[]).await.unwrap();
            lanes.push(lane.id);
        }
        let new = NewEvent {
            venue_id: venue,
            name: "Tonight",
            doors_at: NOW - Duration::from_hours(1),
            starts_at: NOW + Duration::from_hours(1),
            ends_at: NOW + Duration::from_hours(5),
            biometrics: Biometrics::Allowed,
        };
        let event = boxoffice.create_event(&new).await.unwrap().id;
        for product in ["Floor", "Stand"] {
            let price = Money::new(1_000, Currency::Usd);
            let product = Product {
                name: product.to_owned(),
                price,
                capacity: None,
                on_sale: true,
                codes: None,
            };
            boxoffice.set_product(company.id, event, &product).await.unwrap();
        }
        let terms = ListTerms::plain("Second");
        let list = boxoffice.create_check_in_list(company.id, event, &terms).await.unwrap().id;
        let email = format!("{name}@example.org").parse().unwrap();
        let account = boxoffice.create_account(&email, "Ana", Language::English).await.unwrap().id;
        let wanted =
            [0; 4].map(|_| NewTicket { event_id: event, product: "Floor", account_id: None });
        let (company_id, state) = (company.id, OrderState::Paid);
        let order = NewOrder { company_id, account_id: account, state, tickets: &wanted };
        let tickets = boxoffice.place_order(&order).await.unwrap().1;
        let currency = Currency::Usd;
        let label = Label::parse("Bar").unwrap();
        let shop = NewShop { venue, name: label, currency, utc_offset_minutes: 0 };
        let shop = hub.till.add_shop(&shop).await.unwrap();
        let at = |lane: usize| (Some(lanes[lane]), None);
        let scanner = device(hub, venue, DeviceKind::Scanner, at(0)).await;
        let next_scanner = device(hub, venue, DeviceKind::Scanner, at(1)).await;
        let spare = device(hub, venue, DeviceKind::Scanner, at(1)).await.0;
        let pedestal = device(hub, venue, DeviceKind::Pedestal, (None, None)).await;
        let of_shop = Some(shop.to_string());
        let register = device(hub, venue, DeviceKind::Register, (None, of_shop)).await;
        hub.till.add_register(register.0, shop).await.unwrap();
        let hook = hub.till.add_webhook_endpoint(shop, "https://example.org/hook").await;
        let endpoint = hook.unwrap().0.id;
        let lane = lanes[0];
        Self {
            company,
            venue,
            area,
            gate,
            lane,
            event,
            list,
            account,
            tickets,
            shop,
            pedestal,
            scanner,
            next_scanner,
            spare,
            register,
            endpoint,
        }
    }
}

async fn device(
    hub: &SharedHub,
    venue_id: VenueId,
    kind: DeviceKind,
    (lane_id, shop): (Option<LaneId>, Option<String>),
) -> (DeviceId, String) {
    let mode = (kind == DeviceKind::Pedestal).then_some(DeviceMode::EnrolOutside);
    let shop_reference = shop.as_deref();
    let new = NewDevice {
        venue_id,
        name: "Device",
        kind,
        mode,
        lane_id,
        shop_reference,
        paired_with: None,
    };
    let (id, key) = hub.boxoffice.register_device(&new).await.unwrap();
    (id, key.expose().to_owned())
}

/// A palm of the account, linked at the booth.
async fn link(hub: &SharedHub, house: &House) -> LinkId {
    let until = NOW + Duration::from_days(300);
    let filled = hub.vault.danger_fill(house.company.id, &[], 1, until).await.unwrap();
    let palm = PalmHandle { side: Side::Left, company_token: filled[0].token };
    let new = NewLink {
        device_id: house.pedestal.0,
        ticket_id: house.tickets[3].id,
        palms: &[palm],
        text_version: CURRENT_VERSION,
        language: Language::English,
        scope: Scope::Company,
        accepted_at: hub.clock.now(),
        age: handfast_boxoffice::AgeSaid::OfAge,
    };
    hub.boxoffice.create_link(&new).await.unwrap().link_id
}

/// A payment method of the account, and a setup that waits to be completed.
async fn payment(hub: &SharedHub, account: AccountId) -> (String, String) {
    let mut setups = Vec::new();
    for _ in 0..2 {
        let started = hub.till.begin_setup(account, "/back/").await.unwrap();
        let session = started.url.rsplit('/').next().unwrap();
        let instrument = Instrument::AlwaysApproves.as_str();
        hub.test_gateway.choose(session, instrument).await.unwrap();
        setups.push(started.setup);
    }
    hub.till.complete_setup(account, &setups[0], None).await.unwrap();
    let wallet = hub.till.wallet(account).await.unwrap().unwrap();
    (wallet.payment_methods[0].id.to_string(), setups[1].expose().to_owned())
}

async fn session(hub: &SharedHub, email: &str, realm: Realm) -> String {
    let address = email.parse().unwrap();
    hub.boxoffice.request_sign_in(&address, realm).await.unwrap();
    let mails = hub.boxoffice.newest_mails(100).await.unwrap();
    // Other mails with links, of the same moment, open no session.
    for mail in mails.iter().filter(|mail| mail.recipient == address) {
        let link = mail.link.clone().unwrap_or_default();
        let key = link.rsplit('/').next().unwrap_or_default();
        if let Ok(session) = hub.boxoffice.open_session(key).await {
            return session.key.expose().to_owned();
        }
    }
    panic!("no mail opens a session")
}

/// Everybody who has to do with one company.
async fn callers(hub: &SharedHub, house: &House, name: &str) -> Vec<Caller> {
    let named = |role: &str| format!("{name}: {role}");
    let mut callers = Vec::new();
    let key = session(hub, &format!("{name}@example.org"), Realm::Fan).await;
    callers.push(Caller::by_session(&named("fan"), &["signed-in", "fan"], &key));
    let roles: [(Role, &[&'static str]); 4] = [
        (Role::Operator, &["signed-in", "watchers", "window", "operators"]),
        (Role::Supervisor, &["signed-in", "watchers", "window"]),
        (Role::Clerk, &["signed-in", "window"]),
        (Role::Steward, &["signed-in"]),
    ];
    for (role, may) in roles {
        let email = format!("{role}@{name}.example");
        let address = email.parse().unwrap();
        let (company, language) = (house.company.id, Language::English);
        hub.boxoffice
            .create_staff_user(company, &address, role.as_str(), role, language)
            .await
            .unwrap();
        let key = session(hub, &email, Realm::Staff).await;
        callers.push(Caller::by_session(&named(role.as_str()), may, &key));
    }
    let scans = ["devices", "scanners", "scanners-even-revoked"];
    callers.push(Caller::by_api_key(&named("scanner"), &scans, &house.scanner.1));
    callers.push(Caller::by_api_key(
        &named("register"),
        &["devices", "registers"],
        &house.register.1,
    ));
    callers.push(Caller::by_api_key(&named("pedestal"), &["devices"], &house.pedestal.1));
    callers
}

async fn revoked(hub: &SharedHub, house: &House) -> Caller {
    let (id, key) = device(hub, house.venue, DeviceKind::Scanner, (Some(house.lane), None)).await;
    hub.boxoffice.revoke_device(id).await.unwrap();
    Caller::by_api_key("revoked scanner", &["scanners-even-revoked"], &key)
}

/// Those who pass nowhere: without a key, with one that ended, with one in the wrong place.
async fn nobodies(hub: &SharedHub, known: &[Caller]) -> Vec<Caller> {
    let ended = session(hub, "own@example.org", Realm::Fan).await;
    hub.boxoffice.end_session(&ended).await.unwrap();
    let of = |name: &str| known.iter().find(|caller| caller.name == name).unwrap();
    let cookie = of("own: operator").headers[0].1.replace("handfast_session=", "");
    let api_key = of("own: scanner").headers[0].1.replace("Bearer ", "");
    vec![
        Caller { name: "nobody".to_owned(), may: Vec::new(), headers: Vec::new() },
        Caller::by_session("ended session", &[], &ended),
        Caller::by_session("no session", &[], "guessed"),
        Caller::by_api_key("no API key", &[], "guessed"),
        Caller::by_api_key("a session's key as API key", &[], &cookie),
        Caller::by_session("an API key as session", &[], &api_key),
    ]
}

/// A charge that waits at the first company's register.
async fn charge(service: &Router, callers: &[Caller]) -> String {
    use axum::body::{Body, to_bytes};
    use tower::ServiceExt as _;
    let register = callers.iter().find(|caller| caller.name == "own: register").unwrap();
    let body = json!({ "amount": { "minor": 500, "currency": "USD" }, "description": "Tea",
                       "nonce": "charge-0001" });
    let request = axum::http::Request::post("/api/v1/charges")
        .header("content-type", "application/json")
        .header(register.headers[0].0, &register.headers[0].1)
        .body(Body::from(body.to_string()))
        .unwrap();
    let answer = service.clone().oneshot(request).await.unwrap();
    let bytes = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    answer["charge_id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}
