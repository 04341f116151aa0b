//! The scenarios on our engine.

use std::sync::Arc;

use handfast_boxoffice::{
    AdmissionRequest, AdmissionTerms, Biometrics, BoxOffice, Company, DeviceKind, Direction,
    EntryMode, Event, ForcedPassage, Language, ListTerms, NewDevice, NewEvent, NewOrder,
    NewQuestion, NewTicket, OrderState, Passing, Presented, QuestionKind, Role, StaffUser, Ticket,
    TicketState, TicketTerms, Venue,
};
use handfast_model::{
    AccountId, Clock, DeviceId, Duration, ManualClock, QuestionId, SeededRandom, Timestamp,
};
use handfast_store::Store;

use crate::scenarios::{Deed, Holder, List, Scenario};

struct Place {
    office: BoxOffice,
    clock: Arc<ManualClock>,
    start: Timestamp,
    company: Company,
    venue: Venue,
    account: AccountId,
    sam: StaffUser,
}

/// Each scenario's outcomes, in order.
pub async fn run_all(store: Store, scenarios: &[Scenario]) -> Vec<Vec<String>> {
    let start = Timestamp::from_micros(1_780_776_000_000_000);
    let clock = Arc::new(ManualClock::at(start));
    let random = Arc::new(SeededRandom::new(3));
    let office = BoxOffice::open(store, clock.clone(), random, "").await.unwrap();
    let company = office.create_company("Front Range").await.unwrap();
    let venue = office.create_venue(company.id, "Red Rocks").await.unwrap();
    let ann = "ann@example.org".parse().unwrap();
    let account = office.create_account(&ann, "Ann", Language::English).await.unwrap().id;
    let sam = "sam@example.org".parse().unwrap();
    let (role, english) = (Role::Supervisor, Language::English);
    let sam = office.create_staff_user(company.id, &sam, "Sam", role, english).await.unwrap();
    let mut place = Place { office, clock, start, company, venue, account, sam };
    let mut outcomes = Vec::new();
    for scenario in scenarios {
        // A night apart, so that no event is open beside another's.
        place.start = place.start + Duration::from_days(3);
        place.clock.advance(place.start - place.clock.now());
        outcomes.push(place.run(scenario).await);
    }
    outcomes
}

/// What a scenario walks through.
struct Walk<'a> {
    place: &'a Place,
    device: DeviceId,
    ticket: Option<Ticket>,
    code: String,
    question: QuestionId,
    nonce: String,
}

impl Place {
    async fn run(&self, scenario: &Scenario) -> Vec<String> {
        let gate = self.office.create_gate(self.venue.id, None, "Gate").await.unwrap();
        let lane = self.office.create_lane(gate.id, "Lane", Direction::Left, &[]).await.unwrap();
        let new = NewDevice {
            venue_id: self.venue.id,
            name: "Scanner",
            kind: DeviceKind::Scanner,
            mode: None,
            lane_id: Some(lane.id),
            shop_reference: None,
            paired_with: None,
        };
        let device = self.office.register_device(&new).await.unwrap().0;
        let tonight =
            self.event("Tonight", if scenario.holder == Holder::Tomorrow { 24 } else { -1 }).await;
        self.set_list(&tonight, &scenario.list).await;
        let question = NewQuestion {
            product: Some("VIP"),
            text: "ID checked, 21+?",
            kind: QuestionKind::Confirm,
            choices: &[],
            required: true,
        };
        let question = self.office.add_question(self.company.id, tonight.id, &question).await;
        let (ticket, code) = self.ticket(scenario.holder, &tonight).await;
        let question = question.unwrap().id;
        let mut walk = Walk { place: self, device, ticket, code, question, nonce: String::new() };
        let mut outcomes = Vec::new();
        for (number, step) in scenario.steps.iter().enumerate() {
            let at = self.start + Duration::from_minutes(step.minute);
            self.clock.advance(at - self.clock.now());
            outcomes.push(walk.deed(step.deed, number).await);
        }
        outcomes
    }

    async fn event(&self, name: &str, doors_in: i64) -> Event {
        let doors_at = self.start + Duration::from_hours(doors_in);
        let new = NewEvent {
            venue_id: self.venue.id,
            name,
            doors_at,
            starts_at: doors_at + Duration::from_minutes(50),
            ends_at: doors_at + Duration::from_hours(6),
            biometrics: Biometrics::Allowed,
        };
        self.office.create_event(&new).await.unwrap()
    }

