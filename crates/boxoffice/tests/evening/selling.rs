//! Selling: exact under a rush, paid once whatever is cut off, given back, exchanged, handed on.

use handfast_boxoffice::{
    BoxOfficeError, EmailAddress, Event, Language, NewDevice, OrderState, Outcome, Product, Role,
    Sale, SaleLine, SoldOrder, Tender,
};
use handfast_boxoffice::{DeviceKind, StaffUser};
use handfast_model::{AccountId, Currency, DeviceId, Duration, Money};
use handfast_store::test_on_both_engines;

use crate::night::Night;

const FLOOR: &str = "Floor";
const PRICE: Money = Money::new(4_500, Currency::Usd);

fn lines(quantity: u32) -> Vec<SaleLine> {
    vec![SaleLine { product: FLOOR.to_owned(), quantity }]
}

async fn on_sale(night: &Night, capacity: u32) {
    let product =
        Product { name: FLOOR.to_owned(), price: PRICE, capacity: Some(capacity), on_sale: true };
    let company = night.red_rocks.company.id;
    night.office.set_product(company, night.tonight.id, &product).await.unwrap();
}

async fn order(
    night: &Night,
    account: AccountId,
    quantity: u32,
) -> Result<SoldOrder, BoxOfficeError> {
    let (lines, nonce) = (lines(quantity), night.nonce());
    let sale = Sale { event_id: night.tonight.id, lines: &lines, nonce: &nonce };
    night.office.order_online(account, &sale).await
}

async fn register(night: &Night) -> DeviceId {
    let new = NewDevice {
        venue_id: night.red_rocks.venue.id,
        name: "Online 1",
        kind: DeviceKind::Register,
        mode: None,
        lane_id: None,
        shop_reference: None,
        paired_with: None,
    };
    night.office.register_device(&new).await.unwrap().0
}

async fn staff(night: &Night) -> StaffUser {
    let email = "olivia@example.org".parse().unwrap();
    let company = night.red_rocks.company.id;
    let user = night.office.create_staff_user(
        company,
        &email,
        "Olivia",
        Role::Operator,
        Language::English,
    );
    user.await.unwrap()
}

async fn paid(night: &Night, account: AccountId, quantity: u32) -> SoldOrder {
    let order = order(night, account, quantity).await.unwrap();
    let payment =
        night.office.begin_payment(account, order.id, register(night).await).await.unwrap();
    night.office.end_payment(&payment, true).await.unwrap();
    night.office.own_order(account, order.id).await.unwrap().0
}

async fn left(night: &Night, event: &Event) -> u32 {
    night.office.products(event.id).await.unwrap()[0].left().unwrap()
}

