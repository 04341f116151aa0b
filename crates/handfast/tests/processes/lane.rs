//! `handfast lane` beside a running service, each a process of its own: provisioned by code, cut off,
//! killed and started again without a network, merged, revoked.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration as StdDuration;

use handfast_boxoffice::{
    Biometrics, BoxOffice, Company, DeviceKind, Direction, Event, Language, NewDevice, NewEvent,
    NewOrder, NewTicket, OrderState, Role, StaffUser, Ticket,
};
use handfast_model::{Clock as _, DeviceId, Duration, SystemClock, SystemRandom};
use handfast_store::Store;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Running, handfast};

/// How often a state is asked for until it is there: a lane syncs every second.
const QUESTIONS_MAX: usize = 400;
const PAUSE: StdDuration = StdDuration::from_millis(50);
/// Below it a copy is no obstacle to a start.
const MEMORY_MAX_KB: u64 = 60 * 1024;

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..QUESTIONS_MAX {
        if holds() {
            return;
        }
        std::thread::park_timeout(PAUSE);
    }
    panic!("never: {what}");
}

/// An evening in a data folder, and a service on it that can be taken away.
struct Evening {
    home: TempDir,
    address: SocketAddr,
    runtime: tokio::runtime::Runtime,
    office: BoxOffice,
    company: Company,
    event: Event,
    operator: StaffUser,
    tickets: Vec<Ticket>,
    service: Option<Running>,
}

impl Evening {
    fn begin(tickets: usize) -> Self {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let place = format!("sqlite:{}", data.join("boxoffice.db").display());
        let (office, company, event, operator, tickets) = runtime.block_on(async {
            let store = Store::connect(&place).await.unwrap();
            let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
            let office = BoxOffice::open(store, clock, random, "http://127.0.0.1").await.unwrap();
            fill(office, tickets).await
        });
        let address = free_address();
        let mut evening = Self {
            home,
            address,
            runtime,
            office,
            company,
            event,
            operator,
            tickets,
            service: None,
        };
        evening.serve();
        evening
    }

    fn serve(&mut self) {
        let (data, address) = (self.home.path().join("data"), self.address.to_string());
        let data = data.to_str().unwrap();
        let service = ["serve", "--vault", "plain", "--json", "--listen", &address, "--data", data];
        self.service = Some(Running::start(&service));
    }

    fn cut(&mut self) {
        self.service = None;
    }

    /// A lane at the event's venue, and the code that provisions it.
    fn invite(&self, name: &str) -> (DeviceId, String) {
        self.runtime.block_on(async {
            let venue_id = self.event.venue_id;
            let gate = self.office.create_gate(venue_id, None, name).await.unwrap();
            let lane = self.office.create_lane(gate.id, name, Direction::Left, &[]).await.unwrap();
            let new = NewDevice {
                venue_id,
                name,
                kind: DeviceKind::Scanner,
                mode: None,
                lane_id: Some(lane.id),
                shop_reference: None,
                paired_with: None,
            };
            let (id, code) = self.office.invite_device(self.operator.id, &new).await.unwrap();
            (id, code.expose().to_owned())
        })
    }

    fn doubles(&self) -> Vec<handfast_boxoffice::DoubleEntry> {
        self.runtime.block_on(self.office.double_entries(self.company.id, self.event.id)).unwrap()
    }

    fn entries(&self, ticket: usize) -> usize {
        let id = self.tickets[ticket].id;
        let history = self.office.ticket_history(self.company.id, id);
        self.runtime.block_on(history).unwrap().passages.len()
    }
}

async fn fill(
    office: BoxOffice,
    count: usize,
) -> (BoxOffice, Company, Event, StaffUser, Vec<Ticket>) {
    let company = office.create_company("Foothills Tickets").await.unwrap();
    let venue = office.create_venue(company.id, "Red Rocks").await.unwrap();
    let now = SystemClock.now();
    let event = NewEvent {
        venue_id: venue.id,
        name: "Tonight",
        doors_at: now - Duration::from_hours(1),
        starts_at: now + Duration::from_hours(1),
        ends_at: now + Duration::from_hours(8),
        biometrics: Biometrics::Forbidden,
    };
    let event = office.create_event(&event).await.unwrap();
    let (email, language) = ("olivia@example.org".parse().unwrap(), Language::English);
    let operator =
        office.create_staff_user(company.id, &email, "Olivia", Role::Operator, language).await;
    let email = "ana@example.org".parse().unwrap();
    let account = office.create_account(&email, "Ana", Language::English).await.unwrap();
    let wanted = NewTicket { event_id: event.id, product: "Floor", account_id: None };
    let order = NewOrder {
        company_id: company.id,
        account_id: account.id,
        state: OrderState::Paid,
        tickets: &vec![wanted; count],
    };
    let (_, tickets) = office.place_order(&order).await.unwrap();
    (office, company, event, operator.unwrap(), tickets)
}

