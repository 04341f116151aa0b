//! `handfast bench redeem`: how quickly tickets are redeemed over HTTP. A service of its own runs as
//! another process on a data folder of its own; this one plays its scanners. First so many scans a
//! second on a timetable (a scan that waited is counted from when it was due), then as many as the
//! scanners can. At the end the service is killed, and its database must hold every answer it gave.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration as StdDuration;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use handfast_boxoffice::{
    Biometrics, BoxOffice, DeviceKind, Direction, Language, NewDevice, NewEvent,
};
use handfast_model::{Clock as _, Duration, SecretText, SystemClock, SystemRandom};
use handfast_palm_eval::Stopwatch as _;
use handfast_store::Store;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};

use super::{count, rank};
use crate::cli::runtime::block_on;
use crate::cli::stopwatch::SystemStopwatch;
use crate::cli::{Answer, print_json};

/// Scanners of the venue, each with an API key of its own.
const DEVICES: usize = 16;
/// Connections that scan without pause at the peak: a rush at every lane of a large venue.
const PEAK_CONNECTIONS: usize = 64;
/// Connections on the timetable: more than scans can be under way at once, unless the service stalls.
const TIMETABLE_CONNECTIONS: usize = 32;
/// Above what any machine redeems; tickets are made for it.
const PEAK_RATE_MAX: usize = 6_000;
/// How long the service may take to answer for the first time.
const START_WITHIN: StdDuration = StdDuration::from_secs(60);

/// Arguments of `handfast bench redeem`.
#[derive(Debug, Args)]
pub struct Redeem {
    /// Scans a second on the timetable
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=2_000))]
    rate: u32,
    /// Seconds of each part
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// An empty PostgreSQL database to fill, instead of an SQLite file
    #[arg(long, value_name = "URL")]
    danger_database: Option<SecretText>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One part's figures.
#[derive(Clone, Copy, Debug, Serialize)]
struct Part {
    redeemed: usize,
    rate_per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

#[derive(Serialize)]
struct Report {
    database: &'static str,
    /// Scans a second without pause.
    rate_per_s: f64,
    /// On the timetable.
    p50_ms: f64,
    p99_ms: f64,
    /// Whether every answer was found in the database after the service had been killed.
    durable: bool,
    answered: usize,
    recorded: usize,
    timetable: Part,
    peak: Part,
}

impl Redeem {
    pub(super) fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let report = block_on(self.measure())?;
        if self.json {
            print_json(out, &report)?;
        } else {
            self.print(out, &report)?;
        }
        Ok(if report.durable { Answer::Positive } else { Answer::Negative })
    }

    fn print(&self, out: &mut dyn Write, report: &Report) -> anyhow::Result<()> {
        writeln!(out, "{} behind HTTP, another process\n", report.database)?;
        writeln!(out, "| part | redeemed | a second | p50 ms | p99 ms | max ms |")?;
        writeln!(out, "|---|---|---|---|---|---|")?;
        let timetable = format!("{} a second", self.rate);
        for (name, part) in [(timetable.as_str(), report.timetable), ("peak", report.peak)] {
            let Part { redeemed, rate_per_s, p50_ms, p99_ms, max_ms } = part;
            writeln!(
                out,
                "| {name} | {redeemed} | {rate_per_s:.0} | {p50_ms:.1} | {p99_ms:.1} | {max_ms:.1} |"
            )?;
        }
        let found = if report.durable { "all" } else { "NOT ALL" };
        writeln!(
            out,
            "\nkilled, then {found} of {} answers found in its database ({})",
            report.answered, report.recorded
        )?;
        Ok(())
    }

    async fn measure(&self) -> anyhow::Result<Report> {
        let folder = tempfile::tempdir().context("no temporary folder could be made")?;
        let data = folder.path().join("data");
        std::fs::create_dir(&data)?;
        let place = self.danger_database.as_ref().map(SecretText::expose);
        let file = format!("sqlite:{}", data.join("boxoffice.db").display());
        let database = place.unwrap_or(&file);
        let scheduled = (self.rate * self.seconds) as usize;
        let wanted = scheduled + PEAK_RATE_MAX * self.seconds as usize;
        let venue = Venue::fill(database, wanted).await?;
        // What an earlier run left would count as recorded.
        ensure!(recorded(database).await? == 0, "this database is not empty; give one that is");
        let service = Service::start(&data, place).await?;
        let work = Arc::new(Work { venue, address: service.address, next: AtomicUsize::new(0) });
        // The first scans warm caches on both sides; they are answered and recorded like any.
        let warm_up = work.clone().without_pause(DEVICES, StdDuration::from_secs(1)).await?;
        let timetable = work.clone().on_timetable(self.rate, self.seconds).await?;
        let span = StdDuration::from_secs(u64::from(self.seconds));
        let peak = work.clone().without_pause(PEAK_CONNECTIONS, span).await?;
        service.kill()?;
        let answered = warm_up.count + timetable.count + peak.count;
        let recorded = recorded(database).await?;
        let (timetable, peak) = (timetable.part(), peak.part());
        Ok(Report {
            database: if self.danger_database.is_some() { "PostgreSQL" } else { "SQLite" },
            rate_per_s: peak.rate_per_s,
            p50_ms: timetable.p50_ms,
            p99_ms: timetable.p99_ms,
            // A scan under way when the service died may be recorded without having been answered.
            durable: recorded >= answered && answered > 0,
            answered,
            recorded,
            timetable,
            peak,
        })
    }
}

