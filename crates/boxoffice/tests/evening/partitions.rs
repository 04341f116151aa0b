//! Lanes that decide alone, over random partitions.
//!
//! Goal: whatever the order of scans, cuts, syncs, repeated messages and wrong clocks, in the end
//! the hub has every passage that any lane allowed exactly once, every lane has the hub's books, and
//! the report names exactly the entries beyond a ticket's right.
//! A failure: a passage lost or doubled in the books; a double while every lane concerned was
//! connected and had copied; a report that differs from the oracle's, or by the order of the
//! queues' arrival.
//! Not a failure: an entry beyond a ticket's right during a partition, for it is reported.
//! Nondeterminism: none; a seed is a partition, time is moved by hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use handfast_boxoffice::{
    AdmissionRequest, AdmissionTerms, DeviceKind, Direction, LaneOffice, NewDevice, Outcome,
    Presented, QUEUE_AT_ONCE_MAX, Ticket,
};
use handfast_model::{DeviceId, Duration, ManualClock, Random, SeededRandom, TicketId, Timestamp};
use handfast_store::{Store, test_on_both_engines};

use crate::night::Night;

const LANES: usize = 3;
/// Few tickets and few steps: each partition is another cut, and what goes wrong goes wrong between
/// two lanes and one ticket.
const TICKETS: usize = 3;
const STEPS: usize = 14;

struct Lane {
    device: DeviceId,
    office: LaneOffice,
    own_clock: Arc<ManualClock>,
    connected: bool,
    /// A queue whose acknowledgement was lost.
    unacknowledged: bool,
}

struct Field {
    night: Night,
    lanes: Vec<Lane>,
}

impl Field {
    async fn begin(store: Store) -> Self {
        let night = Night::begin(store).await;
        let place = &night.red_rocks;
        let gate = night.office.create_gate(place.venue.id, None, "Plaza").await.unwrap();
        let mut lanes = Vec::new();
        for (number, skew_hours) in [0, 1, -1].into_iter().enumerate() {
            let name = format!("Lane {number}");
            let lane =
                night.office.create_lane(gate.id, &name, Direction::Left, &[]).await.unwrap();
            let new = NewDevice {
                venue_id: place.venue.id,
                name: &name,
                kind: DeviceKind::Scanner,
                mode: None,
                lane_id: Some(lane.id),
                shop_reference: None,
                paired_with: None,
            };
            let device = night.office.register_device(&new).await.unwrap().0;
            let skew = Duration::from_hours(skew_hours);
            let own_clock = Arc::new(ManualClock::at(night.now() + skew));
            let random = Arc::new(SeededRandom::new(number as u64));
            let own = Store::connect("sqlite::memory:").await.unwrap();
            let office = LaneOffice::open(own, own_clock.clone(), random).await.unwrap();
            lanes.push(Lane { device, office, own_clock, connected: true, unacknowledged: false });
        }
        Self { night, lanes }
    }

    fn advance(&self, by: Duration) {
        self.night.clock.advance(by);
        for lane in &self.lanes {
            lane.own_clock.advance(by);
        }
    }

    /// Hands over what is queued, and copies what is new.
    async fn sync(&mut self, number: usize, lose_answer: bool) {
        let lane = &mut self.lanes[number];
        if let Some(queue) = lane.office.queue().await.unwrap() {
            let sent = serde_json::to_string(&queue).unwrap();
            let received = serde_json::from_str(&sent).unwrap();
            self.night.office.merge_lane(lane.device, &received).await.unwrap();
            lane.unacknowledged = lose_answer;
            if lose_answer {
                return;
            }
            lane.office.acknowledge(&queue).await.unwrap();
        }
        let since = lane.office.copied_until().await.unwrap();
        let copy = self.night.office.lane_copy(lane.device, since).await.unwrap();
        let copy = serde_json::from_str(&serde_json::to_string(&copy).unwrap()).unwrap();
        lane.office.apply(&copy).await.unwrap();
    }

    /// As the lane's program does: the hub decides while it answers, the lane itself otherwise.
    async fn scan(&self, number: usize, ticket: &Ticket, answer_lost: bool) -> Outcome {
        let lane = &self.lanes[number];
        let nonce = self.night.nonce();
        let presented = Presented::Code(ticket.code.as_str());
        let request = AdmissionRequest { device_id: lane.device, nonce: &nonce, presented };
        if lane.connected {
            let verdict = self.night.office.admit(&request).await.unwrap();
            if !answer_lost {
                return verdict.outcome;
            }
        }
        lane.office.admit(&request, AdmissionTerms::default()).await.unwrap().outcome
    }
}

