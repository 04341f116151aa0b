//! Check-in lists: re-entry, exits, anti-passback, groups, questions, rules, annulment, force,
//! occupancy.

use std::sync::Arc;

use handfast_boxoffice::{
    AdmissionRequest, AdmissionTerms, AntiPassback, BoxOfficeError, EntryMode, ForcedPassage,
    ListTerms, NewDevice, NewQuestion, Note, Outcome, PassbackScope, Passing, Presented,
    QuestionKind, Reason, Role, StaffUser, Ticket, TicketState, TicketTerms, Verdict,
};
use handfast_boxoffice::{DeviceKind, Direction, Language};
use handfast_model::{DeviceId, Duration};
use handfast_store::test_on_both_engines;

use crate::night::{Night, tally};

type Answer = (Outcome, Option<Reason>);

fn answer(verdict: &Verdict) -> Answer {
    (verdict.outcome, verdict.reason)
}

const OK: Answer = (Outcome::Ok, None);
const BEFORE: Answer = (Outcome::AlreadyRedeemed, Some(Reason::EnteredBefore));
const INSIDE: Answer = (Outcome::AlreadyRedeemed, Some(Reason::InsideAlready));

async fn set_list(night: &Night, change: impl FnOnce(&mut ListTerms)) {
    let company = night.red_rocks.company.id;
    let list = night.office.check_in_lists(company, night.tonight.id).await.unwrap().remove(0);
    let mut terms = list.terms;
    change(&mut terms);
    night.office.set_check_in_list(company, list.id, &terms).await.unwrap();
}

async fn pass(night: &Night, device: DeviceId, ticket: &Ticket, terms: AdmissionTerms) -> Verdict {
    let nonce = night.nonce();
    let presented = Presented::Code(ticket.code.as_str());
    let request = AdmissionRequest { device_id: device, nonce: &nonce, presented };
    night.office.admit_on(&request, terms).await.unwrap()
}

fn exit() -> AdmissionTerms {
    AdmissionTerms { passing: Some(Passing::Exit), ..AdmissionTerms::default() }
}

fn people(people: u8) -> AdmissionTerms {
    AdmissionTerms { people: Some(people), ..AdmissionTerms::default() }
}

fn early_of(night: &Night) -> handfast_model::Timestamp {
    night.tonight.doors_at
}

async fn supervisor(night: &Night, name: &str) -> StaffUser {
    let email = format!("{name}@example.org").parse().unwrap();
    let (company, english) = (night.red_rocks.company.id, Language::English);
    let role = Role::Supervisor;
    night.office.create_staff_user(company, &email, name, role, english).await.unwrap()
}

async fn party_of(night: &Night, party_size: u32) -> Ticket {
    let ticket = night.ticket(&night.ada).await;
    let terms = TicketTerms { party_size, valid_from: None, valid_until: None, addon_to: None };
    let company = night.red_rocks.company.id;
    night.office.set_ticket_terms(company, ticket.id, &terms).await.unwrap();
    ticket
}

