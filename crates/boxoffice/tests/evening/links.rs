//! Palm links: who may link what, what the holder can do about it, what remains afterwards.

use std::sync::Arc;

use handfast_boxoffice::{
    AgeSaid, Biometrics, BoxOfficeError, CURRENT_VERSION, Decision, Language, LinkRefusal,
    LinkState, NewLink, NewOrder, OrderState, Outcome, PAYMENT_VERSION, PalmHandle, Purpose, Scope,
    Side, UseKind,
};
use handfast_model::{Clock, Duration};
use handfast_store::test_on_both_engines;

use crate::night::{Night, company_token, general_admission, hours, tally};

fn refusal<T: std::fmt::Debug>(result: handfast_boxoffice::Result<T>) -> LinkRefusal {
    match result {
        Err(BoxOfficeError::Link(refusal)) => refusal,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

test_on_both_engines! {
    async fn a_ticket_shown_outside_may_be_linked_for_tonight(store: Store) {
        let night = Night::begin(store).await;
        let ticket = night.ticket(&night.ada).await;
        let outside = night.red_rocks.outside;
        let offer = night.office.ticket_to_link(outside, ticket.code.as_str()).await.unwrap();
        assert_eq!(offer.event, night.tonight);
        assert!(offer.enters_tonight);
        let scopes: Vec<_> = offer.scopes.iter().map(|offered| offered.scope).collect();
        assert_eq!(scopes, [Scope::Event, Scope::Venue, Scope::Company]);
        assert_eq!(offer.scopes[0].until, night.tonight.ends_at);
        let linked = night.link(&ticket, 7, Scope::Event).await;
        assert_eq!((linked.account_id, linked.until), (night.ada.id, night.tonight.ends_at));
        assert!(linked.enters_tonight && linked.mail_sent);

        let links = night.office.links(night.ada.id).await.unwrap();
        let [link] = links.as_slice() else { panic!("{links:?}") };
        assert_eq!((link.id, link.state), (linked.link_id, LinkState::Pending));
        assert_eq!(link.palms.iter().map(|palm| palm.side).collect::<Vec<_>>(), [Side::Left]);
        assert_eq!(link.via_ticket.event_name, "Tonight");
        assert_eq!(link.consent.text_version, CURRENT_VERSION);
        assert_eq!(link.consent.purposes, [Purpose::DuplicateCheck, Purpose::Entry]);
        assert_eq!(link.consent.scope, Some(Scope::Event));
        assert_eq!(link.armed.iter().map(|at| at.name.as_str()).collect::<Vec<_>>(), ["Tonight"]);
        assert_eq!(night.office.links(night.ben.id).await.unwrap(), []);
    }

    async fn tickets_that_cannot_be_linked_say_why(store: Store) {
        let night = Night::begin(store).await;
        let outside = night.red_rocks.outside;
        let ask = async |code: &str| night.office.ticket_to_link(outside, code).await;
        let elsewhere = night.event(&night.mission, "Mission", -1).await;
        let later = night.event(&night.red_rocks, "Later", 48).await;
        let foreign = night.event(&night.rival, "Rival", -1).await;
        let tickets = night.order(&night.ada, &[&elsewhere, &later]).await;
        let rivals = night.order(&night.ada, &[&foreign]).await;
        assert_eq!(refusal(ask("https://example.org").await), LinkRefusal::UnknownCode);
        assert_eq!(refusal(ask(rivals[0].code.as_str()).await), LinkRefusal::UnknownCode);
        assert_eq!(refusal(ask(tickets[0].code.as_str()).await), LinkRefusal::OtherEvent);
        assert_eq!(refusal(ask(tickets[1].code.as_str()).await), LinkRefusal::OtherEvent);

        let used = night.ticket(&night.ada).await;
        night.scan(&used).await;
        assert_eq!(refusal(ask(used.code.as_str()).await), LinkRefusal::AlreadyRedeemed);

        let unpaid = NewOrder {
            company_id: night.red_rocks.company.id,
            account_id: night.ada.id,
            state: OrderState::Pending,
            tickets: &[general_admission(&night.tonight)],
        };
        let (_, unpaid) = night.office.place_order(&unpaid).await.unwrap();
        assert_eq!(refusal(ask(unpaid[0].code.as_str()).await), LinkRefusal::NotValid);

        let linked = night.ticket(&night.ada).await;
        night.link(&linked, 1, Scope::Event).await;
        assert_eq!(refusal(ask(linked.code.as_str()).await), LinkRefusal::AlreadyLinked);

        let good = night.ticket(&night.ada).await;
        night.clock.advance(hours(5));
        assert_eq!(refusal(ask(good.code.as_str()).await), LinkRefusal::EventOver);
        // Tomorrow's doors are now less than a day away.
        night.clock.advance(hours(20));
        assert!(ask(tickets[1].code.as_str()).await.is_ok());
        // A lane does not enrol.
        let lane = night.red_rocks.entry;
        assert!(night.office.ticket_to_link(lane, tickets[1].code.as_str()).await.is_err());
    }

    async fn an_event_without_biometrics_links_nobody(store: Store) {
        let night = Night::begin(store).await;
        let (company, event) = (night.red_rocks.company.id, night.tonight.id);
        let ticket = night.ticket(&night.ada).await;
        night.office.set_biometrics(company, event, Biometrics::Forbidden).await.unwrap();
        for device in [night.red_rocks.outside, night.red_rocks.inside] {
            let asked = night.office.ticket_to_link(device, ticket.code.as_str()).await;
            assert_eq!(refusal(asked), LinkRefusal::NoBiometrics);
            let linked = night.try_link(device, &ticket, 1, Scope::Company).await;
            assert_eq!(refusal(linked), LinkRefusal::NoBiometrics);
        }
        assert_eq!(night.count("SELECT COUNT(*) FROM link_palms").await, 0);
        assert_eq!(night.count("SELECT COUNT(*) FROM consents").await, 0);
        let rival = night.rival.company.id;
        assert!(night.office.set_biometrics(rival, event, Biometrics::Allowed).await.is_err());
    }

    async fn a_ticket_and_a_palm_are_linked_once(store: Store) {
        let night = Night::begin(store).await;
        let (first, second) = (night.ticket(&night.ada).await, night.ticket(&night.ben).await);
        night.link(&first, 7, Scope::Event).await;
        let outside = night.red_rocks.outside;
        let other_palm = night.try_link(outside, &first, 8, Scope::Event).await;
        assert_eq!(refusal(other_palm), LinkRefusal::AlreadyLinked);
        let same_palm = night.try_link(outside, &second, 7, Scope::Event).await;
        assert!(matches!(same_palm, Err(BoxOfficeError::PalmLinked)), "{same_palm:?}");
        assert_eq!(night.count("SELECT COUNT(*) FROM links").await, 1);
        assert_eq!(night.count("SELECT COUNT(*) FROM consents").await, 1);
        assert_eq!(night.office.newest_mails(10).await.unwrap().len(), 1);
    }

    async fn many_pedestals_at_once_link_a_ticket_once(store: Store) {
        let night = Arc::new(Night::begin(store).await);
        let ticket = Arc::new(night.ticket(&night.ada).await);
        let tasks: Vec<_> = (1..=10)
            .map(|palm| {
                let (night, ticket) = (night.clone(), ticket.clone());
                tokio::spawn(async move {
                    let outside = night.red_rocks.outside;
                    night.try_link(outside, &ticket, palm, Scope::Event).await.is_ok()
                })
            })
            .collect();
        let mut linked = Vec::new();
        for task in tasks {
            linked.push(task.await.unwrap());
        }
        assert_eq!(tally(linked)[&true], 1);
        assert_eq!(night.count("SELECT COUNT(*) FROM links").await, 1);
    }

    async fn palms_and_texts_are_checked(store: Store) {
        let night = Night::begin(store).await;
        let ticket = night.ticket(&night.ada).await;
        let palm = |side, number| PalmHandle {
            side,
            company_token: company_token(night.red_rocks.company.id, number),
        };
        let (left, right) = (palm(Side::Left, 1), palm(Side::Right, 2));
        let new = NewLink {
            device_id: night.red_rocks.outside,
            ticket_id: ticket.id,
            palms: &[left, right],
            text_version: CURRENT_VERSION,
            language: Language::German,
            scope: Scope::Company,
            accepted_at: night.clock.now(),
            age: AgeSaid::OfAge,
        };
        for palms in [&[][..], &[left, palm(Side::Left, 2)], &[left, right, left]] {
            let refused = night.office.create_link(&NewLink { palms, ..new.clone() }).await;
            assert!(matches!(refused, Err(BoxOfficeError::Palms)), "{refused:?}");
        }
        for text_version in ["palm-1999-1", PAYMENT_VERSION] {
            let refused = night.office.create_link(&NewLink { text_version, ..new.clone() }).await;
            assert!(matches!(refused, Err(BoxOfficeError::Unknown(_))), "{refused:?}");
        }
        night.office.create_link(&new).await.unwrap();
        let link = night.office.links(night.ada.id).await.unwrap().remove(0);
        assert_eq!(link.palms, [left, right]);
        assert_eq!(link.consent.language, Language::German);
        let known = night.office.known_palms(night.red_rocks.company.id).await.unwrap();
        assert_eq!(known.len(), 2);
    }

    async fn the_holder_undoes_a_link_that_is_not_theirs(store: Store) {
        let night = Night::begin(store).await;
        let ticket = night.ticket(&night.ada).await;
        let linked = night.link(&ticket, 7, Scope::Company).await;
        assert!(night.identify(&night.red_rocks, 7).await.is_some());
        let key = night.newest_key(&night.ada).await;
        let question = night.office.link_question(&key).await.unwrap();
        assert_eq!((question.link_id, question.state), (linked.link_id, LinkState::Pending));
        assert_eq!((question.event_name.as_str(), question.venue_name.as_str()),
                   ("Tonight", "Red Rocks Amphitheatre"));

        let due = night.office.decide_link(&key, Decision::Undo).await.unwrap().unwrap();
        assert_eq!(due.link_id, linked.link_id);
        assert_eq!(due.palms[0].company_token, company_token(due.company_id, 7));
        // Between undoing and the vault's receipt the vault may still know the palm: it enters not.
        let token = crate::night::venue_token(night.red_rocks.venue.id, 7);
        let presented = handfast_boxoffice::Presented::Palm { token: &token, people: 1 };
        let verdict = night.present(night.red_rocks.entry, presented).await;
        assert_eq!(verdict.outcome, Outcome::Invalid);
        assert_eq!(night.office.due_deletions().await.unwrap(), [due]);

        night.reconcile().await;
        assert_eq!(night.office.due_deletions().await.unwrap(), []);
        assert_eq!(night.count("SELECT COUNT(*) FROM link_palms").await, 0);
        assert_eq!(night.count("SELECT COUNT(*) FROM venue_tokens").await, 0);
        assert_eq!(night.count("SELECT COUNT(*) FROM consents WHERE withdrawn_at IS NULL").await, 0);
        assert_eq!(night.office.links(night.ada.id).await.unwrap(), []);
        // The key is used up, the ticket is good and may be linked again.
        assert!(night.office.decide_link(&key, Decision::Confirm).await.is_err());
        night.link(&ticket, 8, Scope::Event).await;
        assert_eq!(night.hover(&night.red_rocks, 8, 1).await.outcome, Outcome::Ok);
    }

    async fn after_confirming_the_key_still_undoes_until_it_is_too_old(store: Store) {
        let night = Night::begin(store).await;
        let ticket = night.ticket(&night.ada).await;
        night.link(&ticket, 7, Scope::Company).await;
        let key = night.newest_key(&night.ada).await;
        for _ in 0..2 {
            assert_eq!(night.office.decide_link(&key, Decision::Confirm).await.unwrap(), None);
        }
        let link = night.office.links(night.ada.id).await.unwrap().remove(0);
        assert_eq!(link.state, LinkState::Confirmed);
        night.clock.advance(Duration::from_days(7));
        let late = night.office.decide_link(&key, Decision::Undo).await;
        assert!(matches!(late, Err(BoxOfficeError::MailKey)), "{late:?}");
        assert!(night.office.link_question(&key).await.is_err());
    }

    async fn deletion_leaves_a_receipt_and_nothing_else(store: Store) {
        let night = Night::begin(store).await;
        let ticket = night.ticket(&night.ada).await;
        let linked = night.link(&ticket, 7, Scope::Company).await;
        let office = &night.office;
        // Only its own holder ends it, and only an ended link is acknowledged.
        let stranger = office.end_link(night.ben.id, linked.link_id).await;
        assert!(matches!(stranger, Err(BoxOfficeError::Unknown(_))));
        assert!(office.acknowledge_deletion(linked.link_id, "receipt").await.is_err());
        office.end_link(night.ada.id, linked.link_id).await.unwrap();
        let again = office.end_link(night.ada.id, linked.link_id).await;
        assert!(matches!(again, Err(BoxOfficeError::LinkEnded)));

        let deleted = office.acknowledge_deletion(linked.link_id, "receipt-7").await.unwrap();
        assert_eq!(deleted.receipt_id, "receipt-7");
        let repeated = office.acknowledge_deletion(linked.link_id, "receipt-8").await.unwrap();
        let mails = office.newest_mails(10).await.unwrap();
        let told = mails.iter().filter(|mail| mail.body.contains("receipt-7"));
        assert_eq!(told.count(), 1, "told once");
        assert_eq!(repeated, deleted);
        assert_eq!(night.count("SELECT COUNT(*) FROM link_palms").await, 0);
        let uses = office.uses(night.ada.id).await.unwrap();
        assert!(uses.iter().any(|event| event.kind == UseKind::Deleted));
        // The palm may come back, as a new one.
        let ticket = night.ticket(&night.ada).await;
        night.link(&ticket, 7, Scope::Event).await;
    }

    async fn a_link_ends_with_its_consent(store: Store) {
        let night = Night::begin(store).await;
        let ticket = night.ticket(&night.ada).await;
        night.link(&ticket, 7, Scope::Event).await;
        let wide = night.ticket(&night.ben).await;
        night.link(&wide, 8, Scope::Venue).await;
        night.clock.advance(hours(5));
        night.reconcile().await;
        assert_eq!(night.office.links(night.ada.id).await.unwrap(), []);
        assert_eq!(night.office.links(night.ben.id).await.unwrap().len(), 1);
        assert_eq!(night.count("SELECT COUNT(*) FROM link_palms").await, 1);
        assert_eq!(night.count("SELECT COUNT(*) FROM links WHERE state = 'expired'").await, 1);
        night.clock.advance(Duration::from_days(365));
        night.reconcile().await;
        assert_eq!(night.count("SELECT COUNT(*) FROM link_palms").await, 0);
    }

    async fn a_changed_scope_is_a_new_consent(store: Store) {
        let night = Night::begin(store).await;
        let ticket = night.ticket(&night.ada).await;
        let linked = night.link(&ticket, 7, Scope::Event).await;
        let office = &night.office;
        let stranger = office.change_link_scope(night.ben.id, linked.link_id, Scope::Company).await;
        assert!(matches!(stranger, Err(BoxOfficeError::Unknown(_))));
        night.clock.advance(hours(1));
        office.change_link_scope(night.ada.id, linked.link_id, Scope::Company).await.unwrap();
        let link = office.links(night.ada.id).await.unwrap().remove(0);
        assert_eq!(link.consent.scope, Some(Scope::Company));
        assert_eq!(link.consent.until, Some(night.clock.now() + Duration::from_days(365)));
        let all = office.consents(night.ada.id).await.unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!(all[1].withdrawn_at, Some(night.clock.now()));
        night.clock.advance(hours(10));
        night.reconcile().await;
        assert_eq!(office.links(night.ada.id).await.unwrap().len(), 1);
    }

    async fn a_link_moves_to_another_ticket_by_its_code(store: Store) {
        let night = Night::begin(store).await;
        let (first, second) = (night.ticket(&night.ada).await, night.ticket(&night.ada).await);
        let linked = night.link(&first, 7, Scope::Event).await;
        let office = &night.office;
        let code = second.code.as_str();
        let stranger = office.move_link(night.ben.id, linked.link_id, code).await;
        assert!(matches!(stranger, Err(BoxOfficeError::Unknown(_))));
        office.move_link(night.ada.id, linked.link_id, code).await.unwrap();
        night.reconcile().await;
        // Pending as it is, it enters with the new ticket and no longer with the first.
        assert_eq!(night.hover(&night.red_rocks, 7, 1).await.outcome, Outcome::Ok);
        assert_eq!(night.hover(&night.red_rocks, 7, 1).await.outcome, Outcome::AlreadyRedeemed);
        assert_eq!(night.scan(&second).await.outcome, Outcome::AlreadyRedeemed);
        assert_eq!(night.scan(&first).await.outcome, Outcome::Ok);
        // A ticket that has entered is nothing to move to.
        let moved = office.move_link(night.ada.id, linked.link_id, first.code.as_str()).await;
        assert_eq!(refusal(moved), LinkRefusal::AlreadyRedeemed);
    }

    async fn a_friends_ticket_is_freed_by_its_holder(store: Store) {
        let night = Night::begin(store).await;
        let (own, bens) = (night.ticket(&night.ada).await, night.ticket(&night.ben).await);
        let linked = night.link(&own, 7, Scope::Company).await;
        night.office.confirm_link(night.ada.id, linked.link_id).await.unwrap();
        let code = bens.code.as_str();
        night.office.move_link(night.ada.id, linked.link_id, code).await.unwrap();
        night.reconcile().await;
        let key = night.newest_key(&night.ben).await;
        let question = night.office.link_question(&key).await.unwrap();
        assert_eq!(question.link_id, linked.link_id);
        // Ben frees his ticket; Ada's palm stays hers and enters with her own ticket.
        assert_eq!(night.office.decide_link(&key, Decision::Undo).await.unwrap(), None);
        night.reconcile().await;
        assert_eq!(night.hover(&night.red_rocks, 7, 1).await.outcome, Outcome::Ok);
        assert_eq!(night.scan(&own).await.outcome, Outcome::AlreadyRedeemed);
        assert_eq!(night.scan(&bens).await.outcome, Outcome::Ok);
        // A ticket another palm holds is not taken from it.
        let held = night.ticket(&night.ben).await;
        night.link(&held, 8, Scope::Event).await;
        let moved = night.office.move_link(night.ada.id, linked.link_id, held.code.as_str()).await;
        assert_eq!(refusal(moved), LinkRefusal::AlreadyLinked);
    }

    async fn only_a_confirmed_link_pays_and_only_in_its_scope(store: Store) {
        let night = Night::begin(store).await;
        let ticket = night.ticket(&night.ada).await;
        let linked = night.link(&ticket, 7, Scope::Venue).await;
        let (here, there) = (night.red_rocks.venue.id, night.mission.venue.id);
        let covers = async || {
            let link = night.office.links(night.ada.id).await.unwrap().remove(0);
            [here, there].map(|venue| link.covers_shops_until(venue))
        };
        assert_eq!(covers().await, [None, None]);
        night.office.confirm_link(night.ada.id, linked.link_id).await.unwrap();
        assert_eq!(covers().await, [Some(linked.until), None]);
        let company = Scope::Company;
        night.office.change_link_scope(night.ada.id, linked.link_id, company).await.unwrap();
        assert_eq!(covers().await, [Some(linked.until); 2]);
    }

    async fn payment_is_consented_to_apart(store: Store) {
        let night = Night::begin(store).await;
        let (office, ada) = (&night.office, night.ada.id);
        assert_eq!(office.payment_consent(ada).await.unwrap(), None);
        let first = office.give_payment_consent(ada, Language::Spanish).await.unwrap();
        assert_eq!((first.purposes.as_slice(), first.text_version.as_str()),
                   ([Purpose::Payment].as_slice(), PAYMENT_VERSION));
        let second = office.give_payment_consent(ada, Language::English).await.unwrap();
        assert_eq!(office.payment_consent(ada).await.unwrap(), Some(second));
        office.withdraw_payment_consent(ada).await.unwrap();
        assert_eq!(office.payment_consent(ada).await.unwrap(), None);
        assert_eq!(office.consents(ada).await.unwrap().len(), 2);
        assert_eq!(office.payment_consent(night.ben.id).await.unwrap(), None);
    }

    async fn every_use_is_shown(store: Store) {
        let night = Night::begin(store).await;
        let ticket = night.ticket(&night.ada).await;
        night.link(&ticket, 7, Scope::Event).await;
        night.clock.advance(hours(1));
        night.hover(&night.red_rocks, 7, 1).await;
        let other = night.ticket(&night.ada).await;
        night.clock.advance(hours(1));
        night.scan(&other).await;
        let uses = night.office.uses(night.ada.id).await.unwrap();
        let kinds: Vec<_> = uses.iter().map(|event| (event.kind, event.method)).collect();
        use handfast_boxoffice::Method;
        assert_eq!(kinds, [
            (UseKind::Entered, Some(Method::Code)),
            (UseKind::Entered, Some(Method::Palm)),
            (UseKind::Linked, None),
        ]);
        assert_eq!(uses[0].venue_name, "Red Rocks Amphitheatre");
        assert_eq!(uses[0].lane_name.as_deref(), Some("Lane 1"));
        assert_eq!(night.office.uses(night.ben.id).await.unwrap(), []);
        let tickets = night.office.account_tickets(night.ada.id).await.unwrap();
        let entered: Vec<_> = tickets.iter().filter_map(|ticket| ticket.entered.clone()).collect();
        assert_eq!(entered.len(), 2);
        assert_eq!(entered[0].gate_name.as_deref(), Some("North gate"));
    }

    async fn a_companions_palm_enters_with_its_own_ticket_alone(store: Store) {
        let night = Night::begin(store).await;
        let own = night.ticket(&night.ada).await;
        let second = night.ticket(&night.ada).await;
        let third = night.ticket(&night.ada).await;
        let confirm = async |palm: u8, ticket, decision| {
            night.clock.advance(Duration::from_secs(1));
            night.link(ticket, palm, Scope::Venue).await;
            let key = night.newest_key(&night.ada).await;
            night.office.decide_link(&key, decision).await.unwrap();
            night.reconcile().await;
        };
        confirm(1, &second, Decision::Companion).await;
        confirm(2, &own, Decision::Confirm).await;
        // Nobody has two left hands: whatever the holder clicks, this is another person's.
        confirm(3, &third, Decision::Confirm).await;
        let links = night.office.links(night.ada.id).await.unwrap();
        let companions: Vec<bool> = links.iter().rev().map(|link| link.companion).collect();
        assert_eq!(companions, [true, false, true]);
        let shops = links.iter().filter(|link| link.covers_shops_until(night.red_rocks.venue.id).is_some());
        assert_eq!(shops.count(), 1, "only the holder's own palm pays");
        let tickets = [night.ticket(&night.ada).await, night.ticket(&night.ada).await];
        night.reconcile().await;
        assert_eq!(night.hover(&night.red_rocks, 1, 2).await.outcome, Outcome::Incomplete);
        assert_eq!(night.hover(&night.red_rocks, 3, 1).await.people, 1);
        assert_eq!(night.hover(&night.red_rocks, 2, 3).await.people, 3, "own and {tickets:?}");
        assert_eq!(night.hover(&night.red_rocks, 1, 1).await.people, 1);
    }
}
