//! Seeding the demo: a company with two venues, tonight's events, people with tickets, a shop.

use anyhow::Context as _;
use handfast_boxoffice::{
    Biometrics, BoxOffice, CodeKind, Company, DeviceKind, DeviceMode, Direction, Event, Language,
    NewDevice, NewEvent, NewOrder, NewTicket, OrderState, Product, Role, Venue,
};
use handfast_model::{Currency, DeviceId, Duration, LaneId, Money, ShopId, Timestamp, TransferId};
use handfast_till::{Discount, Label, NewShop, Off, Promotion};

use super::{Demo, DemoFan, DemoStaff, DemoStation, DemoTicket};
use crate::hub::Hub;

/// The sign-up credit of the demo, and what its promotion can give away in all.
const CREDIT: Money = Money::new(1_000, Currency::Usd);
const PROMOTION_FUNDS: Money = Money::new(5_000_000, Currency::Usd);
/// The loyalty program whose numbers take ten percent off at the kitchen.
const CLUB: &str = "Foothills Club";
/// Denver, in summer and in winter alike: good enough for a demo's charge numbers.
const UTC_OFFSET_MINUTES: i32 = -7 * 60;

/// What is seeded, step by step.
struct Seeding<'a> {
    hub: &'a Hub,
    now: Timestamp,
    demo: Demo,
}

struct Evening {
    night_one: Event,
    night_two: Event,
    late_set: Event,
    unplugged: Event,
}

/// Fills an empty company's place in every service; `progress` is told what is done.
pub(crate) async fn seed(hub: &Hub, mut progress: impl FnMut(&str)) -> anyhow::Result<Demo> {
    let now = hub.clock.now();
    let demo = Demo { ends_at: now, stations: Vec::new(), fans: Vec::new(), staff: Vec::new() };
    let mut seeding = Seeding { hub, now, demo };
    let boxoffice = &hub.boxoffice;
    progress("a ticketing company with two venues");
    let company = boxoffice.create_company("Foothills Tickets").await?;
    let amphitheatre = boxoffice.create_venue(company.id, "Red Rocks Amphitheatre").await?;
    let hall = boxoffice.create_venue(company.id, "Mission Hall").await?;
    progress("events for tonight, tomorrow and next week");
    let evening = seeding.events(&amphitheatre, &hall).await?;
    progress("gates, lanes, pedestals, scanners");
    seeding.lanes(&amphitheatre, &hall).await?;
    progress("a shop with a register and a promotion");
    seeding.shop(&amphitheatre).await?;
    progress("tickets on sale");
    seeding.sales(&company, &amphitheatre, &evening).await?;
    progress("people with tickets");
    seeding.fans(&company, &evening).await?;
    progress("staff");
    seeding.staff(&company).await?;
    Ok(seeding.demo)
}

