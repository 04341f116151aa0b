//! The gates: the service and the agents' lanes as processes, a network that can be cut, queues.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration as StdDuration;

use anyhow::{Context as _, bail};
use handfast_boxoffice::{
    Biometrics, BoxOffice, Company, DeviceKind, Direction, Event, Language, NewDevice, NewEvent,
    Role, StaffUser,
};
use handfast_model::{Clock as _, DeviceId, Duration, GateId, SystemClock, SystemRandom, VenueId};
use handfast_palm_eval::Stopwatch as _;
use handfast_store::{Store, StoreError, params};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::crowd::{Crowd, DOORS_MINUTES, Person, Plan};
use crate::cli::stopwatch::SystemStopwatch;

/// The network of the agents' lanes is cut so many minutes after the doors, and for how long.
const CUT: (f64, f64) = (50.0, 55.0);
/// An agent's lane loses its power so many minutes after the doors, and comes back then.
const DEAD: (f64, f64) = (62.0, 70.0);
/// The rest of the queues is waited for so long after the start.
const AFTER_MINUTES: f64 = 90.0;
/// How long lanes may take to hand everything over once they can.
const SETTLED_WITHIN: StdDuration = StdDuration::from_secs(60);
const ASK_AGAIN: StdDuration = StdDuration::from_millis(50);

/// Somebody at a lane.
pub(super) struct Scanned {
    pub ticket: Option<usize>,
    pub palm_lane: bool,
    pub ok: bool,
    pub offline: bool,
    /// Seconds in the queue, on the evening's clock.
    pub waited: f64,
    /// Seconds of walking and capture.
    pub played: f64,
    /// Seconds until the verdict, as measured.
    pub verdict: f64,
    /// Seconds after the doors.
    at: f64,
}

/// A minute of the evening.
pub(super) struct Minute {
    pub palm: usize,
    pub code: usize,
    pub waiting: usize,
    pub queue_max: usize,
    pub cut: bool,
}

/// What the database says in the end.
pub(super) struct Books {
    pub sold: usize,
    pub passages: usize,
    pub tickets_entered: usize,
    pub reported: usize,
}

/// A process that ends with the rehearsal.
struct Process {
    child: Child,
    ready: Value,
}

impl Process {
    fn start(arguments: &[&str]) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program's own file is not found")?;
        let mut command = Command::new(program);
        command.args(arguments).env("HANDFAST_LOG", "error").stdout(Stdio::piped());
        let mut child = command.spawn().context("a process cannot be started")?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("a process without output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let ready = serde_json::from_str(&line).context("a process did not come up")?;
        Ok(Self { child, ready })
    }

    fn text(&self, field: &str) -> anyhow::Result<&str> {
        self.ready[field].as_str().context("a process said no address")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Gone already where all went well.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// One queue and what stands at its end.
struct Lane {
    queue: Mutex<VecDeque<Person>>,
    more: Notify,
    open: AtomicBool,
    palm: bool,
    end: Mutex<End>,
    file: PathBuf,
}

/// Where a lane's scans go.
#[derive(Clone)]
struct End {
    address: SocketAddr,
    key: String,
}

/// The venue while it is played.
pub(super) struct Field {
    home: tempfile::TempDir,
    service: Process,
    network: Arc<Network>,
    lanes: Vec<Arc<Lane>>,
    processes: Mutex<Vec<Option<Process>>>,
    codes: Vec<String>,
    company: Company,
    event: Event,
    clock: SystemStopwatch,
    compress: f64,
}

/// The cable between the agents' lanes and the service.
struct Network {
    address: SocketAddr,
    cut: AtomicBool,
    changed: Notify,
}

impl Network {
    async fn lay(service: SocketAddr) -> anyhow::Result<Arc<Self>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let network =
            Arc::new(Self { address, cut: AtomicBool::new(false), changed: Notify::new() });
        let own = network.clone();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let network = own.clone();
                tokio::spawn(async move {
                    let changed = network.changed.notified();
                    if network.cut.load(Ordering::SeqCst) {
                        return;
                    }
                    let Ok(mut far) = TcpStream::connect(service).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        () = changed => {}
                    }
                });
            }
        });
        Ok(network)
    }

    fn set(&self, cut: bool) {
        self.cut.store(cut, Ordering::SeqCst);
        self.changed.notify_waiters();
    }
}

