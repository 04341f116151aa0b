//! `handfast bench hover`: a lane with many armed palms. Frames are synthetic hands and go through
//! the real engine, vault and box office (SQLite, full durability) in this process, and with
//! `--vault split` through three nodes over TLS; the armed palms around them are random templates, not
//! pictures: they measure time, not error rates.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration as StdDuration;

use anyhow::{Context as _, bail, ensure};
use clap::{Args, ValueEnum};
use handfast_boxoffice::{
    AdmissionRequest, Biometrics, CURRENT_VERSION, Company, DeviceKind, DeviceMode, Direction,
    Event, Language, NewDevice, NewEvent, NewLink, NewOrder, NewTicket, OrderState, Outcome,
    PalmHandle, Presented, Scope, Side as LinkedSide, TicketToLink,
};
use handfast_model::{AccountId, DeviceId, Duration, GalleryId, PairwiseToken, Timestamp};
use handfast_palm::{Picture, Sample, Side, acquire};
use handfast_palm_eval::Stopwatch as _;
use handfast_palm_synth::{Approach, Camera, Hand, Identity};
use handfast_vault::dealer::{Enrolment, Enrolments, Presentation, PresentedPalm};
use handfast_vault::{EnrolOutcome, Identification};
use serde::Serialize;

use super::rank;
use super::vault::nodes::ThreeNodes;
use crate::cli::runtime::block_on;
use crate::cli::stopwatch::SystemStopwatch;
use crate::cli::{Answer, print_json};
use crate::hub::{Hub, SharedHub};
use crate::serve::{Settings, VaultChoice};

/// Frames a hover takes, and how far apart a camera of 15 frames a second gives them.
const FRAMES: u64 = 3;
const FRAME_EVERY_MS: f64 = 1_000.0 / 15.0;
/// When the hand of an [`Approach`] has come to rest and been held for a moment.
const AT_REST_MS: u64 = 1_500;
/// People whose hands are rendered; each hovers several times.
const PEOPLE: u64 = 20;
/// Seeds far from those that tests look at.
const FIRST_SEED: u64 = 900_000;

/// Arguments of `handfast bench hover`.
#[derive(Debug, Args)]
pub struct Hover {
    /// Palms armed for the event
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    palms: u32,
    /// Hovers to measure
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    hovers: u32,
    /// Which vault matches: three nodes of this process over TLS, or one that matches in clear
    #[arg(long, value_enum, default_value_t = Matcher::Plain)]
    vault: Matcher,
    /// Simulated round trip between any two nodes of a split vault, in milliseconds; half of it
    /// between this hub and a node
    #[arg(long, default_value_t = 0, value_name = "MS")]
    rtt: u64,
    /// Nodes that check in every search that what was dealt is short
    #[arg(long)]
    strict: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Matcher {
    Plain,
    Split,
}

/// Median and 95th percentile in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
struct Spread {
    p50_ms: f64,
    p95_ms: f64,
}

/// What came out.
#[derive(Serialize)]
struct Report {
    vault: Matcher,
    rtt_ms: u64,
    palms_armed: usize,
    hovers: usize,
    admitted: usize,
    already_redeemed: usize,
    not_recognised: usize,
    /// Waiting for the frames that a hover takes, at 15 a second.
    frames: Spread,
    /// The last frame to its sample.
    detect: Spread,
    /// The frames' samples to probes.
    encode: Spread,
    /// The probes among the armed palms.
    search: Spread,
    /// Whose tickets, and the entry, durable.
    decide: Spread,
    /// All of it.
    hover_to_verdict: Spread,
}

impl Hover {
    pub(super) fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        if self.vault == Matcher::Plain && (self.rtt > 0 || self.strict) {
            bail!(
                "--rtt and --strict are of three nodes, and this bench matches in clear without \
                 them: say --vault split as well"
            );
        }
        block_on(async {
            let folder = tempfile::tempdir().context("no temporary folder could be made")?;
            let (mut nodes, mut vault) = (None, VaultChoice::Plain);
            if self.vault == Matcher::Split {
                let three = ThreeNodes::set_up(&folder.path().join("vault"), self.strict).await?;
                vault = VaultChoice::Front(three.front());
                nodes = Some(three);
            }
            let hub = Arc::new(settings(&folder.path().join("data"), vault).open(None).await?);
            let lane = Lane::prepare(&hub, self.palms).await?;
            // Preparing thousands of palms from afar would take minutes, and nobody asks how long.
            if let Some(nodes) = &nodes {
                nodes.delay.set(StdDuration::from_millis(self.rtt) / 2);
            }
            let hovers = lane.hover(self.hovers).await?;
            if let Some(nodes) = &nodes {
                nodes.delay.set(StdDuration::ZERO);
            }
            let answer = self.print(out, &self.report(&lane, &hovers).await?);
            if let Some(mut nodes) = nodes {
                hub.vault.clone().close().await;
                nodes.stop().await;
            }
            answer
        })
    }

