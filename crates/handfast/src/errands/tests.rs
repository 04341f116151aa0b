//! A counter with everything behind it: a vault that knows one palm, a till with its strict test
//! gateway, and the errands that a session would send.

use handfast_boxoffice::{
    AdmissionRequest, Biometrics, Company, Custody, DeviceKind, DeviceMode, Direction, Event,
    Language as Speech, NewDevice, NewEvent, NewOrder, NewTicket, OrderState, Outcome, Presented,
    Ticket, consent_text,
};
use handfast_model::{
    Currency, DeviceId, Duration, GalleryId, LinkId, ManualClock, Money, PairwiseToken,
    RelyingParty, SeededRandom, ShopId, Timestamp, VenueId,
};
use handfast_palm::{Sample, Side, acquire};
use handfast_palm_synth::{Approach, Camera, Identity};
use handfast_pedestal::{
    AgeSaid, GivenConsent, IDENTIFIED_KEPT, Input, Language, Mode, OpenCharge, Session, TicketCode,
};
use handfast_till::test_gateway::Instrument;
use handfast_till::{
    ArmedPalm, Charge, ChargeRequest, ChargeState, Description, Label, NewShop, Nonce,
};
use handfast_vault::dealer::{Enrolment, Enrolments, Presentation, PresentedPalm};
use handfast_vault::{EnrolOutcome, NewGallery, Purpose, ThresholdPolicy};
use tempfile::TempDir;

use super::*;
use crate::hub::Hub;
use crate::serve::Settings;
use crate::station;

const START: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);
/// Hands at rest.
const AT_REST_MS: u64 = 1_500;
const PERSON: u64 = 700;

struct Bed {
    errands: Errands,
    clock: Arc<ManualClock>,
    company: Company,
    event: Event,
    register: DeviceId,
    venue: VenueId,
    palm: PairwiseToken,
    link: LinkId,
    dir: TempDir,
}

fn samples() -> Vec<Sample> {
    let approach = Approach::new(Identity::from_seed(PERSON).hand(Side::Left), 0);
    let picture = Camera::default().render(&approach.scene_at(AT_REST_MS), 0, 640, 480);
    vec![acquire(&picture).unwrap().sample]
}

fn hover() -> Presentation {
    Presentation::new(vec![PresentedPalm::from_samples(&samples()).unwrap()]).unwrap()
}

/// The id of some request of a session.
fn request_id() -> RequestId {
    let mut session = Session::new(Mode::Counter, Language::En, PalmEngine, START);
    session.on(Input::Changed, START)[0].id
}

fn device(venue: VenueId, kind: DeviceKind, shop: &str) -> NewDevice<'_> {
    NewDevice {
        venue_id: venue,
        name: "Bar",
        kind,
        mode: (kind == DeviceKind::Pedestal).then_some(DeviceMode::Counter),
        lane_id: None,
        shop_reference: Some(shop),
        paired_with: None,
    }
}

