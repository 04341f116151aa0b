//! Whoever reads the public log cannot tell which of its searches found the same person, two visits
//! of one evening included. The attacker has every public byte and tries each relation that a tag
//! could betray; the control is the same attack on tags that do not change with their query, which
//! it must win.

use std::sync::Arc;

use handfast_boxoffice::{DeviceKind, DeviceMode, NewDevice};
use handfast_model::{Duration, EventId, GalleryId, ManualClock, SeededRandom, Timestamp};
use handfast_palm::{Sample, Side, acquire};
use handfast_palm_synth::{Approach, Camera, Identity};
use handfast_tlog::{Folder, Statement, TrustPolicy, Verification, verify_folder};
use handfast_vault::dealer::{Enrolment, Enrolments, Presentation, PresentedPalm};
use handfast_vault::{EnrolOutcome, Identification};

use crate::serve::Settings;

const START: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);
const PEOPLE: u64 = 4;
const VISITS: usize = 30;
/// Hands at rest, seen a moment apart.
const AT_REST_MS: u64 = 1_500;

/// What the public log says of one search.
#[derive(Clone, Copy)]
struct Seen {
    query: u128,
    tag: u128,
}

/// A relation between two searches: the higher, the more the attacker believes in one person.
type Relation = fn(Seen, Seen) -> f64;

fn closeness(a: u128, b: u128) -> f64 {
    f64::from((a ^ b).count_zeros())
}

const RELATIONS: [(&str, Relation); 5] = [
    ("equal tags", |a, b| f64::from(u8::from(a.tag == b.tag))),
    ("tags alike", |a, b| closeness(a.tag, b.tag)),
    ("queries alike", |a, b| closeness(a.query, b.query)),
    ("tags alike under their queries", |a, b| closeness(a.tag ^ a.query, b.tag ^ b.query)),
    ("differences alike", |a, b| {
        closeness(a.tag.wrapping_sub(a.query), b.tag.wrapping_sub(b.query))
    }),
];

/// How often a pair of one person looks more alike than a pair of two; a coin gives one half.
fn area_under_curve(seen: &[(u64, Seen)], relation: Relation) -> f64 {
    let (mut same, mut other) = (Vec::new(), Vec::new());
    for (at, &(person, a)) in seen.iter().enumerate() {
        for &(another, b) in &seen[at + 1..] {
            let pairs = if person == another { &mut same } else { &mut other };
            pairs.push(relation(a, b));
        }
    }
    let wins: f64 = same
        .iter()
        .flat_map(|one| other.iter().map(move |two| one.total_cmp(two)))
        .map(|order| f64::from(order as i8 + 1) / 2.0)
        .sum();
    wins / (same.len() * other.len()) as f64
}

fn samples_of(person: u64, visit: u64) -> Vec<Sample> {
    let approach = Approach::new(Identity::from_seed(700 + person).hand(Side::Left), visit);
    let picture = Camera::default().render(&approach.scene_at(AT_REST_MS), visit, 640, 480);
    vec![acquire(&picture).unwrap().sample]
}

/// An evening of searches, as the public log tells of them, beside whom each found.
async fn evening() -> Vec<(u64, Seen)> {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings::of_test(dir.path());
    let (clock, random) = (Arc::new(ManualClock::at(START)), Arc::new(SeededRandom::new(5)));
    let hub = settings.open_with(clock.clone(), random.clone(), None).await.unwrap();
    let company = hub.boxoffice.create_company("Foothills Tickets").await.unwrap();
    let venue = hub.boxoffice.create_venue(company.id, "Red Rocks").await.unwrap();
    let lane = NewDevice {
        venue_id: venue.id,
        name: "Lane",
        kind: DeviceKind::Pedestal,
        mode: Some(DeviceMode::EntryLane),
        lane_id: None,
        shop_reference: None,
        paired_with: None,
    };
    hub.boxoffice.register_device(&lane).await.unwrap();
    let lane = hub.boxoffice.devices(venue.id).await.unwrap().remove(0);
    let event = EventId::new(&*clock, &*random);
    let gallery = GalleryId::from(event);
    hub.open_event_gallery(venue.id, event).await.unwrap();
    let until = START + Duration::from_days(30);
    let mut tokens = Vec::new();
    for person in 0..PEOPLE {
        let palm = Enrolment::from_samples(&samples_of(person, 0)).unwrap();
        let enrolled =
            hub.vault.enrol(company.id, Enrolments::new(vec![palm]).unwrap(), until).await.unwrap();
        let EnrolOutcome::Enrolled(palms) = enrolled else { panic!("two people are alike") };
        tokens.push(hub.vault.arm(company.id, palms[0].token, gallery, until).await.unwrap());
    }
    let mut whose = Vec::new();
    for visit in 0..VISITS {
        for person in 0..PEOPLE {
            // The best case for the attacker: the very same picture every time.
            let palm = PresentedPalm::from_samples(&samples_of(person, 0)).unwrap();
            let shown = Presentation::new(vec![palm]).unwrap();
            let found = hub.vault.identify(gallery, shown).await.unwrap();
            let expected = Identification::Match(tokens[person as usize]);
            assert_eq!(found[0].identification, expected, "visit {visit}");
            let purpose = handfast_tlog::Purpose::Entry;
            drop(hub.promise_search(purpose, &[gallery], &lane, &found).await.unwrap());
            whose.push(person);
        }
        clock.advance(Duration::from_minutes(1));
    }
    hub.trust.publish().await.unwrap();
    whose.into_iter().zip(read_log(&dir.path().join("log"), &hub, START)).collect()
}

/// Everything an outsider has: the log's files.
fn read_log(dir: &std::path::Path, hub: &crate::hub::Hub, start: Timestamp) -> Vec<Seen> {
    let policy = TrustPolicy::new(hub.trust.verifier_key().clone(), Vec::new()).unwrap();
    let now = start + Duration::from_days(1);
    let what = Verification { policy: &policy, now, during: None, previous: None };
    let mut seen = Vec::new();
    let report = verify_folder(&Folder::read_only(dir), &what, &mut |_, leaf| {
        if let Statement::Identify { tags, .. } = leaf.statement() {
            let tag = tags.as_slice()[0];
            let (query, tag) = (u128::from_be_bytes(tag.query), u128::from_be_bytes(tag.tag));
            seen.push(Seen { query, tag });
        }
    });
    assert!(report.unwrap().is_sound());
    seen
}

#[tokio::test]
async fn nobody_links_two_visits_and_static_tags_would_let_everybody() {
    let seen = evening().await;
    assert_eq!(seen.len(), PEOPLE as usize * VISITS);
    for (name, relation) in RELATIONS {
        let area = area_under_curve(&seen, relation);
        assert!((area - 0.5).abs() < 0.03, "{name}: {area}");
    }
    let of_person = |person: u64| seen.iter().find(|(whose, _)| *whose == person).unwrap().1.tag;
    let is_static: Vec<(u64, Seen)> = seen
        .iter()
        .map(|&(person, one)| (person, Seen { tag: of_person(person), ..one }))
        .collect();
    let best = RELATIONS
        .iter()
        .map(|(_, relation)| area_under_curve(&is_static, *relation))
        .fold(0.0, f64::max);
    assert!(best > 0.99, "the attack wins against tags that do not change: {best}");
}
