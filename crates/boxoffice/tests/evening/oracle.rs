//! The box office against a naive model in memory, over random evenings.
//!
//! Goal: whatever the order of scans, hovers, links, confirmations, deletions, moves, switches and
//! hours, every verdict and every set of armed palms is the model's.
//! A failure: any verdict, refusal of a link, armed set or entry that differs, down to which of an
//! account's tickets entered.
//! Not a failure: what mails say, what consent records hold; tests of their own look at those.
//! Nondeterminism: none; proptest prints and keeps the failing evening, the clock is moved by hand.

use std::collections::BTreeSet;

use handfast_boxoffice::{
    Account, AdmissionRequest, Biometrics, BoxOfficeError, Event, LinkRefusal, Outcome, Presented,
    Reason, Scope, Ticket, TicketState, Verdict,
};
use handfast_model::{Clock, Duration, EventId, LinkId, TicketId, Timestamp};
use handfast_store::testing::{Engine, POSTGRES_VARIABLE, run};
use handfast_store::{Store, StoreError, params};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::night::{Night, Place, hours};

const PALMS: u8 = 3;
const TICKETS: usize = 11;

#[derive(Clone, Debug)]
enum Step {
    /// At the ticket's own venue, or so many places on.
    Scan {
        off: usize,
        ticket: usize,
    },
    RepeatScan,
    Hover {
        place: usize,
        palm: u8,
        people: u8,
    },
    Link {
        off: usize,
        inside: bool,
        ticket: usize,
        palm: u8,
        scope: Scope,
    },
    Confirm {
        palm: u8,
    },
    Delete {
        palm: u8,
    },
    Move {
        palm: u8,
        ticket: usize,
    },
    SetTicket {
        ticket: usize,
        state: TicketState,
    },
    SetBiometrics {
        event: usize,
        biometrics: Biometrics,
    },
    Wait {
        hours: i64,
    },
    Reconcile,
}

fn step() -> impl Strategy<Value = Step> {
    let (ticket, palm) = (0..TICKETS, 1..=PALMS);
    let off = || prop_oneof![8 => Just(0_usize), 1 => Just(1), 1 => Just(2)];
    let place = prop_oneof![6 => Just(0_usize), 3 => Just(1), 1 => Just(2)];
    let scope = prop_oneof![
        2 => Just(Scope::Event), 2 => Just(Scope::Venue), 3 => Just(Scope::Company)
    ];
    let state = prop_oneof![
        1 => Just(TicketState::Valid), 1 => prop::sample::select(TicketState::ALL)
    ];
    let biometrics = prop_oneof![2 => Just(Biometrics::Allowed), 1 => Just(Biometrics::Forbidden)];
    prop_oneof![
        3 => (off(), ticket.clone()).prop_map(|(off, ticket)| Step::Scan { off, ticket }),
        1 => Just(Step::RepeatScan),
        6 => (place, palm.clone(), 1..4_u8)
            .prop_map(|(place, palm, people)| Step::Hover { place, palm, people }),
        5 => (off(), prop::bool::weighted(0.4), ticket.clone(), palm.clone(), scope).prop_map(
            |(off, inside, ticket, palm, scope)| Step::Link { off, inside, ticket, palm, scope }
        ),
        4 => palm.clone().prop_map(|palm| Step::Confirm { palm }),
        1 => palm.clone().prop_map(|palm| Step::Delete { palm }),
        1 => (palm, ticket.clone()).prop_map(|(palm, ticket)| Step::Move { palm, ticket }),
        2 => (ticket, state).prop_map(|(ticket, state)| Step::SetTicket { ticket, state }),
        1 => (0..5_usize, biometrics)
            .prop_map(|(event, biometrics)| Step::SetBiometrics { event, biometrics }),
        1 => (1..6_i64).prop_map(|hours| Step::Wait { hours }),
        6 => Just(Step::Reconcile),
    ]
}

/// What the model knows of a ticket.
struct ModelTicket {
    ticket: Ticket,
    event: usize,
    account: usize,
    state: TicketState,
    entered: bool,
}

/// What the model knows of a link.
struct ModelLink {
    id: LinkId,
    palm: u8,
    ticket: usize,
    account: usize,
    place: usize,
    scope: Scope,
    inside: bool,
    active_from: Timestamp,
    until: Timestamp,
    confirmed: bool,
    /// Somebody who came along: confirmed while another palm of the account was.
    companion: bool,
    living: bool,
    /// The vault still has the palm.
    stored: bool,
}

