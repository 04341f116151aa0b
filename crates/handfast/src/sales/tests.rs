//! Orders and their money, wherever what carries them is cut off.

use std::path::Path;
use std::sync::Arc;

use axum::extract::State;
use handfast_boxoffice::{
    Biometrics, CodeKind, Event, Language, NewEvent, OrderState, Product, Role, Sale, SaleLine,
    StaffUser, Venue,
};
use handfast_model::{Duration, ManualClock, Money, SeededRandom, Timestamp};
use handfast_till::test_gateway::{Fault, Instrument, Operation};
use handfast_till::{OfflineFloor, SetupId};

use super::*;
use crate::http::access::StaffCaller;
use crate::http::boxoffice::setup;
use crate::http::problem::{Body, PathOf};
use crate::serve::Settings;

const START: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);
const PRICE: Money = Money::new(4_500, Currency::Usd);
const FLOOR: &str = "Floor";

/// A company that sells an event online, and two people who can pay.
struct Shop {
    hub: Hub,
    clock: Arc<ManualClock>,
    company: Company,
    venue: Venue,
    event: Event,
    operator: StaffUser,
    ada: AccountId,
    ben: AccountId,
    orders: std::sync::atomic::AtomicU32,
}

impl Shop {
    async fn open(dir: &Path) -> Self {
        let (clock, random) = (Arc::new(ManualClock::at(START)), Arc::new(SeededRandom::new(21)));
        let hub = Settings::of_test(dir).open_with(clock.clone(), random, None).await.unwrap();
        let office = &hub.boxoffice;
        let company = office.create_company("Foothills Tickets").await.unwrap();
        let venue = office.create_venue(company.id, "Red Rocks").await.unwrap();
        let event = NewEvent {
            venue_id: venue.id,
            name: "Night",
            doors_at: START + Duration::from_days(10),
            starts_at: START + Duration::from_days(11),
            ends_at: START + Duration::from_days(12),
            biometrics: Biometrics::Forbidden,
        };
        let event = office.create_event(&event).await.unwrap();
        let product = Product {
            name: FLOOR.to_owned(),
            price: PRICE,
            capacity: Some(9),
            on_sale: true,
            codes: None,
        };
        office.set_product(company.id, event.id, &product).await.unwrap();
        let (email, role) = ("olga@example.org".parse().unwrap(), Role::Operator);
        let operator =
            office.create_staff_user(company.id, &email, "Olga", role, Language::English);
        let operator = operator.await.unwrap();
        hub.open_sales(&company, venue.id, Currency::Usd).await.unwrap();
        let mut people = Vec::new();
        for name in ["ada", "ben"] {
            let email = format!("{name}@example.org").parse().unwrap();
            let account = office.create_account(&email, name, Language::English).await.unwrap();
            people.push(account.id);
        }
        let (ada, ben) = (people[0], people[1]);
        let shop = Self { hub, clock, company, venue, event, operator, ada, ben, orders: 0.into() };
        shop.link(ada).await;
        shop.link(ben).await;
        shop
    }

    async fn link(&self, account: AccountId) {
        let started = self.hub.till.begin_setup(account, "/back/").await.unwrap();
        let session = started.url.rsplit('/').next().unwrap();
        let instrument = Instrument::AlwaysApproves.as_str();
        let back = self.hub.test_gateway.choose(session, instrument).await.unwrap();
        let setup = SetupId::from_text(back.strip_prefix("/back/").unwrap());
        self.hub.till.complete_setup(account, &setup, None).await.unwrap();
    }

    async fn order(&self, account: AccountId) -> SoldOrder {
        let number = self.orders.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let lines = [SaleLine { product: FLOOR.to_owned(), quantity: 1 }];
        let nonce = format!("order-{number:04}");
        let sale = Sale { event_id: self.event.id, lines: &lines, nonce: &nonce };
        self.hub.boxoffice.order_online(account, &sale).await.unwrap()
    }

    async fn state(&self, order: &SoldOrder) -> OrderState {
        let office = &self.hub.boxoffice;
        office.own_order(order.account_id, order.id).await.unwrap().0.state
    }

    async fn give_back(&self, order: &SoldOrder) {
        let office = &self.hub.boxoffice;
        let (_, tickets) = office.own_order(order.account_id, order.id).await.unwrap();
        let ids = [tickets[0].id];
        office.refund_tickets(self.operator.id, order.id, &ids, "ill").await.unwrap();
    }