impl Field {
    pub async fn open(plan: &Plan, compress: f64) -> anyhow::Result<Self> {
        let home = tempfile::tempdir().context("no temporary folder could be made")?;
        let data = home.path().join("data");
        std::fs::create_dir(&data)?;
        let place = format!("sqlite:{}", data.join("boxoffice.db").display());
        let filled = Filled::fill(&place, plan).await?;
        let folder = data.to_str().context("a temporary folder with an odd name")?;
        let service = ["serve", "--vault", "plain", "--json", "--listen", "127.0.0.1:0", "--data"];
        let service = Process::start(&[&service[..], &[folder]].concat())?;
        let address = address_of(service.text("url")?)?;
        let network = Network::lay(address).await?;
        let mut lanes = Vec::new();
        for key in &filled.palm_keys {
            lanes.push(Lane::at(true, End { address, key: key.clone() }, PathBuf::new()));
        }
        let mut processes: Vec<Option<Process>> = filled.palm_keys.iter().map(|_| None).collect();
        for (number, code) in filled.agent_codes.iter().enumerate() {
            let file = home.path().join(format!("lane-{number}.db"));
            let process = start_lane(&network, &file, Some(code))?;
            lanes.push(Lane::at(false, end_of(&process)?, file));
            processes.push(Some(process));
        }
        let Filled { codes, company, event, .. } = filled;
        let (clock, processes) = (SystemStopwatch::start(), Mutex::new(processes));
        Ok(Self {
            home,
            service,
            network,
            lanes,
            processes,
            codes,
            company,
            event,
            clock,
            compress,
        })
    }

    /// Seconds after the doors.
    fn now(&self) -> f64 {
        self.clock.nanos() as f64 / 1e9 * self.compress
    }

    async fn until(&self, seconds: f64) {
        let left = (seconds - self.now()) / self.compress;
        tokio::time::sleep(StdDuration::from_secs_f64(left.max(0.0))).await;
    }

    /// Plays the evening: every scan, and a line a minute.
    pub async fn evening(
        mut self,
        plan: &Plan,
        crowd: Crowd,
    ) -> anyhow::Result<(Vec<Scanned>, Vec<Minute>, Self)> {
        self.clock = SystemStopwatch::start();
        let field = Arc::new(self);
        let left = Arc::new(AtomicUsize::new(crowd.0.len()));
        let lanes: Vec<_> = (0..field.lanes.len())
            .map(|number| {
                let played = match field.lanes[number].palm {
                    true => plan.walk + plan.palm_capture,
                    false => plan.walk + plan.code_capture,
                };
                tokio::spawn(field.clone().work(number, played, left.clone()))
            })
            .collect();
        let troubles = tokio::spawn(field.clone().troubles());
        let watching = tokio::spawn(field.clone().watch(left.clone()));
        for person in crowd.0 {
            field.until(person.arrives).await;
            field.queue_up(person);
        }
        let mut scans = Vec::new();
        for lane in lanes {
            scans.extend(lane.await??);
        }
        troubles.await??;
        let mut minutes = watching.await?;
        for scan in scans.iter().filter(|scan| scan.ok) {
            if let Some(minute) = minutes.get_mut((scan.at / 60.0) as usize) {
                *if scan.palm_lane { &mut minute.palm } else { &mut minute.code } += 1;
            }
        }
        let field = Arc::into_inner(field).context("the evening goes on")?;
        Ok((scans, minutes, field))
    }

    /// The shortest queue of the kind that is wanted, else any.
    fn queue_up(&self, person: Person) {
        let length = |lane: &&Arc<Lane>| lane.waiting();
        let open = || self.lanes.iter().filter(|lane| lane.open.load(Ordering::SeqCst));
        let own = open().filter(|lane| lane.palm == person.palm).min_by_key(length);
        let Some(lane) = own.or_else(|| open().min_by_key(length)) else { return };
        lane.queue.lock().unwrap_or_else(PoisonError::into_inner).push_back(person);
        lane.more.notify_one();
    }

    /// A lane's evening: one person after the other, until everybody was at a lane.
    async fn work(
        self: Arc<Self>,
        number: usize,
        played: f64,
        left: Arc<AtomicUsize>,
    ) -> anyhow::Result<Vec<Scanned>> {
        let lane = self.lanes[number].clone();
        let mut line = None;
        let mut scans = Vec::new();
        while left.load(Ordering::SeqCst) > 0 {
            if !lane.open.load(Ordering::SeqCst) {
                line = None;
            }
            let Some(person) = lane.next() else {
                let wake = tokio::time::sleep(ASK_AGAIN);
                tokio::select! { () = lane.more.notified() => {}, () = wake => {} }
                continue;
            };
            let (began, watch) = (self.now(), SystemStopwatch::start());
            let nonce = format!("lane{number:02}-{:08}", scans.len());
            let verdict = self.scan(&lane, &mut line, &person, &nonce).await?;
            let took = watch.nanos() as f64 / 1e9;
            let played = played + person.trouble;
            // On the evening's clock the verdict takes as long as it took here.
            self.until(began + played + took).await;
            left.fetch_sub(1, Ordering::SeqCst);
            scans.push(Scanned {
                ticket: person.ticket,
                palm_lane: lane.palm,
                ok: verdict["outcome"] == "ok",
                offline: verdict.get("offline_since").is_some(),
                waited: (began - person.arrives).max(0.0),
                played,
                verdict: took,
                at: self.now(),
            });
        }
        Ok(scans)
    }

