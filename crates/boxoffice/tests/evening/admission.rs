//! Admission by code: one entry a ticket, every refusal with its reason, repetition without effect.

use std::sync::Arc;

use handfast_boxoffice::{
    AdmissionRequest, BoxOfficeError, Direction, Method, NewDevice, NewOrder, NewTicket,
    OrderState, Outcome, Presented, Reason, TicketState, Verdict,
};
use handfast_boxoffice::{DeviceKind, Scope};
use handfast_store::test_on_both_engines;

use crate::night::{Night, general_admission, hours, tally};

fn answer(verdict: &Verdict) -> (Outcome, Option<Reason>) {
    (verdict.outcome, verdict.reason)
}

test_on_both_engines! {
    async fn a_ticket_enters_once_and_the_second_scan_says_where(store: Store) {
        let night = Night::begin(store).await;
        let ticket = night.ticket(&night.ada).await;
        let first = night.scan(&ticket).await;
        assert_eq!(answer(&first), (Outcome::Ok, None));
        assert_eq!((first.people, first.direction), (1, Some(Direction::Left)));
        assert_eq!(first.event_name.as_deref(), Some("Tonight"));
        assert_eq!(first.product.as_deref(), Some("General admission"));
        night.clock.advance(hours(1));
        let second = night.scan(&ticket).await;
        assert_eq!(answer(&second), (Outcome::AlreadyRedeemed, Some(Reason::EnteredBefore)));
        let previous = second.previous.unwrap();
        assert_eq!(previous.method, Method::Code);
        assert_eq!(previous.gate_name.as_deref(), Some("North gate"));
        assert_eq!(previous.lane_name.as_deref(), Some("Lane 1"));
        use handfast_model::Clock;
        assert_eq!(previous.at + hours(1), night.clock.now());
    }

    async fn many_scanners_at_once_let_one_in(store: Store) {
        const SCANS: usize = 24;
        let night = Arc::new(Night::begin(store).await);
        let ticket = Arc::new(night.ticket(&night.ada).await);
        let tasks: Vec<_> = (0..SCANS)
            .map(|_| {
                let (night, ticket) = (night.clone(), ticket.clone());
                tokio::spawn(async move { night.scan(&ticket).await.outcome })
            })
            .collect();
        let mut outcomes = Vec::new();
        for task in tasks {
            outcomes.push(task.await.unwrap());
        }
        let counts = tally(outcomes);
        assert_eq!(counts[&Outcome::Ok], 1);
        assert_eq!(counts[&Outcome::AlreadyRedeemed], SCANS - 1);
        assert_eq!(night.count("SELECT COUNT(*) FROM passages").await, 1);
        assert_eq!(night.count("SELECT COUNT(*) FROM admissions").await, SCANS as i64);
        assert_eq!(night.failed_groups(), 0);
    }

    async fn palm_and_code_at_once_let_one_in(store: Store) {
        const EACH: usize = 8;
        let night = Arc::new(Night::begin(store).await);
        let ticket = Arc::new(night.ticket(&night.ada).await);
        night.link(&ticket, 7, Scope::Event).await;
        let mut tasks = Vec::new();
        for number in 0..2 * EACH {
            let (night, ticket) = (night.clone(), ticket.clone());
            tasks.push(tokio::spawn(async move {
                if number % 2 == 0 {
                    night.scan(&ticket).await.outcome
                } else {
                    night.hover(&night.red_rocks, 7, 1).await.outcome
                }
            }));
        }
        let mut outcomes = Vec::new();
        for task in tasks {
            outcomes.push(task.await.unwrap());
        }
        let counts = tally(outcomes);
        assert_eq!(counts[&Outcome::Ok], 1);
        assert_eq!(counts[&Outcome::AlreadyRedeemed], 2 * EACH - 1);
        assert_eq!(night.count("SELECT COUNT(*) FROM passages").await, 1);
    }

    async fn a_repeated_request_gets_its_first_answer(store: Store) {
        let night = Night::begin(store).await;
        let (ticket, other) = (night.ticket(&night.ada).await, night.ticket(&night.ada).await);
        let request = AdmissionRequest {
            device_id: night.red_rocks.scanner,
            nonce: "double-tap-1",
            presented: Presented::Code(ticket.code.as_str()),
        };
        let first = night.office.admit(&request).await.unwrap();
        let again = night.office.admit(&request).await.unwrap();
        assert_eq!(again, Verdict { repeated: true, ..first.clone() });
        // A refusal too, with the entry it told of.
        let refused = AdmissionRequest { nonce: "double-tap-2", ..request };
        let first = night.office.admit(&refused).await.unwrap();
        assert_eq!(first.outcome, Outcome::AlreadyRedeemed);
        let again = night.office.admit(&refused).await.unwrap();
        assert_eq!(again, Verdict { repeated: true, ..first });
        // The same nonce at another device is another attempt; for another code it is a mistake.
        let elsewhere = AdmissionRequest { device_id: night.red_rocks.entry, ..request };
        assert!(!night.office.admit(&elsewhere).await.unwrap().repeated);
        let presented = Presented::Code(other.code.as_str());
        let reused = night.office.admit(&AdmissionRequest { presented, ..request }).await;
        assert!(matches!(reused, Err(BoxOfficeError::NonceReused)), "{reused:?}");
        assert_eq!(night.count("SELECT COUNT(*) FROM passages").await, 1);
        assert_eq!(night.count("SELECT COUNT(*) FROM admissions").await, 3);
    }

    async fn repetitions_at_once_get_one_answer(store: Store) {
        let night = Arc::new(Night::begin(store).await);
        let ticket = Arc::new(night.ticket(&night.ada).await);
        let tasks: Vec<_> = (0..12)
            .map(|_| {
                let (night, ticket) = (night.clone(), ticket.clone());
                tokio::spawn(async move {
                    let request = AdmissionRequest {
                        device_id: night.red_rocks.scanner,
                        nonce: "impatient-finger",
                        presented: Presented::Code(ticket.code.as_str()),
                    };
                    let verdict = night.office.admit(&request).await.unwrap();
                    (verdict.admission_id, verdict.outcome, verdict.people)
                })
            })
            .collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.unwrap());
        }
        let counts = tally(answers);
        assert_eq!(counts.len(), 1, "{counts:?}");
        assert_eq!(night.count("SELECT COUNT(*) FROM admissions").await, 1);
        assert_eq!(night.failed_groups(), 0);
    }

    async fn wrong_places_and_times_have_their_reasons(store: Store) {
        let night = Night::begin(store).await;
        let later = night.event(&night.red_rocks, "Next week", 7 * 24).await;
        let elsewhere = night.event(&night.mission, "At the Mission", -1).await;
        let foreign = night.event(&night.rival, "A rival's", -1).await;
        let tickets = night.order(&night.ada, &[&night.tonight, &later, &elsewhere]).await;
        let rivals = night.order(&night.ada, &[&foreign]).await;

        let invalid = |reason| (Outcome::Invalid, Some(reason));
        assert_eq!(answer(&night.scan(&tickets[1]).await), invalid(Reason::OtherEvent));
        assert_eq!(answer(&night.scan(&tickets[2]).await), invalid(Reason::OtherVenue));
        let stranger = night.scan(&rivals[0]).await;
        assert_eq!(answer(&stranger), invalid(Reason::UnknownCode));
        assert_eq!((stranger.product, stranger.event_name), (None, None));
        // Nothing of the other company's ticket is recorded here either.
        assert_eq!(night.count(
            "SELECT COUNT(*) FROM admissions WHERE reason = 'unknown_code' AND ticket_id IS NULL"
        ).await, 1);

        night.clock.advance(hours(6));
        let over = night.scan(&tickets[0]).await;
        assert_eq!(answer(&over), (Outcome::Rules, Some(Reason::EventOver)));
        let early = night.scan(&tickets[1]).await;
        assert_eq!(answer(&early), (Outcome::Rules, Some(Reason::TooEarly)));
        night.clock.advance(hours(7 * 24 - 6));
        assert_eq!(answer(&night.scan(&tickets[1]).await), (Outcome::Ok, None));
    }

    async fn the_window_opens_with_the_doors_and_closes_with_the_end(store: Store) {
        use handfast_model::{Clock, Duration};
        let night = Night::begin(store).await;
        let event = night.event(&night.mission, "Sharp", 1).await;
        let tickets = night.order(&night.ada, &[&event, &event, &event, &event]).await;
        let scanner = night.mission.scanner;
        let at = async |moment: handfast_model::Timestamp, ticket: usize| {
            night.clock.advance(moment - night.clock.now());
            let code = tickets[ticket].code.as_str();
            night.present(scanner, Presented::Code(code)).await.outcome
        };
        let tick = Duration::from_micros(1);
        assert_eq!(at(event.doors_at - tick, 0).await, Outcome::Rules);
        assert_eq!(at(event.doors_at, 0).await, Outcome::Ok);
        assert_eq!(at(event.ends_at - tick, 1).await, Outcome::Ok);
        assert_eq!(at(event.ends_at, 2).await, Outcome::Rules);
    }

    async fn a_ticket_that_is_not_good_says_why(store: Store) {
        let night = Night::begin(store).await;
        let company = night.red_rocks.company.id;
        for (state, outcome, reason) in [
            (TicketState::Cancelled, Outcome::Cancelled, Reason::TicketCancelled),
            (TicketState::Revoked, Outcome::Revoked, Reason::Withdrawn),
            (TicketState::Blocked, Outcome::Blocked, Reason::HeldBack),
        ] {
            let ticket = night.ticket(&night.ada).await;
            night.office.set_ticket_state(company, ticket.id, state).await.unwrap();
            assert_eq!(answer(&night.scan(&ticket).await), (outcome, Some(reason)));
            night.office.set_ticket_state(company, ticket.id, TicketState::Valid).await.unwrap();
            assert_eq!(night.scan(&ticket).await.outcome, Outcome::Ok);
        }
        let rival = night.rival.company.id;
        let ticket = night.ticket(&night.ada).await;
        let refused = night.office.set_ticket_state(rival, ticket.id, TicketState::Blocked).await;
        assert!(matches!(refused, Err(BoxOfficeError::Unknown(_))));
    }

    async fn an_order_must_be_paid(store: Store) {
        let night = Night::begin(store).await;
        let company_id = night.red_rocks.company.id;
        let new = NewOrder {
            company_id,
            account_id: night.ada.id,
            state: OrderState::Pending,
            tickets: &[general_admission(&night.tonight)],
        };
        let (order, tickets) = night.office.place_order(&new).await.unwrap();
        let unpaid = night.scan(&tickets[0]).await;
        assert_eq!(answer(&unpaid), (Outcome::Unpaid, Some(Reason::OrderUnpaid)));
        night.office.set_order_state(company_id, order.id, OrderState::Cancelled).await.unwrap();
        assert_eq!(night.scan(&tickets[0]).await.outcome, Outcome::Cancelled);
        night.office.set_order_state(company_id, order.id, OrderState::Paid).await.unwrap();
        assert_eq!(night.scan(&tickets[0]).await.outcome, Outcome::Ok);
    }

    async fn a_lane_admits_its_products_only(store: Store) {
        let night = Night::begin(store).await;
        let venue_id = night.red_rocks.venue.id;
        let gate = night.office.create_gate(venue_id, None, "VIP gate").await.unwrap();
        let lane = night
            .office
            .create_lane(gate.id, "VIP", Direction::Right, &["VIP", "Crew"])
            .await
            .unwrap();
        let device = NewDevice {
            venue_id,
            name: "VIP scanner",
            kind: DeviceKind::Scanner,
            mode: None,
            lane_id: Some(lane.id),
            shop_reference: None,
            paired_with: None,
        };
        let (scanner, _) = night.office.register_device(&device).await.unwrap();
        let vip = NewTicket { product: "VIP", ..general_admission(&night.tonight) };
        let new = NewOrder {
            company_id: night.red_rocks.company.id,
            account_id: night.ada.id,
            state: OrderState::Paid,
            tickets: &[vip, general_admission(&night.tonight)],
        };
        let (_, tickets) = night.office.place_order(&new).await.unwrap();
        let ask = async |code: usize| {
            let code = tickets[code].code.as_str();
            answer(&night.present(scanner, Presented::Code(code)).await)
        };
        assert_eq!(ask(0).await, (Outcome::Ok, None));
        assert_eq!(ask(1).await, (Outcome::Product, Some(Reason::ProductElsewhere)));
        assert_eq!(night.scan(&tickets[1]).await.outcome, Outcome::Ok);
    }

    async fn texts_that_are_no_ticket_are_told_apart(store: Store) {
        let night = Night::begin(store).await;
        let ticket = night.ticket(&night.ada).await;
        let code = ticket.code.as_str();
        let flipped = format!("{}{}", &code[..33], if code.ends_with('A') { 'B' } else { 'A' });
        let unknown = handfast_boxoffice::TicketCode::new(&handfast_model::SeededRandom::new(5));
        let scanner = night.red_rocks.scanner;
        for (text, reason) in [
            ("https://example.org/menu", Reason::NotATicketCode),
            ("", Reason::NotATicketCode),
            (&code[..30], Reason::DamagedCode),
            (&flipped, Reason::MistypedCode),
            (unknown.as_str(), Reason::UnknownCode),
        ] {
            let verdict = night.present(scanner, Presented::Code(text)).await;
            assert_eq!(answer(&verdict), (Outcome::Invalid, Some(reason)), "{text}");
        }
        let sloppy = code.to_lowercase();
        assert_eq!(night.present(scanner, Presented::Code(&sloppy)).await.outcome, Outcome::Ok);
    }

    async fn a_nonce_must_be_one(store: Store) {
        let night = Night::begin(store).await;
        let ticket = night.ticket(&night.ada).await;
        for nonce in ["", "short", "with spaces in it", &"n".repeat(65)] {
            let request = AdmissionRequest {
                device_id: night.red_rocks.scanner,
                nonce,
                presented: Presented::Code(ticket.code.as_str()),
            };
            let refused = night.office.admit(&request).await;
            assert!(matches!(refused, Err(BoxOfficeError::Nonce { .. })), "{nonce:?}");
        }
        assert_eq!(night.count("SELECT COUNT(*) FROM admissions").await, 0);
    }

    async fn the_database_itself_refuses_a_second_entry(store: Store) {
        let night = Night::begin(store).await;
        let ticket = night.ticket(&night.ada).await;
        night.scan(&ticket).await;
        let second: Result<u64, handfast_store::StoreError> = night
            .office
            .store()
            .transaction("test.force", |tx| Box::pin(async move {
                tx.execute(
                    "INSERT INTO passages (ticket_id, list_id, number, passing, people, admission_id,
                                            event_id, method, at, changed_at)
                     SELECT ticket_id, list_id, number, passing, people, admission_id, event_id,
                            method, at, changed_at FROM passages",
                    handfast_store::params![],
                ).await
            }))
            .await;
        assert!(matches!(second, Err(handfast_store::StoreError::Duplicate { .. })), "{second:?}");
    }
}
