//! Attempts that are decided together against the same ones decided one by one.
//!
//! Goal: whatever comes in together (entries and exits, codes and palms, the same ticket again, the
//! same nonce again), every verdict and every row is that of an office which decides each alone.
//! A failure: any verdict, error, record or passage that differs.
//! Nondeterminism: none; both offices draw the same ids, one thread hands the attempts in in order,
//! and proptest prints and keeps the failing evening.

use std::collections::HashMap;
use std::sync::Arc;

use handfast_boxoffice::{
    AdmissionRequest, AdmissionTerms, BoxOfficeError, EntryMode, Event, NewOrder, NewTicket,
    OrderState, Passing, Presented, Scope, Ticket, TicketState, TicketTerms, Verdict,
};
use handfast_model::{AdmissionId, DeviceId, Duration, EventId, TicketId};
use handfast_store::params;
use handfast_store::testing::{POSTGRES_VARIABLE, TestStore};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::night::{Night, Palm, general_admission, venue_token};

const PALMS: Palm = 3;
const CODES: usize = 13;
/// Above the places of one statement and the rows of another.
const TOGETHER_MAX: usize = 40;

#[derive(Clone, Debug)]
enum Step {
    Fresh(Try),
    /// An earlier attempt once more, counted back.
    Again(usize),
    /// Something under the nonce of an earlier attempt.
    Reused(usize, Try),
}

#[derive(Clone, Debug)]
struct Try {
    device: usize,
    shown: Shown,
    passing: Option<Passing>,
    people: Option<u8>,
}

#[derive(Clone, Debug)]
enum Shown {
    Code(usize),
    Palm(Palm, u8),
    UnknownPalm,
    AmbiguousPalm,
}