    async fn scan(
        &self,
        lane: &Lane,
        line: &mut Option<SendRequest<Full<Bytes>>>,
        person: &Person,
        nonce: &str,
    ) -> anyhow::Result<Value> {
        let end = lane.end.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let stranger = "HF1.NOSUCHTICKET".to_owned();
        let code = person.ticket.map_or(stranger, |ticket| self.codes[ticket].clone());
        let body = json!({ "code": code, "nonce": nonce });
        ask(&end, line, "/api/v1/admissions", Some(body)).await
    }

    /// The network goes and comes back; a lane loses its power and comes back.
    async fn troubles(self: Arc<Self>) -> anyhow::Result<()> {
        self.until(CUT.0 * 60.0).await;
        self.network.set(true);
        self.until(CUT.1 * 60.0).await;
        self.network.set(false);
        self.until(DEAD.0 * 60.0).await;
        let number = self.lanes.len() - 1;
        let lane = self.lanes[number].clone();
        lane.open.store(false, Ordering::SeqCst);
        let moved: Vec<Person> =
            lane.queue.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect();
        for person in moved {
            self.queue_up(person);
        }
        // Whoever stands before the reader is through before the light goes out.
        self.until(DEAD.0 * 60.0 + 60.0).await;
        let dead = self.processes.lock().unwrap_or_else(PoisonError::into_inner)[number].take();
        drop(dead);
        self.until(DEAD.1 * 60.0).await;
        let process = start_lane(&self.network, &lane.file, None)?;
        *lane.end.lock().unwrap_or_else(PoisonError::into_inner) = end_of(&process)?;
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)[number] = Some(process);
        lane.open.store(true, Ordering::SeqCst);
        Ok(())
    }

    async fn watch(self: Arc<Self>, left: Arc<AtomicUsize>) -> Vec<Minute> {
        let mut minutes = Vec::new();
        let all = (DOORS_MINUTES + AFTER_MINUTES) as usize;
        while minutes.len() < all && left.load(Ordering::SeqCst) > 0 {
            self.until((minutes.len() + 1) as f64 * 60.0).await;
            let waiting: Vec<usize> = self.lanes.iter().map(|lane| lane.waiting()).collect();
            minutes.push(Minute {
                palm: 0,
                code: 0,
                waiting: waiting.iter().sum(),
                queue_max: waiting.into_iter().max().unwrap_or(0),
                cut: self.network.cut.load(Ordering::SeqCst),
            });
        }
        minutes
    }

    /// Waits until every lane has handed over, ends the processes, and reads the books.
    pub async fn close(self) -> anyhow::Result<Books> {
        let watch = SystemStopwatch::start();
        for lane in self.lanes.iter().filter(|lane| !lane.palm) {
            let end = lane.end.lock().unwrap_or_else(PoisonError::into_inner).clone();
            loop {
                let status = ask(&end, &mut None, "/api/v1/lane/status", None).await?;
                if status["connected"] == true && status["waiting"] == 0 {
                    break;
                }
                if u128::from(watch.nanos()) > SETTLED_WITHIN.as_nanos() {
                    bail!("a lane has not handed over what it decided: {status}");
                }
                tokio::time::sleep(ASK_AGAIN).await;
            }
        }
        self.processes.lock().unwrap_or_else(PoisonError::into_inner).clear();
        drop(self.service);
        let place = self.home.path().join("data").join("boxoffice.db");
        let store = Store::connect(&format!("sqlite:{}", place.display())).await?;
        let counted: Result<(usize, usize, usize), StoreError> = store
            .read("rehearse.books", |tx| {
                Box::pin(async move {
                    let sql = "SELECT (SELECT COUNT(*) FROM tickets), COUNT(*),
                                      COUNT(DISTINCT ticket_id)
                               FROM passages WHERE passing = 'entry' AND annulled_at IS NULL";
                    let (sold, passages, tickets): (u64, u64, u64) =
                        tx.fetch_one(sql, params![]).await?;
                    Ok((sold as usize, passages as usize, tickets as usize))
                })
            })
            .await;
        let (sold, passages, tickets_entered) = counted?;
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
        let office = BoxOffice::open(store, clock, random, "").await?;
        let doubles = office.double_entries(self.company.id, self.event.id).await?;
        let reported = doubles.iter().map(|double| double.people_too_many as usize).sum();
        Ok(Books { sold, passages, tickets_entered, reported })
    }
}

impl Lane {
    fn at(palm: bool, end: End, file: PathBuf) -> Arc<Self> {
        let (queue, end) = (Mutex::default(), Mutex::new(end));
        Arc::new(Self { queue, more: Notify::new(), open: AtomicBool::new(true), palm, end, file })
    }

