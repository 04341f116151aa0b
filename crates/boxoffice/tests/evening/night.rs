//! The evening that every test starts with, and a stand-in for the vault that recognises a palm
//! only where it was armed.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use handfast_boxoffice::{
    Account, AdmissionRequest, AgeSaid, Biometrics, BoxOffice, CURRENT_VERSION, Company,
    DeviceKind, DeviceMode, Direction, EmailAddress, Event, Language, Linked, NewDevice, NewEvent,
    NewLink, NewOrder, NewTicket, OrderState, PalmHandle, Presented, Result, Scope, Side, Ticket,
    Venue, Verdict,
};
use handfast_model::{
    CompanyId, DeviceId, Duration, EventId, LaneId, ManualClock, PairwiseToken, SeededRandom,
    Timestamp, VenueId,
};
use handfast_store::{Store, TransactionCount, params};

/// A person's palm, by number; the left hand.
pub type Palm = u8;

/// A company with one venue and what stands there.
pub struct Place {
    pub company: Company,
    pub venue: Venue,
    pub lane_id: LaneId,
    pub scanner: DeviceId,
    pub entry: DeviceId,
    pub outside: DeviceId,
    pub inside: DeviceId,
}

/// The evening.
pub struct Night {
    pub office: BoxOffice,
    pub clock: Arc<ManualClock>,
    /// Where it happens.
    pub red_rocks: Place,
    /// Another venue of the same company.
    pub mission: Place,
    /// A venue of another company.
    pub rival: Place,
    /// Open now at Red Rocks: the doors opened an hour ago.
    pub tonight: Event,
    pub ada: Account,
    pub ben: Account,
    vault: Mutex<Vault>,
    nonces: AtomicU64,
}

#[derive(Default)]
struct Vault {
    armed: HashSet<(EventId, PairwiseToken)>,
    enrolled: HashSet<PairwiseToken>,
}

pub fn hours(hours: i64) -> Duration {
    Duration::from_hours(hours)
}

/// What a company knows a palm by.
pub fn company_token(company: CompanyId, palm: Palm) -> PairwiseToken {
    token_of(&company.to_string(), palm)
}

/// What a venue knows a palm by.
pub fn venue_token(venue: VenueId, palm: Palm) -> PairwiseToken {
    token_of(&venue.to_string(), palm)
}

/// Unrelated between parties as the vault's are: the party's name, folded, and the palm.
fn token_of(party: &str, palm: Palm) -> PairwiseToken {
    let mut bytes = [palm; 16];
    for (place, byte) in party.bytes().enumerate() {
        bytes[1 + place % 15] = bytes[1 + place % 15].rotate_left(3) ^ byte;
    }
    PairwiseToken::from_bytes(bytes)
}

impl Night {
    pub async fn begin(store: Store) -> Self {
        let start = Timestamp::from_micros(1_780_358_400_000_000);
        let clock = Arc::new(ManualClock::at(start));
        let random = Arc::new(SeededRandom::new(1941));
        let address = "https://tickets.example/";
        let office = BoxOffice::open(store, clock.clone(), random, address).await.unwrap();
        let company = office.create_company("Front Range Tickets").await.unwrap();
        let other = office.create_company("Rival Tickets").await.unwrap();
        let red_rocks = Place::set_up(&office, &company, "Red Rocks Amphitheatre").await;
        let mission = Place::set_up(&office, &company, "Mission Ballroom").await;
        let rival = Place::set_up(&office, &other, "Rival Hall").await;
        let tonight = event_at(&office, &red_rocks, "Tonight", start, -1).await;
        let (ada, ben) = (account(&office, "ada").await, account(&office, "ben").await);
        let (vault, nonces) = (Mutex::default(), AtomicU64::new(1));
        Self { office, clock, red_rocks, mission, rival, tonight, ada, ben, vault, nonces }
    }

    /// An event whose doors open in so many hours; it starts two hours later and ends after six.
    pub async fn event(&self, place: &Place, name: &str, doors_in: i64) -> Event {
        use handfast_model::Clock;
        event_at(&self.office, place, name, self.clock.now(), doors_in).await
    }