    async fn report(&self, lane: &Lane, hovers: &[Timed]) -> anyhow::Result<Report> {
        let count =
            |wanted: Option<Outcome>| hovers.iter().filter(|hover| hover.verdict == wanted).count();
        let spread = |part: fn(&Timed) -> f64| spread_of(hovers.iter().map(part).collect());
        Ok(Report {
            vault: self.vault,
            rtt_ms: self.rtt,
            palms_armed: lane.hub.vault.armed(GalleryId::from(lane.event.id)).await?,
            hovers: hovers.len(),
            admitted: count(Some(Outcome::Ok)),
            already_redeemed: count(Some(Outcome::AlreadyRedeemed)),
            not_recognised: count(None),
            frames: Spread { p50_ms: waiting_ms(), p95_ms: waiting_ms() },
            detect: spread(|hover| hover.detect),
            encode: spread(|hover| hover.encode),
            search: spread(|hover| hover.search),
            decide: spread(|hover| hover.decide),
            hover_to_verdict: spread(Timed::whole),
        })
    }

    fn print(&self, out: &mut dyn Write, report: &Report) -> anyhow::Result<Answer> {
        if self.json {
            print_json(out, report)?;
            return Ok(Answer::Positive);
        }
        let (hovers, armed) = (report.hovers, report.palms_armed);
        match report.vault {
            Matcher::Plain => writeln!(out, "{hovers} hovers among {armed} armed palms, in clear")?,
            Matcher::Split => writeln!(
                out,
                "{hovers} hovers among {armed} armed palms, three nodes over TLS, {} ms between \
                 them",
                report.rtt_ms
            )?,
        }
        writeln!(
            out,
            "{} admitted, {} already redeemed, {} not recognised\n",
            report.admitted, report.already_redeemed, report.not_recognised
        )?;
        writeln!(out, "| part | p50 ms | p95 ms |\n|---|---|---|")?;
        for (name, spread) in [
            ("frames (3 at 15 a second)", report.frames),
            ("detect (the last frame)", report.detect),
            ("encode (3 frames)", report.encode),
            ("search", report.search),
            ("decide (durable)", report.decide),
            ("hover to verdict", report.hover_to_verdict),
        ] {
            writeln!(out, "| {name} | {:.1} | {:.1} |", spread.p50_ms, spread.p95_ms)?;
        }
        Ok(Answer::Positive)
    }
}

fn settings(data: &Path, vault: VaultChoice) -> Settings {
    Settings {
        data: data.to_owned(),
        database: None,
        public_url: "http://127.0.0.1".to_owned(),
        camera: None,
        witnesses: Vec::new(),
        witnesses_needed: None,
        jurisdictions: Vec::new(),
        dormant_months: None,
        vault,
        outward: crate::serve::Outward::default(),
    }
}

/// One hover's parts in milliseconds.
struct Timed {
    detect: f64,
    encode: f64,
    search: f64,
    decide: f64,
    verdict: Option<Outcome>,
}

impl Timed {
    fn whole(&self) -> f64 {
        waiting_ms() + self.detect + self.encode + self.search + self.decide
    }
}

fn waiting_ms() -> f64 {
    (FRAMES - 1) as f64 * FRAME_EVERY_MS
}

/// A lane at an event, with its armed palms.
struct Lane {
    hub: SharedHub,
    event: Event,
    lane: DeviceId,
    people: Vec<Hand>,
}

