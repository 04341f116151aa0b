//! Selling: exact under a rush, paid once whatever is cut off, given back, exchanged, handed on.

use handfast_boxoffice::{
    BoxOfficeError, CodeKind, EmailAddress, Event, LINKED_WITHIN, Language, NewSalesDesk,
    OFFERS_MAX, ORDER_MINOR_MAX, OrderState, Outcome, Presented, Product, Role, RotatingCode, Sale,
    SaleLine, SalesDesk, SoldOrder, StaffUser, Tender,
};
use handfast_model::{AccountId, Clock as _, Currency, Duration, Money};
use handfast_store::test_on_both_engines;

use crate::night::Night;

const FLOOR: &str = "Floor";
const PRICE: Money = Money::new(4_500, Currency::Usd);

fn lines(quantity: u32) -> Vec<SaleLine> {
    vec![SaleLine { product: FLOOR.to_owned(), quantity }]
}

async fn on_sale(night: &Night, capacity: u32) {
    on_sale_with(night, capacity, CodeKind::Static).await;
}

async fn on_sale_with(night: &Night, capacity: u32, codes: CodeKind) {
    let (name, capacity) = (FLOOR.to_owned(), Some(capacity));
    let product = Product { name, price: PRICE, capacity, on_sale: true, codes: Some(codes) };
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

/// The company begins to sell online.
async fn open_desk(night: &Night) -> SalesDesk {
    let company = night.red_rocks.company.id;
    let venue_id = night.red_rocks.venue.id;
    let new = NewSalesDesk { venue_id, shop_reference: "shop", currency: Currency::Usd };
    night.office.open_sales_desk(company, &new).await.unwrap()
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
    open_desk(night).await;
    let payment = night.office.begin_payment(account, order.id).await.unwrap();
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
        open_desk(&night).await;
        let late = night.office.begin_payment(night.ada.id, first.id).await;
        assert!(matches!(late, Err(BoxOfficeError::HoldOver)));
        assert_eq!(night.office.release_holds().await.unwrap(), 1);
        assert_eq!(night.office.own_order(night.ada.id, first.id).await.unwrap().0.state, OrderState::Cancelled);
        assert!(night.office.own_order(night.ada.id, second.id).await.is_err(), "another's order");
    }

    async fn a_payment_under_way_keeps_its_tickets_and_is_one(store: Store) {
        let night = Night::begin(store).await;
        on_sale(&night, 1).await;
        let own = order(&night, night.ada.id, 1).await.unwrap();
        let unopened = night.office.begin_payment(night.ada.id, own.id).await;
        assert!(matches!(unopened, Err(BoxOfficeError::NoSalesDesk)));
        open_desk(&night).await;
        let payment = night.office.begin_payment(night.ada.id, own.id).await.unwrap();
        assert_eq!(night.office.begin_payment(night.ada.id, own.id).await.unwrap(), payment);
        assert!(!payment.has_had_its_time(night.clock.now()));
        assert_eq!(payment.amount, PRICE);
        // The answer of the gateway takes an hour: nobody else gets the ticket meanwhile.
        night.clock.advance(Duration::from_hours(1));
        assert!(payment.has_had_its_time(night.clock.now()));
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
        open_desk(&night).await;
        let first = night.office.begin_payment(night.ada.id, own.id).await.unwrap();
        night.office.end_payment(&first, false).await.unwrap();
        let second = night.office.begin_payment(night.ada.id, own.id).await.unwrap();
        assert_ne!(first.nonce, second.nonce);
        // A late word about the first changes nothing of the second.
        night.office.end_payment(&first, true).await.unwrap();
        assert_eq!(night.office.own_order(night.ada.id, own.id).await.unwrap().0.state, OrderState::Pending);
    }

    async fn an_order_that_waits_is_paid_by_hand_once(store: Store) {
        let night = Night::begin(store).await;
        on_sale(&night, 9).await;
        let clerk = staff(&night).await;
        let own = order(&night, night.ada.id, 2).await.unwrap();
        let free = night.office.pay_by_hand(clerk.id, own.id, Tender::Free).await;
        assert!(matches!(free, Err(BoxOfficeError::Mismatch)));
        night.office.pay_by_hand(clerk.id, own.id, Tender::Cash).await.unwrap();
        let again = night.office.pay_by_hand(clerk.id, own.id, Tender::Cash).await;
        assert!(matches!(again, Err(BoxOfficeError::PaidAlready)));
        let (paid_order, tickets) = night.office.own_order(night.ada.id, own.id).await.unwrap();
        assert_eq!((paid_order.state, paid_order.tender), (OrderState::Paid, Some(Tender::Cash)));
        night.office.refund_tickets(clerk.id, own.id, &[tickets[0].id], "ill").await.unwrap();
        let back = night.office.own_order(night.ada.id, own.id).await.unwrap().0;
        assert_eq!((back.refunded_minor, back.refunded_hand_minor), (PRICE.minor, PRICE.minor));
        assert_eq!(back.refund_owed_minor, 0, "the till took nothing of it");
        open_desk(&night).await;
        let online = order(&night, night.ben.id, 1).await.unwrap();
        night.office.begin_payment(night.ben.id, online.id).await.unwrap();
        let under_way = night.office.pay_by_hand(clerk.id, online.id, Tender::Terminal).await;
        let under_way_still = matches!(under_way, Err(BoxOfficeError::PaymentUnderWay));
        assert!(under_way_still, "a payment may still arrive");
        let late = order(&night, night.ben.id, 1).await.unwrap();
        night.clock.advance(Duration::from_minutes(16));
        let late = night.office.pay_by_hand(clerk.id, late.id, Tender::Cash).await;
        assert!(matches!(late, Err(BoxOfficeError::HoldOver)), "somebody else may have them");
    }

    async fn tickets_get_the_codes_of_their_product(store: Store) {
        let night = Night::begin(store.clone()).await;
        let company = night.red_rocks.company.id;
        let sell = async |kind: CodeKind| {
            on_sale_with(&night, 99, kind).await;
            let own = paid(&night, night.ada.id, 1).await;
            night.office.own_order(night.ada.id, own.id).await.unwrap().1.remove(0)
        };
        let (plain, signed) = (sell(CodeKind::Static).await, sell(CodeKind::Signed).await);
        let rotating = sell(CodeKind::Rotating).await;
        let unnamed = Product { name: FLOOR.to_owned(), price: PRICE, capacity: Some(98), on_sale: true, codes: None };
        night.office.set_product(company, night.tonight.id, &unnamed).await.unwrap();
        let other = Product { name: "Lawn".to_owned(), ..unnamed.clone() };
        night.office.set_product(company, night.tonight.id, &other).await.unwrap();
        let products = night.office.products(night.tonight.id).await.unwrap();
        let of = |name: &str| products.iter().find(|one| one.product.name == name).map(|one| (one.product.codes, one.product.capacity));
        assert_eq!(of(FLOOR), Some((Some(CodeKind::Rotating), Some(98))), "what a change that names none keeps");
        assert_eq!(of("Lawn"), Some((Some(CodeKind::Static), Some(98))), "at first");
        let kinds = night.office.account_tickets(night.ada.id).await.unwrap();
        let kind_of = |id| kinds.iter().find(|ticket| ticket.id == id).map(|ticket| ticket.code_kind);
        assert_eq!(kind_of(plain.id), Some(CodeKind::Static), "what was sold before keeps its own");
        assert_eq!(kind_of(signed.id), Some(CodeKind::Signed));
        assert_eq!(kind_of(rotating.id), Some(CodeKind::Rotating));
        assert_eq!(night.office.printable_code(plain.id).await.unwrap().unwrap(), plain.code.as_str());
        let printed = night.office.printable_code(signed.id).await.unwrap().unwrap();
        let written = store.counters()["ticket.sign"];
        assert_eq!(night.office.printable_code(signed.id).await.unwrap(), Some(printed.clone()));
        assert_eq!(store.counters()["ticket.sign"], written, "showing it again writes nothing");
        assert!(printed.starts_with("HF2."));
        let scanner = night.red_rocks.scanner;
        let shown = Presented::Code(&printed);
        assert_eq!(night.present(scanner, shown).await.outcome, Outcome::Ok);
        assert_eq!(night.office.printable_code(rotating.id).await.unwrap(), None);
        let (ada, ben) = (night.ada.id, night.ben.id);
        let strange = night.office.own_rotating_code(ben, rotating.id).await;
        assert!(matches!(strange, Err(BoxOfficeError::Unknown(_))));
        let still = night.office.own_rotating_code(ada, plain.id).await;
        assert!(matches!(still, Err(BoxOfficeError::NotRotating)));
        let issue = night.office.own_rotating_code(ada, rotating.id).await.unwrap();
        assert!(issue.code.encode().starts_with(&RotatingCode::beginning(rotating.id)));
        let live = issue.code.encode();
        let booth = night.office.ticket_to_link(night.red_rocks.outside, &live).await.unwrap();
        assert_eq!(booth.ticket_id, rotating.id, "a live code links a palm too");
        let (outside, shown_at) = (night.red_rocks.outside, night.clock.now());
        let then = async || night.office.ticket_shown_to_link(outside, &live, shown_at).await;
        night.clock.advance(Duration::from_minutes(7));
        assert!(night.office.ticket_to_link(outside, &live).await.is_err(), "shown anew it is old");
        assert_eq!(then().await.unwrap().ticket_id, rotating.id, "whoever showed it reads seven minutes");
        night.clock.advance(LINKED_WITHIN);
        assert!(then().await.is_err(), "and no session lasts longer");
        let live = night.office.own_rotating_code(ada, rotating.id).await.unwrap().code.encode();
        let fixed = night.office.ticket_to_link(night.red_rocks.outside, rotating.code.as_str()).await;
        assert!(fixed.is_err(), "and a photograph of the order does not");
        assert_eq!(night.present(scanner, Presented::Code(&live)).await.outcome, Outcome::Ok);
        assert_eq!(night.office.replace_code(company, rotating.id).await.unwrap().as_str().len(), 34);
    }

    async fn a_repeated_order_is_the_same(store: Store) {
        let night = Night::begin(store).await;
        on_sale(&night, 10).await;
        let (two, three, nonce) = (lines(2), lines(3), night.nonce());
        let sale = Sale { event_id: night.tonight.id, lines: &two, nonce: &nonce };
        let first = night.office.order_online(night.ada.id, &sale).await.unwrap();
        assert_eq!(night.office.order_online(night.ada.id, &sale).await.unwrap(), first);
        assert_eq!(left(&night, &night.tonight).await, 8);
        let another = [
            (night.ben.id, sale.clone()),
            (night.ada.id, Sale { lines: &three, ..sale.clone() }),
        ];
        for (account, other) in another {
            let refused = night.office.order_online(account, &other).await;
            assert!(matches!(refused, Err(BoxOfficeError::NonceReused)));
        }
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
        let vip = Product { name: "VIP".into(), price: Money::new(9_000, Currency::Usd), capacity: Some(1), on_sale: false, codes: None };
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

    async fn a_sales_desk_is_one_however_many_open_it(store: Store) {
        let night = Night::begin(store).await;
        let (one, two, three) =
            tokio::join!(open_desk(&night), open_desk(&night), open_desk(&night));
        assert!(one == two && two == three);
        let devices = night.office.devices(night.red_rocks.venue.id).await.unwrap();
        assert!(devices.iter().all(|device| device.id != one.register), "no machine is it");
        let live = night.office.console_live(night.red_rocks.company.id, night.tonight.id);
        assert!(live.await.unwrap().devices.iter().all(|device| device.name != "Online"));
        let yen = Product {
            name: "Yen".into(),
            price: Money::new(500, Currency::Jpy),
            capacity: None,
            codes: None,
            on_sale: true,
        };
        let company = night.red_rocks.company.id;
        let refused = night.office.set_product(company, night.tonight.id, &yen).await;
        assert!(matches!(refused, Err(BoxOfficeError::SalesCurrency { expected: Currency::Usd })));
    }

    async fn an_order_dearer_than_a_charge_is_refused_before_it_is_held(store: Store) {
        let night = Night::begin(store).await;
        let price = Money::new(10_000_000, Currency::Usd);
        let dear = Product { name: FLOOR.into(), price, capacity: None, on_sale: true, codes: None };
        let company = night.red_rocks.company.id;
        night.office.set_product(company, night.tonight.id, &dear).await.unwrap();
        let refused = order(&night, night.ada.id, 11).await;
        assert!(matches!(refused, Err(BoxOfficeError::OrderTooDear { max: ORDER_MINOR_MAX })));
        assert_eq!(order(&night, night.ada.id, 10).await.unwrap().amount, Some(Money::new(ORDER_MINOR_MAX, Currency::Usd)));
    }

    async fn what_was_handed_on_is_its_takers_alone(store: Store) {
        let night = Night::begin(store).await;
        on_sale(&night, 2).await;
        let own = paid(&night, night.ada.id, 2).await;
        let (_, before) = night.office.own_order(night.ada.id, own.id).await.unwrap();
        night.office.offer_ticket(night.ada.id, before[0].id, &night.ben.email).await.unwrap();
        let link = night.office.newest_mails(1).await.unwrap()[0].link.clone().unwrap();
        let key = link.rsplit('/').next().unwrap();
        night.office.take_ticket(key, "Ben", Language::English).await.unwrap();
        let (_, after) = night.office.own_order(night.ada.id, own.id).await.unwrap();
        assert_eq!(after, before[1..], "neither the taker's ticket nor its code");
        let company = night.red_rocks.company.id;
        let (_, all) = night.office.company_order(company, own.id).await.unwrap();
        assert_eq!(all.len(), 2);
        assert_ne!(all[0].code, before[0].code);
    }

    async fn what_an_exchange_took_by_hand_goes_back_by_hand(store: Store) {
        let night = Night::begin(store).await;
        on_sale(&night, 4).await;
        let (operator, own) = (staff(&night).await, paid(&night, night.ada.id, 2).await);
        let company = night.red_rocks.company.id;
        for (name, minor) in [("VIP", 9_000), ("Lawn", 1_000)] {
            let price = Money::new(minor, Currency::Usd);
            let product = Product { name: name.into(), price, capacity: None, on_sale: false, codes: None };
            night.office.set_product(company, night.tonight.id, &product).await.unwrap();
        }
        let (_, tickets) = night.office.own_order(night.ada.id, own.id).await.unwrap();
        // 45.00 by the till, 45.00 more at the window.
        let (vip, more) = night.office.exchange_ticket(operator.id, tickets[0].id, "VIP", "up").await.unwrap();
        assert_eq!(more.minor, 4_500);
        assert!(night.office.owed_refunds().await.unwrap().is_empty());
        let after = night.office.refund_tickets(operator.id, own.id, &[vip.id], "ill").await.unwrap();
        assert_eq!((after.refunded_minor, after.refund_owed_minor), (4_500, 4_500));
        // And down: the till gives back what it took too much.
        let (lawn, less) = night.office.exchange_ticket(operator.id, tickets[1].id, "Lawn", "down").await.unwrap();
        assert_eq!(less.minor, -3_500);
        night.office.refund_tickets(operator.id, own.id, &[lawn.id], "ill").await.unwrap();
        let owed = night.office.owed_refunds().await.unwrap();
        let by_till: i64 = owed.iter().map(|owed| owed.minor).sum();
        assert_eq!(by_till, own.amount.unwrap().minor, "all that the till took, and no more");
        night.office.refund_refused(&owed[0]).await.unwrap();
        assert_eq!(night.office.owed_refunds().await.unwrap().len(), owed.len() - 1);
        let after = night.office.own_order(night.ada.id, own.id).await.unwrap().0;
        assert_eq!(after.refund_owed_minor, by_till, "it stays owed");
    }

    async fn what_is_not_paid_is_not_exchanged(store: Store) {
        let night = Night::begin(store).await;
        on_sale(&night, 2).await;
        let (operator, own) = (staff(&night).await, order(&night, night.ada.id, 1).await.unwrap());
        let (_, tickets) = night.office.own_order(night.ada.id, own.id).await.unwrap();
        let exchanged = night.office.exchange_ticket(operator.id, tickets[0].id, FLOOR, "swap").await;
        assert!(matches!(exchanged, Err(BoxOfficeError::NotPaid)));
        let back = night.office.refund_tickets(operator.id, own.id, &[tickets[0].id], "ill").await;
        assert!(matches!(back, Err(BoxOfficeError::NotPaid)));
    }

    async fn nobodys_mailbox_is_filled_with_offers(store: Store) {
        let night = Night::begin(store).await;
        let next_week = night.event(&night.red_rocks, "Next week", 7 * 24).await;
        let ticket = night.order(&night.ada, &[&next_week]).await.remove(0);
        for number in 0..OFFERS_MAX {
            night.clock.advance(Duration::from_secs(1));
            let to: EmailAddress = format!("friend{number}@example.org").parse().unwrap();
            night.office.offer_ticket(night.ada.id, ticket.id, &to).await.unwrap();
        }
        let to: EmailAddress = "carl@example.org".parse().unwrap();
        let one_more = night.office.offer_ticket(night.ada.id, ticket.id, &to).await;
        assert!(matches!(one_more, Err(BoxOfficeError::Offers { max: OFFERS_MAX })));
        night.clock.advance(Duration::from_hours(25));
        night.office.offer_ticket(night.ada.id, ticket.id, &to).await.unwrap();
    }

    async fn every_product_of_every_event_is_counted_at_once(store: Store) {
        let night = Night::begin(store).await;
        on_sale(&night, 7).await;
        paid(&night, night.ada.id, 2).await;
        order(&night, night.ben.id, 3).await.unwrap();
        let (event, products) = night.office.sales().await.unwrap().remove(0);
        assert_eq!(event.id, night.tonight.id);
        assert_eq!(products, night.office.products(event.id).await.unwrap(), "one by one");
        assert_eq!(products[0].taken, 5);
        let company = night.red_rocks.company.id;
        let own = night.office.company_sales(company).await.unwrap();
        assert!(own.iter().any(|(own, sales)| own.id == event.id && *sales == products));
        night.clock.advance(Duration::from_minutes(15));
        assert_eq!(night.office.sales().await.unwrap()[0].1[0].taken, 2);
    }
}