impl Seeding<'_> {
    fn boxoffice(&self) -> &BoxOffice {
        &self.hub.boxoffice
    }

    async fn events(&mut self, amphitheatre: &Venue, hall: &Venue) -> anyhow::Result<Evening> {
        let doors = self.now - Duration::from_hours(1);
        let day = Duration::from_days(1);
        let allowed = Biometrics::Allowed;
        let night_one =
            self.event(amphitheatre, "Mountain Sounds, night one", doors, allowed).await?;
        let night_two =
            self.event(amphitheatre, "Mountain Sounds, night two", doors + day, allowed).await?;
        let late_set = self.event(hall, "The Late Set", doors, allowed).await?;
        let next_week = doors + Duration::from_days(7);
        let unplugged =
            self.event(amphitheatre, "Unplugged", next_week, Biometrics::Forbidden).await?;
        self.demo.ends_at = night_one.ends_at;
        Ok(Evening { night_one, night_two, late_set, unplugged })
    }

    async fn event(
        &self,
        venue: &Venue,
        name: &str,
        doors_at: Timestamp,
        biometrics: Biometrics,
    ) -> anyhow::Result<Event> {
        let new = NewEvent {
            venue_id: venue.id,
            name,
            doors_at,
            starts_at: doors_at + Duration::from_hours(2),
            ends_at: doors_at + Duration::from_hours(12),
            biometrics,
        };
        Ok(self.boxoffice().create_event(&new).await?)
    }

    async fn lanes(&mut self, amphitheatre: &Venue, hall: &Venue) -> anyhow::Result<()> {
        let plaza = self.boxoffice().create_gate(amphitheatre.id, None, "South gate").await?;
        let palm =
            self.boxoffice().create_lane(plaza.id, "Palm lane", Direction::Left, &[]).await?;
        let code = self.boxoffice().create_lane(plaza.id, "Lane 2", Direction::Right, &[]).await?;
        let door = self.boxoffice().create_gate(hall.id, None, "Main door").await?;
        let hall_palm =
            self.boxoffice().create_lane(door.id, "Palm lane", Direction::Straight, &[]).await?;
        let outside = Some(DeviceMode::EnrolOutside);
        let inside = Some(DeviceMode::EnrolInside);
        let entry = Some(DeviceMode::EntryLane);
        self.pedestal("outside", "Booth outside", amphitheatre, outside, None).await?;
        self.pedestal("lane", "Palm lane, Red Rocks", amphitheatre, entry, Some(palm.id)).await?;
        self.scanner("scan", "Agent scan, lane 2", amphitheatre, code.id).await?;
        self.pedestal("inside", "Booth inside", amphitheatre, inside, None).await?;
        self.pedestal("hall-lane", "Palm lane, Mission Hall", hall, entry, Some(hall_palm.id))
            .await?;
        Ok(())
    }

    async fn pedestal(
        &mut self,
        station_id: &str,
        name: &str,
        venue: &Venue,
        mode: Option<DeviceMode>,
        lane_id: Option<LaneId>,
    ) -> anyhow::Result<DeviceId> {
        let new = NewDevice {
            venue_id: venue.id,
            name,
            kind: DeviceKind::Pedestal,
            mode,
            lane_id,
            shop_reference: None,
            paired_with: None,
        };
        self.station(station_id, &new).await
    }

    async fn scanner(
        &mut self,
        station_id: &str,
        name: &str,
        venue: &Venue,
        lane: LaneId,
    ) -> anyhow::Result<DeviceId> {
        let new = NewDevice {
            venue_id: venue.id,
            name,
            kind: DeviceKind::Scanner,
            mode: None,
            lane_id: Some(lane),
            shop_reference: None,
            paired_with: None,
        };
        self.station(station_id, &new).await
    }

    async fn station(&mut self, id: &str, new: &NewDevice<'_>) -> anyhow::Result<DeviceId> {
        let (device, api_key) = self.boxoffice().register_device(new).await?;
        self.demo.stations.push(DemoStation {
            station_id: id.to_owned(),
            name: new.name.to_owned(),
            kind: new.kind,
            mode: new.mode,
            api_key,
        });
        Ok(device)
    }

    async fn shop(&mut self, venue: &Venue) -> anyhow::Result<()> {
        let till = &self.hub.till;
        let shop = NewShop {
            venue: venue.id,
            name: Label::parse("Foothill Kitchen")?,
            currency: Currency::Usd,
            utc_offset_minutes: UTC_OFFSET_MINUTES,
        };
        let shop: ShopId = till.add_shop(&shop).await?;
        let reference = shop.to_string();
        let counter = NewDevice {
            venue_id: venue.id,
            name: "Counter pedestal",
            kind: DeviceKind::Pedestal,
            mode: Some(DeviceMode::Counter),
            lane_id: None,
            shop_reference: Some(&reference),
            paired_with: None,
        };
        let pedestal = self.station("counter", &counter).await?;
        let register = NewDevice {
            name: "Register",
            kind: DeviceKind::Register,
            mode: None,
            paired_with: Some(pedestal),
            ..counter
        };
        let register = self.station("register", &register).await?;
        till.add_register(register, shop).await?;
        till.pair(register, pedestal).await?;
        self.discount(shop).await?;
        self.promotion().await
    }

    /// Whoever adds a number of the club to their wallet meets it at the kitchen's next hover.
    async fn discount(&self, shop: ShopId) -> anyhow::Result<()> {
        let till = &self.hub.till;
        let discount = Discount {
            name: Label::parse("Foothills Club: 10 % off")?,
            shop,
            program: Label::parse(CLUB)?,
            off: Off::Percent(10),
            starts_at: self.now,
            ends_at: self.now + Duration::from_days(90),
        };
        till.create_discount(&discount).await?;
        let transfer = TransferId::new(&*self.hub.clock, &*self.hub.random);
        Ok(till.fund_discount(&discount.name, PROMOTION_FUNDS, transfer).await?)
    }

    async fn sales(
        &self,
        company: &Company,
        venue: &Venue,
        evening: &Evening,
    ) -> anyhow::Result<()> {
        let products = [
            ("General admission", 4_500, 9_000, CodeKind::Static),
            ("Terrace seat", 7_500, 400, CodeKind::Signed),
            ("Front row", 12_000, 60, CodeKind::Rotating),
        ];
        for event in [&evening.night_one, &evening.night_two, &evening.unplugged] {
            for (name, minor, capacity, codes) in products {
                let product = Product {
                    name: name.to_owned(),
                    price: Money::new(minor, Currency::Usd),
                    capacity: Some(capacity),
                    on_sale: true,
                    codes: Some(codes),
                };
                self.boxoffice().set_product(company.id, event.id, &product).await?;
            }
        }
        Ok(self.hub.open_sales(company, venue.id, Currency::Usd).await?)
    }

    async fn promotion(&self) -> anyhow::Result<()> {
        let till = &self.hub.till;
        let name = Label::parse("Ten dollars for linking a payment method")?;
        let promotion = Promotion {
            name: name.clone(),
            credit: CREDIT,
            starts_at: self.now,
            ends_at: self.now + Duration::from_days(90),
            spend_until: self.now + Duration::from_days(365),
        };
        till.create_promotion(&promotion).await?;
        let transfer = TransferId::new(&*self.hub.clock, &*self.hub.random);
        till.fund_promotion(&name, PROMOTION_FUNDS, transfer).await?;
        Ok(())
    }

    async fn fans(&mut self, company: &Company, evening: &Evening) -> anyhow::Result<()> {
        let Evening { night_one, night_two, late_set, unplugged } = evening;
        let (floor, terrace) = ("General admission", "Terrace seat");
        let english = Language::English;
        let paid = OrderState::Paid;
        let party: &[_] = &[(night_one, floor), (late_set, floor), (night_two, floor)];
        self.fan(company, "Ana Torres", Language::Spanish, paid, party).await?;
        let family: &[_] = &[(night_one, terrace); 4];
        self.fan(company, "Ben Okafor", english, paid, family).await?;
        let both: &[_] = &[(night_one, floor), (unplugged, floor)];
        self.fan(company, "Chloe Nguyen", english, paid, both).await?;
        self.fan(company, "David Klein", Language::German, paid, &[(night_one, terrace)]).await?;
        self.fan(company, "Emma Rossi", english, OrderState::Pending, &[(night_one, floor)])
            .await?;
        self.fan(company, "Farid Haddad", english, paid, &[(late_set, floor)]).await
    }

    async fn fan(
        &mut self,
        company: &Company,
        name: &str,
        language: Language,
        state: OrderState,
        tickets: &[(&Event, &str)],
    ) -> anyhow::Result<()> {
        let email = mail_address(name);
        let address = email.parse().context("the demo's own mail address")?;
        let account = self.boxoffice().create_account(&address, name, language).await?;
        let wanted: Vec<NewTicket<'_>> = tickets
            .iter()
            .map(|(event, product)| NewTicket { event_id: event.id, product, account_id: None })
            .collect();
        let order =
            NewOrder { company_id: company.id, account_id: account.id, state, tickets: &wanted };
        let (_, issued) = self.boxoffice().place_order(&order).await?;
        let shown = issued.iter().zip(tickets).map(|(ticket, (event, _))| DemoTicket {
            event_name: event.name.clone(),
            code: ticket.code.as_str().to_owned(),
        });
        self.demo.fans.push(DemoFan {
            index: self.demo.fans.len() as u64 + 1,
            name: name.to_owned(),
            email,
            tickets: shown.collect(),
        });
        Ok(())
    }

    async fn staff(&mut self, company: &Company) -> anyhow::Result<()> {
        for (name, role) in [
            ("Olivia Park", Role::Operator),
            ("Oscar Lind", Role::Operator),
            ("Sam Reyes", Role::Supervisor),
            ("Toni Braun", Role::Steward),
        ] {
            let email = mail_address(name);
            let address = email.parse().context("the demo's own mail address")?;
            let language = Language::English;
            self.boxoffice().create_staff_user(company.id, &address, name, role, language).await?;
            self.demo.staff.push(DemoStaff { name: name.to_owned(), email, role });
        }
        Ok(())
    }
}

/// `Ana Torres` writes from `ana@example.org` (RFC 2606 keeps that domain for examples).
fn mail_address(name: &str) -> String {
    let first = name.split(' ').next().unwrap_or(name);
    format!("{}@example.org", first.to_lowercase())
}