/// The model: everything in lists, every question answered by looking at all of it.
struct Model {
    now: Timestamp,
    events: Vec<Event>,
    /// By event: 0, 1 and 4 at Red Rocks, 2 at the Mission, 3 at the rival's.
    event_places: [usize; 5],
    tickets: Vec<ModelTicket>,
    links: Vec<ModelLink>,
    armed: BTreeSet<(EventId, u8)>,
}

type Answer = (Outcome, Option<Reason>, u8);

impl Model {
    fn open_at(&self, place: usize) -> Vec<usize> {
        let open = |event: &usize| {
            let times = &self.events[*event];
            self.event_places[*event] == place
                && times.doors_at <= self.now
                && self.now < times.ends_at
        };
        (0..self.events.len()).filter(open).collect()
    }

    /// What a code's scan answers.
    fn judge(&self, number: usize, place: usize) -> (Outcome, Option<Reason>) {
        let ticket = &self.tickets[number];
        let (at, open) = (self.event_places[ticket.event], self.open_at(place));
        let rival = 2;
        let no = |outcome, reason| (outcome, Some(reason));
        if (at == rival) != (place == rival) {
            no(Outcome::Invalid, Reason::UnknownCode)
        } else if ticket.state == TicketState::Revoked {
            no(Outcome::Revoked, Reason::Withdrawn)
        } else if at != place {
            no(Outcome::Invalid, Reason::OtherVenue)
        } else if !open.contains(&ticket.event) && !open.is_empty() {
            no(Outcome::Invalid, Reason::OtherEvent)
        } else if self.now < self.events[ticket.event].doors_at {
            no(Outcome::Rules, Reason::TooEarly)
        } else if self.now >= self.events[ticket.event].ends_at {
            no(Outcome::Rules, Reason::EventOver)
        } else if ticket.state == TicketState::Cancelled {
            no(Outcome::Cancelled, Reason::TicketCancelled)
        } else if ticket.state == TicketState::Blocked {
            no(Outcome::Blocked, Reason::HeldBack)
        } else if ticket.entered {
            no(Outcome::AlreadyRedeemed, Reason::EnteredBefore)
        } else {
            (Outcome::Ok, None)
        }
    }

    /// Whether a link's palm is another person's than the account's own: here all are left hands.
    fn companion(&self, id: LinkId) -> bool {
        let account = self.links.iter().find(|link| link.id == id).unwrap().account;
        let own = |link: &ModelLink| {
            link.id != id
                && link.account == account
                && link.living
                && link.confirmed
                && !link.companion
        };
        self.links.iter().any(own)
    }

    fn scan(&mut self, number: usize, place: usize) -> Answer {
        let (outcome, reason) = self.judge(number, place);
        self.tickets[number].entered |= outcome == Outcome::Ok;
        (outcome, reason, u8::from(outcome == Outcome::Ok))
    }

    /// Whether a link may use a ticket, events' switches and the ticket's own state aside.
    fn covers(&self, link: &ModelLink, number: usize) -> bool {
        let (ticket, own) = (&self.tickets[number], link.ticket == number);
        let event = &self.events[ticket.event];
        let held_by_other = self
            .links
            .iter()
            .any(|other| other.living && other.id != link.id && other.ticket == number);
        let shared =
            link.confirmed && !link.companion && ticket.account == link.account && !held_by_other;
        let in_scope = match link.scope {
            Scope::Event => ticket.event == self.tickets[link.ticket].event,
            Scope::Venue => self.event_places[ticket.event] == link.place,
            Scope::Company => self.event_places[ticket.event] != 2,
        };
        let too_soon = event.starts_at < link.active_from || self.now < link.active_from;
        link.living
            && (own || shared)
            && in_scope
            && self.event_places[ticket.event] != 2
            && !(link.inside && too_soon)
            && event.starts_at < link.until
            && self.now < link.until
    }

    fn living(&self, palm: u8) -> Option<&ModelLink> {
        self.links.iter().find(|link| link.living && link.palm == palm)
    }

