//! Ten years of linking, using and leaving on a simulated clock, beside an oracle that computes for
//! every palm by itself when it has to be gone.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use handfast_boxoffice::{
    Biometrics, CURRENT_VERSION, Company, DeviceKind, DeviceMode, Language, NewDevice, NewEvent,
    NewLink, NewOrder, NewTicket, OrderState, PalmHandle, Scope, Side, Venue,
};
use handfast_model::{
    AccountId, Clock as _, DeviceId, Duration, LinkId, ManualClock, PairwiseToken, Random as _,
    SeededRandom, Timestamp,
};
use handfast_tlog::{DeletionCause, Folder, Statement, TrustPolicy, Verification, verify_folder};
use handfast_trust::{OPENINGS_KEPT_MONTHS, Record};

use crate::hub::Hub;
use crate::serve::Settings;

pub(super) const START: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);
const STEP: Duration = Duration::from_days(7);
const STEPS: usize = 10 * 52;
const PALMS: usize = 130;

/// What the oracle knows of a palm.
pub(super) struct Palm {
    pub(super) link: LinkId,
    scope: Scope,
    until: Timestamp,
    last_used: Timestamp,
    /// When and why it went.
    gone: Option<(Timestamp, DeletionCause)>,
}

impl Palm {
    /// When it has to be gone and why, computed apart from the server's own policy.
    fn end(&self, dormant_days: i64) -> (Timestamp, DeletionCause) {
        let asleep = self.last_used + Duration::from_days(dormant_days);
        match self.scope {
            _ if asleep < self.until => (asleep, DeletionCause::Dormant),
            Scope::Event => (self.until, DeletionCause::EventOver),
            Scope::Venue | Scope::Company => (self.until, DeletionCause::ConsentEnded),
        }
    }
}

pub(super) struct World {
    pub(super) hub: Hub,
    pub(super) clock: Arc<ManualClock>,
    random: SeededRandom,
    pub(super) company: Company,
    pub(super) venue: Venue,
    pub(super) account: AccountId,
    booth: DeviceId,
    /// Palms that the vault has and no link yet, by the company's tokens.
    pub(super) unused: Vec<PairwiseToken>,
    pub(super) palms: Vec<Palm>,
}

impl World {
    /// With a plain vault and some palms in it.
    pub(super) async fn new(dir: &Path, dormant_months: Option<u32>) -> Self {
        let settings = Settings { dormant_months, ..Settings::of_test(dir) };
        let mut world = Self::with(&settings, Arc::new(ManualClock::at(START))).await;
        let (company, until) = (world.company.id, START + Duration::from_days(20 * 365));
        let filled = world.hub.vault.danger_fill(company, &[], PALMS, until).await.unwrap();
        world.unused = filled.into_iter().map(|palm| palm.token).collect();
        world
    }

    /// With no palms yet.
    pub(super) async fn with(settings: &Settings, clock: Arc<ManualClock>) -> Self {
        let random = Arc::new(SeededRandom::new(10));
        let hub = settings.open_with(clock.clone(), random, None).await.unwrap();
        let company = hub.boxoffice.create_company("Foothills Tickets").await.unwrap();
        let venue = hub.boxoffice.create_venue(company.id, "Red Rocks").await.unwrap();
        let booth = NewDevice {
            venue_id: venue.id,
            name: "Booth",
            kind: DeviceKind::Pedestal,
            mode: Some(DeviceMode::EnrolOutside),
            lane_id: None,
            shop_reference: None,
            paired_with: None,
        };
        let (booth, _) = hub.boxoffice.register_device(&booth).await.unwrap();
        let email = "ana@example.org".parse().unwrap();
        let account =
            hub.boxoffice.create_account(&email, "Ana", Language::English).await.unwrap().id;
        let random = SeededRandom::new(11);
        let (unused, palms) = (Vec::new(), Vec::new());
        Self { hub, clock, random, company, venue, account, booth, unused, palms }
    }