    /// A paid order with one ticket for each event.
    pub async fn order(&self, account: &Account, events: &[&Event]) -> Vec<Ticket> {
        let tickets: Vec<NewTicket<'_>> =
            events.iter().map(|event| general_admission(event)).collect();
        let order = NewOrder {
            company_id: events[0].company_id,
            account_id: account.id,
            state: OrderState::Paid,
            tickets: &tickets,
        };
        self.office.place_order(&order).await.unwrap().1
    }

    /// One paid ticket for tonight.
    pub async fn ticket(&self, account: &Account) -> Ticket {
        self.order(account, &[&self.tonight]).await.remove(0)
    }

    pub fn now(&self) -> Timestamp {
        use handfast_model::Clock;
        self.clock.now()
    }

    pub fn nonce(&self) -> String {
        format!("nonce-{:08}", self.nonces.fetch_add(1, Ordering::SeqCst))
    }

    pub async fn present(&self, device_id: DeviceId, presented: Presented<'_>) -> Verdict {
        let nonce = self.nonce();
        let request = AdmissionRequest { device_id, nonce: &nonce, presented };
        self.office.admit(&request).await.unwrap()
    }

    /// Scans a ticket at the scanner at Red Rocks.
    pub async fn scan(&self, ticket: &Ticket) -> Verdict {
        self.present(self.red_rocks.scanner, Presented::Code(ticket.code.as_str())).await
    }

    /// Holds a palm over the entry lane of a place: the vault searches the open events' galleries,
    /// and the box office decides.
    pub async fn hover(&self, place: &Place, palm: Palm, people: u8) -> Verdict {
        match self.identify(place, palm).await {
            Some(token) => {
                self.present(place.entry, Presented::Palm { token: &token, people }).await
            }
            None => self.present(place.entry, Presented::UnknownPalm).await,
        }
    }

    /// What the vault answers for a palm at a place now.
    pub async fn identify(&self, place: &Place, palm: Palm) -> Option<PairwiseToken> {
        let open = self.office.open_events(place.venue.id).await.unwrap();
        let token = venue_token(place.venue.id, palm);
        let vault = self.vault.lock().unwrap();
        let allowed = open.iter().filter(|event| event.biometrics == Biometrics::Allowed);
        let known = allowed.into_iter().any(|event| vault.armed.contains(&(event.id, token)));
        known.then_some(token)
    }

    pub async fn try_link(
        &self,
        device_id: DeviceId,
        ticket: &Ticket,
        palm: Palm,
        scope: Scope,
    ) -> Result<Linked> {
        use handfast_model::Clock;
        let company_id = self.office.device(device_id).await?.company_id;
        let company_token = company_token(company_id, palm);
        let palms = [PalmHandle { side: Side::Left, company_token }];
        let linked = self
            .office
            .create_link(&NewLink {
                device_id,
                ticket_id: ticket.id,
                palms: &palms,
                text_version: CURRENT_VERSION,
                language: Language::English,
                scope,
                accepted_at: self.clock.now(),
                age: AgeSaid::OfAge,
            })
            .await?;
        self.vault.lock().unwrap().enrolled.insert(company_token);
        Ok(linked)
    }

    /// Links a palm outside Red Rocks and arms it.
    pub async fn link(&self, ticket: &Ticket, palm: Palm, scope: Scope) -> Linked {
        let outside = self.red_rocks.outside;
        let linked = self.try_link(outside, ticket, palm, scope).await.unwrap();
        self.reconcile().await;
        linked
    }

    /// What the binary does in the background: expire, delete, arm, disarm; then nothing is left
    /// to do.
    pub async fn reconcile(&self) {
        self.office.expire_links().await.unwrap();
        for due in self.office.due_deletions().await.unwrap() {
            for palm in &due.palms {
                let number = palm.company_token.as_bytes()[0];
                let mut vault = self.vault.lock().unwrap();
                vault.enrolled.remove(&palm.company_token);
                vault.armed.retain(|(_, token)| token.as_bytes()[0] != number);
            }
            self.office.acknowledge_deletion(due.link_id, "receipt-1").await.unwrap();
        }
        let changes = self.office.arming_changes().await.unwrap();
        for arming in &changes.disarm {
            let token = venue_of(arming.venue_id, &arming.company_token);
            self.vault.lock().unwrap().armed.remove(&(arming.event_id, token));
            self.office.acknowledge_disarmed(arming).await.unwrap();
        }
        for arming in &changes.arm {
            let token = venue_of(arming.venue_id, &arming.company_token);
            self.vault.lock().unwrap().armed.insert((arming.event_id, token));
            assert!(self.office.acknowledge_armed(arming, &token).await.unwrap());
        }
        let left = self.office.arming_changes().await.unwrap();
        assert!(left.arm.is_empty() && left.disarm.is_empty(), "not settled: {left:?}");
    }