    fn hover(&mut self, place: usize, palm: u8, people: u8) -> Answer {
        let no = |outcome, reason| (outcome, Some(reason), 0);
        let allowed = |event: &&usize| self.events[**event].biometrics == Biometrics::Allowed;
        let open = self.open_at(place);
        let seen = open
            .iter()
            .filter(allowed)
            .any(|event| self.armed.contains(&(self.events[*event].id, palm)));
        let Some(link) = self.living(palm).filter(|_| seen) else {
            return no(Outcome::Invalid, Reason::NotRecognised);
        };
        let mut usable: Vec<usize> = (0..self.tickets.len())
            .filter(|number| open.contains(&self.tickets[*number].event))
            .filter(|number| self.covers(link, *number))
            .collect();
        usable.sort_by_key(|number| (*number != link.ticket, self.tickets[*number].ticket.id));
        let judged = |number: &usize| {
            let event = &self.events[self.tickets[*number].event];
            if event.biometrics == Biometrics::Forbidden {
                return (Outcome::Rules, Some(Reason::NoBiometrics));
            }
            self.judge(*number, place)
        };
        let Some(first) = usable.first() else { return no(Outcome::Invalid, Reason::NoTicket) };
        let (outcome, reason) = judged(first);
        usable.retain(|number| judged(number).0 == Outcome::Ok);
        if usable.is_empty() {
            return (outcome, reason, 0);
        }
        if usable.len() < usize::from(people) {
            return no(Outcome::Incomplete, Reason::FewerAvailable);
        }
        for number in usable.into_iter().take(usize::from(people)) {
            self.tickets[number].entered = true;
        }
        (Outcome::Ok, None, people)
    }

    /// Why a ticket cannot be linked, wherever.
    fn not_linkable(&self, number: usize) -> Option<LinkRefusal> {
        let ticket = &self.tickets[number];
        let event = &self.events[ticket.event];
        if self.event_places[ticket.event] == 2 {
            Some(LinkRefusal::UnknownCode)
        } else if ticket.state != TicketState::Valid {
            Some(LinkRefusal::NotValid)
        } else if event.ends_at <= self.now {
            Some(LinkRefusal::EventOver)
        } else if event.biometrics == Biometrics::Forbidden {
            Some(LinkRefusal::NoBiometrics)
        } else {
            None
        }
    }

    fn link_refusal(&self, number: usize, place: usize, inside: bool) -> Option<LinkRefusal> {
        let ticket = &self.tickets[number];
        let far = self.now < self.events[ticket.event].doors_at - hours(24);
        let held = self.links.iter().any(|link| link.living && link.ticket == number);
        self.not_linkable(number).or(if self.event_places[ticket.event] != place || far {
            Some(LinkRefusal::OtherEvent)
        } else if ticket.entered && !inside {
            Some(LinkRefusal::AlreadyRedeemed)
        } else if held {
            Some(LinkRefusal::AlreadyLinked)
        } else {
            None
        })
    }

    fn reconcile(&mut self) {
        for link in &mut self.links {
            link.living &= self.now < link.until;
            link.stored &= link.living;
        }
        self.armed = BTreeSet::new();
        for link in &self.links {
            for number in 0..self.tickets.len() {
                let ticket = &self.tickets[number];
                let event = &self.events[ticket.event];
                let worth = matches!(ticket.state, TicketState::Valid | TicketState::Blocked);
                let on = event.biometrics == Biometrics::Allowed && self.now < event.ends_at;
                if worth && on && self.covers(link, number) {
                    self.armed.insert((event.id, link.palm));
                }
            }
        }
    }
}

/// The real evening beside the model.
struct Evening {
    night: Night,
    model: Model,
    last_scan: Option<(usize, usize, String, Answer)>,
}

impl Evening {
    async fn begin(store: Store) -> Self {
        let night = Night::begin(store).await;
        let tomorrow = night.event(&night.red_rocks, "Tomorrow", 20).await;
        let mission = night.event(&night.mission, "Mission", 1).await;
        let rival = night.event(&night.rival, "Rival", -1).await;
        // Two events at once at one venue, and one elsewhere that outlasts them.
        let side = night.event(&night.red_rocks, "Side stage", -1).await;
        let events = vec![night.tonight.clone(), tomorrow, mission, rival, side];
        let mut tickets = Vec::new();
        for (account, wanted) in [(0, vec![0, 0, 1, 2, 3, 4]), (1, vec![0, 0, 2, 1, 4])] {
            for event in wanted {
                let holder = if account == 0 { &night.ada } else { &night.ben };
                let ticket = night.order(holder, &[&events[event]]).await.remove(0);
                let state = TicketState::Valid;
                tickets.push(ModelTicket { ticket, event, account, state, entered: false });
            }
        }
        assert_eq!(tickets.len(), TICKETS);
        let model = Model {
            now: night.clock.now(),
            events,
            event_places: [0, 0, 1, 2, 0],
            tickets,
            links: Vec::new(),
            armed: BTreeSet::new(),
        };
        Self { night, model, last_scan: None }
    }