    async fn set_list(&self, event: &Event, list: &List) {
        let own = self.office.check_in_lists(self.company.id, event.id).await.unwrap().remove(0);
        let terms = ListTerms {
            entry: list.entry,
            anti_passback: list.anti_passback.0,
            anti_passback_minutes: list.anti_passback.1,
            include_unpaid: list.include_unpaid,
            addon_match: list.addon_match,
            products: list.products.iter().map(|name| (*name).to_owned()).collect(),
            rule: list.rule.map(|text| text.parse().unwrap()),
            ..ListTerms::plain("Main")
        };
        let _: EntryMode = terms.entry;
        self.office.set_check_in_list(self.company.id, own.id, &terms).await.unwrap();
    }

    async fn order(&self, event: &Event, products: &[&str], state: OrderState) -> Vec<Ticket> {
        let tickets: Vec<NewTicket<'_>> = products
            .iter()
            .map(|product| NewTicket { event_id: event.id, product, account_id: None })
            .collect();
        let order = NewOrder {
            company_id: self.company.id,
            account_id: self.account,
            state,
            tickets: &tickets,
        };
        self.office.place_order(&order).await.unwrap().1
    }

    async fn ticket(&self, holder: Holder, tonight: &Event) -> (Option<Ticket>, String) {
        const GA: &str = "General admission";
        let company = self.company.id;
        let paid = OrderState::Paid;
        let one = async |product, state| self.order(tonight, &[product], state).await.remove(0);
        let ticket = match holder {
            Holder::Unknown => return (None, "nosuchsecret".to_owned()),
            Holder::Unpaid => one(GA, OrderState::Pending).await,
            Holder::Unapproved => one(GA, OrderState::Unapproved).await,
            Holder::Cancelled => one(GA, OrderState::Cancelled).await,
            Holder::Vip => one("VIP", paid).await,
            Holder::OtherEvent => {
                let other = self.event("Next month", 24 * 40).await;
                self.order(&other, &[GA], paid).await.remove(0)
            }
            Holder::WithParking(count) => {
                let mut products = vec![GA];
                products.extend(vec!["Parking"; usize::from(count)]);
                let tickets = self.order(tonight, &products, paid).await;
                for addon in &tickets[1..] {
                    let terms = TicketTerms { addon_to: Some(tickets[0].id), ..terms_of(1) };
                    self.office.set_ticket_terms(company, addon.id, &terms).await.unwrap();
                }
                tickets[0].clone()
            }
            _ => one(GA, paid).await,
        };
        let hour = Duration::from_hours(1);
        let terms = match holder {
            Holder::Group => terms_of(3),
            Holder::NotYetValid => {
                TicketTerms { valid_from: Some(self.start + hour), ..terms_of(1) }
            }
            Holder::NoLongerValid => {
                TicketTerms { valid_until: Some(self.start - hour), ..terms_of(1) }
            }
            _ => terms_of(1),
        };
        self.office.set_ticket_terms(company, ticket.id, &terms).await.unwrap();
        let mut code = ticket.code.as_str().to_owned();
        if holder == Holder::Blocked {
            let blocked = TicketState::Blocked;
            self.office.set_ticket_state(company, ticket.id, blocked).await.unwrap();
        }
        if holder == Holder::Revoked {
            code = self.office.signed_code(company, ticket.id).await.unwrap().encode();
            self.office.replace_code(company, ticket.id).await.unwrap();
        }
        (Some(ticket), code)
    }
}

fn terms_of(party_size: u32) -> TicketTerms {
    TicketTerms { party_size, valid_from: None, valid_until: None, addon_to: None }
}

impl Walk<'_> {
    async fn deed(&mut self, deed: Deed, number: usize) -> String {
        if !matches!(deed, Deed::InAgain | Deed::Annul) {
            self.nonce = format!("{}-{number}", self.device.to_string().replace('_', "-"));
        }
        let mut terms = AdmissionTerms::default();
        match deed {
            Deed::Annul => {
                let annulled =
                    self.place.office.annul(self.device, &self.nonce, "not turned").await;
                return if annulled.is_ok() { "ok" } else { "refused" }.to_owned();
            }
            Deed::Force => {
                let forced = ForcedPassage {
                    staff_user_id: self.place.sam.id,
                    device_id: self.device,
                    ticket_id: self.ticket.as_ref().unwrap().id,
                    nonce: &self.nonce,
                    reason: "decided",
                };
                let verdict = self.place.office.force(&forced, terms).await.unwrap();
                return verdict.outcome.to_string();
            }
            Deed::Out => terms.passing = Some(Passing::Exit),
            Deed::InFor(people) => terms.people = Some(people),
            Deed::InAnswering => terms.answers = vec![(self.question, "yes".to_owned())],
            Deed::In | Deed::InAgain => {}
        }
        let presented = Presented::Code(&self.code);
        let request = AdmissionRequest { device_id: self.device, nonce: &self.nonce, presented };
        self.place.office.admit_on(&request, terms).await.unwrap().outcome.to_string()
    }
}