/// Admissions that let somebody in, as the database has them.
async fn recorded(database: &str) -> anyhow::Result<usize> {
    let store = Store::connect(database).await?;
    let recorded = count(&store, "SELECT COUNT(*) FROM passages WHERE passing = 'entry'").await;
    store.close().await;
    recorded
}

/// A venue with scanners and tickets.
pub(super) struct Venue {
    pub(super) api_keys: Vec<String>,
    pub(super) codes: Vec<String>,
}

impl Venue {
    pub(super) async fn fill(database: &str, tickets: usize) -> anyhow::Result<Self> {
        let store = Store::connect(database).await.context("the database cannot be opened")?;
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
        let boxoffice = BoxOffice::open(store.clone(), clock, random, "http://127.0.0.1").await?;
        let company = boxoffice.create_company("Bench").await?;
        let venue = boxoffice.create_venue(company.id, "Bench").await?;
        let gate = boxoffice.create_gate(venue.id, None, "Gate").await?;
        let now = SystemClock.now();
        let event = boxoffice
            .create_event(&NewEvent {
                venue_id: venue.id,
                name: "Bench",
                doors_at: now - Duration::from_hours(1),
                starts_at: now + Duration::from_hours(1),
                ends_at: now + Duration::from_hours(8),
                biometrics: Biometrics::Forbidden,
            })
            .await?;
        let mut api_keys = Vec::with_capacity(DEVICES);
        for number in 0..DEVICES {
            let name = format!("Lane {number}");
            let lane = boxoffice.create_lane(gate.id, &name, Direction::Straight, &[]).await?;
            let new = NewDevice {
                venue_id: venue.id,
                name: &name,
                kind: DeviceKind::Scanner,
                mode: None,
                lane_id: Some(lane.id),
                shop_reference: None,
                paired_with: None,
            };
            api_keys.push(boxoffice.register_device(&new).await?.1.expose().to_owned());
        }
        let email = "bench@example.org".parse().context("the bench's own mail address")?;
        let account = boxoffice.create_account(&email, "Bench", Language::English).await?;
        let filled = boxoffice.danger_fill_tickets(account.id, event.id, tickets).await?;
        let codes = filled.iter().map(|code| code.as_str().to_owned()).collect();
        store.close().await;
        Ok(Self { api_keys, codes })
    }
}

/// The service, as another process.
pub(super) struct Service {
    child: Child,
    pub(super) address: SocketAddr,
}

impl Service {
    pub(super) async fn start(data: &Path, database: Option<&str>) -> anyhow::Result<Self> {
        Self::start_with(data, database, &[]).await
    }

    /// With settings of the service beside its folder and database.
    pub(super) async fn start_with(
        data: &Path,
        database: Option<&str>,
        settings: &[(&str, String)],
    ) -> anyhow::Result<Self> {
        let address = free_address().await?;
        let program = std::env::current_exe().context("this program's own file is not found")?;
        let mut command = Command::new(program);
        command.args(["serve", "--vault", "plain"]).arg("--data").arg(data);
        command.arg("--listen").arg(address.to_string());
        if let Some(database) = database {
            command.env("HANDFAST_DATABASE", database);
        }
        command.envs(settings.iter().map(|(name, value)| (name, value)));
        let child = command.env("HANDFAST_LOG", "error").stdout(Stdio::null()).spawn();
        let mut service = Self { child: child.context("the service cannot be started")?, address };
        let watch = SystemStopwatch::start();
        while u128::from(watch.nanos()) < START_WITHIN.as_nanos() {
            if TcpStream::connect(address).await.is_ok() {
                return Ok(service);
            }
            if let Some(status) = service.child.try_wait()? {
                bail!("the service ended with {status}; its message is above");
            }
            tokio::time::sleep(StdDuration::from_millis(20)).await;
        }
        bail!("the service did not answer within {} s", START_WITHIN.as_secs())
    }

    /// As a power cut would: nothing is flushed that was not.
    pub(super) fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().context("the service cannot be killed")?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Gone already where all went well.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

async fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("no port is free")?;
    Ok(listener.local_addr()?)
}

/// Scans that are handed out once each.
struct Work {
    venue: Venue,
    address: SocketAddr,
    next: AtomicUsize,
}

/// How long scans took.
struct Times {
    count: usize,
    seconds: f64,
    millis: Vec<f64>,
}