/// Where palms are linked.
struct Booth<'a> {
    hub: &'a Hub,
    company: &'a Company,
    account: AccountId,
    device: DeviceId,
    event: &'a Event,
}

impl Lane {
    async fn prepare(hub: &SharedHub, palms: u32) -> anyhow::Result<Self> {
        let boxoffice = &hub.boxoffice;
        let company = boxoffice.create_company("Bench").await?;
        let venue = boxoffice.create_venue(company.id, "Bench").await?;
        let gate = boxoffice.create_gate(venue.id, None, "Gate").await?;
        let lane = boxoffice.create_lane(gate.id, "Lane", Direction::Straight, &[]).await?;
        let now = hub.clock.now();
        let event = boxoffice
            .create_event(&NewEvent {
                venue_id: venue.id,
                name: "Bench",
                doors_at: now - Duration::from_hours(1),
                starts_at: now,
                ends_at: now + Duration::from_hours(12),
                biometrics: Biometrics::Allowed,
            })
            .await?;
        let pedestal = |name, mode, lane_id| NewDevice {
            venue_id: venue.id,
            name,
            kind: DeviceKind::Pedestal,
            mode: Some(mode),
            lane_id,
            shop_reference: None,
            paired_with: None,
        };
        let booth = pedestal("booth", DeviceMode::EnrolOutside, None);
        let (device, _) = boxoffice.register_device(&booth).await?;
        let at_gate = pedestal("lane", DeviceMode::EntryLane, Some(lane.id));
        let (lane, _) = boxoffice.register_device(&at_gate).await?;
        let address = "bench@example.org".parse()?;
        let account = boxoffice.create_account(&address, "Bench", Language::English).await?.id;
        hub.open_event_gallery(venue.id, event.id).await?;
        let people = (0..PEOPLE)
            .map(|seed| Identity::from_seed(FIRST_SEED + seed).hand(Side::Left))
            .collect();
        let prepared = Self { hub: hub.clone(), event, lane, people };
        let booth = Booth { hub, company: &company, account, device, event: &prepared.event };
        booth.link_random(palms).await?;
        for person in &prepared.people {
            booth.link_person(person).await?;
        }
        hub.carry_armings_of(account).await?;
        Ok(prepared)
    }

    async fn hover(&self, hovers: u32) -> anyhow::Result<Vec<Timed>> {
        let mut timed = Vec::new();
        for number in 0..u64::from(hovers) {
            let person = &self.people[(number % PEOPLE) as usize];
            let pictures = frames_of(person, FIRST_SEED + number);
            timed.push(self.one_hover(number, &pictures).await?);
        }
        Ok(timed)
    }

    async fn one_hover(&self, number: u64, pictures: &[Picture]) -> anyhow::Result<Timed> {
        let watch = SystemStopwatch::start();
        let mut samples: Vec<Sample> = Vec::new();
        let mut detect = 0.0;
        for picture in pictures {
            let (seen, ms) = watch.time(|| acquire(picture));
            detect = ms;
            samples.extend(seen.ok().map(|capture| capture.sample));
        }
        ensure!(!samples.is_empty(), "a synthetic hand was not found");
        let (packed, encode) = watch.time(|| {
            PresentedPalm::from_samples(&samples).and_then(|palm| Presentation::new(vec![palm]))
        });
        let before = watch.nanos();
        let gallery = GalleryId::from(self.event.id);
        let found = self.hub.vault.identify(gallery, packed?).await?;
        let searched = watch.nanos();
        let verdict = match found.first().map(|palm| palm.identification) {
            Some(Identification::Match(token)) => Some(self.decide(number, &token).await?),
            _ => None,
        };
        let decided = watch.nanos();
        let ms = |from: u64, to: u64| (to - from) as f64 / 1e6;
        Ok(Timed {
            detect,
            encode,
            search: ms(before, searched),
            decide: ms(searched, decided),
            verdict,
        })
    }

    async fn decide(&self, number: u64, token: &PairwiseToken) -> anyhow::Result<Outcome> {
        let boxoffice = &self.hub.boxoffice;
        boxoffice.candidates_for_palm(self.lane, token).await?;
        let nonce = format!("bench-hover-{number}");
        let presented = Presented::Palm { token, people: 1 };
        let request = AdmissionRequest { device_id: self.lane, nonce: &nonce, presented };
        Ok(boxoffice.admit(&request).await?.outcome)
    }
}