    /// What the gateway took and has not given back.
    async fn taken(&self) -> i64 {
        let audit = self.hub.till.audit().await.unwrap();
        assert!(audit.is_clean(), "{audit:?}");
        let report = self.hub.test_gateway.report().await.unwrap();
        report.iter().map(|line| line.captured.minor - line.refunded.minor).sum()
    }

    async fn round(&self) -> LeftOver {
        self.clock.advance(Duration::from_secs(61));
        self.hub.till.resolve_due().await.unwrap();
        self.hub.till.replay_offline_due().await.unwrap();
        self.hub.look_after_orders().await.unwrap()
    }
}

#[tokio::test]
async fn an_order_is_paid_once_and_its_money_goes_back_once() {
    let home = tempfile::tempdir().unwrap();
    let shop = Shop::open(home.path()).await;
    let order = shop.order(shop.ada).await;
    for _ in 0..2 {
        let paid = shop.hub.pay_order(shop.ada, &order).await;
        assert!(matches!(paid, Ok(Paid::Yes)) || shop.state(&order).await == OrderState::Paid);
    }
    assert_eq!((shop.state(&order).await, shop.taken().await), (OrderState::Paid, PRICE.minor));
    shop.give_back(&order).await;
    for _ in 0..2 {
        assert_eq!(shop.hub.give_back(Some(order.id)).await.unwrap(), 0);
        assert_eq!(shop.round().await, LeftOver::default());
    }
    assert_eq!(shop.taken().await, 0);
}

#[tokio::test]
async fn sales_are_opened_once_however_many_do() {
    let home = tempfile::tempdir().unwrap();
    let shop = Shop::open(home.path()).await;
    let (one, two) = tokio::join!(
        shop.hub.open_sales(&shop.company, shop.venue.id, Currency::Usd),
        shop.hub.open_sales(&shop.company, shop.venue.id, Currency::Usd),
    );
    one.and(two).unwrap();
    assert_eq!(shop.hub.till.shops_of_venue(shop.venue.id).await.unwrap().len(), 1);
    assert!(shop.hub.boxoffice.devices(shop.venue.id).await.unwrap().is_empty());
}

#[tokio::test]
async fn no_offline_floor_takes_money_without_a_ticket() {
    let home = tempfile::tempdir().unwrap();
    let shop = Shop::open(home.path()).await;
    let at = shop.hub.till.shops_of_venue(shop.venue.id).await.unwrap()[0].id;
    let floor = Some(OfflineFloor { charge_max: 10_000, sum_max: 50_000 });
    shop.hub.till.set_offline_floor(at, floor).await.unwrap();
    let order = shop.order(shop.ada).await;
    shop.hub.test_gateway.inject(Operation::Authorise, Fault::RequestLost);
    assert!(matches!(shop.hub.pay_order(shop.ada, &order).await.unwrap(), Paid::Unknown));
    for _ in 0..8 {
        shop.round().await;
    }
    // It was found out that nothing arrived: no money, no ticket, and it may be tried again.
    assert_eq!((shop.state(&order).await, shop.taken().await), (OrderState::Pending, 0));
    assert!(matches!(shop.hub.pay_order(shop.ada, &order).await.unwrap(), Paid::Yes));
    assert_eq!((shop.state(&order).await, shop.taken().await), (OrderState::Paid, PRICE.minor));
}

#[tokio::test]
async fn what_the_gateway_took_unheard_is_a_ticket_however_late() {
    let home = tempfile::tempdir().unwrap();
    let shop = Shop::open(home.path()).await;
    let order = shop.order(shop.ada).await;
    shop.hub.test_gateway.inject(Operation::Capture, Fault::AnswerLost);
    assert!(matches!(shop.hub.pay_order(shop.ada, &order).await.unwrap(), Paid::Unknown));
    // Its time to be paid is over meanwhile: the payment under way keeps it.
    shop.clock.advance(Duration::from_hours(3));
    shop.round().await;
    assert_eq!((shop.state(&order).await, shop.taken().await), (OrderState::Paid, PRICE.minor));
}