fn below(random: &SeededRandom, bound: u64) -> usize {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    usize::try_from(u64::from_le_bytes(bytes) % bound).unwrap()
}

/// What was let in, by the oracle: how many people each ticket brought, at whatever lane.
type Allowed = BTreeMap<TicketId, u32>;

/// An evening's tickets, known to every lane before the first cut.
async fn tickets_for(field: &mut Field, partitions: usize) -> Vec<Ticket> {
    let events = vec![&field.night.tonight; partitions * TICKETS];
    let tickets = field.night.order(&field.night.ada, &events).await;
    for number in 0..LANES {
        field.sync(number, false).await;
    }
    tickets
}

async fn partition(field: &mut Field, tickets: &[Ticket], seed: u64) -> (usize, usize) {
    let random = SeededRandom::new(seed);
    let mut allowed = Allowed::new();
    let mut ever_cut = false;
    for _ in 0..STEPS {
        field.advance(Duration::from_millis(200 + below(&random, 3_000) as i64));
        let lane = below(&random, LANES as u64);
        match below(&random, 10) {
            0 => {
                field.lanes[lane].connected = false;
                ever_cut = true;
            }
            1 => {
                field.lanes[lane].connected = true;
                field.sync(lane, below(&random, 3) == 0).await;
            }
            2 if field.lanes[lane].connected => field.sync(lane, false).await,
            _ => {
                let ticket = &tickets[below(&random, TICKETS as u64)];
                // An answer that is lost on its way is a partition, too.
                let lost = field.lanes[lane].connected && below(&random, 20) == 0;
                ever_cut |= lost;
                let before = allowed.get(&ticket.id).copied().unwrap_or(0);
                let outcome = field.scan(lane, ticket, lost).await;
                if outcome == Outcome::Ok {
                    allowed.insert(ticket.id, before + 1);
                }
            }
        }
    }
    heal(field).await;
    let lane = below(&random, LANES as u64);
    let doubles = check(field, tickets, &allowed, lane).await;
    assert!(ever_cut || doubles == 0, "seed {seed}: {doubles} doubles while connected");
    (allowed.len(), doubles)
}

/// Everybody is connected again and hands over; in the end all copy what all brought.
async fn heal(field: &mut Field) {
    field.advance(Duration::from_secs(1));
    for number in 0..LANES {
        field.lanes[number].connected = true;
        field.sync(number, false).await;
    }
    field.advance(Duration::from_secs(1));
    // The last one copied after all had handed over.
    for number in 0..LANES - 1 {
        field.sync(number, false).await;
    }
}

/// Looks at the hub's books and report, and at the books of one lane.
async fn check(field: &Field, tickets: &[Ticket], allowed: &Allowed, lane: usize) -> usize {
    let night = &field.night;
    let company = night.red_rocks.company.id;
    let report = night.office.double_entries(company, night.tonight.id).await.unwrap();
    let mut doubles = 0;
    for ticket in tickets {
        let wanted = allowed.get(&ticket.id).copied().unwrap_or(0);
        let recorded = night.office.ticket_history(company, ticket.id).await.unwrap();
        let people: u32 = recorded.passages.iter().map(|passage| passage.people).sum();
        assert_eq!(people, wanted, "lost or doubled in the books");
        let reported = report.iter().filter(|double| double.ticket_id == ticket.id);
        let reported: u32 = reported.map(|double| double.people_too_many).sum();
        assert_eq!(reported, wanted.saturating_sub(1), "the report");
        doubles += reported as usize;
        // Who has entered anywhere enters nowhere again.
        if wanted > 0 {
            let lane = &field.lanes[lane];
            let nonce = night.nonce();
            let presented = Presented::Code(ticket.code.as_str());
            let request = AdmissionRequest { device_id: lane.device, nonce: &nonce, presented };
            let verdict = lane.office.admit(&request, AdmissionTerms::default()).await.unwrap();
            assert_eq!(verdict.outcome, Outcome::AlreadyRedeemed, "a lane has other books");
        }
    }
    doubles
}