/// A lane's program.
struct Lane {
    file: PathBuf,
    server: String,
    turnstile: Option<String>,
    running: Option<Running>,
    nonces: u32,
}

impl Lane {
    fn new(evening: &Evening, name: &str, turnstile: Option<String>) -> Self {
        let server = format!("http://{}", evening.address);
        let file = evening.home.path().join(format!("{name}.db"));
        Self { file, server, turnstile, running: None, nonces: 0 }
    }

    fn start(&mut self, code: Option<&str>) {
        let file = self.file.to_str().unwrap();
        let mut arguments =
            vec!["lane", "--json", "--listen", "127.0.0.1:0", "--server", &self.server];
        arguments.extend(["--file", file]);
        if let Some(code) = code {
            arguments.extend(["--code", code]);
        }
        if let Some(turnstile) = &self.turnstile {
            arguments.extend(["--turnstile", turnstile, "--on-power-loss", "lock"]);
        }
        self.running = Some(Running::start(&arguments));
    }

    fn kill(&mut self) {
        self.running = None;
    }

    /// What the lane answers: status and body.
    fn ask(&self, path: &str, body: Option<Value>) -> (u16, Value) {
        let ready = &self.running.as_ref().unwrap().ready;
        let (url, page) = (ready["url"].as_str().unwrap(), ready["page"].as_str().unwrap());
        let key = page.rsplit('/').next().unwrap();
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let (url, key) = (format!("{url}{path}"), format!("Bearer {key}"));
        let answer = match body {
            Some(body) => agent.post(&url).header("authorization", key).send_json(body),
            None => agent.get(&url).header("authorization", key).call(),
        };
        let mut answer = answer.unwrap();
        (answer.status().as_u16(), answer.body_mut().read_json().unwrap())
    }

    fn status(&self) -> Value {
        self.ask("/api/v1/lane/status", None).1
    }

    fn scan(&mut self, ticket: &Ticket) -> Value {
        self.nonces += 1;
        let nonce = format!("{}-{:08}", self.file.file_stem().unwrap().display(), self.nonces);
        let scan = json!({ "code": ticket.code.as_str(), "nonce": nonce });
        self.ask("/api/v1/admissions", Some(scan)).1
    }

    /// Waits until everything is handed over and a copy was made after that.
    fn settled(&self) {
        until("everything is handed over", || {
            let status = self.status();
            status["connected"] == true && status["waiting"] == 0
        });
    }

    /// Waits until the lane's copy has what happened before this call.
    fn copied(&self) {
        let before = self.status()["copied_until"].clone();
        until("a fresh copy", || self.status()["copied_until"] != before);
    }
}

/// What a turnstile was told: methods and bodies.
type Told = Arc<Mutex<Vec<(String, Value)>>>;

/// A turnstile that remembers what it was told.
fn turnstile() -> (String, Told) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/turn", listener.local_addr().unwrap());
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = told.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Some(one) = hear(stream.unwrap()) else { continue };
            heard.lock().unwrap().push(one);
        }
    });
    (url, told)
}

fn hear(mut stream: TcpStream) -> Option<(String, Value)> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).ok()?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim().to_lowercase().split_once(':') {
            Some(("content-length", value)) => length = value.trim().parse().ok()?,
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").ok()?;
    Some((first.split(' ').next()?.to_owned(), serde_json::from_slice(&body).ok()?))
}