impl Times {
    fn part(mut self) -> Part {
        self.millis.sort_by(f64::total_cmp);
        let rank = |percent| rank(&self.millis, percent);
        Part {
            redeemed: self.count,
            rate_per_s: self.count as f64 / self.seconds,
            p50_ms: rank(50),
            p99_ms: rank(99),
            max_ms: rank(100),
        }
    }
}

impl Work {
    /// Every connection scans the next ticket as soon as the last is answered.
    async fn without_pause(
        self: Arc<Self>,
        connections: usize,
        span: StdDuration,
    ) -> anyhow::Result<Times> {
        let watch = Arc::new(SystemStopwatch::start());
        let tasks: Vec<_> = (0..connections)
            .map(|number| {
                let (work, watch) = (self.clone(), watch.clone());
                tokio::spawn(async move {
                    let mut scanner = work.scanner(number).await?;
                    let mut millis = Vec::new();
                    while u128::from(watch.nanos()) < span.as_nanos() {
                        let before = watch.nanos();
                        let Some(code) = work.code() else { break };
                        scanner.redeem(code).await?;
                        millis.push((watch.nanos() - before) as f64 / 1e6);
                    }
                    anyhow::Ok(millis)
                })
            })
            .collect();
        let mut millis = Vec::new();
        for task in tasks {
            millis.extend(task.await??);
        }
        Ok(Times { count: millis.len(), seconds: watch.nanos() as f64 / 1e9, millis })
    }

    /// Scan `n` is due at `n / rate` seconds, whatever became of the ones before.
    async fn on_timetable(self: Arc<Self>, rate: u32, seconds: u32) -> anyhow::Result<Times> {
        let watch = Arc::new(SystemStopwatch::start());
        let due = Arc::new(AtomicUsize::new(0));
        let scans = (rate * seconds) as usize;
        let tasks: Vec<_> = (0..TIMETABLE_CONNECTIONS)
            .map(|number| {
                let (work, watch, due) = (self.clone(), watch.clone(), due.clone());
                tokio::spawn(async move {
                    let mut scanner = work.scanner(number).await?;
                    let mut millis = Vec::new();
                    loop {
                        let place = due.fetch_add(1, Ordering::Relaxed);
                        let Some(code) = (place < scans).then(|| work.code()).flatten() else {
                            break;
                        };
                        let due_at = place as u64 * 1_000_000_000 / u64::from(rate);
                        let early = due_at.saturating_sub(watch.nanos());
                        tokio::time::sleep(StdDuration::from_nanos(early)).await;
                        scanner.redeem(code).await?;
                        // The timer wakes to the millisecond; a scan is never counted as early.
                        millis.push(watch.nanos().saturating_sub(due_at) as f64 / 1e6);
                    }
                    anyhow::Ok(millis)
                })
            })
            .collect();
        let mut millis = Vec::new();
        for task in tasks {
            millis.extend(task.await??);
        }
        ensure!(millis.len() == scans, "the tickets ran out; give less --seconds or --rate");
        Ok(Times { count: millis.len(), seconds: watch.nanos() as f64 / 1e9, millis })
    }

    fn code(&self) -> Option<&str> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.venue.codes.get(number).map(String::as_str)
    }

    async fn scanner(&self, number: usize) -> anyhow::Result<Scanner> {
        let key = &self.venue.api_keys[number % self.venue.api_keys.len()];
        Scanner::open(self.address, key, number).await
    }
}

/// One connection of a scanner.
pub(super) struct Scanner {
    sender: SendRequest<Full<Bytes>>,
    key: String,
    number: usize,
    scans: usize,
}

impl Scanner {
    pub(super) async fn open(
        address: SocketAddr,
        api_key: &str,
        number: usize,
    ) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, key: format!("Bearer {api_key}"), number, scans: 0 })
    }

    /// Redeems a ticket that nobody redeemed; any other answer is a failure of the bench.
    pub(super) async fn redeem(&mut self, code: &str) -> anyhow::Result<()> {
        self.scans += 1;
        let random: u64 = u64::from_le_bytes(fresh_bytes());
        let nonce = format!("bench-{}-{}-{random:016x}", self.number, self.scans);
        let body = serde_json::json!({ "code": code, "nonce": nonce }).to_string();
        let request = hyper::Request::post("/api/v1/admissions")
            .header("host", "127.0.0.1")
            .header("content-type", "application/json")
            .header("authorization", &self.key)
            .body(Full::new(Bytes::from(body)))?;
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        let verdict: serde_json::Value = serde_json::from_slice(&body)?;
        ensure!(verdict["outcome"] == "ok", "{status}: {verdict}");
        Ok(())
    }
}

fn fresh_bytes() -> [u8; 8] {
    let mut bytes = [0; 8];
    handfast_model::Random::fill(&SystemRandom, &mut bytes);
    bytes
}