/// Partitions of one evening: an event is open for some hours, and its books and its report, which
/// are read again after each, stay short.
const EVENING: u64 = 20;
/// Partitions, shared out over `SHARDS` tests so that they run beside each other; more by
/// `HANDFAST_PARTITIONS` (`make soak`).
const PARTITIONS: u64 = 3_000;
const SHARDS: u64 = 4;

/// In memory, hub and lanes alike: what is decided and merged is the same statements as on disk.
fn shard(number: u64) {
    let asked = std::env::var("HANDFAST_PARTITIONS").ok().and_then(|text| text.parse().ok());
    let each = asked.unwrap_or(PARTITIONS) / SHARDS;
    let seeds = number * each..(number + 1) * each;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (entered, doubles) = runtime.block_on(Box::pin(async {
        let (mut entered, mut doubles) = (0, 0);
        let mut first = seeds.start;
        while first < seeds.end {
            let store = Store::connect("sqlite::memory:").await.unwrap();
            let mut field = Field::begin(store).await;
            let tickets = tickets_for(&mut field, EVENING as usize).await;
            let evening = first..seeds.end.min(first + EVENING);
            for (seed, tickets) in evening.zip(tickets.chunks(TICKETS)) {
                let (some, twice) = partition(&mut field, tickets, seed).await;
                (entered, doubles) = (entered + some, doubles + twice);
            }
            first += EVENING;
        }
        (entered, doubles)
    }));
    println!(
        "{each} partitions: {entered} tickets entered, {doubles} entries too many, all reported"
    );
    assert!(doubles > 0, "partitions that double nothing test nothing");
}

#[test]
fn partitions_lose_and_double_nothing_unreported_shard_0() {
    shard(0);
}

#[test]
fn partitions_lose_and_double_nothing_unreported_shard_1() {
    shard(1);
}

#[test]
fn partitions_lose_and_double_nothing_unreported_shard_2() {
    shard(2);
}

#[test]
fn partitions_lose_and_double_nothing_unreported_shard_3() {
    shard(3);
}