fn memory_kb(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn mode(file: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(file).unwrap().permissions().mode() & 0o777
}

#[test]
fn lanes_go_on_without_the_service_and_are_merged() {
    let mut evening = Evening::begin(6);
    let (url, told) = turnstile();
    let (mut plaza, mut stairs) =
        (Lane::new(&evening, "plaza", Some(url)), Lane::new(&evening, "stairs", None));
    let (_, code) = evening.invite("Plaza");
    plaza.start(Some(&code));
    stairs.start(Some(&evening.invite("Stairs").1));
    assert_eq!(mode(&plaza.file.with_extension("key")), 0o600);
    let tickets = evening.tickets.clone();

    // Connected: the service decides, and both know it.
    assert_eq!(plaza.scan(&tickets[0])["outcome"], "ok");
    assert_eq!(stairs.scan(&tickets[0])["outcome"], "already_redeemed");
    stairs.copied();
    stairs.copied();

    // Cut off: each decides by its copy, says so, and what is let in twice is found out later.
    evening.cut();
    let alone = plaza.scan(&tickets[1]);
    assert_eq!((&alone["outcome"], &alone["turnstile"]), (&json!("ok"), &json!("open")));
    assert!(alone["offline_since"].is_string(), "{alone}");
    assert_eq!(stairs.scan(&tickets[0])["outcome"], "already_redeemed");
    assert_eq!(stairs.scan(&tickets[1])["outcome"], "ok");
    let status = stairs.status();
    assert_eq!((&status["connected"], &status["waiting"]), (&json!(false), &json!(2)));
    assert!(status["offline_since"].is_string() && status["tickets"] == 6, "{status}");

    // Power is lost, and comes back without a network: the lane goes on from its file.
    plaza.kill();
    let turns = |told: &Mutex<Vec<(String, Value)>>| {
        told.lock().unwrap().iter().filter(|(method, _)| method == "POST").count()
    };
    let before = turns(&told);
    plaza.start(None);
    assert_eq!(turns(&told), before, "a start turned the turnstile");
    assert_eq!(plaza.scan(&tickets[1])["outcome"], "already_redeemed");
    assert_eq!(plaza.scan(&tickets[2])["outcome"], "ok");
    assert_eq!(plaza.status()["waiting"], 3);
    assert_eq!(turns(&told), 3);
    let beat = told.lock().unwrap().iter().find(|(method, _)| method == "PUT").cloned().unwrap();
    assert_eq!((&beat.1["without_lane"], &beat.1["lane"]), (&json!("lock"), &json!("Plaza")));

    // Back: everything is handed over once, and the ticket let in twice is reported.
    evening.serve();
    plaza.settled();
    stairs.settled();
    assert_eq!([0, 1, 2, 3].map(|ticket| evening.entries(ticket)), [1, 2, 1, 0]);
    let doubles = evening.doubles();
    assert_eq!(doubles.len(), 1);
    assert_eq!(doubles[0].ticket_id, tickets[1].id);
    assert!(doubles[0].first.offline && doubles[0].second.offline);
    assert_eq!(stairs.scan(&tickets[2])["outcome"], "already_redeemed");
    let memory = memory_kb(stairs.running.as_ref().unwrap().child.id());
    assert!(memory < MEMORY_MAX_KB, "a lane takes {memory} kB");
}

#[test]
fn a_lane_revoked_while_cut_off_hands_over_and_stops() {
    let mut evening = Evening::begin(2);
    let (device, code) = evening.invite("Plaza");
    let mut lane = Lane::new(&evening, "plaza", None);
    lane.start(Some(&code));
    let tickets = evening.tickets.clone();

    evening.cut();
    assert_eq!(lane.scan(&tickets[0])["outcome"], "ok");
    evening.runtime.block_on(evening.office.revoke_device(device)).unwrap();
    evening.serve();
    until("the lane knows", || lane.status()["revoked"] == true);
    assert_eq!(lane.status()["waiting"], 0, "what it decided is handed over");
    assert_eq!(evening.entries(0), 1);

    let refused = lane.scan(&tickets[1]);
    assert!(refused["detail"].as_str().unwrap().contains("revoked"), "{refused}");
    // Nor after a start without a network.
    evening.cut();
    lane.kill();
    lane.start(None);
    assert_eq!(lane.scan(&tickets[1])["status"], 403);
    assert_eq!(evening.entries(1), 0);
}

#[test]
fn a_provisioning_code_is_used_once_and_a_key_is_rolled() {
    let evening = Evening::begin(1);
    let (_, code) = evening.invite("Plaza");
    let mut lane = Lane::new(&evening, "plaza", None);
    lane.start(Some(&code));
    let again = evening.home.path().join("again.db");
    let output = handfast(&["lane", "--server", &lane.server, "--code", &code, "--file"])
        .arg(&again)
        .args(["--listen", "127.0.0.1:0"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("used or too old"), "{said}");

    let key = |lane: &Lane| std::fs::read_to_string(lane.file.with_extension("key")).unwrap();
    let before = key(&lane);
    lane.kill();
    let file = lane.file.to_str().unwrap();
    let arguments = ["lane", "--json", "--listen", "127.0.0.1:0", "--server", &lane.server];
    let rolled = Running::start(&[&arguments[..], &["--file", file, "--roll"]].concat());
    assert_ne!(key(&lane), before);
    drop(rolled);
    lane.start(None);
    assert_eq!(lane.status()["connected"], true);
}
