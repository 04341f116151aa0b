//! `handfast bench charge`: how quickly charges are paid over HTTP. A service of its own runs as
//! another process on a data folder of its own; this one plays its registers and the customers'
//! phones: a register asks for an amount, a phone that read the pedestal's code pays it. A hover
//! takes the same way from there on (a palm's search is `handfast bench hover`). First so many a
//! second on a timetable, for the latency; then as many as the counters can, for the rate. At the
//! end the service is killed; every payment it answered must be in its books once, and at the
//! gateway once.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration as StdDuration;

use anyhow::{Context as _, ensure};
use clap::Args;
use handfast_boxoffice::{BoxOffice, DeviceKind, Language, NewDevice, Realm};
use handfast_model::{
    ChargeId, Clock, Currency, Money, Random, SecretText, SystemClock, SystemRandom,
};
use handfast_palm_eval::Stopwatch as _;
use handfast_store::Store;
use handfast_till::test_gateway::{Instrument, TestGateway, TestGatewayOptions};
use handfast_till::{ChargeState, Label, NewShop, Till};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::rank;
use super::redeem::Service;
use crate::cli::runtime::block_on;
use crate::cli::stopwatch::SystemStopwatch;
use crate::cli::{Answer, print_json};

/// Shops of the venue, and counters in each; every counter has one customer at a time.
const SHOPS: usize = 4;
const COUNTERS: usize = 32;
const PRICE: Money = Money::new(1_250, Currency::Usd);

/// Arguments of `handfast bench charge`.
#[derive(Debug, Args)]
pub struct Charge {
    /// Charges a second on the timetable
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    rate: u32,
    /// Seconds of each part
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// How long the test gateway takes over each request: it is asked twice a charge
    #[arg(long, default_value_t = 0, value_name = "MS", value_parser = clap::value_parser!(u32).range(0..=5_000))]
    gateway_ms: u32,
    /// An empty PostgreSQL database to fill, instead of SQLite files
    #[arg(long, value_name = "URL")]
    danger_database: Option<SecretText>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    database: &'static str,
    /// Paid a second without pause.
    rate_per_s: f64,
    /// From the phone's "pay" to "paid", on the timetable.
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    /// Of it, what the test gateway was told to take: two requests a charge.
    gateway_ms: u32,
    /// On the timetable: how many a second were really paid.
    timetable_per_s: f64,
    /// Answered "paid" and not in the books, or not at the gateway.
    lost: usize,
    /// Taken more than once, in the books or at the gateway.
    doubled: usize,
    paid: usize,
    /// Whether every ledger sums to zero afterwards.
    books_add_up: bool,
}

impl Charge {
    pub(super) fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let report = block_on(self.measure())?;
        if self.json {
            print_json(out, &report)?;
        } else {
            let Report { database, rate_per_s, p50_ms, p95_ms, p99_ms, .. } = &report;
            let Report { lost, doubled, paid, .. } = &report;
            writeln!(out, "{database} behind HTTP, another process\n")?;
            writeln!(out, "paid without pause   {rate_per_s:.0} a second")?;
            writeln!(
                out,
                "at {} a second       p50 {p50_ms:.1} ms, p95 {p95_ms:.1} ms, p99 {p99_ms:.1} ms",
                self.rate
            )?;
            writeln!(out, "killed, then         {lost} lost, {doubled} doubled of {paid}")?;
        }
        let good = report.lost == 0 && report.doubled == 0 && report.books_add_up;
        Ok(if good { Answer::Positive } else { Answer::Negative })
    }

    async fn measure(&self) -> anyhow::Result<Report> {
        let folder = tempfile::tempdir().context("no temporary folder could be made")?;
        let data = folder.path().join("data");
        std::fs::create_dir(&data)?;
        let database = self.danger_database.as_ref().map(SecretText::expose);
        let hall = Arc::new(Hall::fill(&data, database).await?);
        let far = [(crate::money::TEST_GATEWAY_MS, self.gateway_ms.to_string())];
        let service = Service::start_with(&data, database, &far).await?;
        let address = service.address;
        let warm_up = run_counters(&hall, address, Pace::Flat(StdDuration::from_secs(1))).await?;
        let pace = Pace::Timetable { rate: self.rate, count: (self.rate * self.seconds) as usize };
        let timetable = run_counters(&hall, address, pace).await?;
        let span = StdDuration::from_secs(u64::from(self.seconds));
        let peak = run_counters(&hall, address, Pace::Flat(span)).await?;
        service.kill()?;
        let mut answered = warm_up.paid.clone();
        answered.extend(timetable.paid.iter().chain(&peak.paid));
        let found = Found::after(&data, database, &answered).await?;
        Ok(Report {
            database: if database.is_some() { "PostgreSQL" } else { "SQLite" },
            rate_per_s: peak.paid.len() as f64 / peak.seconds,
            p50_ms: rank(&timetable.millis, 50),
            p95_ms: rank(&timetable.millis, 95),
            p99_ms: rank(&timetable.millis, 99),
            gateway_ms: 2 * self.gateway_ms,
            timetable_per_s: timetable.paid.len() as f64 / timetable.seconds,
            lost: found.lost,
            doubled: found.doubled,
            paid: answered.len(),
            books_add_up: found.books_add_up,
        })
    }
}