impl Bed {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (clock, random) = (Arc::new(ManualClock::at(START)), Arc::new(SeededRandom::new(39)));
        let settings = Settings::of_test(dir.path());
        let hub = Arc::new(settings.open_with(clock.clone(), random, None).await.unwrap());
        let company = hub.boxoffice.create_company("Foothills Tickets").await.unwrap();
        let venue = hub.boxoffice.create_venue(company.id, "Red Rocks").await.unwrap().id;
        let event = NewEvent {
            venue_id: venue,
            name: "Tonight",
            doors_at: START - Duration::from_hours(1),
            starts_at: START + Duration::from_hours(1),
            ends_at: START + Duration::from_hours(5),
            biometrics: Biometrics::Allowed,
        };
        let event = hub.boxoffice.create_event(&event).await.unwrap();
        let shop = NewShop {
            venue,
            name: Label::parse("Bar").unwrap(),
            currency: Currency::Usd,
            utc_offset_minutes: 0,
        };
        let shop = hub.till.add_shop(&shop).await.unwrap();
        let named = shop.to_string();
        let new = device(venue, DeviceKind::Register, &named);
        let (register, _) = hub.boxoffice.register_device(&new).await.unwrap();
        hub.till.add_register(register, shop).await.unwrap();
        let new = device(venue, DeviceKind::Pedestal, &named);
        let (pedestal, api_key) = hub.boxoffice.register_device(&new).await.unwrap();
        hub.till.pair(register, pedestal).await.unwrap();
        let gallery = NewGallery {
            gallery: GalleryId::from(shop),
            party: RelyingParty::Shop(shop),
            purpose: Purpose::Payment,
            policy: ThresholdPolicy::PAYMENT,
        };
        hub.vault.open_gallery(gallery).await.unwrap();
        let until = START + Duration::from_days(30);
        let palm = Enrolment::from_samples(&samples()).unwrap();
        let enrolled =
            hub.vault.enrol(company.id, Enrolments::new(vec![palm]).unwrap(), until).await.unwrap();
        let EnrolOutcome::Enrolled(palms) = enrolled else { panic!("nobody else is there") };
        let gallery = GalleryId::from(shop);
        let token = hub.vault.arm(company.id, palms[0].token, gallery, until).await.unwrap();
        let link = pays_by_palm(&hub, shop, token).await;
        let palm = palms[0].token;
        let caller = hub.authenticate_device(&api_key).await.unwrap();
        let station = station::start(Mode::Counter, Language::En, clock.clone(), |_| true).unwrap();
        let errands = Errands::new(hub, caller, api_key, station);
        Self { errands, clock, company, event, register, venue, palm, link, dir }
    }

    fn desk(&self) -> &Desk {
        &self.errands.desk
    }

    fn hub(&self) -> &Hub {
        &self.errands.desk.hub
    }

    /// A charge, and what the pedestal shows of it.
    async fn charge(&self, number: u32) -> OpenCharge {
        let description = Description::parse("2 lager").unwrap();
        let nonce = Nonce::parse(&format!("nonce-{number:06}")).unwrap();
        let amount = Money::new(700, Currency::Usd);
        let request = ChargeRequest::new(self.register, amount, description, nonce);
        self.hub().till.request_charge(&request).await.unwrap();
        let Ok(situation) = self.desk().situation().await else { panic!("no situation") };
        situation.charge.unwrap()
    }

    /// Ben, whose palm nobody has, with a paid ticket for tonight.
    async fn bens_ticket(&self) -> Ticket {
        let office = &self.hub().boxoffice;
        let email = "ben@example.org".parse().unwrap();
        let ben = office.create_account(&email, "Ben", Speech::English).await.unwrap();
        let tickets = [NewTicket { event_id: self.event.id, product: "Floor", account_id: None }];
        let (company_id, state) = (self.company.id, OrderState::Paid);
        let order = NewOrder { company_id, account_id: ben.id, state, tickets: &tickets };
        office.place_order(&order).await.unwrap().1.remove(0)
    }

    async fn read(&self, shown: &OpenCharge) -> Charge {
        self.hub().till.charge(self.register, shown.charge_id).await.unwrap()
    }

    async fn pay(&self, shown: &OpenCharge) -> Result<Answer, Reason> {
        self.desk().pay(shown, hover()).await.map_err(|Refused(reason)| reason)
    }

    async fn step_back(&self, shown: &OpenCharge) -> Result<Answer, Reason> {
        self.desk().step_back(shown.charge_id).await.map_err(|Refused(reason)| reason)
    }
}

/// The palm's owner has a payment method and lets the palm use it.
async fn pays_by_palm(hub: &Hub, shop: ShopId, token: PairwiseToken) -> LinkId {
    let email = "ana@example.org".parse().unwrap();
    let account = hub.boxoffice.create_account(&email, "Ana", Speech::English).await.unwrap().id;
    let started = hub.till.begin_setup(account, "/back/").await.unwrap();
    let session = started.url.rsplit('/').next().unwrap();
    let instrument = Instrument::AlwaysApproves.as_str();
    hub.test_gateway.choose(session, instrument).await.unwrap();
    hub.till.complete_setup(account, &started.setup, None).await.unwrap();
    hub.till.set_palm_pay(account, true).await.unwrap();
    let link = LinkId::new(&*hub.clock, &*hub.random);
    let palm = ArmedPalm { shop, token, account, link };
    hub.till.acknowledge(&palm).await.unwrap();
    link
}

#[tokio::test]
async fn a_hand_whose_page_is_gone_pays_nothing() {
    let bed = Bed::new().await;
    let shown = bed.charge(1).await;
    let desk = bed.desk().clone();
    // The connection ends while the hand is searched.
    let Bed { errands, register, dir: _dir, .. } = bed;
    drop(errands);
    let paid = desk.pay(&shown, hover()).await.map_err(|Refused(reason)| reason);
    assert_eq!(paid, Err(Reason::ChargeCancelled));
    let charge = desk.hub.till.charge(register, shown.charge_id).await.unwrap();
    assert_eq!(charge.state, ChargeState::Requested, "it stays with its register");
}