#[tokio::test]
async fn a_payment_cut_off_before_the_till_is_given_up_for_good() {
    let home = tempfile::tempdir().unwrap();
    let shop = Shop::open(home.path()).await;
    let order = shop.order(shop.ada).await;
    let payment = shop.hub.boxoffice.begin_payment(shop.ada, order.id).await.unwrap();
    shop.hub.look_after_orders().await.unwrap();
    let open = shop.hub.boxoffice.unresolved_payments().await.unwrap();
    assert_eq!(open, std::slice::from_ref(&payment), "a round invents no decline");
    shop.round().await;
    assert!(shop.hub.boxoffice.unresolved_payments().await.unwrap().is_empty());
    // Whoever began it wakes up now.
    let late = handfast_till::OrderPayment {
        register: payment.register,
        account: shop.ada,
        amount: payment.amount,
        description: Description::parse(FOR_TICKETS).unwrap(),
        nonce: Nonce::parse(&payment.nonce).unwrap(),
    };
    let late = shop.hub.till.pay_order(&late).await.unwrap();
    assert_eq!(late, PayOutcome::TurnedAway(TurnedAway::Cancelled));
    assert_eq!(shop.taken().await, 0);
    assert!(matches!(shop.hub.pay_order(shop.ada, &order).await.unwrap(), Paid::Yes));
    assert_eq!(shop.taken().await, PRICE.minor);
}

#[tokio::test]
async fn somebody_without_a_wallet_is_turned_away_and_can_come_back() {
    let home = tempfile::tempdir().unwrap();
    let shop = Shop::open(home.path()).await;
    let email = "cyd@example.org".parse().unwrap();
    let cyd = shop.hub.boxoffice.create_account(&email, "Cyd", Language::English).await.unwrap().id;
    let order = shop.order(cyd).await;
    let away = shop.hub.pay_order(cyd, &order).await.unwrap();
    assert!(matches!(away, Paid::TurnedAway(TurnedAway::NoWallet)));
    shop.link(cyd).await;
    assert!(matches!(shop.hub.pay_order(cyd, &order).await.unwrap(), Paid::Yes));
}

#[tokio::test]
async fn one_bad_order_holds_up_nobody() {
    let home = tempfile::tempdir().unwrap();
    let shop = Shop::open(home.path()).await;
    // Its payment is marked as made, and the till knows nothing of it.
    let bad = shop.order(shop.ada).await;
    let payment = shop.hub.boxoffice.begin_payment(shop.ada, bad.id).await.unwrap();
    shop.hub.boxoffice.end_payment(&payment, true).await.unwrap();
    shop.give_back(&bad).await;
    let good = shop.order(shop.ben).await;
    assert!(matches!(shop.hub.pay_order(shop.ben, &good).await.unwrap(), Paid::Yes));
    shop.give_back(&good).await;
    assert_eq!(shop.round().await, LeftOver { payments: 0, refunds: 1 });
    assert_eq!(shop.taken().await, 0, "the good one went back");
    let (order, _) = shop.hub.boxoffice.own_order(shop.ben, good.id).await.unwrap();
    assert_eq!((order.refunded_minor, order.refund_owed_minor), (PRICE.minor, 0));
}

#[tokio::test]
async fn a_product_that_is_changed_keeps_the_codes_that_nobody_names() {
    let dir = tempfile::tempdir().unwrap();
    let shop = Shop::open(dir.path()).await;
    let (company, event, user) = (shop.company.id, shop.event.id, shop.operator.id);
    let hub = Arc::new(shop.hub);
    let put = async |body: serde_json::Value| {
        let staff = StaffCaller { user, company, role: Role::Operator };
        let body = Body(serde_json::from_value(body).unwrap());
        setup::set_product(State(hub.clone()), staff, PathOf(event), body).await.unwrap();
    };
    let price = serde_json::json!({ "minor": 4_500, "currency": "USD" });
    let named = |codes: &str| serde_json::json!({ "name": FLOOR, "price": price, "on_sale": true, "codes": codes });
    put(named("rotating")).await;
    put(serde_json::json!({ "name": FLOOR, "price": price, "capacity": 8, "on_sale": true })).await;
    let sold = hub.boxoffice.products(event).await.unwrap().remove(0).product;
    assert_eq!((sold.codes, sold.capacity), (Some(CodeKind::Rotating), Some(8)));
    put(named("static")).await;
    let sold = hub.boxoffice.products(event).await.unwrap().remove(0).product;
    assert_eq!((sold.codes, sold.capacity), (Some(CodeKind::Static), None));
}