    /// The same people, on a service that starts from another folder.
    pub(super) async fn started_on(self, settings: &Settings) -> Self {
        self.hub.vault.clone().close().await;
        let random = Arc::new(SeededRandom::new(12));
        let hub = settings.open_with(self.clock.clone(), random, None).await.unwrap();
        Self { hub, ..self }
    }

    fn draw(&self, below: u64) -> u64 {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        u64::from_le_bytes(bytes) % below
    }

    /// Links a palm for an event of tonight, with some reach.
    pub(super) async fn link(&mut self) {
        self.link_without_leaf().await;
        if let Some(palm) = self.palms.last() {
            self.hub.log_enrolment(self.account, palm.link, self.venue.id).await.unwrap();
        }
    }

    /// The same, cut short before its leaf.
    pub(super) async fn link_without_leaf(&mut self) {
        let Some(palm) = self.unused.pop() else { return };
        let (now, boxoffice) = (self.clock.now(), &self.hub.boxoffice);
        let event = NewEvent {
            venue_id: self.venue.id,
            name: "Mountain Sounds",
            doors_at: now - Duration::from_hours(1),
            starts_at: now + Duration::from_hours(1),
            ends_at: now + Duration::from_hours(11),
            biometrics: Biometrics::Allowed,
        };
        let event = boxoffice.create_event(&event).await.unwrap();
        let wanted = [NewTicket { event_id: event.id, product: "Floor", account_id: None }];
        let order = NewOrder {
            company_id: self.company.id,
            account_id: self.account,
            state: OrderState::Paid,
            tickets: &wanted,
        };
        let ticket = boxoffice.place_order(&order).await.unwrap().1.remove(0);
        let scope = [Scope::Event, Scope::Venue, Scope::Company][self.draw(3) as usize];
        let handle = PalmHandle { side: Side::Left, company_token: palm };
        let new = NewLink {
            device_id: self.booth,
            ticket_id: ticket.id,
            palms: &[handle],
            text_version: CURRENT_VERSION,
            language: Language::English,
            scope,
            accepted_at: now,
            age: handfast_boxoffice::AgeSaid::OfAge,
        };
        let linked = boxoffice.create_link(&new).await.unwrap();
        let palm =
            Palm { link: linked.link_id, scope, until: linked.until, last_used: now, gone: None };
        self.palms.push(palm);
    }

    /// Uses some living palms: each is searched and its leaf kept for its person.
    async fn use_some(&mut self) {
        let now = self.clock.now();
        for at in 0..self.palms.len() {
            if self.palms[at].gone.is_some() || self.draw(40) != 0 {
                continue;
            }
            let statement = Statement::Identify {
                purpose: handfast_tlog::Purpose::Entry,
                place: self.hub.trust.label(&self.venue.id),
                searched: 1,
                tags: handfast_tlog::AuditTags::default(),
            };
            let record =
                Record::Use { purpose: "entry", place: "Lane".to_owned(), at: now, tags: None };
            let promised = self.hub.trust.promise(statement, &record).await.unwrap();
            self.hub.trust.keep(self.palms[at].link, promised).await.unwrap();
            self.palms[at].last_used = now;
        }
    }

    /// One person deletes their palm.
    pub(super) async fn delete_one(&mut self) {
        let now = self.clock.now();
        let (hub, account) = (&self.hub, self.account);
        let Some(palm) = self.palms.iter_mut().find(|palm| palm.gone.is_none()) else { return };
        let due = hub.boxoffice.end_link(account, palm.link).await.unwrap();
        let receipt = hub.carry_deletion(&due, DeletionCause::Person).await.unwrap();
        assert!(receipt.is_some(), "a deletion has a receipt");
        palm.gone = Some((now, DeletionCause::Person));
    }