    fn place(&self, place: usize) -> &Place {
        [&self.night.red_rocks, &self.night.mission, &self.night.rival][place]
    }

    /// The place of a ticket's event, or `off` places on, among the first `places`.
    fn place_of(&self, ticket: usize, off: usize, places: usize) -> usize {
        (self.model.event_places[self.model.tickets[ticket].event] + off) % places
    }

    /// Exactly the tickets that the model let in have entered.
    async fn check_entries(&self) {
        let entered: Result<Vec<(TicketId,)>, StoreError> = self
            .night
            .office
            .store()
            .read("test.entries", |tx| {
                Box::pin(
                    async move { tx.fetch_all("SELECT ticket_id FROM passages", params![]).await },
                )
            })
            .await;
        let entered: BTreeSet<TicketId> = entered.unwrap().into_iter().map(|(id,)| id).collect();
        let wanted = self.model.tickets.iter().filter(|ticket| ticket.entered);
        assert_eq!(entered, wanted.map(|ticket| ticket.ticket.id).collect());
    }

    fn account(&self, account: usize) -> &Account {
        [&self.night.ada, &self.night.ben][account]
    }

    async fn step(&mut self, step: &Step) {
        match step.clone() {
            Step::Scan { off, ticket } => {
                let place = self.place_of(ticket, off, 3);
                let nonce = self.night.nonce();
                let got = self.scan(place, ticket, &nonce).await;
                let wanted = self.model.scan(ticket, place);
                assert_eq!(answer(&got), wanted, "{step:?}");
                self.last_scan = Some((place, ticket, nonce, wanted));
            }
            Step::RepeatScan => {
                let Some((place, ticket, nonce, wanted)) = self.last_scan.clone() else { return };
                let got = self.scan(place, ticket, &nonce).await;
                assert_eq!((answer(&got), got.repeated), (wanted, true));
            }
            Step::Hover { place, palm, people } => {
                let got = self.night.hover(self.place(place), palm, people).await;
                assert_eq!(answer(&got), self.model.hover(place, palm, people), "{step:?}");
                self.check_entries().await;
            }
            Step::Link { off, inside, ticket, palm, scope } => {
                let place = self.place_of(ticket, off, 2);
                self.link(place, inside, ticket, palm, scope).await;
            }
            Step::Confirm { palm } => self.confirm(palm).await,
            Step::Delete { palm } => self.delete(palm).await,
            Step::Move { palm, ticket } => self.move_link(palm, ticket).await,
            Step::SetTicket { ticket, state } => {
                let changed = &mut self.model.tickets[ticket];
                changed.state = state;
                let company = self.model.events[changed.event].company_id;
                let id = changed.ticket.id;
                self.night.office.set_ticket_state(company, id, state).await.unwrap();
            }
            Step::SetBiometrics { event, biometrics } => {
                let event = &mut self.model.events[event];
                event.biometrics = biometrics;
                let (company, id) = (event.company_id, event.id);
                self.night.office.set_biometrics(company, id, biometrics).await.unwrap();
            }
            Step::Wait { hours: count } => {
                self.night.clock.advance(hours(count));
                self.model.now = self.night.clock.now();
            }
            Step::Reconcile => self.reconcile().await,
        }
    }

    async fn scan(&self, place: usize, ticket: usize, nonce: &str) -> Verdict {
        let code = self.model.tickets[ticket].ticket.code.as_str();
        let request = AdmissionRequest {
            device_id: self.place(place).scanner,
            nonce,
            presented: Presented::Code(code),
        };
        self.night.office.admit(&request).await.unwrap()
    }

    async fn link(&mut self, place: usize, inside: bool, number: usize, palm: u8, scope: Scope) {
        let at = self.place(place);
        let device = if inside { at.inside } else { at.outside };
        let ticket = &self.model.tickets[number];
        let made = self.night.try_link(device, &ticket.ticket, palm, scope).await;
        let stored = self.model.links.iter().any(|link| link.stored && link.palm == palm);
        match self.model.link_refusal(number, place, inside) {
            Some(wanted) => {
                assert!(
                    matches!(made, Err(BoxOfficeError::Link(got)) if got == wanted),
                    "{made:?}"
                );
            }
            None if inside && scope == Scope::Event => {
                assert!(matches!(made, Err(BoxOfficeError::Scope)), "{made:?}");
            }
            None if stored => {
                assert!(matches!(made, Err(BoxOfficeError::PalmLinked)), "{made:?}");
            }
            None => {
                let event = &self.model.events[ticket.event];
                let (year, now) = (Duration::from_days(365), self.model.now);
                let link = ModelLink {
                    id: made.unwrap().link_id,
                    palm,
                    ticket: number,
                    account: ticket.account,
                    place,
                    scope,
                    inside,
                    active_from: if inside { event.ends_at } else { now },
                    until: if scope == Scope::Event { event.ends_at } else { now + year },
                    confirmed: false,
                    companion: false,
                    living: true,
                    stored: true,
                };
                self.model.links.push(link);
            }
        }
    }