fn tries() -> impl Strategy<Value = Try> {
    let shown = prop_oneof![
        12 => (0..CODES).prop_map(Shown::Code),
        5 => (1..=PALMS, 1..3_u8).prop_map(|(palm, people)| Shown::Palm(palm, people)),
        1 => Just(Shown::UnknownPalm),
        1 => Just(Shown::AmbiguousPalm),
    ];
    let passing = prop_oneof![3 => Just(None), 2 => Just(Some(Passing::Exit))];
    let people = prop_oneof![3 => Just(None), 2 => (1..5_u8).prop_map(Some)];
    (0..4_usize, shown, passing, people).prop_map(|(device, shown, passing, people)| Try {
        device,
        shown,
        passing,
        people,
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => tries().prop_map(Step::Fresh),
        2 => (1..TOGETHER_MAX).prop_map(Step::Again),
        1 => (1..TOGETHER_MAX, tries()).prop_map(|(back, other)| Step::Reused(back, other)),
    ]
}

/// An evening with every kind of ticket; two of them from the same beginning are equal.
struct Evening {
    night: Arc<Night>,
    home: TestStore,
    codes: Vec<String>,
    /// The records that verdicts named, in order.
    named: HashMap<AdmissionId, usize>,
}

impl Evening {
    async fn begin(home: TestStore) -> Self {
        let night = Night::begin(home.store.clone()).await;
        let (office, company) = (&night.office, night.red_rocks.company.id);
        let side = night.event(&night.red_rocks, "Side stage", -1).await;
        let elsewhere = night.event(&night.mission, "Mission", -1).await;
        let rival = night.event(&night.rival, "Rival", -1).await;
        let list = office.check_in_lists(company, night.tonight.id).await.unwrap().remove(0);
        let mut terms = list.terms;
        terms.entry = EntryMode::AfterExit;
        office.set_check_in_list(company, list.id, &terms).await.unwrap();
        // At the side stage a ticket's code stands for its parking.
        let list = office.check_in_lists(company, side.id).await.unwrap().remove(0);
        let mut terms = list.terms;
        (terms.products, terms.addon_match) = (vec!["Parking".to_owned()], true);
        office.set_check_in_list(company, list.id, &terms).await.unwrap();

        let plain = night.order(&night.ada, &[&night.tonight; 3]).await;
        let bens = night.order(&night.ben, &[&night.tonight, &night.tonight]).await;
        let party = night.ticket(&night.ben).await;
        set_terms(&night, party.id, 4, None).await;
        let parked = with_parking(&night, &side).await;
        set_terms(&night, parked[1].id, 1, Some(parked[0].id)).await;
        let held = night.ticket(&night.ada).await;
        let state = TicketState::Blocked;
        office.set_ticket_state(company, held.id, state).await.unwrap();
        let away = night.order(&night.ada, &[&elsewhere]).await.remove(0);
        let rivals = night.order(&night.ada, &[&rival]).await.remove(0);
        night.link(&plain[0], 1, Scope::Event).await;
        night.link(&plain[1], 2, Scope::Event).await;
        night.link(&party, 3, Scope::Event).await;

        let signed = office.signed_code(company, bens[0].id).await.unwrap().encode();
        let mut codes = vec![signed, "somebody-elses-0001".to_owned()];
        let tickets = plain.iter().chain(&bens).chain([&party]).chain(&parked);
        let tickets = tickets.chain([&held, &away, &rivals]);
        codes.extend(tickets.map(|ticket| ticket.code.as_str().to_owned()));
        assert_eq!(codes.len(), CODES);
        Self { night: Arc::new(night), home, codes, named: HashMap::new() }
    }

    /// Hands an attempt in.
    fn hand_in(&self, nonce: &str, one: &Try) -> tokio::task::JoinHandle<Answer> {
        let (night, nonce, one) = (self.night.clone(), nonce.to_owned(), one.clone());
        let code = match one.shown {
            Shown::Code(number) => self.codes[number].clone(),
            _ => String::new(),
        };
        tokio::spawn(async move {
            let place = &night.red_rocks;
            let device_id: DeviceId =
                [place.scanner, place.entry, place.outside, place.inside][one.device];
            let token;
            let presented = match one.shown {
                Shown::Code(_) => Presented::Code(&code),
                Shown::Palm(palm, people) => {
                    token = venue_token(place.venue.id, palm);
                    Presented::Palm { token: &token, people }
                }
                Shown::UnknownPalm => Presented::UnknownPalm,
                Shown::AmbiguousPalm => Presented::AmbiguousPalm,
            };
            let request = AdmissionRequest { device_id, nonce: &nonce, presented };
            let (passing, people) = (one.passing, one.people);
            let terms = AdmissionTerms { passing, people, ..AdmissionTerms::default() };
            night.office.admit_on(&request, terms).await
        })
    }

    /// A verdict with its record's place in the evening for the record's id.
    fn told(&mut self, answer: Answer) -> Result<(usize, Verdict), String> {
        let verdict = answer.map_err(|error| error.to_string())?;
        let next = self.named.len();
        let place = *self.named.entry(verdict.admission_id).or_insert(next);
        let admission_id = "adm_00000000000000000000000001".parse().unwrap();
        Ok((place, Verdict { admission_id, ..verdict }))
    }

    /// What is on record, less the records' ids.
    async fn rows(&self) -> Vec<String> {
        const PASSAGES: &str = "
            SELECT n.ticket_id || ' ' || n.list_id || ' ' || CAST(n.number AS TEXT) || ' '
                || n.passing || ' ' || CAST(n.people AS TEXT) || ' ' || n.event_id || ' '
                || COALESCE(n.area_id, '-') || ' ' || COALESCE(n.link_id, '-') || ' ' || n.method
                || ' ' || CAST(n.at AS TEXT) || ' ' || a.device_id || ' ' || a.nonce AS line
            FROM passages n JOIN admissions a ON a.id = n.admission_id";
        const ADMISSIONS: &str = "
            SELECT device_id || ' ' || nonce || ' ' || COALESCE(gate_id, '-') || ' '
                || COALESCE(lane_id, '-') || ' ' || COALESCE(event_id, '-') || ' '
                || COALESCE(ticket_id, '-') || ' ' || COALESCE(list_id, '-') || ' ' || method || ' '
                || outcome || ' ' || COALESCE(reason, '-') || ' ' || passing || ' '
                || CAST(people AS TEXT) || ' ' || CAST(available AS TEXT) || ' '
                || COALESCE(note, '-') || ' ' || CAST(at AS TEXT) AS line
            FROM admissions";
        let mut lines = Vec::new();
        for sql in [PASSAGES, ADMISSIONS] {
            let rows: Result<Vec<(String,)>, handfast_store::StoreError> = self
                .home
                .store
                .read("test.rows", |tx| Box::pin(async move { tx.fetch_all(sql, params![]).await }))
                .await;
            lines.extend(rows.unwrap().into_iter().map(|(line,)| line));
        }
        lines.sort();
        lines
    }
}

type Answer = Result<Verdict, BoxOfficeError>;

async fn set_terms(night: &Night, id: TicketId, party_size: u32, addon_to: Option<TicketId>) {
    let terms = TicketTerms { party_size, valid_from: None, valid_until: None, addon_to };
    night.office.set_ticket_terms(night.red_rocks.company.id, id, &terms).await.unwrap();
}

async fn with_parking(night: &Night, event: &Event) -> Vec<Ticket> {
    let parking = |event_id: EventId| NewTicket { event_id, product: "Parking", account_id: None };
    let order = NewOrder {
        company_id: event.company_id,
        account_id: night.ben.id,
        state: OrderState::Paid,
        tickets: &[general_admission(event), parking(event.id)],
    };
    night.office.place_order(&order).await.unwrap().1
}

/// Plays groups at an office that decides each together, and at one that decides one by one.
async fn compare(homes: [TestStore; 2], groups: &[Vec<Step>]) {
    let [together, alone] = homes;
    let (mut together, mut alone) = (Evening::begin(together).await, Evening::begin(alone).await);
    assert_eq!(together.codes, alone.codes, "equal from the beginning");
    let mut said: Vec<(String, Try)> = Vec::new();
    let mut wanted_groups = 0;
    for group in groups {
        let first = said.len();
        for step in group {
            let back = |count: usize| said.len().checked_sub(1 + count % said.len().max(1));
            let fresh = |one: &Try| (format!("nonce-{:06}", said.len()), one.clone());
            let next = match step {
                Step::Fresh(one) => fresh(one),
                Step::Again(count) => match back(*count) {
                    Some(earlier) => said[earlier].clone(),
                    None => continue,
                },
                Step::Reused(count, one) => match back(*count) {
                    Some(earlier) => {
                        let (nonce, before) = &said[earlier];
                        (nonce.clone(), Try { device: before.device, ..one.clone() })
                    }
                    None => fresh(one),
                },
            };
            said.push(next);
        }
        let now = &said[first..];
        wanted_groups += u64::from(now.len() > 1);
        let tasks: Vec<_> = now.iter().map(|(nonce, one)| together.hand_in(nonce, one)).collect();
        for (task, (nonce, one)) in tasks.into_iter().zip(now) {
            let got = together.told(task.await.unwrap());
            let wanted = alone.told(alone.hand_in(nonce, one).await.unwrap());
            assert_eq!(got, wanted, "{nonce} {one:?}");
        }
        let groups = together.night.groups();
        assert_eq!((groups.commits, groups.failures), (wanted_groups, 0), "decided together");
        for night in [&together.night, &alone.night] {
            night.clock.advance(Duration::from_minutes(1));
        }
    }
    assert_eq!(alone.night.groups().commits, 0);
    assert_eq!(together.rows().await, alone.rows().await);
    for Evening { night, home, .. } in [together, alone] {
        drop(night);
        home.remove().await;
    }
}

fn play(evenings: u32, postgres: bool) {
    let config = Config { cases: evenings, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let groups = vec(vec(step(), 1..=TOGETHER_MAX), 1..5);
    let played = runner.run(&groups, |groups| {
        // One thread: what is handed in before the writer runs is one group, in order.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let homes = if postgres {
                [TestStore::postgres().await.unwrap(), TestStore::postgres().await.unwrap()]
            } else {
                [TestStore::sqlite().await, TestStore::sqlite().await]
            };
            compare(homes, &groups).await;
        });
        Ok(())
    });
    if let Err(failure) = played {
        panic!("{failure}");
    }
}

#[test]
fn together_is_as_one_by_one_on_sqlite() {
    play(16, false);
}

#[test]
fn together_is_as_one_by_one_on_postgres() {
    if std::env::var(POSTGRES_VARIABLE).is_err() {
        println!("skipped on PostgreSQL: {POSTGRES_VARIABLE} names no server");
        return;
    }
    play(6, true);
}