    /// What the server did at this step is what the oracle wants, for every palm.
    async fn check(&mut self, dormant_days: i64) {
        let now = self.clock.now();
        for palm in &mut self.palms {
            let (end, cause) = palm.end(dormant_days);
            if palm.gone.is_none() && end <= now {
                palm.gone = Some((now, cause));
            }
        }
        let living = self.palms.iter().filter(|palm| palm.gone.is_none()).count();
        let links = self.hub.boxoffice.links(self.account).await.unwrap();
        assert_eq!(links.len(), living, "living links at {now:?}");
        let held = self.hub.vault.palms(self.company.id).len();
        assert_eq!(held, living + self.unused.len(), "palms in the vault at {now:?}");
    }

    /// Every palm that went has its leaf with its cause, for as long as openings are kept.
    async fn check_receipts(&self) {
        self.hub.trust.publish().await.unwrap();
        let kept_since =
            self.clock.now() - Duration::from_days(i64::from(OPENINGS_KEPT_MONTHS) * 30);
        for palm in &self.palms {
            let Some((at, cause)) = palm.gone else { continue };
            let lines = self.hub.trust.receipts(palm.link).await.unwrap();
            if at < kept_since {
                assert!(lines.is_empty(), "openings of a palm that went at {at:?} are kept on");
                continue;
            }
            let Statement::Delete { cause: logged, palms: 1 } = lines[0].statement else {
                panic!("the last leaf of a deleted palm is {:?}", lines[0].statement)
            };
            assert_eq!(logged, cause);
            let position = lines[0].position.unwrap();
            self.hub.trust.receipt(palm.link, position).await.unwrap();
        }
    }

    fn deletions_in_the_log(&self, dir: &Path) -> BTreeMap<DeletionCause, usize> {
        let policy = TrustPolicy::new(self.hub.trust.verifier_key().clone(), Vec::new()).unwrap();
        let now = self.clock.now();
        let what = Verification { policy: &policy, now, during: None, previous: None };
        let mut causes = BTreeMap::new();
        let folder = Folder::read_only(&dir.join("log"));
        let report = verify_folder(&folder, &what, &mut |_, leaf| {
            if let Statement::Delete { cause, .. } = leaf.statement() {
                *causes.entry(*cause).or_default() += 1;
            }
        });
        assert!(report.unwrap().is_sound());
        causes
    }
}

async fn ten_years(dormant_months: Option<u32>) -> BTreeMap<DeletionCause, usize> {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path(), dormant_months).await;
    let dormant_days = i64::from(world.hub.retention.dormant_months()) * 30;
    for step in 0..STEPS {
        if step % 4 == 0 {
            world.link().await;
        }
        if step % 50 == 49 {
            world.delete_one().await;
        }
        world.use_some().await;
        world.clock.advance(STEP);
        world.hub.carry_due_deletions().await.unwrap();
        world.hub.forget_openings().await.unwrap();
        world.check(dormant_days).await;
        if step % 26 == 25 {
            world.check_receipts().await;
        }
    }
    let mut expected = BTreeMap::new();
    for (_, cause) in world.palms.iter().filter_map(|palm| palm.gone) {
        *expected.entry(cause).or_default() += 1;
    }
    assert_eq!(world.deletions_in_the_log(dir.path()), expected);
    expected
}

#[tokio::test]
async fn in_ten_years_no_palm_stays_longer_than_the_policy_allows() {
    let causes = ten_years(Some(5)).await;
    for cause in [DeletionCause::Person, DeletionCause::Dormant, DeletionCause::EventOver] {
        assert!(causes.get(&cause).is_some_and(|&count| count > 5), "{causes:?}");
    }
}

#[tokio::test]
async fn by_default_the_consents_year_ends_before_anybody_is_dormant() {
    let causes = ten_years(None).await;
    assert!(!causes.contains_key(&DeletionCause::Dormant), "{causes:?}");
    assert!(
        causes.get(&DeletionCause::ConsentEnded).is_some_and(|&count| count > 20),
        "{causes:?}"
    );
}