test_on_both_engines! {
    async fn a_partition_on_disk(store: Store) {
        let mut field = Field::begin(store).await;
        let tickets = tickets_for(&mut field, 8).await;
        for (seed, tickets) in tickets.chunks(TICKETS).enumerate() {
            partition(&mut field, tickets, seed as u64).await;
        }
    }

    async fn the_report_is_the_same_whichever_queue_comes_first(store: Store) {
        let mut field = Field::begin(store).await;
        let mut reports = Vec::new();
        for order in [[0, 1, 2], [2, 1, 0]] {
            let ticket = field.night.ticket(&field.night.ada).await;
            for number in 0..LANES {
                field.lanes[number].connected = true;
                field.sync(number, false).await;
                field.lanes[number].connected = false;
            }
            for number in 0..LANES {
                field.advance(Duration::from_secs(5));
                assert_eq!(field.scan(number, &ticket, false).await, Outcome::Ok);
            }
            for number in order {
                field.sync(number, false).await;
            }
            let company = field.night.red_rocks.company.id;
            let report = field.night.office.double_entries(company, field.night.tonight.id).await;
            let report = report.unwrap().into_iter().filter(|double| double.ticket_id == ticket.id);
            let lanes: Vec<_> = report.map(|double| {
                assert!(double.first.offline && double.second.offline);
                (double.first.lane_name, double.second.lane_name)
            }).collect();
            reports.push(lanes);
        }
        let lane = |number: usize| Some(format!("Lane {number}"));
        assert_eq!(reports[0], [(lane(0), lane(1)), (lane(1), lane(2))]);
        assert_eq!(reports[0], reports[1]);
    }

    async fn a_clock_an_hour_wrong_decides_and_is_merged_rightly(store: Store) {
        let mut field = Field::begin(store).await;
        let tickets = [field.night.ticket(&field.night.ada).await, field.night.ticket(&field.night.ada).await];
        for (number, ticket) in [1, 2].into_iter().zip(&tickets) {
            field.sync(number, false).await;
            field.lanes[number].connected = false;
            field.advance(Duration::from_minutes(3));
            assert_eq!(field.scan(number, ticket, false).await, Outcome::Ok);
            let at = field.night.now();
            field.advance(Duration::from_minutes(2));
            field.sync(number, false).await;
            let company = field.night.red_rocks.company.id;
            let history = field.night.office.ticket_history(company, ticket.id).await.unwrap();
            assert_eq!(history.passages[0].at, at, "lane {number}");
        }
    }

    async fn a_lane_copy_holds_no_code_and_no_person(store: Store) {
        let field = Field::begin(store).await;
        let ticket = field.night.ticket(&field.night.ada).await;
        let lane = &field.lanes[0];
        let copy = field.night.office.lane_copy(lane.device, None).await.unwrap();
        let sent = serde_json::to_string(&copy).unwrap();
        assert_eq!(copy.ticket_count(), 1);
        for secret in [ticket.code.as_str(), "ada@example.org", "\"ada\""] {
            assert!(!sent.contains(secret), "{secret} leaves the hub");
        }
        lane.office.apply(&copy).await.unwrap();
        let hash = sent.split("\"code_hash\":\"").nth(1).unwrap().split('"').next().unwrap();
        let nonce = field.night.nonce();
        let request = AdmissionRequest { device_id: lane.device, nonce: &nonce, presented: Presented::Code(hash) };
        let verdict = lane.office.admit(&request, AdmissionTerms::default()).await.unwrap();
        assert_eq!(verdict.outcome, Outcome::Invalid, "a hash opened the gate");
    }

    async fn a_full_queue_fits_a_request(store: Store) {
        // As the service has it for every route.
        const BODY_BYTES_MAX: usize = 64 * 1024;
        let mut field = Field::begin(store).await;
        let mut tickets = Vec::new();
        for _ in 0..QUEUE_AT_ONCE_MAX + 5 {
            tickets.push(field.night.ticket(&field.night.ada).await);
        }
        field.sync(0, false).await;
        let lane = &field.lanes[0];
        for (number, ticket) in tickets.iter().enumerate() {
            let nonce = format!("{number:0>64}");
            let presented = Presented::Code(ticket.code.as_str());
            let request = AdmissionRequest { device_id: lane.device, nonce: &nonce, presented };
            lane.office.admit(&request, AdmissionTerms::default()).await.unwrap();
        }
        let queue = lane.office.queue().await.unwrap().unwrap();
        assert_eq!((queue.attempts(), queue.left), (QUEUE_AT_ONCE_MAX, 5));
        let sent = serde_json::to_string(&queue).unwrap();
        assert!(sent.len() < BODY_BYTES_MAX, "{} bytes", sent.len());
    }

    async fn a_revoked_lanes_people_are_counted_and_it_copies_no_more(store: Store) {
        let mut field = Field::begin(store).await;
        let ticket = field.night.ticket(&field.night.ada).await;
        field.sync(0, false).await;
        field.lanes[0].connected = false;
        assert_eq!(field.scan(0, &ticket, false).await, Outcome::Ok);
        let device = field.lanes[0].device;
        field.night.office.revoke_device(device).await.unwrap();
        let queue = field.lanes[0].office.queue().await.unwrap().unwrap();
        assert_eq!(field.night.office.merge_lane(device, &queue).await.unwrap(), 1);
        assert!(field.night.office.lane_copy(device, None).await.is_err());
        let company = field.night.red_rocks.company.id;
        let inside = field.night.office.occupancy(company, field.night.tonight.id).await.unwrap();
        assert_eq!(inside.venue, 1);
    }

    async fn what_a_lane_takes_back_offline_is_taken_back_at_the_hub(store: Store) {
        let mut field = Field::begin(store).await;
        let ticket = field.night.ticket(&field.night.ada).await;
        field.sync(0, false).await;
        let lane = &field.lanes[0];
        let nonce = field.night.nonce();
        let presented = Presented::Code(ticket.code.as_str());
        let request = AdmissionRequest { device_id: lane.device, nonce: &nonce, presented };
        lane.office.admit(&request, AdmissionTerms::default()).await.unwrap();
        field.sync(0, false).await;
        let lane = &field.lanes[0];
        lane.office.annul(lane.device, &nonce, "did not turn").await.unwrap();
        field.sync(0, false).await;
        let company = field.night.red_rocks.company.id;
        let inside = field.night.office.occupancy(company, field.night.tonight.id).await.unwrap();
        assert_eq!(inside.venue, 0);
        let _: Timestamp = field.night.now();
    }
}