impl Booth<'_> {
    /// Links palms of random numbers, each to a ticket of its own, armed for the event.
    async fn link_random(&self, palms: u32) -> anyhow::Result<()> {
        let gallery = GalleryId::from(self.event.id);
        let filled = self
            .hub
            .vault
            .danger_fill(self.company.id, &[gallery], palms as usize, self.event.ends_at)
            .await?;
        let tokens = filled.iter().map(|palm| {
            let at_the_venue = palm.armed.first().context("a palm that is armed nowhere")?;
            Ok((palm.token, *at_the_venue))
        });
        let tokens = tokens.collect::<anyhow::Result<Vec<_>>>()?;
        let boxoffice = &self.hub.boxoffice;
        boxoffice.danger_fill_links(self.device, self.account, self.event.id, &tokens).await?;
        Ok(())
    }

    /// Links a rendered left hand, as a booth would: the random palms are left ones too, and a
    /// search compares hands of one side only.
    async fn link_person(&self, person: &Hand) -> anyhow::Result<()> {
        let ticket = self.ticket().await?;
        let pictures = frames_of(person, FIRST_SEED - 1);
        let samples: Vec<Sample> = pictures
            .iter()
            .filter_map(|picture| acquire(picture).ok().map(|capture| capture.sample))
            .collect();
        let enrolments = Enrolments::new(vec![Enrolment::from_samples(&samples)?])?;
        let until = self.until(&ticket);
        match self.hub.vault.enrol(self.company.id, enrolments, until).await? {
            EnrolOutcome::Enrolled(palms) => {
                let token = palms.first().context("nothing was enrolled")?.token;
                self.link(&ticket, LinkedSide::Left, token).await
            }
            EnrolOutcome::AlreadyEnrolled => bail!("two synthetic people are alike"),
        }
    }

    async fn ticket(&self) -> anyhow::Result<TicketToLink> {
        let tickets = [NewTicket { event_id: self.event.id, product: "Bench", account_id: None }];
        let order = NewOrder {
            company_id: self.company.id,
            account_id: self.account,
            state: OrderState::Paid,
            tickets: &tickets,
        };
        let (_, issued) = self.hub.boxoffice.place_order(&order).await?;
        let code = issued.first().context("no ticket was issued")?.code.as_str();
        Ok(self.hub.boxoffice.ticket_to_link(self.device, code).await?)
    }

    async fn link(
        &self,
        ticket: &TicketToLink,
        side: LinkedSide,
        company_token: PairwiseToken,
    ) -> anyhow::Result<()> {
        let new = NewLink {
            device_id: self.device,
            ticket_id: ticket.ticket_id,
            palms: &[PalmHandle { side, company_token }],
            text_version: CURRENT_VERSION,
            language: Language::English,
            scope: Scope::Event,
            accepted_at: self.hub.clock.now(),
            age: handfast_boxoffice::AgeSaid::OfAge,
        };
        self.hub.boxoffice.create_link(&new).await?;
        Ok(())
    }

    fn until(&self, ticket: &TicketToLink) -> Timestamp {
        let offered = ticket.scopes.iter().find(|offered| offered.scope == Scope::Event);
        offered.map_or(self.event.ends_at, |offered| offered.until)
    }
}

fn frames_of(person: &Hand, visit: u64) -> Vec<Picture> {
    let approach = Approach::new(person.clone(), visit);
    let camera = Camera::default();
    (0..FRAMES)
        .map(|frame| camera.render(&approach.scene_at(AT_REST_MS + frame * 67), frame, 640, 480))
        .collect()
}

/// Nearest-rank percentiles.
fn spread_of(mut values: Vec<f64>) -> Spread {
    values.sort_by(f64::total_cmp);
    Spread { p50_ms: rank(&values, 50), p95_ms: rank(&values, 95) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_rank() {
        let spread = spread_of((1..=100).rev().map(f64::from).collect());
        assert_eq!((spread.p50_ms, spread.p95_ms), (50.0, 95.0));
        let one = spread_of(vec![7.0]);
        assert_eq!((one.p50_ms, one.p95_ms), (7.0, 7.0));
    }
}