#[tokio::test]
async fn a_customer_who_steps_back_during_the_search_pays_nothing() {
    let bed = Bed::new().await;
    let shown = bed.charge(1).await;
    // The search has begun and takes its time; the till hears of the step-back first.
    assert_eq!(bed.step_back(&shown).await, Err(Reason::ChargeCancelled));
    assert_eq!(bed.pay(&shown).await, Err(Reason::ChargeCancelled));
    let charge = bed.read(&shown).await;
    assert_eq!(charge.state, ChargeState::Requested, "it stays with its register");
    // Both at once, again and again: the screen says what happened to the money.
    bed.hub().till.cancel_charge(bed.register, charge.id).await.unwrap();
    for number in 2..6 {
        let shown = bed.charge(number).await;
        let (paid, stepped) = tokio::join!(bed.pay(&shown), async {
            for _ in 0..number {
                tokio::task::yield_now().await;
            }
            bed.step_back(&shown).await
        });
        let state = bed.read(&shown).await.state;
        match stepped {
            Err(Reason::ChargeCancelled) => {
                assert_eq!(paid, Err(Reason::ChargeCancelled));
                assert!(state != ChargeState::Captured);
                bed.hub().till.cancel_charge(bed.register, shown.charge_id).await.unwrap();
            }
            Ok(Answer::Paid { .. }) => assert_eq!(state, ChargeState::Captured),
            // The gateway is asked to let go of what it was about to take.
            Ok(Answer::StillPaying) => assert!(state != ChargeState::Captured),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_hand_that_was_first_has_paid_and_the_screen_says_so() {
    let bed = Bed::new().await;
    let shown = bed.charge(1).await;
    let paid = bed.pay(&shown).await.unwrap();
    assert!(matches!(paid, Answer::Paid { .. }));
    assert_eq!(bed.step_back(&shown).await, Ok(paid));
    assert_eq!(bed.read(&shown).await.state, ChargeState::Captured);
}

#[tokio::test]
async fn no_palm_pays_at_an_event_without_biometrics() {
    let bed = Bed::new().await;
    let shown = bed.charge(1).await;
    let (company, event) = (bed.company.id, bed.event.id);
    let switch = async |to| {
        bed.hub().boxoffice.set_biometrics(company, event, to).await.unwrap();
    };
    switch(Biometrics::Forbidden).await;
    assert_eq!(bed.pay(&shown).await, Err(Reason::NoBiometrics));
    assert_eq!(bed.read(&shown).await.state, ChargeState::Requested);
    switch(Biometrics::Allowed).await;
    assert!(matches!(bed.pay(&shown).await, Ok(Answer::Paid { .. })));
}

#[tokio::test]
async fn a_person_who_deletes_while_being_identified_is_found_or_gone() {
    // The search and the deletion meet at different moments.
    for later in [0, 1, 4, 16] {
        let bed = Bed::new().await;
        let shown = bed.charge(1).await;
        let hub = bed.hub();
        let (paid, ()) = tokio::join!(bed.pay(&shown), async {
            for _ in 0..later {
                tokio::task::yield_now().await;
            }
            hub.till.forget_link(bed.link).await.unwrap();
            hub.vault.delete(bed.company.id, &[bed.palm]).await.unwrap();
        });
        let state = bed.read(&shown).await.state;
        match paid {
            Ok(_) => assert_eq!(state, ChargeState::Captured, "found before, and paid once"),
            Err(_) => {
                assert_eq!(state, ChargeState::Requested, "gone, and nobody paid");
                hub.till.cancel_charge(bed.register, shown.charge_id).await.unwrap();
            }
        }
        let next = bed.charge(2).await;
        assert_eq!(bed.pay(&next).await, Err(Reason::NotRecognised), "gone for good");
    }
}

#[tokio::test]
async fn a_full_log_disk_stops_palms_and_entry_goes_on_by_code() {
    let bed = Bed::new().await;
    let shown = bed.charge(1).await;
    let hub = bed.hub();
    // Where nothing can be written: a file stands in the journal's way.
    let journal = bed.dir.path().join("log").join("journal");
    let _ = std::fs::remove_dir_all(&journal);
    std::fs::write(&journal, b"in the way").unwrap();
    let refused = bed.pay(&shown).await;
    let ticket = bed.bens_ticket().await;
    let gate = hub.boxoffice.create_gate(bed.venue, None, "North").await.unwrap();
    let lane = hub.boxoffice.create_lane(gate.id, "1", Direction::Straight, &[]).await.unwrap();
    let scanner = NewDevice {
        venue_id: bed.venue,
        name: "Scanner",
        kind: DeviceKind::Scanner,
        mode: None,
        lane_id: Some(lane.id),
        shop_reference: None,
        paired_with: None,
    };
    let (scanner, _) = hub.boxoffice.register_device(&scanner).await.unwrap();
    let presented = Presented::Code(ticket.code.as_str());
    let request = AdmissionRequest { device_id: scanner, nonce: "nonce-entry-1", presented };
    let verdict = hub.boxoffice.admit(&request).await.unwrap();
    assert_eq!(verdict.outcome, Outcome::Ok);
    assert_eq!(refused, Err(Reason::VaultUnavailable), "what was found is withheld");
    assert_eq!(bed.read(&shown).await.state, ChargeState::Requested, "and nobody paid");
}

#[tokio::test]
async fn a_revoked_pedestal_asks_nothing_any_more() {
    let bed = Bed::new().await;
    let shown = bed.charge(1).await;
    assert!(!bed.desk().is_shut_out().await);
    bed.hub().boxoffice.revoke_device(bed.desk().device.id).await.unwrap();
    assert!(bed.desk().is_shut_out().await);
    // A search that was under way charges nobody.
    assert!(bed.pay(&shown).await.is_err());
    assert_eq!(bed.read(&shown).await.state, ChargeState::Requested);
    let id = request_id();
    bed.errands.run(Errand { id, request: Request::Pay { charge: shown, presentation: hover() } });
    bed.errands.shut_out().await;
}

#[tokio::test]
async fn nobody_is_enrolled_on_words_of_another_custody() {
    let bed = Bed::new().await;
    let hub = bed.hub();
    let code = TicketCode::parse(bed.bens_ticket().await.code.as_str()).unwrap();
    let new = NewDevice {
        mode: Some(DeviceMode::EnrolOutside),
        shop_reference: None,
        ..device(bed.venue, DeviceKind::Pedestal, "")
    };
    let (_, api_key) = hub.boxoffice.register_device(&new).await.unwrap();
    let caller = hub.authenticate_device(&api_key).await.unwrap();
    let clock = bed.clock.clone();
    let station = station::start(Mode::EnrolOutside, Language::En, clock, |_| true).unwrap();
    let errands = Errands::new(bed.desk().hub.clone(), caller, api_key, station);
    let desk = &errands.desk;
    let offer = desk.look_up_ticket(&code, Language::En).await.map_err(|Refused(why)| why);
    let Ok(Answer::ConsentOffer(offer)) = offer else { panic!("{offer:?}") };
    let apart = consent_text(Speech::English, Custody::NodesApart).version;
    assert_ne!(offer.text.version, apart);
    // Another hand than the one that is enrolled already.
    let approach = Approach::new(Identity::from_seed(PERSON + 1).hand(Side::Left), 0);
    let picture = Camera::default().render(&approach.scene_at(AT_REST_MS), 0, 640, 480);
    let palm = || Enrolment::from_samples(&[acquire(&picture).unwrap().sample]).unwrap();
    let enrol = async |version: &str| {
        let consent = GivenConsent {
            text_version: version.to_owned(),
            language: Language::En,
            scope: offer.scopes[0].id,
            age: AgeSaid::OfAge,
        };
        let palms = Enrolments::new(vec![palm()]).unwrap();
        desk.enrol(&code, &consent, palms).await.map_err(|Refused(why)| why)
    };
    // The words that hold are offered again, and nothing is stored under the others.
    assert_eq!(enrol(apart).await, Ok(Answer::ConsentOffer(offer.clone())));
    assert_eq!(hub.boxoffice.living_consents().await.unwrap(), []);
    let enrolled = enrol(&offer.text.version).await;
    assert!(matches!(enrolled, Ok(Answer::Enrolled { .. })), "{enrolled:?}");
}

#[tokio::test]
async fn whoever_was_identified_and_did_not_enter_is_forgotten() {
    let bed = Bed::new().await;
    let desk = bed.desk();
    desk.keep_identified(request_id(), PairwiseToken::from_bytes([7; 16]));
    bed.clock.advance(Duration::from_micros(IDENTIFIED_KEPT.as_micros() - 1_000_000));
    assert!(desk.situation().await.is_ok());
    assert_eq!(desk.identified.lock().unwrap().len(), 1);
    bed.clock.advance(Duration::from_secs(1));
    assert!(desk.situation().await.is_ok());
    assert!(desk.identified.lock().unwrap().is_empty());
}