/// The till's and the gateway's databases, as the service opens them.
async fn open_till(
    data: &Path,
    database: Option<&str>,
) -> anyhow::Result<(Till, Arc<TestGateway>)> {
    let (clock, random): (Arc<dyn Clock>, Arc<dyn Random>) =
        (Arc::new(SystemClock), Arc::new(SystemRandom));
    let options = TestGatewayOptions {
        merchant: "Bench".to_owned(),
        page_base: "/test-gateway/setup/".to_owned(),
        currencies: Currency::ALL.to_vec(),
    };
    let store = Store::connect(&address_of(data, database, "gateway")).await?;
    let gateway = TestGateway::open(store, clock.clone(), random.clone(), options).await?;
    let gateway = Arc::new(gateway);
    let store = Store::connect(&address_of(data, database, "till")).await?;
    Ok((Till::open(store, gateway.clone(), clock, random).await?, gateway))
}

fn address_of(data: &Path, database: Option<&str>, service: &str) -> String {
    let file = || format!("sqlite:{}", data.join(format!("{service}.db")).display());
    database.map_or_else(file, str::to_owned)
}

/// One counter: its register's key, and the session of whoever stands there.
struct Counter {
    api_key: String,
    session: String,
}

/// Shops with counters and customers.
struct Hall {
    counters: Vec<Counter>,
}

impl Hall {
    async fn fill(data: &Path, database: Option<&str>) -> anyhow::Result<Self> {
        let store = Store::connect(&address_of(data, database, "boxoffice")).await?;
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
        let boxoffice = BoxOffice::open(store, clock, random, "http://127.0.0.1").await?;
        let company = boxoffice.create_company("Bench").await?;
        let venue = boxoffice.create_venue(company.id, "Bench").await?;
        let (till, gateway) = open_till(data, database).await?;
        let mut shops = Vec::new();
        for number in 0..SHOPS {
            let name = Label::parse(&format!("Shop {number}"))?;
            let currency = PRICE.currency;
            let shop = NewShop { venue: venue.id, name, currency, utc_offset_minutes: 0 };
            shops.push(till.add_shop(&shop).await?);
        }
        let mut counters = Vec::new();
        for number in 0..COUNTERS {
            let shop = shops[number % SHOPS];
            let (name, reference) = (format!("Register {number}"), shop.to_string());
            let new = NewDevice {
                venue_id: venue.id,
                name: &name,
                kind: DeviceKind::Register,
                mode: None,
                lane_id: None,
                shop_reference: Some(&reference),
                paired_with: None,
            };
            let (register, api_key) = boxoffice.register_device(&new).await?;
            till.add_register(register, shop).await?;
            let session = customer(&boxoffice, &till, &gateway, number).await?;
            counters.push(Counter { api_key: api_key.expose().to_owned(), session });
        }
        till.end_lease().await?;
        Ok(Self { counters })
    }
}

/// Somebody with a payment method that always approves, signed in; the key of the session.
async fn customer(
    boxoffice: &BoxOffice,
    till: &Till,
    gateway: &TestGateway,
    number: usize,
) -> anyhow::Result<String> {
    let email = format!("fan{number}@example.org").parse().context("the bench's own address")?;
    let account = boxoffice.create_account(&email, "Bench", Language::English).await?;
    let started = till.begin_setup(account.id, "/back/").await?;
    let session = started.url.rsplit('/').next().unwrap_or_default();
    gateway.choose(session, Instrument::AlwaysApproves.as_str()).await?;
    till.complete_setup(account.id, &started.setup, None).await?;
    boxoffice.request_sign_in(&email, Realm::Fan).await?;
    let mails = boxoffice.newest_mails(1).await?;
    let link = mails.first().and_then(|mail| mail.link.as_deref()).unwrap_or_default();
    let key = link.rsplit('/').next().unwrap_or_default();
    Ok(boxoffice.open_session(key).await?.key.expose().to_owned())
}

/// How quickly counters ask.
#[derive(Clone, Copy)]
enum Pace {
    /// The next as soon as the last is paid.
    Flat(StdDuration),
    /// Charge `n` is due at `n / rate` seconds.
    Timetable { rate: u32, count: usize },
}