    /// The events that a palm should be armed for now.
    pub async fn armed(&self, palm: Palm) -> Vec<EventId> {
        let armings = self.office.desired_armings().await.unwrap();
        let of_palm = armings.iter().filter(|arming| arming.company_token.as_bytes()[0] == palm);
        of_palm.map(|arming| arming.event_id).collect()
    }

    /// How many rows `sql` counts.
    pub async fn count(&self, sql: &'static str) -> i64 {
        let count: Result<(i64,)> = self
            .office
            .store()
            .read("test.count", |tx| {
                Box::pin(async move { Ok(tx.fetch_one(sql, params![]).await?) })
            })
            .await;
        count.unwrap().0
    }

    /// What happened to the transactions in which several attempts were decided.
    pub fn groups(&self) -> TransactionCount {
        let counters = self.office.store().counters();
        counters.get("admission.admit_group").copied().unwrap_or_default()
    }

    /// Groups that were decided one by one, because they failed together.
    pub fn failed_groups(&self) -> u64 {
        self.groups().failures
    }

    /// The key in the link of the newest mail to `account`, and how many mails there are.
    pub async fn newest_key(&self, account: &Account) -> String {
        let mails = self.office.newest_mails(100).await.unwrap();
        let mail = mails.iter().find(|mail| mail.recipient == account.email).unwrap();
        let link = mail.link.as_ref().unwrap();
        assert!(link.starts_with("https://tickets.example/portal#/"), "{link}");
        assert!(mail.body.contains(link.as_str()));
        link.rsplit('/').next().unwrap().to_owned()
    }
}

impl Place {
    async fn set_up(office: &BoxOffice, company: &Company, name: &str) -> Self {
        let venue = office.create_venue(company.id, name).await.unwrap();
        let gate = office.create_gate(venue.id, None, "North gate").await.unwrap();
        let lane = office.create_lane(gate.id, "Lane 1", Direction::Left, &[]).await.unwrap();
        let device = async |kind, mode| {
            let new = NewDevice {
                venue_id: venue.id,
                name: "A device",
                kind,
                mode,
                lane_id: Some(lane.id),
                shop_reference: None,
                paired_with: None,
            };
            office.register_device(&new).await.unwrap().0
        };
        let pedestal = async |mode| device(DeviceKind::Pedestal, Some(mode)).await;
        Self {
            company: company.clone(),
            lane_id: lane.id,
            scanner: device(DeviceKind::Scanner, None).await,
            entry: pedestal(DeviceMode::EntryLane).await,
            outside: pedestal(DeviceMode::EnrolOutside).await,
            inside: pedestal(DeviceMode::EnrolInside).await,
            venue,
        }
    }
}

pub fn general_admission(event: &Event) -> NewTicket<'_> {
    NewTicket { event_id: event.id, product: "General admission", account_id: None }
}

pub async fn account(office: &BoxOffice, name: &str) -> Account {
    let email: EmailAddress = format!("{name}@example.org").parse().unwrap();
    office.create_account(&email, name, Language::English).await.unwrap()
}

async fn event_at(
    office: &BoxOffice,
    place: &Place,
    name: &str,
    now: Timestamp,
    doors_in: i64,
) -> Event {
    let new = NewEvent {
        venue_id: place.venue.id,
        name,
        doors_at: now + hours(doors_in),
        starts_at: now + hours(doors_in + 2),
        ends_at: now + hours(doors_in + 6),
        biometrics: Biometrics::Allowed,
    };
    office.create_event(&new).await.unwrap()
}

/// The vault's translation: the palm is the first byte of every token of this stand-in.
fn venue_of(venue: VenueId, company_token: &PairwiseToken) -> PairwiseToken {
    venue_token(venue, company_token.as_bytes()[0])
}

/// Counts equal things, for comparing what many tasks saw.
pub fn tally<T: std::hash::Hash + Eq>(things: impl IntoIterator<Item = T>) -> HashMap<T, usize> {
    let mut counts = HashMap::new();
    for thing in things {
        *counts.entry(thing).or_insert(0) += 1;
    }
    counts
}