test_on_both_engines! {
    async fn each_entry_mode_counts_in_its_own_way(store: Store) {
        let night = Night::begin(store).await;
        let scanner = night.red_rocks.scanner;
        for (entry, wanted) in [
            (EntryMode::Single, [OK, BEFORE, OK, BEFORE]),
            (EntryMode::AfterExit, [OK, BEFORE, OK, OK]),
            (EntryMode::Multiple, [OK, OK, OK, OK]),
        ] {
            set_list(&night, |terms| terms.entry = entry).await;
            let ticket = night.ticket(&night.ada).await;
            let got = [
                answer(&night.scan(&ticket).await),
                answer(&night.scan(&ticket).await),
                answer(&pass(&night, scanner, &ticket, exit()).await),
                answer(&night.scan(&ticket).await),
            ];
            assert_eq!(got, wanted, "{entry}");
        }
    }

    async fn a_rule_is_tried_without_anybody_entering(store: Store) {
        let night = Night::begin(store).await;
        let (company, scanner) = (night.red_rocks.company.id, night.red_rocks.scanner);
        let rule = r#"{"all": [{"from": {"of": "start"}}, {"not": {"inside": true}}]}"#;
        set_list(&night, |terms| terms.rule = Some(rule.parse().unwrap())).await;
        let ticket = night.ticket(&night.ada).await;
        let code = ticket.code.as_str();
        let try_at = async |at| night.office.explain(company, scanner, code, at).await.unwrap();
        let early = try_at(night.tonight.starts_at - Duration::from_minutes(1)).await;
        assert_eq!((early.outcome, early.reason), (Outcome::Rules, Some(Reason::RuleSaysNo)));
        let last = early.steps.last().unwrap();
        assert!(!last.passed && last.detail.contains("not before the start: no"), "{last:?}");
        let then = try_at(night.tonight.starts_at).await;
        assert_eq!((then.outcome, then.reason), OK);
        let history = night.office.ticket_history(company, ticket.id).await.unwrap();
        assert!(history.passages.is_empty() && history.refused.is_empty(), "nothing is recorded");
        let unknown = night.office.explain(company, scanner, "HF1.X", night.tonight.starts_at).await;
        assert_eq!(unknown.unwrap().outcome, Outcome::Invalid);
        let rival = night.office.explain(night.rival.company.id, scanner, code, early_of(&night)).await;
        assert!(matches!(rival, Err(BoxOfficeError::Unknown(_))));
    }

    async fn a_stewards_wrong_gate_is_told_and_loses_nothing(store: Store) {
        let night = Night::begin(store).await;
        let venue = night.red_rocks.venue.id;
        let plaza = night.office.create_gate(venue, None, "Plaza").await.unwrap();
        set_list(&night, |terms| terms.gates = vec![plaza.id]).await;
        let ticket = night.ticket(&night.ada).await;
        let wrong = (Outcome::Product, Some(Reason::NoListAtGate));
        assert_eq!(answer(&night.scan(&ticket).await), wrong);
        let lane = night.office.create_lane(plaza.id, "1", Direction::Left, &[]).await.unwrap();
        let right = NewDevice {
            venue_id: venue,
            name: "Plaza scanner",
            kind: DeviceKind::Scanner,
            mode: None,
            lane_id: Some(lane.id),
            shop_reference: None,
            paired_with: None,
        };
        let right = night.office.register_device(&right).await.unwrap().0;
        assert_eq!(answer(&pass(&night, right, &ticket, AdmissionTerms::default()).await), OK);
        assert_eq!(answer(&night.scan(&ticket).await), wrong, "and still not here");
    }

    async fn anti_passback_is_hard_soft_or_timed(store: Store) {
        let night = Night::begin(store).await;
        let timed = (Outcome::Rules, Some(Reason::EnteredJustNow));
        for (kind, minutes, second, note) in [
            (AntiPassback::None, None, OK, None),
            (AntiPassback::Hard, None, INSIDE, None),
            (AntiPassback::Soft, None, OK, Some(Note::InsideAlready)),
            (AntiPassback::Timed, Some(15), timed, None),
        ] {
            set_list(&night, |terms| {
                terms.entry = EntryMode::Multiple;
                (terms.anti_passback, terms.anti_passback_minutes) = (kind, minutes);
            })
            .await;
            let ticket = night.ticket(&night.ada).await;
            assert_eq!(answer(&night.scan(&ticket).await), OK, "{kind}");
            night.clock.advance(Duration::from_minutes(14));
            let again = night.scan(&ticket).await;
            assert_eq!((answer(&again), again.note), (second, note), "{kind}");
            night.clock.advance(Duration::from_minutes(1));
            let late = answer(&night.scan(&ticket).await);
            assert_eq!(late, if kind == AntiPassback::Timed { OK } else { second }, "{kind}");
        }
    }

    async fn an_exit_is_never_refused_and_takes_out_only_who_is_in(store: Store) {
        let night = Night::begin(store).await;
        let scanner = night.red_rocks.scanner;
        let company = night.red_rocks.company.id;
        let ticket = night.ticket(&night.ada).await;
        let out = pass(&night, scanner, &ticket, exit()).await;
        assert_eq!((answer(&out), out.people, out.note), (OK, 0, Some(Note::NobodyInside)));
        night.scan(&ticket).await;
        night.office.set_ticket_state(company, ticket.id, TicketState::Cancelled).await.unwrap();
        let out = pass(&night, scanner, &ticket, exit()).await;
        assert_eq!((answer(&out), out.people, out.note), (OK, 1, None));
        assert_eq!(night.office.occupancy(company, night.tonight.id).await.unwrap().venue, 0);
    }

    async fn a_group_enters_in_parts_and_never_more_than_it_is(store: Store) {
        let night = Night::begin(store).await;
        let scanner = night.red_rocks.scanner;
        let company = night.red_rocks.company.id;
        let ticket = party_of(&night, 5).await;
        let asked = night.scan(&ticket).await;
        assert_eq!(answer(&asked), (Outcome::Incomplete, Some(Reason::ChoosePeople)));
        assert_eq!((asked.available, asked.people), (5, 0));
        let four = pass(&night, scanner, &ticket, people(4)).await;
        assert_eq!((answer(&four), four.people), (OK, 4));
        let two = pass(&night, scanner, &ticket, people(2)).await;
        assert_eq!(answer(&two), (Outcome::Incomplete, Some(Reason::FewerAvailable)));
        assert_eq!(answer(&night.scan(&ticket).await), OK);
        assert_eq!(answer(&night.scan(&ticket).await), BEFORE);
        assert_eq!(night.office.occupancy(company, night.tonight.id).await.unwrap().venue, 5);
    }

    async fn a_group_that_many_gates_let_in_at_once_stays_its_size(store: Store) {
        let night = Arc::new(Night::begin(store).await);
        let ticket = Arc::new(party_of(&night, 6).await);
        let tasks: Vec<_> = (0..16).map(|_| {
            let (night, ticket) = (night.clone(), ticket.clone());
            tokio::spawn(async move {
                let scanner = night.red_rocks.scanner;
                pass(&night, scanner, &ticket, people(2)).await.outcome
            })
        }).collect();
        let mut outcomes = Vec::new();
        for task in tasks {
            outcomes.push(task.await.unwrap());
        }
        let counts = tally(outcomes);
        assert_eq!(counts.get(&Outcome::Ok), Some(&3), "{counts:?}");
        let company = night.red_rocks.company.id;
        assert_eq!(night.office.occupancy(company, night.tonight.id).await.unwrap().venue, 6);
    }

    async fn a_question_is_asked_until_it_is_answered(store: Store) {
        let night = Night::begin(store).await;
        let company = night.red_rocks.company.id;
        let new = NewQuestion {
            product: Some("General admission"),
            text: "ID checked, 21 or older?",
            kind: QuestionKind::Confirm,
            choices: &[],
            required: true,
        };
        let question = night.office.add_question(company, night.tonight.id, &new).await.unwrap();
        let ticket = night.ticket(&night.ada).await;
        let asked = night.scan(&ticket).await;
        assert_eq!(answer(&asked), (Outcome::Incomplete, Some(Reason::QuestionOpen)));
        assert_eq!(asked.questions, std::slice::from_ref(&question));
        let say = async |text: &str| {
            let answers = vec![(question.id, text.to_owned())];
            let terms = AdmissionTerms { answers, ..AdmissionTerms::default() };
            pass(&night, night.red_rocks.scanner, &ticket, terms).await
        };
        assert_eq!(say("no").await.outcome, Outcome::Incomplete);
        assert_eq!(say("yes").await.outcome, Outcome::Ok);
    }

    async fn a_rule_refuses_and_explains_itself(store: Store) {
        let night = Night::begin(store).await;
        let rule = r#"{"any": [{"entries": {"less_than": 1}},
                               {"minutes_since_last_entry": {"at_least": 15}}]}"#;
        set_list(&night, |terms| {
            terms.entry = EntryMode::Multiple;
            terms.rule = Some(rule.parse().unwrap());
        })
        .await;
        let ticket = night.ticket(&night.ada).await;
        assert_eq!(answer(&night.scan(&ticket).await), OK);
        let terms = AdmissionTerms { explain: true, ..AdmissionTerms::default() };
        let refused = pass(&night, night.red_rocks.scanner, &ticket, terms).await;
        assert_eq!(answer(&refused), (Outcome::Rules, Some(Reason::RuleSaysNo)));
        let last = refused.steps.last().unwrap();
        assert!(!last.passed && last.detail.contains("last entry at least 15 minutes ago"), "{last:?}");
        assert!(refused.steps.iter().rev().skip(1).all(|step| step.passed), "{:?}", refused.steps);
    }

    async fn an_annulled_passage_did_not_happen(store: Store) {
        let night = Night::begin(store).await;
        let (office, scanner) = (&night.office, night.red_rocks.scanner);
        let ticket = night.ticket(&night.ada).await;
        let nonce = night.nonce();
        let presented = Presented::Code(ticket.code.as_str());
        let request = AdmissionRequest { device_id: scanner, nonce: &nonce, presented };
        assert_eq!(office.admit(&request).await.unwrap().outcome, Outcome::Ok);
        let elsewhere = office.annul(night.red_rocks.entry, &nonce, "wrong lane").await;
        assert!(matches!(elsewhere, Err(BoxOfficeError::Unknown(_))));
        office.annul(scanner, &nonce, "the turnstile did not turn").await.unwrap();
        office.annul(scanner, &nonce, "again").await.unwrap();
        let repeated = office.admit(&request).await.unwrap();
        assert_eq!(answer(&repeated), (Outcome::Annulled, Some(Reason::TakenBack)));
        assert_eq!(answer(&night.scan(&ticket).await), OK);
        night.clock.advance(Duration::from_minutes(16));
        let nonce = {
            let nonce = night.nonce();
            let ticket = night.ticket(&night.ada).await;
            let presented = Presented::Code(ticket.code.as_str());
            let request = AdmissionRequest { device_id: scanner, nonce: &nonce, presented };
            office.admit(&request).await.unwrap();
            nonce
        };
        night.clock.advance(Duration::from_minutes(16));
        assert!(matches!(office.annul(scanner, &nonce, "late").await, Err(BoxOfficeError::TooLate)));
    }

    async fn a_supervisor_forces_with_a_reason_and_two_correct(store: Store) {
        let night = Night::begin(store).await;
        let (sam, kim) = (supervisor(&night, "sam").await, supervisor(&night, "kim").await);
        let ticket = night.ticket(&night.ada).await;
        night.scan(&ticket).await;
        let nonce = night.nonce();
        let forced = ForcedPassage {
            staff_user_id: sam.id,
            device_id: night.red_rocks.scanner,
            ticket_id: ticket.id,
            nonce: &nonce,
            reason: "stepped out for her inhaler",
        };
        let verdict = night.office.force(&forced, AdmissionTerms::default()).await.unwrap();
        assert_eq!((answer(&verdict), verdict.note), (OK, Some(Note::Forced)));
        let company = night.red_rocks.company.id;
        assert_eq!(night.office.occupancy(company, night.tonight.id).await.unwrap().venue, 2);
        let id = verdict.admission_id;
        assert!(!night.office.correct(sam.id, id, "was not here").await.unwrap());
        let alone = night.office.correct(sam.id, id, "was not here").await;
        assert!(matches!(alone, Err(BoxOfficeError::SecondPerson)));
        assert!(night.office.correct(kim.id, id, "was not here").await.unwrap());
        assert_eq!(night.office.occupancy(company, night.tonight.id).await.unwrap().venue, 1);
        let actions = night.office.staff_actions(company, 10).await.unwrap();
        let words: Vec<_> = actions.iter().map(|action| action.action.as_str()).collect();
        assert_eq!(words, ["correct", "force"]);
        let elsewhere = ForcedPassage { device_id: night.rival.scanner, ..forced };
        let refused = night.office.force(&elsewhere, AdmissionTerms::default()).await;
        assert!(matches!(refused, Err(BoxOfficeError::Unknown(_))), "{refused:?}");
        let silent = ForcedPassage { reason: " ", ..forced };
        let refused = night.office.force(&silent, AdmissionTerms::default()).await;
        assert!(matches!(refused, Err(BoxOfficeError::Text { .. })), "{refused:?}");
    }

    async fn area_anti_passback_looks_at_every_gate_of_the_area(store: Store) {
        let night = Night::begin(store).await;
        let (office, place) = (&night.office, &night.red_rocks);
        let deck = office.create_area(place.venue.id, "Deck").await.unwrap();
        let mut scanners = Vec::new();
        for name in ["Deck east", "Deck west"] {
            let gate = office.create_gate(place.venue.id, Some(deck.id), name).await.unwrap();
            let lane = office.create_lane(gate.id, name, Direction::Left, &[]).await.unwrap();
            let new = NewDevice {
                venue_id: place.venue.id,
                name,
                kind: DeviceKind::Scanner,
                mode: None,
                lane_id: Some(lane.id),
                shop_reference: None,
                paired_with: None,
            };
            scanners.push(office.register_device(&new).await.unwrap().0);
            let terms = ListTerms {
                entry: EntryMode::Multiple,
                anti_passback: AntiPassback::Hard,
                anti_passback_scope: PassbackScope::Area,
                gates: vec![gate.id],
                ..ListTerms::plain(name)
            };
            office.create_check_in_list(place.company.id, night.tonight.id, &terms).await.unwrap();
        }
        let ticket = night.ticket(&night.ada).await;
        assert_eq!(answer(&night.scan(&ticket).await), OK, "the outer gate");
        let at = async |device| answer(&pass(&night, device, &ticket, AdmissionTerms::default()).await);
        assert_eq!((at(scanners[0]).await, at(scanners[1]).await), (OK, INSIDE));
        let occupancy = office.occupancy(place.company.id, night.tonight.id).await.unwrap();
        assert_eq!((occupancy.venue, occupancy.areas[0].people), (1, 1));
        let sam = supervisor(&night, "sam").await;
        night.clock.advance(Duration::from_secs(1));
        let now = night.now();
        let event = night.tonight.id;
        office.reset_presence(sam.id, event, (None, Some(deck.id)), now, "deck was cleared").await.unwrap();
        night.clock.advance(Duration::from_secs(1));
        let occupancy = office.occupancy(place.company.id, event).await.unwrap();
        assert_eq!((occupancy.venue, occupancy.areas[0].people), (1, 0));
        assert_eq!(at(scanners[1]).await, OK);
        let later = night.now() + Duration::from_minutes(10);
        office.reset_presence(sam.id, event, (Some(ticket.id), None), later, "planned").await.unwrap();
        assert_eq!(at(scanners[0]).await, INSIDE);
        night.clock.advance(Duration::from_minutes(11));
        assert_eq!(at(scanners[0]).await, OK);
    }

    async fn an_add_on_enters_by_its_tickets_code(store: Store) {
        let night = Night::begin(store).await;
        let (office, place) = (&night.office, &night.red_rocks);
        set_list(&night, |terms| {
            terms.products = vec!["Parking".to_owned()];
            terms.addon_match = true;
        })
        .await;
        let parking = |event| handfast_boxoffice::NewTicket { event_id: event, product: "Parking", account_id: None };
        let event = night.tonight.id;
        let tickets = [crate::night::general_admission(&night.tonight), parking(event), parking(event)];
        let order = handfast_boxoffice::NewOrder {
            company_id: place.company.id,
            account_id: night.ada.id,
            state: handfast_boxoffice::OrderState::Paid,
            tickets: &tickets,
        };
        let (_, issued) = office.place_order(&order).await.unwrap();
        let terms = TicketTerms { party_size: 1, valid_from: None, valid_until: None, addon_to: Some(issued[0].id) };
        assert_eq!(night.scan(&issued[0]).await.outcome, Outcome::Product);
        office.set_ticket_terms(place.company.id, issued[1].id, &terms).await.unwrap();
        let parked = night.scan(&issued[0]).await;
        assert_eq!((parked.outcome, parked.product.as_deref()), (Outcome::Ok, Some("Parking")));
        assert_eq!(night.scan(&issued[1]).await.outcome, Outcome::AlreadyRedeemed);
        office.set_ticket_terms(place.company.id, issued[2].id, &terms).await.unwrap();
        assert_eq!(answer(&night.scan(&issued[0]).await), (Outcome::Ambiguous, Some(Reason::SeveralAddons)));
    }

    async fn a_tickets_own_times_hold_beside_the_events(store: Store) {
        let night = Night::begin(store).await;
        let company = night.red_rocks.company.id;
        let now = night.now();
        let ticket = night.ticket(&night.ada).await;
        let mut terms = TicketTerms {
            party_size: 1,
            valid_from: Some(now + Duration::from_minutes(5)),
            valid_until: Some(now + Duration::from_minutes(10)),
            addon_to: None,
        };
        night.office.set_ticket_terms(company, ticket.id, &terms).await.unwrap();
        assert_eq!(answer(&night.scan(&ticket).await), (Outcome::InvalidTime, Some(Reason::NotYetValid)));
        night.clock.advance(Duration::from_minutes(10));
        assert_eq!(answer(&night.scan(&ticket).await), (Outcome::InvalidTime, Some(Reason::NoLongerValid)));
        terms.valid_from = terms.valid_until;
        let backwards = night.office.set_ticket_terms(company, ticket.id, &terms).await;
        assert!(matches!(backwards, Err(BoxOfficeError::Terms { .. })));
    }
}