test_on_both_engines! {
    async fn a_rush_sells_exactly_the_capacity(store: Store) {
        const BUYERS: usize = 48;
        const CAPACITY: u32 = 50;
        let night = Night::begin(store).await;
        on_sale(&night, CAPACITY).await;
        let mut buyers = Vec::new();
        for number in 0..BUYERS {
            let email: EmailAddress = format!("fan{number}@example.org").parse().unwrap();
            let account = night.office.create_account(&email, "Fan", Language::English).await;
            buyers.push(account.unwrap().id);
        }
        let tasks: Vec<_> = buyers.into_iter().enumerate().map(|(number, account)| {
            let (office, event_id) = (night.office.clone(), night.tonight.id);
            let (quantity, nonce) = (1 + number as u32 % 4, night.nonce());
            tokio::spawn(async move {
                let lines = lines(quantity);
                let sale = Sale { event_id, lines: &lines, nonce: &nonce };
                match office.order_online(account, &sale).await {
                    Ok(order) => (quantity, Some(order)),
                    Err(BoxOfficeError::SoldOut { left }) => {
                        assert!(left < quantity, "refused {quantity} while {left} were left");
                        (0, None)
                    }
                    Err(error) => panic!("{error}"),
                }
            })
        }).collect();
        let mut sold = 0;
        for task in tasks {
            sold += task.await.unwrap().0;
        }
        assert!(sold <= CAPACITY && sold > CAPACITY - 4, "{sold} sold of {CAPACITY}");
        assert_eq!(left(&night, &night.tonight).await, CAPACITY - sold);
    }

    async fn what_is_not_paid_in_time_is_sold_to_others(store: Store) {
        let night = Night::begin(store).await;
        on_sale(&night, 2).await;
        let first = order(&night, night.ada.id, 2).await.unwrap();
        assert_eq!(first.state, OrderState::Pending);
        assert!(matches!(order(&night, night.ben.id, 1).await, Err(BoxOfficeError::SoldOut { left: 0 })));
        night.clock.advance(Duration::from_minutes(15));
        let second = order(&night, night.ben.id, 2).await.unwrap();
        let desk = register(&night).await;
        let late = night.office.begin_payment(night.ada.id, first.id, desk).await;
        assert!(matches!(late, Err(BoxOfficeError::HoldOver)));
        assert_eq!(night.office.release_holds().await.unwrap(), 1);
        assert_eq!(night.office.own_order(night.ada.id, first.id).await.unwrap().0.state, OrderState::Cancelled);
        assert!(night.office.own_order(night.ada.id, second.id).await.is_err(), "another's order");
    }

    async fn a_payment_under_way_keeps_its_tickets_and_is_one(store: Store) {
        let night = Night::begin(store).await;
        on_sale(&night, 1).await;
        let own = order(&night, night.ada.id, 1).await.unwrap();
        let (one, two) = (register(&night).await, register(&night).await);
        let payment = night.office.begin_payment(night.ada.id, own.id, one).await.unwrap();
        assert_eq!(night.office.begin_payment(night.ada.id, own.id, two).await.unwrap(), payment);
        assert_eq!(payment.amount, PRICE);
        // The answer of the gateway takes an hour: nobody else gets the ticket meanwhile.
        night.clock.advance(Duration::from_hours(1));
        assert_eq!(night.office.release_holds().await.unwrap(), 0);
        assert!(order(&night, night.ben.id, 1).await.is_err());
        assert_eq!(night.office.unresolved_payments().await.unwrap(), std::slice::from_ref(&payment));
        night.office.end_payment(&payment, true).await.unwrap();
        night.office.end_payment(&payment, false).await.unwrap();
        let (order, tickets) = night.office.own_order(night.ada.id, own.id).await.unwrap();
        assert_eq!((order.state, order.tender), (OrderState::Paid, Some(Tender::Till)));
        assert_eq!(night.scan(&tickets[0]).await.outcome, Outcome::Ok);
    }

    async fn a_declined_payment_may_be_tried_again(store: Store) {
        let night = Night::begin(store).await;
        on_sale(&night, 1).await;
        let own = order(&night, night.ada.id, 1).await.unwrap();
        let desk = register(&night).await;
        let first = night.office.begin_payment(night.ada.id, own.id, desk).await.unwrap();
        night.office.end_payment(&first, false).await.unwrap();
        let second = night.office.begin_payment(night.ada.id, own.id, desk).await.unwrap();
        assert_ne!(first.nonce, second.nonce);
        // A late word about the first changes nothing of the second.
        night.office.end_payment(&first, true).await.unwrap();
        assert_eq!(night.office.own_order(night.ada.id, own.id).await.unwrap().0.state, OrderState::Pending);
    }

    async fn a_repeated_order_is_the_same(store: Store) {
        let night = Night::begin(store).await;
        on_sale(&night, 10).await;
        let (lines, nonce) = (lines(2), night.nonce());
        let sale = Sale { event_id: night.tonight.id, lines: &lines, nonce: &nonce };
        let first = night.office.order_online(night.ada.id, &sale).await.unwrap();
        assert_eq!(night.office.order_online(night.ada.id, &sale).await.unwrap(), first);
        assert_eq!(left(&night, &night.tonight).await, 8);
        assert!(night.office.order_online(night.ben.id, &sale).await.is_err());
        for bad in [0, 41] {
            assert!(matches!(order(&night, night.ada.id, bad).await, Err(BoxOfficeError::OrderSize { .. })));
        }
        order(&night, night.ada.id, 1).await.unwrap();
        order(&night, night.ada.id, 1).await.unwrap();
        assert!(matches!(order(&night, night.ada.id, 1).await, Err(BoxOfficeError::Holds { .. })));
    }

    async fn what_is_given_back_is_owed_until_it_is_paid_once(store: Store) {
        let night = Night::begin(store).await;
        on_sale(&night, 3).await;
        let (operator, own) = (staff(&night).await, paid(&night, night.ada.id, 3).await);
        let (_, tickets) = night.office.own_order(night.ada.id, own.id).await.unwrap();
        assert_eq!(night.scan(&tickets[0]).await.outcome, Outcome::Ok);
        let used = night.office.refund_tickets(operator.id, own.id, &[tickets[1].id, tickets[0].id], "ill").await;
        assert!(matches!(used, Err(BoxOfficeError::TicketUsed)));
        let after = night.office.refund_tickets(operator.id, own.id, &[tickets[1].id], "ill").await.unwrap();
        assert_eq!(after.refund_owed_minor, 4_500);
        assert_eq!(left(&night, &night.tonight).await, 1);
        assert_eq!(night.scan(&tickets[1]).await.outcome, Outcome::Cancelled);
        let owed = night.office.owed_refunds().await.unwrap();
        assert_eq!((owed.len(), owed[0].minor, owed[0].payment.is_some()), (1, 4_500, true));
        night.office.refund_paid(&owed[0]).await.unwrap();
        night.office.refund_paid(&owed[0]).await.unwrap();
        let order = night.office.own_order(night.ada.id, own.id).await.unwrap().0;
        assert_eq!((order.refunded_minor, order.refund_owed_minor), (4_500, 0));
        let again = night.office.refund_tickets(operator.id, own.id, &[tickets[1].id], "ill").await;
        assert!(again.is_err(), "given back twice");
    }

    async fn the_window_sells_gives_and_exchanges(store: Store) {
        let night = Night::begin(store).await;
        on_sale(&night, 3).await;
        let operator = staff(&night).await;
        let vip = Product { name: "VIP".into(), price: Money::new(9_000, Currency::Usd), capacity: Some(1), on_sale: false };
        let company = night.red_rocks.company.id;
        night.office.set_product(company, night.tonight.id, &vip).await.unwrap();
        let (lines, nonce) = (lines(2), night.nonce());
        let sale = Sale { event_id: night.tonight.id, lines: &lines, nonce: &nonce };
        let sold = night.office.sell_at_window(operator.id, night.ada.id, &sale, Tender::Cash).await.unwrap();
        assert_eq!((sold.state, sold.amount), (OrderState::Paid, Some(Money::new(9_000, Currency::Usd))));
        let (_, tickets) = night.office.company_order(company, sold.id).await.unwrap();
        let (new, more) = night.office.exchange_ticket(operator.id, tickets[0].id, "VIP", "upgrade").await.unwrap();
        assert_eq!((new.product.as_str(), more.minor), ("VIP", 4_500));
        assert_eq!(night.scan(&tickets[0]).await.outcome, Outcome::Cancelled);
        assert_eq!(night.scan(&new).await.outcome, Outcome::Ok);
        let full = night.office.exchange_ticket(operator.id, tickets[1].id, "VIP", "upgrade").await;
        assert!(matches!(full, Err(BoxOfficeError::SoldOut { left: 0 })));
        assert_eq!(night.scan(&tickets[1]).await.outcome, Outcome::Ok, "a failed exchange took nothing");
        let nonce = night.nonce();
        let gift = Sale { nonce: &nonce, lines: &[SaleLine { product: FLOOR.into(), quantity: 1 }], ..sale };
        let given = night.office.sell_at_window(operator.id, night.ben.id, &gift, Tender::Free).await.unwrap();
        assert_eq!(given.amount.unwrap().minor, 0);
        let actions = night.office.staff_actions(company, 10).await.unwrap();
        assert_eq!(actions.len(), 3, "each is recorded, a failed one is not");
    }

    async fn a_ticket_is_handed_on_with_a_new_code(store: Store) {
        let night = Night::begin(store).await;
        let ticket = night.ticket(&night.ada).await;
        let carl: EmailAddress = "carl@example.org".parse().unwrap();
        assert!(night.office.offer_ticket(night.ben.id, ticket.id, &carl).await.is_err(), "not his");
        night.office.offer_ticket(night.ada.id, ticket.id, &carl).await.unwrap();
        let key = |mails: &[handfast_boxoffice::Mail]| mails[0].link.clone().unwrap().rsplit('/').next().unwrap().to_owned();
        let first = key(&night.office.newest_mails(1).await.unwrap());
        night.clock.advance(Duration::from_secs(1));
        night.office.offer_ticket(night.ada.id, ticket.id, &carl).await.unwrap();
        let second = key(&night.office.newest_mails(1).await.unwrap());
        assert!(night.office.ticket_offer(&first).await.is_err(), "an earlier offer has ended");
        assert_eq!(night.office.ticket_offer(&second).await.unwrap().from, "ada");
        let taker = night.office.take_ticket(&second, "Carl", Language::German).await.unwrap();
        assert!(night.office.take_ticket(&second, "Carl", Language::German).await.is_err());
        assert_eq!(night.office.account(taker).await.unwrap().email, carl);
        assert_ne!(night.scan(&ticket).await.outcome, Outcome::Ok, "the old code");
        assert!(night.office.account_tickets(night.ada.id).await.unwrap().is_empty());
        let own = night.office.account_tickets(taker).await.unwrap().remove(0);
        let present = handfast_boxoffice::Presented::Code(own.code.as_str());
        assert_eq!(night.present(night.red_rocks.scanner, present).await.outcome, Outcome::Ok);
        assert!(matches!(night.office.offer_ticket(taker, own.id, &night.ada.email).await, Err(BoxOfficeError::TicketUsed)));
    }
}