/// What the counters did.
struct Done {
    paid: Vec<ChargeId>,
    /// From "pay" to "paid", sorted.
    millis: Vec<f64>,
    seconds: f64,
}

async fn run_counters(
    hall: &Arc<Hall>,
    address: std::net::SocketAddr,
    pace: Pace,
) -> anyhow::Result<Done> {
    let watch = Arc::new(SystemStopwatch::start());
    let next = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..COUNTERS)
        .map(|number| {
            let (hall, watch, next) = (hall.clone(), watch.clone(), next.clone());
            tokio::spawn(async move {
                let mut line = Line::open(address).await?;
                let (mut paid, mut millis) = (Vec::new(), Vec::new());
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    match pace {
                        Pace::Flat(span) if u128::from(watch.nanos()) >= span.as_nanos() => break,
                        Pace::Timetable { count, .. } if place >= count => break,
                        Pace::Flat(_) => {}
                        Pace::Timetable { rate, .. } => {
                            let due = place as u64 * 1_000_000_000 / u64::from(rate);
                            let early = due.saturating_sub(watch.nanos());
                            tokio::time::sleep(StdDuration::from_nanos(early)).await;
                        }
                    }
                    let (id, took) = line.sell(&hall.counters[number], &watch).await?;
                    paid.push(id);
                    millis.push(took);
                }
                anyhow::Ok((paid, millis))
            })
        })
        .collect();
    let (mut paid, mut millis) = (Vec::new(), Vec::new());
    for task in tasks {
        let (ids, took) = task.await??;
        paid.extend(ids);
        millis.extend(took);
    }
    millis.sort_by(f64::total_cmp);
    Ok(Done { paid, millis, seconds: watch.nanos() as f64 / 1e9 })
}

/// One connection.
struct Line {
    sender: SendRequest<Full<Bytes>>,
}

impl Line {
    async fn open(address: std::net::SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender })
    }

    /// A register asks, a phone pays; the charge, and the milliseconds from "pay" to "paid".
    async fn sell(
        &mut self,
        counter: &Counter,
        watch: &SystemStopwatch,
    ) -> anyhow::Result<(ChargeId, f64)> {
        let mut bytes = [0; 16];
        SystemRandom.fill(&mut bytes);
        let nonce: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let asked = json!({ "amount": PRICE, "description": "", "nonce": nonce });
        let authorization = format!("Bearer {}", counter.api_key);
        let header = [("authorization", authorization.as_str())];
        let charge = self.post("/api/v1/charges", &header, &asked).await?;
        let id: ChargeId = charge["charge_id"].as_str().unwrap_or_default().parse()?;
        let url = charge["pay_url"].as_str().unwrap_or_default();
        let key = url.rsplit('/').next().unwrap_or_default();
        let cookie = format!("handfast_session={}", counter.session);
        let headers = [("cookie", cookie.as_str()), ("x-handfast", "1")];
        let before = watch.nanos();
        let paid =
            self.post(&format!("/api/v1/me/charges/{key}/pay"), &headers, &json!({})).await?;
        let took = (watch.nanos() - before) as f64 / 1e6;
        ensure!(paid["state"] == "captured", "not paid: {paid}");
        Ok((id, took))
    }

    async fn post(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> anyhow::Result<Value> {
        let mut request = hyper::Request::post(path)
            .header("host", "127.0.0.1")
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body.to_string())))?;
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status();
        let bytes = answer.into_body().collect().await?.to_bytes();
        ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&bytes));
        Ok(serde_json::from_slice(&bytes)?)
    }
}

/// What the databases say after the service was killed.
struct Found {
    lost: usize,
    doubled: usize,
    books_add_up: bool,
}

impl Found {
    async fn after(
        data: &Path,
        database: Option<&str>,
        answered: &[ChargeId],
    ) -> anyhow::Result<Self> {
        let (till, gateway) = open_till(data, database).await?;
        let report = gateway.report().await?;
        let mut taken: BTreeMap<String, i64> = BTreeMap::new();
        for line in &report {
            *taken.entry(line.reference.clone()).or_insert(0) += line.captured.minor;
        }
        let (mut lost, mut doubled) = (0, 0);
        for id in answered {
            let history = till.charge_history(*id).await?;
            let captures =
                history.iter().filter(|(state, _)| *state == ChargeState::Captured).count();
            let at_gateway = taken.get(&id.to_string()).copied().unwrap_or(0);
            lost += usize::from(captures == 0 || at_gateway == 0);
            doubled += usize::from(captures > 1 || at_gateway > PRICE.minor);
        }
        let audit = till.audit().await?;
        Ok(Self { lost, doubled, books_add_up: audit.is_clean() })
    }
}