    async fn confirm(&mut self, palm: u8) {
        let Some(link) = self.model.living(palm) else { return };
        let (id, account) = (link.id, self.account(link.account).id);
        self.night.office.confirm_link(account, id).await.unwrap();
        let companion = self.model.companion(id);
        let link = self.model.links.iter_mut().find(|link| link.id == id).unwrap();
        link.companion |= !link.confirmed && companion;
        link.confirmed = true;
    }

    async fn delete(&mut self, palm: u8) {
        let Some(link) = self.model.living(palm) else { return };
        let (id, account) = (link.id, self.account(link.account).id);
        self.night.office.end_link(account, id).await.unwrap();
        let link = self.model.links.iter_mut().find(|link| link.id == id).unwrap();
        link.living = false;
    }

    async fn move_link(&mut self, palm: u8, number: usize) {
        let Some(link) = self.model.living(palm) else { return };
        let (id, account) = (link.id, self.account(link.account).id);
        let ticket = &self.model.tickets[number];
        let code = ticket.ticket.code.as_str();
        let moved = self.night.office.move_link(account, id, code).await;
        let held = self
            .model
            .links
            .iter()
            .any(|other| other.living && other.id != id && other.ticket == number);
        let refusal = self.model.not_linkable(number).or(if ticket.entered {
            Some(LinkRefusal::AlreadyRedeemed)
        } else if held {
            Some(LinkRefusal::AlreadyLinked)
        } else {
            None
        });
        match refusal {
            Some(wanted) => {
                let refused = matches!(moved, Err(BoxOfficeError::Link(got)) if got == wanted);
                assert!(refused, "{moved:?}, not {wanted:?}");
            }
            None => {
                moved.unwrap();
                let ends_at = self.model.events[ticket.event].ends_at;
                let link = self.model.links.iter_mut().find(|link| link.id == id).unwrap();
                link.ticket = number;
                if link.scope == Scope::Event {
                    link.until = ends_at;
                }
            }
        }
    }

    async fn reconcile(&mut self) {
        self.night.reconcile().await;
        self.model.reconcile();
        let mut armed = BTreeSet::new();
        for palm in 1..=PALMS {
            armed.extend(self.night.armed(palm).await.into_iter().map(|event| (event, palm)));
        }
        assert_eq!(armed, self.model.armed);
    }

    async fn end(self) {
        self.check_entries().await;
        let double = "SELECT COUNT(*) FROM
                      (SELECT ticket_id FROM passages GROUP BY ticket_id HAVING COUNT(*) > 1) AS d";
        assert_eq!(self.night.count(double).await, 0);
        let stored = self.model.links.iter().filter(|link| link.stored).count();
        let palms = self.night.count("SELECT COUNT(*) FROM link_palms").await;
        assert_eq!(usize::try_from(palms), Ok(stored));
    }
}

fn answer(verdict: &Verdict) -> Answer {
    (verdict.outcome, verdict.reason, verdict.people)
}

fn play(engine: Engine, evenings: u32) {
    let config = Config { cases: evenings, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let played = runner.run(&vec(step(), 20..100), |steps| {
        run(engine, |store| async move {
            let mut evening = Evening::begin(store).await;
            for step in &steps {
                evening.step(step).await;
            }
            evening.end().await;
        });
        Ok(())
    });
    if let Err(failure) = played {
        panic!("{failure}");
    }
}

#[test]
fn random_evenings_go_as_the_model_says_on_sqlite() {
    play(Engine::Sqlite, 40);
}

#[test]
fn random_evenings_go_as_the_model_says_on_postgres() {
    if std::env::var(POSTGRES_VARIABLE).is_err() {
        println!("skipped on PostgreSQL: {POSTGRES_VARIABLE} names no server");
        return;
    }
    play(Engine::Postgres, 10);
}