    fn waiting(&self) -> usize {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn next(&self) -> Option<Person> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

/// A venue in its database.
struct Filled {
    palm_keys: Vec<String>,
    agent_codes: Vec<String>,
    codes: Vec<String>,
    company: Company,
    event: Event,
}

impl Filled {
    async fn fill(place: &str, plan: &Plan) -> anyhow::Result<Self> {
        let store = Store::connect(place).await.context("the database cannot be opened")?;
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
        let office = BoxOffice::open(store.clone(), clock, random, "http://127.0.0.1").await?;
        let company = office.create_company("Rehearsal").await?;
        let venue = office.create_venue(company.id, "Amphitheatre").await?;
        let gate = office.create_gate(venue.id, None, "Gate").await?;
        let now = SystemClock.now();
        let new = NewEvent {
            venue_id: venue.id,
            name: "Rehearsal",
            doors_at: now - Duration::from_hours(1),
            starts_at: now + Duration::from_hours(1),
            ends_at: now + Duration::from_hours(12),
            biometrics: Biometrics::Forbidden,
        };
        let event = office.create_event(&new).await?;
        let address = "operator@example.org".parse().context("the rehearsal's own address")?;
        let language = Language::English;
        let operator =
            office.create_staff_user(company.id, &address, "Operator", Role::Operator, language);
        let operator = operator.await?;
        let (mut palm_keys, mut agent_codes) = (Vec::new(), Vec::new());
        for number in 0..plan.palm_lanes + plan.agent_lanes {
            let place = (&office, &operator, venue.id, gate.id);
            let (_, key, code) = device(place, number).await?;
            match number < plan.palm_lanes {
                true => palm_keys.push(key),
                false => agent_codes.push(code),
            }
        }
        let email = "fans@example.org".parse().context("the rehearsal's own address")?;
        let account = office.create_account(&email, "Fans", language).await?;
        let codes = office.danger_fill_tickets(account.id, event.id, plan.people).await?;
        let codes = codes.iter().map(|code| code.as_str().to_owned()).collect();
        store.close().await;
        Ok(Self { palm_keys, agent_codes, codes, company, event })
    }
}

/// A lane's device with its key, and a code that provisions it instead.
async fn device(
    (office, operator, venue_id, gate): (&BoxOffice, &StaffUser, VenueId, GateId),
    number: usize,
) -> anyhow::Result<(DeviceId, String, String)> {
    let name = format!("Lane {number}");
    let lane = office.create_lane(gate, &name, Direction::Straight, &[]).await?;
    let new = NewDevice {
        venue_id,
        name: &name,
        kind: DeviceKind::Scanner,
        mode: None,
        lane_id: Some(lane.id),
        shop_reference: None,
        paired_with: None,
    };
    let (id, key) = office.register_device(&new).await?;
    let code = office.invite_again(operator.id, id).await?;
    Ok((id, key.expose().to_owned(), code.expose().to_owned()))
}

fn start_lane(network: &Network, file: &Path, code: Option<&str>) -> anyhow::Result<Process> {
    let server = format!("http://{}", network.address);
    let file = file.to_str().context("a temporary folder with an odd name")?;
    let mut arguments = vec!["lane", "--json", "--listen", "127.0.0.1:0", "--file", file];
    arguments.extend(["--server", &server]);
    if let Some(code) = code {
        arguments.extend(["--code", code]);
    }
    Process::start(&arguments)
}

fn end_of(process: &Process) -> anyhow::Result<End> {
    let page = process.text("page")?;
    let key = page.rsplit('/').next().unwrap_or_default().to_owned();
    Ok(End { address: address_of(process.text("url")?)?, key })
}

fn address_of(url: &str) -> anyhow::Result<SocketAddr> {
    url.trim_start_matches("http://").parse().context("a process said an odd address")
}

/// One request over a connection that stays.
async fn ask(
    end: &End,
    line: &mut Option<SendRequest<Full<Bytes>>>,
    path: &str,
    body: Option<Value>,
) -> anyhow::Result<Value> {
    if line.as_ref().is_none_or(SendRequest::is_closed) {
        let stream = TcpStream::connect(end.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        *line = Some(sender);
    }
    let sender = line.as_mut().context("no connection")?;
    let method = if body.is_some() { "POST" } else { "GET" };
    let text = body.map_or_else(String::new, |body| body.to_string());
    let request = hyper::Request::builder()
        .method(method)
        .uri(path)
        .header("host", "127.0.0.1")
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {}", end.key))
        .body(Full::new(Bytes::from(text)))?;
    sender.ready().await?;
    let answer = sender.send_request(request).await?;
    let body = answer.into_body().collect().await?.to_bytes();
    Ok(serde_json::from_slice(&body)?)
}
